"""The state behind dock and notebook, without a GUI toolkit.

A surface edits the job, shows what the controller emits, and runs functions on its own thread through ``deliver``.
Whatever may wait for a disk or a model happens elsewhere: planning on a background thread, previews and runs in
processes of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from psygnal import Signal

from napari_s1omni.errors import JobError, S1OmniError
from napari_s1omni.execution.run.status import Failure, describe_failure
from napari_s1omni.frontends.napari_layers.layer_source import LayerSource
from napari_s1omni.frontends.napari_layers.layer_transforms import result_transform
from napari_s1omni.frontends.napari_layers.layer_view import LayerView
from napari_s1omni.frontends.napari_layers.result_layers import display_axes
from napari_s1omni.frontends.session.background import BackgroundQueue, call_directly
from napari_s1omni.frontends.session.estimate import estimate_text
from napari_s1omni.frontends.session.job_document import JobDocument, no_layer
from napari_s1omni.frontends.session.layer_copying import LayerCopying
from napari_s1omni.frontends.session.planner import Planned, Planner
from napari_s1omni.frontends.session.preview.client import PreviewClient
from napari_s1omni.frontends.session.preview.events import (
    PreviewCancelled,
    PreviewEvent,
    PreviewFailed,
    PreviewProgress,
    PreviewResult,
)
from napari_s1omni.frontends.session.results.output_target import OutputTarget
from napari_s1omni.frontends.session.run import Deliver, Run
from napari_s1omni.frontends.session.run_history import new_output
from napari_s1omni.frontends.session.run_queue import RunQueue
from napari_s1omni.frontends.session.source_cache import SourceCache
from napari_s1omni.frontends.session.spilled_layers import copying_text
from napari_s1omni.jobs.prepare import MeasuredSource, Prepared, prepare
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.settings import cache_notes


class Controller:
    """The state of one surface.

    Parameters
    ----------
    deliver : callable
        Runs a function on the surface's thread.
    python : str, optional
        Interpreter that holds the engines; by default that of ``S1OMNI_PYTHON``, else this one.
    options : tuple of str
        More options of ``s1omni run`` for the runs it starts.
    as_layers : bool
        Show results in the axes of their source layer, as napari does; else in their own axes.
    """

    document_changed = Signal(dict)
    """The whole document was replaced; widgets should show it."""
    prepared_changed = Signal(object, str)
    """A plan and its estimate in one line; or None and the reason."""
    preview_changed = Signal(object)
    """A :data:`~napari_s1omni.frontends.session.preview.events.PreviewEvent`."""
    run_added = Signal(object)
    """A :class:`~napari_s1omni.frontends.session.run.Run` was queued or found again."""
    failed = Signal(object)
    """A :class:`~napari_s1omni.execution.run.status.Failure` to show."""

    def __init__(
        self,
        deliver: Deliver = call_directly,
        python: str | None = None,
        options: tuple[str, ...] = (),
        as_layers: bool = True,
    ) -> None:
        self.deliver = deliver
        self._as_layers = as_layers
        self.view: LayerView | None = None
        """The chosen layer."""
        self.source: LayerSource | None = None
        """The source of the chosen layer, once it was found."""
        self.prepared: Prepared | None = None
        """The last plan; None if there is none."""
        self.empty_share: float | None = None
        """Estimated share of empty tiles."""
        self.refusal: Failure | None = None
        """Why there is no plan."""
        self.preview: PreviewResult | None = None
        """The last preview."""
        self.loading = ""
        """Name of the engine that the preview process is loading."""
        self.loaded = ""
        """Name of the engine that is ready for previews."""
        self.background = BackgroundQueue("controller", deliver, self.failed.emit)
        """For work that may wait for a disk."""
        self.previewer = PreviewClient(lambda event: self.deliver(lambda: self._on_preview(event)), python)
        self.queue = RunQueue(self.background, python, options, self.previewer.give)
        self.queue.emptied.connect(lambda: self.background.submit(self.previewer.reload))
        self.target = OutputTarget(self.queue, self.background)
        """Where the next result goes, and what lies there."""
        self.fields = JobDocument()
        """What was chosen for each layer."""
        self._sources = SourceCache()
        self.copying = LayerCopying(deliver, self._sources.measure)
        """Copies layers in memory to disk, for processes of their own."""
        self._planner = Planner(self._make_plan, deliver, self._on_plan)
        self.copying.changed.connect(self._on_copied)

    @property
    def document(self) -> dict[str, Any]:
        """The edited fields of the job, without its source and output."""
        return self.fields.data

    @property
    def output(self) -> str | None:
        """Folder of the next result; None is a new one in the cache folder."""
        return self.fields.output

    @output.setter
    def output(self, path: str | None) -> None:
        self.fields.output, self.target.replace = path, False

    def edit(self, path: str, value: Any) -> None:
        """Change one field, such as ``tiling.tile_size``; None resets it to its default.

        Parameters
        ----------
        path : str
            Names joined by dots.
        value : plain data
        """
        if self.fields.edit(path, value):
            self.refresh()

    def choose_operation(self, kind: str) -> None:
        """Change the operation; the fields of the other operation are kept."""
        if self.fields.choose_operation(kind):
            self.document_changed.emit(self.document)
            self.refresh()

    def choose_layer(self, key: Hashable) -> None:
        """Bring back what was chosen for a layer: axes, channels, region and output; None is no layer."""
        if self.fields.choose_layer(key):
            self.target.replace = False
            self.document_changed.emit(self.document)

    def choose_source(self, view: LayerView | None) -> None:
        """Choose another layer, or none."""
        self.view = view
        self.source = None
        self.refresh()

    def adopt(self, source: LayerSource, measured: MeasuredSource, job: Job) -> None:
        """Take over a job with a source that was found and measured already."""
        self.view, self.source = source.view, source
        self._sources.keep(job, source, measured)
        self.load(job)

    def load(self, job: Job) -> None:
        """Take over a job; the chosen layer stays its source."""
        self.fields.load(job)
        self.document_changed.emit(self.document)
        self.refresh()

    def job(self, source: Mapping[str, Any] | None = None) -> Job:
        """Return the job as edited now.

        Parameters
        ----------
        source : mapping, optional
            Reference to a source, instead of that of the chosen layer.

        Raises
        ------
        JobError
            If no layer is chosen, or a field is wrong.
        """
        return self.fields.job(self.source, source)

    def refresh(self) -> None:
        """Plan again in the background, a moment after the last edit."""
        self._planner.refresh()

    @property
    def is_planned(self) -> bool:
        """Whether :attr:`prepared` or :attr:`refusal` is that of the last edit."""
        return self._planner.is_current

    def when_planned(self, work: Callable[[], Any]) -> None:
        """Call a function once the last edit is planned: now, or later on the surface's thread.

        Of several waiting functions only the last is called. If planning fails, :attr:`failed` is emitted instead.
        """

        def done(result: Planned | Failure) -> None:
            if isinstance(result, Failure):
                self.failed.emit(result)
                return
            try:
                work()
            except S1OmniError as error:
                self.failed.emit(describe_failure(error))

        if self.is_planned:
            work()
        else:
            self._planner.when_done(done)

    def planned(self) -> tuple[Prepared, LayerSource]:
        """Return the plan and its source.

        Raises
        ------
        JobError
            If there is no plan, with the reason.
        """
        if self.prepared is None or self.source is None:
            found = self.refusal or Failure("", "there is no plan yet", "wait for the estimate", 2)
            raise JobError(found.message, remedy=found.remedy)
        return self.prepared, self.source

    def show_preview(self, region: Mapping[str, Any]) -> None:
        """Start a preview of a region.

        Parameters
        ----------
        region : mapping
            Fields of :class:`~napari_s1omni.planning.job.Box`, in source pixels.
        """
        job = self.job().replace(region=dict(region), output=None, into=None)
        self._with_readable_source(job, lambda ref: self.previewer.request(job.replace(source=ref)))

    def export(self, use: Callable[[Job], Any]) -> None:
        """Call a function with the job as edited now, in a form that any process can run.

        A layer in memory is written to disk first; the function is then called later on the surface's thread.

        Raises
        ------
        JobError
            If no layer is chosen, or a field is wrong.
        """
        job = self.job()
        if self.source is None or self.source.array is None:
            use(job)
        else:
            self._with_readable_source(job, lambda ref: self.deliver(lambda: use(job.replace(source=ref))), job.output)

    @property
    def may_run(self) -> bool:
        """Whether there is a plan, and its output holds nothing that the run must not touch."""
        return self.prepared is not None and self.target.may_run

    def run(self, title: str = "") -> None:
        """Queue the job as edited now; a plan in progress is waited for without blocking.

        Raises
        ------
        JobError
            If there is no plan.
        StoreError
            If the output holds something else.
        """
        self.when_planned(lambda: self._run(title))

    def add_found(self, run: Run) -> None:
        """Show and watch a run that was started elsewhere."""
        self.queue.watch(run)
        run.watch()
        self.run_added.emit(run)

    def close(self) -> None:
        """Stop planning, previewing and watching; runs continue."""
        self._planner.close()
        self.copying.stop()
        self.background.close()
        self.copying.close()
        self.previewer.close()
        self.queue.close()

    def _run(self, title: str) -> None:
        prepared, source = self.planned()
        job = self.job()
        named = job.output is not None or job.into is not None
        if not named:
            job = job.replace(output=str(new_output(f"{source.view.name}-{job.operation.type}")))
        display = display_axes(source, prepared.plan.target) if self._as_layers else None
        title = title or f"{job.operation.prompt} · {source.view.name}"
        replace, self.target.replace = self.target.replace, False

        def work(ref: Mapping[str, Any]) -> None:
            if named:
                self.target.require(prepared, job, replace)
            complete = job.replace(source=ref)
            if (grid := prepared.plan.grid).depth > 1:
                # Those that were shown, whatever memory is free when the run starts.
                complete = complete.replace(
                    tiling=job.tiling.replace(block_size=grid.block_size, depth=grid.depth).model_dump()
                )
            run = Run(complete, prepared.plan, title, self.deliver, display, source.view.name, replace)
            transform = {} if display is None else result_transform(source, prepared.plan, display)
            self.deliver(lambda: self._add(run, transform))

        if self.target.check is not None:
            self.target.check.require(replace)

        self._with_readable_source(job, work, output_path(job))

    def _add(self, run: Run, transform: Mapping[str, Any]) -> None:
        try:
            self.run_added.emit(run)
        finally:
            # A view that cannot show a run must not keep it from starting.
            self.queue.put(run, transform)
        run.ended.connect(self.target.recheck)
        run.ended.connect(self._forecast_again)
        self.target.recheck(run)

    def _make_plan(self) -> Planned:
        """Find the source of the chosen layer and plan the job; called on the planner's thread."""
        view, axes = self.view, self.document.get("source", {}).get("axes")
        self.source = source = self._sources.locate(view, axes) if view is not None else None
        job = self.job()
        if source is None:
            raise no_layer()
        prepared = prepare(job, source.array, seen=self._sources.measure(job, source))
        prepared = prepared.with_notes((*source.notes, *cache_notes()), source.axes_doubts)
        return Planned(prepared, source, job, output=self.target.look(prepared, job))

    def _on_plan(self, result: Planned | Failure) -> None:
        if isinstance(result, Failure):
            self.prepared, self.refusal = None, result
            self.target.show(None)
            self.prepared_changed.emit(None, result.words)
            return
        self.prepared, self.empty_share, self.refusal = result.prepared, result.empty_share, None
        self.target.show(result.output, result.prepared, result.job)
        self._emit_estimate(result.prepared)
        if not self.queue.alive:
            # A run has its engine, and the processors.
            self.background.submit(partial(self.previewer.load, result.prepared.plan.engine))

    def _on_preview(self, event: PreviewEvent) -> None:
        match event:
            case PreviewResult():
                self.preview, self.loading = event, ""
            case PreviewFailed() | PreviewCancelled():
                self.loading = self.loaded = ""
            case PreviewProgress():
                self.loading, self.loaded = event.loading, event.loaded or ("" if event.loading else self.loaded)
        self.preview_changed.emit(event)
        if isinstance(event, PreviewResult):
            self._forecast_again()

    def _forecast_again(self, run: Run | None = None) -> None:
        """Show the time that runs and previews until now suggest; reads a small file in the background."""
        if (prepared := self.prepared) is None:
            return

        def show(learned: Prepared) -> None:
            if self.prepared is prepared:
                self.prepared = learned
                self._emit_estimate(learned)

        self.background.submit(prepared.with_learned_time, show)

    def _on_copied(self, done: int, total: int) -> None:
        if self.prepared is None:
            return
        if total:
            self.prepared_changed.emit(self.prepared, copying_text(done, total))
        else:
            self._emit_estimate(self.prepared)

    def _emit_estimate(self, prepared: Prepared) -> None:
        self.prepared_changed.emit(prepared, estimate_text(prepared, self.empty_share))

    def _with_readable_source(
        self, job: Job, use: Callable[[Mapping[str, Any]], Any], result: Path | str | None = None
    ) -> None:
        """Call a function on the background thread with a source reference that other processes can open.

        Of a layer in memory, what the job reads is copied to disk first, and kept as long as there is a `result`.
        """
        source = self.source
        if source is None:
            raise no_layer()

        def work() -> None:
            stored = source.array is None
            use(job.source.model_dump(mode="json") if stored else self.copying.reference(job, source, result))

        self.copying.allow()
        self.background.submit(work)
