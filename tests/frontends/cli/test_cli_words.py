"""What the command line says of what it was asked, and with which exit code it ends."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_s1omni import Result, settings
from napari_s1omni.frontends.cli.main import EXIT_CODES


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of the first result that a test makes; the others get copies."""
    return tmp_path_factory.mktemp("made") / "out.zarr"


@pytest.fixture
def result(made, s1omni, image, small, tmp_path):
    if not made.exists():
        assert s1omni("segment", image, made, *small).code == 0
    return Path(shutil.copytree(made, tmp_path / "out.zarr"))


def said(ended, code, *words):
    assert ended.code == code, ended.err
    assert code in EXIT_CODES
    assert "Traceback" not in ended.err
    for word in words:
        assert word.lower() in ended.err.lower(), ended.err
    return ended


@pytest.mark.parametrize("command", ["show", "status", "resume", "cancel", "pause", "attach", "report"])
def test_a_folder_that_is_not_there_is_66_and_a_similar_one_is_named(s1omni, tmp_path, command):
    (tmp_path / "nuclei.zarr").mkdir()
    said(s1omni(command, "nuclej.zarr"), 66, "there is no folder", "did you mean 'nuclei.zarr'?")
    said(s1omni(command, "nuclei.zarr"), 66, "holds no")


@pytest.mark.parametrize(("command", "more"), [("cancel", ()), ("pause", ()), ("focus", ("10,10",))])
def test_a_run_that_has_ended_is_not_controlled(s1omni, result, command, more):
    before = sorted(p.name for p in (result / ".s1omni").iterdir())
    said(s1omni(command, result, *more), 2, "no run is at work", "it is complete")
    assert sorted(p.name for p in (result / ".s1omni").iterdir()) == before


def test_resuming_what_is_complete_does_nothing_and_says_so(s1omni, result):
    ended = said(s1omni("resume", result), 0, "nothing is left to do")
    assert "12 objects" in ended.out
    assert "pyramid" not in ended.err
    assert json.loads(s1omni("resume", result, "--json").out)["objects"] == 12
    assert "Nothing" not in s1omni("resume", result, "--verify").err


def test_running_again_says_that_all_is_there(s1omni, result, image, small):
    ended = s1omni("segment", image, "out.zarr", *small[:-1])
    said(ended, 0, "all blocks are already finished")
    assert "joining" not in ended.err


def test_overwrite_replaces_another_result_and_drop_returns(s1omni, result, image, small):
    other = (*small, "--prompt", "segment the cells, about 16 px")
    said(s1omni("segment", image, "out.zarr", *other), 73, "--overwrite")
    said(s1omni("segment", image, "out.zarr", *other, "--dry-run", "--overwrite"), 0)
    said(s1omni("segment", image, "out.zarr", *other, "--overwrite"), 0)
    assert Result.open(result).plan.job.operation.prompt == "segment the cells, about 16 px"
    ended = said(s1omni("redo", result, "--drop"), 0)
    assert "Back at the earlier version:\n12 objects" in ended.out
    assert Result.open(result).plan.job.operation.prompt == "segment the discs, about 16 px"


@pytest.mark.parametrize("command", [("measure", "table.csv"), ("export", "out.tif"), ("export", "out.geojson")])
def test_a_damaged_result_is_74(s1omni, result, command):
    name, file = command
    shard = result / "0/c/0/0"
    data = bytearray(shard.read_bytes())
    for i in range(len(data)):
        data[i] ^= 0x5A
    shard.write_bytes(bytes(data))
    said(s1omni(name, result, file), 74, "damaged", "s1omni resume", "--verify")
    assert not (result.parent / file).exists()
    said(s1omni("resume", result, "--verify", "-q"), 0)
    said(s1omni(name, result, file), 0)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "zarr.json").write_bytes(b"{"),
        lambda folder: (folder / "zarr.json").unlink(),
        lambda folder: (folder / "0/zarr.json").unlink(),
        lambda folder: shutil.rmtree(folder / "0"),
        lambda folder: _without(folder / "zarr.json", "plan"),
    ],
)
def test_lost_metadata_is_74(s1omni, result, damage):
    damage(result)
    for command in (("show",), ("measure", "table.csv"), ("export", "out.tif")):
        said(s1omni(command[0], result, *command[1:]), 74)


def _without(file, key):
    data = json.loads(file.read_text())
    del data["attributes"]["s1omni"][key]
    file.write_text(json.dumps(data))


def test_a_deleted_block_is_74_and_is_made_again(s1omni, result):
    (result / "0/c/0/0").unlink()
    said(s1omni("measure", result, "table.csv"), 74, "of the 12 objects", "--verify")
    assert not (result.parent / "table.csv").exists()
    said(s1omni("resume", result, "--verify", "-q"), 0)
    said(s1omni("measure", result, "table.csv"), 0)


def test_a_report_is_not_overwritten_by_itself(s1omni, result):
    page = result.with_suffix(".html")
    page.write_text("my notes")
    said(s1omni("report", result), 73, "already exists", "--overwrite")
    assert page.read_text() == "my notes"
    said(s1omni("report", result, "--overwrite"), 0)
    assert page.read_text() != "my notes"


def test_a_plan_without_an_operation_says_which_it_is(s1omni, image):
    said(s1omni("plan", image, "--yaml"), 0, "this is the plan of a segmentation")
    assert "segmentation" not in s1omni("plan", image, "--operation", "super_resolution", "--yaml").err
    (image.parent / "job.yaml").write_text(s1omni("plan", image, "--operation", "segmentation", "--yaml").out)
    said(s1omni("plan", "job.yaml"), 0)
    said(s1omni("plan", "job.yaml", "--operation", "super_resolution"), 2, "--operation beside the job file")
    said(s1omni("plan", "job.yaml", "--output", "other.zarr"), 2, "--output beside the job file")


def test_an_empty_prompt_is_no_request(s1omni, image, result):
    said(s1omni("segment", image, "new.zarr", "--prompt", " "), 2, "the prompt is empty")
    said(s1omni("redo", result, "--tiles", "0/0", "--prompt", ""), 2, "the prompt is empty")
    (image.parent / "job.yaml").write_text(f"source: {image}\noperation: {{type: segmentation, prompt: ''}}\n")
    said(s1omni("run", "job.yaml"), 2, "the prompt is empty")


def test_an_unknown_engine_tells_of_packages(s1omni, image):
    said(s1omni("segment", image, "x.zarr", "-e", "referens"), 69, "reference", "napari_s1omni.engines")


def test_tiles_have_one_notation_everywhere(s1omni, result):
    keys = {s1omni("show", result, "--tile", tile, "--json").out for tile in ("1/1", "1,1", "0/1/1", "0/0/1/1")}
    assert len(keys) == 1
    said(s1omni("show", result, "--tile", "9/9"), 2, "rows 0 to", "columns 0 to")
    said(s1omni("show", result, "--tile", "1/1,1/2"), 2, "one tile")
    said(s1omni("redo", result, "--tiles", "1,1", "--seed", 3, "-q"), 0)


def test_a_missing_recipe_is_one_sentence(s1omni):
    said(s1omni("train", "nano", "--config", "nosuch.yaml"), 2, "recipe", "nosuch.yaml", "no such file")


@pytest.mark.parametrize("bench", ["nuclei", "restored", "volumes"])
def test_images_to_measure_are_named_not_guessed(s1omni, monkeypatch, bench):
    monkeypatch.delenv("S1OMNI_DATA", raising=False)
    said(s1omni("bench", bench), 2, "no folder of images is named", "S1OMNI_DATA")
    monkeypatch.setenv("S1OMNI_DATA", "nowhere")
    said(s1omni("bench", bench), 2, "there is no folder nowhere")
    with pytest.raises(settings.JobError, match="--data"):
        settings.data_folder("nowhere")


def test_a_single_plane_with_a_step_along_z_has_areas(s1omni, tmp_path, discs):
    np.save(tmp_path / "plane.npy", discs[0][None])
    np.save(tmp_path / "flat.npy", discs[0])
    words = ("--prompt", "segment the discs, about 8 um", "--min-size", "30 um2", "--units", "um", "-q")
    tables = []
    for name, axes, scale in (("plane", "zyx", "3,0.5,0.5"), ("flat", "yx", "0.5,0.5")):
        done = s1omni("segment", f"{name}.npy", f"{name}.zarr", *words, "--axes", axes, "--scale", scale)
        assert done.code == 0, done.err
        tables.append(Result.open(tmp_path / f"{name}.zarr").table())
    plane, flat = tables
    assert len(plane["label"]) == 12
    for name, values in flat.items():
        np.testing.assert_array_equal(plane[name], values, err_msg=name)
    assert set(plane) - set(flat) == {"centroid_z", "bbox_min_z", "bbox_max_z"}
    assert set(plane["area_unit"]) == {"micrometer^2"}
    assert s1omni("report", "plane.zarr").code == 0
    assert "z 3 micrometer" not in (tmp_path / "plane.html").read_text()


def test_a_result_is_shown_in_words_and_its_path_in_one_line(s1omni, result, tmp_path):
    shown = said(s1omni("show", result), 0).out
    assert "mean score" in shown
    assert "(0.95 to 1.05 is invisible)" in shown
    assert "{" not in shown
    far = tmp_path / "-".join(["a folder with a long name"] * 4) / "-".join(["and another"] * 6)
    far.mkdir(parents=True)
    moved = shutil.copytree(result, far / "nuclei.zarr")
    compared = said(s1omni("evaluate", moved, "--truth", moved), 0).out
    assert f"{moved} against {moved}" in compared.splitlines()


def test_an_option_that_is_given_twice_is_refused(s1omni, image, tmp_path):
    written = s1omni("plan", image, "--operation", "segmentation", "--output", "a.zarr", "--yaml").out
    assert "  prompt: segment the nuclei\n" in written, "also where it is the default"
    (tmp_path / "job.yaml").write_text(written, encoding="utf-8")
    for option, setting in (
        ("--output", "output=c.zarr"),
        ("--source", "source=d.png"),
        ("--source", "source.uri=d.png"),
    ):
        ended = said(s1omni("run", "job.yaml", option, "b.zarr", "--set", setting), 2, "say two things")
        assert option in ended.err
