"""The line that says before a run how the request was understood, and what was guessed."""

from __future__ import annotations

from napari_s1omni.jobs.prepare import Prepared


def request_line(prepared: Prepared) -> str:
    """Return what was understood and what was not: ``Understood: nuclei, about 12 px. Not understood: 'round'.``"""
    read = [f"Understood: {prepared.understood}."] if prepared.understood else []
    return " ".join([*read, *prepared.doubts])
