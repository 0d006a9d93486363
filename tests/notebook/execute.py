"""Execute a notebook and save it with its outputs, and as a page if one is named: ``execute.py IN OUT.ipynb [OUT.html]``.

A process of its own, so that what Jupyter's clients leave open or warn of is no matter of the tests.
"""

import sys
from pathlib import Path

import nbclient
import nbformat

if __name__ == "__main__":
    source, saved, *page = map(Path, sys.argv[1:])
    notebook = nbformat.read(source, as_version=4)
    try:
        # As JupyterLab saves it: the state of widgets stays with the kernel.
        client = nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3", store_widget_state=False)
        client.execute(cwd=str(saved.parent))
    finally:
        nbformat.write(notebook, saved)
    if page:
        import nbconvert

        page[0].write_text(nbconvert.HTMLExporter().from_notebook_node(notebook)[0], encoding="utf-8")
