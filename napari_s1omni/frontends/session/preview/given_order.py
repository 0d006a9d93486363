"""What a process with a loaded engine does when it is given a run or a redo, as ``s1omni run`` and ``redo`` would."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from napari_s1omni.engine.protocol import Engine
from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.pipeline.plane_reader import PlaneReader
from napari_s1omni.execution.pipeline.region_mask import RegionMask
from napari_s1omni.execution.pipeline.retry import Retry
from napari_s1omni.execution.pipeline.surroundings import Surroundings
from napari_s1omni.execution.pipeline.thought_provider import ThoughtProvider
from napari_s1omni.execution.pipeline.tile_attempt import TileAttempt
from napari_s1omni.execution.pipeline.tile_generator import TileGenerator
from napari_s1omni.execution.redo.redo import blocks_with_tiles, parse_tiles
from napari_s1omni.execution.redo.redo_log import RedoLog
from napari_s1omni.execution.run.order import Order
from napari_s1omni.execution.run.preview import MemoryThoughts
from napari_s1omni.frontends.session.preview.drawn_tiles import DrawnTiles
from napari_s1omni.jobs.prepare import MeasuredSource
from napari_s1omni.jobs.redo import redo, stored_plan
from napari_s1omni.jobs.run import run
from napari_s1omni.planning.job import Job
from napari_s1omni.results.result import Result
from napari_s1omni.storage.files.disk import no_step
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.source import open_reference

_AHEAD = 64
"""Most tiles that are drawn before they are asked for."""
HOLES = 3
"""Exit code of a run whose result lacks tiles."""


def execute(order: Order, engine: Callable[[str], DrawnTiles], seen: Mapping[str, MeasuredSource]) -> int:
    """Run or redo to the end in this process, and return the exit code; errors are told on standard error.

    Parameters
    ----------
    order : Order
    engine : callable
        Returns a loaded engine by its name. A run uses it without its memory, so that its pixels do not depend on what
        was previewed; a redo takes the tiles that were drawn already.
    seen : mapping
        Sources that were measured for previews, by their references as JSON.
    """

    def plain(name: str) -> Engine:
        return engine(name).plain

    try:
        if order.job:
            job = Job.load(order.job)
            result = run(job, seen.get(job.source.model_dump_json()), engines=plain)
        else:
            sampling = {} if order.seed is None else {"seed": order.seed}
            known = seen.get(stored_plan(order.result).job.source.model_dump_json())
            result = redo(order.result, order.tiles, known, sampling=sampling, prompt=order.prompt, engines=engine)
    except S1OmniError as error:
        sys.stderr.write(f"s1omni: {error}\n")
        return error.exit_code
    except Exception:  # the log is where the user finds it
        traceback.print_exc()
        return 1
    return HOLES if result.summary.get("holes") else 0


def draw_ahead(order: Order, name: str, engine: DrawnTiles, check: Callable[[], None]) -> None:
    """Draw the tiles that a redo will need into the memory of its engine, the tile itself and then its neighbours.

    Parameters
    ----------
    order : Order
        The redo, should it be accepted.
    name : str
        Name of the loaded engine; nothing is drawn for another one.
    engine : DrawnTiles
    check : callable
        Called between tiles; raises to stop.
    """
    result = Result.open(order.result)
    plan, work = result.plan, Path(order.result) / WORK
    if plan.engine.name != name:
        return
    tiles = parse_tiles(plan, order.tiles)
    sampling = plan.sampling if order.seed is None else plan.sampling.replace(seed=order.seed)
    redo_log = RedoLog.read(work).with_round(sampling, tiles, order.prompt)
    reader = PlaneReader(plan, open_reference(plan.job.source), Retry(), no_step, RegionMask.of(plan))
    provider = ThoughtProvider(plan, engine, MemoryThoughts(result.thoughts), reader.read, redo_log)
    attempt = TileAttempt(plan, engine, provider, Surroundings(plan, reader.read), no_step)
    generator = TileGenerator(plan, attempt, provider, lambda count, seconds: None)
    drawn = engine.drawn
    for _, read in reader.planes(blocks_with_tiles(plan, tiles)):
        if (plane := read()) is None:
            continue
        near = sorted(reader.tiles(plane), key=lambda tile: tile.place not in tiles)
        for tile in near:
            check()
            if engine.drawn - drawn >= _AHEAD:
                return
            list(generator.generate([tile]))
