"""Starts or joins a Dask cluster: processes on this machine, a running scheduler, or SLURM jobs."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from napari_s1omni.errors import ClusterError, EngineUnavailable
from napari_s1omni.execution.executors.leases import LEASES_PER_WORKER, MAX_BLOCKS, TARGET_SECONDS
from napari_s1omni.planning.plan import Plan
from napari_s1omni.settings import library_threads, sleeping_threads, visible_gpus
from napari_s1omni.system.machine import nvidia_gpus, usable_processors

SLURM = "slurm"
"""In place of an address: workers are SLURM jobs, described in Dask's own configuration."""

_SETTINGS = {
    # Which block killed a worker is found out by `LeaseBook`, not by running all its tasks again.
    "distributed.scheduler.allowed-failures": 0,
    # `LeaseBook` decides which worker runs a lease.
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.profile.enabled": False,
    # A busy machine is slow, not broken.
    "distributed.comm.timeouts.connect": "120s",
}
_LOST_WORKER_TIMEOUT = {None: "24h", SLURM: "120s"}
"""How long after a worker left Dask ends its nanny or its job, which may be about to restart it."""
_WORKER_TIMEOUT = {None: 600.0, SLURM: 24 * 3600.0}
"""Seconds that the start of a worker may take: a process on a busy machine, a job in a queue."""


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """Where the workers of a run are, and how blocks are leased to them."""

    workers: int | None = None
    """Number of worker processes; None is one per GPU, or one if the engine needs none."""
    scheduler: str | None = None
    """Address of a running scheduler, ``slurm``, or None for processes on this machine."""
    worker_timeout: float | None = None
    """Seconds to wait for a first worker, and for another one when all are gone; None is 10 minutes for processes of
    this machine, a day for SLURM jobs, and 2 minutes for the workers of a running scheduler."""
    ttl: float = 120.0
    """Seconds of silence after which a worker of this machine counts as dead."""
    lease_seconds: float = TARGET_SECONDS
    """Seconds of work that a lease should hold."""
    lease_blocks: int = MAX_BLOCKS
    """Most blocks in a lease."""

    @property
    def timeout(self) -> float:
        """Seconds without any worker after which a run ends."""
        return _WORKER_TIMEOUT.get(self.scheduler, 120.0) if self.worker_timeout is None else self.worker_timeout


@contextlib.contextmanager
def open_cluster(config: ClusterConfig, plan: Plan) -> Iterator[tuple[Any, int]]:
    """Start or join a cluster for the duration of a ``with`` block.

    Yields
    ------
    (distributed.Client, int)
        The second value is the number of requested workers; 0 if a running scheduler decides.

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

    gpus = _gpu_names() if any(device.startswith("cuda") for device in plan.engine.host.devices) else ()
    gpus_per_worker = max(1, plan.engine.host.gpus)
    count = config.workers or len(gpus) // gpus_per_worker or 1
    # The user's own setting decides how long a scheduler may take to answer.
    connect_timeout = dask.config.get("distributed.comm.timeouts.connect")
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(_SETTINGS))
        timeouts = {
            "distributed.scheduler.worker-ttl": f"{config.ttl}s",
            "distributed.deploy.lost-worker-timeout": _LOST_WORKER_TIMEOUT.get(config.scheduler, "15s"),
        }
        stack.enter_context(dask.config.set(timeouts))
        # Dask warns if the port of the dashboard is taken, which does not matter here.
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        target: Any = config.scheduler
        if config.scheduler is None:
            target = stack.enter_context(_local(count, gpu_groups(gpus, gpus_per_worker)))
        elif config.scheduler == SLURM:
            target = stack.enter_context(_slurm(count))
        try:
            client = stack.enter_context(distributed.Client(target, timeout=connect_timeout, set_as_default=False))
        except OSError as error:
            raise ClusterError(
                f"scheduler {config.scheduler} does not answer: {error}",
                "the address of a running Dask scheduler, such as tcp://host:8786",
                "start it with 'dask scheduler', then resume",
            ) from error
        # A running scheduler has its own settings; only this one must be changed.
        client.run_on_scheduler(_disallow_failures)
        yield client, 0 if config.scheduler not in (None, SLURM) else count


def restart_lost_workers(client: Any) -> None:
    """Start nannies that gave up and SLURM jobs that reached their time limit again.

    A nanny restarts its worker when it dies, but closes for good when that start fails.
    """
    import distributed

    cluster = client.cluster
    if cluster is None or cluster.status != distributed.Status.running:
        return
    gone = (distributed.Status.closed, distributed.Status.failed)
    for name, nanny in list(cluster.workers.items()):
        if nanny.status in gone:
            cluster.workers.pop(name, None)
    if cluster.worker_spec.keys() - cluster.workers.keys():
        cluster.scale(len(cluster.worker_spec))


def dashboard(client: Any) -> str | None:
    """Return the address of the dashboard, or None if the scheduler has none."""
    shown = client.scheduler_info().get("services", {}).get("dashboard")
    # Without bokeh the port answers, but the page is empty.
    return str(client.dashboard_link) if shown and importlib.util.find_spec("bokeh") else None


def _disallow_failures(dask_scheduler: Any) -> None:
    dask_scheduler.allowed_failures = 0


def _local(count: int, gpus: tuple[str, ...]) -> Any:
    """Start `count` processes; each generates in one thread and sees the GPUs of one group only."""
    import distributed

    threads_env = library_threads(max(1, usable_processors() // count))

    def worker(number: int) -> dict[str, Any]:
        visible = {"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {}
        options = {
            # One lease is generated while the one before it is written.
            "nthreads": LEASES_PER_WORKER,
            "env": {**threads_env, **sleeping_threads(), **visible},
            "host": "127.0.0.1",
            # The driver reports errors itself.
            "silence_logs": logging.CRITICAL,
            "dashboard": False,
        }
        return {"cls": distributed.Nanny, "options": options}

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
    cluster = dask_jobqueue.SLURMCluster(cores=LEASES_PER_WORKER, processes=1)
    cluster.scale(count)
    return cluster


def gpu_groups(gpus: tuple[str, ...], size: int) -> tuple[str, ...]:
    """Group GPUs for workers that need several each, as values of ``CUDA_VISIBLE_DEVICES``; a remainder is unused."""
    return tuple(",".join(gpus[i : i + size]) for i in range(0, len(gpus) - size + 1, size))


def _gpu_names() -> tuple[str, ...]:
    """List the GPUs of this machine as ``CUDA_VISIBLE_DEVICES`` does, without loading a GPU library."""
    visible = visible_gpus()
    return tuple(str(i) for i in range(nvidia_gpus())) if visible is None else visible
