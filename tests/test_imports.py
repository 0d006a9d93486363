"""Importing the package, asking for help and resolving a plan stay light."""

import json
import resource
import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "diffusers", "napari", "qtpy", "dask", "distributed", "pandas")


def loaded_by(code: str) -> tuple[set[str], float]:
    """Heavy modules that a fresh interpreter has after `code`, and the seconds that `code` took.

    Seconds of its own work: what else the machine does must not fail a budget.
    """
    program = (
        "import json, sys, time\nstart = time.process_time()\n"
        f"{code}\n"
        "seconds = time.process_time() - start\n"
        f"print(json.dumps([sorted(set({HEAVY!r}) & set(sys.modules)), seconds]), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    heavy, seconds = json.loads(done.stderr.splitlines()[-1])
    return set(heavy), seconds


PLAN = """
import numpy as np
from napari_s1omni.jobs.options import make_job
from napari_s1omni.jobs.prepare import prepare
job, array = make_job("segmentation", np.random.default_rng(0).random((64, 64)))
assert prepare(job, array).plan.engine.name
"""
HELP = """
import sys
from napari_s1omni.frontends.cli.main import main
sys.stdout = sys.stderr
try:
    main({words!r})
except SystemExit as end:
    assert end.code == 0
"""


@pytest.mark.parametrize(
    "code",
    [
        "import napari_s1omni",
        PLAN,
        *(HELP.format(words=words) for words in (["--help"], ["segment", "--help"], ["engines"])),
    ],
    ids=["import", "plan", "help", "segment-help", "engines"],
)
def test_nothing_heavy_is_loaded(code):
    heavy, _ = loaded_by(code)
    assert heavy == set()


def test_importing_is_fast():
    assert min(loaded_by("import napari_s1omni")[1] for _ in range(3)) < 0.3


def test_help_is_fast():
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "napari_s1omni", "--help"], capture_output=True, text=True, timeout=60
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert "segment" in done.stdout
    assert min(seconds) < 1.0


def test_public_names_are_there():
    import napari_s1omni

    assert sorted(napari_s1omni.__all__) == sorted(napari_s1omni._MODULES)
    for name in napari_s1omni.__all__:
        assert getattr(napari_s1omni, name) is not None
    assert set(napari_s1omni.__all__) <= set(dir(napari_s1omni))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        napari_s1omni.nothing  # noqa: B018  # reading it is the test
