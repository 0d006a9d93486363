"""The typed content of ``s1_omni_image_config.json``: what a checkpoint says of itself.

Every default is the behaviour of the released model; a checkpoint states only
where it differs. Keys this module does not know are kept out of the way, since
folders written by others carry more than is needed here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator

from napari_s1omni.engine.description import DIVISION, Division, Encoding
from napari_s1omni.errors import CheckpointError

CONFIG_NAME = "s1_omni_image_config.json"
"""Name of the file inside a checkpoint folder."""


Upsampling = Literal["bicubic", "restored"]
"""How a source comes to a finer grid, see :mod:`napari_s1omni.engine.s1omni.editor.upsampling`."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True, populate_by_name=True)


class Prefixes(_Part):
    """First part of the tensor names by which the components of one index are told apart."""

    backbone: str = ""
    """Vision-language model; empty: everything that no other prefix claims."""
    alignment: str = "alignment_mlp."
    transformer: str = "dit."
    vae: str = "vae."


class AlignmentConfig(_Part):
    """The connector from thinker states to editor condition, token by token."""

    input_dim: int = Field(5120, ge=1)
    """Width of the thinker's states."""
    output_dim: int = Field(3584, ge=1)
    """Width of the editor's condition."""
    hidden_dim: int | None = Field(None, ge=1)
    """Width between the two layers; None is `output_dim`."""
    type: Literal["linear", "mlp", "mlp_ln"] = "mlp"


class ConditionConfig(_Part):
    """Which states of which tokens condition the editor."""

    mode: Literal["reencode", "reencode_with_pixels", "capture"] = "reencode"
    """``reencode``: the finished sequence is run again without the image, so that the image reaches the condition
    through the words alone. ``reencode_with_pixels``: the same with the image. ``capture``: the states of the
    decoding itself."""
    final_norm: Literal["post", "pre"] = "post"
    """States after or before the last normalisation of the language model."""
    image_pads: bool = True
    """Whether the image's placeholder tokens stay in a sequence that is run again without the image."""
    end_token: bool = True
    """Whether the end-of-turn token closes the sequence."""


class ObjectScaling(_Part):
    """On which grid objects are drawn, see :mod:`napari_s1omni.engine.s1omni.editor.object_scaling`."""

    drawn: float = Field(16.0, gt=0)
    """Diameter in px that the editor knows best."""
    scales: tuple[Annotated[float, Field(gt=0)], ...] = Field((0.5, 0.75, 1.0, 1.5, 2.0), min_length=1)
    """Scales of a tile to choose from."""
    stated: str = r"size (\d+) px"
    """Regular expression that finds the objects' diameter in px in a thought, as its first group."""

    @field_validator("stated")
    @classmethod
    def _one_group(cls, value: str) -> str:
        try:
            groups = re.compile(value).groups
        except re.error as error:
            raise ValueError(f"{value} is no regular expression: {error}") from None
        if groups < 1:
            raise ValueError(f"{value} has no group")
        return value


class DenoisingConfig(_Part):
    """How the editor draws."""

    schedule: Literal["released", "stock"] = "released"
    """``released``: evenly spaced training time points, shifted by (256 -> 0.5, 4096 -> 1.15) tokens.
    ``stock``: ``linspace(1, 1/N, N)`` shifted as the scheduler's own configuration says, and the mode of the
    codec's posterior instead of a sample."""
    zero_cond_t: bool = True
    """Whether source tokens are modulated as if at time 0 (transformer editors only)."""
    prediction: dict[str, Literal["velocity", "x0", "residual"]] = Field(default_factory=dict)
    """What the network's output means, per operation type; the key ``default`` stands for the others and is
    ``velocity`` where absent. ``residual`` is the clean image less the enlarged source."""
    enlargement: Upsampling = "bicubic"
    """How a source comes to a finer grid."""
    self_ensemble: Literal[1, 2, 4] = 1
    """How many mirror images of a tile are drawn and averaged, see :mod:`napari_s1omni.engine.s1omni.editor.self_ensemble`."""
    object_size: ObjectScaling | None = None
    """Draws a segmentation on the grid that the stated size of its objects asks for; None: on the tile's own."""

    def prediction_of(self, operation: str | None) -> Literal["velocity", "x0", "residual"]:
        """Return the meaning of the output for one operation type."""
        default = self.prediction.get("default", "velocity")
        return self.prediction.get(operation, default) if operation else default


class PromptingConfig(_Part):
    """Words around the instruction. Ids are looked up in the tokenizer, never written here."""

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
    """Route tokens of heads that draw nothing, known so that an error can name them; a tokenizer may lack them."""


class VisionConfig(_Part):
    """How a tile enters the thinker."""

    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    min_pixels: int = Field(256 * 28 * 28, ge=1)
    """Smaller tiles are enlarged to this area in px."""
    max_pixels: int = Field(1280 * 28 * 28, ge=1)
    """Larger tiles are reduced to this area in px."""
    clamp: tuple[float, float] | None = (0.0, 1.0)
    """Model range the networks were trained on: what lies outside is clamped for their eyes only."""


class SamplingDefaults(_Part):
    """Used where the job's sampling says None."""

    max_new_tokens: int = Field(2048, ge=1)
    edit_steps: int = Field(40, ge=1)
    generation_steps: int = Field(50, ge=1)
    true_cfg_scale: float = Field(4.0, ge=1.0)


class EngineConfig(_Part):
    """What plans need to know of the engine; see :class:`napari_s1omni.engine.protocol.EngineDescription`."""

    name: str = "s1-omni-image"
    title: str = "S1-Omni-Image: think before generate"
    operations: tuple[str, ...] = ("segmentation", "super_resolution", "modality_translation")
    targets: tuple[str, ...] = ()
    """Modalities it translates to, lower case; empty where it takes any."""
    encoding: Encoding = "overlay"
    division: Division = DIVISION
    tile_size: int = Field(1024, ge=8)
    overlap: int = Field(256, ge=0)
    micro_batch: int = Field(1, ge=1)
    min_size: int = Field(64, ge=1)
    max_size: int = Field(2048, ge=8)
    think: Literal["per_tile", "per_region", "once", "off"] = "per_tile"
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Type in which it computes unless told otherwise."""
    devices: tuple[str, ...] = ("cuda",)
    threads: int = Field(2, ge=1)
    """Threads of each worker where it computes on a CPU."""
    seconds_per_tile: float | None = None
    bytes_per_tile_pixel: float = 4096.0
    """Peak working memory for each drawn pixel of a micro-batch."""
    weights_license: str = "Apache-2.0"
    citation: str = "Li et al., S1-Omni-Image, arXiv:2606.24441"

    @property
    def working_memory(self) -> int:
        """Peak working memory of a micro-batch in bytes."""
        return int(self.bytes_per_tile_pixel * self.micro_batch * self.tile_size**2)


class CheckpointConfig(_Part):
    """All of ``s1_omni_image_config.json``."""

    prefixes: Prefixes | None = None
    """None: found from the names in the weight index, which come in two families."""
    alignment_layer: AlignmentConfig = Field(
        default=AlignmentConfig(), validation_alias=AliasChoices("alignment_layer", "alignment_mlp")
    )
    transformer_config: dict[str, Any]
    """Configuration of the editor network; ``_class_name`` picks its class."""
    vae_config: dict[str, Any]
    """Configuration of the codec; ``_class_name`` picks its class."""
    scheduler_config: dict[str, Any] = Field(default_factory=dict)
    """Configuration of the flow-matching schedule, and ``noise_scale``."""
    condition: ConditionConfig = ConditionConfig()
    denoising: DenoisingConfig = DenoisingConfig()
    prompting: PromptingConfig = PromptingConfig()
    vision: VisionConfig = VisionConfig()
    sampling: SamplingDefaults = SamplingDefaults()
    engine: EngineConfig = EngineConfig()
    sha256: dict[str, str] = Field(default_factory=dict)
    """Digest per file of the folder, lower-case hex; each must be there and is verified on loading."""

    @property
    def noise_scale(self) -> float:
        """Standard deviation of the noise from which drawing starts."""
        return float(self.scheduler_config.get("noise_scale", 1.0))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read it from a checkpoint folder.

        Raises
        ------
        CheckpointError
            If the file is missing, is no JSON, or lacks or misstates a key.
        """
        data = read_json(folder / CONFIG_NAME)
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            problems = [f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors(include_url=False)]
            raise CheckpointError(
                f"{folder / CONFIG_NAME} is not understood: {'; '.join(problems)}",
                "the keys of a checkpoint in the released layout",
                "fetch the folder again or correct the file",
                file=str(folder / CONFIG_NAME),
                problems=problems,
            ) from None


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a checkpoint folder; every problem is a :class:`CheckpointError` naming the file."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"{path.parent} holds no {path.name}" if path.parent.is_dir() else f"{path.parent} is not a folder",
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
