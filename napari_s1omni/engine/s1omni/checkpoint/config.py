"""The configuration file of a checkpoint, ``s1_omni_image_config.json``, as typed values.

Every default is the behaviour of the released model; a checkpoint states only what differs. Unknown keys are ignored,
since folders written by others hold more than is needed here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator

from napari_s1omni.engine.description import DIVISION, Division, Encoding, NativeSize
from napari_s1omni.errors import CheckpointError

CONFIG_NAME = "s1_omni_image_config.json"
"""Name of the configuration file in a checkpoint folder."""
TOKENIZER_NAME = "tokenizer.json"
"""Name of the tokenizer file in a checkpoint folder."""


Upsampling = Literal["bicubic", "restored"]
"""How a source is upsampled to a finer grid, see :mod:`napari_s1omni.engine.s1omni.editor.upsampling`."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True, populate_by_name=True)


class Prefixes(_Section):
    """Prefixes of tensor names that assign each tensor to a component."""

    backbone: str = ""
    """Vision-language model; empty takes every tensor without another prefix."""
    alignment: str = "alignment_mlp."
    transformer: str = "dit."
    vae: str = "vae."


class AlignmentConfig(_Section):
    """The connector that maps thinker states to the editor's condition, token by token."""

    input_dim: int = Field(5120, ge=1)
    """Width of the thinker's states."""
    output_dim: int = Field(3584, ge=1)
    """Width of the editor's condition."""
    hidden_dim: int | None = Field(None, ge=1)
    """Width between the two layers; None means `output_dim`."""
    type: Literal["linear", "mlp", "mlp_ln"] = "mlp"


class ConditionConfig(_Section):
    """The hidden states and tokens that condition the editor."""

    mode: Literal["reencode", "reencode_with_pixels", "capture"] = "reencode"
    """``reencode``: the finished sequence is run again without the image, so that only the words carry what is in the
    image. ``reencode_with_pixels``: the same with the image. ``capture``: the states of decoding itself."""
    final_norm: Literal["post", "pre"] = "post"
    """States after or before the last normalisation of the language model."""
    image_pads: bool = True
    """Whether the placeholder tokens of the image stay in a sequence that is run again without it."""
    end_token: bool = True
    """Whether the end-of-turn token closes the sequence."""


class ObjectScaling(_Section):
    """At which scale objects are drawn, see :mod:`napari_s1omni.engine.s1omni.editor.object_scaling`."""

    drawn: float = Field(16.0, gt=0)
    """Object diameter, in pixels, that the editor draws best."""
    scales: tuple[Annotated[float, Field(gt=0)], ...] = Field((0.5, 0.75, 1.0, 1.5, 2.0), min_length=1)
    """Scales of a tile to choose from."""
    second_drawing: float | None = Field(1.25, gt=1)
    """A tile whose drawn objects are larger or smaller than stated by more than this factor is drawn a second time, at
    the scale that they need. None: never."""
    stated: str = r"size (\d+) px"
    """Regular expression whose first group is the object diameter, in pixels, that a thought states."""

    empty: str = "<think>empty; high noise; no blur; 0 % covered; size 0 px; count 0;"
    """How a thought begins that finds nothing in a tile; that of a tile of mere noise begins so."""

    @field_validator("stated")
    @classmethod
    def _one_group(cls, value: str) -> str:
        try:
            groups = re.compile(value).groups
        except re.error as error:
            raise ValueError(f"{value} is not a regular expression: {error}") from None
        if groups < 1:
            raise ValueError(f"{value} has no group")
        return value


class DenoisingConfig(_Section):
    """How the editor draws."""

    schedule: Literal["released", "stock"] = "released"
    """``released``: evenly spaced training time points, shifted by (256 -> 0.5, 4096 -> 1.15) tokens.
    ``stock``: ``linspace(1, 1/N, N)``, shifted as configured in the scheduler, and the mode of the codec's posterior
    instead of a sample."""
    zero_cond_t: bool = True
    """Whether source tokens are modulated as at time 0 (transformer editors only)."""
    prediction: dict[str, Literal["velocity", "x0", "residual"]] = Field(default_factory=dict)
    """What the network predicts, per operation type; ``default`` applies to the others and is ``velocity`` if absent.
    ``residual`` is the clean image minus the upsampled source."""
    enlargement: Upsampling = "bicubic"
    """How a source is upsampled to a finer grid."""
    self_ensemble: Literal[1, 2, 4] = 1
    """Flipped copies of a tile that are averaged, see :mod:`napari_s1omni.engine.s1omni.editor.self_ensemble`."""
    trust: bool = False
    """Whether the second output of a ``FilmUNet2DModel`` was trained and found useful: it says how far the first can be
    trusted, see :mod:`napari_s1omni.engine.s1omni.editor.trust`. Otherwise it is not shown."""
    object_size: ObjectScaling | None = None
    """Draws a segmentation at a scale chosen from the stated object size; None draws at the tile's own."""

    def prediction_of(self, operation: str | None) -> Literal["velocity", "x0", "residual"]:
        """Return what the network predicts for one operation type."""
        default = self.prediction.get("default", "velocity")
        return self.prediction.get(operation, default) if operation else default


class PromptingConfig(_Section):
    """Chat template around the instruction. Token ids are looked up in the tokenizer."""

    system_prompt: str = ""
    """First turn; empty: no system turn."""
    turn_start: str = "<|im_start|>"
    turn_end: str = "<|im_end|>"
    vision_start: str = "<|vision_start|>"
    vision_end: str = "<|vision_end|>"
    image_pad: str = "<|image_pad|>"
    think_start: str = "<think>"
    think_end: str = "</think>"
    edit_route: str = "<image_edit>"
    generation_route: str = "<image_gen>"
    other_routes: tuple[str, ...] = ("<prot_st>", "<prot_cla>", "<linear_pre>", "<linear_cla>", "<spectra_st>")
    """Route tokens of heads that draw nothing, listed so that errors can name them; a tokenizer may lack them."""


class VisionConfig(_Section):
    """How a tile is prepared for the thinker."""

    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    min_pixels: int = Field(256 * 28 * 28, ge=1)
    """Smaller tiles are upsampled to this area, in pixels."""
    max_pixels: int = Field(1280 * 28 * 28, ge=1)
    """Larger tiles are downsampled to this area, in pixels."""
    clamp: tuple[float, float] | None = (0.0, 1.0)
    """Model range of the training data. Values outside are clamped in what the networks see, nowhere else."""


class SamplingDefaults(_Section):
    """Used for the values that are None in the job's sampling."""

    max_new_tokens: int = Field(2048, ge=1)
    edit_steps: int = Field(40, ge=1)
    generation_steps: int = Field(50, ge=1)
    true_cfg_scale: float = Field(4.0, ge=1.0)


class EngineConfig(_Section):
    """Fields of the engine's description; see :class:`napari_s1omni.engine.description.EngineDescription`."""

    name: str = "s1-omni-image"
    title: str = "S1-Omni-Image: think before generate"
    operations: tuple[str, ...] = ("segmentation", "super_resolution", "modality_translation")
    targets: tuple[str, ...] = ()
    """Modalities it translates to, lower case; empty if it takes any."""
    encoding: Encoding = "overlay"
    division: Division = DIVISION
    tile_size: int = Field(1024, ge=8)
    overlap: int = Field(256, ge=0)
    micro_batch: int = Field(1, ge=1)
    min_size: int = Field(64, ge=1)
    max_size: int = Field(2048, ge=8)
    native: NativeSize | None = None
    """The drawn sizes of training. None: with a transformer editor, squares of `tile_size` to which smaller images were
    resized; a U-Net draws any size alike."""
    think: Literal["per_tile", "per_region", "once", "off"] = "per_tile"
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Default type to compute in."""
    devices: tuple[str, ...] = ("cuda",)
    threads: int = Field(2, ge=1)
    """CPU threads of each worker; not used on a GPU."""
    seconds_per_tile: float | None = None
    bytes_per_tile_pixel: float = 4096.0
    """Peak working memory for each drawn pixel of a micro-batch."""
    weights_license: str = "Apache-2.0"
    citation: str = "Li et al., S1-Omni-Image, arXiv:2606.24441"

    @property
    def working_memory(self) -> int:
        """Peak working memory of a micro-batch in bytes."""
        return int(self.bytes_per_tile_pixel * self.micro_batch * self.tile_size**2)


class CheckpointConfig(_Section):
    """The content of ``s1_omni_image_config.json``."""

    prefixes: Prefixes | None = None
    """None: derived from the tensor names in the weight index."""
    alignment_layer: AlignmentConfig = Field(
        default=AlignmentConfig(), validation_alias=AliasChoices("alignment_layer", "alignment_mlp")
    )
    transformer_config: dict[str, Any]
    """Configuration of the editor network; ``_class_name`` is its class."""
    vae_config: dict[str, Any]
    """Configuration of the codec; ``_class_name`` is its class."""
    scheduler_config: dict[str, Any] = Field(default_factory=dict)
    """Configuration of the flow-matching schedule, and ``noise_scale``."""
    condition: ConditionConfig = ConditionConfig()
    denoising: DenoisingConfig = DenoisingConfig()
    prompting: PromptingConfig = PromptingConfig()
    vision: VisionConfig = VisionConfig()
    sampling: SamplingDefaults = SamplingDefaults()
    engine: EngineConfig = EngineConfig()
    sha256: dict[str, str] = Field(default_factory=dict)
    """SHA-256 per file of the folder, lower-case hex; each file must exist and is verified on loading."""

    @property
    def expects_error(self) -> bool:
        """Whether the editor says how far what it draws can be trusted."""
        return self.denoising.trust and bool(self.transformer_config.get("trust_channels"))

    @property
    def noise_scale(self) -> float:
        """Standard deviation of the initial noise."""
        return float(self.scheduler_config.get("noise_scale", 1.0))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read it from a checkpoint folder.

        Raises
        ------
        CheckpointError
            If the file is missing or not JSON, or a key is missing or wrong.
        """
        data = read_json(folder / CONFIG_NAME)
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            problems = [f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors(include_url=False)]
            raise CheckpointError(
                f"{folder / CONFIG_NAME} is invalid: {'; '.join(problems)}",
                "the keys of a checkpoint in the released layout",
                "fetch the folder again or correct the file",
                file=str(folder / CONFIG_NAME),
                problems=problems,
            ) from None


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a checkpoint folder; every problem is a :class:`CheckpointError` that names the file."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"{path.parent} has no {path.name}" if path.parent.is_dir() else f"{path.parent} is not a folder",
            f"a checkpoint folder holds {CONFIG_NAME}, the backbone's config, a tokenizer and safetensors shards",
            "name such a folder, or run 's1omni models list'",
            file=str(path),
        ) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"{path} cannot be read: {error}", "a JSON object", "fetch the folder again", file=str(path)
        ) from None
    if not isinstance(data, dict):
        raise CheckpointError(f"{path} holds {type(data).__name__}", "a JSON object", "fetch it again", file=str(path))
    return data
