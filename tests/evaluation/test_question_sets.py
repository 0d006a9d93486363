"""Benchmarks of questions are read from their published layouts, made small here."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.questions.registry import QUESTION_SETS


def png(level):
    file = io.BytesIO()
    Image.fromarray(np.full((5, 7, 3), level, np.uint8)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def table(path, *rows):
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["\t".join(names), *("\t".join(str(row.get(name, "")) for name in names) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(name, place):
    return list(QUESTION_SETS[name].items(place))


def both(name, items, *texts):
    answers = {item.id: text for item, text in zip(items, texts, strict=False)}
    chosen = QUESTION_SETS[name]
    return chosen.published(items, answers), chosen.strict(items, answers)


def test_vstar_in_its_three_layouts(tmp_path):
    Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(tmp_path / "a.png")
    text = "What is the material of the glove?\n(A) rubber\n(B) cotton\nAnswer with the option's letter directly."
    row = {"image": "a.png", "text": text, "category": "direct_attributes", "label": "B", "question_id": 3}
    (tmp_path / "test_questions.jsonl").write_text(json.dumps(row))
    (item,) = read("vstar", tmp_path)
    assert (item.id, item.answer, dict(item.options)) == ("3", "B", {"A": "rubber", "B": "cotton"})
    assert item.prompt == (0, text)
    assert item.images[0]().shape == (5, 7, 3)
    folder = tmp_path / "original/relative_position"
    folder.mkdir(parents=True)
    letters = set()
    for i in range(4):
        given = {"question": "Left or right?", "options": ["left", "right"], "target_object": ["cup"]}
        (folder / f"sa_{i}.json").write_text(json.dumps(given))
    for item in read("vstar", tmp_path / "original"):
        assert item.options[item.answer] == "left"
        letters.add(item.answer)
    assert letters == {"A", "B"}, "the place does not tell the right option"
    listed = table(
        tmp_path / "v.tsv", {"index": 0, "question": "?", "A": "x", "B": "y", "answer": "A", "image": png(1)}
    )
    assert read("vstar", listed)[0].answer == "A"
    with pytest.raises(SourceError, match="is not V"):
        read("vstar", folder.parent / "nothing")


def test_options_that_the_published_reader_takes_for_missing_are_left_out(tmp_path):
    row = {"index": 0, "question": "?", "A": "x", "B": "None", "C": "z", "answer": "C", "image": png(1)}
    (item,) = read("gmai-mmbench", table(tmp_path / "g.tsv", row))
    assert list(item.options) == ["A", "C"]


@pytest.mark.parametrize("chinese", [False, True])
def test_mme_realworld(tmp_path, chinese):
    options = ["(A) red", "(B) green", "(C) blue", "(D) grey", "(E) The image does not feature it"]
    row = {
        "index": 4,
        "image": png(9),
        "question": "Which colour?",
        "multi-choice options": options,
        "answer": "A",
        "category": "Perception/OCR with Complex Context",
        "l2-category": "sign",
    }
    place = tmp_path / ("MME-RealWorld-CN" if chinese else "MME-RealWorld")
    place.mkdir()
    (place / "ocr.json").write_text(json.dumps([row, {**row, "index": 5, "answer": "C"}]))
    items = read("mme-realworld", place)
    assert items[0].options["C"] == "blue"
    assert items[0].prompt[1].endswith("最佳答案为\uff1a" if chinese else "The best answer is:")
    assert (
        items[0].prompt[1].startswith("Which colour? " + ("选项" if chinese else "The choices are listed below:\n(A)"))
    )
    published, strict = both("mme-realworld", items, "", "Answer: C")
    assert published.accuracy == 0.5, "an empty answer counts as A, and so does 'Answer: C'"
    assert published.groups["task Perception"] == 0.5
    assert (strict.accuracy, strict.right["4"]) == (0.5, False)
    lite = table(tmp_path / "mme_realworld_lite.tsv", {**row, "multi-choice options": repr(options)})
    assert read("mme-realworld", lite)[0].options == items[0].options


def test_mmmu_places_images_and_makes_choices_of_open_questions(tmp_path):
    rows = (
        {"index": 1, "question": "See <image 2> then <image 1>.", "A": "x", "B": "y", "answer": "B"},
        {"index": 2, "question": "How many in <image 1>?", "answer": "24"},
    )
    both_images = repr([png(1), png(2)])
    listed = table(tmp_path / "m.tsv", {**rows[0], "image": both_images}, {**rows[1], "image": png(3)})
    items = read("mmmu", listed)
    assert items[0].prompt[:4] == ("Question: See ", 1, " then ", 0)
    assert items[0].images[1]().max() == 2
    published, strict = both("mmmu", items, "B", "It is 24")
    assert (published.accuracy, strict.accuracy) == (1.0, 1.0 if strict.right["2"] else 0.5)
    published, strict = both("mmmu", items, "B", "A")
    assert (published.accuracy, strict.accuracy) == (1.0, 0.5), "an open question answered with A counts as right there"


def test_sets_that_need_a_judge_have_our_score_alone(tmp_path):
    (tmp_path / "images").mkdir()
    Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(tmp_path / "images/s.png")
    common = {"field": "Astronomy", "images": ["s.png"]}
    rows = [
        {"question_type": "mcq", "question": "Which?", "options": ["A. star", "B. galaxy"], "answer": "B", **common},
        {"question_type": "exact_match", "question": "How many?", "options": None, "answer": "12", **common},
    ]
    (tmp_path / "sfe.jsonl").write_text("\n".join(map(json.dumps, rows)))
    items = read("sfe", tmp_path / "sfe.jsonl")
    assert items[0].prompt == (
        0,
        "You are an expert in Astronomy and need to solve the following question. The question is a multiple-choice "
        "question. Answer with the option letter from the given choices. Which? A. star B. galaxy",
    )
    assert items[0].images[0]().shape == (5, 7, 3)
    published, strict = both("sfe", items, "B", "12")
    assert (published.accuracy, strict.accuracy) == (None, 1.0)
    assert "judge" in published.note

    boxed = {"index": 7, "question": "E?", "answer": "$\\boxed{\\frac{1}{2}}$", "image": png(1)}
    items = read("physics", table(tmp_path / "p.tsv", boxed, {"index": 8, "question": "F?", "answer": "up"}))
    assert [len(item.images) for item in items] == [1, 0]
    assert both("physics", items, "so \\[\\boxed{0.5}\\]", "down")[1].accuracy == 0.5

    (tmp_path / "Images_val").mkdir()
    Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(tmp_path / "Images_val/P1.png")
    asked = [{"image_id": "P1.png", "question": "Ship?", "ground_truth": "Yes", "question_id": 1, "type": "existence"}]
    (tmp_path / "VRSBench_EVAL_vqa.json").write_text(json.dumps(asked))
    items = read("vrsbench", tmp_path)
    assert both("vrsbench", items, "yes")[1].groups == {"type existence": 1.0}
    assert items[0].images[0]().shape == (5, 7, 3)


def test_images_are_read_from_the_table_when_they_are_shown(tmp_path):
    rows = [
        {"index": i, "question": '"two\nlines"', "A": "x", "B": "y", "answer": "A", "image": png(i)} for i in range(3)
    ]
    items = read("hrbench", table(tmp_path / "h.tsv", *rows))
    assert [item.images[0]().max() for item in items] == [0, 1, 2]
    assert items[1].prompt[1].startswith("Question: two\nlines\n")
    (tmp_path / "h.tsv").unlink()
    with pytest.raises(SourceError, match="cannot be read any more"):
        items[0].images[0]()


def test_galaxies(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "Galaxy10_DECals.h5", "w") as file:
        file["images"] = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1) + np.zeros((3, 8, 8, 3), np.uint8)
        file["ans"] = [0, 5, 9]
    items = read("galaxy10", tmp_path / "Galaxy10_DECals.h5")
    assert [item.answer for item in items] == ["A", "F", "J"]
    assert items[1].options["F"] == "Barred Spiral Galaxies"
    assert items[2].images[0]().max() == 2
    assert both("galaxy10", items, "A", "\\boxed{F}", "A")[1].accuracy == 2 / 3


@pytest.mark.parametrize("name", QUESTION_SETS)
def test_what_is_no_such_file_is_said(tmp_path, name):
    (tmp_path / "other.tsv").write_text("hello\tworld\n1\t2\n")
    with pytest.raises(SourceError):
        read(name, tmp_path / "other.tsv")
