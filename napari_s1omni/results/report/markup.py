"""HTML elements of the report. All text is escaped here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from PIL.Image import Image

from napari_s1omni.results.report.pictures import data_url
from napari_s1omni.storage.result.quality_maps import BINS

_INVISIBLE = 0.95
"""Start of the histogram bin of invisible joins."""


def section(title: str, body: str) -> str:
    """Return a heading with HTML below it; empty if `body` is empty."""
    return f"<h2>{html.escape(title)}</h2>{body}" if body else ""


def table(rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of two columns: names and values."""
    cells = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{cells}</table>"


def grid_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with a heading for each column."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table class="grid"><tr>{head}</tr>{body}</table></div>'


def picture_card(name: str, picture: Image | None, lines: Sequence[str], link: str = "") -> str:
    """Return a picture, where there is one, under its name and above what is said about it."""
    shown = "" if picture is None else f'<img alt="{html.escape(name)}" src="{data_url(picture)}">'
    title = f'<a href="{html.escape(link)}">{html.escape(name)}</a>' if link else html.escape(name)
    first, *others = [html.escape(line) for line in lines] or [""]
    said = "".join(f"<p>{line}</p>" for line in others)
    return f"<figure><figcaption>{title}<br>{first}</figcaption>{shown}{said}</figure>"


def bullets(lines: Sequence[str]) -> str:
    """Return a bullet list; empty if there are no lines."""
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>" if lines else ""


def figure(caption: str, pictures: Sequence[Image], quote: str = "", kind: str = "") -> str:
    """Return source and result side by side (or the result alone), with a caption above and a quote below."""
    names = ("source", "result")[-len(pictures) :]
    images = "".join(
        f'<img alt="{alt}" src="{data_url(picture)}">' for alt, picture in zip(names, pictures, strict=True)
    )
    below = f"<blockquote>{html.escape(quote)}</blockquote>" if quote else ""
    opening = f'<figure class="{kind}">' if kind else "<figure>"
    return f"{opening}<figcaption>{html.escape(caption)}</figcaption>{images}{below}</figure>"


def histogram(seams: Mapping[str, Any]) -> str:
    """Return the seam scores as a bar chart; about 1 is an invisible join."""
    counts, starts = list(seams["histogram"].values()), BINS
    names = [f"{a:g} to {b:g}" for a, b in pairwise(starts)] + [f"{starts[-1]:g} or more"]
    width, height, foot = 640, 130, 22
    step, top = width / len(counts), max(1, *counts)
    bars = []
    for i, (name, n) in enumerate(zip(names, counts, strict=True)):
        tall = n / top * (height - 24)
        place = f'x="{i * step + 3:.1f}" y="{height - tall:.1f}" width="{step - 6:.1f}" height="{tall:.1f}"'
        bars.append(f'<rect {place} fill="{"#56b4e9" if starts[i] == _INVISIBLE else "#b8c0c9"}"/>')
        middle = f'x="{(i + 0.5) * step:.0f}" text-anchor="middle"'
        bars.append(f'<text {middle} y="{height - tall - 6:.0f}">{n:,}</text>')
        bars.append(f'<text {middle} y="{height + 16}">{name}</text>')
    explanation = (
        f"Seam score: the step across a join divided by the step across nearby lines. {seams['tiles']:,} tiles; "
        f"mean {seams['score']:.2f}. A join with a score of 0.95 to 1.05 is invisible."
    )
    shape = f'viewBox="0 0 {width} {height + foot}" width="{width}"'
    return f'<p>{explanation}</p><svg {shape} role="img" aria-label="Histogram of joins">{"".join(bars)}</svg>'
