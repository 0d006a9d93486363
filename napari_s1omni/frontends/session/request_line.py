"""The line that says before a run how the request was understood, and what was guessed."""

from __future__ import annotations

from napari_s1omni.jobs.prepare import Prepared


def request_line(prepared: Prepared) -> str:
    """Return what was understood and what was not: ``Understood: nuclei, dark. 'round' is not understood.``

    What was measured on the layer for it follows.
    """
    read = [f"Understood: {prepared.understood}."] if prepared.understood else []
    told = [prepared.plan.told] if prepared.plan.told else []
    return " ".join([*read, *(doubt.brief for doubt in prepared.doubts), *told])


def request_reasons(prepared: Prepared) -> str:
    """Return why something was not understood or was guessed, a line for each."""
    return "\n".join(doubt.sentence for doubt in prepared.doubts)
