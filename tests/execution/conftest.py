"""Shared by the tests of faults: an image, the results of undisturbed runs, and a stage for disturbed ones."""

import subprocess

import pytest
from stage import Stage, make_image, whole_runs


@pytest.fixture(scope="session")
def blobs(tmp_path_factory):
    """The image of every stage."""
    return make_image(tmp_path_factory.mktemp("image") / "blobs.npy")


@pytest.fixture(scope="session")
def undisturbed(blobs, tmp_path_factory):
    """Contents of the undisturbed serial run, per operation."""
    return whole_runs(tmp_path_factory.mktemp("whole"), blobs)


@pytest.fixture
def stage(request, tmp_path, blobs):
    """A stage for the requested operation, by default segmentation."""
    made = Stage(tmp_path, blobs, getattr(request, "param", "segmentation"))
    yield made
    made.close()


@pytest.fixture
def small_disk(tmp_path):
    """A separate file system with 12 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting a tmpfs is not allowed here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
