"""A front's test runs in a folder with a model and rows."""

from tests.tools.conftest import folder, here  # noqa: F401  fixtures
