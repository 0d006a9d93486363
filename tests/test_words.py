"""Text that people read is plain English: no phrase of this list stands in the package or its documents."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "workflows/README.md",
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "napari_s1omni").rglob("*.yaml"),
        *(ROOT / "napari_s1omni").rglob("*.js"),
    ]
)
MODULES = sorted((ROOT / "napari_s1omni").rglob("*.py"))
STORED = (
    "engine/reference/ground.py",
    "engine/reference/segmentation.py",
    "engine/reference/super_resolution.py",
    "engine/reference/trace.py",
    "storage/normalization_estimate.py",
)
"""Modules whose words are stored in thoughts and fingerprints: another wording would be another result."""

BANNED = {
    r"\bnobody foresaw\b": "unexpected",
    r"\bof which\b": "name the thing again, or start a new sentence",
    r"\bis wished\b|\bwished for\b": "requested",
    r"\b(told|tells|tell|telling) (\w+ )?apart\b": "separated, distinguished",
    r"\bon the medium\b": "on disk, fsynced",
    r"\bpower cut\b": "power loss",
    r"\bwhoever\b|\bwhosoever\b": "the caller, the viewer, a person",
    r"\bgo(es)? on with\b": "resume, continue",
    r"\bthe oracle of\b": "the reference for",
    r"\blet (a run|it) wait\b": "pause",
    r"\bso to speak\b|\bas it were\b": "leave it out",
    r"\b(the|a|an|each|every|all|no|many|some|few|more|these|those|its|their|which|first|finite|coarse) px\b": (
        "pixel or pixels in sentences; px only after a number"
    ),
    r"\bwhat (it|he|she|they) (hears|heard)\b|\bthat hears\b": "receives, is conditioned on",
    r"\bthought anew\b|\bdrawn anew\b|\bmade anew\b": "again",
    r"\bbeyond its model\b": "in addition to the model",
    r"\b(tile|tiles) in hand\b|\bunder the hand\b": "the current tiles",
    r"\bforetell|\bforesee": "predict, estimate",
}
"""Pattern -> what to write instead. The reader is a biologist or an engineer, often not a native speaker."""


def found(text):
    joined = re.sub(r"\s+", " ", text)
    return [
        f"“{match.group(0)}” -> {advice} (…{joined[max(0, match.start() - 40) : match.end() + 40]}…)"
        for pattern, advice in BANNED.items()
        for match in re.finditer(pattern, joined, re.I)
    ]


def strings(path):
    """Every string of a module: messages, help, labels, docstrings."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def test_the_list_finds_what_it_names():
    assert found("an error nobody foresaw")
    assert found("Wait until data is on\nthe medium")
    assert not found("Objects of about 20 px. Every pixel is written once.")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_pages(page):
    assert not found(page.read_text(encoding="utf-8"))


def test_modules():
    said = [
        f"{path.relative_to(ROOT)}:{line} {problem}"
        for path in MODULES
        if not str(path).endswith(STORED)
        for line, value in strings(path)
        for problem in found(value)
    ]
    assert not said, "\n".join(said)
