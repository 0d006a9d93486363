"""The model card says what was measured: tables and scores come from the numbers, and numbers belong to weights."""

from __future__ import annotations

import json
import re

import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")

from napari_s1omni.engine.s1omni.checkpoint.model_store import MODELS, open_model
from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.nano import card as nano_card
from napari_s1omni.evaluation.nano.page import BEGIN, END, page, rewrite

NUMBERS = {
    "segmentation": {
        "nano": {"fluorescence": 0.7, "tissue": 0.75, "histology": 0.4, "axons (SEM)": 0.2},
        "reference": {"fluorescence": 0.71, "tissue": 0.8, "histology": 0.6, "axons (SEM)": 0.0},
    },
    "super_resolution": {"nano": {"a": (24.0, 25.5)}, "reference": {"a": (24.0, 24.5)}},
    "noisy": {
        "nano": {"0.02": {"a": (22.0, 23.5), "b": (24.0, 25.5)}},
        "reference": {"0.02": {"a": (22.0, 24.0), "b": (24.0, 26.0)}},
    },
    "stains": {"nano": {"a": 0.9, "b": 0.8}, "reference": {"a": 0.99, "b": 0.97}},
}


def test_scores_and_tables_come_from_the_numbers(tmp_path, monkeypatch):
    (tmp_path / "MODEL_CARD.md").write_text(f"# nano\n\n{BEGIN}\nold\n{END}\n\n## Limits\n")
    layout = open_model("nano")
    monkeypatch.setattr(nano_card, "show", lambda name: layout)
    for part in ("segmentation", "super_resolution", "noisy", "stains"):
        nano_card.write_numbers(tmp_path, {part: NUMBERS[part]})
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "old" not in card
    assert card.endswith("## Limits\n")
    assert "| fluorescence | 0.700 | 0.710 | 0.810 |" in card
    assert "| axons (SEM) | 0.200 | 0.000 |  |" in card
    assert "| a | 24.00 | 25.50 | 24.50 |" in card
    assert "| 0.02 | 23.00 | 24.50 | 25.00 |" in card
    scores = json.loads((tmp_path / "validation.json").read_text())
    assert scores["super_resolution"]["nano"] > scores["super_resolution"]["reference"]
    assert scores["segmentation"]["nano"] == pytest.approx((0.7 + 0.75 + 0.4) / 3)
    assert scores["modality_translation"]["reference"] == pytest.approx(0.98)


def test_numbers_of_other_weights_are_dropped(tmp_path, monkeypatch):
    layout = open_model("nano")
    (tmp_path / "numbers.json").write_text(json.dumps({"weights": "of yore", "stains": NUMBERS["stains"]}))
    monkeypatch.setattr(nano_card, "show", lambda name: layout)
    nano_card.write_numbers(tmp_path, {"segmentation": NUMBERS["segmentation"]})
    kept = json.loads((tmp_path / "numbers.json").read_text())
    assert set(kept) == {"weights", "segmentation"}
    assert not (tmp_path / "validation.json").exists()


def test_a_card_without_a_measured_part_is_refused(tmp_path):
    (tmp_path / "card.md").write_text("# nano\n")
    with pytest.raises(SourceError, match="measured"):
        rewrite(tmp_path / "card.md", NUMBERS)


def test_the_shipped_card_is_what_the_shipped_numbers_say():
    folder = MODELS["nano"].folder
    numbers = json.loads((folder / nano_card.NUMBERS_NAME).read_text())
    card = (folder / "MODEL_CARD.md").read_text()
    assert numbers["weights"] == open_model("nano").revision()
    assert card.split(BEGIN)[1].split(END)[0].strip() == page(numbers).strip()
    assert json.loads((folder / "validation.json").read_text()) == nano_card.validation_scores(numbers)
    assert len(re.findall(r"^\| two requests, one tile \(choice\) ", card, re.M)) >= 7
