"""The S1-Omni engine: thinker, connector, denoiser and codec from one checkpoint folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_s1omni.engine.s1omni.description import describe, familiarity, merit
from napari_s1omni.settings import let_threads_sleep

if TYPE_CHECKING:
    from napari_s1omni.engine.s1omni.engine import S1OmniEngine

__all__ = ["describe", "familiarity", "load", "merit"]


def load(
    name_or_folder: str, device: str | None = None, dtype: str | None = None, threads: int | None = None
) -> S1OmniEngine:
    """Load a checkpoint.

    Parameters
    ----------
    name_or_folder : str
        ``nano``, ``s1-omni-image``, or a folder in the released layout.
    device : str, optional
        ``cpu``, ``cuda`` (spread over all GPUs), or a single one such as ``cuda:1``; by default as the checkpoint says.
    dtype : {'float32', 'bfloat16', 'float16'}, optional
        Type to compute in; by default the checkpoint's choice.
    threads : int, optional
        CPU threads to compute with; by default as described. They affect bits, so a plan fixes them.

    Raises
    ------
    EngineUnavailable
        If weights, packages or the device are missing, or memory does not suffice.
    CheckpointError
        If the folder is damaged or is not a checkpoint.
    """
    # Read once, when torch is loaded; whoever started this process may be a notebook, napari or a cluster.
    let_threads_sleep()
    from napari_s1omni.engine.s1omni.engine import S1OmniEngine

    return S1OmniEngine.load(name_or_folder, device, dtype, threads)
