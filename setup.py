"""What pyproject.toml cannot say: conf/, at the top of the repository, is the package training_hub.conf."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["training_hub", "training_hub.*"]), "training_hub.conf"],
    package_dir={"training_hub.conf": "conf"},
)
