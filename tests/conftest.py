"""Folders that tests of all parts need."""

import gc
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

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


@pytest.fixture
def scans(tmp_path, monkeypatch):
    """Installs the format of ``scan_reader``, as a package that registers it would; returns a function that writes."""
    from napari_s1omni.storage.readers import formats

    site = tmp_path / "site"
    described = site / "scan_reader-1.0.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: scan-reader\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(f"[{formats.GROUP}]\nscan = scan_reader\n")
    shutil.copy(Path(__file__).with_name("scan_reader.py"), site)
    monkeypatch.syspath_prepend(site)
    package = str(Path(formats.__file__).parents[3])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), package, os.environ.get("PYTHONPATH", "")]))
    formats.formats.cache_clear()
    from scan_reader import write_scan

    yield write_scan
    formats.formats.cache_clear()


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
