"""Which device holds which component, decided from numbers before anything is loaded, and without torch."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from napari_s1omni.errors import EngineUnavailable
from napari_s1omni.settings import visible_gpus
from napari_s1omni.system.memory import available_memory

HALVES = (("backbone", "alignment"), ("transformer", "vae"))
"""What may be split: the thinker's side and the editor's side. Only states travel between them."""


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """One device and the memory that is free on it."""

    device: str
    free: int
    """Bytes."""


def device_memory(device: str | None, preferred: Sequence[str]) -> list[DeviceMemory]:
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
    import torch

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
        return [DeviceMemory("cpu", available_memory())]
    indices = range(gpus) if wanted == "cuda" else [int(wanted.removeprefix("cuda:"))]
    return [DeviceMemory(f"cuda:{i}", torch.cuda.mem_get_info(i)[0]) for i in indices]


def installed() -> list[DeviceMemory]:
    """Return the GPUs that this process may use, as their driver names them, without loading torch."""
    asked = ["nvidia-smi", "--query-gpu=index,uuid,memory.free", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[word.strip() for word in line.split(",")] for line in told.splitlines() if line.count(",") == 2]
    named = visible_gpus()
    if named is not None:
        rows = [
            row for name in named for row in rows if name == row[0] or (name[:1] == "G" and row[1].startswith(name))
        ]
    return [DeviceMemory(f"cuda:{i}", int(free) * 2**20) for i, (_, _, free) in enumerate(rows) if free.isdigit()]


def worded(sizes: Mapping[str, int], working: int, available: Sequence[DeviceMemory]) -> tuple[int, str]:
    """Return how many devices will hold the components, and say which; or what would hold them where these do not."""
    try:
        placed = place(sizes, working, available)
    except EngineUnavailable as error:
        return 1, f"{error.given}; it takes {error.allowed}"
    parts: dict[str, list[str]] = {}
    for name, device in placed.items():
        parts.setdefault(device, []).append(f"{name} {_gib(sizes[name])}")
    return len(parts), "; ".join(f"{device}: {', '.join(names)}" for device, names in parts.items())


def place(sizes: Mapping[str, int], working: int, available: Sequence[DeviceMemory]) -> dict[str, str]:
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
    if ordered and total + working <= ordered[0].free:
        return dict.fromkeys(sizes, ordered[0].device)
    halves = sorted(HALVES, key=lambda names: -sum(sizes.get(name, 0) for name in names))
    needs = [sum(sizes.get(name, 0) for name in names) + working for names in halves]
    if len(ordered) > 1 and all(need <= room.free for need, room in zip(needs, ordered[:2], strict=True)):
        held = {name: room.device for names, room in zip(halves, ordered, strict=False) for name in names}
        return {name: held[name] for name in sizes}
    free = ", ".join(f"{room.device} has {_gib(room.free)} free" for room in ordered) or "no GPU is here"
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
