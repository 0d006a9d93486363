"""Questions that are answered by measuring: what is read from words, where it is measured, and what is said."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import draw

from napari_s1omni.asking.measuring import objects
from napari_s1omni.asking.measuring.answer import answer_in_words
from napari_s1omni.asking.measuring.grammar import read_measurement
from napari_s1omni.asking.measuring.plan import plan_measurement
from napari_s1omni.asking.view import PixelBox
from napari_s1omni.asking.viewer import Viewer
from napari_s1omni.errors import ViewError
from napari_s1omni.storage.source import open_source


@pytest.mark.parametrize(
    ("text", "quantity", "kind", "polarity", "extreme"),
    [
        ("How many dark nuclei are there?", "count", "nuclei", "dark", None),
        ("Combien de noyaux y a-t-il ?", "count", "nuclei", None, None),
        ("how large are the cells", "size", "cells", None, None),
        ("How dense are the nuclei?", "density", "nuclei", None, None),
        ("Where is the largest nucleus?", "place", "nuclei", None, "largest"),
        ("Where is the darkest cell?", "place", "cells", None, "darkest"),
        ("the smallest one, please", "place", None, None, "smallest"),
        ("How bright are the spots?", "brightness", "spots", None, None),
        ("Wie viele Zellkerne gibt es?", "count", "nuclei", None, None),
        ("有多少个细胞核?", "count", "nuclei", None, None),
        ("compare 0:100,0:100 with 100:200,0:100", "count", None, None, None),
    ],
)
def test_questions_are_read(text, quantity, kind, polarity, extreme):
    asked = read_measurement(text)
    assert (asked.quantity, asked.kind, asked.polarity, asked.extreme) == (quantity, kind, polarity, extreme)


def test_regions_are_read():
    boxes = read_measurement("Compare 0:100,20:90 with 100 : 200, 0:100.").boxes
    assert boxes == (PixelBox(0, 20, 100, 90), PixelBox(100, 0, 200, 100))


@pytest.mark.parametrize(
    "text",
    [
        "What kind of tissue is this?",
        "Is the patient ill?",
        "Describe the picture.",
        "How many cells are larger than 50 px?",
        "How many nuclei are dividing?",
        "有多少个细胞核正在分裂",
        "Wie viele Zellkerne sind größer als 30 px?",
        "How many planes are there?",
        "How large is the image?",
        "How bright is the background?",
        "What is the total area of the nuclei?",
        "Where are the three largest cells?",
        "How many brown nuclei are there?",
        "How many elephants are there?",
    ],
)
def test_other_questions_are_not_answered(text):
    assert read_measurement(text) is None


@pytest.fixture(scope="module")
def image():
    """60 discs of 20 px, one of 40 px, some of which touch, on a noisy ground."""
    rng = np.random.default_rng(0)
    image = rng.normal(100, 5, (600, 800))
    for row in range(6):
        for col in range(10):
            image[draw.disk((50 + 90 * row, 50 + 22 * col), 10.2, shape=image.shape)] += 200
    image[draw.disk((300, 600), 20.2, shape=image.shape)] += 200
    return image.astype(np.uint16)


def ask(image, text, part=None, **spec):
    """Measure without a sandbox, by the very code that is run there."""
    source = open_source(image, **spec)
    viewer = Viewer(source)
    plan = plan_measurement(read_measurement(text), source.spec, part or viewer.box)
    notes = {}
    exec(
        compile(plan.code, "code", "exec"),
        {"region": viewer.region, "note": lambda name, value, unit: notes.__setitem__(name, value), "__name__": "cell"},
    )
    return *answer_in_words(plan, notes), plan, notes


def test_touching_objects_are_counted_one_by_one(image):
    text, boxes, _, notes = ask(image, "How many objects are there?")
    assert text == "61 bright objects."
    assert boxes == [PixelBox(0, 0, 600, 800)]
    assert notes["all: count"] == 61


def test_sizes_are_in_the_unit_of_the_layer(image):
    text, *_ = ask(image, "How large are the bright objects?", scale=0.5, units="um")
    assert "µm" in text
    assert float(text.split(" is ")[1].split()[0]) == pytest.approx(10, rel=0.08)


def test_sizes_without_a_pixel_size_are_in_px_and_said(image):
    *_, plan, _ = ask(image, "How large are the objects?")
    assert "the layer states no pixel size: sizes are in px" in plan.notes


def test_the_largest_is_found(image):
    text, (box,), *_ = ask(image, "Where is the largest object?")
    assert box.contains(PixelBox(290, 590, 310, 610))
    assert PixelBox(275, 575, 325, 625).contains(box)
    assert "its diameter is 4" in text


def test_regions_are_compared(image):
    text, boxes, *_ = ask(image, "compare 0:600,0:300 with 200:400,500:700")
    assert "60 bright objects" in text
    assert "1 bright objects" in text
    assert boxes == [PixelBox(0, 0, 600, 300), PixelBox(200, 500, 400, 700)]


def test_nothing_is_found_in_noise_and_in_one_value():
    noise = np.random.default_rng(1).normal(100, 10, (300, 300)).astype(np.uint16)
    for empty in (noise, np.full((300, 300), 7, np.uint16)):
        assert ask(empty, "How many cells are there?")[0] == "No cells stand out from the background."


class Endless:
    """A large layer with a disc every 64 px."""

    shape, dtype = (40_000, 50_000), np.dtype("uint8")

    def __getitem__(self, box):
        rows, cols = (np.arange(*s.indices(n)) % 64 - 32 for s, n in zip(box, self.shape, strict=True))
        return np.where(rows[:, None] ** 2 + cols**2 < 100, 200, 20).astype(np.uint8)


def test_a_large_layer_is_sampled_and_said(monkeypatch):
    monkeypatch.setattr("napari_s1omni.asking.measuring.plan._WINDOW", 512)
    text, boxes, plan, _ = ask(Endless(), "How many cells are there?", axes="yx")
    assert len(boxes) == 9
    assert plan.share < 0.01
    found = float(text.split()[1].replace(",", ""))
    assert found == pytest.approx(40_000 * 50_000 / 64**2, rel=0.1)
    assert "windows that cover 0.12%" in text


@pytest.mark.parametrize("region", ["0:700,0:10", "10:10,0:10"])
def test_regions_outside_are_refused(image, region):
    source = open_source(image)
    with pytest.raises(ViewError, match="region 1"):
        plan_measurement(read_measurement(f"how many in {region}"), source.spec, PixelBox(0, 0, 600, 800))


def test_the_code_needs_only_public_libraries():
    import ast
    import inspect

    tree = ast.parse(inspect.getsource(objects))
    roots = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert roots <= {"__future__", "collections", "typing", "numpy", "scipy", "skimage"}
