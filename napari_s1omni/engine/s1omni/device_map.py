"""The device map: which device holds which component, inferred from sizes before anything is loaded."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from napari_s1omni.errors import EngineUnavailable
from napari_s1omni.settings import visible_gpus
from napari_s1omni.system.memory import available_memory

COLOCATED = (("backbone", "alignment"), ("transformer", "vae"))
"""Components that must share a device: those of the thinker and those of the editor. Only states pass between them."""


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """A device and its free memory."""

    device: str
    free: int
    """Bytes."""


def select_devices(device: str | None, preferred: Sequence[str]) -> list[DeviceMemory]:
    """Return the devices to use.

    Parameters
    ----------
    device : str or None
        ``cpu``, ``cuda`` (all GPUs) or one such as ``cuda:1``; None takes the first of `preferred` that is available.
    preferred : sequence of str

    Raises
    ------
    EngineUnavailable
        If the device is not available.
    """
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    present = ["cpu", *(["cuda"] if gpus else []), *(f"cuda:{i}" for i in range(gpus))]
    wanted = device or next((name for name in preferred if name in present), preferred[0])
    if wanted not in present:
        raise EngineUnavailable(
            f"the device '{wanted}' is not available",
            f"available devices are {', '.join(present)}",
            "choose one of these, or an engine that runs on it, such as nano on a CPU",
            device=wanted,
            available=present,
        )
    if wanted == "cpu":
        return [DeviceMemory("cpu", available_memory())]
    indices = range(gpus) if wanted == "cuda" else [int(wanted.removeprefix("cuda:"))]
    return [DeviceMemory(f"cuda:{i}", torch.cuda.mem_get_info(i)[0]) for i in indices]


def gpu_memory() -> list[DeviceMemory]:
    """Return the GPUs that this process may use, as listed by nvidia-smi, without importing torch."""
    command = ["nvidia-smi", "--query-gpu=index,uuid,memory.free", "--format=csv,noheader,nounits"]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[word.strip() for word in line.split(",")] for line in listing.splitlines() if line.count(",") == 2]
    named = visible_gpus()
    if named is not None:
        rows = [
            row for name in named for row in rows if name == row[0] or (name[:1] == "G" and row[1].startswith(name))
        ]
    return [DeviceMemory(f"cuda:{i}", int(free) * 2**20) for i, (_, _, free) in enumerate(rows) if free.isdigit()]


def describe_placement(
    sizes: Mapping[str, int], working_memory: int, available: Sequence[DeviceMemory]
) -> tuple[int, str]:
    """Return the number of devices needed, and the device map as text, or what is missing if nothing fits."""
    try:
        device_map = infer_device_map(sizes, working_memory, available)
    except EngineUnavailable as error:
        return 1, f"{error.given}; it takes {error.allowed}"
    parts: dict[str, list[str]] = {}
    for name, device in device_map.items():
        parts.setdefault(device, []).append(f"{name} {_gib(sizes[name])}")
    return len(parts), "; ".join(f"{device}: {', '.join(names)}" for device, names in parts.items())


def infer_device_map(
    sizes: Mapping[str, int], working_memory: int, available: Sequence[DeviceMemory]
) -> dict[str, str]:
    """Assign all components to one device, or those of the thinker and those of the editor to two.

    Parameters
    ----------
    sizes : mapping
        Bytes of weights per component.
    working_memory : int
        Bytes that drawing a micro-batch takes besides the weights.
    available : sequence of DeviceMemory

    Returns
    -------
    dict
        Device of each component.

    Raises
    ------
    EngineUnavailable
        If they do not fit; message and facts give the numbers.
    """
    ordered = sorted(available, key=lambda device: -device.free)
    total = sum(sizes.values())
    if ordered and total + working_memory <= ordered[0].free:
        return dict.fromkeys(sizes, ordered[0].device)
    groups = sorted(COLOCATED, key=lambda names: -sum(sizes.get(name, 0) for name in names))
    needs = [sum(sizes.get(name, 0) for name in names) + working_memory for names in groups]
    if len(ordered) > 1 and all(need <= device.free for need, device in zip(needs, ordered[:2], strict=True)):
        held = {name: device.device for names, device in zip(groups, ordered, strict=False) for name in names}
        return {name: held[name] for name in sizes}
    free = ", ".join(f"{device.device} has {_gib(device.free)} free" for device in ordered) or "no GPU is available"
    raise EngineUnavailable(
        f"the model needs {_gib(total + working_memory)} ({', '.join(f'{n} {_gib(s)}' for n, s in sizes.items())}, "
        f"working memory {_gib(working_memory)}), but {free}",
        f"one device with {_gib(total + working_memory)}, or two with {_gib(needs[0])} and {_gib(needs[1])}",
        "close other programs, use a larger machine, or choose the engine 'nano'",
        needed=total + working_memory,
        sizes=dict(sizes),
        working=working_memory,
        free={device.device: device.free for device in ordered},
    )


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**27 else f"{size / 2**20:.0f} MiB"
