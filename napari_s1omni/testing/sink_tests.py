"""A conformance suite for sinks, to be subclassed in the tests of any sink.

::

    from napari_s1omni.testing.sink_tests import SinkTests


    class TestMine(SinkTests):
        def make(self, target, block, folder):
            return MySink(target, block)
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.errors import StoreError
from napari_s1omni.storage.result.pyramid import Pyramid, halve
from napari_s1omni.storage.sinks.sink import Sink


@dataclass(frozen=True, slots=True)
class SinkCase:
    """A target layer and the size of the blocks in which it is written."""

    axes: str
    shape: tuple[int, ...]
    dtype: str
    block: tuple[int, ...]
    kind: str = "image"
    z_scale: float = 1.0
    """Pixel size along z; it is 1 along y and x."""

    def __str__(self) -> str:
        sizes = "x".join(map(str, self.shape))
        return f"{self.kind}-{self.dtype}-{self.axes}-{sizes}-by-{'x'.join(map(str, self.block))}-z{self.z_scale:g}"

    @property
    def target(self) -> LayerSpec:
        """The target layer."""
        scale = tuple(self.z_scale if axis == "z" else 1.0 for axis in self.axes)
        kind: Any = self.kind
        return LayerSpec(self.shape, tuple(self.axes), self.dtype, scale=scale, kind=kind)

    def pixels(self) -> NDArray[Any]:
        """Return reproducible pixels over the whole range of the dtype; labels form patches with background between."""
        rng = np.random.default_rng(len(str(self)))
        dtype = np.dtype(self.dtype)
        if self.kind == "labels":
            patches = rng.integers(0, 90, tuple(-(-n // 5) for n in self.shape))
            for axis, n in enumerate(self.shape):
                patches = np.repeat(patches, 5, axis).take(range(n), axis)
            found: NDArray[Any] = (patches * (patches > 20)).astype(dtype)
            return found
        if dtype.kind == "f":
            return (rng.standard_normal(self.shape) * 1e4).astype(dtype)
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, self.shape, dtype, endpoint=True)

    def blocks(self) -> list[tuple[int, ...]]:
        """Return the index of every block."""
        return list(itertools.product(*(range(-(-n // b)) for n, b in zip(self.shape, self.block, strict=True))))

    def origin(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Return the first pixel of a block."""
        return tuple(i * b for i, b in zip(index, self.block, strict=True))

    def part(self, pixels: NDArray[Any], index: tuple[int, ...]) -> NDArray[Any]:
        """Return the pixels of a block."""
        return pixels[tuple(slice(o, o + b) for o, b in zip(self.origin(index), self.block, strict=True))]


CASES = (
    SinkCase("yx", (3001, 2777), "uint16", (1024, 1024)),
    SinkCase("yx", (3001, 2777), "uint32", (512, 512), "labels"),
    SinkCase("yx", (523, 1031), "float32", (96, 100)),
    SinkCase("yx", (1, 1201), "int16", (512, 512)),
    SinkCase("yx", (37, 41), "uint8", (256, 256)),
    SinkCase("cyx", (3, 541, 1061), "uint8", (1, 512, 512)),
    SinkCase("cyx", (3, 541, 613), "uint8", (3, 256, 512)),
    SinkCase("zyx", (7, 523, 601), "uint16", (2, 512, 256)),
    SinkCase("zyx", (7, 523, 601), "uint16", (1, 512, 512)),
    SinkCase("zyx", (5, 523, 1201), "uint32", (4, 256, 256), "labels", z_scale=2.5),
    SinkCase("tczyx", (2, 2, 3, 257, 521), "float32", (1, 1, 3, 256, 256)),
)
"""Odd and prime sizes, edges smaller than a block, block sizes that cannot be halved, and all kinds of axes."""


class SinkTests:
    """What every :class:`~napari_s1omni.storage.sinks.sink.Sink` must do. A subclass must override :meth:`make`."""

    def make(self, target: LayerSpec, block: tuple[int, ...], folder: Path) -> Sink:
        """Return an empty sink. Must be overridden.

        Parameters
        ----------
        target : LayerSpec
            The layer to write.
        block : tuple of int
            Size of a block in pixels, per axis of the target.
        folder : Path
            An empty folder that the sink may use.
        """
        raise NotImplementedError("override 'make' to return the sink under test")

    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_blocks_in_any_order_give_the_levels_of_the_whole(self, case: SinkCase, tmp_path: Path) -> None:
        """Every level equals the whole level above, halved, in whatever order the blocks are written."""
        sink = self.make(case.target, case.block, tmp_path)
        pixels = case.pixels()
        order = case.blocks()
        np.random.default_rng(1).shuffle(order)
        for index in order:
            sink.write_block(case.origin(tuple(index)), case.part(pixels, tuple(index)))
        sink.complete_pyramid()
        layout = Pyramid.of(case.target, case.block).levels
        assert len(sink.levels) == len(layout)
        whole = pixels
        for i, (level, array) in enumerate(zip(layout, sink.levels, strict=True)):
            if i:
                whole = halve(whole, level.halved, labels=case.kind == "labels")
            assert tuple(array.shape) == level.shape
            assert np.dtype(array.dtype) == pixels.dtype
            assert np.array_equal(np.asarray(array[...]), whole)
            box = tuple(slice(n // 3, n // 3 + max(1, n // 2)) for n in level.shape)
            assert np.array_equal(sink.read(box, i), whole[box])

    def test_what_was_not_written_is_zero(self, tmp_path: Path) -> None:
        """A new sink reads as 0, and so do the pixels beside a written block."""
        case = SinkCase("yx", (300, 300), "uint16", (128, 128))
        sink = self.make(case.target, case.block, tmp_path)
        sink.write_block((128, 128), np.full((128, 128), 7, "uint16"))
        assert np.unique(sink.read((slice(128, 256), slice(128, 256)))).tolist() == [7]
        assert not sink.read((slice(0, 128), slice(0, 300))).any()

    def test_a_block_written_again_replaces_the_first(self, tmp_path: Path) -> None:
        """Blocks can be replaced, also with zeros, and the coarser levels follow."""
        case = SinkCase("yx", (1024, 1024), "uint16", (512, 512))
        sink = self.make(case.target, case.block, tmp_path)
        for value in (9, 5, 0):
            sink.write_block((0, 512), np.full((512, 512), value, "uint16"))
            assert np.unique(sink.read((slice(0, 512), slice(512, 1024)))).tolist() == [value]
            assert np.unique(sink.read((slice(0, 256), slice(256, 512)), 1)).tolist() == [value]

    def test_digest_is_of_the_values(self, tmp_path: Path) -> None:
        """The digest depends on values, positions and shape, not on memory order or byte order."""
        case = SinkCase("yx", (512, 256), "uint16", (256, 256))
        sink = self.make(case.target, case.block, tmp_path)
        pixels = case.pixels()[:256]
        first = sink.write_block((0, 0), pixels)
        assert sink.digest((0, 0)) == first
        assert sink.write_block((256, 0), np.asfortranarray(pixels)) == first
        assert sink.write_block((256, 0), np.repeat(pixels, 2, 1)[:, ::2]) == first
        assert sink.write_block((256, 0), pixels.T.copy()) != first
        assert sink.digest((1, 0)) != first
        changed = pixels.copy()
        changed[100, 7] ^= 1
        assert sink.write_block((256, 0), changed) != first

    @pytest.mark.parametrize(
        ("origin", "shape", "dtype"),
        [
            ((0, 1), (128, 128), "uint16"),
            ((384, 0), (128, 128), "uint16"),
            ((-128, 0), (128, 128), "uint16"),
            ((0,), (128, 128), "uint16"),
            ((256, 256), (128, 128), "uint16"),
            ((0, 0), (127, 128), "uint16"),
            ((0, 0), (1, 128, 128), "uint16"),
            ((0, 0), (128, 128), "uint8"),
            ((0, 0), (128, 128), "float32"),
        ],
        ids=str,
    )
    def test_anything_but_one_block_is_refused(
        self, origin: tuple[int, ...], shape: tuple[int, ...], dtype: str, tmp_path: Path
    ) -> None:
        """Anything but a whole block of the right dtype is refused, and nothing is written."""
        sink = self.make(SinkCase("yx", (300, 300), "uint16", (128, 128)).target, (128, 128), tmp_path)
        with pytest.raises(StoreError):
            sink.write_block(origin, np.ones(shape, dtype))
        assert not sink.read((slice(0, 300), slice(0, 300))).any()

    def test_coarse_levels_follow_the_blocks_that_are_done(self, tmp_path: Path) -> None:
        """Coarse levels are computed once their blocks are done, and again only if a block changed."""
        case = SinkCase("yx", (1000, 2000), "uint16", (200, 200))
        sink = self.make(case.target, case.block, tmp_path)
        pixels = case.pixels()
        digests: dict[tuple[int, ...], str] = {}
        for index in case.blocks():
            if index[1] < 5:
                digests[index] = sink.write_block(case.origin(index), case.part(pixels, index))
        early = sink.complete_pyramid(digests)
        assert early > 0
        assert sink.complete_pyramid(digests) == 0
        for index in case.blocks():
            if index not in digests:
                digests[index] = sink.write_block(case.origin(index), case.part(pixels, index))
        late = sink.complete_pyramid(digests)
        assert early + late == sum(
            1 for level in Pyramid.of(case.target, case.block).coarse for _ in _units(case, level)
        )
        pixels[:200, :200] = 3
        digests[0, 0] = sink.write_block((0, 0), pixels[:200, :200])
        assert sink.complete_pyramid(digests) == len(sink.levels) - 1
        whole = pixels
        for i in range(1, len(sink.levels)):
            whole = halve(whole, (True, True))
            assert np.array_equal(sink.read((slice(None), slice(None)), i), whole)

    def test_is_a_sink(self, tmp_path: Path) -> None:
        """The sink implements the protocol and reports its target and block size."""
        case = SinkCase("yx", (300, 200), "uint8", (128, 64))
        sink = self.make(case.target, case.block, tmp_path)
        assert isinstance(sink, Sink)
        assert (sink.target, sink.block) == (case.target, case.block)


def _units(case: SinkCase, level: int) -> list[tuple[int, ...]]:
    return list(Pyramid.of(case.target, case.block).units(level))
