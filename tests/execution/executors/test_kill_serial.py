"""A real SIGKILL at any step: the same command run again gives the same bytes."""

import functools
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from contents import contents
from scipy import ndimage

from napari_s1omni.results.result import Result

SCRIPT = Path(__file__).parents[1] / "fake_run.py"


def run(*arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        env=environment,
    )


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """Touching and lonely blobs, some of them on block faces; odd size."""
    path = tmp_path_factory.mktemp("image") / "blobs.npy"
    rng = np.random.default_rng(11)
    field = ndimage.gaussian_filter(rng.random((301, 2053)), 5)
    np.save(path, ((field > np.quantile(field, 0.7)) * 40000 + rng.integers(0, 9000, field.shape)).astype("uint16"))
    return path


@pytest.fixture(scope="module")
def undisturbed(image, tmp_path_factory):
    """By operation: what a run makes that nobody kills, and the tiles that it draws."""

    @functools.cache
    def whole(operation):
        output = tmp_path_factory.mktemp("whole") / "out.zarr"
        done = run(operation, image, output)
        assert done.returncode == 0, done.stderr
        result = Result.open(output)
        assert len(result.plan.grid) >= 12
        assert len(result.levels) >= 4
        return contents(output), int(done.stdout.split()[1])

    return whole


STEPS = [("read", 12), ("think", 40), ("generate", 40), ("temp", 24), ("renamed", 24), ("journal", 4), ("temp", "late")]
QUICK = {("segmentation", "generate"), ("super_resolution", "renamed")}
"""In the middle of a tile and of a commit; `--all` kills both operations at all steps."""


@pytest.mark.parametrize(
    ("operation", "step", "number"),
    [
        pytest.param(o, s, n, id=f"{o}-{s}-{n}", marks=[] if QUICK & {(o, s), (o, s, n)} else pytest.mark.slow)
        for o in ("segmentation", "super_resolution")
        for s, n in STEPS
    ],
)
def test_killed_anywhere_and_run_again(undisturbed, image, tmp_path, operation, step, number):
    expected, drawn = undisturbed(operation)
    output = tmp_path / "out.zarr"
    if number == "late":  # in the pass that joins labels; the last block of an image
        number = {"segmentation": 95, "super_resolution": 59}[operation]
    killed = run(operation, image, output, step, number)
    if killed.returncode == 0:
        pytest.fail(f"{step} {number} was never reached")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = run(operation, image, output)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[1]) < drawn, "finished blocks were run again"
    assert contents(output) == expected
    # Of what the killed run drew, only the tiles of blocks in hand are drawn again.
    times = Counter(output.with_name("drawn.txt").read_text().splitlines())
    grid = Result.open(output).plan.grid
    assert len(times) == drawn, "each tile once without a kill"
    assert sum(times.values()) - len(times) <= 2 * max(sum(1 for _ in grid.tiles(block)) for block in grid)
