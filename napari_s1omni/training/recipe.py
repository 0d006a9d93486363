"""Recipe: everything that makes a nano, as one document."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from napari_s1omni.core.document import Document
from napari_s1omni.engine.s1omni.checkpoint.config import Enlargement, ObjectSize


class PoolRecipe(Document):
    """Fields to learn from."""

    data: str = "../shared/data"
    """Folder of the real data."""
    simulated: tuple[tuple[int, int], ...] = ((1, 2500), (2, 2500))
    """(seed, scenes) of each simulated pool."""
    packed: str | None = None
    """File that holds all of these fields, made by ``--only pool``, from which they are read where it exists."""


class BackboneRecipe(Document):
    """Sizes of the thinker."""

    hidden: int = 192
    layers: int = 4
    heads: int = 6
    vision_hidden: int = 128
    vision_layers: int = 3
    patch: int = 8
    vocabulary: int = 1500
    """Tokens of the tokenizer."""
    texts: int = 6000
    """Samples from whose words the tokenizer learns."""


class StageRecipe(Document):
    """What every stage of training has."""

    tile: int = 128
    """Edge of a tile in px."""
    batch: int = 32
    minutes: float = 14.0
    """Longest time, without the making of the pool: minutes of processor per thread on a CPU, so that a busy or
    stopped machine does not shorten the training; minutes of the clock on a GPU."""
    steps: int = 1_000_000
    """Most steps."""
    learning_rate: float = 1.5e-3
    warmup: int = 100
    """Steps until the learning rate is full."""
    bfloat16: bool = True
    """Whether products are computed in bfloat16."""
    save_every: float = 3.0
    """Minutes of the clock between states."""


class ThinkerRecipe(StageRecipe):
    """One phase of the thinker's training."""

    vision_only: bool = False
    """Whether only the vision tower learns, through its auxiliary heads: three times as fast."""
    renew_vision: bool = False
    """Whether the vision tower begins anew, see :func:`napari_s1omni.training.stages.thinker_stage.reset_vision`."""
    vision_through_language: bool = False
    """Whether the vision tower learns from the text while the language model stands still, so that the states
    that condition the editor do not change any more."""
    auxiliary: float = 1.0
    """Weight of the heads on the vision tokens."""
    sigma: float = 1.5
    """Width of the soft number targets, bins."""
    simulated: float = 0.7
    """Share of simulated tiles."""
    kinds: dict[str, float] = Field(default_factory=dict)
    """How much oftener than others simulated scenes of a kind are drawn, such as ``axons: 3``."""
    halved: float = 0.0
    """Share of batches of tiles of half the edge, as small layers have."""
    restoration: float = 0.1
    """Share of batches of super-resolution requests, whose tiles have the edge, a half or a quarter of it."""
    translation: float = 0.06


class EditorRecipe(StageRecipe):
    """The training of connector and editor."""

    batch: int = 16
    minutes: float = 60.0
    learning_rate: float = 2e-3
    warmup: int = 200
    ema: float = 0.999
    """Decay of the averaged weights, which are those that are shipped."""
    factor: int = 2
    """Px per latent px of the codec."""
    blocks: tuple[int, ...] = (32, 64, 128, 192)
    """Channels of each level of the UNet."""
    depth: int | tuple[int, ...] = (1, 2, 2, 2)
    """Residual blocks of every level, or of each."""
    optimiser: Literal["AdamW", "Muon"] = "AdamW"
    """What takes the steps of convolutions, see :mod:`napari_s1omni.training.stages.optimizers`; all else has AdamW."""
    listening: float = 0.1
    """Learning rate of connector, attention and what scales and shifts, as a share of that of the convolutions."""
    head_width: int = 32
    """Channels per attention head."""
    condition: int = 192
    """Width of the condition after the connector."""
    noise_scale: float = 0.1
    """Standard deviation of the noise from which drawing starts."""
    enlargement: Enlargement = "bicubic"
    """How a source to be restored comes to the finer grid; residuals are what is missing then."""
    object_size: float | None = Field(None, gt=0)
    """Diameter in px at which objects are drawn, see :mod:`napari_s1omni.engine.s1omni.editor.object_scaling`; None: as they are.
    `thought_tile` must then be at least twice `tile`."""
    residual_weight: float = 12.0
    """Weight of super-resolution's residuals in the loss: they are small numbers."""
    crowded: float = 0.0
    """Share of the lessons of real nuclei in which more of them touch, see :mod:`napari_s1omni.training.data.copy_paste`."""
    borders: float = 0.0
    """Added weight of the px between objects that touch, see
    :func:`napari_s1omni.training.stages.border_weights.border_mask`."""
    at_one: float = 0.7
    """Share of samples that start from pure noise; the others from a uniform time."""
    proportion_empty_prompts: float = 0.1
    """Share of samples with an empty condition."""
    instruction_only: float = 0.1
    """Share of samples conditioned on the instruction and the route alone."""
    self_sampled: float = 0.5
    """Share of the rest whose thought the thinker wrote itself."""
    misjudged: float = 0.0
    """Share of the written traces whose numbers and optics are off, as a thinker's are."""
    thoughts: int = 6000
    """Tiles for which the thinker writes a thought beforehand."""
    thought_tile: int = 128
    """Edge in px of the tiles that it thinks about; the editor learns from windows of `tile` px inside."""
    simulated: float = 0.45
    real: dict[str, float] = Field(default_factory=dict)
    """Share of each real data set among real segmentation lessons; empty: as for the thinker."""
    super_resolution: float = 0.14
    translation: float = 0.1
    kept: float = 0.0
    """Share of the weights of `start` in those that are exported, the rest being the averaged ones: what was learnt
    before and since, in one network (Wortsman et al., "Robust fine-tuning of zero-shot models", 2022)."""
    bank: int = 0
    """Lessons kept on the training device and drawn again, see :mod:`napari_s1omni.training.batches.replay_buffer`; 0: each lesson
    is drawn once. A training with a bank that is resumed fills a new one, so it goes on, but not to the same bits."""
    bank_tile: int = 192
    """Edge in px of the lessons in the bank, of which windows of `tile` px are drawn."""
    fresh: int = 32
    """New lessons that come into the bank before each step."""
    words: Literal["thought", "task"] = "thought"
    """What the editor listens to: the states of the thought, or one learned vector per task, for the ablation."""

    @model_validator(mode="after")
    def _room_to_shrink(self) -> Self:
        if self.grid is not None and min(self.grid.scales) * self.thought_tile < self.tile:
            raise ValueError(f"thought_tile {self.thought_tile} px drawn at half its size is below tile {self.tile} px")
        return self

    @property
    def grid(self) -> ObjectSize | None:
        """On which grid objects are drawn."""
        return None if self.object_size is None else ObjectSize(drawn=self.object_size)


class Recipe(Document):
    """A whole training: data, tokenizer, both stages, and where everything is kept."""

    start: str | None = None
    """Checkpoint folder that gives tokenizer and first weights of thinker, connector and editor; None: from nothing."""
    start_editor: bool = True
    """Whether connector and editor begin from `start` too; otherwise only tokenizer and thinker do."""
    work: str = "build/nano"
    """Folder of pools, states and logs."""
    output: str = "build/nano/checkpoint"
    """Folder of the finished checkpoint."""
    seed: int = 0
    device: str = "cpu"
    """``cpu``, ``cuda``, one of them such as ``cuda:1``, or ``auto``: a GPU where there is one."""
    shard_mib: float = 2000.0
    """Largest shard of the finished checkpoint in MiB."""
    threads: int = 2
    workers: int = 1
    """Processes that make samples beside the training."""
    pool: PoolRecipe = PoolRecipe()
    backbone: BackboneRecipe = BackboneRecipe()
    thinker: tuple[ThinkerRecipe, ...] = Field(
        (ThinkerRecipe(), ThinkerRecipe(tile=256, batch=12, minutes=9, learning_rate=5e-4))
    )
    """Phases, one after the other."""
    editor: EditorRecipe = EditorRecipe()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a recipe from YAML.

        Raises
        ------
        JobError
            If a key is unknown or a value is not allowed.
        """
        import yaml

        return cls.read(yaml.safe_load(path.read_text("utf-8")) or {}, str(path))
