"""Overhead of a batch: many small images in one batch, compared with one run per image on a loaded engine."""

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

from napari_s1omni.jobs.batch import run_batch
from napari_s1omni.jobs.batch_entries import batch_jobs
from napari_s1omni.jobs.engine_cache import EngineCache
from napari_s1omni.jobs.run import run
from napari_s1omni.planning.job import Job
from napari_s1omni.storage.collections import CollectionEntry, list_sources
from napari_s1omni.storage.source import open_source

_JOB = {"source": "images", "operation": {"type": "segmentation", "prompt": "segment the nuclei, about 20 px"}}


@dataclass(frozen=True, slots=True)
class BatchReport:
    """Wall-clock seconds of the fastest of several rounds, since other work on the machine only slows a round down."""

    images: int
    warm: float
    """One image with a loaded engine: the median over all images of a round."""
    batch: float
    """All images as one batch, including loading the engine."""
    command: float
    """All images with ``s1omni run``, including the start of Python."""

    @property
    def ratio(self) -> float:
        """Time of the batch over the time of as many single images."""
        return self.batch / (self.images * self.warm)

    @property
    def command_ratio(self) -> float:
        """Time of the command over the time of as many single images."""
        return self.command / (self.images * self.warm)


def measure(images: int = 50, edge: int = 256, engine: str = "reference", rounds: int = 2) -> BatchReport:
    """Run the same small images one by one, as a batch, and with the command.

    Parameters
    ----------
    images : int
    edge : int
        Edge of an image in pixels.
    engine : str
    rounds : int
        Repetitions; only the fastest counts.
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
    """Return the seconds of one image, of the batch, and of the command."""
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
    """Return the seconds of each image on one loaded engine."""
    seconds: list[float] = []
    with EngineCache() as engines:
        todo = [job for _, job in batch_jobs(template, entries, folder) if isinstance(job, Job)]
        # The first run loads the engine and its imports.
        run(todo[0].replace(output=str(folder / "first.zarr")), engines=engines.get)
        for job in todo:
            start = time.perf_counter()
            run(job, engines=engines.get)
            seconds.append(time.perf_counter() - start)
    return seconds
