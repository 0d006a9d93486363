"""Batches measured: what many small images cost beyond running each of them with a warm engine."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_s1omni.jobs import run as api
from napari_s1omni.jobs.batch import WarmEngine, jobs, run_batch
from napari_s1omni.planning.job import Job
from napari_s1omni.storage.collections import CollectionEntry, list_sources
from napari_s1omni.storage.source import open_source

_JOB = {"source": "images", "operation": {"type": "segmentation", "prompt": "segment the nuclei, about 20 px"}}


@dataclass(frozen=True, slots=True)
class BatchReport:
    """Seconds on the clock; of several rounds the fastest, since other work on a machine only ever adds to it."""

    images: int
    warm: float
    """One image with an engine that is loaded: the median over all images of a round."""
    batch: float
    """All of them as one batch, the loading of the engine included."""
    command: float
    """All of them by ``s1omni run``, the start of Python included."""

    @property
    def ratio(self) -> float:
        """The batch over as many times one warm image."""
        return self.batch / (self.images * self.warm)

    @property
    def command_ratio(self) -> float:
        """The same for the command."""
        return self.command / (self.images * self.warm)


def measure(images: int = 50, edge: int = 256, engine: str = "reference", rounds: int = 2) -> BatchReport:
    """Run the same small images one by one and as a batch, in turns.

    Parameters
    ----------
    images : int
    edge : int
        Of each image, in px.
    engine : str
    rounds : int
    """
    with tempfile.TemporaryDirectory(prefix="s1omni-bench-") as name:
        home = Path(name)
        (home / "images").mkdir()
        for i in range(images):
            scene = open_source(f"synthetic://nuclei?shape={edge},{edge}&seed={i}&diameter=20")
            np.save(home / "images" / f"{i:04}.npy", scene.read().squeeze())
        template = Job.read({**_JOB, "engine": engine})
        seconds = [_round(template, home / "images", home / str(i)) for i in range(rounds)]
        return BatchReport(images, *(min(column) for column in zip(*seconds, strict=True)))


def _round(template: Job, images: Path, home: Path) -> tuple[float, float, float]:
    """Seconds of one image, of the batch, and of the command."""
    entries = list_sources(images)
    warm = _one_by_one(template, entries, home / "single")
    start = time.perf_counter()
    run_batch(template, entries, home / "batch")
    batch = time.perf_counter() - start
    file = home / "job.json"
    file.write_text(json.dumps(template.model_dump(mode="json")), encoding="utf-8")
    words: list[str | Path] = ["run", file, "--source", images, "--output", home / "command", "--quiet"]
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "napari_s1omni", *words], check=True, stdout=subprocess.DEVNULL)
    return statistics.median(warm), batch, time.perf_counter() - start


def _one_by_one(template: Job, entries: list[CollectionEntry], folder: Path) -> list[float]:
    seconds: list[float] = []
    with WarmEngine() as engines:
        todo = [job for _, job in jobs(template, entries, folder) if isinstance(job, Job)]
        # The first loads the engine and everything that is imported on the way.
        api.run(todo[0].replace(output=str(folder / "first.zarr")), engines=engines.get)
        for job in todo:
            start = time.perf_counter()
            api.run(job, engines=engines.get)
            seconds.append(time.perf_counter() - start)
    return seconds
