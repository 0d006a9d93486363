"""Execute notebooks and save them with their outputs: ``execute.py FOLDER NOTEBOOK...``.

Writes the notebook and ``seconds.txt`` into ``FOLDER/<stem>``, and an HTML page of the first notebook.
It runs in a process of its own, so that warnings and open sockets of Jupyter's client do not fail the tests.
"""

import sys
import time
from pathlib import Path

import nbclient
import nbformat


def execute(source: Path, home: Path) -> nbformat.NotebookNode:
    """Run one notebook in its own kernel."""
    home.mkdir()
    notebook = nbformat.read(source, as_version=4)
    started = time.monotonic()
    try:
        # As `jupyter nbconvert --execute` runs it: with the state of widgets. A busy machine starts a kernel slowly.
        client = nbclient.NotebookClient(notebook, timeout=900, startup_timeout=600, kernel_name="python3")
        client.execute(cwd=str(home))
    except nbclient.exceptions.CellExecutionError:
        # The error is in the output of the cell.
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
