"""A file of several images in a notebook: its images are offered in the cell, and one is chosen."""

import asyncio
import time

import pytest

import napari_s1omni
from napari_s1omni.errors import SeveralImages


@pytest.fixture
def scan(scans, tmp_path):
    return scans(tmp_path / "a.scan", {"name": "B/3/R1"}, {"name": "Größe", "axes": "cyx", "shape": [2, 80, 80]})


def until(condition, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)


def test_an_image_is_chosen_in_the_cell(scan, tmp_path):
    job = napari_s1omni.segment(scan, tmp_path / "o.zarr", engine="reference", block=False)
    panel = job.panel
    until(lambda: len(panel.choices) == 2 and all(one["picture"] for one in panel.choices))
    assert [(one["name"], one["text"]) for one in panel.choices] == [
        ("B/3/R1", "y 80, x 80"),
        ("Größe", "c 2, y 80, x 80"),
    ]
    assert panel.choices[0]["picture"].startswith("data:image/")
    with pytest.raises(SeveralImages, match="'B/3/R1', 'Größe'"):
        asyncio.run(wait(job))
    panel._received(panel, {"kind": "choose", "image": "Größe", "view": "v"}, [])
    until(lambda: panel.status.get("state") == "complete")
    assert panel.choices == []
    assert job.result.plan.source.source == f"{scan}::Größe"
    job.close()


async def wait(job):
    return await job
