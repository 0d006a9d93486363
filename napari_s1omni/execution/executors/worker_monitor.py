"""Keeps a list of the Dask workers, and restarts those that are lost."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from napari_s1omni.errors import ClusterError
from napari_s1omni.execution.executors.cluster import restart_lost_workers

_GONE_AFTER = 5.0
"""Seconds after which a worker that the scheduler no longer knows counts as lost."""


class WorkerMonitor:
    """The workers of a cluster.

    Parameters
    ----------
    client : distributed.Client
    timeout : float
        Seconds without any worker after which :meth:`update` gives up.
    """

    def __init__(self, client: Any, timeout: float) -> None:
        self._client = client
        self._timeout = timeout
        self.workers: tuple[str, ...] = ()
        """Addresses of the workers at the last update."""
        self._last_seen: dict[str, float] = {}
        self._alone_since = time.monotonic()

    def update(self) -> None:
        """Ask the scheduler which workers are there, and start missing ones again.

        Raises
        ------
        ClusterError
            If the scheduler is gone, or there was no worker for too long.
        """
        now = time.monotonic()
        if self._client.status != "running":
            raise ClusterError("the scheduler is gone", remedy="start one again, then resume")
        self.workers = tuple(self._client.scheduler_info(n_workers=-1)["workers"])
        self._last_seen.update(dict.fromkeys(self.workers, now))
        if self.workers:
            self._alone_since = now
        elif now - self._alone_since > self._timeout:
            raise ClusterError(f"no worker came for {self._timeout:.0f} s", remedy="look at the cluster, resume")
        restart_lost_workers(self._client)

    def lost(self, workers: Iterable[str]) -> list[str]:
        """Return which of some workers have been gone for a while."""
        now = time.monotonic()
        return [worker for worker in workers if now - self._last_seen.setdefault(worker, now) > _GONE_AFTER]
