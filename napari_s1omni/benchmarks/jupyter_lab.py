"""JupyterLab in a real browser: start a private server, open notebooks and run cells with the keyboard."""

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

TIMEOUT_MS = 240_000
"""Longest wait in milliseconds; generous, because the machine may be busy."""
IDLE = ".jp-Notebook-ExecutionIndicator[data-status=idle]"
"""Selector that matches while the kernel is idle."""
_SETTINGS = {
    # No news from the network, and cells that are scrolled out of view stay in the page.
    "apputils-extension/notification": {"fetchNews": "false"},
    "notebook-extension/tracker": {"windowingMode": "none"},
}


@dataclass(frozen=True, slots=True)
class JupyterLab:
    """A running JupyterLab server."""

    address: str
    token: str
    folder: Path
    """Root folder of its file browser."""

    def open(self, page: Page, name: str, cells: tuple[str, ...]) -> None:
        """Write a notebook with code cells and open it."""
        notebook = json.dumps(as_notebook(cells))
        (self.folder / f"{name}.ipynb").write_text(notebook, encoding="utf-8")
        page.goto(f"{self.address}/doc/tree/{name}.ipynb?token={self.token}")
        page.locator(".jp-CodeCell").first.wait_for()


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=browser(), args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


@contextlib.contextmanager
def run_jupyterlab(folder: Path) -> Iterator[JupyterLab]:
    """Start a JupyterLab with its own settings, caches and port; its kernels end with it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    lab = JupyterLab(f"http://127.0.0.1:{port}", secrets.token_hex(8), folder)
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
    with log.open("w") as output:
        process = subprocess.Popen(command, env=child_environment(**own), stdout=output, stderr=output)
    try:
        _wait_until_up(f"{lab.address}/api/status?token={lab.token}", log)
        yield lab
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            # A thread of the server may wait for ever after its event loop has ended.
            process.kill()
            process.wait()


def _wait_until_up(address: str, log: Path) -> None:
    """Wait until the server answers; raise TimeoutError with its log otherwise."""
    end = time.monotonic() + TIMEOUT_MS / 1000
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=10).close()
            return
        if time.monotonic() > end:
            raise TimeoutError(log.read_text(encoding="utf-8"))
        time.sleep(0.2)


def as_notebook(cells: tuple[str, ...]) -> dict[str, Any]:
    """Return a notebook with code cells as JSON data."""
    made: list[dict[str, Any]] = [
        {"cell_type": "code", "id": f"cell{i}", "metadata": {}, "source": cell, "outputs": [], "execution_count": None}
        for i, cell in enumerate(cells)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def run_cell(page: Page, number: int) -> None:
    """Run a cell with the keyboard once the kernel is ready.

    Raises
    ------
    RuntimeError
        If the kernel does not run it.
    """
    from playwright.sync_api import TimeoutError as PlaywrightTimeout
    from playwright.sync_api import expect

    page.locator(IDLE).wait_for()
    cell, dialog = page.locator(".jp-CodeCell").nth(number), page.locator(".jp-Dialog button.jp-mod-accept").first
    for _ in range(20):
        with contextlib.suppress(AssertionError, PlaywrightTimeout):
            if dialog.is_visible():
                # For example the choice of a kernel, if the server is slow to answer.
                dialog.click(timeout=5000)
            cell.locator(".cm-content").click(timeout=5000)
            page.keyboard.press("Shift+Enter")
            # A kernel that is still connecting drops the cell; try again.
            expect(cell.locator(".jp-InputPrompt").first).not_to_have_text("[ ]:", timeout=5000)
            return
    raise RuntimeError(f"cell {number} does not run")


def find_panel(page: Page, at: int = 0) -> Locator:
    """Return the panel of a job once it shows pixels.

    Raises
    ------
    RuntimeError
        If a cell raised instead.
    """
    from playwright.sync_api import expect

    root, error = page.locator(".s1o-root").nth(at), page.locator("[data-mime-type*='error']").first
    root.or_(error).first.wait_for()
    if error.is_visible():
        raise RuntimeError(error.inner_text())
    expect(root).to_have_attribute("data-views", re.compile(r"\d+"), timeout=TIMEOUT_MS)
    return root


def first_pixels(page: Page, number: int, at: int = 0) -> float:
    """Run a cell that shows a job as panel `at`; return the seconds from the key press until pixels are shown."""
    page.evaluate(
        "at => { window.first = new Promise((seen) => { const look = () =>"
        " document.querySelectorAll('.s1o-root')[at]?.dataset.views ? seen(performance.now())"
        " : requestAnimationFrame(look); look(); }); window.begun = performance.now(); }",
        at,
    )
    run_cell(page, number)
    find_panel(page, at)
    return float(page.evaluate("window.first.then((then) => (then - window.begun) / 1000)"))
