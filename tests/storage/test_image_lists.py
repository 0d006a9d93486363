"""Lists of images in every dialect that spreadsheets and people write."""

import csv
import io
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_s1omni.errors import SourceError
from napari_s1omni.jobs.batch import run_batch
from napari_s1omni.planning.job import Job
from napari_s1omni.storage.collections import list_sources

TEMPLATE = Job.read({"source": "template", "engine": "reference", "operation": {"type": "segmentation"}})


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Write a list beside two images, with another working folder, and list it."""
    for name in ("a.npy", "b, c.npy"):
        np.save(tmp_path / name, np.zeros((30, 40), np.uint8))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    def written(content, name="list.csv"):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        found = list_sources(f"../{name}")
        return [(e.uri.removeprefix(f"{tmp_path}/"), dict(e.changes)) for e in found], found

    return written


@pytest.mark.parametrize(
    "content",
    [
        "source,operation.prompt\na.npy,nuclei\n",
        "source;operation.prompt\na.npy;nuclei\n",
        "source\toperation.prompt\na.npy\tnuclei\n",
        "source|operation.prompt\na.npy|nuclei\n",
        "\ufeffsource,operation.prompt\r\na.npy,nuclei\r\n\r\n",
        "sep=;\nsource;operation.prompt\na.npy;nuclei\n",
        " Source , Operation.Prompt \n a.npy , nuclei \n",
        '"SOURCE","operation.prompt"\n"a.npy","nuclei"\n',
        "operation.prompt,source,,\nnuclei,a.npy,,\n,,,\n\n",
        "\n;;\nsource;operation.prompt;;\na.npy;nuclei;;\n;;;\n",
        "source,operation.prompt\ra.npy,nuclei\r",
        "source;operation.prompt\na.npy;nuclei\na.npy;nuclei\n",
        "source,operation.prompt\na.npy,nuclei\n".encode("utf-16"),
        "source\toperation.prompt\na.npy\tnuclei\n".encode("utf-16-le"),
        "source\toperation.prompt\na.npy\tnuclei\n".encode("utf-16-be"),
        "source;operation.prompt;operation.target größe\na.npy;nuclei;\n".encode("cp1252"),
    ],
)
def test_one_list_in_many_dialects(read, content):
    rows, _ = read(content)
    assert rows == [("a.npy", {"operation.prompt": "nuclei"})]


@pytest.mark.parametrize("name", ["list.txt", "list.csv", "list.tsv"])
def test_a_plain_list_of_files(read, name):
    rows, found = read("# my files\r\na.npy\r\n\r\nb, c.npy\r\nhttps://host/c.tif\r\na.npy\r\n", name)
    assert [uri for uri, _ in rows] == ["a.npy", "b, c.npy", "https://host/c.tif"]
    assert any("written twice" in note for note in found.notes)
    rows, _ = read("a.npy;;\nb, c.npy;;\n", name)
    assert [uri for uri, _ in rows] == ["a.npy", "b, c.npy"]


def test_what_is_changed_or_skipped_is_said(read):
    rows, found = read(
        "source;source.scale;operation.prompt;operation.min_size\na.npy;0,65;about 1,5 um;2,5 um2\n;;;\n"
    )
    expected = {"source.scale": "0.65", "operation.prompt": "about 1,5 um", "operation.min_size": "2.5 um2"}
    assert rows[0][1] == expected
    notes = " ".join(found.notes)
    assert "source.scale 0,65 in row 1 is read as 0.65" in notes
    assert "1 empty rows" in notes
    rows, found = read("source;\na.npy;my remark\n")
    assert rows == [("a.npy", {})]
    assert "without a name" in found.notes[0]
    rows, found = read("source,operation.prompt\na.npy,größere Kerne\n".encode("cp1252"))
    assert rows[0][1] == {"operation.prompt": "größere Kerne"}
    assert "Windows-1252" in found.notes[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("source,operation.prompt\na.npy,nuclei, 20 px\n", "row 1 of .* has 3 cells"),
        ("source,operation.prompt\n,nuclei\n", "row 1 of .* has no source"),
        ("source,source\na.npy,a.npy\n", "2 columns 'source'"),
        ("file,prompt\na.npy,nuclei\n", "no column 'source'"),
        ("a.npy\nsomething else\n", "line 2 of .*, 'something else', names no image"),
        ("", "holds no images"),
        (b"PK\3\4\0\0\0", "is no text"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_its_row(read, content, words):
    with pytest.raises(SourceError, match=words):
        read(content)


def test_paths_of_another_system_spare_the_other_rows(read, tmp_path):
    _, found = read("source\nC:\\data\\x.tif\nsub\\y.tif\n~/z.npy\nfile:///nowhere/a%20b.npy\na.npy\n")
    rows = run_batch(TEMPLATE, found, tmp_path / "out", durable=False)
    assert [row.state for row in rows] == ["failed"] * 4 + ["done"]
    assert all("path of Windows" in row.error for row in rows[:2])
    assert "nowhere/a b.npy" in rows[3].error
    assert [e.name for e in found] == ["x", "y", "z", "a b", "a"]


CELLS = st.text(string.ascii_letters + " ,;|\t\"'äß.", max_size=12).map(str.strip)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["a.npy", "d/e.tif", "https://h/x,y.tif"]), CELLS), min_size=1, max_size=5),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
def test_what_a_spreadsheet_writes_is_read_back(tmp_path_factory, rows, separator, encoding, end, swap):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator=end)
    for source, prompt in [("source", "operation.prompt"), *rows]:
        writer.writerow([prompt, source] if swap else [source, prompt])
    path = tmp_path_factory.getbasetemp() / "random.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    found = [(e.uri, dict(e.changes).get("operation.prompt", "")) for e in list_sources(path)]
    kept = list(dict.fromkeys(rows))
    assert found == [(s if "://" in s else f"{path.parent}/{s}", p) for s, p in kept]


def test_an_image_that_is_listed_again_without_a_name_is_told_of_the_column(tmp_path):
    rows = "source,operation.prompt\na.png,segment the nuclei\na.png,segment the cells\nb.png,segment the cells\n"
    (tmp_path / "list.csv").write_text(rows, encoding="utf-8")
    found = list_sources(tmp_path / "list.csv")
    assert [entry.name for entry in found] == ["a", "a-2", "b"]
    (note,) = found.notes
    assert "1 row of" in note
    assert "a column 'name' gives each a name of its own" in note
