"""The confined process: imports, the lock, then one frame after another until the host closes the pipe."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from typing import Any

from napari_s1omni.sandbox.inside.lock import LockFailed, lock
from napari_s1omni.sandbox.inside.wire import Wire


def main() -> None:
    """Take the policy from standard input, lock this process, and run cells."""
    wire = Wire(os.dup(0), os.dup(1))
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.close(nothing)
    policy, _ = wire.receive()
    sys.path += policy["sites"]
    try:
        session = _prepare(wire, policy)
        version = lock(policy)
    except (LockFailed, ImportError, OSError, ValueError) as error:
        wire.send({"kind": "failed", "cell": 0, "text": f"{error}"[:2000]})
        return
    session.begin()
    libraries = {name: str(getattr(sys.modules.get(name), "__version__", "")) for name in policy["preload"]}
    said = ", ".join(f"{name} {number}" for name, number in sorted(libraries.items()) if number)
    wire.send({"kind": "ready", "cell": 0, "landlock": version, "python": sys.version.split()[0], "libraries": said})
    while True:
        try:
            header, payload = wire.receive()
            if header["kind"] == "run":
                session.run(header["cell"], payload.decode(), header["seconds"])
            else:
                session.offer(header, payload)
        except (EOFError, OSError):
            return
        except Exception:
            # A cell broke what is around it; the host sees that no answer comes.
            continue


def _prepare(wire: Wire, policy: dict[str, Any]) -> Any:
    """Import what is asked for while files can still be found quickly, and use it once: some import on first use."""
    from napari_s1omni.sandbox.inside.session import Session

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in policy["preload"]:
            importlib.import_module(name)
        if "skimage" in sys.modules:
            importlib.import_module("skimage.filters")
            importlib.import_module("skimage.measure")
            importlib.import_module("skimage.morphology")
            importlib.import_module("skimage.segmentation")
        if "PIL" in sys.modules:
            importlib.import_module("PIL.Image").init()
        if "matplotlib" in sys.modules:
            pyplot: Any = importlib.import_module("matplotlib.pyplot")
            pyplot.figure(figsize=(1, 1)).canvas.draw()
            pyplot.close("all")
            # The figures that are open at the end of a cell are shown.
            pyplot.show = lambda *_, **__: None
    return Session(wire, policy)
