import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from skimage.data import coins
from skimage.io import imsave

from napari_s1omni import api
from napari_s1omni.report import report, write_report

OPTIONS = {
    "engine": "reference",
    "tile_size": 64,
    "overlap": 16,
    "block_size": 96,
    "think": "per_tile",
    "durable": False,
}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    home = tmp_path_factory.mktemp("report")
    imsave(home / "coins <1>.png", coins()[:150, :180], check_contrast=False)
    return api.segment(home / "coins <1>.png", home / "out.zarr", prompt="bright coins & more", **OPTIONS)


def test_the_page_tells_what_was_done_and_shows_tiles_with_their_thoughts(result, tmp_path):
    size = write_report(result, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert size == len(page.encode()) < 5e6
    assert "bright coins &amp; more" in page
    assert "coins &lt;1&gt;.png" in page
    assert f"{result.summary['objects']:,} objects were found" in page
    assert result.plan.source_digest[:16] in page
    trace = next(iter(result.thoughts.values())).trace.splitlines()[0][:40]
    assert any(thought.trace.splitlines()[0][:40] in page for thought in result.thoughts.values()), trace
    assert page.count("<figure>") >= 6
    assert page.count("data:image/png;base64,") == 2 * page.count("<figure>")


def test_the_page_fetches_nothing_and_is_the_same_twice(result):
    page = report(result)
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "<script" not in page
    assert page == report(result)


def test_without_its_source_the_page_says_the_rest(result, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(result.path, moved)
    gone = api.Result.open(moved)
    source = result.plan.source.source
    shutil.move(source, tmp_path / "elsewhere.png")
    try:
        page = report(gone)
    finally:
        shutil.move(tmp_path / "elsewhere.png", source)
    assert page.count("data:image/png;base64,") == page.count("<figure>") > 0


def test_images_are_reported_too():
    image = np.random.default_rng(0).integers(0, 60000, (90, 100)).astype("uint16")
    page = report(api.super_resolve(image, **{**OPTIONS, "block_size": 48}))
    assert "Super-resolution by reference" in page
    assert page.count("<figure>") > 0


def test_the_command_writes_it_and_refuses_another_ending(result, tmp_path):
    call = [sys.executable, "-m", "napari_s1omni", "report", str(result.path)]
    done = subprocess.run([*call, str(tmp_path / "a.html")], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.html").stat().st_size > 10_000
    wrong = subprocess.run([*call, str(tmp_path / "a.pdf")], capture_output=True, text=True, timeout=120)
    assert wrong.returncode == 2
    assert "ending in .html" in wrong.stderr
