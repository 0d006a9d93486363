"""Units of length: their sizes, and how files and people spell them, in six languages. The only such table."""

from __future__ import annotations

from collections.abc import Iterable

from napari_s1omni.core.sizes.folding import fold

METRES = {
    "femtometer": 1e-15,
    "picometer": 1e-12,
    "angstrom": 1e-10,
    "nanometer": 1e-9,
    "micrometer": 1e-6,
    "millimeter": 1e-3,
    "centimeter": 1e-2,
    "decimeter": 1e-1,
    "meter": 1.0,
    "kilometer": 1e3,
    "inch": 0.0254,
    "foot": 0.3048,
    "yard": 0.9144,
    "mile": 1609.344,
}
"""Metres per unit, by NGFF name, for the lengths that can be converted."""

UM = {name: float(f"{metres * 1e6:.12g}") for name, metres in METRES.items()}
"""Micrometres per unit, by NGFF name."""

SYMBOLS = {
    **{
        "femtometer": "fm",
        "picometer": "pm",
        "angstrom": "Å",
        "nanometer": "nm",
        "micrometer": "µm",
        "millimeter": "mm",
    },
    **{
        "centimeter": "cm",
        "decimeter": "dm",
        "meter": "m",
        "kilometer": "km",
        "inch": "in",
        "foot": "ft",
        "yard": "yd",
    },
    "mile": "mi",
}
"""Symbol of each unit, by NGFF name, as OME-XML writes it."""

_SPELLINGS = {
    "femtometer": ("fm", "femtometre"),
    "picometer": ("pm", "picometre", "picometro", "pikometer", "皮米"),
    "angstrom": ("å", "ångstrom", "angstroem", "埃"),
    "nanometer": ("nm", "nanometre", "nanometro", "纳米", "奈米"),
    "micrometer": (
        *("um", "μm", "μ", "\\u00b5m", "micron", "micra", "micrometre", "micrometro", "mikrometer", "mikron"),
        *("微米", "микрон", "мкм"),
    ),
    "millimeter": ("mm", "millimetre", "milimetro", "毫米", "公厘"),
    "centimeter": ("cm", "centimetre", "centimetro", "zentimeter", "厘米", "公分"),
    "decimeter": ("dm", "decimetre", "decimetro", "dezimeter", "分米"),
    "meter": ("m", "metre", "metro", "米", "公尺"),
    "kilometer": ("km", "kilometre", "quilometro", "千米", "公里"),
    "inch": ("in", "zoll", "pouce", "pulgada", "polegada", "英寸", "英吋"),
    "foot": ("ft", "feet"),
    "yard": ("yd",),
    "mile": ("mi",),
}
_PIXELS = ("px", "pxs", "pix", "pixel", "pixeis", "bildpunkt", "bildpunkte", "像素点", "像素", "象素", "画素", "畫素")
_VOXELS = ("voxel", "voxeis", "体素", "體素")


def _with_plurals(spellings: Iterable[str]) -> list[str]:
    """Add the plurals of whole words: -s, -es, German -n."""
    return [s + end for s in spellings for end in (("", "s", "es", "n") if len(s) > 3 and s[0].isalpha() else ("",))]


PIXEL_NAMES = frozenset(_with_plurals(_PIXELS))
"""Folded spellings of pixels."""

VOXEL_NAMES = frozenset(_with_plurals(_VOXELS))
"""Folded spellings of voxels."""

LENGTH_NAMES = {
    spelling: name for name, spellings in _SPELLINGS.items() for spelling in _with_plurals((name, *spellings))
}
"""NGFF name of each folded spelling."""


def length_unit(word: str) -> str | None:
    """Return the NGFF name of a unit of length, or None.

    Examples
    --------
    >>> length_unit("µm"), length_unit("Ångström"), length_unit("micromètres"), length_unit("parsec")
    ('micrometer', 'angstrom', 'micrometer', None)
    """
    return LENGTH_NAMES.get(fold(word).text.strip())


def is_pixel(word: str) -> bool:
    """Whether a word means pixels."""
    return fold(word).text.strip() in PIXEL_NAMES


def format_length(um: float) -> str:
    """Return a length in um as text, in nm, um or mm: ``10 um``, ``4 nm``."""
    scale, unit = (1e3, "nm") if um < 0.1 else (1.0, "um") if um < 1000 else (1e-3, "mm")
    return f"{um * scale:.4g} {unit}"
