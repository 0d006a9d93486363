"""Runs in their own processes into one output, with faults at chosen steps, and the result of an undisturbed run."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from child_process import die_with_parent
from contents import contents
from scipy import ndimage

from napari_s1omni.errors import StoreError
from napari_s1omni.execution.run.watch import status
from napari_s1omni.results.result import Result

SCRIPT = Path(__file__).with_name("fake_dask.py")
OPERATIONS = ("segmentation", "super_resolution")
SPECIAL = {(240, 336): 60000, (48, 48): 58000}


def make_image(path):
    """Blobs, and two special pixels that only one tile contains each: one shared by several blocks, one of a single block."""
    rng = np.random.default_rng(11)
    field = ndimage.gaussian_filter(rng.random((560, 740)), 5)
    pixels = (field > np.quantile(field, 0.7)) * 40000 + rng.integers(0, 9000, field.shape)
    for place, value in SPECIAL.items():
        pixels[place] = value
    np.save(path, pixels.astype("uint16"))
    return path


class Stage:
    """Runs in their own processes, all into one output."""

    def __init__(self, folder, image, operation):
        self.folder = folder
        self.image = image
        self.operation = operation
        self.output = folder / "out.zarr"
        self.processes = []
        folder.mkdir(exist_ok=True)

    def start(self, **settings):
        file = self.folder / f"settings-{len(self.processes)}.json"
        common = {"operation": self.operation, "source": str(self.image), "output": str(self.output)}
        file.write_text(json.dumps({**common, **settings}))
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(file)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        self.processes.append(process)
        return process

    def run(self, expected=0, timeout=280, **settings):
        process = self.start(**settings)
        _, said = process.communicate(timeout=timeout)
        assert process.returncode == expected, said
        return said

    def fault(self, step, number, **more):
        counting = self.folder / "counting"
        counting.mkdir(exist_ok=True)
        return {"step": step, "number": number, "folder": str(counting), **more}

    @property
    def victim(self):
        return int((self.folder / "counting" / "victim").read_text())

    def close(self):
        for process in self.processes:
            # The process group: this includes workers and nannies that are left over.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stderr.close()

    def wait_for(self, condition, seconds=120):
        """Wait until the status of the run meets a condition."""
        end = time.monotonic() + seconds
        found = None
        while time.monotonic() < end:
            try:
                found = status(self.output)
            except StoreError:
                found = None
            if found and condition(found):
                return found
            time.sleep(0.02)
        raise AssertionError(f"the status never came: {found}")

    @property
    def records(self):
        return Result.open(self.output).records


def whole_runs(folder, image):
    """Return the contents of undisturbed serial runs of the image, by operation."""
    known = {}
    for operation in OPERATIONS:
        stage = Stage(folder / operation, image, operation)
        stage.run(serial=True)
        assert len(Result.open(stage.output).plan.grid) >= 12
        known[operation] = contents(stage.output)
    return known


def assert_same(stage, undisturbed):
    found = contents(stage.output)
    expected = undisturbed[stage.operation]
    assert found.keys() == expected.keys()
    assert [key for key in found if found[key] != expected[key]] == []
