import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from skimage.data import coins
from skimage.io import imsave

from napari_s1omni.api import segment, super_resolve
from napari_s1omni.engine.reference.engine import ReferenceEngine
from napari_s1omni.errors import GenerationError
from napari_s1omni.frontends.cli.main import main
from napari_s1omni.results.report import report, write_report
from napari_s1omni.results.result import Result
from napari_s1omni.storage.source import open_source

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
    return segment(home / "coins <1>.png", home / "out.zarr", prompt="bright coins & more", **OPTIONS)


def test_the_report_shows_the_job_and_tiles_with_their_thoughts(result, tmp_path):
    size = write_report(result, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert size == len(page.encode()) < 5e6
    assert "bright coins &amp; more" in page
    assert "coins &lt;1&gt;.png" in page
    assert f"{result.summary['objects']:,} objects found" in page
    assert result.plan.source_digest[:16] in page
    trace = next(iter(result.thoughts.values())).trace.splitlines()[0][:40]
    assert any(thought.trace.splitlines()[0][:40] in page for thought in result.thoughts.values()), trace
    assert page.count("<figure>") >= 6
    assert page.count("data:image/") == 2 * page.count("<figure")


def test_the_report_is_self_contained_and_reproducible(result):
    page = report(result)
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "<script" not in page
    assert page == report(result)


def test_without_its_source_the_report_shows_the_rest(result, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(result.path, moved)
    gone = Result.open(moved)
    source = result.plan.source.source
    shutil.move(source, tmp_path / "elsewhere.png")
    try:
        page = report(gone)
    finally:
        shutil.move(tmp_path / "elsewhere.png", source)
    assert page.count("data:image/") == page.count("<figure") > 0


def test_a_report_of_an_image():
    image = np.random.default_rng(0).integers(0, 60000, (90, 100)).astype("uint16")
    page = report(super_resolve(image, **{**OPTIONS, "block_size": 48}))
    assert "Super-resolution of an image in memory by reference" in page
    assert page.count("<figure>") > 0


def test_the_report_has_all_facts_for_a_supplement(result):
    page = report(result)
    for words in (
        "Weights", "none (no weights)", "How to cite", "PeerJ 2:e453", "napari_s1omni 0", "Engine", "revision", "Source and result",
        "drawn", "empty", "failed", "Retried", "Joins between tiles", "Most visible joins", "Random tiles",
        "Last run", "UTC, complete", "Generate", "Peak memory", "Repeat the run", "schema_version",
        *(f"{name} {version}" for name, version in result.software.items()),
    ):  # fmt: skip
        assert words in page, words
    assert result.software["numpy"] == np.__version__
    worst, sample = (
        page.split(f"<h2>{name}</h2>")[1].split("<h2>")[0] for name in ("Most visible joins", "Random tiles")
    )
    assert worst.count("<figure>") == sample.count("<figure>") == 6
    assert worst.count("<blockquote>") == sample.count("<blockquote>") == 6


def test_the_largest_report_is_small(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    image = open_source(noise, axes="yxs")
    made = super_resolve(noise, tmp_path / "out.zarr", engine="reference", tile_size=64, durable=False)
    # Incompressible colours in every picture.
    assert write_report(made, tmp_path / "page.html", image) < 5e6


def test_the_report_lists_holes_and_retries(tmp_path, monkeypatch):
    real = ReferenceEngine.generate

    def broken(self, images, *more):
        if images[0].mean() > 0.5:
            raise GenerationError("the light is <too> bright")
        return real(self, images, *more)

    monkeypatch.setattr(ReferenceEngine, "generate", broken)
    image = np.pad(np.full((64, 64), 200, np.uint8), ((0, 128), (0, 128)), constant_values=20)
    image = image + np.random.default_rng(0).integers(0, 9, image.shape, np.uint8)
    result = segment(image, tmp_path / "out.zarr", prompt="bright spots of 10 px", **OPTIONS)
    assert result.summary["holes"] == 1
    page = report(result)
    assert "1 tile missing" in page
    assert "the light is &lt;too&gt; bright" in page
    assert "tile 0, 0 (z 0, t 0)" in page


def test_a_report_that_cannot_be_written_is_refused(result, read_only_share, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["report", str(result.path), str(read_only_share / "a.html")])
    assert ended.value.code == 73
    assert "Read-only file system. Choose a folder" in capsys.readouterr().err


def test_the_command_writes_it_and_refuses_another_ending(result, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["report", str(result.path), str(tmp_path / "a.html")])
    assert ended.value.code == 0
    assert (tmp_path / "a.html").stat().st_size > 10_000
    done = subprocess.run(
        [sys.executable, "-m", "napari_s1omni", "report", str(result.path)], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert result.path.with_suffix(".html").read_bytes() == (tmp_path / "a.html").read_bytes()
    with pytest.raises(SystemExit) as ended:
        main(["report", str(result.path), str(tmp_path / "a.pdf")])
    assert ended.value.code == 2
    assert "ending in .html" in capsys.readouterr().err
