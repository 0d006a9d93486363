"""The process of a surface that keeps an engine loaded: it draws previews, and may turn into a run.

``python -m napari_s1omni.frontends.session.preview.worker`` is started by
:class:`~napari_s1omni.frontends.session.preview.client.PreviewClient`. It reads requests as lines of JSON from its
standard input, writes events as lines of JSON, and passes pixels in ``.npy`` files. A newer request replaces an older
one. It ends with its standard input, or with the run that was given to it, which outlives the viewer that asked for it.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from napari_s1omni.engine.protocol import Engine
from napari_s1omni.engine.registry import create_engine
from napari_s1omni.execution.run.order import Order
from napari_s1omni.execution.run.preview import Preview, run_preview
from napari_s1omni.execution.run.status import describe_failure
from napari_s1omni.execution.run.tile_times import learn
from napari_s1omni.frontends.session.preview.drawn_tiles import DrawnTiles
from napari_s1omni.frontends.session.preview.given_order import draw_ahead, execute
from napari_s1omni.jobs.prepare import MeasuredSource, measure_source, prepare
from napari_s1omni.planning.job import Job

_SOURCES = 4
"""Number of sources whose measurements are kept."""


class _Superseded(Exception):
    """A newer request is waiting."""


class PreviewWorker:
    """Handles requests one after the other with one loaded engine.

    Parameters
    ----------
    output : TextIO
        Where events are written.
    """

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._newest = 0
        self._seen: dict[str, MeasuredSource] = {}
        self._loaded: tuple[str, Engine, DrawnTiles] | None = None

    def send(self, **message: Any) -> None:
        """Write one event; a process that has become a run has nobody to tell."""
        if self._output.closed:
            return
        self._output.write(json.dumps(message) + "\n")
        self._output.flush()

    def announce(self, request: dict[str, Any]) -> None:
        """Let a new request stop the current one; called from the reading thread."""
        self._newest = request["id"]

    def handle(self, request: dict[str, Any]) -> None:
        """Do what one request asks for; an error becomes an event."""
        number = request["id"]
        try:
            self._check(number)
            match request:
                case {"job": job, "pixels": pixels}:
                    self._preview(number, Job.read(job, "the job of the preview"), Path(pixels))
                case {"load": name}:
                    self._engine(number, name)
                case {"ahead": order}:
                    self._draw_ahead(number, Order.from_json(order))
                case {"order": order}:
                    self._execute(Order.from_json(order), Path(request["log"]), request["folder"])
        except _Superseded:
            self.send(id=number, event="superseded")
        except Exception as error:  # every error is an event: the process must survive it
            found = describe_failure(error)
            self.send(id=number, event="failed", kind=found.kind, message=found.message, remedy=found.remedy)

    def _preview(self, number: int, job: Job, pixels: Path) -> None:
        started = time.perf_counter()
        key = job.source.model_dump_json()
        if key not in self._seen:
            self._seen = {**dict(list(self._seen.items())[1 - _SOURCES :]), key: measure_source(job.source)}
        prepared = prepare(job, seen=self._seen[key])
        self._check(number)
        name = prepared.plan.engine.name
        warm = self._loaded is not None and self._loaded[0] == name
        engine = self._engine(number, name)
        self.send(id=number, event="ready", engine=name)
        drawn, seconds = engine.drawn, engine.seconds

        def on_part(part: Preview) -> None:
            self._check(number)
            file = pixels.with_suffix(f".{part.done}.npy")
            np.save(file, part.pixels, allow_pickle=False)
            self.send(id=number, event="part", done=part.done, tiles=part.tiles, file=str(file), **_facts(part))

        result = run_preview(prepared.plan, prepared.source, engine, on_part=on_part)
        # Tiles from the memory of the engine took no time and tell nothing; an engine that was just loaded warms up.
        if warm and engine.drawn > drawn:
            learn(prepared.plan, (engine.seconds - seconds) / (engine.drawn - drawn), engine.drawn - drawn)
        np.save(pixels, result.pixels, allow_pickle=False)
        self.send(
            id=number,
            event="done",
            file=str(pixels),
            errors=[r.error for r in result.records if r.error],
            seconds=time.perf_counter() - started,
            **_facts(result),
        )

    def _draw_ahead(self, number: int, order: Order) -> None:
        """Draw the tiles that accepting a tried tile will need, until another request comes."""
        if self._loaded is not None:
            name, _, drawn = self._loaded
            draw_ahead(order, name, drawn, lambda: self._check(number))
        self.send(id=number, event="ahead")

    def _execute(self, order: Order, log: Path, folder: str) -> None:
        """Become the process of a run: write to its log, tell nobody else, and end with it."""
        file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        for descriptor in (1, 2):
            os.dup2(file, descriptor)
        self._output.close()
        os.chdir(folder)
        sys.exit(execute(order, lambda name: self._engine(self._newest, name), self._seen))

    def _engine(self, number: int, name: str) -> DrawnTiles:
        """Return an engine, loaded now in place of another one unless it is there; closing it does nothing."""
        if self._loaded is None or self._loaded[0] != name:
            self.send(id=number, event="loading", engine=name)
            if self._loaded is not None:
                # Before the next one is loaded: there may be memory for one only.
                self._loaded[1].close()
                self._loaded = None
            engine = create_engine(name)
            self._loaded = name, engine, DrawnTiles(engine)
        self.send(id=number, event="loaded", engine=name)
        return self._loaded[2]

    def _check(self, number: int) -> None:
        if self._newest > number:
            raise _Superseded


def _facts(preview: Preview) -> dict[str, Any]:
    thoughts = preview.thoughts.items()
    return {
        "plan": preview.plan.to_json(),
        "thoughts": {
            key: {"text": t.text, "prompt": t.prompt, "runaway": t.runaway, "margin": t.margin} for key, t in thoughts
        },
    }


def main() -> None:
    """Handle the requests of standard input until it ends."""
    # What libraries print must not mix with the events.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
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
