"""``s1omni info``: what is in a file, without reading it."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
import zarr

from napari_s1omni.frontends.cli.main import main
from napari_s1omni.planning.job import Job

CHANNELS = [{"name": "DAPI", "color": "0000FF", "excitation": 405.0, "emission": 461.0}, {"name": "GFP"}]


@pytest.fixture
def scan(scans, tmp_path):
    stack = {"axes": "tczyx", "shape": [2, 2, 3, 600, 700], "channels": CHANNELS, "levels": 3}
    stack |= {"scale": [5.0, None, 2.0, 0.5, 0.5], "units": ["second", None, "micrometer", "micrometer", "micrometer"]}
    return scans(
        tmp_path / "a.scan", {"name": "B/3/R1", **stack}, {"name": "bands", "axes": "lyx", "shape": [4, 80, 80]}
    )


@pytest.fixture
def s1omni(capsys):
    def call(*words):
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        shown = capsys.readouterr()
        return end.value.code or 0, shown.out, shown.err

    return call


def test_all_of_a_file_is_listed(scan, s1omni):
    code, out, err = s1omni("info", scan)
    assert code == 0
    words = " ".join(out.split())
    for text in (
        "2 images",
        "0: B/3/R1",
        "t 2, c 2, z 3, y 600, x 700 (axes tczyx)",
        "z 2 micrometer, y 0.5 micrometer",
        "DAPI (#0000FF, excitation 405 nm, emission 461 nm); GFP",
        "levels 3",
        "1: bands",
        " ms",
    ):
        assert text in words, text
    assert "note: the gamma of the camera is left out" in err


def test_as_json(scan, s1omni):
    code, out, _ = s1omni("info", scan, "--json")
    first, second = json.loads(out)["images"]
    assert code == 0
    assert first["name"] == "B/3/R1"
    assert (first["axes"], first["shape"], first["dtype"]) == ("tczyx", [2, 2, 3, 600, 700], "uint8")
    assert first["scale"] == [5.0, None, 2.0, 0.5, 0.5]
    assert first["units"] == ["second", None, "micrometer", "micrometer", "micrometer"]
    assert first["channels"] == CHANNELS
    assert first["window_seconds"] > 0
    assert second["axes"] == "lyx"
    assert json.loads(out)["bytes"] == os.path.getsize(scan)
    code, out, _ = s1omni("info", scan, "--json", "--image", "bands")
    assert [image["name"] for image in json.loads(out)["images"]] == ["bands"]


def test_folders_damaged_files_and_wrong_names(scan, s1omni, tmp_path):
    (tmp_path / "cut.scan").write_bytes(b"{")
    np.save(tmp_path / "b.npy", np.zeros((40, 50)))
    code, out, err = s1omni("info", tmp_path, "--json")
    assert code == 3
    assert [image["name"] for image in json.loads(out)["images"]] == ["B/3/R1", "bands", "b"]
    assert "cut.scan cannot be read as Test scan" in err
    assert s1omni("info", tmp_path / "cut.scan")[0] == 66
    assert s1omni("info", tmp_path / "gone.scan")[0] == 66
    code, _, err = s1omni("info", scan, "--image", "bnads")
    assert (code, "Did you mean 'bands'" in err) == (66, True)


def test_each_image_says_its_notes_and_its_damage(scan, s1omni, tmp_path):
    code, out, _ = s1omni("info", scan, "--json")
    assert "the gamma of the camera is left out" in json.loads(out)["images"][0]["notes"]
    tifffile.imwrite(tmp_path / "cut.tif", np.arange(4000, dtype=np.uint16).reshape(50, 80))
    os.truncate(tmp_path / "cut.tif", 4000)
    code, out, err = s1omni("info", tmp_path / "cut.tif", "--json")
    [image] = json.loads(out)["images"]
    assert (code, image["window_seconds"], image["error"]) == (3, None, err.strip())
    assert "ends before its pixels do" in err


def test_patterns_of_images_and_of_files(scan, s1omni, tmp_path):
    def names(*words):
        code, out, _ = s1omni("info", *words, "--json")
        return code, [image["name"] for image in json.loads(out)["images"]]

    assert names(scan, "--image", "*") == (0, ["B/3/R1", "bands"])
    assert names(f"{scan}::b*") == (0, ["bands"])
    assert names(f"{tmp_path}/*.scan::1") == (0, ["bands"])
    code, _, err = s1omni("info", f"{scan}::z*")
    assert (code, f"no image 'z*' in {scan}. The file holds 2 images: 'B/3/R1', 'bands'." in err) == (66, True)
    np.save(tmp_path / "b.x.npy", np.zeros((40, 50)))
    assert names(tmp_path / "b.x.npy", "--image", "b.x") == (0, ["b.x"])


def test_a_plate_of_one_field(s1omni, tmp_path):
    field = tmp_path / "p.zarr" / "B" / "03" / "0"
    image = zarr.create_group(field, attributes={"ome": _image()})
    image.create_array("0", data=np.ones((40, 50), np.uint8))
    well = {"well": {"images": [{"path": "0"}]}, "version": "0.5"}
    zarr.create_group(field.parent, attributes={"ome": well})
    plate = {"rows": [{"name": "B"}], "columns": [{"name": "03"}]}
    plate["wells"] = [{"path": "B/03", "rowIndex": 0, "columnIndex": 0}]
    zarr.create_group(tmp_path / "p.zarr", attributes={"ome": {"plate": plate, "version": "0.5"}})
    code, out, err = s1omni("info", tmp_path / "p.zarr", "--json")
    assert (code, err) == (0, "")
    assert [(image["name"], image["shape"]) for image in json.loads(out)["images"]] == [("B/03/0", [40, 50])]


def test_a_broken_field_of_a_plate_is_named_and_the_others_are_listed(s1omni, tmp_path):
    plate = {"rows": [{"name": "B"}], "columns": [{"name": "03"}]}
    plate["wells"] = [{"path": "B/03", "rowIndex": 0, "columnIndex": 0}]
    zarr.create_group(tmp_path / "p.zarr", attributes={"ome": {"plate": plate, "version": "0.5"}})
    well = tmp_path / "p.zarr" / "B" / "03"
    zarr.create_group(well, attributes={"ome": {"well": {"images": [{"path": "0"}, {"path": "1"}]}, "version": "0.5"}})
    for name in ("0", "1"):
        image = zarr.create_group(well / name, attributes={"ome": _image()})
        image.create_array("0", data=np.ones((40, 50), np.uint8))
    (well / "0" / "0" / "zarr.json").write_text("{")
    code, out, err = s1omni("info", tmp_path / "p.zarr", "--json")
    assert code == 3
    broken, whole = json.loads(out)["images"]
    assert (whole["name"], whole["shape"]) == ("B/03/1", [40, 50])
    assert (broken["name"], broken["axes"], broken["error"]) == ("B/03/0", "", err.strip())
    code, out, err = s1omni("info", tmp_path / "p.zarr")
    assert (code, "0: B/03/0: cannot be read" in out, "B/03/0" in err) == (3, True, True)


def _image():
    axes = [{"name": name, "type": "space"} for name in "yx"]
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1.0, 1.0]}]}
    return {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [level]}]}


def test_what_is_missing_is_named(scan, s1omni, tmp_path):
    gone = tmp_path / "gone.scan"
    for choice in ("0", "*"):
        code, _, err = s1omni("info", f"{gone}::{choice}")
        assert (code, err) == (66, f"s1omni: there is nothing at {gone}. Check the path.\n")
    code, _, err = s1omni("info", f"{scan}::")
    assert (code, f"{scan}:: names no image" in err) == (66, True)


def test_a_file_of_50_gigabytes_takes_no_time_and_no_memory(tmp_path):
    path = tmp_path / "huge.npy"
    with path.open("wb") as file:
        about = {"descr": "<u2", "fortran_order": False, "shape": (50, 22_400, 22_400)}
        np.lib.format.write_array_header_1_0(file, about)
        file.truncate(file.tell() + 50 * 22_400 * 22_400 * 2)
    code = (
        "import resource, sys\nfrom napari_s1omni.frontends.cli.main import main\n"
        f"try:\n    main(['info', {str(path)!r}])\nexcept SystemExit as end:\n    assert not end.code\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        # Linux counts the memory of the process that forked in ru_maxrss too.
        "[peak] = [line for line in open('/proc/self/status') if line.startswith('VmHWM')]\n"
        "print(used.ru_utime + used.ru_stime, int(peak.split()[1]) / 1024, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, megabytes = map(float, done.stderr.split("\n")[-2].split())
    assert "50.2 GB on disk" in done.stdout
    assert megabytes < 200
    # Alone it takes half a second, and reading the file takes minutes; other work makes each second of the processor slower.
    assert seconds < 20


def test_ten_thousand_images_are_listed_quickly(scans, tmp_path, s1omni):
    path = scans(tmp_path / "many.scan", *({"name": "R1"} for _ in range(10_000)))
    begin = time.process_time()
    code, out, _ = s1omni("info", path, "--json")
    assert time.process_time() - begin < 20
    images = json.loads(out)["images"]
    assert code == 0
    assert len({image["name"] for image in images}) == 10_000


def test_a_run_chooses_another_image_and_finds_it_where_the_file_was_moved(scan, tmp_path, s1omni):
    job = tmp_path / "job.yaml"
    job.write_text(Job(source=f"{scan}::0", operation={"type": "segmentation"}, engine="reference").dump(), "utf-8")
    output = tmp_path / "o.zarr"
    code, _, err = s1omni("run", job, "--image", "bands", "--output", output, "--quiet")
    assert code == 0, err
    moved = scan.rename(tmp_path / "moved.scan")
    code, out, err = s1omni("resume", output, "--source", moved, "--verify", "--quiet")
    assert code == 0, err
    code, _, err = s1omni("measure", output, tmp_path / "t.csv", "--source", moved)
    assert code == 0, err
    code, _, err = s1omni("measure", output, tmp_path / "u.csv", "--source", moved, "--image", "bands")
    assert code == 0, err
    assert (tmp_path / "t.csv").read_text() == (tmp_path / "u.csv").read_text()
    assert s1omni("plan", moved)[0] == 2
