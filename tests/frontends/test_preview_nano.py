"""Previews with the bundled checkpoint, through the helper process."""

import time

import pytest
from surface import Surface

from napari_s1omni.engine.registry import describe
from napari_s1omni.errors import EngineUnavailable
from napari_s1omni.frontends.session.preview.client import PreviewClient
from napari_s1omni.frontends.session.preview.events import PreviewFailed, PreviewProgress, PreviewResult
from napari_s1omni.planning.job import Job

pytest.importorskip("torch", reason="the bundled checkpoint needs the extra 'models'")

TILE_SECONDS = 3.0
"""Within which the first tile is there once the engine is ready, on two cores that have nothing else to do."""


@pytest.fixture(scope="module")
def nano():
    try:
        return describe("nano", "segmentation")
    except EngineUnavailable as error:
        pytest.skip(f"the bundled checkpoint is not there: {error}")


@pytest.mark.slow
def test_the_first_tile_is_there_soon_and_the_next_preview_is_warm(nano):
    surface, heard = Surface(), []
    previewer = PreviewClient(lambda answer: surface.deliver(lambda: heard.append((time.monotonic(), answer))))
    job = Job(
        source="synthetic://nuclei?shape=1024,1024&seed=1",
        engine="nano",
        region={"type": "box", "y": [0, 192], "x": [0, 192]},
        operation={"type": "segmentation"},
    )

    def ended():
        return heard and isinstance(heard[-1][1], PreviewResult | PreviewFailed)

    try:
        seconds = []
        for prompt in ("segment the nuclei", "segment the bright nuclei"):
            heard.clear()
            previewer.request(job.replace(operation={"type": "segmentation", "prompt": prompt}))
            surface.until(ended, 240)
            assert isinstance(heard[-1][1], PreviewResult), heard[-1][1]
            steps = [(at, a) for at, a in heard if isinstance(a, PreviewProgress)]
            ready = next(at for at, a in steps if a.message.startswith("thinking"))
            first = next(at for at, a in steps if a.done)
            seconds.append(first - ready)
            assert len(heard[-1][1].thoughts) > 0
        assert not any(a.message.startswith("loading") for _, a in steps), "the engine was kept"
        print(f"first tiles after {seconds[0]:.1f} s, warm {seconds[1]:.1f} s")
        assert heard[-1][1].pixels.shape == (192, 192)
    finally:
        previewer.close()
    assert min(seconds) < TILE_SECONDS, seconds
