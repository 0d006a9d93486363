"""The live panel of a job, an anywidget. Only visible pixels are sent to the browser.

State that all views share (status, form, estimate) is a trait. A request of
one view (a picture, the tiles, a thought) is a message ``{kind, view, ...}``,
answered by a message of the same kind to the same view.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from napari_s1omni.core.paths import full_path, join_reference, name_in
from napari_s1omni.errors import JobError, S1OmniError, SeveralImages, StoreExists
from napari_s1omni.execution.run.status import describe_failure
from napari_s1omni.frontends.napari_layers.result_layers import GENERATED
from napari_s1omni.frontends.notebook.form_fields import form_fields, read_value
from napari_s1omni.frontends.notebook.job_session import JobSession
from napari_s1omni.frontends.notebook.panel_content import PanelContent, Reply
from napari_s1omni.frontends.notebook.slices import SourceSlices
from napari_s1omni.frontends.notebook.static_repr import attach_code
from napari_s1omni.frontends.notebook.view import HEIGHT, WIDTH, View
from napari_s1omni.frontends.session.estimate import estimate_text
from napari_s1omni.frontends.session.preview.box import preview_box
from napari_s1omni.frontends.session.preview.events import (
    PreviewCancelled,
    PreviewEvent,
    PreviewFailed,
    PreviewPart,
    PreviewProgress,
    PreviewResult,
)
from napari_s1omni.frontends.session.request_line import request_line, request_reasons
from napari_s1omni.frontends.views.thumbnail import thumbnail
from napari_s1omni.frontends.views.tile_colours import COLOURS, QUANTITIES
from napari_s1omni.jobs.prepare import Prepared
from napari_s1omni.results.report.pictures import data_url
from napari_s1omni.storage.listing.image_headers import list_images

_HERE = Path(__file__).parent
_PICTURE = 96
"""Pixels of the longer side of a picture among which an image is chosen."""


class Panel(anywidget.AnyWidget):
    """The panel of a job.

    Parameters
    ----------
    session : JobSession
    """

    # One module for the browser, because a second file would need a server.
    _esm = "".join((_HERE / name).read_text(encoding="utf-8") for name in ("parts.js", "choices.js", "panel.js"))
    _css = _HERE / "panel.css"

    title = traitlets.Unicode().tag(sync=True)
    """Operation and prompt, in one line."""
    status = traitlets.Dict().tag(sync=True)
    """State, finished and total tiles, seconds left, holes, error; ``tick`` grows with every change."""
    scene = traitlets.Dict().tag(sync=True)
    """Sizes of the axes, extent in pixels, initial view, kind of the result; empty until the image is open."""
    form = traitlets.List().tag(sync=True)
    """Fields, see :func:`napari_s1omni.frontends.notebook.form_fields.form_fields`."""
    forecast = traitlets.Unicode().tag(sync=True)
    """Estimated cost of the job in the form, or why it cannot run."""
    request = traitlets.Dict().tag(sync=True)
    """How the request was understood, as ``line``; why something was not, as ``why``, empty if all was."""
    ready = traitlets.Bool(False).tag(sync=True)
    """Whether the job in the form can run."""
    preview = traitlets.Dict().tag(sync=True)
    """Text, finished and total tiles, and region of the last preview."""
    legend = traitlets.Dict().tag(sync=True)
    """State of a tile -> colour, and the quantities that can colour the tiles."""
    target = traitlets.Dict().tag(sync=True)
    """Where a run with the settings of the form goes: the field that holds it, its value, and a short name."""
    results = traitlets.List().tag(sync=True)
    """The results of all runs of the job, path and short name each; that of the job is ``scene["output"]``."""
    choices = traitlets.List().tag(sync=True)
    """The images of a file of several, to choose one: name, sizes, and a picture as a URL or empty."""
    attach = traitlets.Unicode().tag(sync=True)
    """Python that finds the run again in a new kernel."""
    key = traitlets.Unicode().tag(sync=True)
    """Names this panel in a page, so that it hides the still picture of the same job."""

    def __init__(self, session: JobSession) -> None:
        super().__init__()
        self._session = session
        self._content = PanelContent()
        self._tick = 0
        self._newest: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        # One thread, so that outdated requests are skipped before they are drawn.
        self._worker = ThreadPoolExecutor(1, "panel")
        controller = session.controller
        self.key = uuid.uuid4().hex
        colours = {state: f"rgba({r},{g},{b},{a / 255:.2f})" for state, (r, g, b, a) in COLOURS.items()}
        self.legend = {"states": colours, "by": dict(QUANTITIES)}
        self.form = form_fields(_document(session))
        controller.prepared_changed.connect(self._show_forecast)
        controller.document_changed.connect(self._show_form)
        controller.preview_changed.connect(self._show_preview)
        controller.failed.connect(self._show_failure)
        session.on_change(self._session_changed)
        self.on_msg(self._received)
        if controller.prepared is not None:
            self._show_forecast(controller.prepared, estimate_text(controller.prepared, controller.empty_share))
        self._session_changed()

    def receive(self, message: Mapping[str, Any]) -> None:
        """Handle a message of a view.

        Parameters
        ----------
        message : mapping
            ``kind`` is ``view``, ``grid``, ``trace`` or ``alive`` (answered by a message), or ``edit``,
            ``preview``, ``run``, ``show``, ``choose``, ``pause``, ``resume`` or ``cancel``.
        """
        kind, view = str(message.get("kind")), str(message.get("view", ""))
        requests: dict[str, Callable[[Mapping[str, Any]], Reply]] = {
            "view": self._content.view,
            "grid": self._content.grid,
            "trace": self._content.trace,
        }
        if kind == "alive":
            self.send({"kind": kind, "view": view})
            return
        if kind in requests:
            with self._lock:
                number = self._newest[view, kind] = self._newest.get((view, kind), 0) + 1
            self._worker.submit(self._reply, kind, view, number, partial(requests[kind], message))
            return
        commands: dict[str, Callable[[], None]] = {
            "edit": lambda: self._edit(str(message.get("path")), message.get("value")),
            "preview": lambda: self._start_preview(message),
            "run": self._run,
            "show": lambda: self._session.show(str(message.get("path"))),
            "choose": lambda: self._session.choose_image(str(message.get("image"))),
            "pause": self._session.pause,
            "resume": self._session.resume,
            "cancel": self._session.cancel,
        }
        try:
            if kind not in commands:
                raise JobError(f"message {kind!r}", f"one of {', '.join([*requests, *commands])}")
            commands[kind]()
        except (S1OmniError, OSError) as error:
            self.send({"kind": "notice", "view": view, "text": describe_failure(error).words})

    def _received(self, _: Any, message: Any, buffers: Any) -> None:
        if isinstance(message, dict):
            # Messages may arrive on another thread; the controller belongs to the event loop.
            self._session.deliver(partial(self.receive, message))

    def _reply(self, kind: str, view: str, number: int, make: Callable[[], Reply]) -> None:
        with self._lock:
            if self._newest[view, kind] != number:
                return
        try:
            reply, pictures = make()
        except Exception as error:  # shown in the panel instead of lost in the thread
            reply, pictures = {"kind": "notice", "text": describe_failure(error).words}, []
        message = {"kind": kind, **reply, "view": view}
        self._session.deliver(lambda: self.send(message, pictures))
        if kind == "view" and pictures:
            self._session.pixels_shown.set()

    def _edit(self, path: str, value: Any) -> None:
        controller = self._session.controller
        if path == "output":
            controller.output = str(value).strip() or None
            controller.refresh()
            self._show_target()
            return
        field = next((f for f in self.form if f["path"] == path), None)
        if field is None:
            raise JobError(f"field {path!r}", "a field of the form")
        if path == "operation.type":
            controller.choose_operation(str(value))
        else:
            controller.edit(path, read_value(field, value))
        self.ready = False
        self.forecast = "planning ..."

    def _start_preview(self, message: Mapping[str, Any]) -> None:
        controller = self._session.controller
        if controller.prepared is None:
            raise JobError("there is no plan yet", remedy="wait for the estimate, or fix the problem that it reports")
        if message.get("off"):
            controller.previewer.cancel()
            self._hide_preview({})
            return
        view = View.read(message)
        half = view.height / view.zoom / 2, view.width / view.zoom / 2
        spans = {
            "y": (view.y - half[0], view.y + half[0]),
            "x": (view.x - half[1], view.x + half[1]),
            "z": (view.z, view.z + 1),
            "t": (view.t, view.t + 1),
        }
        box = preview_box(controller.prepared.plan.grid, spans)
        self.preview = {"words": "starting", "done": 0, "total": 0, "running": True}
        controller.show_preview(box.model_dump(mode="json"))

    def _show_preview(self, answer: PreviewEvent) -> None:
        match answer:
            case PreviewProgress():
                drawn = {name: self.preview[name] for name in ("box",) if name in self.preview and answer.done}
                told = {"words": answer.message, "done": answer.done, "total": answer.total, "running": True}
                self.preview = {**drawn, **told}
            case PreviewPart():
                self._content.preview = answer
                grid = answer.plan.grid
                self.preview = {**self.preview, "box": [*grid.y, *grid.x]}
                self._show_status()
            case PreviewCancelled():
                self._hide_preview({"words": "the preview was cancelled"})
            case PreviewFailed():
                self._hide_preview({"words": answer.failure.words, "failed": True})
            case PreviewResult():
                self._content.preview = answer
                grid = answer.plan.grid
                words = f"preview, {answer.seconds:.1f} s"
                self.preview = {"words": words, "shown": True, "box": [*grid.y, *grid.x], "errors": list(answer.errors)}
                self._show_status()

    def _hide_preview(self, said: dict[str, Any]) -> None:
        """Show the result again: also tiles of a preview that did not end are not left over it."""
        self._content.preview, self.preview = None, said
        self._show_status()

    def _run(self) -> None:
        path = self.target.get("path")
        if path and Path(path).exists():
            raise StoreExists(
                f"{path} exists already", "a run from this panel is a new result", "write another name under Save to"
            )
        self._session.controller.run()

    def _session_changed(self) -> None:
        # In one message: a title never stands beside the state of another run.
        with self.hold_sync():
            self._show_session()

    def _show_session(self) -> None:
        content, session = self._content, self._session
        if content.run is not session.run:
            content.run, content.preview, self.preview = session.run, None, {}
        operation = session.job.operation
        self.title = f"{operation.type.replace('_', ' ')} · {operation.prompt}"
        self.attach = attach_code(session)
        self.results = [{"path": str(run.path), "name": run.path.name} for run in session.runs]
        if session.source is not None and content.slices is None:
            content.slices = SourceSlices(session.source)
        elif session.source is None and session.status.error is not None:
            self.forecast = session.status.error.words
            if session.status.error.kind == SeveralImages.__name__ and not self.choices:
                self._worker.submit(self._offer_images, session.job.source.uri)
        if session.source is not None or session.status.alive:
            self.choices = []
        self._show_scene()
        self._show_target()
        self._show_status()

    def _offer_images(self, file: str) -> None:
        """Show the images of a file, first their names, then a picture of each; called on the worker."""
        found = [
            {"name": header.name, "text": header.sizes, "picture": ""} for header in list_images(file) if header.main
        ]
        for image in found:
            self._session.deliver(partial(self._show_choices, [dict(one) for one in found]))
            if not self._session.status.error:
                return
            # An image that cannot be read has no picture, but a name.
            with contextlib.suppress(S1OmniError, OSError):
                image["picture"] = data_url(thumbnail(join_reference(file, str(image["name"])), _PICTURE))
        self._session.deliver(partial(self._show_choices, found))

    def _show_choices(self, found: list[dict[str, str]]) -> None:
        if self._session.source is None and not self._session.status.alive:
            self.choices = found

    def _show_scene(self) -> None:
        slices, run = self._content.slices, self._content.run
        if slices is None:
            return
        spec, start = slices.spec, slices.initial_view()
        plan = run.plan if run is not None else None
        self.scene = {
            "sizes": {a: spec.size(a) for a in "tcz" if spec.size(a) > 1 and not (a == "c" and spec.rgb)},
            "channels": list(spec.channel_names),
            "extent": [spec.size("y"), spec.size("x")],
            "bytes": spec.nbytes,
            "start": {"y": start.y, "x": start.x, "zoom": start.zoom, "z": start.z},
            "screen": [WIDTH, HEIGHT],
            "result": None if plan is None else plan.target.kind,
            "output": str(run.path) if run is not None else str(self._session.path),
            "mark": GENERATED if plan and plan.engine.generates and plan.target.kind == "image" else "",
            "step": None if plan is None else plan.grid.step,
        }

    def _show_status(self) -> None:
        now = self._session.status
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
            "resumable": now.resumable or now.is_silent,
            "error": now.error.words if now.error else "",
            "said": (self._session.run.asked if self._session.run is not None else "") or now.last_heard,
            "note": self._session.copying,
        }

    def _show_target(self) -> None:
        into = self._session.job.into is not None
        controller = self._session.controller
        value = str(controller.document.get("into", "") if into else controller.output or "")
        path = "" if into or not value else full_path(value)
        self.target = {"field": "into" if into else "output", "value": value, "name": name_in(value), "path": path}

    def _show_forecast(self, prepared: Prepared | None, words: str) -> None:
        self.forecast, self.ready = words, prepared is not None
        line, why = ("", "") if prepared is None else (request_line(prepared), request_reasons(prepared))
        self.request = {"line": line, "why": why}

    def _show_form(self, document: dict[str, Any]) -> None:
        self.form = form_fields(document)
        self._show_target()

    def _show_failure(self, found: Any) -> None:
        self.send({"kind": "notice", "text": found.words})


def _document(session: JobSession) -> dict[str, Any]:
    """Return the document of the controller, or the job before the controller has a source."""
    controller = session.controller
    return controller.document if controller.source is not None else session.job.model_dump(mode="json")
