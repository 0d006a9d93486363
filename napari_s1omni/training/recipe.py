"""Recipe: everything that determines a training, in one document."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from napari_s1omni.core.document import Document, read_yaml
from napari_s1omni.engine.s1omni.checkpoint.config import ObjectScaling, Upsampling
from napari_s1omni.settings import cache_folder


class RecipePart(Document):
    """A part of a recipe; it also reads the former names of its keys."""

    former_keys: ClassVar[dict[str, str]] = {}
    """Former name -> name of a key."""

    @model_validator(mode="before")
    @classmethod
    def _rename_former_keys(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {cls.former_keys.get(key, key): value for key, value in values.items()}


class PoolRecipe(RecipePart):
    """Fields to train on."""

    data: str | None = None
    """Folder of the real data; left out, that of the environment variable ``S1OMNI_DATA``."""
    simulated: tuple[tuple[int, int], ...] = ((1, 2500), (2, 2500))
    """(seed, number of scenes) of each simulated pool."""
    packed: str | None = None
    """File with all real fields, written by ``--only pool``; if it exists, the fields are read from it."""


class BackboneRecipe(RecipePart):
    """Size of the thinker."""

    former_keys: ClassVar[dict[str, str]] = {"texts": "tokenizer_samples"}

    hidden: int = 192
    layers: int = 4
    heads: int = 6
    vision_hidden: int = 128
    vision_layers: int = 3
    patch: int = 8
    vocabulary: int = 1500
    """Number of tokens of the tokenizer."""
    tokenizer_samples: int = 6000
    """Number of samples whose texts train the tokenizer."""


class StageRecipe(RecipePart):
    """Settings that every stage of training has."""

    tile: int = 128
    """Edge of a tile in pixels."""
    batch: int = 32
    """Samples per batch."""
    minutes: float = 14.0
    """Longest duration, without making the pool: CPU minutes per thread on a CPU, so that a busy or suspended
    machine does not shorten the training; wall-clock minutes on a GPU."""
    steps: int = 1_000_000
    """Largest number of steps."""
    learning_rate: float = 1.5e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    """Learning rate after the warm-up: a half cosine over `minutes`, or constant, which allows `minutes: .inf`."""
    decay: float = 0.0
    """Minutes at the end of a constant schedule over which the rate falls to zero, as one minus a square root (Hägele
    et al., "Scaling laws and compute-optimal training beyond fixed training durations", 2024)."""
    warmup: int = 100
    """Steps until the full learning rate is reached."""
    bfloat16: bool = True
    """Whether matrix products are computed in bfloat16."""
    save_every: float = 3.0
    """Wall-clock minutes between saved states."""


class ThinkerRecipe(StageRecipe):
    """One phase of training the thinker."""

    former_keys: ClassVar[dict[str, str]] = {
        "renew_vision": "reset_vision",
        "vision_through_language": "freeze_language",
        "auxiliary": "auxiliary_weight",
        "sigma": "number_sigma",
        "kinds": "scene_weights",
        "halved": "half_size",
    }

    vision_only: bool = False
    """Whether only the vision tower is trained, through its auxiliary heads; three times as fast."""
    reset_vision: bool = False
    """Whether the vision tower is initialised anew, see
    :func:`napari_s1omni.training.stages.thinker_model.reset_vision`."""
    freeze_language: bool = False
    """Whether the vision tower is trained on the text through a frozen language model, so that the states that
    condition the editor do not change any more."""
    auxiliary_weight: float = 1.0
    """Weight of the losses of the auxiliary heads."""
    number_sigma: float = 1.5
    """Width of the soft targets of numbers, in bins."""
    simulated: float = 0.7
    """Share of simulated tiles."""
    scene_weights: dict[str, float] = Field(default_factory=dict)
    """Sampling weight of simulated scenes by kind, relative to all others, such as ``axons: 3``."""
    half_size: float = 0.0
    """Share of batches with tiles of half the edge, as small layers have."""
    restoration: float = 0.1
    """Share of batches with super-resolution requests, with tiles of the full, half or quarter edge."""
    translation: float = 0.06
    """Share of modality translation."""


class EditorRecipe(StageRecipe):
    """The training of connector and editor."""

    former_keys: ClassVar[dict[str, str]] = {
        "listening": "condition_lr_share",
        "crowded": "copy_paste",
        "borders": "border_weight",
        "at_one": "pure_noise",
        "misjudged": "perturbed_traces",
        "real": "dataset_weights",
        "kept": "start_weight",
        "bank": "replay_buffer",
        "bank_tile": "replay_tile",
        "fresh": "replay_new",
        "words": "condition_on",
    }

    batch: int = 16
    minutes: float = 60.0
    learning_rate: float = 2e-3
    warmup: int = 200
    ema: float = 0.999
    """Decay of the exponential moving average of the weights, which is exported."""
    factor: int = 2
    """Pixels per latent pixel of the codec."""
    blocks: tuple[int, ...] = (32, 64, 128, 192)
    """Channels of each level of the UNet."""
    depth: int | tuple[int, ...] = (1, 2, 2, 2)
    """Residual blocks of all levels, or of each level."""
    optimiser: Literal["AdamW", "Muon"] = "AdamW"
    """Optimiser of the convolutions, see :mod:`napari_s1omni.training.stages.optimizers`; all else has AdamW."""
    condition_lr_share: float = 0.1
    """Learning rate of connector, attention, scales and shifts, as a share of that of the convolutions."""
    head_width: int = 32
    """Channels per attention head."""
    condition: int = 192
    """Width of the condition after the connector."""
    hint_planes: int = 0
    """Planes of optional hints to the editor: clicks on and beside objects, drawn masks, another image, its fields."""
    trust_planes: int = 0
    """Planes of the editor's second output, see :mod:`napari_s1omni.training.stages.trust_loss`: 3, or 0 for none."""
    trust_weight: float = 0.02
    """Weight of the loss of the second output."""
    noise_scale: float = 0.1
    """Standard deviation of the noise that drawing starts from."""
    enlargement: Upsampling = "bicubic"
    """How the source of super-resolution is upsampled; residuals are relative to that."""
    object_size: float | None = Field(None, gt=0)
    """Diameter in pixels at which objects are drawn, see :mod:`napari_s1omni.engine.s1omni.editor.object_scaling`;
    None: at their own. `thought_tile` must then be at least twice `tile`."""
    residual_weight: float = 12.0
    """Weight of the residuals of super-resolution in the loss; the residuals are small numbers."""
    copy_paste: float = 0.0
    """Share of samples of real nuclei with copy-paste augmentation, see
    :mod:`napari_s1omni.training.data.variation.copy_paste`."""
    border_weight: float = 0.0
    """Additional weight of the pixels between touching objects, see
    :func:`napari_s1omni.training.stages.border_weights.border_mask`."""
    pure_noise: float = 0.7
    """Share of samples that start from pure noise; the others start from a uniformly drawn time."""
    proportion_empty_prompts: float = 0.1
    """Share of samples with an empty condition."""
    instruction_only: float = 0.1
    """Share of samples conditioned only on the instruction and the route."""
    self_sampled: float = 0.5
    """Share of samples with a thought written by the thinker."""
    perturbed_traces: float = 0.0
    """Share of the traces written from truth whose numbers and optics are perturbed, like a thinker's errors."""
    thoughts: int = 6000
    """Number of tiles for which the thinker writes a thought in advance."""
    thought_tile: int = 128
    """Edge in pixels of these tiles; the editor is trained on random crops of `tile` pixels."""
    simulated: float = 0.45
    """Share of simulated tiles."""
    dataset_weights: dict[str, float] = Field(default_factory=dict)
    """Share of each real data set among real segmentation samples; empty: as for the thinker."""
    super_resolution: float = 0.14
    """Share of super-resolution."""
    translation: float = 0.1
    """Share of modality translation."""
    start_weight: float = 0.0
    """Weight of the checkpoint `start` in the exported weights; the rest is the moving average. One network then holds
    what was learned before and since (Wortsman et al., "Robust fine-tuning of zero-shot models", 2022)."""
    replay_buffer: int = 0
    """Number of samples in a replay buffer on the training device, see
    :mod:`napari_s1omni.training.batches.replay_buffer`; 0: each sample is used once. A resumed training fills a new
    buffer, so it continues, but not bit for bit."""
    replay_tile: int = 192
    """Edge in pixels of the samples in the replay buffer, from which crops of `tile` pixels are drawn."""
    replay_new: int = 32
    """New samples that enter the replay buffer before each step."""
    condition_on: Literal["thought", "task"] = "thought"
    """Condition of the editor: the states of the thought, or one learned vector per task, for the ablation."""

    @model_validator(mode="after")
    def _check_thought_tile(self) -> Self:
        if self.scaling is not None and min(self.scaling.scales) * self.thought_tile < self.tile:
            raise ValueError(f"thought_tile {self.thought_tile} px drawn at half its size is below tile {self.tile} px")
        return self

    @property
    def scaling(self) -> ObjectScaling | None:
        """The grids on which objects are drawn; None: on that of the tile."""
        return None if self.object_size is None else ObjectScaling(drawn=self.object_size)


class Recipe(RecipePart):
    """A whole training: data, tokenizer, both stages and folders."""

    start: str | None = None
    """Checkpoint folder with the tokenizer and the initial weights of thinker, connector and editor; None: train from
    scratch."""
    start_editor: bool = True
    """Whether connector and editor also start from `start`; otherwise only tokenizer and thinker do."""
    work: str | None = "build/nano"
    """Folder of pools, states and logs; None: ``training/nano`` in the user's cache folder."""
    output: str | None = "build/nano/checkpoint"
    """Folder of the finished checkpoint; None: ``checkpoint`` in `work`."""
    seed: int = 0
    device: str = "cpu"
    """``cpu``, ``cuda``, a single GPU such as ``cuda:1``, or ``auto``: a GPU if there is one."""
    shard_mib: float = 2000.0
    """Largest shard of the finished checkpoint in MiB."""
    threads: int = 2
    """Threads of the training process."""
    workers: int = 1
    """Processes that make samples during training."""
    pool: PoolRecipe = PoolRecipe()
    backbone: BackboneRecipe = BackboneRecipe()
    thinker: tuple[ThinkerRecipe, ...] = Field(
        (ThinkerRecipe(), ThinkerRecipe(tile=256, batch=12, minutes=9, learning_rate=5e-4))
    )
    """Phases, one after the other."""
    editor: EditorRecipe = EditorRecipe()

    @property
    def work_folder(self) -> Path:
        """The folder of pools, states and logs."""
        return cache_folder() / "training" / "nano" if self.work is None else Path(self.work)

    @property
    def output_folder(self) -> Path:
        """The folder of the finished checkpoint."""
        return self.work_folder / "checkpoint" if self.output is None else Path(self.output)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read a recipe from YAML.

        Raises
        ------
        JobError
            If the file cannot be read, a key is unknown, or a value is not allowed.
        """
        return cls.read(read_yaml(path, "recipe"), str(path))
