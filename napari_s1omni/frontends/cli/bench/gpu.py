"""``s1omni bench gpu``: what a model of the released size costs on this machine's GPU."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_s1omni.benchmarks.gpu.report import GpuReport, measure_gpu
from napari_s1omni.frontends.cli.printing import print_json, print_rows
from napari_s1omni.frontends.cli.run_options import Json


def gpu(
    device: Annotated[str, typer.Option(help="Device of torch, such as cuda or cuda:1.")] = "cuda",
    tiny: Annotated[
        bool, typer.Option("--tiny", help="Measure a tiny model of the same classes, to try the command on a CPU.")
    ] = False,
    minutes: Annotated[float, typer.Option(min=0.1, help="Begin nothing new after this time.")] = 3.5,
    json: Json = False,
) -> None:
    """Time tokens and denoising steps with random weights of the released size, and compare rows alone and in batches.

    Where the memory is too small, the networks have fewer layers; the report says how many.
    """
    report = measure_gpu(device, tiny, minutes)
    if json:
        print_json(report.to_json())
    else:
        print_rows(report.device, _rows(report))


def _rows(report: GpuReport) -> dict[str, str]:
    thinking, drawing = report.thinking, report.drawing
    rows = {
        "layers of thinker and editor": f"{report.layers['thinker']}, {report.layers['editor']}"
        + ("" if report.layers_share == 1 else f" ({report.layers_share:.0%} of the released ones)"),
        "parameters": f"{sum(report.parameters.values()) / 1e9:.3g} billion",
    }
    for count, speed in thinking.tokens_per_second.items():
        rows[f"tokens/s, rows in a batch: {count}"] = _number(speed)
    for edge, times in drawing.seconds_per_step.items():
        for count, seconds in times.items():
            rows[f"s per denoising step, {edge} px, tiles in a batch: {count}"] = _number(seconds)
    return rows | {
        "the network alone against thinking": _number(thinking.bare_share),
        "the network alone against drawing": _number(drawing.bare_share),
        "peak memory of thinking, in GB": _gigabytes(thinking.peak_memory),
        "peak memory of drawing, in GB": _gigabytes(drawing.peak_memory),
        "largest difference alone and in a batch: logits": _differences(thinking.invariance),
        "largest difference alone and in a batch: velocity": _differences(drawing.invariance),
        "s per edit of 50 steps": _number(report.edit_seconds) + ("" if report.tiny else _yardstick(report)),
    }


def _yardstick(report: GpuReport) -> str:
    others = report.yardstick
    return f" ({others['source']}: {others['seconds']} on one {others['device']})"


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3g}"


def _gigabytes(value: int | None) -> str:
    return "not measured" if value is None else f"{value / 1e9:.3g}"


def _differences(by_rows: dict[int, float]) -> str:
    return ", ".join(f"{rows} rows: {value:.2g}" for rows, value in by_rows.items()) or "not measured"
