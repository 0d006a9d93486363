"""The folder of a result that is deleted, moved or replaced while a run writes to it."""

import shutil

import pytest

from napari_s1omni.errors import StoreMissing
from napari_s1omni.execution.run.events import TilesDone
from napari_s1omni.jobs.run import run
from napari_s1omni.planning.job import Job


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
def test_a_run_whose_folder_goes_stops_with_an_error_and_leaves_nothing_there(tmp_path, how):
    out = tmp_path / "out.zarr"
    job = Job(
        source="synthetic://nuclei?shape=512,512&seed=1",
        output=str(out),
        engine="reference",
        operation={"type": "segmentation"},
        tiling={"tile_size": 64, "overlap": 16, "block_size": 96},
    )
    drawn = []

    def take_away(event):
        if isinstance(event, TilesDone) and not drawn:
            drawn.append(event)
            shutil.move(out, tmp_path / "elsewhere")
            if how == "replaced":
                shutil.copytree(tmp_path / "elsewhere", out)
            elif how == "deleted":
                shutil.rmtree(tmp_path / "elsewhere")

    with pytest.raises(StoreMissing, match="another folder" if how == "replaced" else "deleted or moved"):
        run(job, durable=False, on_event=take_away)
    assert out.exists() == (how == "replaced")
