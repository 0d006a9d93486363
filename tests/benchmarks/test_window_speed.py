"""Windows of files of microscopes are timed against the library of their format, and read the same pixels."""

import numpy as np
import pytest

from napari_s1omni.benchmarks.reading.agreement import check
from napari_s1omni.benchmarks.reading.files import images
from napari_s1omni.benchmarks.reading.window_speed.windows import measure_windows


@pytest.fixture
def folder(tmp_path):
    pytest.importorskip("pylibCZIrw")
    pytest.importorskip("nd2")
    pytest.importorskip("liffile")
    from napari_s1omni.benchmarks.reading.instrument_files.leica import write_lif
    from napari_s1omni.benchmarks.reading.instrument_files.nikon import planes, write_nd2
    from napari_s1omni.benchmarks.reading.instrument_files.zeiss import write_czi

    plane = np.random.default_rng(0).integers(0, 60_000, (3, 600, 700)).astype(np.uint16)
    scenes = [(plane[s], (2000 * s, 0), {}, s) for s in range(2)]
    write_czi(tmp_path / "a.czi", scenes, {0: "DAPI"})
    write_nd2(tmp_path / "b.nd2", plane[..., np.newaxis], planes(3, 2.0))
    lengths = {"x": (0, 1e-4), "y": (0, 1e-4), "z": (0, 1e-5)}
    write_lif(tmp_path / "c.lif", [("one", plane, "zyx", {"lengths": lengths})])
    return tmp_path


def test_files_agree_with_their_libraries(folder):
    found = [check(path, format) for path, format in images(folder)]
    assert [finding.outcome for finding in found] == ["equal"] * 4, found


def test_windows_are_timed(folder):
    rows = list(measure_windows(folder, made=("MRC", "Nikon ND2")))
    assert [row.format for row in rows] == ["Zeiss CZI", "Zeiss CZI", "Nikon ND2", "Leica LIF", "MRC"]
    # How fast is measured on an idle machine, by `s1omni bench readers --windows`.
    assert all(row.ours > 0 and row.alone > 0 for row in rows)
