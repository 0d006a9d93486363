"""The helper process of previews: reads requests as lines of JSON, keeps engine and source warm, answers in lines.

``python -m napari_s1omni.frontends.session.preview_worker`` is started once by
:class:`napari_s1omni.frontends.session.preview_client.PreviewClient` and ends when its standard
input does. Pixels travel in ``.npy`` files. A newer request replaces an older one.
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

from napari_s1omni.engine.protocol import Engine, Thought
from napari_s1omni.engine.registry import create_engine
from napari_s1omni.execution.run.preview import MemoryThoughts, run_preview
from napari_s1omni.execution.run.status import describe_failure
from napari_s1omni.jobs.prepare import MeasuredSource, measure_source, prepare
from napari_s1omni.planning.job import Job

_SOURCES = 4
"""Sources whose measurements are kept."""


class _Superseded(Exception):
    """A newer request waits."""


class Worker:
    """Answers requests one after the other.

    Parameters
    ----------
    answers : TextIO
        Where lines are written.
    """

    def __init__(self, answers: TextIO) -> None:
        self._answers = answers
        self._newest = 0
        self._seen: dict[str, MeasuredSource] = {}
        self._engine: tuple[str, Engine] | None = None

    def tell(self, **message: Any) -> None:
        """Write one line."""
        self._answers.write(json.dumps(message) + "\n")
        self._answers.flush()

    def note(self, request: dict[str, Any]) -> None:
        """Take note of a request that arrived, from the thread that reads."""
        self._newest = request["id"]

    def answer(self, request: dict[str, Any]) -> None:
        """Run one request; errors become an answer of their own."""
        number = request["id"]
        try:
            self._check(number)
            job = Job.read(request["job"], "the job of the preview")
            self._run(number, job, Path(request["pixels"]), request.get("thoughts") or {})
        except _Superseded:
            self.tell(id=number, event="superseded")
        except Exception as error:  # every error is an answer: the helper must outlive it
            found = describe_failure(error)
            self.tell(id=number, event="failed", kind=found.kind, message=found.message, remedy=found.remedy)

    def _run(self, number: int, job: Job, pixels: Path, given: dict[str, str]) -> None:
        started = time.perf_counter()
        key = job.source.model_dump_json()
        if key not in self._seen:
            self._seen = {**dict(list(self._seen.items())[1 - _SOURCES :]), key: measure_source(job.source)}
        prepared = prepare(job, seen=self._seen[key])
        self._check(number)
        name = prepared.plan.engine.name
        wanted = job.engine if job.engine != "auto" else name
        if self._engine is None or self._engine[0] != wanted:
            self.tell(id=number, event="loading", engine=name)
            if self._engine is not None:
                self._engine[1].close()
                self._engine = None
            self._engine = (wanted, create_engine(wanted))
        self.tell(id=number, event="ready", engine=name, tiles=prepared.cost.tiles_computed)
        ready = time.perf_counter()
        done = 0

        def on_tiles(count: int, seconds: float) -> None:
            nonlocal done
            done += count
            self._check(number)
            self.tell(id=number, event="tiles", done=done, seconds=time.perf_counter() - ready)

        thoughts = MemoryThoughts({k: Thought(text, route=None) for k, text in given.items()})
        made = run_preview(prepared.plan, prepared.source, self._engine[1], thoughts=thoughts, on_tiles=on_tiles)
        np.save(pixels, made.pixels, allow_pickle=False)
        self.tell(
            id=number,
            event="done",
            plan=made.plan.to_json(),
            thoughts={
                key: {"text": thought.text, "prompt": thought.prompt, "runaway": thought.runaway}
                for key, thought in made.thoughts.items()
            },
            errors=[r.message for r in made.records if r.message],
            seconds=time.perf_counter() - started,
            rate=(time.perf_counter() - ready) / done if done else None,
        )

    def _check(self, number: int) -> None:
        if self._newest > number:
            raise _Superseded


def main() -> None:
    """Answer the lines of standard input until it ends."""
    # What libraries print must not run into the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    worker = Worker(answers)
    waiting: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            request = json.loads(line)
            worker.note(request)
            waiting.put(request)
        waiting.put(None)

    threading.Thread(target=read, name="requests", daemon=True).start()
    worker.tell(id=0, event="started")
    while (request := waiting.get()) is not None:
        worker.answer(request)


if __name__ == "__main__":
    main()
