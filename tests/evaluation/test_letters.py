"""The letter of an answer, as published programs find it and as we do."""

import json

import pytest

from napari_s1omni.evaluation.questions.letters import mme_realworld_letter, strict_letter, vlmevalkit_letter

OPTIONS = {"A": "red", "B": "green", "C": "blue", "D": "yellow"}


@pytest.mark.data
def test_published_letters(pieces):
    made = json.loads((pieces / "letters.json").read_text("utf-8"))
    for row in made["rows"]:
        text = row["text"]
        assert vlmevalkit_letter(text, made["choices"]) == row["vlmevalkit_exact"], text
        assert mme_realworld_letter(text) == row["mme_realworld"], text


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("(B)", "B"),
        ("B. green", "B"),
        ("**B**", "B"),
        ("The answer is D.", "D"),
        ("Answer: C", "C"),
        ("The correct answer is **C**. Here is why: A is too small.", "C"),
        ("\\boxed{C}", "C"),
        ("\\boxed{\\text{C}}", "C"),
        ("<think>The answer is A.</think>The answer is B.", "B"),
        ("I first thought answer: A, but it is ANSWER: D", "D"),
        ("<answer>A</answer>", "A"),
        ("Option A", "A"),
        ("", ""),
        ("c", ""),
        ("A small disc is there.", ""),
        ("Failed to obtain answer via API.", ""),
        ("The answer is Apple", ""),
        ("Between D and B", ""),
        ("E", ""),
    ],
)
def test_strict_letters(text, letter):
    assert strict_letter(text, OPTIONS) == letter


def test_faults_of_the_published_programs():
    assert mme_realworld_letter("") == "A"
    assert mme_realworld_letter("Answer: C") == "A"
    assert vlmevalkit_letter("", OPTIONS) == ""
