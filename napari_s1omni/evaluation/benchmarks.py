"""The benchmarks that there are, by name."""

from __future__ import annotations

from napari_s1omni.evaluation.benchmark import Benchmark
from napari_s1omni.evaluation.cigrocksem import CigRockSEM
from napari_s1omni.evaluation.ixi import IXI
from napari_s1omni.evaluation.msd import MSD
from napari_s1omni.evaluation.synthrad import SynthRAD

BENCHMARKS: dict[str, Benchmark] = {each.name: each for each in (MSD(), CigRockSEM(), SynthRAD(), IXI())}
