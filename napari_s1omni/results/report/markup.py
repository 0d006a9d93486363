"""Markup: the few pieces of HTML that the page is made of. Whatever is said is escaped here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from PIL.Image import Image

from napari_s1omni.results.report.exhibits import as_data
from napari_s1omni.storage.result.quality_maps import BINS

_EVEN = 0.95
"""Where the bin of joins that cannot be seen begins."""


def section(title: str, body: str) -> str:
    """Put a heading above HTML; nothing where there is nothing."""
    return f"<h2>{html.escape(title)}</h2>{body}" if body else ""


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Names and what is said of each."""
    cells = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"


def bullets(lines: Sequence[str]) -> str:
    """Lines one below the other; nothing where there are none."""
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>" if lines else ""


def figure(caption: str, pictures: Sequence[Image], words: str = "", kind: str = "") -> str:
    """Source and result side by side (or the result alone), with a caption above and words below."""
    names = ("source", "result")[-len(pictures) :]
    images = "".join(
        f'<img alt="{alt}" src="{as_data(picture)}">' for alt, picture in zip(names, pictures, strict=True)
    )
    quote = f"<blockquote>{html.escape(words)}</blockquote>" if words else ""
    opening = f'<figure class="{kind}">' if kind else "<figure>"
    return f"{opening}<figcaption>{html.escape(caption)}</figcaption>{images}{quote}</figure>"


def histogram(seams: Mapping[str, Any]) -> str:
    """Seam scores as bars; about 1 is a join like any other line."""
    counts, starts = list(seams["histogram"].values()), BINS
    names = [f"{a:g} to {b:g}" for a, b in pairwise(starts)] + [f"{starts[-1]:g} or more"]
    width, height, foot = 640, 130, 22
    step, top = width / len(counts), max(1, *counts)
    bars = []
    for i, (name, n) in enumerate(zip(names, counts, strict=True)):
        tall = n / top * (height - 24)
        place = f'x="{i * step + 3:.1f}" y="{height - tall:.1f}" width="{step - 6:.1f}" height="{tall:.1f}"'
        bars.append(f'<rect {place} fill="{"#56b4e9" if starts[i] == _EVEN else "#b8c0c9"}"/>')
        middle = f'x="{(i + 0.5) * step:.0f}" text-anchor="middle"'
        bars.append(f'<text {middle} y="{height - tall - 6:.0f}">{n:,}</text>')
        bars.append(f'<text {middle} y="{height + 16}">{name}</text>')
    said = (
        f"Step across joins over step across lines nearby, for {seams['tiles']:,} tiles; mean {seams['score']:.2f}. "
        "A join of 0.95 to 1.05 cannot be told from any other line."
    )
    shape = f'viewBox="0 0 {width} {height + foot}" width="{width}"'
    return f'<p>{said}</p><svg {shape} role="img" aria-label="Histogram of joins">{"".join(bars)}</svg>'
