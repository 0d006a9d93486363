"""The object size in a request: a list of wordings in six languages, and wordings built from parts of known meaning."""

import math
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from napari_s1omni.core.sizes.object_size import object_size_in_words
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.operations.pixel_size import object_size

PIXEL = 0.5
"""Edge of a pixel in um, everywhere in this module."""
LINES = (Path(__file__).parent / "size_wordings.tsv").read_text("utf-8").splitlines()[1:]
WORDINGS = [tuple(line.split("\t")) for line in LINES]


def test_the_list_is_long_enough_in_every_language():
    counts = Counter(language for language, _, _ in WORDINGS)
    assert set(counts) == {"en", "de", "fr", "es", "pt", "zh"}
    assert min(counts.values()) >= 20
    assert len(set(WORDINGS)) == len(WORDINGS) >= 150


def test_every_wording_of_the_list_is_understood():
    spec = LayerSpec((64, 64), ("y", "x"), "uint16", scale=(PIXEL, PIXEL), units=("micrometer", "micrometer"))
    wrong = []
    for language, words, expected in WORDINGS:
        size = object_size(words, spec)
        right = None if expected == "none" else pytest.approx(float(expected), rel=2e-3)
        if size != right:
            wrong.append(f"{language} {words!r}: {size}, not {expected}")
    assert not wrong, "\n".join(wrong)


def test_what_is_not_used_is_said():
    """Every number with a unit in a request, also one in words, is either the size, or named in a note with the reason."""
    unsaid = [
        words
        for _, words, expected in WORDINGS
        if expected == "none" and not object_size_in_words(words, PIXEL).ignored
    ]
    # Without a unit of length there is nothing to say.
    assert [w for w in unsaid if any(u in w for u in ("px", "um", "µm", "nm", "mm", "像素", "微米"))] == []


# What follows knows what its parts mean without asking the parser: its own numbers, units, templates, distractions.

UM_PER_UNIT = {
    "pm": 1e-6, "Å": 1e-4, "nm": 1e-3, "nanometers": 1e-3, "um": 1.0, "µm": 1.0, "\u03bcm": 1.0, "micron": 1.0,
    "microns": 1.0, "micrometer": 1.0, "micrometres": 1.0, "mm": 1e3, "millimetres": 1e3, "cm": 1e4, "inch": 25400.0,
    "Mikrometer": 1.0, "Nanometer": 1e-3, "micromètres": 1.0, "nanomètres": 1e-3, "micrómetros": 1.0, "micras": 1.0,
    "milímetros": 1e3, "micrômetros": 1.0, "polegadas": 25400.0, "pulgadas": 25400.0, "pouces": 25400.0, "Zoll": 25400.0,
    "微米": 1.0, "纳米": 1e-3, "毫米": 1e3, "埃": 1e-4, "英寸": 25400.0,
}  # fmt: skip
PIXELS = ("px", "pixels", "pixel", "Pixel", "píxeles", "pixeles", "píxeis", "像素")
LATIN = {
    "en": (
        ("nuclei of {}", "segment the nuclei, about {}", "nuclei ~{} wide", "cells (roughly {})", "diameter: {}",
         "find all cells with a mean diameter of {}", "Nuclei are {} across.", "label nuclei; size {}"),
        ("radius {}", "nuclei with a radius of about {}", "nuclei, {} in radius"),
        ("nuclei between {} and {}", "cells of {} to {}", "{} - {} nuclei", "from {} to {}"),
        ("at 0.5 um/px", "pixel size 0.5 um", "in 5 um thick sections", "ignore debris smaller than 5 px",
         "at least 3 px apart", "scale bar 50 um", "488 nm laser", "40x objective", "exposure 20 ms", "z-step 2 um",
         "field of view 300 um", "minimum distance 4 px", "section thickness 7 um", "at a depth of 30 um", "DAPI 405 nm"),
    ),
    "de": (
        ("Zellkerne von etwa {}", "segmentiere die Kerne, rund {}", "Zellkerne, Durchmesser {}", "Kerne um {}"),
        ("Kerne mit einem Radius von {}", "Zellkerne, Radius {}"),
        ("Kerne zwischen {} und {}", "Zellkerne, {} bis {}", "von {} bis {}"),
        ("0,5 µm pro Pixel", "Pixelgröße 0,5 µm", "in 5 µm dicken Schnitten", "ignoriere Krümel kleiner als 5 px",
         "mindestens 3 px voneinander entfernt", "Maßstabsbalken 50 µm", "Laser 488 nm", "Sichtfeld 300 µm", "Schnittdicke 7 µm"),
    ),
    "fr": (
        ("noyaux d'environ {}", "segmente les noyaux, diamètre de {}", "noyaux de {}"),
        ("noyaux avec un rayon de {}", "noyaux de {} de rayon"),
        ("noyaux entre {} et {}", "noyaux de {} à {}"),
        ("0,5 µm par pixel", "taille de pixel 0,5 µm", "dans des coupes de 5 µm d'épaisseur", "laser de 488 nm",
         "ignorer les débris de moins de 5 px", "espacés d'au moins 3 px", "barre d'échelle 50 µm", "profondeur de 30 µm"),
    ),
    "es": (
        ("núcleos de unos {}", "segmenta los núcleos, diámetro de {}", "núcleos, aproximadamente {}"),
        ("núcleos con un radio de {}", "núcleos de {} de radio"),
        ("núcleos entre {} y {}", "núcleos de {} a {}"),
        ("0,5 µm por píxel", "tamaño de píxel 0,5 µm", "en cortes de 5 µm de grosor", "láser de 488 nm",
         "ignorar restos menores de 5 px", "separados por 3 px", "barra de escala 50 µm", "profundidad de 30 µm"),
    ),
    "pt": (
        ("núcleos de cerca de {}", "segmente os núcleos, diâmetro de {}", "núcleos com {} de largura"),
        ("núcleos com raio de {}", "núcleos com {} de raio"),
        ("núcleos entre {} e {}", "núcleos de {} a {}", "de {} até {}"),
        ("0,5 µm por pixel", "tamanho do pixel 0,5 µm", "em cortes com espessura de 5 µm", "laser de 488 nm",
         "ignorar detritos menores do que 5 px", "afastados por 3 px", "barra de escala 50 µm", "profundidade de 30 µm"),
    ),
    "zh": (
        ("细胞核约{}", "直径为{}的细胞核", "分割细胞核\uff0c大小约{}"),
        ("半径为{}的细胞核", "半径约{}"),
        ("{}到{}的细胞核", "细胞核介于{}和{}之间", "{}至{}"),
        ("像素大小0.5微米", "切片厚度5微米", "忽略小于5像素的碎片", "间距至少3像素", "比例尺50微米", "波长488纳米", "视野300微米"),
    ),
}  # fmt: skip


def written(value, form, comma):
    """Write a number, and return it with the value that was in fact written."""
    if form == "scientific":
        text = f"{value:.3e}"
    elif form == "power":
        mantissa, exponent = f"{value:.3e}".split("e")
        text = f"{mantissa}·10^{int(exponent)}"
    elif form == "grouped" and value >= 10000:
        text = f"{round(value):,}".replace(",", " ")
    else:
        # Four significant digits never leave three after the sign, which could be a group of thousands.
        small = max(2, 2 - math.floor(math.log10(value)))
        text = f"{value:.{small}f}" if value < 1 else f"{value:.1f}" if value < 1000 else f"{value:.0f}"
        if form == "short" and text.startswith("0."):
            return text[1:], float(text)
    said = float(text.replace(" ", "").replace("·10^", "e"))
    return text.replace(".", ",") if comma and form != "short" else text, said


@st.composite
def wordings(draw):
    """Return a request and the diameter in px that it states."""
    language = draw(st.sampled_from(list(LATIN)))
    plain, radius, ranges, distractions = LATIN[language]
    comma = language not in ("en", "zh") and draw(st.booleans())
    form = draw(st.sampled_from(("plain", "short", "scientific", "power", "grouped")))
    unit = draw(st.sampled_from((*UM_PER_UNIT, *PIXELS)))
    per_px = PIXEL / UM_PER_UNIT[unit] if unit in UM_PER_UNIT else 1.0
    kind = draw(st.sampled_from(("plain", "radius", "range", "tolerance", "edges", "area")))
    size = draw(st.floats(4, 400))
    space = draw(st.sampled_from((" ", "", "-") if unit in ("px", "um", "nm", "µm") else (" ",)))
    if kind == "area":
        unit = draw(st.sampled_from(("px2", "px²", "um2", "µm²", "um^2")))
        area_per_px = 1.0 if unit.startswith("px") else PIXEL**2
        text, said = written(math.pi * size**2 / 4 * area_per_px, "plain", comma)
        words, expected = f"{draw(st.sampled_from(plain))}", 2 * math.sqrt(said / area_per_px / math.pi)
        words = words.format(f"{text} {unit}")
    elif kind in ("range", "edges"):
        (low, a), (high, b) = (written(v * per_px, form, comma) for v in (size, 1.5 * size))
        expected = (a + b) / per_px / 2
        if kind == "edges":
            words = draw(st.sampled_from(plain)).format(f"{low} x {high} {unit}")
        else:
            first = f"{low} {unit}" if draw(st.booleans()) else low
            words = draw(st.sampled_from(ranges)).format(first, f"{high} {unit}")
    else:
        text, said = written(size * per_px, form, comma)
        expected = said / per_px * (2 if kind == "radius" else 1)
        quantity = f"{text}{space}{unit}"
        if kind == "tolerance":
            sign = draw(st.sampled_from(("±", " ± ", " +/- ", "+-")))
            quantity = f"{text}{sign}{written(size / 5 * per_px, 'plain', comma)[0]} {unit}"
        words = draw(st.sampled_from(radius if kind == "radius" else plain)).format(quantity)
    mark = "\uff0c" if language == "zh" else draw(st.sampled_from((", ", "; ")))
    words = words.removesuffix(".")
    before = draw(st.lists(st.sampled_from(distractions), max_size=1))
    after = draw(st.lists(st.sampled_from(distractions), max_size=1))
    return mark.join([*before, words, *after]), expected


@settings(max_examples=400, deadline=None)
@given(wordings())
def test_the_size_is_found_among_other_lengths(case):
    words, expected = case
    found = object_size_in_words(words, PIXEL)
    assert found.pixels == pytest.approx(expected, rel=1e-6), found.ignored


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(LATIN)), st.data())
def test_lengths_that_measure_something_else_are_no_size(language, data):
    mark = "\uff0c" if language == "zh" else ", "
    words = mark.join(data.draw(st.lists(st.sampled_from(LATIN[language][3]), min_size=1, max_size=3, unique=True)))
    found = object_size_in_words(words, PIXEL)
    assert found.pixels is None


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=80)
    | st.lists(
        st.sampled_from([*"0123456789.,-~xe^±/() ", " um", " px", " to ", "nm", "²", "about ", "像素", "至"])
    ).map("".join)
)
@example("1e999 px")
@example("1·10^99999 um")
@example("0" * 300 + " px")
def test_any_text_is_read_without_an_error(words):
    size = object_size_in_words(words, PIXEL).pixels
    assert size is None or (math.isfinite(size) and size > 0)


def test_a_long_request_is_read_quickly():
    for part in ("1 x ", "about ", "20 px ", "(", "1,000", "8 to ", "ignore ", "- ", "1 000 "):
        object_size_in_words(part * (4000 // len(part)), PIXEL)
