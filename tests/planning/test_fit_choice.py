"""Which layers are resampled to the size that an engine was trained at, and what the plan says of it."""

import dataclasses
import math

import pytest
from test_resolve import ENGINE, LAYER, ONE

from napari_s1omni.core.tiling import Tiling
from napari_s1omni.engine.description import EngineLimits, NativeSize
from napari_s1omni.engine.instruction import Instruction
from napari_s1omni.errors import JobError, PlanError
from napari_s1omni.planning.job import Job
from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.resolve import resolve

BIG = dataclasses.replace(
    ENGINE,
    limits=EngineLimits(16, 64, 2048),
    tile_size=1024,
    overlap=256,
    native=NativeSize(1024),
    operations=("segmentation", "super_resolution", "modality_translation"),
)
ASPECTS = dataclasses.replace(BIG, native=NativeSize(1024, keeps_aspect=True))
SMALL = LAYER.replace(shape=(240, 240))


def make(layer=LAYER, engine=ENGINE, operation="segmentation", **document):
    operation = {"type": operation} if isinstance(operation, str) else operation
    return resolve(Job.read({"source": "image.zarr", "operation": operation, **document}), layer, ONE, engine)


def sized(height, width):
    return LAYER.replace(shape=(height, width))


def test_a_small_layer_is_drawn_at_the_size_of_training_and_the_plan_says_so():
    plan = make(layer=SMALL, engine=BIG)
    assert plan.fit.seen == plan.drawn_shape == (1024, 1024)
    assert len(plan.grid) == 1
    assert plan.grid.lattice == (1, 1)
    (note,) = [n for n in plan.notes if "fit=" in n]
    assert "240 x 240 px is resampled by 4.27 and drawn at 1024 x 1024 px" in note
    assert plan.tiles_in_words == "the whole plane in one, drawn at 1024 x 1024 px"
    again = Plan.from_json(plan.to_json())
    assert again.digest == plan.digest
    assert again.fit == plan.fit
    tiles = make(layer=SMALL, engine=BIG, tiling={"fit": "tiles"})
    assert tiles.fit is None
    assert (tiles.grid.tile_size, tiles.drawn_shape) == (1024, (1024, 1024))
    assert "fit" not in tiles.to_json()
    assert tiles.digest != plan.digest


@pytest.mark.parametrize(
    ("layer", "engine", "tiling"),
    [
        (LAYER, BIG, {}),
        (SMALL, ENGINE, {}),
        (SMALL, BIG, {"tile_size": 512}),
        (sized(1024, 1024), BIG, {}),
        (SMALL, dataclasses.replace(BIG, native=NativeSize(1024, smaller="drawn")), {}),
    ],
    ids=["larger than a tile", "any size alike", "a stated tile size", "as trained", "trained on small ones too"],
)
def test_other_layers_keep_their_scale(layer, engine, tiling):
    plan = make(layer=layer, engine=engine, tiling=tiling)
    assert plan.fit is None
    assert not any("fit" in note for note in plan.notes)
    assert "fit" not in plan.job.model_dump(mode="json")["tiling"]


def test_what_cannot_be_fitted_is_said():
    assert "draws any size alike, so that fit=resize changes nothing" in " ".join(
        make(layer=SMALL, tiling={"fit": "resize"}).notes
    )
    plan = make(layer=sized(5, 5000), engine=BIG, tiling={"fit": "resize"})
    assert plan.fit is None
    assert any("larger than a tile of 1024 px, so it is drawn in tiles" in note for note in plan.notes)
    with pytest.raises(PlanError, match="fit 'stretch' of a layer of 9000 x 300 px"):
        make(layer=sized(9000, 300), engine=BIG, tiling={"fit": "stretch"})
    with pytest.raises(JobError, match=r"tiling\.fit"):
        make(layer=SMALL, tiling={"fit": "squeeze"})


@pytest.mark.parametrize("engine", [BIG, ASPECTS], ids=["squares", "aspects"])
@pytest.mark.parametrize("layer", [(1000, 20), (20, 1000), (5, 5), (1, 1), (300, 200), (1, 1000)], ids=str)
@pytest.mark.parametrize("factor", [None, 2, (2, 1), 4])
def test_every_fitted_size_can_be_drawn(engine, layer, factor):
    options = {"operation": {"type": "super_resolution", "factor": factor}} if factor else {}
    plan = make(layer=sized(*layer), engine=engine, tiling={"fit": "resize"}, **options)
    if plan.fit is None:
        assert max(layer) > plan.grid.tile_size
        return
    limits = engine.limits
    for drawn, f, zoom in zip(plan.fit.drawn, plan.fit.factor, plan.grid.factor, strict=True):
        assert f == zoom
        assert drawn % limits.multiple_of == 0
        assert limits.min_size <= drawn <= limits.max_size
    # One scale along both axes, and no pixel of the layer is left out.
    assert plan.fit.scale[0] == plan.fit.scale[1]
    assert all(s * n <= e + 1e-9 for s, n, e in zip(plan.fit.scale, layer, plan.fit.seen, strict=True))
    if engine is BIG:
        assert plan.fit.drawn == (1024, 1024)
    elif max(layer) / min(layer) < 4:
        assert math.sqrt(math.prod(plan.fit.drawn)) == pytest.approx(1024, rel=0.05)


def test_a_size_that_the_model_cannot_draw_is_refused():
    wide = dataclasses.replace(BIG, native=NativeSize(4096))
    with pytest.raises(PlanError, match=r"4096 x 4096 px to draw .* from 64 to 2048 px"):
        make(layer=SMALL, engine=wide)
    square = dataclasses.replace(BIG, limits=EngineLimits(64, 64, 64), native=None, tile_size=64, overlap=0)
    with pytest.raises(PlanError, match="a factor of 4 x 1"):
        make(engine=square, operation={"type": "super_resolution", "factor": (4, 1)})


@pytest.mark.parametrize(("factor", "size"), [(2, 512), (4, 256)])
def test_super_resolution_asks_for_a_target_tile_of_the_native_size(factor, size):
    operation = {"type": "super_resolution", "factor": factor}
    plan = make(engine=BIG, operation=operation)
    assert (plan.grid.tile_size, plan.grid.overlap) == (size, 256 // factor)
    assert plan.drawn_shape == (1024, 1024)
    assert plan.tiles_in_words.endswith("drawn at 1024 x 1024 px")
    # An engine that draws any size alike keeps its tiles.
    assert make(engine=ENGINE, operation=operation).grid.tile_size == 256
    small = make(engine=BIG, layer=sized(128, 128), operation=operation)
    assert small.drawn_shape == (1024, 1024)


def test_stretching_loses_the_aspect_as_the_released_program_does():
    plan = make(layer=sized(300, 1200), engine=BIG, tiling={"fit": "stretch"})
    assert plan.fit.drawn == (1024, 1024)
    assert plan.fit.scale == (1024 / 300, 1024 / 1200)
    assert any("one axis is resampled 4 times as much as the other" in note for note in plan.notes)


def test_sizes_that_the_engine_is_told_count_the_pixels_that_it_sees():
    request = {"operation": {"type": "segmentation", "prompt": "segment the nuclei, about 20 px"}}
    told = make(layer=SMALL, engine=BIG, **request).instruction
    assert told.tile == (1024, 1024)
    assert told.object_size == pytest.approx(20 * 1024 / 240, rel=1e-3)
    assert told.pixel == pytest.approx(0.5 * 240 / 1024, rel=1e-3)
    assert "Size: 85.3" in told.text
    assert told.plain.request == "segment the nuclei, about 85.3 px"
    assert Instruction.read(told.text) == told
    in_um = {"operation": {"type": "segmentation", "prompt": "segment the nuclei, about 10 um"}}
    assert make(layer=SMALL, engine=BIG, **in_um).instruction.object_size == pytest.approx(85.33, rel=1e-3)
    assert make(layer=SMALL, engine=BIG, tiling={"fit": "tiles"}, **request).instruction.object_size == 20


def test_the_fit_is_left_out_of_what_is_stored_where_it_is_chosen():
    assert "fit" not in Tiling().model_dump()
    assert Tiling(fit="tiles").model_dump()["fit"] == "tiles"
    assert Tiling.model_validate(Tiling(fit="resize").model_dump()).fit == "resize"
