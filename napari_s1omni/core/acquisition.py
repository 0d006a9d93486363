"""How an image was acquired, as far as its file says so."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of an image."""

    name: str = ""
    """Name as the file gives it; empty if it gives none."""
    color: str = ""
    """Colour it is shown in, as ``RRGGBB``; empty if the file gives none."""
    emission: float | None = None
    """Emission wavelength in nanometres."""
    excitation: float | None = None
    """Excitation wavelength in nanometres."""

    def words(self) -> str:
        """Return its name, and what is known of it in brackets."""
        facts = (
            f"#{self.color}" if self.color else "",
            "" if self.excitation is None else f"excitation {self.excitation:g} nm",
            "" if self.emission is None else f"emission {self.emission:g} nm",
        )
        known = ", ".join(fact for fact in facts if fact)
        return (self.name or "unnamed") + (f" ({known})" if known else "")

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are known."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value not in ("", None)}


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What a file says about microscope and time; what it does not say is empty or None."""

    channels: tuple[Channel, ...] = ()
    """One per channel of the image, or empty."""
    date: str = ""
    """Begin of the acquisition in ISO 8601."""
    instrument: str = ""
    """Microscope or scanner."""
    objective: str = ""
    """Name of the objective, such as ``Plan-Apochromat 20x/0.8``."""
    magnification: float | None = None
    """Nominal magnification of the objective."""
    numerical_aperture: float | None = None
    bit_depth: int | None = None
    """Bits per pixel that the detector used."""
    stage: tuple[float | None, float | None, float | None] = (None, None, None)
    """Position of the stage along z, y and x, in micrometres."""
    times: tuple[float, ...] = ()
    """Seconds from the first time point to each, where they are not evenly spaced."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields that are known, for metadata and reports."""
        known: dict[str, Any] = {}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if item.name == "channels":
                value = [channel.to_json() for channel in value] if any(c.to_json() for c in value) else ()
            if value not in ("", None, ()) and value != (None, None, None):
                known[item.name] = list(value) if isinstance(value, tuple) else value
        return known

    def facts(self) -> list[tuple[str, str]]:
        """Return what is known as pairs of name and text, for people."""
        lens = [self.objective, "" if self.magnification is None else f"{self.magnification:g}x"]
        lens.append("" if self.numerical_aperture is None else f"NA {self.numerical_aperture:g}")
        stage = [f"{a} {n:g}" for a, n in zip("zyx", self.stage, strict=True) if n is not None]
        times = f"{len(self.times)} time points, {self.times[-1]:g} s from first to last" if self.times else ""
        rows = [
            ("Acquired", self.date),
            ("Instrument", self.instrument),
            ("Objective", ", ".join(part for part in lens if part)),
            ("Channels", "; ".join(channel.words() for channel in self.channels)),
            ("Bit depth", "" if self.bit_depth is None else f"{self.bit_depth} bits"),
            ("Stage", f"{', '.join(stage)} micrometer" if stage else ""),
            ("Times", times),
        ]
        return [(name, text) for name, text in rows if text]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` returned; fields of a later version are left out."""
        names = {item.name for item in dataclasses.fields(cls)}
        known: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in data.items() if n in names}
        known["channels"] = tuple(Channel(**channel) for channel in data.get("channels", ()))
        return cls(**known)
