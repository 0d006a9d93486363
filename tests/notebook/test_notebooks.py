"""Every notebook runs from its first cell to its last one, tells what it teaches, and is kept without outputs."""

import time
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient", reason="needs the extra 'browser'")
nbformat = pytest.importorskip("nbformat", reason="needs the extra 'browser'")

pytestmark = pytest.mark.slow

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
LIMIT = 120
"""Seconds that a notebook may take on two cores."""


def test_there_are_notebooks():
    assert len(NOTEBOOKS) == 6


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_is_kept_without_outputs_and_tells_what_it_teaches(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not [cell for cell in code if cell.outputs or cell.execution_count]
    assert notebook.cells[0].source.startswith("# ")
    assert "What you will learn" in notebook.cells[0].source


# The machine that tests may be shared; what counts is the time of an idle one.
@pytest.mark.timeout(6 * LIMIT)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the clients of Jupyter; the kernel's are not seen here
def test_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    notebook = nbformat.read(path, as_version=4)
    started = time.monotonic()
    client = nbclient.NotebookClient(
        notebook, timeout=5 * LIMIT, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    seconds = time.monotonic() - started
    print(f"{path.name}: {seconds:.0f} s")
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in shown if output.output_type == "error"]
    panels = [output.data for output in shown if "application/vnd.jupyter.widget-view+json" in output.get("data", {})]
    # Pages that cannot ask a kernel show a picture and numbers instead.
    assert all("<table>" in panel["text/html"] for panel in panels)
