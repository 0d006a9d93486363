"""The measured part of nano's model card: tables written only from the measured numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from napari_s1omni.errors import SourceError
from napari_s1omni.evaluation.ablation.table import Row, table

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
"""Lines of the card between which this module writes everything."""
CARD_NAME = "MODEL_CARD.md"
TARGET_GAIN = 0.10
"""Target for nano's AP of nuclei over that of the reference engine."""
_NUCLEI = ("fluorescence", "tissue", "histology")
_TRACES = {
    "count, median relative error": ("count, median relative error", "0.20"),
    "size, median relative error": ("size, median relative error", "0.15"),
    "coverage, median relative error": ("coverage, median relative error", ""),
    "polarity right": ("polarity, correct", "0.99"),
    "noise word right": ("noise, correct", "0.80"),
    "blur word right": ("blur, correct", "0.80"),
    "target right": ("target, correct", "0.99"),
    "route right": ("route, correct", "0.99"),
    "empty tiles said to be empty": ("empty tiles described as empty", "1"),
    "full tiles said to be empty": ("other tiles described as empty", "0"),
}
"""Name of a number -> its name in the table, and the target value."""


def page(numbers: Mapping[str, Any]) -> str:
    """Write all available numbers as Markdown."""
    sections: dict[str, Callable[[Any], str]] = {
        "segmentation": _segmentation,
        "super_resolution": _super_resolution,
        "noisy": _noisy,
        "translation": _translation,
        "stains": _stains,
        "traces": _traces,
        "seconds per tile": _seconds,
        "ablation": _ablation,
    }
    return "\n\n".join(write(numbers[name]) for name, write in sections.items() if name in numbers)


def rewrite(card: Path, numbers: Mapping[str, Any]) -> None:
    """Replace the measured part of a model card.

    Raises
    ------
    SourceError
        If the card lacks the lines that mark this part.
    """
    text = card.read_text("utf-8")
    if BEGIN not in text or END not in text:
        raise SourceError(
            f"{card} has no measured part", f"a card with the lines '{BEGIN}' and '{END}'", "add these lines"
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
        target = f"{other + TARGET_GAIN:.3f}" if name in _NUCLEI else ""
        rows.append((name, f"{own:.3f}", f"{other:.3f}", target))
    head = "Segmentation, instance AP at IoU 0.5, pooled over the validation fields of each set:"
    return _table(head, ("set", "nano", "reference engine", "target"), rows)


def _noisy(found: Mapping[str, Mapping[str, Mapping[str, tuple[float, float]]]]) -> str:
    rows = []
    for noise, fields in found["nano"].items():
        plain, own = (fmean(pair[i] for pair in fields.values()) for i in range(2))
        other = fmean(pair[1] for pair in found["reference"][noise].values())
        rows.append((noise, f"{plain:.2f}", f"{own:.2f}", f"{other:.2f}"))
    head = "The same with noise in the source, as a share of its range; means over the fields:"
    return _table(head, ("noise", "bicubic", "nano", "reference engine"), rows)


def _super_resolution(found: Mapping[str, Mapping[str, tuple[float, float]]]) -> str:
    rows = [
        (name, f"{plain:.2f}", f"{own:.2f}", f"{found['reference'][name][1]:.2f}")
        for name, (plain, own) in found["nano"].items()
    ]
    head = (
        "Super-resolution x2, PSNR in dB, source blurred by one pixel and binned; the target is at least one dB above "
        "bicubic and not below the reference engine:"
    )
    return _table(head, ("field", "bicubic", "nano", "reference engine"), rows)


def _translation(found: Mapping[str, Any]) -> str:
    head = "Nuclei from other channels, Pearson r; the target is at least 0.7 on fields of sets used in training:"
    return _table(head, ("field", "r"), [(name, f"{r:.2f}") for name, r in found["nano"].items()])


def _stains(found: Mapping[str, Mapping[str, float]]) -> str:
    nano, reference = (sum(found[e].values()) / len(found[e]) for e in ("nano", "reference"))
    return (
        f"Hematoxylin compared with colour deconvolution, Pearson r, mean of {len(found['nano'])} fields: "
        f"nano {nano:.2f}, reference engine {reference:.2f}."
    )


def _traces(found: Mapping[str, float]) -> str:
    head = (
        f"Traces, for {found['tiles']} requests about simulated scenes of 256 px that were not used in training "
        f"({found['empty tiles']} of them about tiles without objects):"
    )
    rows = [
        (label, "not measured" if math.isnan(found[name]) else f"{found[name]:.2f}", target)
        for name, (label, target) in _TRACES.items()
    ]
    return _table(head, ("statement", "nano", "target"), rows)


def _seconds(found: Mapping[str, float]) -> str:
    return (
        f"A tile of 256 x 256 px at micro-batch 8: {found['think']:.2f} s thinking and {found['draw']:.2f} s drawing, "
        f"with {found['threads']:.0f} threads; the target is at most 1.5 s together, better 0.4 s. Memory of the "
        f"process: {found['memory']:.2f} GB; the target is at most 2 GB."
    )


def _ablation(rows: list[dict[str, Any]]) -> str:
    head = "The thinker's states as they are, destroyed, exchanged and falsified, with paired bootstrap intervals:"
    return f"{head}\n\n{table([Row(**row) for row in rows])}"
