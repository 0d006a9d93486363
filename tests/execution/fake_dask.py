"""Run a plan with the fake engine on worker processes, from its own process.

Usage: fake_dask.py SETTINGS.json
"""

import functools
import json
import sys
from pathlib import Path

from faults import Fault, FaultyEngine

from napari_s1omni.errors import S1OmniError
from napari_s1omni.execution.executors.cluster import ClusterConfig
from napari_s1omni.execution.executors.dask_executor import run_dask
from napari_s1omni.execution.executors.serial import run_serial
from napari_s1omni.execution.pipeline.retry import Retry
from napari_s1omni.jobs.options import make_job
from napari_s1omni.planning.resolve import resolve
from napari_s1omni.storage.files.disk import no_step
from napari_s1omni.storage.normalization_estimate import estimate_normalization
from napari_s1omni.storage.source import open_source

SMALL = {"tile_size": 128, "overlap": 32, "block_size": 192, "prompt": "objects of about 12 px"}


def main(settings: dict) -> int:
    engine = functools.partial(FaultyEngine, **settings.get("engine", {}))
    job, _ = make_job(settings["operation"], settings["source"], settings["output"], options=SMALL)
    source = open_source(settings["source"])
    plan = resolve(job, source.spec, estimate_normalization(source), engine().description, source.fingerprint())
    fault = Fault(**settings["fault"]) if "fault" in settings else no_step
    common = {
        "engine": engine,
        "on_step": fault,
        "durable": False,
        "verify": settings.get("verify", False),
        "retry": Retry((0.01, 0.02)),
    }
    try:
        if settings.get("serial"):
            run_serial(plan, source, Path(settings["output"]), **common)
        else:
            cluster = ClusterConfig(**settings.get("cluster", {"workers": 2}), lease_seconds=0.5, lease_blocks=4)
            run_dask(plan, source, Path(settings["output"]), cluster=cluster, **common)
    except S1OmniError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(Path(sys.argv[1]).read_text())))
