"""Tables of a batch: settings of the job, columns of lists, objects of all images, and commands on its folder."""

import csv
import json

import numpy as np
import pytest
import yaozarrs
from PIL import Image
from plates import write_plate

from napari_s1omni.results.batch.batch_rows import read_batch
from napari_s1omni.results.result import Result

PROMPT = "bright discs of about 10 px"


def picture(discs, seed=0, shape=(60, 80), channels=None):
    """Discs of 10 px in rows on a noisy ground."""
    image = np.random.default_rng(seed).normal(20, 2, shape)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for i in range(discs):
        image[(y - 10 - 15 * (i // 5)) ** 2 + (x - 8 - 15 * (i % 5)) ** 2 <= 25] += 150
    return np.clip(image, 0, 255).astype(np.uint8)


@pytest.fixture
def job(tmp_path):
    text = json.dumps({"source": "x", "engine": "reference", "operation": {"type": "segmentation", "prompt": PROMPT}})
    (tmp_path / "job.yaml").write_text(text)
    return "job.yaml"


@pytest.fixture
def images(tmp_path):
    (tmp_path / "images").mkdir()
    for i in range(6):
        Image.fromarray(picture(7, i)).save(tmp_path / "images" / f"field {i}.png")
    Image.fromarray(picture(20, 7)).save(tmp_path / "images" / "full.png")
    Image.fromarray(np.full((60, 80), 7, np.uint8)).save(tmp_path / "images" / "grey.png")
    np.save(tmp_path / "images" / "deep.npy", picture(7, 8).astype(np.uint16) * 100)
    (tmp_path / "images" / "notes.txt").write_text("no image")
    return "images"


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_batch_is_run_measured_exported_shown_and_reported(s1omni, job, images, tmp_path):
    run = ("run", job, "--source", images, "--output", "out", "--no-durable", "-q")
    dry = s1omni(*run, "--dry-run")
    assert dry.code == 0
    lines = {line[:22].strip(): line[22:].split() for line in dry.out.splitlines()}
    assert lines["would run"] == ["9"] or "would run" in dry.out
    assert "time with one worker" in dry.out
    assert "kB" in dry.out
    assert dry.out.split("files ignored")[1].split() == ["1"]

    done = s1omni(*run, "--measure", "--export", "geojson")
    assert done.code == 0, done.err
    out = tmp_path / "out"
    table = {row.name: row for row in read_batch(out)}
    assert table["field 0"].warnings == ""
    assert table["full"].warnings == f"unusual: {table['full'].objects} objects, the median is 7"
    assert table["grey"].warnings == "constant image; no objects"
    assert table["deep"].warnings.startswith("unfamiliar: yx, uint16, no pixel size, the others yx, uint8")
    objects = rows_of(out / "objects.csv")
    assert len(objects) == sum(row.objects for row in table.values())
    assert {row["image"] for row in objects} == {*table} - {"grey"}
    whole = Result.open(out / "full.zarr").table()
    assert [float(row["area"]) for row in objects if row["image"] == "full"] == whole["area"].tolist()
    outlines = json.loads((out / "exports" / "full.geojson").read_text())["features"]
    assert len(outlines) == table["full"].objects

    status = s1omni("status", "out")
    assert "9 of 9: 9 done" in status.out
    assert "unusual: " in status.out
    assert json.loads(s1omni("status", "out", "--json").out)["images"] == 9
    assert s1omni("measure", "out", "again.csv").code == 0
    assert (tmp_path / "again.csv").read_bytes() == (out / "objects.csv").read_bytes()
    assert s1omni("measure", "out", "again.parquet").code == 2
    assert s1omni("export", "out", "tif").code == 0
    assert len(list((out / "exports").glob("*.tif"))) == 9
    refused = s1omni("export", "out", "all.geojson")
    assert refused.code == 2
    assert "geojson, zip, tif" in refused.sentence
    assert s1omni("report", "out").code == 0
    page = (out / "batch.html").read_text(encoding="utf-8")
    assert page.index("Unusual images: 3 of 9") < page.index("<br>0 objects") < page.index("All others")
    assert page.count("data:image/") == 9
    assert "run the command of the batch again" in s1omni("resume", "out").sentence.lower()

    # A second run writes nothing again; one more image is one more row.
    Image.fromarray(picture(7, 9)).save(tmp_path / "images" / "another.png")
    before = (out / "exports" / "full.geojson").stat().st_mtime_ns, (out / "tables" / "full.csv").stat().st_mtime_ns
    assert s1omni(*run, "--measure", "--export", "geojson").code == 0
    assert before == (
        (out / "exports" / "full.geojson").stat().st_mtime_ns,
        (out / "tables" / "full.csv").stat().st_mtime_ns,
    )
    assert len({row["image"] for row in rows_of(out / "objects.csv")}) == 9


def test_columns_of_a_list(s1omni, job, images, tmp_path):
    head = "source,treatment,operation.prompt,name\n"
    first, second = "images/field 0.png,ctrl,,\n", "images/field 1.png,drug,dark discs: about 10 px,shining\n"
    (tmp_path / "list.csv").write_text(head + first + second)
    run = ("run", job, "--source", "list.csv", "--output", "out", "--no-durable", "--measure", "-q")
    assert s1omni(*run).code == 0
    table = rows_of(tmp_path / "out" / "batch.csv")
    assert [(row["name"], row["treatment"]) for row in table] == [("field 0", "ctrl"), ("shining", "drug")]
    assert Result.open(table[1]["output"]).plan.job.operation.prompt == "dark discs: about 10 px"
    assert {row["treatment"] for row in rows_of(tmp_path / "out" / "objects.csv") if row["image"] == "field 0"} == {
        "ctrl"
    }
    # Rows inserted in front and of the same name recompute nothing.
    (tmp_path / "images" / "more").mkdir()
    Image.fromarray(picture(7, 9)).save(tmp_path / "images" / "more" / "field 0.png")
    (tmp_path / "list.csv").write_text(head + "images/more/field 0.png,,,\n" + first + second)
    assert s1omni(*run).code == 0
    again = rows_of(tmp_path / "out" / "batch.csv")
    assert [(row["name"], row["state"]) for row in again[1:]] == [
        ("field 0", "already done"),
        ("shining", "already done"),
    ]
    assert (again[0]["name"], again[0]["state"]) == ("more-field 0.png", "done")


@pytest.mark.parametrize(
    ("column", "meant"),
    [
        ("prompt", "operation.prompt"),
        ("promt", "operation.prompt"),
        ("Tile Size", "tiling.tile_size"),
        ("tiling.tilesize", "tiling.tile_size"),
        ("operation.target", None),
        ("scale", "source.scale"),
    ],
)
def test_a_column_that_is_nearly_a_field_is_refused_once(s1omni, job, images, tmp_path, column, meant):
    (tmp_path / "list.csv").write_text(f"source,{column}\nimages/field 0.png,5\nimages/field 1.png,5\n")
    run = s1omni("run", job, "--source", "list.csv", "--output", "out", "-q")
    assert run.code == 2
    assert run.err.count(f"the column '{column.lower()}' is no field of this job") == 1
    assert meant is None or f"but '{meant}' is" in run.err
    assert not (tmp_path / "out").exists()


def test_facts_about_images_are_no_near_misses(s1omni, job, images, tmp_path):
    facts = "well,field,site,x,y,z,t,type,dose,replicate,plate,patient,day,label,magnification,cell type,sample"
    (tmp_path / "list.csv").write_text(f"source,{facts}\nimages/field 0.png{',1' * 17}\n")
    assert s1omni("run", job, "--source", "list.csv", "--output", "out", "--dry-run", "-q").code == 0


@pytest.mark.parametrize(
    ("settings", "changed"),
    [
        (
            ["engine=reference", "tiling.tile_size=48", "tiling.overlap=16"],
            {"tiling": {"tile_size": 48, "overlap": 16}},
        ),
        (["operation.prompt=discs: no, 12 px"], {"operation": {"prompt": "discs: no, 12 px"}}),
        (["sampling.think=off"], {"sampling": {"think": "off"}}),
        (["region=0:32,0:32"], {"region": {"y": (0, 32), "x": (0, 32)}}),
        (["source.scale=0.5,0.5", "source.units=um"], {"source": {"scale": (0.5, 0.5), "units": "um"}}),
        (["operation.type=super_resolution", "operation.factor=2"], {"operation": {"factor": 2}}),
        (["operation.channels=0"], {"operation": {"channels": (0,)}}),
    ],
)
def test_any_field_of_a_job_file_may_be_set(s1omni, job, images, settings, changed):
    words = [word for setting in settings for word in ("--set", setting)]
    done = s1omni("run", job, "--source", "images/field 0.png", *words, "--output", "one.zarr", "--no-durable", "-q")
    assert done.code == 0, done.err
    made = Result.open("one.zarr").plan.job.model_dump()
    for section, values in changed.items():
        assert {name: made[section][name] for name in values} == values
    assert made["source"]["uri"].endswith("field 1.png" if "source=images/field 1.png" in settings else "field 0.png")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("tilesize=256", "no field 'tilesize'. Did you mean 'tiling.tile_size'?"),
        ("prompt=x", "Did you mean 'operation.prompt'?"),
        ("tiling.tile_size", "a setting is NAME=VALUE"),
        ("tiling.tile_size=big", "tiling.tile_size = 'big' must be a whole number"),
    ],
)
def test_a_wrong_setting_names_the_right_one(s1omni, job, images, setting, words):
    refused = s1omni("run", job, "--source", images, "--set", setting, "--output", "out")
    assert refused.code == 2
    assert words.lower() in refused.sentence.lower()


def test_a_dry_run_meets_images_that_write_the_same_output(s1omni, job, images, tmp_path):
    (tmp_path / "list.csv").write_text("source,output\nimages/field 0.png,same.zarr\nimages/field 1.png,same.zarr\n")
    run = ("run", job, "--source", "list.csv", "--output", "out", "--no-durable", "--json")
    dry = s1omni(*run, "--dry-run")
    assert dry.code == 3
    assert [row["state"] for row in json.loads(dry.out)] == ["would run", "would fail"]
    assert "'field 0' and 'field 1' both write" in json.loads(dry.out)[1]["error"]
    assert [row["state"] for row in json.loads(s1omni(*run).out)] == ["done", "failed"]


def test_labels_and_tables_of_a_plate_lie_inside_it(s1omni, tmp_path):
    plate = write_plate(tmp_path / "plate.zarr", {"A/1": [picture(7), picture(4)], "B/03": [picture(5)]})
    job = {"source": "x", "into": "discs", "engine": "reference", "operation": {"type": "segmentation"}}
    (tmp_path / "job.yaml").write_text(json.dumps(job))
    run = ("run", "job.yaml", "--source", plate, "--no-durable", "-q")
    assert s1omni(*run, "--measure").code == 0
    for field in ("A/1/0", "A/1/1", "B/03/0"):
        labels = Result.open(plate / field / "labels" / "discs")
        table = rows_of(plate / field / "tables" / "discs" / "table.csv")
        assert [int(row["label"]) for row in table] == labels.table()["label"].tolist()
    objects = rows_of(plate / "tables" / "discs" / "table.csv")
    assert {(row["image"], row["well"], row["field"]) for row in objects} == {
        ("A-1-0", "A1", "0"), ("A-1-1", "A1", "1"), ("B-03-0", "B03", "0"),
    }  # fmt: skip
    yaozarrs.validate_zarr_store(str(plate))
    assert "3 of 3: 3 done" in s1omni("status", plate).out
    assert s1omni("segment", plate, "--into", "others", "--engine", "reference", "--no-durable", "-q").code == 0
    assert {p.name for p in (plate / "A/1/0/labels").iterdir()} >= {"discs", "others"}
    one = (
        "segment",
        plate / "B/03/0",
        "--into",
        "others",
        "--engine",
        "reference",
        "-q",
        "--measure",
        "--export",
        "zip",
    )
    assert s1omni(*one).code == 0
    assert {p.name for p in (plate / "B/03/0/tables/others").iterdir()} == {"table.csv", "others.zip", "zarr.json"}

    ngio = pytest.importorskip("ngio")
    image = ngio.open_ome_zarr_container(str(plate / "A/1/0"))
    assert image.list_tables() == ["discs"]
    assert len(image.get_table("discs").dataframe) == len(rows_of(plate / "A/1/0/tables/discs/table.csv"))


def test_one_image_is_measured_and_exported_beside_its_result(s1omni, job, images, tmp_path):
    run = ("run", job, "--source", "images/field 0.png", "--output", "one.zarr", "--no-durable", "-q")
    assert s1omni(*run, "--measure", "--export", "geojson").code == 0
    assert len(rows_of(tmp_path / "one.csv")) == len(json.loads((tmp_path / "one.geojson").read_text())["features"])
    assert "is up to date" in s1omni(*run, "--measure").out
    # A file that lies there already may be the image itself.
    Image.fromarray(picture(3)).save(tmp_path / "images" / "raw.tif")
    raw = (tmp_path / "images" / "raw.tif").read_bytes()
    into = ("segment", "images/raw.tif", "images/raw.zarr", "--engine", "reference", "-q")
    assert s1omni(*into, "--export", "tif").code == 73
    assert s1omni(*into).code == 0
    assert s1omni(*into, "--export", "tif").code == 73
    assert (tmp_path / "images" / "raw.tif").read_bytes() == raw
    fine = ("superres", "images/field 0.png", "fine.zarr", "--engine", "reference")
    assert "measuring needs a mask" in s1omni(*fine, "--measure").sentence.lower()
    assert "outlines need a mask" in s1omni(*fine, "--export", "geojson").sentence.lower()
    extra = s1omni("run", job, "--source", "a.png", "b.png", "--output", "out")
    assert "put in quotes" in extra.sentence
