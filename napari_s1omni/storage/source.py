"""Open any image as a Source, which is read box by box with axes in the order ``t c z y x``."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.acquisition import Acquisition
from napari_s1omni.core.image_references import ImageChoice, with_image
from napari_s1omni.core.patient_space import PatientSpace
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.units import unify_length_units, unit_name
from napari_s1omni.errors import SourceError
from napari_s1omni.planning.job import SourceRef
from napari_s1omni.storage.axis_names import NamedAxes, read_axes
from napari_s1omni.storage.axis_values import PerAxis, check_pixel_size, move_values, values_by_axis
from napari_s1omni.storage.chunk_sample import sample_chunks, shrink_box
from napari_s1omni.storage.readers.axis_order import AxisOrder, order_axes
from napari_s1omni.storage.readers.raw_image import RawImage, level_factor
from napari_s1omni.storage.readers.registry import read_raw
from napari_s1omni.storage.source_pixels import full_box, pixel_type, read_ordered, read_with_alpha
from napari_s1omni.storage.transparency import Transparency, measure_transparency

_WHOLE_BYTES = 16 * 2**20
"""Layers up to this size are digested as a whole."""
_DIGESTED_CHUNKS = 16
"""Number of chunks that are digested of a larger layer."""
_DIGESTED_BYTES = 4 * 2**20
"""Most bytes that are digested of one chunk."""
_COMPARED_BYTES = 64 * 2**20
"""Colour pictures up to this size are checked for equal channels."""


class Source:
    """The pixels of one layer, read lazily.

    Parameters
    ----------
    raw : RawImage
        The image as its reader found it.
    order : AxisOrder
        How stored dimensions map to the axes of the layer.
    spec : LayerSpec
        The layer.
    notes : tuple of str
        What was adjusted or guessed, one sentence each.
    transparency : Transparency, optional
        How transparent pixels are read; None if there are none.
    """

    __slots__ = ("_order", "_raw", "_transparency", "chunks", "notes", "spec")

    def __init__(
        self,
        raw: RawImage,
        order: AxisOrder,
        spec: LayerSpec,
        notes: tuple[str, ...],
        transparency: Transparency | None = None,
    ) -> None:
        self._raw = raw
        self._order = order
        self._transparency = transparency
        self.spec = spec
        self.notes = notes
        self.chunks = tuple(min(raw.chunks[d], n) for d, n in zip(order.dimensions, order.shape, strict=True))

    def __repr__(self) -> str:
        axes = ", ".join(f"{a}: {n}" for a, n in zip(self.spec.axes, self.spec.shape, strict=True))
        return f"Source({self.spec.source or 'in memory'}, {axes}, {self.spec.dtype})"

    @property
    def is_mask(self) -> bool:
        """Whether the pixels are true and false."""
        return self._raw.pixels.dtype.kind == "b"

    @property
    def stored_axes(self) -> str:
        """Letters of the axes in the order in which they are stored, without dimensions that are left out."""
        return self._order.stored_axes

    @property
    def axes_guess(self) -> str:
        """The note that says which axes were guessed from the shape alone; empty if none were."""
        return self._order.guess

    @property
    def acquisition(self) -> Acquisition:
        """What the file says about microscope and time; channels where there is one for each of the layer."""
        found = self._raw.acquisition
        return found if self.channels_fit else dataclasses.replace(found, channels=())

    @property
    def channels_fit(self) -> bool:
        """Whether the file describes as many channels as the layer has, or none."""
        described = len(self._raw.acquisition.channels)
        return not described or (described == self.spec.size("c") and not self.spec.rgb)

    @property
    def placed(self) -> bool:
        """Whether the file states its position in the world, so that 0 is a place and not a default."""
        return bool(self._raw.translate)

    @property
    def patient(self) -> PatientSpace | None:
        """Where x, y and z lie in the patient, if the file says so and the axes are those of the file."""
        return self._raw.patient

    def read(self, box: Sequence[slice] | None = None) -> NDArray[Any]:
        """Read the pixels of one box, or of the whole layer.

        Parameters
        ----------
        box : sequence of slice, optional
            One slice of step 1 in source pixels per axis of ``spec.axes``,
            inside the layer. Left out, everything is read.

        Returns
        -------
        ndarray
            A copy with axes in the order of ``spec.axes``, in native byte order, dtype ``spec.dtype``.

        Raises
        ------
        SourceError
            If the box is not inside the layer or the file cannot be read; the
            message names the file and the chunk.
        """
        full = full_box(box, self.spec)
        if self._transparency is None:
            return read_ordered(self._raw, self._order, full, self.spec.np_dtype)
        pixels, alpha = read_with_alpha(self._raw, self._order, full, self.spec.np_dtype)
        channel = self.spec.axes.index("c") if "c" in self.spec else None
        colours = slice(0, 1) if channel is None else full[channel]
        return self._transparency.blend(pixels, alpha, channel, colours)

    def transparent(self, box: Sequence[slice] | None = None) -> NDArray[np.bool_] | None:
        """Return which pixels of a box are transparent.

        Parameters
        ----------
        box : sequence of slice, optional
            As for :meth:`read`.

        Returns
        -------
        bool ndarray or None
            With the axes of the layer without c; None if no pixel of the box is transparent.
        """
        if self._transparency is None:
            return None
        _, alpha = read_with_alpha(self._raw, self._order, full_box(box, self.spec), self.spec.np_dtype)
        hidden = self._transparency.hides(alpha)
        return hidden if hidden.any() else None

    def levels(self) -> list[Source]:
        """Return the coarser levels of the pyramid, finest first; empty without a pyramid."""
        found = []
        for pixels in self._raw.coarser:
            order = AxisOrder(
                self._order.axes,
                self._order.dimensions,
                tuple(min(n, pixels.shape[d]) for n, d in zip(self.spec.shape, self._order.dimensions, strict=True)),
                self._order.dropped,
                self._order.rgb,
                (),
                self._order.alpha,
            )
            steps = [n / m for n, m in zip(self.spec.shape, order.shape, strict=True)]
            if (factor := level_factor(self._raw.pixels, pixels)) is not None:
                steps = [factor if a in "yx" else k for a, k in zip(self.spec.axes, steps, strict=True)]
            spec = self.spec.replace(
                shape=order.shape,
                scale=tuple(s * k for s, k in zip(self.spec.scale, steps, strict=True)),
                # Both begin at the same outer corner.
                translate=tuple(
                    t + (k - 1) / 2 * s for t, s, k in zip(self.spec.translate, self.spec.scale, steps, strict=True)
                ),
                source=None,
                frame=None,
            )
            raw = RawImage(pixels, self._raw.axes, getattr(pixels, "chunks", None) or pixels.shape)
            found.append(Source(raw, order, spec, (), self._transparency))
        return found

    def fingerprint(self) -> str:
        """Return a digest of the metadata and the pixels: all of a small layer, else 16 chunks spread over it.

        It does not depend on where the image is stored, so a copy has the same one.
        """
        digest = hashlib.sha256()
        metadata = {**self.spec.replace(frame=None).to_json(), "source": None}
        digest.update(json.dumps(metadata, sort_keys=True).encode())
        boxes = [tuple(slice(0, n) for n in self.spec.shape)]
        if self.spec.nbytes > _WHOLE_BYTES:
            boxes = sample_chunks(self.spec, self.chunks, _DIGESTED_CHUNKS)
        for box in boxes:
            digest.update(self.read(shrink_box(self.spec, box, _DIGESTED_BYTES)).tobytes())
        return digest.hexdigest()


def open_source(
    source: Any,
    *,
    level: int = 0,
    axes: str | None = None,
    scale: PerAxis = None,
    units: PerAxis = None,
    labels: bool = False,
    image: ImageChoice | None = None,
) -> Source:
    """Open an image for lazy reading.

    Parameters
    ----------
    source : Source, str, Path or array
        A path or URI (see ``docs/formats.md``), or anything with shape, dtype
        and ``__getitem__`` such as a numpy, dask or xarray array.
    level : int
        Pyramid level; 0 is full resolution.
    axes : str, optional
        One letter of ``t c z y x`` for each stored dimension, in stored order,
        or ``s`` for the colour samples of a picture; or words such as
        ``"slice, row, column"``. Overrides the file's metadata.
    scale : float, sequence or mapping, optional
        Pixel size: one number for z, y and x; or one per axis, or per axis of
        space, in stored order; or by letter. Overrides the file's metadata.
    units : str, sequence or mapping, optional
        Unit of `scale` in the same forms, such as ``"um"``.
    labels : bool
        Whether the values are object ids; of a palette picture, the numbers are
        read then and not the colours they are shown in.
    image : str or int, optional
        Name of the image in a file that holds several, or its number from 0; as in ``scan.lif::NAME``.

    Returns
    -------
    Source
        ``spec`` describes the layer, ``read()`` reads it.

    Raises
    ------
    SourceError
        If it is missing, damaged, or not an image of known axes; the message
        names the file, the key and the remedy.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_s1omni
    >>> source = napari_s1omni.open_source(np.zeros((5, 64, 48)), axes="zyx", scale=(2, 0.5, 0.5), units="um")
    >>> source.spec.units
    ('micrometer', 'micrometer', 'micrometer')
    >>> source.read().shape
    (5, 64, 48)
    """
    if isinstance(source, Source):
        return source
    if image is not None and not isinstance(source, str | os.PathLike):
        raise SourceError(f"image {image!r} of an array", "a file holds several images", "leave the image out")
    raw = read_raw(source if image is None else with_image(source, image), level=level)
    count = None if axes is None else len(read_axes(axes, raw.pixels.shape).letters)
    raw = raw.read_as(count, labels=labels)
    name = raw.uri or "the array"
    dtype = pixel_type(raw.pixels.dtype, name)
    shape = tuple(raw.pixels.shape)
    wanted = None if axes is None else read_axes(axes, shape)
    found = None if raw.axes is None else NamedAxes(raw.axes, raw.axis_names or tuple(raw.axes))
    order = order_axes(name, shape, raw.pixels.dtype, found, wanted)
    coloured = order.stored_axes if order.rgb else ""
    if order.rgb and _has_equal_channels(raw, order, dtype):
        order = order.grey()
    notes = [*raw.notes, *order.notes]
    if wanted and found:
        raw = _renamed(raw, found.letters, wanted.letters, notes)
    if raw.pixels.dtype.kind == "b":
        notes.append("true and false are read as 1 and 0")
    if raw.kind == "image" and dtype.kind in "iu" and dtype.itemsize == 8:
        notes.append("values above 2**53 of a 64-bit image lose their last digits")
    sizes = {**raw.scale, **values_by_axis(scale, order.stored_axes, "scale", coloured)}
    given_units = {**raw.units, **values_by_axis(units, order.stored_axes, "units", coloured)}
    named = {a: unit_name(u) for a, u in given_units.items()}
    translate = dict(raw.translate)
    check_pixel_size(sizes, order.axes, name)
    notes.extend(unify_length_units(sizes, translate, named, order.axes))
    spec = LayerSpec(
        shape=order.shape,
        axes=tuple(order.axes),
        dtype=dtype.name,
        scale=tuple(float(sizes.get(a, 1.0)) for a in order.axes),
        translate=tuple(float(translate.get(a, 0.0)) for a in order.axes),
        units=tuple(named.get(a) for a in order.axes),
        kind=raw.kind,
        source=raw.uri,
        channel_names=_channel_names(raw, order, notes),
        rgb=order.rgb,
        frame=raw.frame,
    )
    plain = Source(raw, order, spec, ())
    if not plain.channels_fit and not order.rgb:
        notes.append(
            f"colours and wavelengths of {len(raw.acquisition.channels)} channels are left out, since the image has "
            f"{spec.size('c')}"
        )
    if order.alpha is None:
        return Source(raw, order, spec, tuple(notes))
    transparency, note = _transparency(plain, raw, order)
    return Source(raw, order, spec, (*notes, note), transparency)


def open_reference(ref: SourceRef, pixels: Any = None) -> Source:
    """Open the source of a job.

    Parameters
    ----------
    ref : SourceRef
    pixels : array-like or str, optional
        The array that the reference describes, or where the image lies now, instead of ``ref.uri``.

    Raises
    ------
    SourceError
        As :func:`open_source`.
    """
    where = ref.uri if pixels is None else pixels
    return open_source(where, level=ref.level, axes=ref.axes, scale=ref.scale, units=ref.units)


def _transparency(source: Source, raw: RawImage, order: AxisOrder) -> tuple[Transparency | None, str]:
    """Measure the transparency of a picture: of all its pixels, or of some chunks of a large one."""
    spec = source.spec
    whole = spec.nbytes <= _COMPARED_BYTES

    def parts() -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        boxes = [tuple(slice(0, n) for n in spec.shape)]
        if not whole:
            chosen = sample_chunks(spec, source.chunks, _DIGESTED_CHUNKS, whole="c")
            boxes = [shrink_box(spec, box, _DIGESTED_BYTES, whole="c") for box in chosen]
        for box in boxes:
            pixels, alpha = read_with_alpha(raw, order, box, spec.np_dtype)
            yield np.moveaxis(pixels, spec.axes.index("c"), 0) if "c" in spec else pixels[np.newaxis], alpha

    return measure_transparency(parts(), whole)


def _renamed(raw: RawImage, found: str, wanted: str, notes: list[str]) -> RawImage:
    """Move the values of each axis that the user renamed: a pixel size belongs to its stored dimension."""
    moved: list[Mapping[str, Any]] = [
        move_values(values, found, wanted, name, notes)
        for values, name in ((raw.scale, "pixel size"), (raw.translate, "position"), (raw.units, "unit"))
    ]
    patient = raw.patient if wanted == found else None
    return dataclasses.replace(raw, axes=wanted, scale=moved[0], translate=moved[1], units=moved[2], patient=patient)


def _has_equal_channels(raw: RawImage, order: AxisOrder, dtype: np.dtype[Any]) -> bool:
    """Whether a colour picture is in fact grey; a very large picture is not checked and keeps its colours."""
    if math.prod(order.shape) * dtype.itemsize > _COMPARED_BYTES:
        return False
    try:
        pixels = read_ordered(raw, order, tuple(slice(0, n) for n in order.shape), dtype)
    except SourceError:
        # Who reads the damaged part is told.
        return False
    red, green, blue = np.moveaxis(pixels, order.axes.index("c"), 0)
    same = dtype.kind == "f"
    return bool(np.array_equal(red, green, equal_nan=same) and np.array_equal(red, blue, equal_nan=same))


def _channel_names(raw: RawImage, order: AxisOrder, notes: list[str]) -> tuple[str, ...]:
    """Return the stored channel names where there is one for each channel."""
    if order.rgb:
        return ()
    count = dict(zip(order.axes, order.shape, strict=True)).get("c", 0)
    if len(raw.channel_names) == count:
        return raw.channel_names
    names = raw.channel_names
    if names and count:
        notes.append(f"{len(names)} channel names for {count} channels are left out")
    elif names:
        shown = f"name '{names[0]}' is" if len(names) == 1 else f"names {', '.join(names)} are"
        notes.append(f"the channel {shown} left out, since the image has no axis c")
    return ()
