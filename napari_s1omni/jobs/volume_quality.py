"""What to expect of an engine in a volume, from measured stacks.

``s1omni bench volumes --engine NAME --write FILE`` measures the numbers of the file beside this module.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from napari_s1omni.operations import Segmentation
from napari_s1omni.operations.understanding import Doubt
from napari_s1omni.planning.plan import Plan

SCORES = Path(__file__).with_name("volume_scores.json")
"""For each engine, what it found in public stacks of nuclei with a known answer."""


def volume_quality(plan: Plan) -> tuple[Doubt, ...]:
    """Say how far the objects of a volume can be trusted; nothing where objects are not linked along z."""
    operation = plan.job.operation
    if not isinstance(operation, Segmentation) or not operation.links(plan.target):
        return ()
    name = plan.engine.name
    known = _scores().get(name)
    if known is None:
        text = f"How well engine '{name}' finds whole objects in volumes was not measured"
        return (Doubt(f"{text}.", f"{text}: check objects before you count them."),)
    stacks = known["stacks"].values()
    objects, found, right = (sum(stack[key] for stack in stacks) for key in ("objects", "found", "right"))
    brief = f"In volumes, about {right / objects:.0%} of nuclei are found and {right / found:.0%} of objects are right."
    shares = [stack["right"] / stack["objects"] for stack in stacks]
    sentence = (
        f"Volumes are drawn plane by plane and linked: in {len(shares)} public stacks, engine '{name}' found {right} "
        f"of {objects} nuclei with an IoU of at least 0.5 ({min(shares):.0%} to {max(shares):.0%} of a stack), and "
        f"{found - right} of its {found} objects were wrong; check objects before you count them."
    )
    return (Doubt(brief, sentence),)


@functools.cache
def _scores() -> dict[str, Any]:
    scores: dict[str, Any] = json.loads(SCORES.read_text("utf-8"))
    return scores
