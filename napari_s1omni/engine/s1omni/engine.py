"""The engine that thinks about tiles and draws them with the models of a checkpoint."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.description import EngineDescription
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.mere_noise import is_mere_noise
from napari_s1omni.engine.protocol import Images, OnText, Thought
from napari_s1omni.engine.s1omni.checkpoint.layout import open_layout
from napari_s1omni.engine.s1omni.checkpoint.loading import Checkpoint, load_checkpoint, load_prompting
from napari_s1omni.engine.s1omni.checkpoint.model_store import locate
from napari_s1omni.engine.s1omni.description import describe_layout
from napari_s1omni.engine.s1omni.device_map import infer_device_map, select_devices
from napari_s1omni.engine.s1omni.editor.codec import Codec
from napari_s1omni.engine.s1omni.editor.connector import Connector
from napari_s1omni.engine.s1omni.editor.denoiser import Denoiser, build_denoiser
from napari_s1omni.engine.s1omni.editor.editor import Editor, TileGroup
from napari_s1omni.engine.s1omni.thinker.answering import ThinkerChat
from napari_s1omni.engine.s1omni.thinker.prompting import PromptTokenizer
from napari_s1omni.engine.s1omni.thinker.thinker import Condition, Thinker
from napari_s1omni.errors import EngineOutOfMemory, EngineUnavailable, GenerationError, OperationRefused, RouteError


@dataclass(frozen=True, slots=True)
class _Models:
    """The loaded models, held until the engine is closed."""

    thinker: Thinker
    connector: Connector
    denoiser: Denoiser
    codec: Codec


class S1OmniEngine:
    """An engine over one loaded checkpoint; see :class:`napari_s1omni.engine.protocol.Engine`.

    Parameters
    ----------
    description : EngineDescription
    checkpoint : Checkpoint
        Loaded, in evaluation mode.
    prompting : PromptTokenizer
    placement : mapping
        Device of each component.
    """

    def __init__(
        self,
        description: EngineDescription,
        checkpoint: Checkpoint,
        prompting: PromptTokenizer,
        placement: Mapping[str, torch.device],
    ) -> None:
        self._description = description
        self._config = checkpoint.config
        self._placement = placement
        thinker = Thinker(checkpoint.backbone, prompting, checkpoint.config, checkpoint.geometry)
        self._loaded: _Models | None = _Models(
            thinker,
            checkpoint.connector,
            build_denoiser(checkpoint.transformer, checkpoint.config.expects_error),
            checkpoint.codec,
        )

    @classmethod
    def load(
        cls, name_or_folder: str, device: str | None = None, dtype: str | None = None, threads: int | None = None
    ) -> Self:
        """Load a checkpoint; see :func:`napari_s1omni.engine.s1omni.load`."""
        missing = [
            module for module in ("transformers", "diffusers", "safetensors") if not importlib.util.find_spec(module)
        ]
        if missing:
            raise EngineUnavailable(
                f"engine '{name_or_folder}' needs {', '.join(missing)}",
                remedy="install it with: pip install 'napari_s1omni[models]'",
                modules=missing,
            )
        layout = open_layout(locate(name_or_folder))
        config = layout.config.engine
        dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
        torch_dtype = dtypes.get(dtype or config.dtype)
        if torch_dtype is None:
            raise EngineUnavailable(
                f"dtype '{dtype}'", f"one of {', '.join(dtypes)}", "choose one of these", dtype=dtype
            )
        description = describe_layout(layout, name_or_folder)
        if threads is not None:
            description = dataclasses.replace(description, threads=threads)
        sizes = {name: count * torch_dtype.itemsize for name, count in layout.counts().items()}
        device_map = infer_device_map(sizes, config.working_memory, select_devices(device, config.devices))
        placement = {name: torch.device(name_of_device) for name, name_of_device in device_map.items()}
        checkpoint = load_checkpoint(layout, placement, torch_dtype)
        return cls(description, checkpoint, load_prompting(layout), placement)

    @property
    def description(self) -> EngineDescription:
        return self._description

    def think(
        self, images: Images, instruction: Instruction, sampling: Sampling, on_text: OnText | None = None
    ) -> list[Thought]:
        """Look at each tile and write down what to do. An instruction without a task may be answered in words.

        Raises
        ------
        OperationRefused
            If the checkpoint does not perform the task.
        ThoughtError
            If a thought is endless or repeating, at both attempts.
        RouteError
            If a thought of a known task does not lead to editing; ``facts['tile']`` is its index.
        EngineOutOfMemory
            If the device runs out of memory; later calls use a smaller micro-batch.
        """
        task = instruction.task
        if task and task not in self._config.engine.operations:
            raise OperationRefused(
                f"this checkpoint does not know the task '{task}'",
                f"tasks are {', '.join(self._config.engine.operations)}",
                "choose another engine or operation",
                task=task,
            )
        masks = task == "segmentation"
        with self._computing(), self._within_memory(len(images)):
            tensor = self._tensor(images, "backbone")
            # A checkpoint whose thoughts set the drawing scale was trained on plain sizes alone.
            scaling = self._config.denoising.object_size
            told = instruction.plain if scaling else instruction
            # A small thinker finds objects in noise that it was not trained on.
            begun = [scaling.empty if is_mere_noise(image) else "" for image in images] if scaling and masks else ()
            thoughts: list[Thought] = self._models.thinker.think(tensor, told.text, sampling, on_text, begun)
        if task:
            for i, thought in enumerate(thoughts):
                self._require_route(i, thought.route, (self._config.prompting.edit_route,), thought.text)
        return thoughts

    @torch.inference_mode()
    def generate(
        self,
        images: Images,
        thoughts: Sequence[Thought],
        sampling: Sampling,
        noise: Sequence[NoiseField],
    ) -> Images:
        """Draw each tile from its thought; source tiles are resampled to the size that `noise` states.

        Objects may be drawn at another scale and resampled back, and a second time if they turn out to have another
        size, see :mod:`napari_s1omni.engine.s1omni.editor.object_scaling`.

        Raises
        ------
        RouteError
            If the route of a thought does not draw.
        GenerationError
            If a drawn tile is not finite or cannot have this size; ``facts['tile']`` is its index.
        EngineOutOfMemory
            If the device runs out of memory; later calls use a smaller micro-batch.
        """
        self._check_sizes(noise)
        editor, limits = self._editor, (self._description.limits.multiple_of, self._description.limits.max_size)
        groups = {i: self._group(editor, i, thought, noise[i]) for i, thought in enumerate(thoughts)}
        drawn = self._draw_groups(editor, groups, images, thoughts, sampling, noise)
        rows = self._models.thinker.micro_batch
        # A size that the user states, or corrects in a thought, is not doubted.
        unstated = [i for i, t in enumerate(thoughts) if t.token_ids and Instruction.read(t.prompt).object_size is None]
        second = {i: editor.second_group(groups[i], thoughts[i].text, drawn[i], rows, limits) for i in unstated}
        again = {i: group for i, group in second.items() if group is not None}
        drawn |= self._draw_groups(editor, again, images, thoughts, sampling, noise)
        return np.stack([drawn[i] for i in range(len(thoughts))])

    def _draw_groups(
        self,
        editor: Editor,
        groups: Mapping[int, TileGroup],
        images: Images,
        thoughts: Sequence[Thought],
        sampling: Sampling,
        noise: Sequence[NoiseField],
    ) -> dict[int, Images]:
        """Draw some tiles of a batch, those of one group together; returned by their index."""
        by_group: dict[TileGroup, list[int]] = {}
        for i, group in groups.items():
            by_group.setdefault(group, []).append(i)
        drawn: dict[int, Images] = {}
        for group, members in by_group.items():
            size = editor.batch_size(group)
            for part in (members[start : start + size] for start in range(0, len(members), size)):
                with self._computing(), self._within_memory(len(thoughts)):
                    chosen = [thoughts[i] for i in part]
                    out = self._draw(editor, group, images[part], chosen, sampling, [noise[i] for i in part])
                for i, image in zip(part, out, strict=True):
                    if not np.isfinite(image).all():
                        raise GenerationError(
                            f"tile {i} of the batch was drawn with values that are not finite",
                            remedy="draw it alone, with another seed, or in float32",
                            tile=i,
                        )
                    drawn[i] = image
        return drawn

    def chat(self) -> ThinkerChat:
        """Return the thinker as a chat model: it answers questions about pictures in words, without a server."""
        name = f"{self._description.name} {self._description.revision}".strip()
        return ThinkerChat(name, self._models.thinker, self._computing)

    def close(self) -> None:
        """Free all weights."""
        self._loaded = None
        if any(device.type == "cuda" for device in self._placement.values()):
            torch.cuda.empty_cache()

    def condition(
        self, images: Images | None, thoughts: Sequence[Thought], sampling: Sampling, limit: int | None
    ) -> Condition:
        """Return what the editor is conditioned on, for at most a micro-batch, on the editor's device."""
        tensor = None if images is None else self._tensor(images, "backbone")
        return self.connect(self._models.thinker.condition(tensor, thoughts, sampling, limit))

    def connect(self, raw: Condition) -> Condition:
        """Pass the thinker's states through the connector. A subclass may alter them to measure their effect."""
        device = self._placement["transformer"]
        connector = self._models.connector
        states = connector(raw.states.to(next(connector.parameters()).dtype))
        return Condition(states.to(device), raw.mask.to(device))

    @property
    def _editor(self) -> Editor:
        return Editor(self._config, self._models.denoiser, self._models.codec, self._placement["transformer"])

    def _group(self, editor: Editor, index: int, thought: Thought, noise: NoiseField) -> TileGroup:
        task, route = self._task_and_route(index, thought)
        limits = self._description.limits
        return editor.group(
            task,
            route == self._config.prompting.edit_route,
            thought.text,
            noise.shape,
            self._models.thinker.micro_batch,
            (limits.multiple_of, limits.max_size),
        )

    def _draw(
        self,
        editor: Editor,
        group: TileGroup,
        images: Images,
        thoughts: list[Thought],
        sampling: Sampling,
        noise: list[NoiseField],
    ) -> Images:
        limit = editor.max_condition_tokens(group)
        condition = self.condition(images if group.edit else None, thoughts, sampling, limit)
        empty = None
        if not group.edit and editor.guidance_scale(sampling) > 1:
            empty = self.connect(self._models.thinker.empty_condition(sampling, limit))
        drawn: Images = editor.draw(
            group, self._tensor(images, "transformer"), condition, sampling, noise, empty
        ).numpy()
        return drawn

    def _tensor(self, images: Images, component: str) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(images, np.float32)).to(self._placement[component])

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Compute with the plan's number of threads; torch keeps a number for each calling thread."""
        before, threads = torch.get_num_threads(), self._description.threads
        if threads and threads != before:
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            if threads and threads != before:
                torch.set_num_threads(before)

    @contextmanager
    def _within_memory(self, count: int) -> Iterator[None]:
        """Turn an out-of-memory error into a typed one, and use a smaller micro-batch from then on."""
        try:
            yield
        except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
            # The CPU allocator raises a plain RuntimeError.
            if type(error) is RuntimeError and "allocate memory" not in str(error):
                raise
            thinker = self._models.thinker
            before = thinker.micro_batch
            thinker.micro_batch = max(1, min(before, count) // 2)
            raise EngineOutOfMemory(
                f"the device has no memory for {before} tiles at once ({str(error).splitlines()[0]})",
                "a micro-batch that fits",
                f"run again with {thinker.micro_batch} tiles at once",
                micro_batch=before,
            ) from error

    @property
    def _models(self) -> _Models:
        if self._loaded is None:
            raise EngineUnavailable("this engine was closed", remedy="load it again", engine=self._description.name)
        return self._loaded

    def _task_and_route(self, index: int, thought: Thought) -> tuple[str, str | None]:
        words = self._config.prompting
        task = Instruction.read(thought.prompt or thought.text).task
        # Without tokens and prompt the engine did not think: the text is the instruction, and it asks for an edit.
        restated = not thought.token_ids and not thought.prompt
        route = thought.route or (words.edit_route if restated else None)
        self._require_route(index, route, (words.edit_route, words.generation_route), thought.text)
        return task, route

    def _require_route(self, index: int, route: str | None, allowed: tuple[str, ...], text: str) -> None:
        if route in allowed:
            return
        raise RouteError(
            f"the thought of tile {index} of the batch took {f'the route {route}' if route else 'no route'}",
            f"drawing needs {' or '.join(allowed)}",
            "reword the request so that it asks for an image",
            tile=index,
            route=route,
            text=text,
        )

    def _check_sizes(self, noise: Sequence[NoiseField]) -> None:
        limits = self._description.limits
        for i, field in enumerate(noise):
            wrong = any(v % limits.multiple_of or not limits.min_size <= v <= limits.max_size for v in field.shape)
            if wrong or any(v % self._models.codec.downscale for v in field.origin):
                raise GenerationError(
                    f"tile {i} of the batch is to be drawn with {field.shape} px at {field.origin}",
                    f"multiples of {limits.multiple_of} px from {limits.min_size} to {limits.max_size}",
                    "choose another tile size or overlap",
                    tile=i,
                    shape=field.shape,
                )
