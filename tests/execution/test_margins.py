"""What is drawn does not depend on where tiles end, if the thought asks for a margin around them."""

import numpy as np
import pytest
from skimage.data import coins

import napari_s1omni
from napari_s1omni.engine.margin import window_inside
from napari_s1omni.engine.protocol import Thought
from napari_s1omni.engine.registry import create_engine
from napari_s1omni.evaluation.metrics import match
from napari_s1omni.execution.run.events import TilesDone
from napari_s1omni.execution.run.preview import run_preview
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.storage.logs.thought_log import ThoughtLog


def labels(image, **tiling):
    job = napari_s1omni.Job(
        source={"uri": "memory"},
        operation={"type": "segmentation", "prompt": "segment the coins, about 45 px"},
        engine="reference",
        tiling=tiling,
    )
    prepared = prepare(job, image)
    return run_preview(prepared.plan, prepared.source, create_engine("reference")).pixels


def test_the_coins_are_24_whatever_the_tile():
    image = coins()
    found = {size: labels(image, tile_size=size, overlap=32) for size in (128, 256, 512)}
    assert {size: len(np.unique(pixels)) - 1 for size, pixels in found.items()} == {128: 24, 256: 24, 512: 24}
    assert match(found[512], found[128], (0.9,))[0].true_positives == 24


@pytest.mark.parametrize("margin", [0, 30])
def test_a_margin_is_stored_with_its_thought(tmp_path, margin):
    with ThoughtLog(tmp_path, "one") as log:
        log.put("g0/layer", Thought("- ground: around", margin=margin))
    assert ThoughtLog(tmp_path)["g0/layer"].margin == margin
    assert (b"margin" in (tmp_path / "one.log").read_bytes()) == bool(margin)


def test_the_part_inside_the_layer_is_found():
    image = np.full((3, 20, 20), np.nan, np.float32)
    image[:, 6:, :15] = np.arange(14 * 15).reshape(14, 15)
    inside = window_inside(image, (10, 10), near=2)
    assert (inside.rows, inside.columns) == (slice(6, 20), slice(0, 15))
    assert inside.seen == (slice(0, 11), slice(3, 15))
    assert inside.drawn == (slice(0, 9), slice(2, 12))
    assert inside.tile == (slice(1, 10), slice(0, 10))


def test_nano_counts_24_coins_too():
    """A strip of brighter ground at their upper edge is taken out; without that it finds 25 and 27."""
    for size in (128, 256):
        job = napari_s1omni.Job(
            source={"uri": "memory"},
            operation={"type": "segmentation", "prompt": "segment the coins, about 45 px"},
            engine="nano",
            tiling={"tile_size": size},
        )
        drawn = []
        result = napari_s1omni.run(job, coins(), durable=False, on_event=drawn.append)
        assert len(np.unique(result.array[...])) - 1 == 24
        counts = [event.count for event in drawn if isinstance(event, TilesDone)]
        # Somebody waits for the first one.
        assert counts[0] == 1
