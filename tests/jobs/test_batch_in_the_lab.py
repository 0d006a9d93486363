"""A night in the lab: mixed folders, corrupt files, plates, full and read-only disks, killed processes."""

import csv
import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
from plates import write_plate
from skimage import data
from skimage.io import imsave
from stored_layers import store_layer
from test_batch import TEMPLATE, spots

from napari_s1omni.errors import StoreError
from napari_s1omni.jobs.batch import run_batch
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.jobs.run import run
from napari_s1omni.results.batch.batch_rows import TABLE
from napari_s1omni.results.result import Result
from napari_s1omni.storage.collections import list_sources
from napari_s1omni.storage.source import open_source

COMMAND = [sys.executable, "-m", "napari_s1omni", "run"]


def states(rows):
    return [row.state for row in rows]


def table_of(folder):
    with (folder / TABLE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def job_file(tmp_path):
    path = tmp_path / "job für heute.yaml"
    path.write_text(TEMPLATE.dump(), encoding="utf-8")
    return path


def test_dtypes_and_axes_may_differ_within_a_folder(tmp_path):
    home = tmp_path / "gemischt"
    home.mkdir()
    tissue = data.immunohistochemistry()[:64, :80]
    imsave(home / "a colour.png", tissue, check_contrast=False)
    imsave(home / "b grey.png", spots(1), check_contrast=False)
    tifffile.imwrite(
        home / "c stack.tif",
        np.stack([spots(2), spots(3)]).astype("uint16") * 99,
        imagej=True,
        metadata={"axes": "ZYX"},
    )
    tifffile.imwrite(home / "d float.tif", spots(4).astype("float32") / 255 - 0.25)
    torn = spots(5).astype("float32")
    torn[:9, :9] = np.nan
    np.save(home / "e with nan.npy", torn)
    tifffile.imwrite(
        home / "f two channels in time.tif",
        np.stack([[spots(6), spots(7)], [spots(8), spots(9)]]),
        imagej=True,
        metadata={"axes": "TCYX"},
    )
    store_layer(
        open_source(spots(10)[None].astype("int16"), axes="zyx", scale=(2, 0.3, 0.3), units="um"), home / "g.zarr"
    )
    shutil.rmtree(home / "g.zarr" / ".s1omni")  # as another program would have written it
    np.save(home / "h all the same.npy", np.full((50, 60), 7, "uint8"))

    rows = run_batch(TEMPLATE, list_sources(home), tmp_path / "out", durable=False)

    assert states(rows) == ["done"] * 8, [row.error for row in rows]
    axes = {row.name[0]: "".join(Result.open(row.output).spec.axes) for row in rows}
    assert axes == {"a": "yx", "b": "yx", "c": "zyx", "d": "yx", "e": "yx", "f": "tyx", "g": "zyx", "h": "yx"}
    assert all(row.objects for row in rows if row.name[0] in "bcdefg")
    assert rows[-1].objects == 0
    assert Result.open(rows[6].output).spec.scale == (2.0, 0.3, 0.3)


@pytest.mark.slow
def test_one_corrupt_file_among_fifty(tmp_path, job_file):
    home = tmp_path / "fünfzig"
    home.mkdir()
    for i in range(50):
        tifffile.imwrite(home / f"field {i:02}.tif", spots(i, (56, 60)), compression="zlib")
    whole = (home / "field 17.tif").read_bytes()
    (home / "field 17.tif").write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "out"
    command = [*COMMAND, job_file, "--source", home, "--output", out, "--no-durable"]

    dry = subprocess.run([*command, "--dry-run", "--json"], capture_output=True, text=True, timeout=200)
    foretold = {row["name"]: row["state"] for row in json.loads(dry.stdout)}
    assert (dry.returncode, foretold.pop("field 17")) == (3, "would fail")
    assert set(foretold.values()) == {"would run"}
    assert not out.exists()

    run = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert run.returncode == 3, run.stderr
    found = {row["name"]: row for row in table_of(out)}
    assert len(found) == 50
    assert found.pop("field 17")["state"] == "failed"
    assert {row["state"] for row in found.values()} == {"done"}
    assert all(int(row["objects"]) > 0 for row in found.values())
    assert "field 17: failed" in run.stderr

    (home / "field 17.tif").write_bytes(whole)
    again = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=250)
    assert again.returncode == 0, again.stderr
    assert [row["state"] for row in json.loads(again.stdout)].count("already done") == 49


def test_a_killed_batch_goes_on_with_the_image_it_was_at(tmp_path, job_file):
    home, out = tmp_path / "images", tmp_path / "out"
    home.mkdir()
    for i in range(6):
        np.save(home / f"{i}.npy", open_source(f"synthetic://nuclei?shape=200,200&seed={i}").read().squeeze())
    command = [*COMMAND, job_file, "--source", home, "--output", out, "--no-durable", "--quiet"]
    process = subprocess.Popen(command)
    end = time.monotonic() + 240
    while not (out / TABLE).exists() or len(table_of(out)) < 2:
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait(240)
    # The table is true even then: it holds what was finished.
    before = table_of(out)
    assert 2 <= len(before) < 6
    digests = [[r.digest for r in Result.open(row["output"]).records] for row in before]
    done = subprocess.run(command, timeout=200)
    assert done.returncode == 0
    after = table_of(out)
    assert [row["state"] for row in after[: len(before)]] == ["already done"] * len(before)
    assert len(after) == 6
    assert [[r.digest for r in Result.open(row["output"]).records] for row in after[: len(before)]] == digests
    assert all(Result.open(row["output"]).complete for row in after)


def test_every_field_of_a_plate_is_run(tmp_path):
    wells = {"A/1": [spots(1), spots(2)], "B/03": [spots(3)]}
    plate = write_plate(tmp_path / "screen 1.zarr", wells)
    rows = run_batch(TEMPLATE, list_sources(plate), tmp_path / "out", durable=False)
    assert [(row.name, row.state) for row in rows] == [("A-1-0", "done"), ("A-1-1", "done"), ("B-03-0", "done")]
    result = Result.open(rows[2].output)
    assert result.spec.scale == (0.5, 0.5)
    assert result.spec.units == ("micrometer", "micrometer")
    alone = run(TEMPLATE.replace(source=str(plate / "B/03/0"), output=str(tmp_path / "alone.zarr")), durable=False)
    np.testing.assert_array_equal(result.array[...], alone.array[...])


def test_results_on_a_read_only_share_are_refused_before_the_first_image(tmp_path, job_file, read_only_share):
    np.save(tmp_path / "image.npy", spots(0))
    entries = list_sources(str(tmp_path / "*.npy"))
    begun = []
    with pytest.raises(StoreError, match="cannot be written"):
        run_batch(TEMPLATE, entries, read_only_share / "out", on_row=begun.append)
    assert not begun
    (row,) = run_batch(TEMPLATE, entries, read_only_share / "out", dry_run=True)
    assert row.state == "would fail"
    assert "read-only" in row.error
    command = [*COMMAND, job_file, "--source", tmp_path / "*.npy", "--output", read_only_share / "out"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 73
    assert "cannot be written" in done.stderr


def test_images_on_a_read_only_share_are_read(tmp_path, read_only_share):
    subprocess.run(["mount", "-o", "remount,rw", read_only_share], check=True)
    np.save(read_only_share / "größe 1.npy", spots(0))
    store_layer(open_source(spots(1)), read_only_share / "store.zarr")
    shutil.rmtree(read_only_share / "store.zarr" / ".s1omni")
    subprocess.run(["mount", "-o", "remount,ro", read_only_share], check=True)
    rows = run_batch(TEMPLATE, list_sources(read_only_share), tmp_path / "out", durable=False)
    assert states(rows) == ["done", "done"], [row.error for row in rows]


def test_a_dry_run_counts_the_space_of_all_images_together(tmp_path, small_share):
    for i in range(4):
        np.save(tmp_path / f"{i}.npy", np.random.default_rng(i).integers(0, 255, (400, 400), np.uint8))
    rows = run_batch(TEMPLATE, list_sources(str(tmp_path / "*.npy")), small_share / "out", dry_run=True)
    assert states(rows) == ["would run", "would run", "would fail", "would fail"]
    assert "DiskFull" in rows[-1].error


def test_a_dry_run_foresees_what_is_there_already(tmp_path):
    for i in range(3):
        np.save(tmp_path / f"{i}.npy", spots(i))
    entries = list_sources(str(tmp_path / "*.npy"))
    run_batch(TEMPLATE, entries[:1], tmp_path / "out", durable=False)
    (tmp_path / "out" / "1.zarr").mkdir()
    (tmp_path / "out" / "1.zarr" / "thesis.txt").write_text("not yours")
    rows = run_batch(TEMPLATE, entries, tmp_path / "out", dry_run=True)
    assert states(rows) == ["already done", "would fail", "would run"]
    assert "thesis.txt" in rows[1].error
    other = TEMPLATE.replace(operation={"type": "segmentation", "prompt": "dark holes"})
    rows = run_batch(other, entries, tmp_path / "out", dry_run=True)
    assert "operation.prompt" in rows[0].error or "prompt" in rows[0].error


def test_results_are_sources_of_the_next_step_where_a_pattern_names_them(tmp_path):
    np.save(tmp_path / "image.npy", spots(0))
    fine = TEMPLATE.replace(operation={"type": "super_resolution"})
    run_batch(fine, list_sources(str(tmp_path / "*.npy")), tmp_path / "fine", durable=False)
    (entry,) = list_sources(str(tmp_path / "fine" / "*.zarr"))
    (row,) = run_batch(TEMPLATE, [entry], tmp_path / "labels", durable=False)
    assert Result.open(row.output).spec.shape == (120, 140)
    assert [e.name for e in list_sources(tmp_path)] == ["image"]


def test_an_image_that_breaks_a_library_costs_only_itself(tmp_path, monkeypatch):
    for i in range(2):
        np.save(tmp_path / f"{i}.npy", spots(i))
    real = prepare
    monkeypatch.setattr(
        "napari_s1omni.jobs.run.prepare",
        lambda job, *more, **known: 1 / 0 if job.source.uri.endswith("0.npy") else real(job, *more, **known),
    )
    rows = run_batch(TEMPLATE, list_sources(str(tmp_path / "*.npy")), tmp_path / "out", durable=False)
    assert states(rows) == ["failed", "done"]
    assert "ZeroDivisionError" in rows[0].error
