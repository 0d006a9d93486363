"""Panel: the live view of one job, an anywidget. Pixels travel through the comm channel, only those that are seen.

What all views share (status, form, forecast) are traits. What one view asks
for (a picture, the lattice, a thought) is a message ``{kind, view, ...}`` that
is answered with a message of the same kind to the same view.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets
from PIL import Image

from napari_s1omni.core.tiling import TilePlace
from napari_s1omni.errors import JobError, S1OmniError
from napari_s1omni.execution.pipeline.thought_keys import find_thought
from napari_s1omni.execution.run.status import describe_failure
from napari_s1omni.frontends.napari_layers.result_layers import GENERATED
from napari_s1omni.frontends.notebook.form_fields import fields, read_value
from napari_s1omni.frontends.notebook.slices import HEIGHT, WIDTH, ResultSlices, SourceSlices, View, encode
from napari_s1omni.frontends.notebook.static_repr import static_picture
from napari_s1omni.frontends.session.estimate import estimate_text
from napari_s1omni.frontends.session.preview.box import preview_box
from napari_s1omni.frontends.session.preview.events import PreviewEvent, PreviewFailed, PreviewProgress, PreviewResult
from napari_s1omni.frontends.session.run import Run
from napari_s1omni.frontends.views.tile_colours import COLOURS, QUANTITIES, Quantity
from napari_s1omni.jobs.prepare import Prepared

if TYPE_CHECKING:
    from napari_s1omni.frontends.notebook.running_job import RunningJob

_HERE = Path(__file__).parent


class Panel(anywidget.AnyWidget):
    """The panel of a job.

    Parameters
    ----------
    job : RunningJob
    """

    # One module for the browser: a second file could not be imported without a server.
    _esm = "".join((_HERE / name).read_text(encoding="utf-8") for name in ("parts.js", "panel.js"))
    _css = _HERE / "panel.css"

    title = traitlets.Unicode().tag(sync=True)
    """What is done, in one line."""
    status = traitlets.Dict().tag(sync=True)
    """State, tiles done and in all, seconds left, holes, error; ``tick`` grows with every change."""
    scene = traitlets.Dict().tag(sync=True)
    """Sizes of the axes, extent in px, the first view, and what the result is; empty before the image is open."""
    form = traitlets.List().tag(sync=True)
    """Fields of :func:`napari_s1omni.frontends.notebook.form_fields.fields`."""
    forecast = traitlets.Unicode().tag(sync=True)
    """What the job in the form will cost, or why it cannot run."""
    ready = traitlets.Bool(False).tag(sync=True)
    """Whether the job in the form can run."""
    preview = traitlets.Dict().tag(sync=True)
    """Words, tiles done and in all, and the region, of the last preview."""
    legend = traitlets.Dict().tag(sync=True)
    """State of a tile -> its colour, and by what tiles can be coloured."""
    still = traitlets.Unicode().tag(sync=True)
    """How it ended, as the address of a picture: what a page shows that has the state but no kernel."""

    def __init__(self, job: RunningJob) -> None:
        super().__init__()
        self._job = job
        self._run: Run | None = None
        self._slices: SourceSlices | None = None
        self._previewed: PreviewResult | None = None
        self._tick = 0
        self._newest: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        # One at a time: a view that was left already is then never drawn.
        self._worker = ThreadPoolExecutor(1, "panel")
        self.title = f"{job.job.operation.type.replace('_', ' ')} · {job.job.operation.prompt}"
        colours = {state: f"rgba({r},{g},{b},{a / 255:.2f})" for state, (r, g, b, a) in COLOURS.items()}
        self.legend = {"states": colours, "by": dict(QUANTITIES)}
        controller = job.controller
        self.form = fields(_written(job))
        controller.prepared_changed.connect(self._forecast)
        controller.document_changed.connect(self._show_form)
        controller.preview_changed.connect(self._answered)
        controller.run_added.connect(self._added)
        controller.failed.connect(self._failed)
        job.on_news(self._news)
        self.on_msg(self._received)
        if controller.prepared is not None:
            self._forecast(controller.prepared, estimate_text(controller.prepared, controller.empty_share))
        self._news()

    def receive(self, message: Mapping[str, Any]) -> None:
        """Do what a view asks for.

        Parameters
        ----------
        message : mapping
            ``kind`` is one of ``view``, ``grid``, ``trace`` (answered with a message), ``edit``,
            ``preview``, ``run``, ``pause``, ``resume`` and ``cancel``.
        """
        kind, of = str(message.get("kind")), str(message.get("view", ""))
        asked: dict[str, Callable[[Mapping[str, Any]], tuple[dict[str, Any], list[bytes]]]] = {
            "view": self._view,
            "grid": self._grid,
            "trace": self._trace,
        }
        if kind in asked:
            with self._lock:
                number = self._newest[of, kind] = self._newest.get((of, kind), 0) + 1
            self._worker.submit(self._answer, kind, of, number, partial(asked[kind], message))
            return
        orders: dict[str, Callable[[], None]] = {
            "edit": lambda: self._edit(str(message.get("path")), message.get("value")),
            "preview": lambda: self._preview(message),
            "run": lambda: self._job.controller.run(),
            "pause": lambda: self._shown().pause(True),
            "resume": self._resume,
            "cancel": self._cancel,
        }
        try:
            if kind not in orders:
                raise JobError(f"message {kind!r}", f"one of {', '.join([*asked, *orders])}")
            orders[kind]()
        except (S1OmniError, OSError) as error:
            found = describe_failure(error)
            self.send({"kind": "said", "view": of, "words": found.words})

    def _received(self, _: Any, message: Any, buffers: Any) -> None:
        if isinstance(message, dict):
            # Messages may come on a thread of their own; the controller lives on the loop.
            self._job.deliver(partial(self.receive, message))

    def _answer(self, kind: str, of: str, number: int, make: Callable[[], tuple[dict[str, Any], list[bytes]]]) -> None:
        with self._lock:
            if self._newest[of, kind] != number:
                return
        try:
            answer, buffers = make()
        except (S1OmniError, OSError, ValueError) as error:
            answer, buffers = {"kind": "said", "words": str(error)}, []
        message = {"kind": kind, **answer, "view": of}
        self._job.deliver(lambda: self.send(message, buffers))
        if kind == "view" and buffers:
            self._job.seen.set()

    def _view(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        if self._slices is None:
            return {"kind": "said", "words": "the image is not open yet"}, []
        view = self._slices.reachable(View.read(message))
        seen = self._slices.see(view)
        # What is made is shown with the intensities of the image.
        view = dataclasses.replace(view, low=seen.low, high=seen.high)
        answer: dict[str, Any] = {
            **{name: getattr(view, name) for name in ("y", "x", "zoom", "t", "c", "z")},
            "low": seen.low,
            "high": seen.high,
            "before": [*seen.y, *seen.x],
            "layers": [],
        }
        buffers = [seen.png]
        for name, made in self._made():
            if (drawn := made.see(view)) is not None:
                answer["layers"].append({"name": name, "box": [*drawn.y, *drawn.x], "kind": made.plan.target.kind})
                buffers.append(drawn.png)
        return answer, buffers

    def _made(self) -> list[tuple[str, ResultSlices]]:
        found = []
        if self._previewed is not None:
            return [("preview", ResultSlices(self._previewed.plan, [self._previewed.pixels]))]
        if self._run is not None:
            found.append(("result", ResultSlices(self._run.plan, self._run.pyramid.data)))
        return found

    def _grid(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        run = self._run
        if run is None:
            return {"rows": 0, "cols": 0}, []
        by: Quantity = next((name for name in QUANTITIES if name == message.get("by")), "state")
        cells = run.tiles.colour_image(by, int(message.get("z") or 0), int(message.get("t") or 0))
        grid = run.plan.grid
        rows, cols = run.tiles.cells
        about = {
            "rows": rows,
            "cols": cols,
            "box": [grid.y[0], grid.y[0] + rows * grid.step, grid.x[0], grid.x[0] + cols * grid.step],
            "counts": run.tiles.counts(),
        }
        return about, [encode(Image.fromarray(cells))]

    def _trace(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        run, preview = self._run, self._previewed
        y, x = float(message.get("y") or 0), float(message.get("x") or 0)
        z, t = int(message.get("z") or 0), int(message.get("t") or 0)
        plan = preview.plan if preview is not None else run.plan if run is not None else None
        if plan is None:
            return {"sentence": "no tile was drawn yet"}, []
        grid = plan.grid
        if not (grid.y[0] <= y < grid.y[1] and grid.x[0] <= x < grid.x[1]):
            return {"sentence": "outside of the region"}, []
        row, col = (min(int(v // grid.step), n - 1) for v, n in zip((y, x), grid.lattice, strict=True))
        cell: list[int] = []
        for at, n, size in zip((row, col), grid.lattice, grid.extent, strict=True):
            # The last tile of an axis reaches to the image's edge.
            cell += [at * grid.step, size if at == n - 1 else (at + 1) * grid.step]
        words, found = f"tile {row}/{col} of the preview", None
        if preview is not None:
            found = find_thought(plan, preview.thoughts, TilePlace(t, z, 0, row, col))
        elif run is not None and (info := run.tiles.at(y, x, z, t)) is not None:
            words, found = info.summary(), run.thoughts.of_tile(info.place)
        answer = {"sentence": words, "box": cell}
        if found is not None:
            key, thought = found
            answer["sentence"] = " ".join(part for part in (words, thought.remark) if part)
            answer |= {"key": key, "trace": thought.trace or thought.text, "answer": thought.answer}
        return answer, []

    def _edit(self, path: str, value: Any) -> None:
        controller = self._job.controller
        field = next((f for f in self.form if f["path"] == path), None)
        if field is None:
            raise JobError(f"field {path!r}", "a field of the form")
        if path == "operation.type":
            controller.choose_operation(str(value))
        else:
            controller.edit(path, read_value(field, value))
        self.ready = False
        self.forecast = "planning ..."

    def _preview(self, message: Mapping[str, Any]) -> None:
        controller = self._job.controller
        if controller.prepared is None:
            raise JobError("there is no plan yet", remedy="wait for the forecast, or correct what it says")
        if message.get("off"):
            self._previewed, self.preview = None, {}
            self._changed()
            return
        view = View.read(message)
        grid = controller.prepared.plan.grid
        half = view.height / view.zoom / 2, view.width / view.zoom / 2
        spans = {
            "y": (view.y - half[0], view.y + half[0]),
            "x": (view.x - half[1], view.x + half[1]),
            "z": (view.z, view.z + 1),
            "t": (view.t, view.t + 1),
        }
        box = preview_box(grid, spans)
        self.preview = {"words": "starting", "done": 0, "total": 0}
        controller.show_preview(box.model_dump(mode="json"))

    def _answered(self, answer: PreviewEvent) -> None:
        match answer:
            case PreviewProgress():
                self.preview = {"words": answer.message, "done": answer.done, "total": answer.total}
            case PreviewFailed():
                self.preview = {"words": answer.failure.words, "failed": True}
            case PreviewResult():
                self._previewed = answer
                grid = answer.plan.grid
                words = f"preview, {answer.seconds:.1f} s"
                self.preview = {"words": words, "shown": True, "box": [*grid.y, *grid.x], "errors": list(answer.errors)}
                self._changed()

    def _resume(self) -> None:
        run = self._shown()
        if run is self._job.run:
            self._job.resume()
        elif run.alive:
            run.pause(False)
        else:
            run.start(self._job.controller.python)

    def _cancel(self) -> None:
        if self._run is None or self._run is self._job.run:
            self._job.cancel()
        else:
            self._run.cancel()

    def _shown(self) -> Run:
        if self._run is None:
            raise JobError("the run has not begun", remedy="wait a moment and try again")
        return self._run

    def _added(self, run: Run) -> None:
        """Show a run that was started from the form."""
        self._run, self._previewed, self.preview = run, None, {}
        run.changed.connect(self._of_run)
        run.ended.connect(self._of_run)
        self._describe()
        self._changed()

    def _of_run(self, run: Run) -> None:
        if run is self._run:
            self._changed()

    def _news(self) -> None:
        if self._run is None:
            self._run = self._job.run
        if self._job.source is not None and self._slices is None:
            self._slices = SourceSlices(self._job.source)
        self._describe()
        if self._run is self._job.run:
            self._changed()

    def _describe(self) -> None:
        if self._slices is None:
            return
        spec, start = self._slices.spec, self._slices.start()
        plan = self._run.plan if self._run is not None else None
        self.scene = {
            "sizes": {a: spec.size(a) for a in "tcz" if spec.size(a) > 1 and not (a == "c" and spec.rgb)},
            "channels": list(spec.channel_names),
            "extent": [spec.size("y"), spec.size("x")],
            "bytes": spec.nbytes,
            "start": {"y": start.y, "x": start.x, "zoom": start.zoom, "z": start.z},
            "screen": [WIDTH, HEIGHT],
            "result": None if plan is None else plan.target.kind,
            "output": str(self._run.path) if self._run is not None else str(self._job.path),
            "mark": GENERATED if plan and plan.generated else "",
            "step": None if plan is None else plan.grid.step,
        }

    def _changed(self) -> None:
        now = self._run.status if self._run is not None and self._run is not self._job.run else self._job.status
        self._tick += 1
        self.status = {
            "tick": self._tick,
            "state": now.state.value,
            "done": now.tiles_done,
            "total": now.tiles_total,
            "eta": now.eta,
            "rate": now.rate,
            "holes": now.holes,
            "alive": now.alive,
            "resumable": now.resumable,
            "error": now.error.words if now.error else "",
        }
        if not now.alive and not self.still:
            self._worker.submit(self._keep)

    def _keep(self) -> None:
        with contextlib.suppress(S1OmniError, OSError):
            png = static_picture(self._job)
            address = "" if png is None else f"data:image/png;base64,{base64.b64encode(png).decode()}"
            self._job.deliver(partial(setattr, self, "still", address))

    def _forecast(self, prepared: Prepared | None, words: str) -> None:
        self.forecast, self.ready = words, prepared is not None

    def _show_form(self, document: dict[str, Any]) -> None:
        self.form = fields(document)

    def _failed(self, found: Any) -> None:
        self.send({"kind": "said", "words": found.words})


def _written(job: RunningJob) -> dict[str, Any]:
    """Return what the form shows: the controller's document, or the job before the controller has it."""
    document = job.controller.document
    return document if job.controller.source is not None else job.job.model_dump(mode="json")
