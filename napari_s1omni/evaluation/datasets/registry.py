"""The known benchmarks by name."""

from __future__ import annotations

from napari_s1omni.evaluation.datasets.benchmark import Benchmark
from napari_s1omni.evaluation.datasets.cigrocksem import CigRockSEM
from napari_s1omni.evaluation.datasets.ixi import IXI
from napari_s1omni.evaluation.datasets.msd import MSD
from napari_s1omni.evaluation.datasets.synthrad import SynthRAD

BENCHMARKS: dict[str, Benchmark] = {benchmark.name: benchmark for benchmark in (MSD(), CigRockSEM(), SynthRAD(), IXI())}
