"""A surface without a GUI toolkit: delivered functions run on the thread of the test."""

import queue
import time


class Surface:
    """Collects the functions that other threads deliver, and runs them on the test's thread."""

    def __init__(self):
        self._waiting = queue.Queue()

    def deliver(self, work):
        self._waiting.put(work)

    def until(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not happen in time"
            try:
                self._waiting.get(timeout=0.05)()
            except queue.Empty:
                continue


class FakeLayer:
    """The attributes of a napari layer that the package reads."""

    def __init__(self, data, name="image", scale=None, units=None, axis_labels=None, rgb=False, path=None, **other):
        import numpy as np

        self.multiscale = isinstance(data, list)
        first = data[0] if self.multiscale else data
        n = len(first.shape) - bool(rgb)
        self.data, self.name, self.rgb = data, name, rgb
        self.scale = np.ones(n) if scale is None else np.array(scale, float)
        self.translate = np.array(other.get("translate", np.zeros(n)), float)
        self.rotate = np.array(other.get("rotate", np.eye(n)))
        self.shear = np.array(other.get("shear", np.zeros(n * (n - 1) // 2)))
        self.affine = type("Affine", (), {"affine_matrix": np.eye(n + 1)})()
        self.units = units or ("pixel",) * n
        self.axis_labels = axis_labels or tuple(str(i - n) for i in range(n))
        self.source = type("Source", (), {"path": path})()


class Image(FakeLayer):
    """An image layer."""


class Labels(FakeLayer):
    """A labels layer."""


class Points(FakeLayer):
    """A points layer."""
