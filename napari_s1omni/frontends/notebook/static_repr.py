"""Still: a job as one picture with numbers, for pages that cannot ask a kernel."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING

from PIL import Image

from napari_s1omni.core.units import format_duration
from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.run.run_state import RunState
from napari_s1omni.frontends.napari_layers.result_layers import GENERATED
from napari_s1omni.frontends.notebook.slices import ResultSlices, SourceSlices, encode
from napari_s1omni.results.result import Result

if TYPE_CHECKING:
    from napari_s1omni.frontends.notebook.running_job import RunningJob


def static_html(job: RunningJob) -> str:
    """Return a picture of what is there and a table of numbers, in one piece of HTML."""
    made = static_picture(job)
    shown = "" if made is None else f'<img alt="" style="max-width:100%" src="data:image/png;base64,{_text(made)}">'
    rows = "".join(
        f'<tr><td style="text-align:left;opacity:.7">{html.escape(k)}</td>'
        f'<td style="text-align:left">{html.escape(v)}</td></tr>'
        for k, v in numbers(job).items()
    )
    return f"<div>{shown}<table>{rows}</table></div>"


def static_picture(job: RunningJob) -> bytes | None:
    """Draw source and result one over the other (labels) or side by side (images) as PNG; None before that is known."""
    if job.source is None:
        return None
    slices = SourceSlices(job.source)
    view = slices.start()
    seen = slices.see(view)
    before = Image.open(io.BytesIO(seen.png)).convert("RGB")
    run = job.run
    after = None if run is None else ResultSlices(run.plan, run.pyramid.data).see(view)
    if run is None or after is None:
        return encode(before)
    over: Image.Image = Image.open(io.BytesIO(after.png))
    by = before.width / (seen.x[1] - seen.x[0]), before.height / (seen.y[1] - seen.y[0])
    size = max(1, round((after.x[1] - after.x[0]) * by[0])), max(1, round((after.y[1] - after.y[0]) * by[1]))
    at = round((after.x[0] - seen.x[0]) * by[0]), round((after.y[0] - seen.y[0]) * by[1])
    if run.plan.target.kind == "labels":
        over = over.resize(size, Image.Resampling.NEAREST)
        before.paste(over, at, over)
        return encode(before)
    sheet = Image.new("RGB", (2 * before.width + 8, before.height), (255, 255, 255))
    sheet.paste(before, (0, 0))
    sheet.paste(over.convert("RGB").resize(size), (before.width + 8 + at[0], at[1]))
    return encode(sheet)


def numbers(job: RunningJob) -> dict[str, str]:
    """Word what is known of a job, one line each."""
    now, operation = job.status, job.job.operation
    found = {"Job": f"{operation.type.replace('_', ' ')}: {operation.prompt}", "State": now.state}
    if now.tiles_total:
        found["Tiles"] = f"{now.tiles_done:,} of {now.tiles_total:,}"
    if now.holes:
        found["Missing tiles"] = f"{now.holes:,}"
    if now.error is not None:
        found["Error"] = now.error.words
    run = job.run
    if run is not None:
        found["Engine"] = f"{run.plan.engine.name} {run.plan.engine.revision}"
        if run.plan.generated:
            found["Pixels"] = f"{GENERATED} by a model; they are no measurement"
    try:
        result = Result.open(job.path)
    except S1OmniError:
        return found
    if result.summary.get("objects") is not None:
        found["Objects"] = f"{result.summary['objects']:,}"
    if now.state is RunState.COMPLETE and now.updated > now.started > 0:
        found["Time"] = format_duration(now.updated - now.started)
    found["Result"] = str(job.path)
    return found


def _text(png: bytes) -> str:
    return base64.b64encode(png).decode()
