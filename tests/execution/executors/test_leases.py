"""Every block is leased until it is done; only a block that fails twice alone is quarantined."""

import itertools
import random

import pytest
from plane_grids import plane

from napari_s1omni.errors import ClusterError
from napari_s1omni.execution.executors.block_order import BlockOrder
from napari_s1omni.execution.executors.leases import LEASES_PER_WORKER, LeaseBook


def grid(blocks):
    return plane((64, 64 * blocks), overlap=0, block_size=64)


def book(blocks, **settings):
    return LeaseBook(BlockOrder(grid(blocks), list(range(blocks))), **settings)


def run(book, deadly=(), workers=("a", "b"), seed=0, give_up=10_000):
    """Run to the end on workers that die of some blocks; return what was done, and what was condemned."""
    chance = random.Random(seed)
    done, condemned, out = set(), set(), {worker: [] for worker in workers}
    for _ in range(give_up):
        for worker in workers:
            while (lease := book.lease(worker, len(workers))) is not None:
                assert not lease.alone or not out[worker], "a suspect shares its worker with nobody"
                out[worker].append(lease)
                assert len(out[worker]) <= LEASES_PER_WORKER
        holders = [worker for worker in workers if out[worker]]
        if not holders:
            assert not book.pending_blocks
            return done, condemned
        worker = chance.choice(holders)
        lease = out[worker][0]
        fatal = next((i for i, block in enumerate(lease.blocks) if block in deadly), None)
        if fatal is None:
            done |= set(lease.blocks)
            book.complete(worker, out[worker].pop(0), 1.0)
            continue
        # A dying worker takes all of its leases along.
        done |= set(lease.blocks[:fatal])
        for lost in out[worker]:
            condemned |= set(
                book.requeue_after_failure(worker, lost, [b for b in lost.blocks if b not in done], "it died")
            )
        out[worker] = []
    raise AssertionError("it never ends")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("deadly", [(), (0,), (0, 1), (3, 17, 39), (0, 1, 2, 3)])
def test_only_the_deadly_are_condemned_and_all_others_are_done(deadly, seed):
    done, condemned = run(book(40, seconds=8.0, max_blocks=8), deadly, seed=seed)
    assert condemned == set(deadly)
    assert done == set(range(40)) - set(deadly)


def test_workers_that_finish_nothing_end_the_run_instead_of_condemning_every_block():
    with pytest.raises(ClusterError, match="no block can be run: it died"):
        run(book(1000), deadly=range(1000))
    with pytest.raises(ClusterError, match="no block can be run"):
        run(book(1), deadly=(0,))


def test_a_lease_that_comes_back_through_nobodys_fault_makes_no_suspects():
    kept = book(10)
    lease = kept.lease("a", 1)
    kept.requeue("a", lease, lease.blocks)
    assert kept.pending_blocks == 10
    assert not kept.lease("a", 1).alone


def test_leases_grow_with_the_pace_and_shrink_towards_the_end():
    kept = book(1000, seconds=30.0, max_blocks=64)
    sizes = []
    while (lease := kept.lease("a", 1)) is not None:
        sizes.append(len(lease.blocks))
        kept.complete("a", lease, 0.1 * len(lease.blocks))
    assert sizes[0] == 1
    assert max(sizes) == 64
    assert sizes[-1] == 1
    assert sizes[1:] == sorted(sizes[1:], reverse=True)
    assert sum(sizes) == 1000


def test_each_worker_has_a_stretch_of_neighbouring_blocks():
    order = BlockOrder(grid(100), list(range(100)))
    taken = {worker: [] for worker in "abc"}
    while len(order):
        for worker, blocks in taken.items():
            blocks += order.take(3, None, worker)
    assert sorted(block for blocks in taken.values() for block in blocks) == list(range(100))
    for blocks in taken.values():
        jumps = sum(after != before + 1 for before, after in itertools.pairwise(blocks))
        assert jumps <= 4
    assert taken["a"][:20] == list(range(20))
    assert taken["b"][0] >= 40


def test_blocks_near_the_focus_come_first_whoever_asks():
    order = BlockOrder(grid(40), list(range(40)))
    order.take(2, None, "a")
    order.take(2, None, "b")
    near = [order.take(1, (0, 0, 32, 64 * 30 + 32), worker)[0] for worker in "abab"]
    assert near[0] == 30
    assert set(near) <= {28, 29, 31, 30, 32}
    left = [n for worker in "ab" * 40 for n in order.take(1, None, worker)]
    assert len({*left, *near}) == 36
