"""Run a plan with the fake engine in its own process, which may kill itself at a given step.

Usage: fake_run.py OPERATION SOURCE.npy OUTPUT [STEP NUMBER]
"""

import os
import signal
import sys
from pathlib import Path

from napari_s1omni.execution.executors.serial import run_serial
from napari_s1omni.jobs.options import make_job
from napari_s1omni.planning.resolve import resolve
from napari_s1omni.storage.normalization_estimate import estimate_normalization
from napari_s1omni.storage.source import open_source
from napari_s1omni.testing.fake_engine import FakeEngine

SMALL = {"tile_size": 96, "overlap": 32, "block_size": 256, "prompt": "objects of about 12 px"}


class LoggedEngine(FakeEngine):
    """Notes each tile that it draws in a file, which outlives a kill."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self._log = log

    def generate(self, images, thoughts, sampling, noise):
        drawn = super().generate(images, thoughts, sampling, noise)
        with self._log.open("a") as file:
            file.writelines(f"{field.plane} {field.origin}\n" for field in noise)
        return drawn


def main(operation: str, uri: str, output: str, step: str = "", number: str = "0") -> None:
    count = 0

    def on_step(name: str) -> None:
        nonlocal count
        count += name == step
        if name == step and count == int(number):
            os.kill(os.getpid(), signal.SIGKILL)

    engine = LoggedEngine(Path(output).with_name("drawn.txt"))
    job, _ = make_job(operation, uri, output, options=SMALL)
    source = open_source(uri)
    plan = resolve(job, source.spec, estimate_normalization(source), engine.description, source.fingerprint())
    run_serial(plan, source, Path(output), engine=lambda: engine, on_step=on_step)
    print(f"drawn {engine.drawn}")


if __name__ == "__main__":
    main(*sys.argv[1:])
