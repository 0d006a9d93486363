"""Folders that tests of all parts need."""

import gc
import os
import subprocess
import tempfile

import pytest

# Modules and fixtures make many objects and little garbage.
gc.set_threshold(50_000, 20, 50)
# Runs share the processors with other tests, not with somebody who looks at a window.
os.environ.setdefault("S1OMNI_NICENESS", "0")
# What is tested of tiles, blocks and runs is the same with the engine that needs no weights; tests of an engine name it.
os.environ.setdefault("S1OMNI_AUTO", "reference")
# Runs of tests teach no forecast of the user, and are not in the user's list.
os.environ.setdefault("S1OMNI_CACHE", tempfile.mkdtemp(prefix="s1omni-tests-"))


def _mounted(folder, options):
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting a tmpfs is not allowed here: {done.stderr.strip()}")
    return folder


@pytest.fixture
def read_only_share(tmp_path):
    """A folder to which not even root can write."""
    folder = _mounted(tmp_path / "read-only share", "ro")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def small_share(tmp_path):
    """A folder that holds one megabyte."""
    folder = _mounted(tmp_path / "small share", "size=1m")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


_LONGEST = (
    "workflows",
    "frontends/notebook/test_notebooks",
    "frontends/dock/test_runs",
    "training/test_resuming",
    "frontends/notebook/test_in_browser",
    "execution/executors/test_faults",
    "evaluation",
)
"""Where the longest files lie. They are dealt out first, so that no process is left alone with one in the end."""


def pytest_collection_modifyitems(items):
    def rank(item):
        found = (i for i, name in enumerate(_LONGEST) if f"tests/{name}" in item.nodeid)
        return next(found, len(_LONGEST))

    items.sort(key=rank)


def pytest_collection_finish():
    # Modules stay: collecting garbage need not look through them again and again.
    gc.collect()
    gc.freeze()
