"""``s1omni bench``: scores of answers alone, and of the answers of a model that is asked."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image
from scripted_server import Answer, ScriptedServer, words

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}


def encoded(colour):
    pixels = np.full((40, 60, 3), 127, np.uint8)
    pixels[15:25, 20:30] = COLOURS[colour]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("S1OMNI_CONFIG", str(tmp_path / "config"))


@pytest.fixture
def hrbench(tmp_path):
    """Two questions in two orders of their options."""
    lines = ["index\tquestion\tanswer\tcategory\tA\tB\tC\tD\tcycle_category\timage"]
    orders = (("red", "green", "blue", "yellow"), ("yellow", "red", "green", "blue"))
    for category, colour in (("single", "red"), ("cross", "blue")):
        for cycle, order in enumerate(orders):
            letter = "ABCD"[order.index(colour)]
            question = "What is the colour of the small square?"
            cells = [len(lines) - 1, question, letter, category, *order, f"q{cycle}", encoded(colour)]
            lines.append("\t".join(map(str, cells)))
    (tmp_path / "hr.tsv").write_text("\n".join(lines) + "\n")
    return "hr.tsv"


def sees(body):
    """A model that looks at the picture it was sent, and knows the options from the prompt."""
    (image,) = (part["image_url"]["url"] for part in body["messages"][0]["content"] if part["type"] == "image_url")
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(image.partition(",")[2]))))
    text = body["messages"][0]["content"][-1]["text"]
    colour = next(name for name, rgb in COLOURS.items() if tuple(pixels[20, 25]) == rgb)
    letter = next(line[0] for line in text.splitlines() if line[1:3] == ". " and line.endswith(colour))
    return Answer(words(f"The answer is {letter}."))


def test_answers_alone(s1omni, hrbench, tmp_path):
    replies = ["A", "The answer is B.", "", "It is blue, D"]
    (tmp_path / "a.jsonl").write_text(
        "\n".join(json.dumps({"index": i, "prediction": p}) for i, p in enumerate(replies))
    )
    ended = s1omni("bench", "hrbench", hrbench, "--answers", "a.jsonl", "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["published"]["accuracy"] == (0.5 + 1.0) / 2
    assert told["strict"]["accuracy"] == 2 / 4, "a colour and a letter in one sentence is no stated choice"
    assert "| all | 0.7500 (3/4) |" in s1omni("bench", "hrbench", hrbench, "--answers", "a.jsonl").out


def test_what_is_wrong_with_answers_is_said(s1omni, hrbench, tmp_path):
    for text, word in (
        ("", "no answer"),
        ('{"index": 99, "prediction": "A"}', "does not have: 99"),
        ('{"index": 0, "prediction": "A"}\n{"index": 0, "prediction": "B"}', "twice"),
        ('{"index": 0}', "one of response"),
        ("{", "cannot be read"),
    ):
        (tmp_path / "a.jsonl").write_text(text)
        ended = s1omni("bench", "hrbench", hrbench, "--answers", "a.jsonl")
        assert (ended.code, word in ended.err.lower()) == (66, True), ended.err
    assert s1omni("bench", "hrbench", "none.tsv", "--answers", "a.jsonl").code == 66


def test_a_model_is_asked_and_a_stopped_run_goes_on(s1omni, hrbench, tmp_path):
    server = ScriptedServer(sees)
    try:
        first = s1omni("bench", "ask", "hrbench", hrbench, "--endpoint", server.url, "--limit", 1, "--json")
        assert first.code == 0, first.err
        assert json.loads(first.out)["without_tools"]["strict"]["accuracy"] == 1
        every = s1omni("bench", "ask", "hrbench", hrbench, "--endpoint", server.url, "--json")
        told = json.loads(every.out)
        assert told["without_tools"]["published"]["accuracy"] == 1
        assert (told["without_tools"]["questions"], told["without_tools"]["failed"]) == (4, 0)
        assert told["without_tools"]["prompt_tokens"] == 28
        assert len(server.asked) == 4, "no question is asked twice"
        assert told["model"] == "seer-1"
    finally:
        server.close()
    scored = s1omni("bench", "hrbench", hrbench, "--answers", told["answers"], "--json")
    assert json.loads(scored.out)["published"]["accuracy"] == 1


def test_questions_without_an_answer_are_told(s1omni, hrbench):
    server = ScriptedServer(Answer(words("hm", finish="length", field="reasoning_content")))
    try:
        ended = s1omni("bench", "ask", "hrbench", hrbench, "--endpoint", server.url, "--limit", 2)
    finally:
        server.close()
    assert ended.code == 3
    assert "2 failed" in ended.out
    assert "ReplyEndless" in ended.err


def test_names_are_helped_with(s1omni, hrbench):
    ended = s1omni("bench", "ask", "hrbensh", hrbench, "--endpoint", "lab")
    assert (ended.code, "Did you mean 'hrbench'?" in ended.err) == (2, True)
    ended = s1omni("bench", "ask", "hrbench", hrbench, "--endpoint", "lab")
    assert (ended.code, "there is no endpoint 'lab'" in ended.err) == (69, True)
    assert s1omni("bench", "msd", "none").code == 66
