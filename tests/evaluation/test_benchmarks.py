"""Adapters of published benchmarks, on tiny synthetic data in their official layouts."""

import json
import zlib

import numpy as np
import pytest
from PIL import Image

from napari_s1omni.errors import OperationRefused, SourceError
from napari_s1omni.evaluation.datasets.images import read_image
from napari_s1omni.evaluation.datasets.ixi import halve_k_space
from napari_s1omni.evaluation.datasets.registry import BENCHMARKS
from napari_s1omni.evaluation.datasets.scoring import evaluate, means
from napari_s1omni.evaluation.datasets.synthrad import ms_ssim

nibabel = pytest.importorskip("nibabel")
pytest.importorskip("SimpleITK")


def nifti(path, zyx):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(zyx.T), np.diag([1.0, 1.0, 2.0, 1.0])), path)


def mha(path, zyx, compressed=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    kinds = {"int16": "MET_SHORT", "uint8": "MET_UCHAR", "float32": "MET_FLOAT"}
    body = np.ascontiguousarray(zyx).tobytes()
    head = [
        "ObjectType = Image",
        f"NDims = {zyx.ndim}",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        f"CompressedData = {compressed}",
        "ElementSpacing = 1 1 3",
        f"DimSize = {' '.join(map(str, zyx.shape[::-1]))}",
        f"ElementType = {kinds[zyx.dtype.name]}",
        "ElementDataFile = LOCAL\n",
    ]
    path.write_bytes("\n".join(head).encode() + (zlib.compress(body) if compressed else body))


def rows(name, folder, **options):
    return list(evaluate(BENCHMARKS[name], folder, **options))


@pytest.fixture
def decathlon(tmp_path):
    folder = tmp_path / "Task99_Made"
    labels = np.zeros((4, 40, 48), np.uint8)
    labels[1:3, 8:24, 8:24] = 1
    labels[2, 28:36, 30:40] = 2
    other = np.where(labels == 2, 0, labels).astype(np.uint8)
    for name, marked in (("made_001", labels), ("made_002", other)):
        nifti(folder / "imagesTr" / f"{name}.nii.gz", (marked > 0) * np.int16(900) + np.int16(40))
        nifti(folder / "labelsTr" / f"{name}.nii.gz", marked)
    listed = {
        "labels": {"0": "background", "1": "liver", "2": "cancer"},
        "training": [
            {"image": f"./imagesTr/{n}.nii.gz", "label": f"./labelsTr/{n}.nii.gz"} for n in ("made_001", "made_002")
        ],
    }
    (folder / "dataset.json").write_text(json.dumps(listed))
    return folder, labels


def test_msd_scores_each_organ(decathlon, tmp_path):
    folder, labels = decathlon
    predicted = labels.copy()
    predicted[1:3, 8:24, 16:24] = 0
    for name in ("made_001", "made_002"):
        nifti(tmp_path / "p" / f"{name}.nii.gz", predicted)
    found = rows("msd", folder, predictions=tmp_path / "p")
    assert [(r.name, r.group) for r in found] == [(n, o) for n in ("made_001", "made_002") for o in ("liver", "cancer")]
    # Half of the liver is found: 2 * 1/2 / (1 + 1/2). The second volume has no cancer and does not count for it.
    assert means(found)["liver"]["Dice"] == pytest.approx(2 / 3)
    assert means(found)["cancer"]["Dice"] == 1
    assert means(found)["all"]["Dice"] == pytest.approx((2 / 3 + 1) / 2)


def test_msd_runs_an_engine(decathlon):
    (row,) = rows("msd", decathlon[0], engine="reference", limit=1)
    # Liver and cancer look the same in the synthetic image, so the reference engine confuses them.
    assert 0.8 < row.numbers["Dice"] < 0.98


def test_cigrocksem_pairs_images_and_masks(tmp_path):
    mask = np.zeros((40, 40), np.uint8)
    mask[10:30, 10:30] = 255
    for rock, masks, suffix in (("shale", "masks_threshold/Cropped_512", ""), ("mudstone", "masks", "-label")):
        images = tmp_path / "data" / rock / "imgs"
        images.mkdir(parents=True)
        (tmp_path / "data" / rock / masks).mkdir(parents=True)
        Image.fromarray(255 - mask // 2).save(images / "a.png")
        Image.fromarray(mask).save(tmp_path / "data" / rock / masks / f"a{suffix}.png")
        (tmp_path / "p" / rock).mkdir(parents=True)
        half = mask.copy()
        half[:, 20:] = 0
        Image.fromarray(half).save(tmp_path / "p" / rock / "a.png")
    found = means(rows("cigrocksem", tmp_path / "data", predictions=tmp_path / "p"))
    assert set(found) == {"shale", "mudstone", "all"}
    assert found["all"] == pytest.approx({"IoU": 0.5, "Dice": 2 / 3})


@pytest.mark.parametrize("compressed", [False, True])
def test_synthrad_scores_inside_the_body(tmp_path, compressed):
    rng = np.random.default_rng(0)
    truth = rng.integers(-900, 2000, (12, 30, 32)).astype(np.int16)
    body = np.zeros(truth.shape, np.uint8)
    body[2:10, 5:25, 5:27] = 1
    patient = tmp_path / "Task1" / "AB" / "1ABA001"
    for name, volume in (("ct", truth), ("mr", truth), ("mask", body)):
        mha(patient / f"{name}.mha", volume, compressed)
    np.testing.assert_array_equal(read_image(patient / "ct.mha"), truth)
    wrong = truth + np.int16(40)
    wrong[body == 0] = -1024
    mha(tmp_path / "p" / "1ABA001.mha", wrong)
    (row,) = rows("synthrad2025", tmp_path, predictions=tmp_path / "p")
    assert row.group == "mr AB"
    assert row.numbers["MAE (HU)"] == pytest.approx(40)
    assert row.numbers["PSNR (dB)"] == pytest.approx(20 * np.log10(4000 / 40))
    assert 0.9 < row.numbers["MS-SSIM"] < 1


def test_ms_ssim_is_1_for_the_same_and_falls_with_noise():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 300, (20, 40, 40))
    inside = np.ones(truth.shape, bool)
    scores = [ms_ssim(truth, truth + rng.normal(0, sd, truth.shape), inside, -1024, 3071) for sd in (0, 100, 300, 900)]
    assert scores[0] == pytest.approx(1)
    assert scores == sorted(scores, reverse=True)
    assert scores[3] < 0.4
    # Pixels outside the body do not count.
    inside[:, :, 20:] = False
    other = np.where(inside, truth, 500)
    assert ms_ssim(truth, other, inside, -1024, 3071) == pytest.approx(1)


def test_ixi_halves_k_space_in_place():
    y, x = np.mgrid[:64, :48] + 0.5
    fine = np.cos(2 * np.pi * 3 * y / 64) + np.sin(2 * np.pi * 2 * x / 48)
    y, x = np.mgrid[:32, :24] + 0.5
    coarse = np.cos(2 * np.pi * 3 * y / 32) + np.sin(2 * np.pi * 2 * x / 24)
    np.testing.assert_allclose(halve_k_space(fine[None].astype(np.float32))[0], coarse, atol=1e-5)


def test_ixi_scores_a_run_and_a_prediction(tmp_path):
    y, x = np.mgrid[:48, :40]
    head = np.exp(-((y - 24) ** 2 + (x - 20) ** 2) / 200)
    volume = np.stack([0 * head, head, head * 0.9]) * 700
    nifti(tmp_path / "IXI-T1" / "IXI002-Guys-0828-T1.nii.gz", volume.astype(np.int16))
    (row,) = rows("ixi", tmp_path, engine="reference")
    assert row.group == "T1"
    assert row.numbers["PSNR (dB)"] > 30
    assert row.numbers["SSIM"] > 0.9
    nifti(tmp_path / "p" / "IXI002-Guys-0828-T1.nii.gz", np.zeros((3, 48, 40), np.float32))
    with pytest.raises(SourceError, match="shape of the truth"):
        rows("ixi", tmp_path, predictions=tmp_path / "p")


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_another_layout_is_refused(tmp_path, name):
    (tmp_path / "something").mkdir()
    with pytest.raises(SourceError):
        rows(name, tmp_path)


def test_an_unsupported_operation_is_refused(tmp_path):
    volume = np.zeros((2, 20, 20), np.int16)
    for name in ("ct", "cbct", "mask"):
        mha(tmp_path / "2HNA001" / f"{name}.mha", volume)
    with pytest.raises(OperationRefused, match="CT"):
        rows("synthrad2025", tmp_path, engine="reference")
    (tmp_path / "2HNA001" / "mask.mha").unlink()
    with pytest.raises(SourceError, match="lacks its mask"):
        rows("synthrad2025", tmp_path)
    (tmp_path / "broken.mha").write_bytes(b"DimSize = 4 4\nElementDataFile = LOCAL\nabc")
    with pytest.raises(SourceError, match="MetaImage"):
        read_image(tmp_path / "broken.mha")
