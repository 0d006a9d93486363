"""Controller: the state behind every surface, without any toolkit.

A surface edits the job as a document, shows what the controller says, and lets
functions that touch its widgets run on its own thread by ``deliver``. Whatever
may wait for a disk or a model happens elsewhere: preparing in one thread of
this class, previews in a helper process, runs in processes of their own.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

from psygnal import Signal

from napari_s1omni.errors import JobError, S1OmniError
from napari_s1omni.execution.run.status import Failure, describe_failure
from napari_s1omni.frontends.napari_layers.layers import LayerView, Located, place, show_of
from napari_s1omni.frontends.session.background import BackgroundQueue
from napari_s1omni.frontends.session.estimate import empty_share, rate_for, sentence
from napari_s1omni.frontends.session.preview_client import Answer, PreviewClient, Previewed, PreviewFailed, PreviewStep
from napari_s1omni.frontends.session.run import Deliver, Run
from napari_s1omni.frontends.session.run_history import new_output
from napari_s1omni.frontends.session.run_queue import RunQueue
from napari_s1omni.frontends.session.run_starter import RunStarter
from napari_s1omni.frontends.session.source_cache import SourceCache
from napari_s1omni.frontends.session.spilled_layers import SpilledLayers
from napari_s1omni.jobs.prepare import MeasuredSource, Prepared, prepare
from napari_s1omni.planning.job import Job

_DEBOUNCE = 0.15
"""Seconds without another edit after which a plan is made."""
_PATIENCE = 5.0
"""Seconds that closing waits for a plan in the making."""


def call_directly(work: Any) -> None:
    """Deliver at once, on the thread that asks; for surfaces without a thread of their own."""
    work()


class Controller:
    """The state of one surface.

    Parameters
    ----------
    deliver : callable
        Runs a function on the surface's thread.
    python : str, optional
        Interpreter that holds the engines.
    options : tuple of str
        More options of ``s1omni run`` for the runs it starts.
    """

    document_changed = Signal(dict)
    """The document was replaced as a whole; widgets should show it."""
    located = Signal(object)
    """The source of the chosen layer was found: :class:`~napari_s1omni.frontends.napari_layers.layers.Located`, or None."""
    prepared_changed = Signal(object, str)
    """A plan and its forecast in one line; None and why there is none."""
    preview_changed = Signal(object)
    """A :data:`~napari_s1omni.frontends.session.preview_client.Answer`."""
    run_added = Signal(object)
    """A :class:`~napari_s1omni.frontends.session.run.Run` was queued, started or found again."""
    failed = Signal(object)
    """A :class:`~napari_s1omni.execution.run.status.Failure` that a person must know of."""

    def __init__(
        self, deliver: Deliver = call_directly, python: str | None = None, options: tuple[str, ...] = ()
    ) -> None:
        self.deliver = deliver
        self.python = python
        self.options = options
        self.document: dict[str, Any] = {"operation": {"type": "segmentation"}}
        """What is being written, as plain data: everything of a job but its source and output."""
        self.view: LayerView | None = None
        self.source: Located | None = None
        self.prepared: Prepared | None = None
        self.empty: float | None = None
        """Share of tiles that look empty."""
        self.refusal: Failure | None = None
        """Why there is no plan."""
        self.output: str | None = None
        """Folder that the next run writes; None is one of its own in the cache."""
        self.errands = BackgroundQueue("errands", self.tell)
        """For what may wait for a disk."""
        self.queue = RunQueue(self._launch)
        self.spills = SpilledLayers()
        self._starts = RunStarter(self.errands, self.deliver)
        self.previewer = PreviewClient(lambda answer: self.deliver(lambda: self._answered(answer)), python)
        self.preview: Previewed | None = None
        """The last preview."""
        self.loading = ""
        """Name of the engine that previews wait for."""
        self.loaded = ""
        """Name of the engine that is ready for previews."""
        self._operations: dict[str, dict[str, Any]] = {}
        self._sources = SourceCache()
        self._timer: threading.Timer | None = None
        self._newest = 0
        self._planned = 0
        self._awaiting: Callable[[], Any] | None = None
        self._working = threading.Lock()

    def edit(self, path: str, value: Any) -> None:
        """Change one field, such as ``tiling.tile_size``; None leaves it to its default.

        Parameters
        ----------
        path : str
            Names joined by dots.
        value : plain data
        """
        *sections, name = path.split(".")
        at = self.document
        for section in sections:
            at = at.setdefault(section, {})
        if at.get(name) == value and (value is None or name in at):
            return
        if value is None:
            at.pop(name, None)
        else:
            at[name] = value
        self.refresh()

    def choose_operation(self, kind: str) -> None:
        """Change what to do; what was written for another operation is kept for later."""
        now = self.document["operation"]
        if now["type"] == kind:
            return
        self._operations[now["type"]] = now
        self.document = {**self.document, "operation": self._operations.get(kind, {"type": kind})}
        self.document_changed.emit(self.document)
        self.refresh()

    def choose_source(self, view: LayerView | None) -> None:
        """Work on another layer, or on none."""
        self.view = view
        self.source = None
        self.refresh()

    def adopt(self, located: Located, seen: MeasuredSource, job: Job) -> None:
        """Work on a source that was found and measured already, with a job that is written for it."""
        self.view, self.source = located.view, located
        self._sources.keep(job, located, seen)
        self.load(job)

    def load(self, job: Job) -> None:
        """Take over a job; its source is used while no layer is chosen."""
        data = job.model_dump(mode="json", exclude_defaults=True)
        for name in ("output", "schema_version"):
            data.pop(name, None)
        # Which image it is the layer says; how it is to be read, the job.
        data["source"].pop("uri")
        if not data["source"]:
            del data["source"]
        data["operation"] = {"type": job.operation.type, **data.get("operation", {})}
        self.document = data
        self.output = job.output
        self.document_changed.emit(self.document)
        self.refresh()

    def job(self, source: Mapping[str, Any] | None = None) -> Job:
        """Return the job as it is written now.

        Parameters
        ----------
        source : mapping, optional
            Instead of the chosen layer's.

        Raises
        ------
        JobError
            If there is no layer, or a field is wrong.
        """
        located = self.source
        if source is None and located is None:
            raise JobError("no image layer is chosen", "an image layer", "open an image, or choose its layer")
        ref = dict(source) if source is not None else located.ref.model_dump(mode="json") if located else {}
        operation = dict(self.document["operation"])
        if located is not None and located.channel is not None and "channels" not in operation:
            operation["channels"] = [located.channel]
        own = {**self.document.get("source", {})}
        return Job.read({**self.document, "source": {**ref, **own}, "output": self.output, "operation": operation})

    def refresh(self) -> None:
        """Make the plan anew, a moment after the last edit."""
        if self._timer is not None:
            self._timer.cancel()
        self._newest += 1
        self._timer = threading.Timer(_DEBOUNCE, self._prepare, (self._newest,))
        self._timer.daemon = True
        self._timer.start()

    def show_preview(self, region: Mapping[str, Any]) -> None:
        """Ask for a preview of a region, a box of a few tiles in px of the source.

        Parameters
        ----------
        region : mapping
            Fields of :class:`~napari_s1omni.planning.job.Box`.
        """
        job = self.job().replace(region=dict(region), output=None, into=None)
        self._reachable(lambda ref: self.previewer.ask(job.replace(source=ref)))

    def share(self, then: Callable[[Job], Any]) -> None:
        """Call `then` with the job as it is written now, such that any process can run it.

        That is at once, or soon where px that only this process has are written out first.

        Raises
        ------
        JobError
            If there is no layer, or a field is wrong.
        """
        job = self.job()
        if self.source is None or self.source.array is None:
            then(job)
        else:
            self._reachable(lambda ref: self.deliver(lambda: then(job.replace(source=ref))))

    def tell(self, found: Failure) -> None:
        """Tell a person of a failure, from any thread."""
        self.deliver(lambda: self.failed.emit(found))

    def when_planned(self, work: Callable[[], Any]) -> None:
        """Do something with the plan of what is written now: at once if it is made, else as soon as it is.

        Of several that wait only the last is done; where no plan can be made, :attr:`failed` says why instead.
        """
        if self._planned == self._newest:
            work()
        else:
            self._awaiting = work

    def planned(self) -> tuple[Prepared, Located]:
        """Return the plan, and the source that it is for.

        Raises
        ------
        JobError
            If there is none; it says why.
        """
        if self.prepared is None or self.source is None:
            found = self.refusal or Failure("", "there is no plan yet", "wait for the forecast", 2)
            raise JobError(found.message, remedy=found.remedy)
        return self.prepared, self.source

    def run(self, title: str = "") -> None:
        """Queue the job as it is written now; it starts when those before it have ended.

        Raises
        ------
        JobError
            If there is no plan. One that is still being made is waited for, without blocking.
        """
        self.when_planned(lambda: self._run(title))

    def _run(self, title: str) -> None:
        prepared, located = self.planned()
        job = self.job()
        show = show_of(located, prepared.plan.target)
        words = title or f"{job.operation.prompt} · {located.view.name}"

        def begin(ref: Mapping[str, Any]) -> None:
            named = job.replace(source=ref)
            if job.output is None and job.into is None:
                named = named.replace(output=str(new_output(f"{located.view.name}-{job.operation.type}")))
            run = Run(named, prepared.plan, words, self.deliver, show)
            self._starts.place(run, place(located, prepared.plan, show))
            self.deliver(lambda: self.add(run))

        self._reachable(begin)

    def add(self, run: Run) -> None:
        """Show a run and start it when its turn has come."""
        self.run_added.emit(run)
        self.queue.put(run)

    def add_found(self, run: Run) -> None:
        """Show a run that an earlier surface started, and watch it; nothing is started."""
        self.queue.found(run)
        run.watch()
        self.run_added.emit(run)

    def close(self) -> None:
        """Stop watching and previewing. Runs go on."""
        self._newest += 1
        if self._timer is not None:
            self._timer.cancel()
            if self._timer is not threading.current_thread():
                self._timer.join(_PATIENCE)
        self.errands.close()
        self.previewer.close()
        self.queue.close()

    def _prepare(self, number: int) -> None:
        with self._working:
            if number != self._newest:
                return
            try:
                located = self._locate()
                job = self.job() if located is not None else None
                if located is None or job is None:
                    raise JobError("no image layer is chosen", "an image layer", "open an image, or choose its layer")
                prepared = prepare(job, located.array, seen=self._sources.see(job, located))
            except Exception as error:  # whatever is wrong is said, not lost in a thread
                found = describe_failure(error)
                self.deliver(lambda: self._refused(number, found))
                return
            self.deliver(lambda: self._prepared(number, located, prepared, None))
            empty = None
            with contextlib.suppress(S1OmniError):
                empty = empty_share(prepared)
            self.deliver(lambda: self._prepared(number, located, prepared, empty))

    def _locate(self) -> Located | None:
        view, axes = self.view, self.document.get("source", {}).get("axes")
        self.source = self._sources.locate(view, axes) if view is not None else None
        return self.source

    def _prepared(self, number: int, located: Located, prepared: Prepared, empty: float | None) -> None:
        if number != self._newest:
            return
        if self.prepared is None or self.prepared.plan.source != prepared.plan.source:
            self.located.emit(located)
        self.prepared, self.empty, self.refusal = prepared, empty, None
        self._planned = number
        self.prepared_changed.emit(prepared, sentence(prepared, empty, rate_for(prepared, self.preview)))
        awaiting, self._awaiting = self._awaiting, None
        if awaiting is not None:
            try:
                awaiting()
            except S1OmniError as error:
                self.failed.emit(describe_failure(error))

    def _refused(self, number: int, found: Failure) -> None:
        if number == self._newest:
            self.prepared, self.refusal = None, found
            self._planned = number
            self.prepared_changed.emit(None, found.words)
            if self._awaiting is not None:
                self._awaiting = None
                self.failed.emit(found)

    def _answered(self, answer: Answer) -> None:
        match answer:
            case Previewed():
                self.preview, self.loading = answer, ""
            case PreviewFailed():
                self.loading = self.loaded = ""
            case PreviewStep():
                self.loading, self.loaded = answer.loading, answer.loaded or ("" if answer.loading else self.loaded)
        self.preview_changed.emit(answer)
        if isinstance(answer, Previewed) and self.prepared is not None:
            line = sentence(self.prepared, self.empty, rate_for(self.prepared, answer))
            self.prepared_changed.emit(self.prepared, line)

    def _reachable(self, then: Callable[[Mapping[str, Any]], Any]) -> None:
        """Call `then`, on a thread that may wait, with a reference that another process can open.

        Px that only this process has are written out first.
        """
        located = self.source
        if located is None:
            raise JobError("no image layer is chosen", "an image layer", "open an image, or choose its layer")
        ref = self.job().source

        def work() -> None:
            there = located.array is None
            then(ref.model_dump(mode="json") if there else self.spills.reference(located.array, ref))

        self.errands.do(work)

    def _launch(self, run: Run) -> None:
        self._starts.start(run, self.view.name if self.view else "", self.python, self.options)
