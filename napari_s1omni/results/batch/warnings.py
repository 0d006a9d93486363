"""What is unusual about an image of a batch, by itself or beside the others."""

from __future__ import annotations

import dataclasses
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.units import count_of
from napari_s1omni.engine.familiarity.bank import engine_that_does_not_know
from napari_s1omni.results.batch.batch_rows import BatchRow
from napari_s1omni.results.result import Result

_FEWEST = 6
"""Images with objects from which on one may be called unusual."""
_FAR = 3.5
"""Robust standard deviations beyond which a count is unusual (Iglewicz and Hoaglin, 1993)."""
_SPREAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
_MOST = 0.7
"""Share of images of one kind from which on another kind is unfamiliar."""
_UNUSUAL, _UNFAMILIAR = "unusual", "unfamiliar"


def image_warnings(result: Result) -> list[str]:
    """Say what is unusual about one image and its result.

    ``constant image``: all its pixels are equal; ``no objects``: the mask is empty; ``unlike what NAME knows``: an
    engine was not trained on such images, and is used all the same, or was passed over by ``auto``.
    """
    found = []
    if _is_constant(result.plan.normalization):
        found.append("constant image")
    if result.summary.get("objects") == 0:
        found.append("no objects")
    stranger = engine_that_does_not_know(result.plan.notes)
    if stranger:
        found.append(f"unlike what {stranger} knows ({result.plan.engine.name} was used)")
    return found


def _is_constant(normalization: Normalization) -> bool:
    """Whether every channel is constant; its note says which are, so that runs begun earlier go on."""
    return normalization.note.count(" is constant (") == len(normalization.low)


def outlier_names(rows: Sequence[BatchRow]) -> dict[str, str]:
    """Return the images whose number of objects is far from that of the others: their names, and why.

    The distance is that from the median, in robust standard deviations, of the square roots of the counts, whose
    spread does not grow with the count.
    """
    counted = {row.name: row.objects for row in rows if row.objects is not None and row.state != "failed"}
    if len(counted) < _FEWEST:
        return {}
    roots = {name: count**0.5 for name, count in counted.items()}
    middle = statistics.median(roots.values())
    spread = _SPREAD * statistics.median(abs(root - middle) for root in roots.values())
    # Counts vary at least as those of independent objects do: by half in their square root.
    limit = _FAR * max(spread, 0.5)
    others = round(statistics.median(counted.values()))
    return {
        name: f"{_UNUSUAL}: {count_of(counted[name], 'object')}, the median is {others:,}"
        for name, root in roots.items()
        if abs(root - middle) > limit
    }


def unfamiliar_names(kinds: Mapping[str, str]) -> dict[str, str]:
    """Return the images that are of another kind than most others: their names, and why.

    Parameters
    ----------
    kinds : mapping of name to str
        From :func:`kind_of`.
    """
    if len(kinds) < _FEWEST:
        return {}
    usual, count = Counter(kinds.values()).most_common(1)[0]
    if count < _MOST * len(kinds):
        return {}
    return {name: f"{_UNFAMILIAR}: {kind}, the others {usual}" for name, kind in kinds.items() if kind != usual}


def kind_of(result: Result) -> str:
    """Describe the image of a result as far as images of one experiment agree: axes, channels, dtype, pixel size."""
    spec = result.plan.source
    channels = f", {spec.size('c')} channels" if "c" in spec.axes else ""
    unit = spec.unit_of("x")
    sizes = " x ".join(f"{spec.scale_of(axis):.3g}" for axis in "yx")
    return f"{''.join(spec.axes)}{channels}, {spec.dtype}, " + (f"pixel {sizes} {unit}" if unit else "no pixel size")


def mark_unusual(rows: Sequence[BatchRow], kinds: Mapping[str, str]) -> list[BatchRow]:
    """Say in the warnings which images are unusual beside the others, and no longer where they are not."""
    far = outlier_names(rows)
    found = [unfamiliar_names(kinds), far]
    marked = []
    for row in rows:
        kept = [text for text in row.warnings.split("; ") if text and not text.startswith((_UNUSUAL, _UNFAMILIAR))]
        # That there are none is said already.
        more = [said[row.name] for said in found if row.name in said and not (said is far and row.objects == 0)]
        marked.append(dataclasses.replace(row, warnings="; ".join([*kept, *more])))
    return marked
