"""Scores from answers alone equal those of the published programs to the last digit."""

import json

import pytest

from napari_s1omni.evaluation.questions.files import read_answers
from napari_s1omni.evaluation.questions.latex_numbers import number_of
from napari_s1omni.evaluation.questions.math_answers import published_answer, published_equal, strict_equal
from napari_s1omni.evaluation.questions.registry import QUESTION_SETS


def scores(name, place, answers):
    chosen = QUESTION_SETS[name]
    items = list(chosen.items(place))
    given = read_answers(answers, items)
    return chosen.published(items, given), chosen.strict(items, given), items


@pytest.mark.data
def test_mathv_as_published(pieces):
    published, strict, items = scores("mathv", pieces / "mathv", pieces / "mathv/answers.jsonl")
    truth = json.loads((pieces / "mathv/scores.json").read_text())
    assert published.letters == truth["extracted"]
    assert published.right == truth["correct"]
    assert published.accuracy == 9 / 14
    for name, words in truth["accuracy"].items():
        if name.startswith("-level") and "_" not in name:
            correct, count = map(int, words.split("=")[0].split("/"))
            assert published.groups["level " + name.removeprefix("-level")] == correct / count
    assert strict.counted == len(items) == 14
    assert not strict.right["442"]
    image = items[0].images[0]()
    assert image.dtype == "uint8"
    assert image.shape[2] == 3


@pytest.mark.data
def test_hrbench_as_published(pieces):
    published, strict, items = scores("hrbench", pieces / "hrbench/hr_bench_mini.tsv", pieces / "hrbench/answers.jsonl")
    truth = json.loads((pieces / "hrbench/scores.json").read_text())
    assert published.correct == truth["hits"]
    assert published.groups == {f"{row['cycle']} {row['type']}": row["accuracy"] for row in truth["table"]}
    assert published.accuracy == 0.75
    assert strict.accuracy == 18 / 24
    assert items[0].images[0]().ndim == 3
    assert items[0].prompt[1] == (
        "Question: What is the colour of the small disc?\nOptions:\nA. red\nB. green\nC. blue\nD. yellow\n"
        "Please select the correct answer from the options above. \n"
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("54", 54),
        ("1,000", 1000),
        ("{54}", 54),
        ("\\frac{3\\sqrt{3}}{2}", 2.598076211353316),
        ("2\\sqrt2", 2.8284271247461903),
        ("\\frac12", 0.5),
        ("-3^2", -9),
        ("2^{10}", 1024),
        ("\\sqrt[3]{8}", 2),
        ("5!", 120),
        ("\\pi", 3.141592653589793),
        ("2(3+4)", 14),
        ("7\\div2", 3.5),
        ("0.25", 0.25),
        ("1/2\\sqrt{3}", 0.28867513459481287),
        ("2^3\\sqrt{4}", 16),
        ("2^-1", 0.5),
        ("|-3|", 3),
    ],
)
def test_values_of_latex(text, value):
    assert float(number_of(text)) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$\\sqrt{6}$", 6**0.5),
        ("3:2", 1.5),
        ("5.", 5),
        ("50\\%", 0.5),
        ("12$12", 144),
        ("\\sqrt{2})+", 2**0.5),
        ("\\frac12", None),
        ("\\sqrt2", None),
        ("|-3|", None),
        ("1e3", None),
        ("\\$5", None),
    ],
)
def test_values_as_the_published_library_reads_them(text, value):
    """Measured with latex2sympy2 1.9.1, as MATH-V's program evaluates."""
    found = number_of(text, as_published=True)
    assert found is None if value is None else float(found) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("text", ["", "x", "noidea", "answer:1680", "9^9^9", "1/0", "(" * 3000, "(1,2)", "\\foo", "2="])
def test_what_is_no_number(text):
    assert number_of(text) is None


def test_faults_of_the_published_comparison_are_kept_and_ours_has_none():
    assert published_equal("0.001", "0.004"), "both are 0.0 to two digits"
    assert not strict_equal("0.001", "0.004")
    assert published_equal("(1/2, 3)", "(0.5,3)")
    assert published_equal("$\\sqrt{6}$".replace("$", ""), "2.449489")
    assert not strict_equal("\\sqrt{6}", "2.449489")
    assert strict_equal("\\frac{1}{2}", "0.5")
    assert not published_equal("", "")
    assert published_answer("I think that it is B") == "ithinkthatitisb"
    assert published_answer("so it is 12.") == "12"
    assert published_answer("x=\\frac12") == "\\frac12"


@pytest.mark.data
def test_a_missing_answer_counts_for_us_alone(pieces, tmp_path):
    rows = (pieces / "mathv/answers.jsonl").read_text().splitlines()
    (tmp_path / "some.jsonl").write_text("\n".join(rows[:3]))
    published, strict, _ = scores("mathv", pieces / "mathv", tmp_path / "some.jsonl")
    assert (published.accuracy, published.counted) == (1.0, 3)
    assert strict.accuracy == 3 / 14
    assert "11 without a readable answer" in strict.note
