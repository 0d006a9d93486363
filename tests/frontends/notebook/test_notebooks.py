"""Every notebook runs from start to end, names what it teaches, and is stored without outputs."""

import base64
import importlib.util
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from napari_s1omni.settings import browser

if not all(importlib.util.find_spec(name) for name in ("nbclient", "nbformat", "nbconvert")):
    # They are imported where they are used: that takes seconds, and every process of the tests collects all of them.
    pytest.skip("needs the extra 'browser'", allow_module_level=True)

NOTEBOOKS = sorted((Path(__file__).parents[3] / "notebooks").glob("*.ipynb"))
LIMIT = 120
"""Seconds that a notebook may take on two cores."""
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def nbformat():
    return importlib.import_module("nbformat")


def test_there_are_notebooks():
    assert len(NOTEBOOKS) == 7


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_is_stored_without_outputs_and_names_what_it_teaches(path, nbformat):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not [cell for cell in code if cell.outputs or cell.execution_count]
    assert notebook.cells[0].source.startswith("# ")
    assert "What you will learn" in notebook.cells[0].source


@pytest.fixture(scope="module")
def executed(request, tmp_path_factory):
    """Run the selected notebooks one after the other; return the folder with the executed ones."""
    asked = " ".join(item.name for item in request.session.items)
    wanted = [path for path in NOTEBOOKS if f"test_runs[{path.stem}]" in asked]
    first = [] if NOTEBOOKS[0] in wanted else NOTEBOOKS[:1]
    home = tmp_path_factory.mktemp("notebooks")
    own = {"IPYTHONDIR": "ipython", "JUPYTER_RUNTIME_DIR": "runtime", "S1OMNI_CACHE": "cache"}
    environment = {**os.environ, **{name: str(home / folder) for name, folder in own.items()}, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, Path(__file__).with_name("execute.py"), home, *first, *wanted]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=15 * LIMIT)
    assert done.returncode == 0, done.stderr[-4000:]
    return home


@pytest.mark.timeout(16 * LIMIT)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
@pytest.mark.slow
def test_runs(path, executed, nbformat):
    notebook = nbformat.read(executed / path.stem / path.name, as_version=4)
    seconds = float((executed / path.stem / "seconds.txt").read_text())
    print(f"{path.name}: {seconds:.0f} s")
    # A busy machine may take longer, in proportion to its load.
    assert seconds < LIMIT * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output.traceback for output in shown if output.output_type == "error"]
    panels = [output.data for output in shown if WIDGET in output.get("data", {})]
    stills = [
        output.data["text/html"] for output in shown if "s1o-still" in output.get("data", {}).get("text/html", "")
    ]
    assert len(stills) == len(panels)
    for text in stills:
        # A page without a kernel shows the final state as a picture and numbers.
        assert re.search(r"State</td>\s*<td[^>]*>(complete|cancelled)<", text), text[-500:]
        picture = Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([^\"]+)", text).group(1))))
        assert min(picture.size) > 100
        assert len(set(picture.convert("L").resize((64, 64)).tobytes())) > 10


@pytest.mark.slow
def test_a_page_made_of_a_notebook_shows_pictures_and_numbers(executed):
    name = NOTEBOOKS[0].stem
    text = (executed / name / f"{name}.html").read_text(encoding="utf-8")
    assert re.search(r"Objects</td>\s*<td[^>]*>\d+", text)
    assert text.count("State</td>") == 1
    assert "area (µm²)" in text


@pytest.mark.skipif(browser() is None, reason="there is no chromium")
@pytest.mark.slow
def test_a_page_without_network_shows_the_picture_and_no_dead_panel(executed):
    pytest.importorskip("playwright", reason="needs the extra 'browser'")
    from napari_s1omni.benchmarks.jupyter_lab import open_browser

    name = NOTEBOOKS[0].stem
    page_file = executed / name / f"{name}.html"
    # The state of the widget is stored, so the page would prefer the panel.
    assert "application/vnd.jupyter.widget-state+json" in page_file.read_text(encoding="utf-8")
    with open_browser() as browser:
        context = browser.new_context(offline=True)
        page = context.new_page()
        page.goto(page_file.as_uri(), wait_until="domcontentloaded")
        still = page.locator(".s1o-still")
        assert still.locator("img").is_visible()
        assert still.locator("img").evaluate("image => image.naturalWidth") > 100
        assert "napari_s1omni.attach(" in still.inner_text()
        assert not page.locator(".s1o-root").is_visible()
