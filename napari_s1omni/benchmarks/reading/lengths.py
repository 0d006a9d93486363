"""Units as the OME and NGFF specifications spell them. They do not come from the package, which they check."""

from __future__ import annotations

_PREFIXES = {
    "yotta": ("Y", 24),
    "zetta": ("Z", 21),
    "exa": ("E", 18),
    "peta": ("P", 15),
    "tera": ("T", 12),
    "giga": ("G", 9),
    "mega": ("M", 6),
    "kilo": ("k", 3),
    "hecto": ("h", 2),
    "deca": ("da", 1),
    "": ("", 0),
    "deci": ("d", -1),
    "centi": ("c", -2),
    "milli": ("m", -3),
    "micro": ("µ", -6),
    "nano": ("n", -9),
    "pico": ("p", -12),
    "femto": ("f", -15),
    "atto": ("a", -18),
    "zepto": ("z", -21),
    "yocto": ("y", -24),
}
_OTHER = {
    ("length", 1e-10): ("angstrom", "Å", "Å"),
    ("length", 0.0254): ("inch", "in"),
    ("length", 0.0254e-3): ("thou",),
    ("length", 0.3048): ("foot", "ft"),
    ("length", 0.9144): ("yard", "yd"),
    ("length", 1609.344): ("mile",),
    ("length", 1e-6): ("micron", "um", "μm", "\\u00b5m"),
    ("time", 1e-6): ("usec", "us", "μs"),
    ("time", 1e-3): ("msec",),
    ("time", 1.0): ("sec",),
    ("time", 60.0): ("minute", "min"),
    ("time", 3600.0): ("hour", "h"),
    ("time", 86400.0): ("day", "d"),
}
_KNOWN = {name: kind for kind, names in _OTHER.items() for name in names}
for _prefix, (_letter, _power) in _PREFIXES.items():
    for _kind, _name, _symbol in (("length", "meter", "m"), ("time", "second", "s")):
        _KNOWN |= dict.fromkeys((_prefix + _name, _letter + _symbol), (_kind, 10.0**_power))
_NONE = ("", "pixel", "pixels", "reference frame", "unknown", "none")


def measure_of(unit: str | None) -> tuple[str, float]:
    """Return what a unit measures (``length``, ``time``, its own word, or nothing) and its size in m or s."""
    word = (unit or "").strip()
    if word.lower() in _NONE:
        return "", 1.0
    return _KNOWN.get(word) or _KNOWN.get(word.lower()) or (word, 1.0)
