"""A job as one picture with numbers, for pages without a kernel."""

from __future__ import annotations

import base64
import html
import io

from PIL import Image

from napari_s1omni.core.units import format_duration
from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.frontends.napari_layers.result_layers import GENERATED
from napari_s1omni.frontends.notebook.job_session import JobSession
from napari_s1omni.frontends.notebook.slices import ResultSlices, SourceSlices
from napari_s1omni.frontends.notebook.view import encode_png

_GAP = 8
"""Pixels between source and result."""
_NO_PANEL = (
    "For a live panel, install the package anywidget in the environment of this kernel, with "
    "<code>pip install 'napari_s1omni[notebook]'</code>, and restart the kernel."
)
_PANEL = (
    "While a kernel runs, a live panel stands here. If it does not, install the package anywidget in the environment "
    "in which the Jupyter server runs, with <code>pip install anywidget</code>, and reload this page."
)


def static_html(session: JobSession, key: str | None = None) -> str:
    """Return source, result and a table of numbers as one piece of HTML.

    Parameters
    ----------
    session : JobSession
    key : str, optional
        Key of the panel that hides it; None where there is no panel.
    """
    png = static_picture(session)
    image = "" if png is None else f'<img alt="" style="max-width:100%" src="{png_url(png)}">'
    rows = "".join(
        f'<tr><td style="text-align:left;opacity:.7">{html.escape(name)}</td>'
        f'<td style="text-align:left">{html.escape(value)}</td></tr>'
        for name, value in _numbers(session).items()
    )
    hint = (
        _NO_PANEL
        if key is None
        else f"{_PANEL} To watch it in another notebook: <code>{html.escape(attach_code(session))}</code>"
    )
    hidden = f' class="s1o-still s1o-still-{key}"' if key else ""
    return f'<div{hidden}>{image}<table>{rows}</table><div style="opacity:.7;max-width:60em">{hint}</div></div>'


def attach_code(session: JobSession) -> str:
    """Return the Python that finds the run again in a new kernel."""
    return f"import napari_s1omni; job = napari_s1omni.attach({str(session.path)!r}); job"


def static_picture(session: JobSession) -> bytes | None:
    """Draw labels over the source, or source and result side by side, as PNG; None while the source is not open."""
    if session.source is None:
        return None
    slices = SourceSlices(session.source)
    view = slices.initial_view()
    source = slices.render(view)
    before = Image.open(io.BytesIO(source.png)).convert("RGB")
    run = session.run
    result = None if run is None else ResultSlices(run.plan, run.pyramid.data).render(view)
    if run is None or result is None:
        return encode_png(before)
    after: Image.Image = Image.open(io.BytesIO(result.png))
    scale = before.width / (source.x[1] - source.x[0]), before.height / (source.y[1] - source.y[0])
    width, height = ((span[1] - span[0]) * by for span, by in zip((result.x, result.y), scale, strict=True))
    size = max(1, round(width)), max(1, round(height))
    left, top = round((result.x[0] - source.x[0]) * scale[0]), round((result.y[0] - source.y[0]) * scale[1])
    if run.plan.target.kind == "labels":
        after = after.resize(size, Image.Resampling.NEAREST)
        before.paste(after, (left, top), after)
        return encode_png(before)
    sheet = Image.new("RGB", (2 * before.width + _GAP, before.height), (255, 255, 255))
    sheet.paste(before, (0, 0))
    sheet.paste(after.convert("RGB").resize(size), (before.width + _GAP + left, top))
    return encode_png(sheet)


def png_url(png: bytes) -> str:
    """Return a PNG as a data URL."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _numbers(session: JobSession) -> dict[str, str]:
    """Return the facts about a job, as name and text."""
    now, operation = session.present_status, session.job.operation
    numbers = {"Job": f"{operation.type.replace('_', ' ')}: {operation.prompt}", "State": now.last_heard or now.state}
    if now.tiles_total:
        numbers["Tiles"] = f"{now.tiles_done:,} of {now.tiles_total:,}"
    if now.holes:
        numbers["Missing tiles"] = f"{now.holes:,}"
    if now.error is not None:
        numbers["Error"] = now.error.words
    run = session.run
    if run is not None:
        numbers["Engine"] = f"{run.plan.engine.name} {run.plan.engine.revision}"
        if run.plan.engine.generates and run.plan.target.kind == "image":
            numbers["Pixels"] = f"{GENERATED} by a model, not measured"
    try:
        result = session.result
    except S1OmniError:
        return numbers
    if result.summary.get("objects") is not None:
        numbers["Objects"] = f"{result.summary['objects']:,}"
    if result.summary.get("thin"):
        numbers["Dropped"] = f"{result.summary['thin']:,} in fewer than {result.summary['min_planes']} planes"
    if now.state is RunState.COMPLETE and now.updated > now.started > 0:
        numbers["Time"] = format_duration(now.updated - now.started)
    numbers["Result"] = str(session.path)
    return numbers
