"""Lab: a JupyterLab of one's own in a real browser, in which cells are run as people run them."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_s1omni.settings import CACHE, browser, child_environment

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

PATIENCE = 90_000
"""Ms to wait for anything; the machine may do other work too."""
IDLE = ".jp-Notebook-ExecutionIndicator[data-status=idle]"
"""What a page shows whose kernel waits for work."""
_SETTINGS = {
    # No questions on the network, and cells that are out of sight stay on the page.
    "apputils-extension/notification": {"fetchNews": "false"},
    "notebook-extension/tracker": {"windowingMode": "none"},
}


@dataclass(frozen=True, slots=True)
class Lab:
    """A JupyterLab that is running."""

    address: str
    token: str
    folder: Path
    """What it shows as its files."""

    def open(self, page: Page, name: str, cells: tuple[str, ...]) -> None:
        """Write a notebook of some code cells, and open it."""
        notebook = json.dumps(as_notebook(cells))
        (self.folder / f"{name}.ipynb").write_text(notebook, encoding="utf-8")
        page.goto(f"{self.address}/doc/tree/{name}.ipynb?token={self.token}")
        page.locator(".jp-CodeCell").first.wait_for()


@contextlib.contextmanager
def browsing() -> Iterator[Browser]:
    """A browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Lab]:
    """Run a JupyterLab with settings, caches and a port of its own; its kernels end with it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lab = Lab(f"http://127.0.0.1:{port}", secrets.token_hex(8), folder)
    for name, values in _SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(values))
    own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "IPYTHONDIR": str(folder / "ipython")}
    own[CACHE.name] = str(folder / "cache")
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", "--ip=127.0.0.1",
        f"--IdentityProvider.token={lab.token}", f"--ServerApp.root_dir={folder}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    log = folder / "lab.log"
    with log.open("w") as said:
        process = subprocess.Popen(command, env=child_environment(**own), stdout=said, stderr=said)
    try:
        _await(f"{lab.address}/api/status?token={lab.token}", log)
        yield lab
    finally:
        process.terminate()
        process.wait(60)


def _await(address: str, log: Path) -> None:
    end = time.monotonic() + PATIENCE / 1000
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=10).close()
            return
        if time.monotonic() > end:
            raise TimeoutError(log.read_text(encoding="utf-8"))
        time.sleep(0.2)


def as_notebook(cells: tuple[str, ...]) -> dict[str, Any]:
    """Make a notebook of code cells."""
    made: list[dict[str, Any]] = [
        {"cell_type": "code", "id": f"cell{i}", "metadata": {}, "source": cell, "outputs": [], "execution_count": None}
        for i, cell in enumerate(cells)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def run_cell(page: Page, number: int) -> None:
    """Run a cell with the keyboard, once the kernel is there to run it.

    Raises
    ------
    RuntimeError
        If the kernel never takes it.
    """
    from playwright.sync_api import TimeoutError as Late
    from playwright.sync_api import expect

    page.locator(IDLE).wait_for()
    cell, question = page.locator(".jp-CodeCell").nth(number), page.locator(".jp-Dialog button.jp-mod-accept").first
    for _ in range(20):
        with contextlib.suppress(AssertionError, Late):
            if question.is_visible():
                # Such as which kernel to take, where the server is slow to say.
                question.click(timeout=5000)
            cell.locator(".cm-content").click(timeout=5000)
            page.keyboard.press("Shift+Enter")
            # A kernel that is still being connected forgets what it is given.
            expect(cell.locator(".jp-InputPrompt").first).not_to_have_text("[ ]:", timeout=5000)
            return
    raise RuntimeError(f"cell {number} does not run")


def find_panel(page: Page, at: int = 0) -> Locator:
    """Wait for a panel of a job and return it, once it shows px.

    Raises
    ------
    RuntimeError
        If a cell raised instead.
    """
    from playwright.sync_api import expect

    root, raised = page.locator(".s1o-root").nth(at), page.locator("[data-mime-type*='error']").first
    root.or_(raised).first.wait_for()
    if raised.is_visible():
        raise RuntimeError(raised.inner_text())
    expect(root).to_have_attribute("data-views", re.compile(r"\d+"), timeout=PATIENCE)
    return root


def first_pixels(page: Page, number: int, at: int = 0) -> float:
    """Run a cell that shows a job as the page's panel `at`; return the seconds from the keyboard until px are shown."""
    page.evaluate(
        "at => { window.first = new Promise((seen) => { const look = () =>"
        " document.querySelectorAll('.s1o-root')[at]?.dataset.views ? seen(performance.now())"
        " : requestAnimationFrame(look); look(); }); window.begun = performance.now(); }",
        at,
    )
    run_cell(page, number)
    find_panel(page, at)
    return float(page.evaluate("window.first.then((then) => (then - window.begun) / 1000)"))
