"""Execute notebooks and save each with its outputs: ``execute.py FOLDER NOTEBOOK...``.

``FOLDER/<stem>`` gets the notebook and ``seconds.txt``, and that of the first the page made of it, too.
A process of its own, so that what Jupyter's clients leave open or warn of is no matter of the tests.
"""

import sys
import time
from pathlib import Path

import nbclient
import nbformat


def execute(source: Path, home: Path) -> nbformat.NotebookNode:
    """Run one notebook in a kernel of its own."""
    home.mkdir()
    notebook = nbformat.read(source, as_version=4)
    started = time.monotonic()
    try:
        # As JupyterLab saves it: the state of widgets stays with the kernel.
        client = nbclient.NotebookClient(notebook, timeout=900, kernel_name="python3", store_widget_state=False)
        client.execute(cwd=str(home))
    except nbclient.exceptions.CellExecutionError:
        # The output of the cell tells it.
        pass
    finally:
        nbformat.write(notebook, home / source.name)
        (home / "seconds.txt").write_text(f"{time.monotonic() - started:.1f}")
    return notebook


if __name__ == "__main__":
    folder, *sources = map(Path, sys.argv[1:])
    for at, path in enumerate(sources):
        executed = execute(path, folder / path.stem)
        if at == 0:
            import nbconvert

            page = folder / path.stem / f"{path.stem}.html"
            page.write_text(nbconvert.HTMLExporter().from_notebook_node(executed)[0], encoding="utf-8")
