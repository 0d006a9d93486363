"""Cluster: worker processes on this machine, behind a scheduler's address, or on a SLURM cluster."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from napari_s1omni.errors import ClusterError, EngineUnavailable
from napari_s1omni.execution.executors.leases import WINDOW
from napari_s1omni.planning.plan import Plan
from napari_s1omni.settings import library_threads, visible_gpus
from napari_s1omni.system.machine import nvidia_gpus, usable_processors

SLURM = "slurm"
"""In place of an address: workers are SLURM jobs, described in Dask's own configuration."""

_SETTINGS = {
    # Who is to blame for a dead worker is found out here, not by running everything again.
    "distributed.scheduler.allowed-failures": 0,
    # Leases are placed on purpose.
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.profile.enabled": False,
    # A machine where everyone wants the processor at once is slow, not broken.
    "distributed.comm.timeouts.connect": "120s",
}
_LOST = {None: "24h", SLURM: "120s"}
"""How long after a worker left Dask ends its nanny or its job, which may be about to bring it back."""
_PATIENCE = {None: 600.0, SLURM: 24 * 3600.0}
"""Seconds that a start may take: of a process on a busy machine, of a job in a queue."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Where a run's workers are."""

    workers: int | None = None
    """How many processes; None is one per GPU, or one where the engine needs none."""
    scheduler: str | None = None
    """Address of a running scheduler, ``slurm``, or None for processes of this machine."""
    patience: float | None = None
    """Seconds to wait for a first worker, and for another one when all are gone; None is 10 minutes for processes of
    this machine, a day for jobs of a queue, and 2 minutes for a scheduler whose workers others start."""
    ttl: float = 120.0
    """Seconds of silence after which a worker of this machine counts as dead."""

    @property
    def waits(self) -> float:
        """Seconds without any worker after which a run ends."""
        return _PATIENCE.get(self.scheduler, 120.0) if self.patience is None else self.patience


@contextlib.contextmanager
def open_cluster(fleet: Fleet, plan: Plan) -> Iterator[tuple[Any, int]]:
    """Start or join a cluster for the duration of a ``with`` block.

    Yields
    ------
    (distributed.Client, int)
        And how many workers were asked for; 0 if that is the scheduler's affair.

    Raises
    ------
    ClusterError
        If the scheduler does not answer.
    EngineUnavailable
        If Dask is not installed.
    """
    if importlib.util.find_spec("distributed") is None:
        raise EngineUnavailable(
            "executor 'dask' needs dask.distributed, which is not installed",
            remedy="install it with: pip install 'napari_s1omni[cluster]'",
        )
    import dask
    import distributed

    gpus = _gpus() if any(device.startswith("cuda") for device in plan.engine.devices) else ()
    each = max(1, plan.engine.gpus)
    count = fleet.workers or len(gpus) // each or 1
    # How long a scheduler may take to answer is Dask's own affair.
    answer = dask.config.get("distributed.comm.timeouts.connect")
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(_SETTINGS))
        times = {
            "distributed.scheduler.worker-ttl": f"{fleet.ttl}s",
            "distributed.deploy.lost-worker-timeout": _LOST.get(fleet.scheduler, "15s"),
        }
        stack.enter_context(dask.config.set(times))
        # A busy port of the dashboard is no reason to warn about anything.
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        target: Any = fleet.scheduler
        if fleet.scheduler is None:
            target = stack.enter_context(_local(count, dealt(gpus, each)))
        elif fleet.scheduler == SLURM:
            target = stack.enter_context(_slurm(count))
        try:
            client = stack.enter_context(distributed.Client(target, timeout=answer, set_as_default=False))
        except OSError as error:
            raise ClusterError(
                f"scheduler {fleet.scheduler} does not answer: {error}",
                "the address of a running Dask scheduler, such as tcp://host:8786",
                "start it with 'dask scheduler', then resume",
            ) from error
        # A scheduler of others has its own settings; this one matters.
        client.run_on_scheduler(_blame_nobody)
        yield client, 0 if fleet.scheduler not in (None, SLURM) else count


def replenish(client: Any) -> None:
    """Start again what should be there and is not: nannies that gave up, jobs whose time was over.

    A nanny starts its worker again when that dies, but closes for good when a start fails; nobody else looks after it.
    """
    import distributed

    cluster = client.cluster
    if cluster is None or cluster.status != distributed.Status.running:
        return
    gone = (distributed.Status.closed, distributed.Status.failed)
    for name, keeper in list(cluster.workers.items()):
        if keeper.status in gone:
            cluster.workers.pop(name, None)
    if cluster.worker_spec.keys() - cluster.workers.keys():
        cluster.scale(len(cluster.worker_spec))


def dashboard(client: Any) -> str | None:
    """Address of the dashboard, or None where the scheduler shows none."""
    shown = client.scheduler_info().get("services", {}).get("dashboard")
    # Without bokeh the port answers, but there is nothing to see.
    return str(client.dashboard_link) if shown and importlib.util.find_spec("bokeh") else None


def _blame_nobody(dask_scheduler: Any) -> None:
    dask_scheduler.allowed_failures = 0


def _local(count: int, gpus: tuple[str, ...]) -> Any:
    """`count` processes; each draws in one thread and sees the GPUs of one group only."""
    import distributed

    shared = library_threads(max(1, usable_processors() // count))

    def worker(number: int) -> dict[str, Any]:
        seen = {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}
        # One lease draws while the one before it is written; why one fails is told by the driver, in its own words.
        options = {"nthreads": WINDOW, "env": {**shared, **seen}, "host": "127.0.0.1", "silence_logs": logging.CRITICAL}
        return {"cls": distributed.Nanny, "options": {**options, "dashboard": False}}

    shown = ":0" if importlib.util.find_spec("bokeh") else None
    return distributed.SpecCluster(
        workers={number: worker(number) for number in range(count)},
        scheduler={
            "cls": distributed.Scheduler,
            "options": {"host": "127.0.0.1", "port": 0, "dashboard": shown is not None, "dashboard_address": shown},
        },
        silence_logs=logging.ERROR,
    )


def _slurm(count: int) -> Any:
    if importlib.util.find_spec("dask_jobqueue") is None:
        raise EngineUnavailable(
            "scheduler 'slurm' needs dask-jobqueue, which is not installed",
            remedy="install it with: pip install 'napari_s1omni[cluster]'",
        )
    import dask_jobqueue

    # Queue, account, memory and walltime come from Dask's configuration, see docs/clusters.md.
    cluster = dask_jobqueue.SLURMCluster(cores=WINDOW, processes=1)
    cluster.scale(count)
    return cluster


def dealt(gpus: tuple[str, ...], each: int) -> tuple[str, ...]:
    """Deal out GPUs to workers that need `each` of them; what does not come out even is left over."""
    return tuple(",".join(gpus[i : i + each]) for i in range(0, len(gpus) - each + 1, each))


def _gpus() -> tuple[str, ...]:
    """GPUs of this machine, as ``CUDA_VISIBLE_DEVICES`` names them, without loading anything that talks to them."""
    visible = visible_gpus()
    return tuple(str(i) for i in range(nvidia_gpus())) if visible is None else visible
