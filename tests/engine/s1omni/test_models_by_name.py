"""Names, descriptions and devices, known before anything is loaded."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from napari_s1omni.engine import registry
from napari_s1omni.engine.s1omni import description as description_module
from napari_s1omni.engine.s1omni.checkpoint import model_store as models
from napari_s1omni.engine.s1omni.checkpoint.layout import Layout, open_layout
from napari_s1omni.engine.s1omni.description import describe, merit
from napari_s1omni.engine.s1omni.device_map import DeviceMemory, gpu_memory, infer_device_map, select_devices
from napari_s1omni.errors import EngineUnavailable, OperationRefused
from napari_s1omni.frontends.cli.formatting import plan_rows
from napari_s1omni.jobs.prepare import prepare
from napari_s1omni.operations import ModalityTranslation, Segmentation
from napari_s1omni.planning.job import Job, SourceRef

GIB = 2**30
RELEASED = {"backbone": 62 * GIB, "alignment": GIB // 16, "transformer": 38 * GIB, "vae": GIB // 4}


@pytest.fixture
def as_nano(monkeypatch, unet_folder, copy_of):
    """Pretend that a tiny checkpoint is the bundled one; its validation scores can be set."""
    folder = copy_of(unet_folder)
    (folder.parent / "nano").symlink_to(folder)
    monkeypatch.setattr(models.KnownModel, "folder", property(lambda self: folder.parent / self.name))

    def score(**scores):
        (folder / "validation.json").write_text(json.dumps(scores))

    return score


def test_description_has_what_plans_need(unet_folder, mmdit_folder):
    unet, mmdit = describe(str(unet_folder)), describe(str(mmdit_folder))
    assert unet.name == str(unet_folder.resolve())
    assert (unet.encoding, mmdit.encoding) == ("fields", "overlay")
    assert (unet.limits.multiple_of, mmdit.limits.multiple_of) == (8, 16)
    assert unet.operations == ("segmentation", "super_resolution", "modality_translation")
    weights = sum(open_layout(unet_folder).counts().values()) * 4
    assert unet.host.memory.resident == weights + description_module.LIBRARY_BYTES
    assert registry.describe(str(unet_folder), "segmentation") == unet


def test_revision_follows_every_file_that_affects_pixels(copy_of, unet_folder):
    revisions = {describe(str(copy_of(unet_folder))).revision}
    assert len(revisions | {describe(str(unet_folder)).revision}) == 1
    folder = copy_of(unet_folder)
    shard = sorted(folder.glob("*.safetensors"))[0]
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    revisions.add(describe(str(folder)).revision)
    revisions.add(describe(str(copy_of(unet_folder, sampling={"edit_steps": 3}))).revision)
    folder = copy_of(unet_folder)
    (folder / "tokenizer.json").write_text((folder / "tokenizer.json").read_text() + " ")
    revisions.add(describe(str(folder)).revision)
    assert len(revisions) == 4


def test_describing_loads_no_torch(unet_folder):
    code = (
        "import sys; from napari_s1omni.engine.registry import describe; "
        f"describe({str(unet_folder)!r}); "
        "print([m for m in ('torch', 'transformers', 'diffusers', 'safetensors') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_operation_the_checkpoint_lacks_is_refused(copy_of, unet_folder):
    folder = copy_of(unet_folder, engine={"operations": ["segmentation"]})
    with pytest.raises(OperationRefused, match="super_resolution"):
        registry.describe(str(folder), "super_resolution")


# Names


def test_known_models_are_listed():
    assert {"nano", "s1-omni-image"} <= {model.name for model in models.list_models()}
    assert set(models.MODELS) < set(registry.names())


def test_weights_that_are_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("S1OMNI_MODELS", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="s1omni models fetch s1-omni-image"):
        registry.describe("s1-omni-image")
    with pytest.raises(EngineUnavailable, match="nobody"):
        models.locate("nobody")


def test_fetching_downloads_from_the_hub_and_checks_the_files(monkeypatch, tmp_path, unet_folder):
    import huggingface_hub

    asked = []

    def download(repository, *, revision, local_dir):
        asked.append((repository, revision, local_dir))
        for path in unet_folder.iterdir():
            (local_dir / path.name).write_bytes(path.read_bytes())

    monkeypatch.setenv("S1OMNI_MODELS", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    folder = models.fetch("s1-omni-image", revision="v1")
    assert asked == [("ScienceOne-AI/S1-Omni-Image", "v1", tmp_path / "s1-omni-image")]
    assert models.MODELS["s1-omni-image"].present
    assert models.open_model("s1-omni-image").counts() == open_layout(unet_folder).counts()
    assert folder == models.locate("s1-omni-image")


def test_fetching_without_a_network(monkeypatch, tmp_path):
    import huggingface_hub

    def download(repository, **_):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(EngineUnavailable, match="continues the download"):
        models.fetch("lab/model", tmp_path / "x")
    with pytest.raises(EngineUnavailable, match="owner/name"):
        models.fetch("nobody")


# auto


@pytest.fixture(autouse=True)
def _by_scores(monkeypatch):
    monkeypatch.delenv("S1OMNI_AUTO", raising=False)


def test_auto_prefers_the_engine_of_the_environment(as_nano, monkeypatch, unet_folder):
    """It is taken for what it does, whatever its scores; for all else the scores decide."""
    as_nano(segmentation={"nano": 0.8, "reference": 0.6})
    for name in ("reference", str(unet_folder)):
        monkeypatch.setenv("S1OMNI_AUTO", name)
        chosen = registry.describe("auto", "segmentation")
        assert chosen.name == name
        assert "S1OMNI_AUTO says so" in chosen.host.why
    monkeypatch.setenv("S1OMNI_AUTO", "nobody")
    other = registry.describe("auto", "segmentation")
    assert other.name == "nano"
    assert "nobody" in other.host.why


def test_auto_takes_nano_if_its_scores_are_better(as_nano):
    as_nano(
        segmentation={"nano": 0.8, "reference": 0.6, "metric": "AP@0.5"}, super_resolution={"nano": 30, "reference": 31}
    )
    chosen = registry.describe("auto", "segmentation")
    assert chosen.name == "nano"
    assert "AP@0.5 on validation: 0.8, reference 0.6" in chosen.host.why
    for operation in ("super_resolution", "modality_translation"):
        other = registry.describe("auto", operation)
        assert other.name == "reference"
        assert "nano" in other.host.why


def test_auto_without_scores_or_packages_is_the_reference(as_nano, monkeypatch):
    assert registry.describe("auto", "segmentation").name == "reference"
    as_nano(segmentation={"nano": 0.8, "reference": 0.6})
    monkeypatch.setattr(description_module.importlib.util, "find_spec", lambda name: None if name == "torch" else name)
    assert merit("nano", "segmentation") == (False, "torch not installed (extra 'models')")
    assert "torch not installed" in registry.describe("auto", "segmentation").host.why


@pytest.fixture
def few_targets(copy_of, monkeypatch, unet_folder):
    """A tiny checkpoint as the bundled one, with the bundled one's targets and a score of the test's choice."""

    def make(own):
        folder = copy_of(unet_folder, engine={"targets": ["nuclei", "hematoxylin", "eosin"]})
        (folder / "validation.json").write_text(json.dumps({"modality_translation": {"nano": own, "reference": 0.5}}))
        monkeypatch.setattr(models.KnownModel, "folder", property(lambda self: folder))

    return make


@pytest.mark.parametrize("own", [0.1, 0.9])
def test_auto_takes_an_engine_that_draws_the_target(few_targets, own):
    """One that does not draw it loses, whatever the score."""
    few_targets(own)
    nuclei = registry.describe("auto", "modality_translation", " Nuclei ")
    assert nuclei.name == "nano"
    assert "reference: does not translate to ' Nuclei '" in nuclei.host.why
    stain = registry.describe("auto", "modality_translation", "DAB")
    assert stain.name == "reference"
    assert "nano: does not translate to 'DAB'" in stain.host.why
    by_score = registry.describe("auto", "modality_translation", "hematoxylin")
    assert by_score.name == ("nano" if own > 0.5 else "reference")


def test_auto_without_an_engine_for_the_target(few_targets):
    few_targets(0.9)
    with pytest.raises(OperationRefused, match=r"nano: .* reference: .* nuclei, .* dab") as caught:
        registry.describe("auto", "modality_translation", "CT")
    assert caught.value.exit_code == 69


def test_auto_considers_the_target_of_a_job(few_targets):
    few_targets(0.1)
    picture = np.zeros((64, 64), np.uint8)
    for target, name in (("nuclei", "nano"), ("inverted contrast", "reference")):
        job = Job(operation=ModalityTranslation(target=target), source=SourceRef(uri="memory"))
        plan = prepare(job, picture).plan
        assert plan.engine.name == name
        assert any("does not translate to" in note for note in plan.notes)


# Devices


def test_one_device_if_it_fits():
    placed = infer_device_map(RELEASED, 4 * GIB, [DeviceMemory("cuda:0", 80 * GIB), DeviceMemory("cuda:1", 139 * GIB)])
    assert set(placed.values()) == {"cuda:1"}


def test_two_devices_hold_thinker_and_editor():
    placed = infer_device_map(RELEASED, 4 * GIB, [DeviceMemory("cuda:0", 79 * GIB), DeviceMemory("cuda:1", 70 * GIB)])
    assert placed["backbone"] == placed["alignment"] == "cuda:0"
    assert placed["transformer"] == placed["vae"] == "cuda:1"


@pytest.mark.parametrize("free", [[79], [60, 60], [79, 30]])
def test_too_little_device_memory_is_refused_with_numbers(free):
    with pytest.raises(EngineUnavailable, match=r"104\.\d GiB") as caught:
        infer_device_map(RELEASED, 4 * GIB, [DeviceMemory(f"cuda:{i}", size * GIB) for i, size in enumerate(free)])
    assert caught.value.facts["free"] == {f"cuda:{i}": size * GIB for i, size in enumerate(free)}


@pytest.fixture
def as_released(monkeypatch, mmdit_folder, copy_of):
    """A checkpoint for GPUs whose parts seem to be as large as the released ones."""
    monkeypatch.setattr(Layout, "counts", lambda self: {name: size // 2 for name, size in RELEASED.items()})
    return copy_of(mmdit_folder, engine={"devices": ["cuda"], "dtype": "bfloat16"})


@pytest.fixture
def picture_file(tmp_path):
    """A picture to make plans for."""
    np.save(tmp_path / "picture.npy", np.random.default_rng(0).random((96, 96), np.float32))
    return str(tmp_path / "picture.npy")


def _driver(tmp_path, monkeypatch, *free):
    """Put a program in the place of the driver's own, which names GPUs with this many GiB free."""
    program = tmp_path / "nvidia-smi"
    rows = "".join(f"{i}, GPU-{i}a{i}b, {size * 1024}\\n" for i, size in enumerate(free))
    program.write_text(f'#!/bin/sh\nprintf "{rows}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_gpus_are_known_before_torch_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_memory() == []
    _driver(tmp_path, monkeypatch, 79, 139)
    assert gpu_memory() == [DeviceMemory("cuda:0", 79 * GIB), DeviceMemory("cuda:1", 139 * GIB)]
    for visible, sizes in {"1": [139], "1,0": [139, 79], "GPU-0a": [79], "": [], "7": []}.items():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert [room.free // GIB for room in gpu_memory()] == sizes


@pytest.mark.parametrize(
    ("free", "gpus", "words"),
    [
        ((139,), 1, r"cuda:0: backbone 6\d\.\d GiB, alignment"),
        ((79, 70), 2, r"cuda:0: backbone .*; cuda:1: transformer 38.* GiB, vae"),
        ((40,), 1, r"needs 10\d\.\d GiB .* but cuda:0 has 40.0 GiB free; it takes one device with 10"),
        ((), 1, r"but no GPU is available; it takes one device with 10\d\.\d GiB, or two with"),
    ],
)
def test_the_plan_of_a_large_model_says_which_gpus_hold_it(
    as_released, picture_file, tmp_path, monkeypatch, free, gpus, words
):
    _driver(tmp_path, monkeypatch, *free)
    plan = prepare(Job(source=SourceRef(uri=picture_file), engine=str(as_released), operation=Segmentation())).plan
    assert plan.engine.host.gpus == gpus
    assert re.search(words, plan.engine.host.placement)
    assert plan_rows(plan)["held by"] == plan.engine.host.placement
    assert plan.engine.host.memory.resident < GIB
    assert plan.engine.threads == 0
    assert not any("placement" in key or "gpus" in key for key in plan.fingerprint())


def test_threads_are_part_of_the_plan(unet_folder, picture_file, monkeypatch):
    for name in ("S1OMNI_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    job = Job(source=SourceRef(uri=picture_file), engine=str(unet_folder), operation=Segmentation())
    plan = prepare(job).plan
    assert plan.engine.threads == 2
    assert plan_rows(plan)["threads per worker"] == "2"
    monkeypatch.setenv("S1OMNI_THREADS", "3")
    assert prepare(job).plan.digest != plan.digest
    for wrong in ("0", "many"):
        monkeypatch.setenv("S1OMNI_THREADS", wrong)
        with pytest.raises(EngineUnavailable, match="above zero"):
            prepare(job)


def test_a_begun_result_is_continued_with_its_threads_whatever_a_scheduler_sets(
    unet_folder, picture_file, tmp_path, monkeypatch
):
    for name in ("S1OMNI_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    output = tmp_path / "out.zarr"
    source = SourceRef(uri=picture_file)
    job = Job(source=source, engine=str(unet_folder), operation=Segmentation(), output=str(output))
    begun = prepare(job).plan
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert prepare(job).plan.engine.threads == 1
    (output / ".s1omni").mkdir(parents=True)
    (output / ".s1omni" / "fingerprint.json").write_text(json.dumps(begun.fingerprint()))
    plan = prepare(job).plan
    assert plan.digest == begun.digest
    assert "computes with 2 threads, as the result was begun" in plan.notes
    monkeypatch.setenv("S1OMNI_THREADS", "1")
    assert prepare(job).plan.digest != begun.digest


def test_missing_devices_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EngineUnavailable, match="cuda:3"):
        select_devices("cuda:3", ("cpu",))
    with pytest.raises(EngineUnavailable, match="nano"):
        select_devices(None, ("cuda",))
    assert [room.device for room in select_devices(None, ("cuda", "cpu"))] == ["cpu"]


def test_available_devices_are_used(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda i: ((i + 1) * GIB, 9 * GIB))
    assert select_devices("cuda", ("cpu",)) == [DeviceMemory("cuda:0", GIB), DeviceMemory("cuda:1", 2 * GIB)]
    assert select_devices("cuda:1", ("cpu",)) == [DeviceMemory("cuda:1", 2 * GIB)]
    assert select_devices(None, ("cuda",))[0].device == "cuda:0"
