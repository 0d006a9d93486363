"""A batch over files of several images: every image, or those that are chosen; screens become plates."""

import csv
import json

import numpy as np
import pytest

import napari_s1omni
from napari_s1omni.errors import SourceError
from napari_s1omni.frontends.cli.main import main
from napari_s1omni.planning.job import Job
from napari_s1omni.results.batch.warnings import image_warnings
from napari_s1omni.storage.collections import is_collection, list_sources
from napari_s1omni.storage.listing.image_headers import list_images


@pytest.fixture
def s1omni(capsys):
    def call(*words):
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        shown = capsys.readouterr()
        return end.value.code or 0, shown.out, shown.err

    return call


@pytest.fixture
def folder(scans, tmp_path):
    home = tmp_path / "images"
    home.mkdir()
    scans(home / "two.scan", {"name": "A"}, {"name": "weiß b"})
    scans(home / "one.scan", {"name": "only"})
    scans(
        home / "screen.scan",
        *({"name": f"{well}/{field}"} for well in ("B/3", "B/10", "A/1") for field in ("R1", "R2")),
    )
    np.save(home / "plain.npy", np.zeros((64, 64), np.uint8))
    (home / "notes.md").write_text("x")
    return home


def names(where):
    return [entry.name for entry in list_sources(where)]


def test_every_image_of_every_file_is_listed(folder):
    listed = list_sources(folder)
    assert [entry.name for entry in listed] == [
        "one",
        "plain",
        *(f"screen-{well}-{field}" for well in ("B-3", "B-10", "A-1") for field in ("R1", "R2")),
        "two-A",
        "two-weiß b",
    ]
    assert listed[-1].uri == f"{folder}/two.scan::weiß b"
    assert listed[2].place == "screen.zarr/B/3/R1"
    assert dict(listed[2].changes) == {"well": "B3", "field": "R1"}
    assert "2 files hold several images" in " ".join(listed.notes)


def test_a_job_chooses_among_them(folder):
    assert names(f"{folder}::0") == ["one", "plain", "screen-B-3-R1", "two-A"]
    assert names(f"{folder}/*.scan::*/R2") == ["screen-B-3-R2", "screen-B-10-R2", "screen-A-1-R2"]
    assert "have no image '*/R2'" in " ".join(list_sources(f"{folder}/*.scan::*/R2").notes)
    assert names(f"{folder}/two.scan::*") == ["two-A", "two-weiß b"]
    assert not is_collection(f"{folder}/two.scan")
    assert not is_collection(f"{folder}/two.scan::1")


def test_rows_of_a_list_choose_too(folder, tmp_path):
    (tmp_path / "list.csv").write_text(
        "source,name,source.image,dose\nimages/two.scan,control,,1\nimages/two.scan::1,,,2\nimages/screen.scan,,B/3/R2,3\n"
        "images/two.scan,,nothing,4\n",
        "utf-8",
    )
    listed = list_sources(tmp_path / "list.csv")
    assert [entry.name for entry in listed] == [
        "control-A",
        "control-weiß b",
        "two-weiß b",
        "screen-B-3-R2",
        "two-nothing",
    ]
    assert listed.columns == ("dose",)


def test_files_of_one_stem_keep_apart(scans, tmp_path):
    for name in ("a.scan", "a.tif.scan"):
        scans(tmp_path / name, {"name": "A/1/x y"}, {"name": "A/1/xy"}, {"name": "B/2/ü"})
    scans(tmp_path / "b.scan", {"name": "1/2"}, {"name": "1-2"})
    listed = list_sources(tmp_path)
    assert len({entry.name for entry in listed}) == len(listed) == 8
    places = [entry.place for entry in listed if entry.place]
    assert places[:3] == ["a.zarr/A/1/0", "a.zarr/A/1/1", "a.zarr/B/2/2"]
    assert len(set(places)) == 6


def test_a_folder_of_files_goes_to_one_table(folder, tmp_path, s1omni):
    job = tmp_path / "job.yaml"
    job.write_text(Job(source=str(folder), operation={"type": "segmentation", "prompt": "segment, about 16 px"}).dump())
    results = tmp_path / "results"
    words = ("run", job, "--source", folder, "--output", results, "--measure", "--set", "engine=reference")
    code, _, err = s1omni(*words)
    assert code == 0, err
    with (results / "batch.csv").open(encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert rows["screen-B-3-R1"]["output"] == str(results / "screen.zarr/B/3/R1")
    assert rows["screen-B-3-R1"]["well"] == "B3"
    assert rows["two-weiß b"]["source"].endswith("two.scan::weiß b")
    assert (results / "two-weiß b.zarr").is_dir()
    with (results / "objects.csv").open(encoding="utf-8") as file:
        objects = list(csv.DictReader(file))
    assert {row["image"] for row in objects} >= {"one", "two-A", "screen-A-1-R2"}
    for row in objects:
        assert row["unit"] == "micrometer"
        assert float(row["area"]) == pytest.approx(np.pi * 16, rel=0.2)
    plate = json.loads((results / "screen.zarr/zarr.json").read_text())["attributes"]["ome"]["plate"]
    assert [well["path"] for well in plate["wells"]] == ["A/1", "B/3", "B/10"]
    assert plate["field_count"] == 2
    assert [header.name for header in list_images(results / "screen.zarr")][:2] == ["A/1/R1", "A/1/R2"]
    # The plate is a result, and the batch goes on where it is.
    code, out, _ = s1omni(*words)
    assert code == 0
    assert out.count("already done") == 1
    with pytest.raises(SourceError, match="5 results of earlier runs are skipped"):
        list_sources(results)


def test_one_of_several_is_chosen_on_the_command_line(folder, tmp_path, s1omni):
    scan = folder / "two.scan"
    common = ("--engine", "reference", "--dry-run")
    code, _, err = s1omni("segment", scan, tmp_path / "o.zarr", *common)
    assert code == 2
    assert "'A', 'weiß b'" in err
    code, out, _ = s1omni("segment", scan, tmp_path / "o.zarr", "--image", "weiß b", *common)
    assert (code, "two.scan::weiß b" in out) == (0, True)
    code, out, _ = s1omni("segment", f"{scan}::1", tmp_path / "o.zarr", *common)
    assert (code, "two.scan::weiß b" in out.replace("\n", "")) == (0, True)
    code, _, err = s1omni("segment", scan, tmp_path / "all", "--image", "*", *common)
    assert (code, err.count("would run")) == (0, 2)
    code, _, err = s1omni("segment", f"{scan}::1", tmp_path / "o.zarr", "--image", "0", *common)
    assert code == 2


def test_an_image_is_constant_if_all_its_channels_are(tmp_path):
    grey = np.full((2, 60, 80), 7, np.uint8)
    both = grey.copy()
    both[0, 20:40, 20:40] = 200
    said = []
    for name, pixels in (("grey", grey), ("both", both)):
        result = napari_s1omni.segment(pixels, axes="cyx", engine="reference", output=tmp_path / name)
        said.append("constant image" in image_warnings(result))
    assert said == [True, False]
