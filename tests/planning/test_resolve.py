"""Cases of resolve: the plan that a job becomes, and its notes."""

import dataclasses
from dataclasses import dataclass, field

import pytest

from napari_s1omni.core.normalization import Normalization
from napari_s1omni.core.spec import LayerSpec
from napari_s1omni.engine.description import EngineDescription, EngineHost, EngineLimits, EngineMemory
from napari_s1omni.errors import JobError, NotEnoughMemory, OperationRefused, PlanError, S1OmniError
from napari_s1omni.planning.cost import check_memory, estimate_cost
from napari_s1omni.planning.job import Box, Job
from napari_s1omni.planning.plan import Plan
from napari_s1omni.planning.resolve import resolve

ENGINE = EngineDescription(
    name="test",
    revision="r1",
    operations=("segmentation", "super_resolution"),
    limits=EngineLimits(multiple_of=16, min_size=64, max_size=1024),
    host=EngineHost(memory=EngineMemory(resident=10**6, per_tile_pixel=10)),
    tile_size=256,
    overlap=64,
)
LAYER = LayerSpec(
    (2000, 3000), ("y", "x"), "uint16", scale=(0.5, 0.5), translate=(10.0, 20.0), units=("micrometer",) * 2
)
ONE = Normalization((0.0,), (1000.0,))


def make(operation="segmentation", layer=LAYER, engine=ENGINE, **document):
    job = Job.read({"source": "image.zarr", "operation": {"type": operation}, **document})
    return resolve(job, layer, ONE, engine)


@dataclass
class Case:
    name: str
    document: dict
    expected: dict
    says: tuple[str, ...] = ()
    operation: str = "segmentation"
    layer: LayerSpec = field(default=LAYER)


CASES = [
    Case("defaults come from the engine", {}, {"tile_size": 256, "overlap": 64}),
    Case(
        "a tile is rounded up to what the engine draws",
        {"tiling": {"tile_size": 250}},
        {"tile_size": 256},
        ("250 became 256",),
    ),
    Case(
        "a tile is held at the engine's limit",
        {"tiling": {"tile_size": 5000}},
        {"tile_size": 1024},
        ("5000 became 1024",),
    ),
    Case(
        "a tile is not smaller than the engine draws",
        {"tiling": {"tile_size": 10, "overlap": 0}},
        {"tile_size": 64},
        ("10 became 64",),
    ),
    Case("the overlap follows the lattice", {"tiling": {"overlap": 50}}, {"overlap": 64}, ("Overlap 50 became 64",)),
    Case(
        "drawn px count in super-resolution",
        {"tiling": {"tile_size": 1024}},
        {"tile_size": 512, "factor": (2, 2)},
        ("1024 became 512",),
        "super_resolution",
    ),
    Case(
        "a region is kept to the pixel",
        {"region": {"y": [100, 500]}},
        {"y": (100, 500), "x": (0, 3000)},
    ),
    Case("a region ends with the source", {"region": {"y": [1500, 2000]}}, {"y": (1500, 2000)}),
    Case(
        "a block is a whole number of steps", {"tiling": {"block_size": 500}}, {"block_size": 576}, ("500 became 576",)
    ),
    Case(
        "a small layer is one block",
        {},
        {"block_size": 192, "shape": (1, 1, 1, 1, 1)},
        (),
        "segmentation",
        LAYER.replace(shape=(90, 90)),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_resolve(case):
    plan = make(case.operation, case.layer, **case.document)
    assert {name: getattr(plan.grid, name) for name in case.expected} == case.expected
    for words in case.says:
        assert any(words in note for note in plan.notes), plan.notes
    assert Plan.from_json(plan.to_json()) == plan


def test_the_target_of_a_region_lies_where_it_was_cut():
    plan = make("super_resolution", region={"y": [192, 384], "x": [384, 576]})
    assert plan.target.shape == (384, 384)
    assert plan.target.scale == (0.25, 0.25)
    assert plan.target.translate == (10 + 192 * 0.5 - 0.125, 20 + 384 * 0.5 - 0.125)


def test_expensive_tiles_get_blocks_with_few_extra_tiles():
    cheap, dear = (
        make(),
        make(engine=dataclasses.replace(ENGINE, host=EngineHost(seconds_per_tile=3.0)), operation="super_resolution"),
    )
    huge = LAYER.replace(shape=(60000, 60000))
    dear = resolve(dear.job, huge, ONE, dataclasses.replace(ENGINE, host=EngineHost(seconds_per_tile=3.0)))
    assert estimate_cost(dear).extra_compute < 0.15
    assert estimate_cost(dear).seconds == 3.0 * estimate_cost(dear).tiles_computed
    assert cheap.grid.block_size < dear.grid.block_size * 2


@pytest.mark.parametrize("shape", [(700, 900), (2000, 3000), (193, 193)])
def test_the_forecast_counts_tiles_blocks_and_bytes(shape):
    plan = make(layer=LAYER.replace(shape=shape), tiling={"block_size": 384})
    forecast = estimate_cost(plan)
    assert forecast.blocks == len(list(plan.grid))
    assert forecast.tiles_computed == len({tile.index for block in plan.grid for tile in plan.grid.tiles(block)})
    assert forecast.tiles == plan.grid.lattice[0] * plan.grid.lattice[1]
    reads = [plan.grid.read_box(block) for block in plan.grid]
    assert forecast.read_bytes == sum((y[1] - y[0]) * (x[1] - x[0]) * 2 for y, x in reads)


def test_memory_forecast_does_not_grow_with_the_volume_and_is_enforced():
    small, large = make(layer=LAYER.replace(shape=(9000, 9000))), make(layer=LAYER.replace(shape=(90000, 90000)))
    assert estimate_cost(small).peak_memory == estimate_cost(large).peak_memory
    assert check_memory(large, 2**40) == estimate_cost(large)
    with pytest.raises(NotEnoughMemory, match="are free") as error:
        check_memory(large, 10**6)
    assert error.value.facts["forecast"] == estimate_cost(large).peak_memory


def test_an_impossible_job_is_refused():
    job = Job.read({"source": "a", "operation": {"type": "modality_translation", "target": "CT"}})
    with pytest.raises(OperationRefused, match="does not do modality_translation"):
        resolve(job, LAYER, ONE, ENGINE)
    with pytest.raises(PlanError, match="at most half a tile"):
        make(tiling={"tile_size": 256, "overlap": 200})
    with pytest.raises(PlanError, match="within 0:2000"):
        make(region={"y": [0, 2001]})


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"operation": {"type": "segmentation", "promt": "x"}}, "Did you mean 'prompt'"),
        ({"tilling": {}}, "Did you mean 'tiling'"),
        ({"tiling": {"tile_sise": 3}}, "Did you mean 'tile_size'"),
        ({"operation": {"type": "segmentatoin"}}, "segmentation"),
        ({"tiling": {"tile_size": 0}}, "greater than or equal to 1"),
        ({"sampling": {"seed": -1}}, "greater than or equal to 0"),
        ({"region": {"y": [5, 5]}}, "empty"),
        ({"operation": {"type": "segmentation", "prompt": "x" * 100_000}}, "at most 4000 characters"),
        ({"into": "nuclei", "output": "b"}, "leave 'output' out"),
    ],
)
def test_errors_name_what_is_allowed(document, words):
    with pytest.raises(JobError) as error:
        Job.read({"source": "a", "operation": {"type": "segmentation"}, **document})
    assert words in str(error.value)
    assert len(str(error.value)) < 1000


def test_job_survives_yaml(tmp_path):
    job = Job.read(
        {
            "source": "a.zarr",
            "output": "b.zarr",
            "operation": {"type": "super_resolution", "factor": 4},
            "region": {"y": [0, 5]},
        }
    )
    path = tmp_path / "job.yaml"
    path.write_text(job.dump(), encoding="utf-8")
    assert Job.load(path) == job
    path.write_text("source: [unclosed", encoding="utf-8")
    with pytest.raises(JobError, match="not YAML"):
        Job.load(path)


def test_box_reads_short_text():
    assert Box.parse("0:10,5:20") == Box(y=(0, 10), x=(5, 20))
    assert Box.parse("z=1:2, x=5:20") == Box(z=(1, 2), x=(5, 20))
    with pytest.raises(JobError):
        Box.parse("10,20")
    with pytest.raises(JobError):
        Box.parse("10:5,0:3")


def test_fingerprint_ignores_what_does_not_change_pixels():
    plan = make(output="one")
    same = make(output="two", engine=dataclasses.replace(ENGINE, host=EngineHost(why="because"), title="other words"))
    assert plan.digest == same.digest
    assert make(sampling={"seed": 3}).digest != plan.digest
    assert make(engine=dataclasses.replace(ENGINE, revision="r2")).digest != plan.digest


def test_errors_survive_a_process_boundary():
    import pickle

    with pytest.raises(S1OmniError) as caught:
        make(region={"y": [0, 2001]})
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert type(again) is PlanError
