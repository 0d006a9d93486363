"""What a viewer shows of labels inside an image, whose levels are those of the image and not halved by this package."""

import numpy as np
import pytest
import zarr

from napari_s1omni.execution.run.events import BlockDone
from napari_s1omni.frontends.napari_layers.reader import get_reader, read
from napari_s1omni.frontends.views.live_pyramid import LivePyramid
from napari_s1omni.jobs.run import run
from napari_s1omni.planning.job import Job
from napari_s1omni.results.result import Result


def write_image(path, version, step):
    """Spots of 530 x 130 px with two coarser levels, each with every `step`-th pixel."""
    y, x = np.mgrid[:530, :130]
    pixels = (100 + 100 * np.cos(y / 8) * np.cos(x / 8)).clip(60).astype("uint8")
    old = version == "0.4"
    group = zarr.open_group(path, mode="w", zarr_format=2 if old else 3)
    datasets = []
    for i in range(3):
        group.create_array(str(i), data=pixels[:: step**i, :: step**i], chunks=(128, 128))
        scale = {"type": "scale", "scale": [float(step**i)] * 2}
        datasets.append({"path": str(i), "coordinateTransformations": [scale]})
    axes = [{"name": a, "type": "space"} for a in "yx"]
    image = {"axes": axes, "datasets": datasets, **({"version": "0.4"} if old else {})}
    group.attrs.update({"multiscales": [image]} if old else {"ome": {"version": "0.5", "multiscales": [image]}})


class Killed(BaseException):
    """Stands for the death of the process."""


def stop_after_two():
    done = []

    def stop(event):
        if isinstance(event, BlockDone):
            done.append(event)
            if len(done) == 2:
                raise Killed

    return stop


@pytest.mark.parametrize(
    ("version", "step", "instances"),
    [("0.4", 2, True), ("0.4", 3, False), ("0.5", 3, True), ("0.5", 2, False)],
    ids=["halved, objects", "thirds, mask", "thirds, objects", "halved, mask"],
)
def test_unfinished_and_finished_labels_are_shown(version, step, instances, tmp_path):
    write_image(tmp_path / "image.zarr", version, step)
    job = Job.read(
        {
            "source": str(tmp_path / "image.zarr"),
            "into": "spots",
            "engine": "reference",
            "operation": {"type": "segmentation", "prompt": "spots of about 20 px", "instances": instances},
            "tiling": {"tile_size": 128, "overlap": 32, "block_size": 192},
        }
    )
    with pytest.raises(Killed):
        run(job, durable=False, on_event=stop_after_two())
    path = tmp_path / "image.zarr/labels/spots"
    part = Result.open(path)
    live = LivePyramid(part.plan, path)
    live.fill(part.records)
    assert (np.asarray(live.data[0][:384]) > 0).any()
    assert (np.asarray(live.data[-1][...]) > 0).any()
    result = run(job, durable=False)
    live.finish()
    whole = result.array[...]
    for level, shown in enumerate(live.data):
        every = live.level_step(level)
        assert np.array_equal(np.asarray(shown[...]), whole[:: every[0], :: every[1]])
    assert get_reader(str(path)) is read
    ((levels, _, kind),) = read(str(path))
    assert kind == "labels"
    assert np.array_equal(np.asarray(levels[0][...]), whole)
