"""A job from the command line: planned, run, interrupted, resumed, shown, exported and scored."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from napari_s1omni import Result
from napari_s1omni.errors import RunInterrupted
from napari_s1omni.frontends.cli.main import EXIT_CODES


def test_segment_finds_the_discs(s1omni, image, small, tmp_path, discs):
    done = s1omni("segment", image, "out.zarr", *small, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["objects"] == 12
    result = Result.open(tmp_path / "out.zarr")
    assert len(result.records) == 4
    tifffile.imwrite(tmp_path / "truth.tif", discs[1])
    scores = json.loads(s1omni("evaluate", "out.zarr", "--truth", "truth.tif", "--json").out)
    assert scores["AP at IoU 0.5"] == 1.0
    assert scores["Dice"] > 0.9


def test_the_same_call_again_does_nothing(s1omni, image, small, tmp_path):
    assert s1omni("segment", image, "out.zarr", *small).code == 0
    before = (tmp_path / "out.zarr/0/c/0/0").stat().st_mtime_ns
    assert s1omni("segment", image, "out.zarr", *small).code == 0
    assert (tmp_path / "out.zarr/0/c/0/0").stat().st_mtime_ns == before


def test_another_prompt_is_refused_in_words(s1omni, image, small):
    assert s1omni("segment", image, "out.zarr", *small).code == 0
    done = s1omni("segment", image, "out.zarr", *small, "--prompt", "segment the nuclei")
    assert done.code == 73
    assert "prompt 'segment the nuclei' instead of 'segment the discs, about 16 px'" in done.sentence


def test_superres_and_export_keep_intensities_and_pixel_size(s1omni, tmp_path):
    pixels = np.random.default_rng(1).integers(1000, 60000, (70, 90), np.uint16)
    tifffile.imwrite(
        tmp_path / "in.ome.tif", pixels, metadata={"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    )
    assert s1omni("superres", "in.ome.tif", "fine.zarr", "--factor", "2,1", "-q").code == 0
    done = s1omni("export", "fine.zarr", "fine.tif")
    assert done.code == 0, done.err
    with tifffile.TiffFile(tmp_path / "fine.tif") as tiff:
        assert tiff.series[0].shape == (140, 90)
        assert tiff.series[0].dtype == np.uint16
        assert 'PhysicalSizeY="0.25"' in tiff.ome_metadata
        assert 'PhysicalSizeX="0.5"' in tiff.ome_metadata
        np.testing.assert_array_equal(tiff.asarray(), Result.open(tmp_path / "fine.zarr").array[...])
    assert s1omni("export", "fine.zarr", "fine.tif").code == 73
    assert s1omni("export", "fine.zarr", "fine.tif", "--overwrite").code == 0


def test_translate_to_a_stain(s1omni, tmp_path):
    Image.fromarray(np.random.default_rng(2).integers(0, 255, (40, 50, 3), np.uint8)).save(tmp_path / "slide.png")
    assert s1omni("translate", "slide.png", "stain.zarr", "--target", "hematoxylin", "-q").code == 0
    assert Result.open(tmp_path / "stain.zarr").spec.dtype == "float32"
    refused = s1omni("translate", "slide.png", "ct.zarr", "--target", "CT", "-q")
    assert refused.code == 69
    assert "hematoxylin" in refused.sentence
    assert not (tmp_path / "ct.zarr").exists()
    refused = s1omni("translate", "slide.png", "ct.zarr", "--target", "Nuclei", "--engine", "reference", "-q")
    assert refused.code == 69
    assert "an engine that does: 'nano'" in refused.sentence


def test_a_plan_becomes_a_job_file_and_runs_the_same(s1omni, image, tmp_path):
    options = ("--tile-size", 48, "--overlap", 16, "--block-size", 64, "--seed", 7, "--region", "0:96,0:64")
    written = s1omni("plan", image, "--output", "a.zarr", *options, "--yaml")
    (tmp_path / "job.yaml").write_text(written.out)
    assert yaml.safe_load(written.out)["sampling"] == {"seed": 7}
    from_file = json.loads(s1omni("plan", "job.yaml", "--json").out)
    from_options = json.loads(s1omni("segment", image, "a.zarr", *options, "--dry-run", "--json").out)
    assert from_file == from_options
    assert from_file["cost"]["blocks"] == 2
    assert not (tmp_path / "a.zarr").exists()
    assert s1omni("run", "job.yaml", "-q").code == 0
    assert Result.open(tmp_path / "a.zarr").plan.digest == from_file["digest"]


def test_dry_run_prints_its_choices(s1omni, image):
    done = s1omni("segment", image, "out.zarr", "--block-size", 100, "--dry-run")
    assert done.code == 0
    assert "peak memory" in done.out
    assert "'auto' chose reference" in done.out


def test_show(s1omni, image, small):
    s1omni("segment", image, "out.zarr", *small, "--think", "per_tile")
    whole = s1omni("show", "out.zarr")
    assert "4 of 4" in whole.out
    assert "why this engine" in whole.out
    data = json.loads(s1omni("show", "out.zarr", "--json").out)
    assert data["complete"]
    assert len(data["records"]) == 4
    by_index = json.loads(s1omni("show", "out.zarr", "--tile", "1,2", "--json").out)
    by_place = json.loads(s1omni("show", "out.zarr", "--at", "60,90", "--json").out)
    assert by_index == by_place
    assert by_index["key"] == "t0/z0/g0/tile/1/2"
    assert "What I will do" in by_index["text"]
    assert by_index["key"] in s1omni("show", "out.zarr", "--thoughts").out
    assert "thought t0/z0/g0/tile/1/2" in s1omni("show", "out.zarr", "--tile", "1,2").out
    outside = s1omni("show", "out.zarr", "--tile", "9,9")
    assert outside.code == 2
    assert "has no tile" in outside.sentence
    assert s1omni("show", image).code == 66


def test_ctrl_c_keeps_the_state_and_says_how_to_resume(s1omni, tmp_path):
    rng = np.random.default_rng(3)
    Image.fromarray(rng.integers(0, 255, (500, 500), np.uint8)).save(tmp_path / "large.png")
    words = ["superres", "large.png", "out.zarr", "--tile-size", "64", "--overlap", "16", "--block-size", "96"]
    process = subprocess.Popen(
        [sys.executable, "-m", "napari_s1omni", *words],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    journal = tmp_path / "out.zarr/.s1omni/journal"
    until = time.monotonic() + 240
    while not any(p.stat().st_size for p in journal.glob("*.log")) and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=240)
    assert process.returncode == RunInterrupted.exit_code == 130, err
    assert "Resume with: s1omni resume out.zarr" in err
    shown = json.loads(s1omni("show", "out.zarr", "--json").out)
    assert 0 < shown["progress"]["done"] < shown["progress"]["blocks"]
    unfinished = s1omni("evaluate", "out.zarr", "--truth", "large.png")
    assert unfinished.code == 65
    # Output and source may be moved before the run is resumed.
    (tmp_path / "moved").mkdir()
    (tmp_path / "out.zarr").rename(tmp_path / "moved/out.zarr")
    (tmp_path / "large.png").rename(tmp_path / "moved/large.png")
    assert s1omni("resume", "moved/out.zarr", "-q").code == 66
    done = s1omni("resume", "moved/out.zarr", "--source", "moved/large.png", "-q")
    assert done.code == 0, done.err
    assert Result.open(tmp_path / "moved/out.zarr").complete


def test_verify_repairs_a_damaged_block(s1omni, image, small, tmp_path):
    s1omni("segment", image, "out.zarr", *small)
    before = Result.open(tmp_path / "out.zarr").array[...]
    shard = tmp_path / "out.zarr/0/c/0/0"
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 0xFF
    shard.write_bytes(data)
    assert s1omni("resume", "out.zarr", "--verify", "-q").code == 0
    np.testing.assert_array_equal(Result.open(tmp_path / "out.zarr").array[...], before)


def test_a_truth_of_the_whole_source_is_cut_to_the_region(s1omni, image, small, tmp_path, discs):
    assert s1omni("segment", image, "part.zarr", *small, "--region", "32:96,32:96").code == 0
    tifffile.imwrite(tmp_path / "truth.tif", discs[1])
    done = s1omni("evaluate", "part.zarr", "--truth", "truth.tif", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["Dice"] > 0.9
    tifffile.imwrite(tmp_path / "mask.tif", discs[1] > 0)
    said = s1omni("evaluate", "part.zarr", "--truth", "mask.tif").err
    assert "note: the ground truth: 0 means white" in said
    tifffile.imwrite(tmp_path / "other.tif", discs[1][:50])
    assert s1omni("evaluate", "part.zarr", "--truth", "other.tif").code == 2


def test_images_are_scored_by_psnr_and_ssim(s1omni, tmp_path, discs):
    binned = discs[0].reshape(48, 2, 60, 2).mean(axis=(1, 3)).astype(np.uint8)
    Image.fromarray(binned).save(tmp_path / "coarse.png")
    Image.fromarray(discs[0]).save(tmp_path / "fine.png")
    assert s1omni("superres", "coarse.png", "up.zarr", "-q").code == 0
    scores = json.loads(s1omni("evaluate", "up.zarr", "--truth", "fine.png", "--data-range", 255, "--json").out)
    assert scores["PSNR (dB)"] > 15
    assert 0 < scores["SSIM, mean of planes"] <= 1
    assert scores["Pearson"] > 0.9


def test_engines_and_models(s1omni):
    data = json.loads(s1omni("engines", "--json").out)
    assert data["engines"]["reference"]["operations"]
    assert set(data["auto"]) == {"segmentation", "super_resolution", "modality_translation"}
    names = [m["name"] for m in json.loads(s1omni("models", "list", "--json").out)]
    assert "nano" in names
    missing = s1omni("models", "show", "nowhere")
    assert missing.code == 69
    assert "known models are" in missing.sentence.lower()


def test_help_lists_commands_and_exit_codes(s1omni):
    done = s1omni("--help")
    assert done.code == 0
    for code in EXIT_CODES:
        assert str(code) in done.out
    nearest = s1omni("segmen")
    assert nearest.code == 2
    assert "'segment'" in nearest.sentence


@pytest.mark.parametrize("command", ["segment", "superres", "translate", "plan"])
def test_options_are_the_fields_of_the_job(s1omni, command):
    text = s1omni(command, "--help").out
    for option in ("--tile-size", "--overlap", "--block-size", "--seed", "--region", "--think", "--engine", "--prompt"):
        assert option in text
    assert "Edge of a tile in source px" in text
