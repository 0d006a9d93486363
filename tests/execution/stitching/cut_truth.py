"""True labels cut into blocks on disk, and what was made of them."""

import csv
import io

from napari_s1omni.benchmarks.stitching.label_run import create_store, write_true_labels
from napari_s1omni.execution.stitching.uncertain_joins import COLUMNS, UNCERTAIN_JOINS_FILE
from napari_s1omni.storage.result.label_scratch import DiskScratch


def flat(truth):
    """A 2D layer as true labels over a box (z, y, x)."""
    return lambda t, box: truth[box[1:]][None]


def stack(truth):
    return lambda t, box: truth[box]


def on_disk(path, plan, truth, engine, order=list):
    store = create_store(plan, path)
    records = write_true_labels(plan, DiskScratch(store), truth, engine, order)
    return store, records


def whole(store):
    return store.read(tuple(slice(0, n) for n in store.target.shape))


def rows_of(store):
    table = (store.work / UNCERTAIN_JOINS_FILE).read_text()
    rows = list(csv.DictReader(io.StringIO(table)))
    assert tuple(rows[0]) == COLUMNS if rows else table == ",".join(COLUMNS) + "\n"
    return rows
