"""Questions from the file to the answer, with code in the real sandbox, and their replay."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from skimage import draw
from typer.testing import CliRunner

from napari_s1omni.asking.question import Question
from napari_s1omni.asking.session import Asking, open_sandbox, replay_folder
from napari_s1omni.asking.transcript import FILE, read_transcript
from napari_s1omni.endpoint.protocol import Capabilities, Reply, ToolCall
from napari_s1omni.errors import JobError, SandboxMissing, StoreDamaged, StoreMissing, UnknownQuestion
from napari_s1omni.frontends.cli.main import app


@pytest.fixture(scope="module")
def sandbox():
    """One sandbox for all questions that may share it: each gets a kernel of its own."""
    try:
        open_sandbox(Question.read({"source": "memory:1", "text": "x"})).close()
    except SandboxMissing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """12 discs of 10 um."""
    image = np.random.default_rng(0).normal(100, 4, (300, 400))
    for row in range(3):
        for col in range(4):
            image[draw.disk((50 + 90 * row, 50 + 90 * col), 10.2)] += 150
    path = tmp_path_factory.mktemp("images") / "cells.ome.tif"
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(path, image.astype(np.uint16), metadata={"axes": "YX", **size})
    return path


def question(cells, text="How many cells are there?", **fields):
    return Question.read({"source": str(cells), "text": text, **fields})


class Model:
    """Looks at a place, measures it, and answers with what it was told."""

    name, capabilities = "test model", Capabilities()

    def __init__(self):
        self.rounds, self.closed = 0, False

    def complete(self, turns, **_):
        self.rounds += 1
        if self.rounds == 1:
            code = (
                "from scipy import ndimage as ndi\n"
                "part = region(0, 0, layer['shape'][-2], layer['shape'][-1])\n"
                "found = ndi.label(ndi.gaussian_filter(part.astype(float), 2) > 170)[1]\n"
                "note('discs', found, '')\n"
                "picture = view((30, 30, 130, 230))\n"
                "show(np.asarray(picture)[:, :50], 'a part')\n"
                "print(picture.box, images[0].shape)\n"
            )
            return Reply("", calls=(ToolCall("python", {"code": "import numpy as np\n" + code}, code),))
        return Reply("There are " + turns[-1].text.split("discs = ")[1].split()[0] + ".")

    def close(self):
        self.closed = True


def test_a_model_looks_and_measures_in_the_sandbox(sandbox, cells, tmp_path):
    model = Model()
    with Asking(question(cells, mode="look", endpoint="lab"), tmp_path / "asked", model=model) as asking:
        answer = asking.ask()
    assert answer.text == "There are 12."
    assert [(note.name, note.value) for note in answer.notes] == [("discs", 12)]
    assert answer.boxes == ((30, 30, 130, 230),)
    assert model.closed
    cell = next(event for event in read_transcript(tmp_path / "asked") if event["kind"] == "cell")
    assert cell["text"].strip() == "(30, 30, 130, 230) (300, 400, 3)"
    assert len(cell["pictures"]) == 2
    replayed = replay_folder(tmp_path / "asked")
    assert (replayed.cells, replayed.pictures, replayed.notes, replayed.differences) == (1, 3, 1, ())


def test_the_command_measures_and_replays(sandbox, cells, tmp_path):
    folder = tmp_path / "asked"
    asked = CliRunner().invoke(app, ["ask", str(cells), "How many cells?", "--transcript", str(folder), "--json"])
    found = json.loads(asked.stdout)
    assert found["answer"] == "12 bright cells."
    assert {"name": "all: count", "value": 12.0, "unit": ""} in found["notes"]
    assert found["boxes"] == [[0, 0, 300, 400]]
    assert found["rounds"] == 1
    replayed = CliRunner().invoke(app, ["replay", str(folder), "--json"])
    assert json.loads(replayed.stdout)["differences"] == []
    assert replayed.exit_code == 0


def test_a_forged_value_is_found_by_the_replay(sandbox, cells, tmp_path):
    with Asking(question(cells), tmp_path / "asked") as asking:
        asking.ask()
    file = tmp_path / "asked" / FILE
    file.write_text(file.read_text().replace('"value": 12.0', '"value": 312.0', 1))
    replayed = CliRunner().invoke(app, ["replay", str(tmp_path / "asked")])
    assert replayed.exit_code == 1
    assert "noted all: count = 12.0, and all: count = 312.0 before" in replayed.stdout


def test_another_layer_is_refused(sandbox, cells, tmp_path):
    with Asking(question(cells), tmp_path / "asked") as asking:
        asking.ask()
    other = tmp_path / "other.tif"
    tifffile.imwrite(other, np.zeros((300, 400), np.uint16))
    with pytest.raises(StoreDamaged, match="has other pixels"):
        replay_folder(tmp_path / "asked", other)
    with pytest.raises(StoreMissing):
        replay_folder(tmp_path / "nothing")


def no_sandbox(_):
    raise SandboxMissing("nothing confines code here")


def test_without_a_sandbox_own_code_still_measures_and_says_so(cells, tmp_path):
    with Asking(question(cells), tmp_path / "asked", open_kernel=no_sandbox) as asking:
        answer = asking.ask()
    assert answer.text == "12 bright cells."
    assert any("without one" in reason for reason in answer.reasons)


def test_without_a_sandbox_no_code_of_a_model_is_run(cells, tmp_path):
    class Eager(Model):
        def complete(self, turns, *, tools=(), **_):
            assert not tools
            return Reply("I see discs.")

    with Asking(question(cells, endpoint="lab"), tmp_path / "asked", model=Eager(), open_kernel=no_sandbox) as asking:
        answer = asking.ask()
    assert answer.mode == "reason"
    assert "nothing confines code here." in answer.reasons


def test_only_the_region_is_asked_about(cells, tmp_path):
    with Asking(question(cells, region="0:100,0:400"), tmp_path / "a", open_kernel=no_sandbox) as asking:
        assert asking.ask().text == "4 bright cells."
    with (
        pytest.raises(JobError, match="The layer has 300 rows"),
        Asking(question(cells, region="0:900,0:400"), tmp_path / "b", open_kernel=no_sandbox) as asking,
    ):
        asking.ask()


def test_what_cannot_be_measured_needs_a_model(cells, tmp_path):
    with (
        pytest.raises(UnknownQuestion, match="Without a model you can ask how many"),
        Asking(question(cells, "Is it cancer?"), tmp_path / "asked", open_kernel=no_sandbox) as asking,
    ):
        asking.ask()


def test_objects_on_white_ground_are_dark(tmp_path):
    picture = np.full((200, 300, 3), 235, np.uint8)
    # Most of it is stained, so that what covers less than half is the ground.
    picture[20:180, 20:280] = (190, 120, 150)
    for row in range(4):
        for col in range(6):
            picture[draw.disk((45 + 36 * row, 50 + 40 * col), 10)] = (80, 60, 120)
    tifffile.imwrite(tmp_path / "section.tif", picture, photometric="rgb")
    asked = question(tmp_path / "section.tif", "How many nuclei are there?")
    with Asking(asked, tmp_path / "asked", open_kernel=no_sandbox) as asking:
        answer = asking.ask()
    assert answer.text == "24 dark nuclei."
    assert "the ground is white, so stained objects are taken to be dark" in answer.reasons
