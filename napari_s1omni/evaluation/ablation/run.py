"""Run the ablation: does the editor use the thought?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.protocol import Images, Thought
from napari_s1omni.engine.s1omni import load
from napari_s1omni.engine.s1omni.engine import S1OmniEngine
from napari_s1omni.evaluation.ablation.altered_engine import CONTROL, STATE_VARIANTS, AlteredEngine
from napari_s1omni.evaluation.ablation.table import Row, bootstrap_row
from napari_s1omni.evaluation.ablation.tasks import Task, choice_task, real_tasks
from napari_s1omni.evaluation.ablation.thoughts import VARIANTS, thought_variant
from napari_s1omni.evaluation.nano.traces import think_batched
from napari_s1omni.training.data.samples import Sample

_TOLERANCE = 0.01
"""Change of intensity, as a share of the range, beyond which a pixel of an image counts as changed."""


def run_ablation(
    engine: str = "nano",
    data: Path | None = None,
    *,
    scenes: int = 48,
    tile: int = 256,
    real_tile: int = 128,
    seed: int = 0,
    control: str | None = None,
    variants: Sequence[str] = VARIANTS,
) -> list[Row]:
    """Draw the same tiles under every variant of the condition.

    Parameters
    ----------
    engine : str
        ``nano`` or a folder in its layout.
    data : Path, optional
        Folder of the real images; without it, only simulated tiles are drawn.
    scenes : int
        Number of simulated scenes to search for ambiguous ones.
    tile, real_tile : int
        Edge of the simulated and real tiles in pixels.
    seed : int
        Seed of the bootstrap and of the random states.
    control : str, optional
        Folder of an editor trained with ``condition_on: task``, which draws the same tiles as an additional variant.
    variants : sequence of str
        Of :data:`~napari_s1omni.evaluation.ablation.thoughts.VARIANTS`; the unchanged one first.

    Returns
    -------
    list of Row
        Per task and variant.
    """
    loaded = AlteredEngine.of(load(engine))
    loaded.seed = seed
    tasks = [choice_task(scenes, tile)]
    if data is not None:
        tasks += real_tasks(data, real_tile, seed, loaded.description.division)
    other = None if control is None else AlteredEngine.of(load(control))
    rows = []
    for task in tasks:
        rows += _task_rows(loaded, other, task, variants, seed)
    for used in (loaded, other):
        if used is not None:
            used.close()
    return rows


def draw(engine: S1OmniEngine, samples: Sequence[Sample], thoughts: Sequence[Thought]) -> list[Images]:
    """Draw the image of each sample, (3, H, W); samples of one size are drawn together."""
    out: list[Images | None] = [None] * len(samples)
    shapes: dict[tuple[int, ...], list[int]] = {}
    for i, sample in enumerate(samples):
        shapes.setdefault(sample.source.shape, []).append(i)
    for members in shapes.values():
        noise = [NoiseField(0, (0, 0), (0, 0), samples[i].target.shape[1:]) for i in members]
        images = np.stack([samples[i].source for i in members])
        drawn = engine.generate(images, [thoughts[i] for i in members], Sampling(), noise)
        for i, image in zip(members, drawn, strict=True):
            out[i] = image
    return [image for image in out if image is not None]


def _task_rows(
    engine: AlteredEngine, control: AlteredEngine | None, task: Task, variants: Sequence[str], seed: int
) -> list[Row]:
    samples = task.samples
    thoughts = zip(think_batched(engine, samples), samples, strict=True)
    own = [thought or Thought(sample.instruction) for thought, sample in thoughts]
    base: NDArray[np.float64] | None = None
    unaltered: list[Images] = []
    rows = []
    for variant in variants:
        engine.alteration = variant if variant in STATE_VARIANTS else None
        drawn = draw(engine, samples, [thought_variant(variant, i, own, samples, seed) for i in range(len(samples))])
        unaltered = unaltered or drawn
        scores = task.score(samples, drawn)
        base = scores if base is None else base
        rows.append(bootstrap_row(task.name, variant, scores, base, seed))
        if variant == "counterfactual trace":
            rows.append(_changed_row(task, variant, unaltered, drawn, seed))
    engine.alteration = None
    if control is not None and base is not None:
        control.alteration = CONTROL
        drawn = draw(control, samples, [Thought(sample.instruction) for sample in samples])
        rows.append(bootstrap_row(task.name, CONTROL, task.score(samples, drawn), base, seed))
    return rows


def _changed_row(task: Task, variant: str, before: list[Images], after: list[Images], seed: int) -> Row:
    """Measure how much a variant changes the drawn images, whether for better or worse."""
    if task.samples[0].instances is not None:
        what, share = "objects' px", _changed_objects
    else:
        what, share = f"px by over {_TOLERANCE:g}", _changed_intensity
    changed = np.array([share(a, b) for a, b in zip(before, after, strict=True)])
    return bootstrap_row(f"{task.name.split(' (')[0]} ({what} changed)", variant, changed, changed * 0, seed)


def _changed_objects(before: Images, after: Images) -> float:
    """Return the share of object pixels, before or after, that are foreground in only one of the two."""
    a, b = before[0] >= 0.5, after[0] >= 0.5
    return float((a ^ b).sum() / max(1, (a | b).sum()))


def _changed_intensity(before: Images, after: Images) -> float:
    """Return the share of pixels whose intensity changes by more than the tolerance."""
    return float((np.abs(after - before).max(0) > _TOLERANCE).mean())
