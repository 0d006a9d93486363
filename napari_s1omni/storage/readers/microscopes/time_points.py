"""Time points of an acquisition: one step if they are evenly spaced, otherwise the list of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_s1omni.storage.readers.tiff_metadata.stored_sizes import StoredSizes

_EVEN = 0.01
"""Steps that differ by less than this fraction of their mean are one step."""


def add_times(sizes: StoredSizes, seconds: Sequence[float], name: str) -> tuple[float, ...]:
    """Add the time step to the sizes.

    Parameters
    ----------
    sizes : StoredSizes
        Gets the mean step in seconds, and a note if steps differ.
    seconds : sequence of float
        Seconds of each time point, from any origin.
    name : str
        The key in the file, for notes.

    Returns
    -------
    tuple of float
        Seconds from the first time point to each if the steps differ by more than 1 %, otherwise empty.
    """
    times = np.asarray(seconds, float)
    if times.size < 2 or not np.isfinite(times).all():
        return ()
    steps = np.diff(times)
    mean = float(f"{steps.mean():.9g}")
    sizes.add("t", mean, "second", name)
    if "t" not in sizes.scale or np.abs(steps - steps.mean()).max() <= _EVEN * steps.mean():
        return ()
    sizes.notes.append(
        f"time points are not evenly spaced ({steps.min():.4g} to {steps.max():.4g} s apart); their mean step, "
        f"{mean:.4g} s, is taken"
    )
    return tuple(float(f"{t:.9g}") for t in times - times[0])
