"""Does the thought matter? The same tiles drawn with the condition as it is, destroyed, exchanged and falsified.

The hardest question is asked of ambiguous tiles: one picture, two requests,
two right answers. Their score is the *choice*: how far the two drawings differ
where, and in the direction in which, the two truths differ. It is the
correlation of both differences over the px: 1 is perfect, 0 is an editor that
does not listen, and a faint drawing counts as much as a strong one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.protocol import Division, Images, Thought
from napari_s1omni.engine.s1omni.engine import S1OmniEngine, load
from napari_s1omni.engine.s1omni.thinker.thinker import Condition
from napari_s1omni.evaluation.metrics import match, pearson, psnr
from napari_s1omni.evaluation.nano.traces import plain_samples, think_batched, validation_scenes
from napari_s1omni.operations import Segmentation
from napari_s1omni.training.data.pool import PreparedField, prepare
from napari_s1omni.training.data.real_fields import real_fields
from napari_s1omni.training.data.sampler import Sampler
from napari_s1omni.training.data.samples import Mixture, Sample
from napari_s1omni.training.model_configs import TASKS
from napari_s1omni.training.stages.task_embedding import task_states

AMBIGUOUS = ("sizes", "polarities", "cells", "axons")
"""Simulated families with two kinds of objects in one picture."""
VARIANTS = (
    "as they are",
    "zeroed",
    "random of equal norm",
    "shuffled within task",
    "instruction only",
    "true trace",
    "counterfactual trace",
)
"""What is done to the states that condition the editor."""
_TONE = 0.01
_TONES = f"px by over {_TONE:g}"
CONTROL = "task embedding only"
"""Another editor, that was trained with one learned vector per task instead of the thinker's states."""
_OPPOSITES = {"small": "large", "bright": "dark", "nuclei": "cells", "axons": "fibers"}
_OPTICS = {"low": "high", "medium": "high", "high": "low", "no": "strong", "slight": "strong", "strong": "no"}
"""Opposites of the words for noise and for blur."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    task: str
    """What was drawn, and its metric in brackets."""
    variant: str
    """One of :data:`VARIANTS`."""
    score: float
    low: float
    """2.5th percentile of the mean over bootstrapped tiles."""
    high: float
    """97.5th percentile."""
    change: float
    """Mean difference to the states as they are, tile by tile."""
    change_low: float
    change_high: float
    units: int
    """Independent tiles, or pairs of requests, that were scored."""


Score = Callable[[Sequence[Sample], Sequence[Images]], NDArray[np.float64]]
"""Turns tiles and their drawings into one number per independent unit: a tile, or a pair of requests."""


class AlteredEngine(S1OmniEngine):
    """The engine with another condition in place of the thinker's states: ``zeroed``, ``random of equal norm``, or
    :data:`CONTROL`.
    """

    mute: str | None = None
    seed = 0

    @classmethod
    def of(cls, engine: S1OmniEngine) -> AlteredEngine:
        """Take over a loaded engine."""
        taken = cls.__new__(cls)
        taken.__dict__.update(engine.__dict__)
        return taken

    def condition(
        self, images: Images | None, thoughts: Sequence[Thought], sampling: Sampling, limit: int | None
    ) -> Condition:
        """Condition as the engine makes it, then altered."""
        if self.mute == CONTROL:
            tasks = [TASKS.index(Instruction.read(thought.prompt or thought.text).task) for thought in thoughts]
            width = self._config.alignment_layer.input_dim
            told = task_states(torch.tensor(tasks), width)
            return self.connect(Condition(told, torch.ones(told.shape[:2], dtype=torch.bool)))
        given = super().condition(images, thoughts, sampling, limit)
        if self.mute is None:
            return given
        if self.mute == "zeroed":
            return Condition(torch.zeros_like(given.states), given.mask)
        generator = torch.Generator().manual_seed(self.seed)
        noise = torch.randn(given.states.shape, generator=generator)
        scale = given.states.norm(dim=-1, keepdim=True) / noise.norm(dim=-1, keepdim=True)
        return Condition(noise * scale, given.mask)


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
    """Draw the same tiles under every variant.

    Parameters
    ----------
    engine : str
        ``nano`` or a folder in its layout.
    data : Path, optional
        Folder of the real images; without it only simulated tiles are drawn.
    scenes : int
        Simulated scenes to look through for ambiguous ones.
    tile, real_tile : int
        Edge of the drawn tiles in px, simulated and real.
    seed : int
        Of the bootstrap and of the random states.
    control : str, optional
        Folder of an editor that was trained with ``words: task``; it draws the same tiles as one more variant.
    variants : sequence of str
        Of :data:`VARIANTS`, the states as they are first.

    Returns
    -------
    list of Row
        Per task and variant, with paired bootstrap intervals over tiles.
    """
    loaded = AlteredEngine.of(load(engine))
    loaded.seed = seed
    tasks: dict[str, tuple[list[Sample], Score]] = {
        "two requests, one tile (choice)": (ambiguous_cases(scenes, tile), choice_scores)
    }
    if data is not None:
        fields = [prepare(field) for field in real_fields(data, "validation")]
        tasks.update(_real_tasks(fields, real_tile, seed, loaded.description.division))
    other = None if control is None else AlteredEngine.of(load(control))
    rows = []
    for task, (cases, score) in tasks.items():
        rows += _task_rows(loaded, other, task, cases, score, seed, variants)
    for used in (loaded, other):
        if used is not None:
            used.close()
    return rows


def ambiguous_cases(scenes: int, tile: int) -> list[Sample]:
    """Tiles of the validation scenes that hold two kinds of objects, once for each kind."""
    twofold = [scene for scene in validation_scenes(scenes) if scene.field.dataset in AMBIGUOUS]
    samples = list(plain_samples(twofold, tile))
    cases = []
    for first, second in zip(samples[::2], samples[1::2], strict=True):
        if first.truth.count and second.truth.count:
            cases += [first, second]
    return cases


def choice_scores(cases: Sequence[Sample], drawn: Sequence[Images]) -> NDArray[np.float64]:
    """Correlation between the difference of two drawings and that of their truths; one number for each pair."""
    scores = []
    for i in range(0, len(cases), 2):
        truth = cases[i].target[0] - cases[i + 1].target[0]
        scores.append(pearson(truth, drawn[i][0] - drawn[i + 1][0]))
    return np.array(scores)


def _real_tasks(
    fields: list[PreparedField], tile: int, seed: int, division: Division
) -> dict[str, tuple[list[Sample], Any]]:
    sampler = Sampler(fields, [], Mixture(augment=False), seed)
    nuclei = [f for f in fields if f.field.layers and f.field.layers[0].noun == "nuclei"]
    sharp = [f for f in fields if f.field.detail]
    paired = [f for f in fields if "nuclei" in f.field.pairs]
    return {
        "nuclei, real (AP at IoU 0.5)": (
            [sampler.segmentation(f, tile, 0) for f in nuclei],
            _each(partial(_precision, division)),
        ),
        "super-resolution x2 (PSNR, dB)": (
            [sampler.super_resolution(f, tile, 2) for f in sharp for _ in range(4)],
            _each(lambda case, drawn: psnr(case.target, drawn, 1.0)),
        ),
        "nuclei from other channels (Pearson r)": (
            [sampler.translation(f, tile, "nuclei") for f in paired for _ in range(2)],
            _each(lambda case, drawn: pearson(case.target, drawn)),
        ),
    }


def _each(metric: Callable[[Sample, Images], float]) -> Score:
    """Score tile by tile."""
    return lambda cases, drawn: np.array([metric(case, image) for case, image in zip(cases, drawn, strict=True)])


def _precision(division: Division, case: Sample, drawn: Images) -> float:
    labels = LayerSpec(shape=drawn.shape[1:], axes=("y", "x"), dtype="uint32", kind="labels")
    fields = np.clip(drawn, 0, 1)[:, None]
    one = Normalization((0.0,), (1.0,))
    found = Segmentation().finish(fields, one, (0,), labels, division=division).pixels.squeeze()
    assert case.instances is not None
    return match(case.instances, found)[0].average_precision


def _task_rows(
    engine: AlteredEngine,
    control: AlteredEngine | None,
    task: str,
    cases: list[Sample],
    score: Score,
    seed: int,
    variants: Sequence[str],
) -> list[Row]:
    samples = cases
    own = [_or_restated(t, s) for t, s in zip(think_batched(engine, samples), samples, strict=True)]
    scores: dict[str, NDArray[np.float64]] = {}
    plain: list[Images] = []
    rows = []
    for variant in variants:
        thoughts = [_thought(variant, i, own, samples, seed) for i in range(len(cases))]
        engine.mute = variant if variant in ("zeroed", "random of equal norm") else None
        drawn = draw(engine, samples, thoughts)
        plain = plain or drawn
        scores[variant] = score(cases, drawn)
        rows.append(_row(task, variant, scores[variant], scores[variants[0]], seed))
        if variant == "counterfactual trace":
            what, measure = ("objects' px", _redrawn) if cases[0].instances is not None else (_TONES, _toned)
            changed = np.array([measure(a, b) for a, b in zip(plain, drawn, strict=True)])
            rows.append(_row(f"{task.split(' (')[0]} ({what} changed)", variant, changed, changed * 0, seed))
    engine.mute = None
    if control is not None:
        control.mute = CONTROL
        drawn = draw(control, samples, [Thought(sample.instruction) for sample in samples])
        rows.append(_row(task, CONTROL, score(cases, drawn), scores[variants[0]], seed))
    return rows


def draw(engine: S1OmniEngine, samples: Sequence[Sample], thoughts: Sequence[Thought]) -> list[Images]:
    """Draw each sample's tile, (3, H, W)."""
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


def _thought(variant: str, i: int, own: list[Thought], samples: list[Sample], seed: int) -> Thought:
    if variant == "shuffled within task":
        # Every tile gets the thought, with its instruction, of a random other one.
        order = np.random.default_rng(seed).permutation(len(own))
        at = int(np.flatnonzero(order == i)[0])
        return own[int(order[(at + 1) % len(own)])]
    if variant == "instruction only":
        return Thought(samples[i].instruction)
    if variant == "true trace":
        return replace(own[i], text=samples[i].truth.trace, token_ids=())
    if variant == "counterfactual trace":
        return replace(own[i], text=falsify_trace(own[i].text), token_ids=())
    return own[i]


def falsify_trace(text: str) -> str:
    """Exchange the first word of a trace that has an opposite: small and large, nuclei and cells, bright and dark.

    Where there is none, as in super-resolution, noise and blur are exchanged.
    """
    pairs = {**_OPPOSITES, **{b: a for a, b in _OPPOSITES.items()}}
    for words in (("small", "large"), ("nuclei", "cells", "axons", "fibers"), ("bright", "dark")):
        for word in words:
            if f"{word} " in text.rsplit("draw ", 1)[-1] or f"<think>{word};" in text:
                return text.replace(word, pairs[word])
    return re.sub(r"\b(low|medium|high|no|slight|strong)(?= (?:noise|blur);)", lambda found: _OPTICS[found[1]], text)


def _or_restated(thought: Thought | None, sample: Sample) -> Thought:
    return thought or Thought(sample.instruction)


def _redrawn(before: Images, after: Images) -> float:
    """Share of the px of objects, before or after, that are in one of the two only."""
    a, b = before[0] >= 0.5, after[0] >= 0.5
    return float((a ^ b).sum() / max(1, (a | b).sum()))


def _toned(before: Images, after: Images) -> float:
    """Share of the px of an image that change by more than a hundredth of the range."""
    return float((np.abs(after - before).max(0) > _TONE).mean())


def _row(task: str, variant: str, scores: NDArray[Any], base: NDArray[Any], seed: int) -> Row:
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(scores), (2000, len(scores)))
    means, changes = scores[picks].mean(1), (scores - base)[picks].mean(1)
    low, high = (float(v) for v in np.percentile(means, (2.5, 97.5)))
    change_low, change_high = (float(v) for v in np.percentile(changes, (2.5, 97.5)))
    change = float((scores - base).mean())
    return Row(task, variant, float(scores.mean()), low, high, change, change_low, change_high, len(scores))


def table(rows: Sequence[Row]) -> str:
    """Word the rows as a Markdown table."""
    lines = [
        "| drawn | states | score | 95 % interval | change | 95 % interval | units |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        own, change = f"{row.low:.3f} to {row.high:.3f}", f"{row.change_low:+.3f} to {row.change_high:+.3f}"
        lines.append(
            f"| {row.task} | {row.variant} | {row.score:.3f} | {own} | {row.change:+.3f} | {change} | {row.units} |"
        )
    return "\n".join(lines)
