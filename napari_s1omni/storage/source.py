"""open_source: any image as a Source that is read box by box in the order ``t c z y x``."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.core.units import unify_length_units, unit_name
from napari_s1omni.errors import SourceError
from napari_s1omni.planning.job import SourceRef
from napari_s1omni.storage.readers.axis_order import AxisOrder, order_axes
from napari_s1omni.storage.readers.by_format import read_raw
from napari_s1omni.storage.readers.raw_image import Pixels, RawImage

_WHOLE = 16 * 2**20
"""Bytes up to which the whole layer is digested or compared."""
_DIGESTED = 16
"""Chunks that are digested of a larger layer."""
_PIECE = 4 * 2**20
"""Bytes of each that are digested at most."""

PerAxis = float | str | Sequence[Any] | Mapping[str, Any] | None
"""A value for all axes of space, a sequence per stored axis (or per stored axis of space), or a mapping by letter."""


class Source:
    """The pixels of one layer, read lazily.

    Parameters
    ----------
    stored : RawImage
        What a reader found.
    layout : AxisOrder
        How it becomes canonical.
    spec : LayerSpec
        The layer.
    notes : tuple of str
        What was adjusted on the way.
    """

    __slots__ = ("_layout", "_stored", "chunks", "notes", "spec")

    def __init__(self, stored: RawImage, layout: AxisOrder, spec: LayerSpec, notes: tuple[str, ...]) -> None:
        self._stored = stored
        self._layout = layout
        self.spec = spec
        self.notes = notes
        self.chunks = tuple(min(stored.chunks[d], n) for d, n in zip(layout.order, layout.shape, strict=True))

    def __repr__(self) -> str:
        axes = ", ".join(f"{a}: {n}" for a, n in zip(self.spec.axes, self.spec.shape, strict=True))
        return f"Source({self.spec.source or 'in memory'}, {axes}, {self.spec.dtype})"

    def read(self, box: Sequence[slice] | None = None) -> NDArray[Any]:
        """Read the pixels of one box.

        Parameters
        ----------
        box : sequence of slice, optional
            One slice in source px per axis of ``spec.axes``, step 1, inside the
            layer; everything if left out.

        Returns
        -------
        ndarray
            A copy in canonical order and native byte order, dtype ``spec.dtype``.

        Raises
        ------
        SourceError
            If the store cannot deliver; it names the file and the piece.
        """
        return _read(self._stored.pixels, self._layout, _inside(box, self.spec), self.spec.np_dtype)

    def levels(self) -> list[Source]:
        """Return the coarser levels of the same layer, finest first; empty without a pyramid."""
        found = []
        for pixels in self._stored.coarser:
            layout = AxisOrder(
                self._layout.axes,
                self._layout.order,
                tuple(min(n, pixels.shape[d]) for n, d in zip(self.spec.shape, self._layout.order, strict=True)),
                self._layout.dropped,
                self._layout.rgb,
                (),
            )
            scale = tuple(s * n / m for s, n, m in zip(self.spec.scale, self.spec.shape, layout.shape, strict=True))
            chunks = getattr(pixels, "chunks", None) or pixels.shape
            stored = RawImage(pixels, self._stored.axes, chunks)
            found.append(Source(stored, layout, self.spec.replace(shape=layout.shape, scale=scale, source=None), ()))
        return found

    def pieces(self, limit: int, *, whole: str = "") -> list[tuple[slice, ...]]:
        """Return at most `limit` chunk boxes, spread evenly over the layer, always the same ones.

        Along the axes named in `whole` every box spans the layer.
        """
        spec = self.spec
        steps = [n if a in whole else c for a, n, c in zip(spec.axes, spec.shape, self.chunks, strict=True)]
        counts = [-(-n // c) for n, c in zip(spec.shape, steps, strict=True)]
        total = math.prod(counts)
        picked = range(total) if total <= limit else _spread(counts, limit)
        return [
            tuple(
                slice(int(i) * c, min((int(i) + 1) * c, n))
                for i, c, n in zip(np.unravel_index(index, counts), steps, spec.shape, strict=True)
            )
            for index in picked
        ]

    def bounded(self, box: Sequence[slice], limit: int, *, whole: str = "") -> tuple[slice, ...]:
        """Cut a box of more than `limit` bytes down to its beginning, first axes first, but none of `whole`."""
        box = list(box)
        for d, (axis, part) in enumerate(zip(self.spec.axes, box, strict=True)):
            size = math.prod(p.stop - p.start for p in box) * self.spec.np_dtype.itemsize
            if size > limit and axis not in whole:
                keep = max(1, int((part.stop - part.start) * limit / size))
                box[d] = slice(part.start, part.start + keep)
        return tuple(box)

    def fingerprint(self) -> str:
        """Return a digest of the metadata and of the pixels: all of a small layer, else of 16 chunks spread over it.

        It does not depend on where the image lies, so a copy has the same one.
        """
        digest = hashlib.sha256()
        about = {**self.spec.to_json(), "source": None}
        digest.update(json.dumps(about, sort_keys=True).encode())
        everything = tuple(slice(0, n) for n in self.spec.shape)
        for box in self.pieces(_DIGESTED) if self.spec.nbytes > _WHOLE else [everything]:
            digest.update(self.read(self.bounded(box, _PIECE)).tobytes())
        return digest.hexdigest()


def open_source(
    source: Any, *, level: int = 0, axes: str | None = None, scale: PerAxis = None, units: PerAxis = None
) -> Source:
    """Open an image for lazy reading.

    Parameters
    ----------
    source : Source, str, Path or array
        A path or URI (see ``docs/formats.md``), or anything with shape, dtype
        and ``__getitem__`` such as a numpy, dask or xarray array.
    level : int
        Level of a pyramid, 0 the finest.
    axes : str, optional
        One letter of ``t c z y x`` for each stored dimension, in stored order,
        or ``s`` for the colour samples of a picture. Wins over what the file says.
    scale : float, sequence or mapping, optional
        Size of a px: one number for z, y and x; or one per axis, or per axis
        of space, in stored order; or by letter. Wins over what the file says.
    units : str, sequence or mapping, optional
        Unit in the same way, such as ``"um"``.

    Raises
    ------
    SourceError
        If it is missing, damaged, or not an image of known axes; the sentence
        names the file, the key and what to do.

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
    stored = read_raw(source, level=level)
    name = stored.uri or "the array"
    dtype = _readable(stored.pixels.dtype, name)
    layout = order_axes(name, stored.pixels.shape, stored.pixels.dtype, stored.axes, axes)
    if layout.rgb and _equal_channels(stored, layout, dtype):
        layout = layout.grey()
    notes = [*stored.notes, *layout.notes]
    if stored.pixels.dtype.kind == "b":
        notes.append("true and false are read as 1 and 0")
    if stored.kind == "image" and dtype.kind in "iu" and dtype.itemsize == 8:
        notes.append("values beyond 2**53 of a 64-bit image lose their last digits")
    sizes, units_of = dict(stored.scale), {a: unit_name(u) for a, u in stored.units.items()}
    sizes.update(_by_axis(scale, layout.stored_axes, "scale"))
    units_of.update({a: unit_name(u) for a, u in _by_axis(units, layout.stored_axes, "units").items()})
    translate = dict(stored.translate)
    _check_scale(sizes, layout.axes, name)
    notes.extend(unify_length_units(sizes, translate, units_of, layout.axes))
    channel_names = stored.channel_names
    count = dict(zip(layout.axes, layout.shape, strict=True)).get("c", 0)
    if channel_names and (layout.rgb or len(channel_names) != count):
        if not layout.rgb and count > 1:
            notes.append(f"{len(channel_names)} channel names for {count} channels are left out")
        channel_names = ()
    spec = LayerSpec(
        shape=layout.shape,
        axes=tuple(layout.axes),
        dtype=dtype.name,
        scale=tuple(float(sizes.get(a, 1.0)) for a in layout.axes),
        translate=tuple(float(translate.get(a, 0.0)) for a in layout.axes),
        units=tuple(units_of.get(a) for a in layout.axes),
        kind=stored.kind,
        source=stored.uri,
        channel_names=channel_names,
        rgb=layout.rgb,
    )
    return Source(stored, layout, spec, tuple(notes))


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


def _read(pixels: Pixels, layout: AxisOrder, box: tuple[slice, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    found = np.asarray(pixels[layout.stored_box(box)])
    return np.array(layout.canonical(found), dtype=dtype, order="C", copy=True)


def _inside(box: Sequence[slice] | None, spec: LayerSpec) -> tuple[slice, ...]:
    if box is None:
        return tuple(slice(0, n) for n in spec.shape)
    filled = tuple(
        slice(part.start or 0, n if part.stop is None else part.stop, part.step)
        for part, n in zip(box, spec.shape, strict=False)
    )
    if len(box) != len(spec.shape) or any(
        part.step not in (None, 1) or not 0 <= part.start < part.stop <= n
        for part, n in zip(filled, spec.shape, strict=False)
    ):
        shown = ", ".join(f"{part.start}:{part.stop}" for part in box)
        raise SourceError(
            f"box [{shown}] of {spec.source or 'the image'}, whose shape is {spec.shape}",
            "a box is one slice of step 1 for each axis, not empty and inside the image",
        )
    return filled


def _readable(dtype: np.dtype[Any], name: str) -> np.dtype[Any]:
    """Return the native type in which pixels are handed out, or refuse."""
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind in "iu" or (dtype.kind == "f" and dtype.itemsize <= 8):
        return dtype.newbyteorder("=")
    remedy = "take its real part, magnitude or phase and save that" if dtype.kind == "c" else "save it as such"
    raise SourceError(
        f"pixel type {dtype} of {name}",
        "pixels are integers of 8 to 64 bits, floats of 16 to 64 bits, or booleans",
        remedy,
        dtype=str(dtype),
    )


def _equal_channels(stored: RawImage, layout: AxisOrder, dtype: np.dtype[Any]) -> bool:
    """Whether a colour picture is grey; a picture too large to be looked at whole keeps its colours."""
    if math.prod(layout.shape) * dtype.itemsize > 4 * _WHOLE:
        return False
    pixels = _read(stored.pixels, layout, tuple(slice(0, n) for n in layout.shape), dtype)
    red, green, blue = np.moveaxis(pixels, layout.axes.index("c"), 0)
    return bool(np.array_equal(red, green) and np.array_equal(red, blue))


def _by_axis(value: PerAxis, axes: str, word: str) -> dict[str, Any]:
    space = [a for a in axes if a in "zyx"]
    if value is None:
        return {}
    if isinstance(value, Mapping):
        unknown = sorted(set(value) - set(axes))
        if unknown:
            raise SourceError(f"{word} for axes {unknown} of an image with axes '{axes}'", f"it names axes of '{axes}'")
        return dict(value)
    if isinstance(value, str | float | int):
        return dict.fromkeys(space, value)
    for letters in (list(axes), space):
        if len(value) == len(letters):
            return dict(zip(letters, value, strict=True))
    raise SourceError(
        f"{word} {tuple(value)} for an image with axes '{axes}'",
        f"it is one value for {', '.join(space)}, or {len(space)} or {len(axes)} values",
    )


def _check_scale(scale: Mapping[str, float], axes: str, name: str) -> None:
    bad = {a: scale[a] for a in axes if a in scale and not (math.isfinite(scale[a]) and scale[a] > 0)}
    if bad:
        shown = ", ".join(f"{value} along {axis}" for axis, value in bad.items())
        raise SourceError(
            f"px size {shown} of {name}",
            "a px has a finite size above 0",
            "correct the metadata, or give scale",
            scale=dict(bad),
        )


def _spread(counts: Sequence[int], limit: int) -> list[int]:
    """Flat indices of up to `limit` chunks, even along every axis at once.

    An additive recurrence with the generalised golden ratio (Roberts, "The
    unreasonable effectiveness of quasirandom sequences", 2018): a fixed stride
    would meet the same column of chunks again and again.
    """
    root = 2.0
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / (len(counts) + 1))
    picked: dict[int, None] = {}
    for i in range(32 * limit):
        place = [int((0.5 + i * root ** -(d + 1)) % 1.0 * n) for d, n in enumerate(counts)]
        picked[int(np.ravel_multi_index(place, tuple(counts)))] = None
        if len(picked) == limit:
            break
    return sorted(picked)
