"""A front's test runs in a folder with a model and rows."""

from tests.verbs.conftest import folder, here  # noqa: F401  fixtures
