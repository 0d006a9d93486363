"""Results that are opened again lie over their source, also with transforms that OME-Zarr cannot store."""

import numpy as np
import pytest
from napari.layers import Image
from napari.layers._source import layer_source
from skimage import data
from stored_layers import store_layer

from napari_s1omni.frontends.napari_layers.transform_file import NAME
from napari_s1omni.frontends.session.run import reopen
from napari_s1omni.storage.files.fsync_store import WORK
from napari_s1omni.storage.source import open_source

TILTED = {
    "scale": (0.5, 0.25),
    "translate": (30, -20),
    "rotate": 25,
    "shear": [0.3],
    "affine": [[1, 0.2, 5], [0, 1.5, 7], [0, 0, 1]],
    "units": ("um", "um"),
    "axis_labels": ("row", "column"),
}


def lie_together(one, other):
    same = [np.allclose(one.data_to_world(at), other.data_to_world(at)) for at in ((0, 0), (10, 0), (7, 31))]
    return all(same) and one.units == other.units and tuple(one.axis_labels) == tuple(other.axis_labels)


def carried_out(panel, until):
    panel.run()
    until(lambda: panel.controller.queue.runs and not panel.controller.queue.runs[0].alive)
    run = panel.controller.queue.runs[0]
    assert run.status.state == "complete", run.status
    return run


def test_a_tilted_layer_in_memory_and_its_result_opened_again(viewer, panel, until, settle, errors):
    source = viewer.add_image(data.coins()[:96, :128], name="coins", **TILTED)
    settle()
    run = carried_out(panel, until)
    assert lie_together(panel.results.layer_of(run), source)
    edges = [np.subtract(source.data_to_world(edge), source.data_to_world((0, 0))) for edge in np.eye(2)]
    sizes = np.linalg.norm(edges, axis=1)
    assert any("no right angles" in note for note in run.plan.notes)
    why = panel.why_page
    why.choose(run)
    until(lambda: why.overlay.visible)
    tiles, step = why.overlay.layer, run.plan.grid.step
    rows, columns = (n // cells for n, cells in zip(tiles.data.shape[:2], run.tiles.cells, strict=True))
    # Corners of the first tile and of the one after it in both directions.
    for corner in (0, 1):
        edge = np.array([corner * rows, corner * columns]) - 0.5
        assert np.allclose(tiles.data_to_world(edge), source.data_to_world(np.full(2, corner * step - 0.5)))
    why.overlay.clear()
    (again,) = viewer.open(str(run.path), plugin="napari_s1omni")
    assert lie_together(again, source)
    # A run that is found again is shown there too, though its source is not open.
    viewer.layers.remove(source)
    found = reopen(run.path, "found", panel.controller.deliver)
    panel.results.read_transform(found)
    panel.act(found, "show")
    assert lie_together(panel.results.layer_of(found), source)
    # Without the note, or with one that is damaged, the result stands where its plan says.
    note = run.path / WORK / NAME
    for words in ('{"axes": "yx", "scale": [1]}', None):
        note.write_text(words) if words else note.unlink()
        (plain,) = viewer.open(str(run.path), plugin="napari_s1omni")
        assert np.allclose(plain.rotate, np.eye(2))
        assert np.allclose(plain.scale, sizes)
        assert tuple(plain.axis_labels) == ("y", "x")
    assert not errors()


def test_labels_within_a_tilted_store_opened_again(viewer, panel, until, settle, errors, tmp_path):
    pixels = data.coins()[:96, :128]
    path = store_layer(open_source(pixels, axes="yx", scale=(0.5, 0.25), units="micrometer"), tmp_path / "coins.zarr")
    with layer_source(path=str(path)):
        source = Image(pixels, name="coins", **TILTED)
    viewer.add_layer(source)
    panel.controller.edit("into", "coins")
    settle(lambda plan: plan.job.into == "coins")
    run = carried_out(panel, until)
    assert run.path == path / "labels" / "coins"
    (again,) = viewer.open(str(run.path), plugin="napari_s1omni")
    assert lie_together(again, source)
    assert not errors()


@pytest.mark.parametrize("rgb", [False, True], ids=["grey", "colours"])
def test_a_transform_file_sets_only_its_own_axes(tmp_path, rgb):
    from napari_s1omni.frontends.napari_layers.transform_file import read_transform, saved_transform

    options = {
        "scale": (2.0, 3.0),
        "translate": (4.0, 5.0),
        "rotate": np.array([[0.0, -1.0], [1.0, 0.0]]),
        "shear": np.array([0.5]),
        "affine": np.eye(3),
        "units": ("nanometer", "nanometer"),
        "axis_labels": ("row", "column"),
    }
    (tmp_path / WORK).mkdir()
    with saved_transform(tmp_path, "yxc" if rgb else "yx", options):
        pass
    otherwise = {"scale": (7.0, 1.0, 1.0), "translate": (8.0, 0.0, 0.0)}
    otherwise |= {"units": ("second", "pixel", "pixel"), "axis_labels": ("t", "y", "x")}
    found = read_transform(tmp_path, "tyx", otherwise)
    assert found["scale"] == (7, 2, 3)
    assert found["translate"] == (8, 4, 5)
    assert found["units"] == ("second", "nanometer", "nanometer")
    assert found["axis_labels"] == ("t", "row", "column")
    assert np.array_equal(found["rotate"], [[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    assert np.array_equal(found["shear"], [0, 0, 0.5])
    # A run that goes on, perhaps from a layer that was moved since, stays where it began.
    (tmp_path / "zarr.json").write_text("{}")
    with saved_transform(tmp_path, "yx", {**options, "scale": (9.0, 9.0)}):
        pass
    assert read_transform(tmp_path, "tyx", otherwise)["scale"] == (7, 2, 3)
