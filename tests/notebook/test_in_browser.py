"""The panel in a real JupyterLab in a real browser: cells run, sliders move, tiles are clicked, a run is cancelled."""

import contextlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from napari_s1omni.execution.control import request as request_stop
from napari_s1omni.execution.watching import status

CHROMIUM = os.environ.get("S1OMNI_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("there is no chromium; scripts/test installs it where it may", allow_module_level=True)
pytest.importorskip("jupyterlab", reason="needs the extra 'browser'")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs the extra 'browser'")

PATIENCE = 120_000
"""Ms to wait for anything; machines of tests are shared."""
PICTURES = os.environ.get("S1OMNI_SCREENSHOTS")
"""Folder to keep screenshots in, to be looked at."""

BEGIN = """\
import napari_s1omni
job = napari_s1omni.segment(
    {source!r}, {output!r},
    prompt="segment the nuclei, about 24 px", tile_size=128, engine="reference", block=False,
)
job
"""
NUCLEI = "synthetic://nuclei?shape=2,3,384,512&axes=czyx&seed=7&diameter=24&scale=1,1.2,0.4,0.4"
HUGE = "synthetic://nuclei?shape=400,8192,8192&axes=zyx&dtype=float32&seed=7&diameter=48"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Address of a JupyterLab of this test's own, and the folder it shows."""
    folder = tmp_path_factory.mktemp("lab")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(8)
    own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    # No questions on the network, and cells that are out of sight stay on the page.
    settings = {
        "apputils-extension/notification": {"fetchNews": "false"},
        "notebook-extension/tracker": {"windowingMode": "none"},
    }
    for name, values in settings.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(values))
    own["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "settings")
    environment = {**os.environ, **own, "IPYTHONDIR": str(folder / "ipython"), "S1OMNI_CACHE": str(folder / "cache")}
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--ip=127.0.0.1",
        f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    with (folder / "lab.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        end = time.monotonic() + PATIENCE / 1000
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status?token={token}", timeout=10).close()
                break
            assert time.monotonic() < end, (folder / "lab.log").read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}", token, folder
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def notebook(lab, browser, request):
    """Open a notebook with some cells and run the first ones."""
    address, token, folder = lab
    page = browser.new_page(viewport={"width": 1180, "height": 1100})
    page.set_default_timeout(PATIENCE)

    def open_it(*cells):
        name = f"{request.node.name.split('[')[0]}.ipynb"
        (folder / name).write_text(json.dumps(as_notebook(cells)), encoding="utf-8")
        page.goto(f"{address}/doc/tree/{name}?token={token}")
        page.locator(".jp-CodeCell").first.wait_for()
        run(page, 0)
        return page

    yield open_it, folder
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"{request.node.name}-end.png"))
    page.close()
    for output in folder.glob("*.zarr"):
        # A run outlives whoever watched it, also where a test failed.
        if status(output).alive:
            request_stop(output, cancel=True)


def as_notebook(cells):
    made = [
        {"cell_type": "code", "id": f"cell{i}", "metadata": {}, "source": cell, "outputs": [], "execution_count": None}
        for i, cell in enumerate(cells)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def run(page, number):
    """Run a cell, once the kernel is there to run it."""
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    cell = page.locator(".jp-CodeCell").nth(number)
    for _ in range(20):
        cell.locator(".cm-content").click()
        page.keyboard.press("Shift+Enter")
        with contextlib.suppress(AssertionError):
            # A kernel that is still being connected forgets what it is given.
            sync_api.expect(cell.locator(".jp-InputPrompt").first).not_to_have_text("[ ]:", timeout=5000)
            return
    raise AssertionError(f"cell {number} does not run")


def panel(page, at=0):
    """The panel, once it shows px."""
    root = page.locator(".s1o-root").nth(at)
    root.wait_for()
    sync_api.expect(root).to_have_attribute("data-views", re.compile(r"\d+"), timeout=PATIENCE)
    return root


def slide(page, slider, share):
    """Drag a slider with the mouse."""
    box = slider.bounding_box()
    now = (float(slider.input_value()) - float(slider.get_attribute("min"))) / (
        float(slider.get_attribute("max")) - float(slider.get_attribute("min"))
    )
    thumb = 16
    place = lambda s: box["x"] + thumb / 2 + s * (box["width"] - thumb)  # noqa: E731  # one line of geometry
    middle = box["y"] + box["height"] / 2
    page.mouse.move(place(now), middle)
    page.mouse.down()
    page.mouse.move(place(share), middle, steps=5)
    page.mouse.up()


def colours(page, root):
    """How many different colours the canvas shows."""
    return root.locator("canvas.s1o-canvas").evaluate(
        "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; const s = new Set();"
        " for (let i = 0; i < d.length; i += 4) s.add((d[i] << 16) | (d[i + 1] << 8) | d[i + 2]); return s.size; }"
    )


def views(root):
    return int(root.get_attribute("data-views"))


def keep(target, name):
    if PICTURES:
        target.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


def seconds_of_this_machine(seconds):
    """More on a machine that does other work too, in proportion."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def test_a_job_is_watched_asked_and_tried_otherwise(notebook):
    expect = sync_api.expect
    open_it, folder = notebook
    page = open_it(BEGIN.format(source=NUCLEI, output=str(folder / "größe 1.zarr")), "job")
    root = panel(page)
    expect(root).to_have_attribute("data-state", "complete", timeout=PATIENCE)
    expect(root.locator(".s1o-forecast")).to_have_attribute("data-ready", "true", timeout=PATIENCE)
    page.wait_for_function("document.querySelector('.s1o-root').dataset.tiles > 0")
    page.wait_for_timeout(1000)
    root = panel(page)
    assert colours(page, root) > 300, "grey px and coloured objects"

    before = views(root)
    z = root.locator("input[data-axis=z]")
    slide(page, z, 1.0)
    assert z.input_value() == "2"
    page.wait_for_function(f"document.querySelector('.s1o-root').dataset.views > {before}")
    slide(page, root.locator("input[data-axis=c]"), 1.0)
    page.wait_for_timeout(500)
    white = root.locator("input[data-contrast=high]")
    slide(page, white, 0.55)
    slide(page, root.locator("input[data-curtain]"), 0.5)

    box = root.locator("canvas.s1o-map").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.35, box["y"] + box["height"] * 0.5)
    trace = root.locator(".s1o-thought")
    trace.wait_for()
    assert len(trace.inner_text()) > 40
    assert "drawn" in root.locator(".s1o-trace-head").inner_text()
    assert int(root.get_attribute("data-bytes")) < 2_000_000
    page.wait_for_timeout(500)
    keep(root, "panel")

    first = root.locator(".s1o-forecast").inner_text()
    root.locator("summary", has_text="Tiles").click()
    size = root.locator("input[data-path='tiling.tile_size']")
    size.fill("256")
    size.press("Tab")
    expect(root.locator(".s1o-forecast")).to_contain_text("tiles, about", timeout=PATIENCE)
    expect(root.locator(".s1o-forecast")).not_to_contain_text(first.split(",")[0], timeout=PATIENCE)
    root.locator("button.s1o-preview").click()
    root.locator("button.s1o-back").wait_for(timeout=PATIENCE)
    expect(root.locator(".s1o-preview-words")).to_contain_text("preview,")
    page.wait_for_timeout(500)
    keep(root, "preview")

    # A second view of the same job: it looks where the first one does, and what one hides the other hides too.
    run(page, 1)
    other = panel(page, 1)
    assert other.get_attribute("data-state") == "complete"
    assert other.locator("input[data-axis=z]").input_value() == "2"
    other.locator("button.s1o-back").click()
    expect(root.locator("button.s1o-back")).to_be_hidden()
    slide(page, other.locator("input[data-axis=z]"), 0.0)
    assert z.input_value() == "2"

    # After a reload both are there again, and their pixels.
    page.keyboard.press("Control+s")
    page.wait_for_timeout(1000)
    page.reload()
    for at in (0, 1):
        assert panel(page, at).get_attribute("data-state") == "complete"


def test_a_huge_image_shows_at_once_outlives_its_kernel_and_is_cancelled(notebook):
    expect = sync_api.expect
    open_it, folder = notebook
    output = str(folder / "huge.zarr")
    page = open_it(
        "import napari_s1omni.frontends.notebook.panel",
        BEGIN.format(source=HUGE, output=output),
        f"import napari_s1omni\nagain = napari_s1omni.attach({output!r})\nagain",
    )
    page.locator(".jp-InputPrompt", has_text="[1]:").first.wait_for()
    page.evaluate(
        "window.first = new Promise((seen) => { const look = () => document.querySelector('.s1o-root')?.dataset.views"
        " ? seen(performance.now()) : requestAnimationFrame(look); look(); }); window.begun = performance.now()"
    )
    run(page, 1)
    root = panel(page)
    seconds = page.evaluate("window.first.then((at) => (at - window.begun) / 1000)")
    print(f"first pixels of 107 GB after {seconds:.2f} s, {int(root.get_attribute('data-bytes')):,} bytes")
    assert seconds < seconds_of_this_machine(1.0)
    assert int(root.get_attribute("data-bytes")) < 2_000_000
    assert "107.4 GB" in root.locator(".s1o-about").inner_text()
    keep(root, "huge")

    expect(root).to_have_attribute("data-state", "running", timeout=PATIENCE)
    restart_kernel(page)
    assert status(output).alive
    run(page, 2)
    found = panel(page, 1)
    expect(found).to_have_attribute("data-state", "running")
    assert status(output).alive
    found.locator("button.s1o-cancel").click()
    expect(found).to_have_attribute("data-state", "cancelled", timeout=PATIENCE)
    assert not status(output).alive
    keep(page, "restarted")


def restart_kernel(page):
    """Restart the kernel as people do, and wait until the page has noticed."""
    page.keyboard.press("Escape")
    page.keyboard.press("0")
    page.keyboard.press("0")
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    page.locator(".jp-Dialog").wait_for(state="detached")
    page.wait_for_timeout(1000)
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
