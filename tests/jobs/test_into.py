"""Labels written into the store of their source, however the source is named."""

import contextlib
import json
import os

import numpy as np
import pytest
import tifffile
import yaozarrs
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from plates import write_plate

from napari_s1omni.errors import JobError, S1OmniError, StoreError
from napari_s1omni.execution.run.events import BlockDone
from napari_s1omni.jobs.batch import run_batch
from napari_s1omni.jobs.prepare import dry_run
from napari_s1omni.jobs.run import run
from napari_s1omni.planning.job import Job, output_path
from napari_s1omni.results.batch.batch_rows import read_batch
from napari_s1omni.results.result import Result
from napari_s1omni.storage.collections import list_sources
from napari_s1omni.storage.source import open_source

PROMPT = "bright spots of about 9 px"


def spots(shape=(100, 120), seed=0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = rng.normal(20, 2, shape)
    for cy, cx in rng.uniform(8, min(shape) - 8, (6, 2)):
        image += 150 * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 18)
    return np.clip(image, 0, 255).astype("uint8")


def write_image(path, version="0.5", levels=("0", "1"), pixels=None):
    """An image of two levels whose arrays have any names."""
    pixels = spots() if pixels is None else pixels
    old = version == "0.4"
    group = zarr.open_group(path, mode="w", zarr_format=2 if old else 3)
    datasets = []
    for i, name in enumerate(levels):
        group.create_array(
            name, data=pixels[:: 2**i, :: 2**i], chunks=(64, 64), dimension_names=None if old else ("y", "x")
        )
        steps = [{"type": "scale", "scale": [0.5 * 2**i] * 2}]
        datasets.append({"path": name, "coordinateTransformations": steps})
    axes = [{"name": a, "type": "space", "unit": "micrometer"} for a in "yx"]
    image = {"axes": axes, "datasets": datasets, **({"version": "0.4"} if old else {})}
    group.attrs.update(
        {"multiscales": [image]} if old else {"ome": {"version": "0.5", "multiscales": [image]}},
    )
    return path


def job(source, **changes):
    return Job.read(
        {
            "source": source,
            "into": "spots",
            "engine": "reference",
            "operation": {"type": "segmentation", "prompt": PROMPT},
        }
        | changes
    )


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("named", ["image.zarr", "image.zarr/0", "image.zarr/", "./image.zarr/1", "file"])
def test_a_source_named_in_any_way_gets_its_labels_in_its_image(version, named, tmp_path, monkeypatch):
    image = write_image(tmp_path / "image.zarr", version)
    monkeypatch.chdir(tmp_path)
    result = run(job((image / "0").as_uri() if named == "file" else named), durable=False)
    assert result.path.resolve() == image / "labels/spots"
    assert sorted(p.name for p in image.iterdir() if not p.name.startswith((".z", "zarr"))) == ["0", "1", "labels"]
    assert not (image / "0/labels").exists()
    group = zarr.open_group(image / "labels/spots", mode="r")
    assert [group[level].shape for level in "01"] == [(100, 120), (50, 60)]
    assert result.spec.shape == ((50, 60) if named.endswith("1") else (100, 120))
    assert any("labels are enlarged" in note for note in result.plan.notes) == named.endswith("1")
    yaozarrs.validate_zarr_store(str(image))
    source = open_source(str(image / "labels/spots"))
    assert (source.spec.scale, source.spec.units, source.spec.kind) == ((0.5, 0.5), ("micrometer",) * 2, "labels")


def test_the_working_folder_may_lie_inside_the_image(tmp_path, monkeypatch):
    image = write_image(tmp_path / "image.zarr", levels=("s0", "s1"))
    monkeypatch.chdir(image)
    for named in ("s0", "s1"):
        assert output_path(job(named)).resolve() == image / "labels/spots"
    monkeypatch.chdir(image / "s1")
    assert output_path(job(".")).resolve() == image / "labels/spots"


names = st.text("abcs01_", min_size=1, max_size=5)


@settings(max_examples=20, deadline=None)
@given(
    levels=st.lists(st.one_of(names, st.tuples(names, names).map("/".join)), min_size=1, max_size=3, unique=True),
    data=st.data(),
)
def test_a_level_of_any_name_leads_to_its_image_and_no_other_array_does(levels, data, tmp_path_factory):
    home = tmp_path_factory.mktemp("names")
    tops = {level.split("/")[0] for level in levels}
    if any(level in tops and f"{level}/" in "".join(f"{o} " for o in levels if o != level) for level in levels):
        return
    image = home / "image.zarr"
    with contextlib.suppress(ValueError):  # one name is the folder of another
        write_image(image, levels=levels, pixels=np.zeros((8, 8), "uint8"))
        level = data.draw(st.sampled_from(levels))
        assert output_path(job(str(image / level))) == image / "labels/spots"
        zarr.create_array(image / "extra_array", data=np.zeros((4, 4)))
        with pytest.raises(JobError, match="is an array that is no level"):
            output_path(job(str(image / "extra_array")))


def bare_array(path):
    zarr.create_array(path, data=spots())


def bare_array_v2(path):
    zarr.create_array(path, data=spots(), zarr_format=2)


def picture(path):
    tifffile.imwrite(path, spots())


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (bare_array, JobError, "is an array that is no level of an OME-Zarr image"),
        (bare_array_v2, JobError, "is an array that is no level of an OME-Zarr image"),
        (picture, JobError, "is no OME-Zarr image"),
        (lambda path: path.mkdir(), JobError, "is no OME-Zarr image"),
        (lambda path: zarr.create_group(path), S1OmniError, "is a group without the key multiscales"),
    ],
    ids=["array", "array of v2", "picture", "folder", "group"],
)
def test_what_takes_no_labels_is_refused_with_the_way_on(make, error, words, tmp_path):
    source = tmp_path / "source"
    make(source)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(error, match=words):
        run(job(str(source)))
    with pytest.raises(S1OmniError):
        dry_run(job(str(source)))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "uri", ["s3://bucket/image.zarr", "https://example.org/image.zarr/0", "synthetic://nuclei?shape=9,9"]
)
def test_a_source_behind_a_url_takes_no_labels(uri, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(JobError, match="into' with the source") as caught:
        run(job(uri))
    assert uri in str(caught.value)
    assert "set 'output'" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_field_of_a_plate_and_its_level(tmp_path):
    plate = write_plate(tmp_path / "plate.zarr", {"A/1": [spots(), spots(seed=1)], "B/2": [spots(seed=2)]})
    for named in ("A/1/1", "B/2/0/0"):
        run(job(str(plate / named)), durable=False)
    found = sorted(p.relative_to(plate).as_posix() for p in plate.rglob("labels"))
    assert found == ["A/1/1/labels", "B/2/0/labels"]
    yaozarrs.validate_zarr_store(str(plate))
    for named in ("A/1", "A"):
        before = sorted(plate.rglob("*"))
        with pytest.raises(S1OmniError) as caught:
            run(job(str(plate / named)))
        assert f"{plate}/{named}" in str(caught.value)
        assert sorted(plate.rglob("*")) == before


def test_every_field_of_a_plate_gets_labels_and_the_plate_nothing_else(tmp_path):
    plate = write_plate(tmp_path / "plate.zarr", {"A/1": [spots(), spots(seed=1)], "B/2": [spots(seed=2)]})
    before = {p: p.read_bytes() for p in plate.rglob("*") if p.is_file()}
    rows = run_batch(job(str(plate)), list_sources(plate), None, durable=False)
    assert [row.state for row in rows] == ["done"] * 3
    assert [row.output for row in rows] == [
        str(plate / f"{field}/labels/spots") for field in ("A/1/0", "A/1/1", "B/2/0")
    ]
    assert {p: p.read_bytes() for p in before} == before
    new = {p for p in plate.rglob("*") if p.is_file()} - before.keys()
    table = plate / "tables" / "spots"
    assert all("labels" in p.parts or table in p.parents for p in new)
    assert [row.output for row in read_batch(table)] == [row.output for row in rows]
    yaozarrs.validate_zarr_store(str(plate))
    assert [row.state for row in run_batch(job(str(plate)), list_sources(plate), None)] == ["already done"] * 3


class Killed(BaseException):
    """Stands for the death of the process."""


@pytest.mark.parametrize("version", [pytest.param("0.4", marks=pytest.mark.slow), "0.5"])
def test_a_killed_run_is_resumed_and_a_damaged_one_mended(version, tmp_path):
    image = write_image(tmp_path / "image.zarr", version, pixels=spots((300, 200)))
    whole = write_image(tmp_path / "whole.zarr", version, pixels=spots((300, 200)))
    tiling = {"tile_size": 64, "overlap": 32, "block_size": 64}
    expected = run(job(str(whole), tiling=tiling), durable=False)
    assert len(expected.plan.grid) > 6
    done = []

    def stop(event):
        if isinstance(event, BlockDone):
            done.append(event)
            if len(done) == 4:
                raise Killed

    with pytest.raises(Killed):
        run(job(str(image), tiling=tiling), durable=False, on_event=stop)
    part = Result.open(image / "labels/spots")
    assert not part.complete
    assert not (image / "labels/zarr.json").exists()
    assert not (image / "labels/.zattrs").exists()
    assert 0 < len(part.records) < len(part.plan.grid)
    result = run(job(str(image), tiling=tiling), durable=False)
    for mine, its in zip(result.levels, expected.levels, strict=True):
        assert np.array_equal(mine[...], its[...])
    yaozarrs.validate_zarr_store(str(image))
    chunk = next(p for p in (image / "labels/spots/0").rglob("*") if p.is_file() and p.name.isdigit())
    chunk.write_bytes(chunk.read_bytes()[:-9])
    again = run(job(str(image), tiling=tiling), durable=False, verify=True)
    for mine, its in zip(again.levels, expected.levels, strict=True):
        assert np.array_equal(mine[...], its[...])


def test_an_image_that_cannot_follow_is_refused_before_the_first_tile(tmp_path):
    image = write_image(tmp_path / "image.zarr", "0.4")
    attributes = json.loads((image / ".zattrs").read_bytes())
    attributes["multiscales"][0]["datasets"].append({"path": "2", "coordinateTransformations": []})
    (image / ".zattrs").write_text(json.dumps(attributes))
    with pytest.raises(StoreError, match=r"level '2' of .* does not exist"):
        run(job(str(image)))
    assert not (image / "labels").exists()
    assert os.listdir(tmp_path) == ["image.zarr"]


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text("abZ09._- /ä", max_size=6), st.sampled_from(["zarr.json", ".zgroup", ".zattrs", "..", "__x"])))
def test_labels_have_names_that_zarr_and_every_disk_know(name):
    plain = name.replace("_", "a").replace("-", "a").replace(".", "a")
    allowed = plain.isascii() and plain.isalnum() and not name.startswith((".", "__")) and name != "zarr.json"
    if allowed:
        assert job("image.zarr", into=name).into == name
    else:
        with pytest.raises(JobError, match="cannot name labels; a name has letters"):
            job("image.zarr", into=name)


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(image, words):
    before = files(image)
    with pytest.raises(StoreError, match=words):
        run(job(str(image)))
    assert files(image) == before


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_image_of_two_pyramids_stays_as_it_is(version, tmp_path):
    image = write_image(tmp_path / "image.zarr", version)
    group = zarr.open_group(image)
    ome = group.attrs["ome"] if version == "0.5" else dict(group.attrs)
    ome["multiscales"] = [*ome["multiscales"], {**ome["multiscales"][0], "name": "other"}]
    group.attrs.update({"ome": ome} if version == "0.5" else ome)
    refused(image, "holds 2 multiscale images. Labels go into an image that holds one. Write to a separate output")


@pytest.mark.parametrize(
    ("version", "text", "words"),
    [
        ("0.4", "{ no JSON", "no JSON object"),
        ("0.5", "[]", "no JSON object"),
        ("0.4", '{"labels": "cells"}', "lists the labels 'cells'. The key labels is a list of names"),
        ("0.4", '{"labels": [1]}', "is a list of names. Correct it, or write to a separate output folder"),
    ],
)
def test_a_list_of_labels_that_cannot_be_read_is_not_replaced(version, text, words, tmp_path):
    image = write_image(tmp_path / "image.zarr", version)
    zarr.create_group(image / "labels", zarr_format=2 if version == "0.4" else 3)
    (image / "labels" / (".zattrs" if version == "0.4" else "zarr.json")).write_text(text)
    refused(image, words)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("listed", [{}, {"labels": None}, {"labels": ["older"]}, {"mine": 1}])
def test_a_list_of_labels_grows(version, listed, tmp_path):
    image = write_image(tmp_path / "image.zarr", version)
    group = zarr.create_group(image / "labels", zarr_format=2 if version == "0.4" else 3)
    group.attrs.update(listed if version == "0.4" else {"ome": {"version": "0.5", **listed}})
    run(job(str(image)), durable=False)
    attributes = dict(zarr.open_group(image / "labels", mode="r").attrs)
    found = attributes if version == "0.4" else attributes["ome"]
    assert found["labels"] == [*(listed.get("labels") or ()), "spots"]
    assert found.get("mine") == listed.get("mine")
