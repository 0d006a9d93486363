"""A conformance suite for engines, to be subclassed in the tests of any engine.

::

    import pytest
    from napari_s1omni.engine.registry import create_engine
    from napari_s1omni.testing.engine_tests import EngineTests


    class TestMine(EngineTests):
        @pytest.fixture(scope="class")
        def engine(self):
            return create_engine("mine")

pytest then runs every test of the suite for each operation that the engine performs. The suite checks the contract, not
the quality of results.
"""

from __future__ import annotations

import json
from typing import ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_s1omni.core.noise import NoiseField
from napari_s1omni.core.sampling import Sampling
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.engine.protocol import Engine, Images, Thought
from napari_s1omni.errors import EngineError, OperationRefused


class EngineTests:
    """What every :class:`~napari_s1omni.engine.protocol.Engine` must do.

    A subclass must override the fixture :meth:`engine`. It should override :meth:`fresh_engine`, and may change the
    class attributes. The tests do not close the engine, so one that is slow to load can be shared by a fixture of scope
    ``class`` or ``module``.
    """

    tile: ClassVar[int | None] = None
    """Edge of the tiles, in pixels; None uses the tile size of the description. Smaller tiles make faster tests."""
    requests: ClassVar[dict[str, str]] = {
        "segmentation": "segment the bright nuclei, about 12 px wide",
        "super_resolution": "sharpen",
        "modality_translation": "draw the nuclei stain",
    }
    """The user's prompt for each operation type."""
    thinks_from_pixels: ClassVar[bool] = True
    """Whether the trace depends on the pixels; False for an engine that thinks about the words alone."""
    _thought: ClassVar[WeakKeyDictionary[Engine, dict[str, list[Thought]]]] = WeakKeyDictionary()

    @pytest.fixture
    def engine(self) -> Engine:
        """Return the engine under test. Must be overridden."""
        raise NotImplementedError("override the fixture 'engine'")

    @pytest.fixture
    def fresh_engine(self) -> Engine:
        """Return another instance, which the test closes. The test is skipped unless this is overridden."""
        pytest.skip("the fixture 'fresh_engine' is not overridden")

    @pytest.fixture
    def scene(self, engine: Engine) -> Images:
        """Return the tiles of a micro-batch, at least two: bright discs on a noisy background, all different."""
        size = self.tile or engine.description.tile_size
        count = max(2, engine.description.micro_batch)
        return np.stack([_blobs(size, seed) for seed in range(count)])

    @pytest.fixture(params=["segmentation", "super_resolution", "modality_translation"])
    def operation(self, request: pytest.FixtureRequest, engine: Engine) -> str:
        """Return each operation that the engine performs."""
        name: str = request.param
        if name not in engine.description.operations:
            pytest.skip(f"the engine does not do {name}")
        return name

    @pytest.fixture
    def sampling(self) -> Sampling:
        """Return a sampling with few steps, since quality does not matter here."""
        return Sampling(seed=7, num_inference_steps=2)

    @pytest.fixture
    def thoughts(self, engine: Engine, scene: Images, operation: str, sampling: Sampling) -> list[Thought]:
        """Return the thoughts about the scene, made once for each engine and operation."""
        known = self._thought.setdefault(engine, {})
        if operation not in known:
            known[operation] = engine.think(scene, self.instruction(engine, operation), sampling)
        return known[operation]

    def instruction(self, engine: Engine, operation: str) -> Instruction:
        """Return the instruction for an operation."""
        size = self.tile or engine.description.tile_size
        target = (engine.description.targets or ("nuclei",))[0] if operation == "modality_translation" else None
        factor = (2, 2) if operation == "super_resolution" else (1, 1)
        request = self.requests[operation]
        return Instruction(task=operation, request=request, tile=(size, size), factor=factor, target=target)

    def fields(self, engine: Engine, operation: str, count: int, seed: int = 7) -> list[NoiseField]:
        """Return a noise field for each tile; it states the size to draw, twice as large in super-resolution."""
        size = (self.tile or engine.description.tile_size) * (2 if operation == "super_resolution" else 1)
        return [NoiseField(seed, (0, 0), (0, i * size), (size, size)) for i in range(count)]

    def draw(
        self, engine: Engine, operation: str, images: Images, thoughts: list[Thought], sampling: Sampling
    ) -> Images:
        """Draw tiles with the noise of their positions."""
        return engine.generate(images, thoughts, sampling, self.fields(engine, operation, len(images)))

    def test_description_is_complete(self, engine: Engine) -> None:
        """The description has all that a plan needs, and its numbers fit together."""
        facts = engine.description
        assert facts.name
        assert facts.name != "auto"
        assert facts.revision
        assert facts.operations
        assert facts.micro_batch >= 1
        assert 0 <= facts.overlap < facts.tile_size
        assert facts.tile_size % facts.limits.multiple_of == 0
        assert facts.limits.min_size <= facts.tile_size <= facts.limits.max_size

    def test_thoughts_have_text_and_route(self, thoughts: list[Thought], scene: Images) -> None:
        """There is one thought per tile, with a text and a route that draws."""
        assert len(thoughts) == len(scene)
        assert all(thought.text for thought in thoughts)
        assert all(thought.route for thought in thoughts)

    def test_text_is_streamed(
        self, engine: Engine, scene: Images, operation: str, sampling: Sampling, thoughts: list[Thought]
    ) -> None:
        """The pieces passed to ``on_text`` end with the text of the thought."""
        received = [""] * len(scene)

        def receive(index: int, piece: str) -> None:
            received[index] += piece

        engine.think(scene, self.instruction(engine, operation), sampling, receive)
        for text, thought in zip(received, thoughts, strict=True):
            assert text.endswith(thought.text)

    def test_thinking_repeats(
        self, engine: Engine, scene: Images, operation: str, sampling: Sampling, thoughts: list[Thought]
    ) -> None:
        """The same tiles and instruction give the same thoughts."""
        assert engine.think(scene, self.instruction(engine, operation), sampling) == thoughts

    def test_thought_does_not_depend_on_its_batch(
        self, engine: Engine, scene: Images, operation: str, sampling: Sampling, thoughts: list[Thought]
    ) -> None:
        """A tile alone, or at another position in the batch, gets the same thought."""
        instruction = self.instruction(engine, operation)
        assert engine.think(scene[-1:], instruction, sampling) == thoughts[-1:]
        assert engine.think(scene[::-1].copy(), instruction, sampling) == thoughts[::-1]

    def test_other_pixels_give_another_trace(
        self, engine: Engine, scene: Images, operation: str, sampling: Sampling, thoughts: list[Thought]
    ) -> None:
        """Noise and empty tiles give other traces than the scene, so the trace depends on the image."""
        if not self.thinks_from_pixels:
            pytest.skip("the engine thinks about the words alone")
        noise = np.random.default_rng(0).random(scene.shape, dtype=np.float32)
        empty = np.zeros_like(scene)
        instruction = self.instruction(engine, operation)
        traces = [{t.trace or t.text for t in engine.think(images, instruction, sampling)} for images in (noise, empty)]
        own = {t.trace or t.text for t in thoughts}
        assert own != traces[0]
        assert own != traces[1]

    def test_drawing_has_its_shape(
        self, engine: Engine, scene: Images, operation: str, sampling: Sampling, thoughts: list[Thought]
    ) -> None:
        """The result is float32, finite, and has the size that the noise field states."""
        drawn = self.draw(engine, operation, scene, thoughts, sampling)
        shape = self.fields(engine, operation, 1)[0].shape
        assert drawn.shape == (len(scene), 3, *shape)
        assert drawn.dtype == np.float32
        assert np.isfinite(drawn).all()
        if operation == "segmentation" and engine.description.encoding == "fields":
            assert drawn.min() >= 0
            assert drawn.max() <= 1

    def test_drawing_repeats(
        self, engine: Engine, scene: Images, operation: str, sampling: Sampling, thoughts: list[Thought]
    ) -> None:
        """The same seed gives the same pixels."""
        first = self.draw(engine, operation, scene, thoughts, sampling)
        np.testing.assert_array_equal(first, self.draw(engine, operation, scene, thoughts, sampling))

    def test_drawing_does_not_depend_on_its_batch(
        self, engine: Engine, scene: Images, operation: str, sampling: Sampling, thoughts: list[Thought]
    ) -> None:
        """A tile alone, or at another position in the batch, is drawn bit-identically."""
        fields = self.fields(engine, operation, len(scene))
        drawn = engine.generate(scene, thoughts, sampling, fields)
        alone = engine.generate(scene[-1:], thoughts[-1:], sampling, fields[-1:])
        np.testing.assert_array_equal(alone[0], drawn[-1])
        turned = engine.generate(scene[::-1].copy(), thoughts[::-1], sampling, fields[::-1])
        np.testing.assert_array_equal(turned[::-1], drawn)

    def test_stored_thought_draws_the_same(
        self, engine: Engine, scene: Images, operation: str, sampling: Sampling, thoughts: list[Thought]
    ) -> None:
        """A thought that was stored as JSON and read back draws the same pixels."""
        stored = [json.loads(json.dumps([t.text, t.token_ids, t.route, t.prompt])) for t in thoughts]
        read = [Thought(text, tuple(ids), route, prompt) for text, ids, route, prompt in stored]
        drawn = self.draw(engine, operation, scene, thoughts, sampling)
        np.testing.assert_array_equal(self.draw(engine, operation, scene, read, sampling), drawn)

    def test_unknown_operation_is_refused(self, engine: Engine, scene: Images, sampling: Sampling) -> None:
        """An unknown task is refused, with an error that names the operations of the engine."""
        instruction = Instruction(task="alchemy", request="gold", tile=scene.shape[-2:])
        with pytest.raises(OperationRefused) as caught:
            engine.think(scene, instruction, sampling)
        assert engine.description.operations[0] in str(caught.value)

    def test_closed_engine_refuses(self, fresh_engine: Engine, scene: Images, sampling: Sampling) -> None:
        """Closing twice is allowed; a closed engine with weights raises an EngineError that says so."""
        instruction = self.instruction(fresh_engine, fresh_engine.description.operations[0])
        fresh_engine.close()
        fresh_engine.close()
        if fresh_engine.description.weights_license.startswith("none"):
            assert len(fresh_engine.think(scene, instruction, sampling)) == len(scene)
        else:
            with pytest.raises(EngineError, match="closed"):
                fresh_engine.think(scene, instruction, sampling)


def _blobs(size: int, seed: int) -> NDArray[np.float32]:
    """Bright discs on a noisy dark ground, float32 (3, size, size)."""
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:size, :size]
    image = np.full((size, size), 0.1)
    for _ in range(3 + 4 * (seed % 3)):
        y, x = rng.uniform(0, size, 2)
        radius = rng.uniform(3, 8) * (1 + seed % 2)
        image = np.maximum(image, 0.9 / (1 + np.exp(np.hypot(rows - y, cols - x) - radius)))
    image = image + rng.normal(0, 0.02, image.shape)
    return np.repeat(image.astype(np.float32)[None], 3, 0)
