"""The GPU benchmark: sizes of the released model, and the whole command on a tiny one."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")

from typer.testing import CliRunner  # noqa: E402

from napari_s1omni.benchmarks.gpu import random_checkpoint  # noqa: E402
from napari_s1omni.benchmarks.gpu.report import measure_gpu  # noqa: E402
from napari_s1omni.errors import EngineUnavailable  # noqa: E402
from napari_s1omni.frontends.cli.main import app  # noqa: E402


def test_networks_are_as_large_as_the_released_ones():
    checkpoint, _ = random_checkpoint.build(random_checkpoint.RELEASED)
    found = random_checkpoint.parameters(checkpoint)
    assert found["backbone"] == 33_357_390_064
    assert found["transformer"] == 20_430_401_088
    assert found["vae"] == 126_892_531


@pytest.mark.parametrize(("free", "layers"), [(140, (64, 60)), (80, (39, 37))])
def test_smaller_memory_gets_fewer_layers(monkeypatch, free, layers):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free * 2**30, free * 2**30))
    size, share = random_checkpoint.fitting_size(torch.device("cuda"))
    assert (size.thinker_layers, size.editor_layers) == layers
    assert share == 1 or layers[0] == int(share * 64)


def test_too_small_memory_is_an_error(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (8 * 2**30, 8 * 2**30))
    with pytest.raises(EngineUnavailable, match="8 GiB of free memory"):
        random_checkpoint.fitting_size(torch.device("cuda"))


def test_a_tiny_model_is_measured_whole():
    report = measure_gpu("cpu", tiny=True)
    assert report.tiny
    assert all(speed and speed > 0 for speed in report.thinking.tokens_per_second.values())
    assert set(report.drawing.seconds_per_step) == {64, 128}
    assert all(seconds for times in report.drawing.seconds_per_step.values() for seconds in times.values())
    assert report.edit_seconds
    assert report.edit_seconds > 50 * report.drawing.seconds_per_step[128][1]
    assert set(report.thinking.invariance) == set(report.drawing.invariance) == {2}


def test_nothing_is_begun_after_the_time():
    report = measure_gpu("cpu", tiny=True, minutes=0)
    assert report.edit_seconds is None
    assert set(report.thinking.tokens_per_second.values()) == {None}


def test_a_cpu_is_refused_without_tiny():
    done = CliRunner().invoke(app, ["bench", "gpu", "--device", "cpu"])
    assert done.exit_code != 0
    assert "Add --tiny" in str(done.exception)
