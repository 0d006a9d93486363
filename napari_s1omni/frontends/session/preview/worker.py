"""The preview process: reads requests as lines of JSON from its standard input and writes events as lines of JSON.

``python -m napari_s1omni.frontends.session.preview.worker`` is started by
:class:`~napari_s1omni.frontends.session.preview.client.PreviewClient` and ends with its standard input. It keeps the
engine and the sources, and passes pixels in ``.npy`` files. A newer request replaces an older one.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from napari_s1omni.engine.protocol import Engine
from napari_s1omni.engine.registry import create_engine
from napari_s1omni.execution.run.preview import run_preview
from napari_s1omni.execution.run.status import describe_failure
from napari_s1omni.jobs.prepare import MeasuredSource, measure_source, prepare
from napari_s1omni.planning.job import Job

_SOURCES = 4
"""Number of sources whose measurements are kept."""


class _Superseded(Exception):
    """A newer request is waiting."""


class PreviewWorker:
    """Computes previews one after the other.

    Parameters
    ----------
    output : TextIO
        Where events are written.
    """

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._newest = 0
        self._seen: dict[str, MeasuredSource] = {}
        self._engine: tuple[str, Engine] | None = None

    def send(self, **message: Any) -> None:
        """Write one event."""
        self._output.write(json.dumps(message) + "\n")
        self._output.flush()

    def announce(self, request: dict[str, Any]) -> None:
        """Let a new request stop the current one; called from the reading thread."""
        self._newest = request["id"]

    def handle(self, request: dict[str, Any]) -> None:
        """Compute one preview; an error becomes an event."""
        number = request["id"]
        try:
            self._check(number)
            job = Job.read(request["job"], "the job of the preview")
            self._run(number, job, Path(request["pixels"]))
        except _Superseded:
            self.send(id=number, event="superseded")
        except Exception as error:  # every error is an event: the process must survive it
            found = describe_failure(error)
            self.send(id=number, event="failed", kind=found.kind, message=found.message, remedy=found.remedy)

    def _run(self, number: int, job: Job, pixels: Path) -> None:
        started = time.perf_counter()
        key = job.source.model_dump_json()
        if key not in self._seen:
            self._seen = {**dict(list(self._seen.items())[1 - _SOURCES :]), key: measure_source(job.source)}
        prepared = prepare(job, seen=self._seen[key])
        self._check(number)
        name = prepared.plan.engine.name
        wanted = job.engine if job.engine != "auto" else name
        if self._engine is None or self._engine[0] != wanted:
            self.send(id=number, event="loading", engine=name)
            if self._engine is not None:
                self._engine[1].close()
                self._engine = None
            self._engine = (wanted, create_engine(wanted))
        self.send(id=number, event="ready", engine=name, tiles=prepared.cost.tiles_computed)
        ready = time.perf_counter()
        done = 0

        def on_tiles(count: int, seconds: float) -> None:
            nonlocal done
            done += count
            self._check(number)
            self.send(id=number, event="tiles", done=done, seconds=time.perf_counter() - ready)

        result = run_preview(prepared.plan, prepared.source, self._engine[1], on_tiles=on_tiles)
        np.save(pixels, result.pixels, allow_pickle=False)
        self.send(
            id=number,
            event="done",
            plan=result.plan.to_json(),
            thoughts={
                key: {
                    "text": thought.text,
                    "prompt": thought.prompt,
                    "runaway": thought.runaway,
                    "margin": thought.margin,
                }
                for key, thought in result.thoughts.items()
            },
            errors=[r.error for r in result.records if r.error],
            seconds=time.perf_counter() - started,
            rate=(time.perf_counter() - ready) / done if done else None,
        )

    def _check(self, number: int) -> None:
        if self._newest > number:
            raise _Superseded


def main() -> None:
    """Handle the requests of standard input until it ends."""
    # What libraries print must not mix with the events.
    output, sys.stdout = sys.stdout, sys.stderr
    worker = PreviewWorker(output)
    waiting: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            request = json.loads(line)
            worker.announce(request)
            waiting.put(request)
        waiting.put(None)

    threading.Thread(target=read, name="requests", daemon=True).start()
    worker.send(id=0, event="started")
    while (request := waiting.get()) is not None:
        worker.handle(request)


if __name__ == "__main__":
    main()
