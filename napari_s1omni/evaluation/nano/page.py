"""The measured part of nano's model card: tables made of the numbers that were measured, and nothing by hand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.ablation.table import Row, table

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
"""Lines of the card between which everything is written by this module."""
CARD_NAME = "MODEL_CARD.md"
AIM_OVER_REFERENCE = 0.10
"""By how much nano's AP of nuclei should exceed that of the reference engine."""
_NUCLEI = ("fluorescence", "tissue", "histology")
_TRACES = {
    "count, median relative error": "0.20",
    "size, median relative error": "0.15",
    "coverage, median relative error": "",
    "polarity right": "0.99",
    "noise word right": "0.80",
    "blur word right": "0.80",
    "target right": "0.99",
    "route right": "0.99",
    "empty tiles said to be empty": "1",
    "full tiles said to be empty": "0",
}
"""Statement of a trace and what is aimed at."""


def page(numbers: Mapping[str, Any]) -> str:
    """Word all numbers that are there, as Markdown."""
    parts = [
        words(numbers[name])
        for name, words in (
            ("segmentation", _segmentation),
            ("super_resolution", _super_resolution),
            ("noisy", _noisy),
            ("translation", _translation),
            ("stains", _stains),
            ("traces", _traces),
            ("seconds per tile", _seconds),
            ("ablation", _ablation),
        )
        if name in numbers
    ]
    return "\n\n".join(parts)


def rewrite(card: Path, numbers: Mapping[str, Any]) -> None:
    """Replace the measured part of a model card.

    Raises
    ------
    SourceError
        If the card lacks the lines between which it stands.
    """
    text = card.read_text("utf-8")
    if BEGIN not in text or END not in text:
        raise SourceError(
            f"{card} has no measured part", f"a card with the lines '{BEGIN}' and '{END}'", "put them where it belongs"
        )
    before, rest = text.split(BEGIN, 1)
    card.write_text(f"{before}{BEGIN}\n{page(numbers)}\n{END}{rest.split(END, 1)[1]}", "utf-8")


def _table(head: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (columns, *rows)]
    return "\n".join([head, "", lines[0], f"|{'---|' * len(columns)}", *lines[1:]])


def _segmentation(found: Mapping[str, Mapping[str, float]]) -> str:
    rows = []
    for name, own in found["nano"].items():
        other = found["reference"][name]
        aim = f"{other + AIM_OVER_REFERENCE:.3f}" if name in _NUCLEI else ""
        rows.append((name, f"{own:.3f}", f"{other:.3f}", aim))
    head = "Instances, AP at IoU 0.5, pooled over the validation fields of each set:"
    return _table(head, ("set", "nano", "reference engine", "aimed at"), rows)


def _noisy(found: Mapping[str, Mapping[str, Mapping[str, tuple[float, float]]]]) -> str:
    rows = []
    for noise, fields in found["nano"].items():
        plain, own = (fmean(pair[i] for pair in fields.values()) for i in range(2))
        other = fmean(pair[1] for pair in found["reference"][noise].values())
        rows.append((noise, f"{plain:.2f}", f"{own:.2f}", f"{other:.2f}"))
    head = "The same with noise in the source, as a share of its range, mean over the fields:"
    return _table(head, ("noise", "bicubic", "nano", "reference engine"), rows)


def _super_resolution(found: Mapping[str, Mapping[str, tuple[float, float]]]) -> str:
    rows = [
        (name, f"{plain:.2f}", f"{own:.2f}", f"{found['reference'][name][1]:.2f}")
        for name, (plain, own) in found["nano"].items()
    ]
    head = (
        "Super-resolution x2, PSNR in dB, source blurred by one px and binned; at least one dB above bicubic and not "
        "below the reference engine is aimed at:"
    )
    return _table(head, ("field", "bicubic", "nano", "reference engine"), rows)


def _translation(found: Mapping[str, Any]) -> str:
    head = "Nuclei from other channels, Pearson r; at least 0.7 is aimed at on fields of sets seen in training:"
    return _table(head, ("field", "r"), [(name, f"{r:.2f}") for name, r in found["nano"].items()])


def _stains(found: Mapping[str, Mapping[str, float]]) -> str:
    nano, reference = (sum(found[e].values()) / len(found[e]) for e in ("nano", "reference"))
    return (
        f"Hematoxylin against colour deconvolution, Pearson r, mean of {len(found['nano'])} fields: nano {nano:.2f}, "
        f"reference engine {reference:.2f}."
    )


def _traces(found: Mapping[str, float]) -> str:
    head = (
        f"Traces, on {found['tiles']} requests about simulated scenes of 256 px that training never saw "
        f"({found['empty tiles']} of them about tiles with nothing to find):"
    )
    rows = [
        (name, "none to judge" if math.isnan(found[name]) else f"{found[name]:.2f}", aim)
        for name, aim in _TRACES.items()
    ]
    return _table(head, ("statement", "nano", "aimed at"), rows)


def _seconds(found: Mapping[str, float]) -> str:
    return (
        f"A tile of 256 x 256 px at micro-batch 8: {found['think']:.2f} s thinking and {found['draw']:.2f} s drawing, "
        f"{found['threads']:.0f} threads; at most 1.5 s together is aimed at, better 0.4. Memory of the process: "
        f"{found['memory']:.2f} GB, at most 2."
    )


def _ablation(rows: list[dict[str, Any]]) -> str:
    head = "The thinker's states as they are, destroyed, exchanged and falsified, with paired bootstrap intervals:"
    return f"{head}\n\n{table([Row(**row) for row in rows])}"
