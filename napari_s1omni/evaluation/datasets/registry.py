"""The benchmarks that there are, by name."""

from __future__ import annotations

from napari_s1omni.evaluation.datasets.benchmark import Benchmark
from napari_s1omni.evaluation.datasets.cigrocksem import CigRockSEM
from napari_s1omni.evaluation.datasets.ixi import IXI
from napari_s1omni.evaluation.datasets.msd import MSD
from napari_s1omni.evaluation.datasets.synthrad import SynthRAD

BENCHMARKS: dict[str, Benchmark] = {each.name: each for each in (MSD(), CigRockSEM(), SynthRAD(), IXI())}
