"""Say where the environment that runs this differs from the lock file of its Python, and exit with 1 if it does."""

import re
import sys
from importlib.metadata import distributions
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[1] / "requirements"
OURS = {"napari-s1omni"}
COMES_WITH_PYTHON = {"pip", "setuptools"}
PARTS_OF_TORCH = ("nvidia-", "cuda-", "triton")
"""torch pins these by exact version, and which there are depends on its build."""


def locked() -> dict[str, str]:
    """Return the locked version of each package, by normalized name."""
    lock = REQUIREMENTS / "python-{}.{}.txt".format(*sys.version_info)
    text = lock.read_text() + (REQUIREMENTS / "build.txt").read_text()
    return {normalized(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)}


def normalized(name: str) -> str:
    """Return the one spelling of a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed() -> dict[str, str]:
    """Return the public version of each package in this environment, by normalized name."""
    found = {normalized(each.name): each.version.partition("+")[0] for each in distributions()}
    return {
        name: version
        for name, version in sorted(found.items())
        if name not in OURS | COMES_WITH_PYTHON and not name.startswith(PARTS_OF_TORCH)
    }


if __name__ == "__main__":
    versions = locked()
    changed = [
        f"{name}: locked {versions.get(name, 'nowhere')}, installed {version}"
        for name, version in installed().items()
        if versions.get(name) != version
    ]
    sys.exit("\n".join(changed) or 0)
