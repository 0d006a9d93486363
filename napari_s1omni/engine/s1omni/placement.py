"""Which device holds which component, decided from numbers before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil
import torch

from napari_s1omni.errors import EngineUnavailable

HALVES = (("backbone", "alignment"), ("transformer", "vae"))
"""What may be split: the thinker's side and the editor's side. Only states travel between them."""


@dataclass(frozen=True, slots=True)
class Room:
    """One device and the memory that is free on it."""

    device: str
    free: int
    """Bytes."""


def rooms(device: str | None, preferred: Sequence[str]) -> list[Room]:
    """Return the devices to use.

    Parameters
    ----------
    device : str or None
        ``cpu``, ``cuda`` (all of them), ``cuda:1``; None: the first of `preferred` that is here.
    preferred : sequence of str

    Raises
    ------
    EngineUnavailable
        If the device is not here.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    here = ["cpu", *(["cuda"] if gpus else []), *(f"cuda:{i}" for i in range(gpus))]
    wanted = device or next((name for name in preferred if name in here), preferred[0])
    if wanted not in here:
        raise EngineUnavailable(
            f"the device '{wanted}' is not here",
            f"devices here are {', '.join(here)}",
            "choose one of these, or an engine that runs on it, such as nano on a CPU",
            device=wanted,
            available=here,
        )
    if wanted == "cpu":
        return [Room("cpu", psutil.virtual_memory().available)]
    indices = range(gpus) if wanted == "cuda" else [int(wanted.removeprefix("cuda:"))]
    return [Room(f"cuda:{i}", torch.cuda.mem_get_info(i)[0]) for i in indices]


def place(sizes: Mapping[str, int], working: int, available: Sequence[Room]) -> dict[str, torch.device]:
    """Put all components on one device, or the thinker's side and the editor's side on two.

    Parameters
    ----------
    sizes : mapping
        Bytes of weights per component.
    working : int
        Bytes that drawing one micro-batch takes besides.
    available : sequence of Room

    Raises
    ------
    EngineUnavailable
        If it does not fit; the sentence and the facts carry the numbers.
    """
    ordered = sorted(available, key=lambda room: -room.free)
    total = sum(sizes.values())
    if total + working <= ordered[0].free:
        return {name: torch.device(ordered[0].device) for name in sizes}
    halves = sorted(HALVES, key=lambda names: -sum(sizes.get(name, 0) for name in names))
    needs = [sum(sizes.get(name, 0) for name in names) + working for names in halves]
    if len(ordered) > 1 and all(need <= room.free for need, room in zip(needs, ordered[:2], strict=True)):
        return {name: torch.device(room.device) for names, room in zip(halves, ordered, strict=False) for name in names}
    free = ", ".join(f"{room.device} has {_gib(room.free)} free" for room in ordered)
    raise EngineUnavailable(
        f"the model needs {_gib(total + working)} ({', '.join(f'{n} {_gib(s)}' for n, s in sizes.items())}, "
        f"working memory {_gib(working)}), but {free}",
        f"one device with {_gib(total + working)}, or two with {_gib(needs[0])} and {_gib(needs[1])}",
        "close other programs, use a larger machine, or choose the engine 'nano'",
        needed=total + working,
        sizes=dict(sizes),
        working=working,
        free={room.device: room.free for room in ordered},
    )


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**27 else f"{size / 2**20:.0f} MiB"
