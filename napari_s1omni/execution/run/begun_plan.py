"""The plan of a run that was begun earlier, perhaps by a version that chooses other blocks."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

from napari_s1omni.core.tiling import TileGrid
from napari_s1omni.errors import S1OmniError
from napari_s1omni.planning.plan import Plan
from napari_s1omni.storage.result.store import ResultStore

_DRAWN = "Tiles are drawn at the size with which this result was begun."
_MARKED = "Objects are marked as when this result was begun, without lines between those that touch."
_NOTE = "The blocks and the bounds of the region are those with which this result was begun."
_TOLD = "The engine gets of the layer what it got when this result was begun."


def as_begun(plan: Plan, path: Path) -> Plan:
    """Return the plan with which the same job was begun in a folder; the given plan if there is none.

    Versions choose different blocks where a job leaves them out, and earlier ones grew a region to whole steps of the
    tiles, measured nothing on the layer, asked for no lines between objects, and drew every layer at its own scale in
    tiles of the engine's size. A result goes on as it was begun; whatever else differs is left for the check of the
    output to refuse.

    Parameters
    ----------
    plan : Plan
        The job, resolved now.
    path : Path
        Its output.
    """
    begun = _stored_plan(path)
    if begun is None:
        return plan
    same = plan
    for adapt in (_marked_as_begun, _drawn_as_begun, _told_as_begun, _in_blocks_as_begun):
        same = adapt(same, begun)
    return same if same.digest == begun.digest else plan


def _marked_as_begun(plan: Plan, begun: Plan) -> Plan:
    """Return the plan with the mark that another one asks for, which no job states."""
    if begun.instruction.mark == plan.instruction.mark:
        return plan
    words = plan.instruction.replace(mark=begun.instruction.mark)
    return dataclasses.replace(plan, instruction=words, notes=(*plan.notes, _MARKED))


def _drawn_as_begun(plan: Plan, begun: Plan) -> Plan:
    """Return the plan with the tiles of another one, if the job leaves them out."""
    asked = plan.job.tiling
    same = (plan.fit, plan.grid.tile_size) == (begun.fit, begun.grid.tile_size)
    if same or asked.fit != "auto" or asked.tile_size is not None:
        return plan
    tiles = {name: getattr(begun.grid, name) for name in ("tile_size", "overlap", "block_size")}
    words = {name: getattr(begun.instruction, name) for name in ("tile", "scale", "pixel")}
    return dataclasses.replace(
        plan,
        grid=dataclasses.replace(plan.grid, **tiles),
        fit=begun.fit,
        instruction=plan.instruction.replace(**words),
        notes=(*plan.notes, _DRAWN),
    )


def _in_blocks_as_begun(plan: Plan, begun: Plan) -> Plan:
    """Return the plan with the blocks of another one, if the job leaves them out."""
    if (begun.grid, begun.target) == (plan.grid, plan.target):
        return plan
    # What the job says itself holds.
    chosen = {name for name in ("block_size", "depth") if getattr(plan.job.tiling, name) is None} | {"y", "x"}
    if any(getattr(begun.grid, f) != getattr(plan.grid, f) for f in TileGrid.__slots__ if f not in chosen):
        return plan
    return dataclasses.replace(
        plan,
        grid=begun.grid,
        target=dataclasses.replace(begun.target, source=plan.target.source, frame=plan.target.frame),
        notes=(*plan.notes, _NOTE),
    )


def _told_as_begun(plan: Plan, begun: Plan) -> Plan:
    """Return the plan with what was measured on the layer then, if the instructions differ in nothing else."""
    instruction = plan.instruction.replace(polarity=begun.instruction.polarity)
    told = instruction, begun.counterstain, begun.even_ground
    same = told == (plan.instruction, plan.counterstain, plan.even_ground)
    if same or instruction != begun.instruction:
        return plan
    notes = (*(note for note in plan.notes if note != plan.told), _TOLD)
    return dataclasses.replace(plan, instruction=instruction, consensus=begun.consensus, notes=notes)


def _stored_plan(path: Path) -> Plan | None:
    """Return the plan in the metadata of a result; None without one, or if this version cannot read it."""
    with contextlib.suppress(S1OmniError, OSError, LookupError, TypeError, ValueError):
        if ResultStore.exists(path):
            return Plan.from_json(ResultStore.open(path).attributes["plan"])
    return None
