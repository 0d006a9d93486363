"""Saved states, from which a training continues."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch


def save_state(path: Path, parts: dict[str, Any], used: float, step: int) -> None:
    """Write the state of every part, the seconds used and the step, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save({"used": used, "step": step, **{name: part.state_dict() for name, part in parts.items()}}, partial)
    partial.rename(path)


def load_state(path: Path, parts: dict[str, Any]) -> tuple[float, int]:
    """Load a state of :func:`save_state` into the parts, if it exists; return the seconds used and the step."""
    if not path.is_file():
        return 0.0, 0
    stored = torch.load(path, map_location="cpu", weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(stored[name])
    return float(stored["used"]), int(stored["step"])
