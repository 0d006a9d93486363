"""Workers on this machine: lost ones are restarted, and a slow start is not an error."""

import time

import pytest

from napari_s1omni.benchmarks.synthetic_run import SyntheticRun
from napari_s1omni.execution.executors.cluster import (
    SLURM,
    ClusterConfig,
    gpu_groups,
    open_cluster,
    restart_lost_workers,
)


def test_a_nanny_that_gave_up_is_replaced():
    plan = SyntheticRun((256, 256)).plan
    with open_cluster(ClusterConfig(workers=1), plan) as (client, count):
        assert count == 1
        [first] = client.scheduler_info(n_workers=-1)["workers"]
        [nanny] = client.cluster.workers.values()
        client.cluster.sync(nanny.close)
        while client.scheduler_info(n_workers=-1)["workers"]:
            time.sleep(0.02)
        end = time.monotonic() + 200
        while not (workers := client.scheduler_info(n_workers=-1)["workers"]):
            assert time.monotonic() < end
            restart_lost_workers(client)
            time.sleep(0.05)
        assert first not in workers


def test_a_busy_machine_and_a_queue_are_given_time():
    assert ClusterConfig().timeout == 600
    assert ClusterConfig(scheduler=SLURM).timeout > 3600
    assert ClusterConfig(scheduler="tcp://somewhere:8786").timeout == 120
    assert ClusterConfig(worker_timeout=3).timeout == 3


@pytest.mark.parametrize(
    ("gpus", "each", "expected"),
    [
        (("0", "1", "2"), 1, ("0", "1", "2")),
        (("0", "1", "2", "3", "4"), 2, ("0,1", "2,3")),
        (("GPU-a",), 2, ()),
        ((), 1, ()),
    ],
)
def test_gpus_are_dealt_out_by_what_a_worker_needs(gpus, each, expected):
    assert gpu_groups(gpus, each) == expected
