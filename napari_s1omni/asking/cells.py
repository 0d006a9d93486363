"""Runs the code of a question in the sandbox, and answers what it asks of the layer."""

from __future__ import annotations

import threading
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.asking.answer import Note
from napari_s1omni.asking.gain import visual_gain
from napari_s1omni.asking.observation import Observation, Shown
from napari_s1omni.asking.transcript import Transcript
from napari_s1omni.asking.viewer import Viewer
from napari_s1omni.errors import SourceError, ViewError
from napari_s1omni.sandbox import kernel as sandbox


class SandboxCells:
    """Cells of one conversation; variables are kept from one to the next.

    Parameters
    ----------
    kernel : Kernel
    viewer : Viewer
    transcript : Transcript, optional
        Where each cell is written down.
    """

    def __init__(self, kernel: sandbox.Kernel, viewer: Viewer, transcript: Transcript | None = None) -> None:
        self._kernel, self._viewer, self._transcript = kernel, viewer, transcript
        self._count = 0
        self._offered = 0

    def run(self, code: str, seconds: float) -> Observation:
        """Run one cell for at most so many seconds.

        Raises
        ------
        SandboxError
            If no process can be confined.
        """
        self._offer()
        self._count += 1
        answers = _Answers(self._viewer, self._count)
        over = threading.Timer(seconds, self._kernel.interrupt)
        over.daemon = True
        over.start()
        try:
            done = self._kernel.execute(code, answers)
        finally:
            over.cancel()
        error = done.error if done.status != "killed" else f"{done.error} All variables are gone."
        observation = Observation(done.text, error, tuple(answers.shown), tuple(answers.notes), done.seconds)
        self._write(code, done, observation)
        return observation

    def _offer(self) -> None:
        """Give the code the pictures that were shown before it, and the facts of the layer."""
        new = self._viewer.pictures[self._offered :]
        if not new and self._offered:
            return
        pictures = [
            sandbox.Picture(p.pixels, p.record.name, p.record.caption(), p.record.box, p.record.level) for p in new
        ]
        self._kernel.offer(pictures, layer_facts(self._viewer))
        self._offered += len(new)

    def _write(self, code: str, done: sandbox.Execution, observation: Observation) -> None:
        # Views are given to the code as it asks for them, so they need not be offered again.
        self._offered = len(self._viewer.pictures)
        if self._transcript is None:
            return
        self._transcript.add(
            "cell",
            number=self._count,
            code=code,
            status=done.status,
            text=observation.text,
            error=observation.error,
            notes=[note.to_json() for note in observation.notes],
            views=[_view_facts(one) for one in observation.shown if one.view is not None],
            pictures=[self._transcript.add_picture(one.pixels) for one in observation.shown],
            seconds=done.seconds,
            threads=done.threads,
            generation=done.generation,
            backend=self._kernel.backend,
        )


class _Answers:
    """Answers one cell, and keeps what it was shown: the broker of the sandbox."""

    def __init__(self, viewer: Viewer, cell: int) -> None:
        self._viewer, self._cell = viewer, cell
        self.shown: list[Shown] = []
        self.notes: list[Note] = []

    def view(self, request: sandbox.ViewRequest) -> sandbox.Picture:
        viewer = self._viewer
        before = list(viewer.pictures)
        try:
            box = request.box if request.rel is None else viewer.part_of(request.of, request.rel)
            picture = viewer.view(
                box,
                level=request.level,
                z=request.z,
                t=request.t,
                channels=request.channels,
                contrast=request.contrast,
                size=request.size,
            )
        except (ViewError, SourceError) as error:
            raise sandbox.RequestRefused(str(error)) from None
        record, caption = picture.record, picture.record.caption()
        self.shown.append(Shown(caption, picture.pixels, picture, visual_gain(picture, before)))
        return sandbox.Picture(picture.pixels, record.name, caption, record.box, record.level)

    def region(self, request: sandbox.RegionRequest) -> NDArray[Any]:
        try:
            return self._viewer.region(
                request.y,
                request.x,
                request.height,
                request.width,
                level=request.level,
                z=request.z,
                t=request.t,
                c=request.c,
            )
        except (ViewError, SourceError) as error:
            raise sandbox.RequestRefused(str(error)) from None

    def show(self, picture: sandbox.Picture) -> None:
        pixels = picture.pixels
        colours = np.repeat(pixels[..., np.newaxis], 3, axis=-1) if pixels.ndim == 2 else pixels
        self.shown.append(Shown(f"picture made by the code: {picture.name or 'without a name'}", colours, None, None))

    def note(self, note: sandbox.Note) -> None:
        self.notes.append(Note(note.name, note.value, note.unit, self._cell))

    def text(self, stream: Literal["out", "err"], text: str) -> None:
        """Leave it to the execution."""


def layer_facts(viewer: Viewer) -> dict[str, Any]:
    """Return what code and models are told of a layer, as plain data."""
    spec = viewer.source.spec
    return {
        "axes": "".join(spec.axes),
        "shape": list(spec.shape),
        "dtype": spec.dtype,
        "levels": [[level.spec.size("y"), level.spec.size("x")] for level in viewer.levels],
        "pixel_size": {a: spec.scale_of(a) for a in "zyx" if a in spec and spec.unit_of(a) is not None},
        "unit": spec.unit_of("x"),
        "channels": [channel.name for channel in viewer.source.acquisition.channels],
        "part": list(viewer.box),
    }


def _view_facts(shown: Shown) -> dict[str, Any]:
    assert shown.view is not None  # selected before
    assert shown.gain is not None  # of each view
    return {**shown.view.record.to_json(), "energy": shown.gain.energy, "share": shown.gain.share}
