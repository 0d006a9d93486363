"""Results as MetaImage, NIfTI and DICOM SEG: the libraries find each label where it lies in the patient."""

import numpy as np
import pytest

pytest.importorskip("SimpleITK")
pytest.importorskip("highdicom")
pytest.importorskip("nibabel")
import highdicom
import nibabel
import pydicom
import SimpleITK

from napari_s1omni.api import segment, super_resolve
from napari_s1omni.benchmarks.reading.instrument_files.dicom import write_series
from napari_s1omni.errors import JobError, SourceError
from napari_s1omni.results.export import export_result
from napari_s1omni.results.result import Result
from napari_s1omni.storage.source import open_source

OPTIONS = {"engine": "reference", "tile_size": 64, "overlap": 16, "block_size": 96, "durable": False, "prompt": "blobs"}
C, S = np.cos(0.3), np.sin(0.3)
TURNED = (C, S, 0.0, -S * C, C * C, S)
CENTRES = ((1, 30, 40), (2, 70, 25), (2, 60, 80))


def blobs():
    z, y, x = np.mgrid[:4, :96, :112]
    found = np.zeros(z.shape, np.int16)
    for k, j, i in CENTRES:
        found[((y - j) ** 2 + (x - i) ** 2 < 100) & (abs(z - k) <= 1)] = 900
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="module")
def scan(home):
    return write_series(home / "scan", blobs(), turned=TURNED, RescaleSlope=1, RescaleIntercept=-1024)


@pytest.fixture(scope="module")
def result(home, scan):
    return segment(scan, home / "out.zarr", **OPTIONS)


@pytest.fixture(scope="module")
def part(home, scan):
    return segment(scan, home / "part.zarr", region={"z": [1, 4], "y": [20, 90], "x": [10, 100]}, **OPTIONS)


def in_patient(scan, index):
    """Return where a pixel (z, y, x) of the series lies, from its slices alone."""
    slices = [pydicom.dcmread(path) for path in scan.glob("*.dcm")]
    normal = np.cross(TURNED[:3], TURNED[3:])
    slices.sort(key=lambda found: np.dot(normal, found.ImagePositionPatient))
    z, y, x = index
    down, across = map(float, slices[z].PixelSpacing)
    corner = np.array(slices[z].ImagePositionPatient, float)
    return corner + np.array(TURNED[:3]) * x * across + np.array(TURNED[3:]) * y * down


def check_grid(scan, first, to_patient, places=((0, 0, 0), (2, 50, 60), (1, 3, 69))):
    """Pixels of an export lie where those of the slices lie, to 1/100 of the smallest pixel."""
    for index in places:
        there = in_patient(scan, np.add(index, first))
        np.testing.assert_allclose(to_patient(index), there, atol=0.005)


@pytest.mark.parametrize("which", ["result", "part"])
@pytest.mark.parametrize("name", ["a.mha", "a.nii.gz", "a.nii"])
def test_labels_lie_where_the_source_lies(request, tmp_path, scan, which, name):
    made = request.getfixturevalue(which)
    said = export_result(made, tmp_path / name)
    assert "with the place of the source in the patient" in said
    labels = np.asarray(made.array[...])
    first = (1, 20, 10) if which == "part" else (0, 0, 0)
    if name == "a.mha":
        image = SimpleITK.ReadImage(str(tmp_path / name))
        np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), labels)
        assert image.GetPixelID() == SimpleITK.sitkUInt8
        check_grid(scan, first, lambda i: image.TransformIndexToPhysicalPoint([int(n) for n in i[::-1]]))
    else:
        image = nibabel.load(tmp_path / name)
        np.testing.assert_array_equal(np.asarray(image.dataobj).T, labels)
        assert (image.get_data_dtype(), int(image.header["intent_code"])) == (np.uint8, 1002)
        for affine in (image.affine, image.get_qform()):
            check_grid(scan, first, lambda i, a=affine: (a @ (*i[::-1], 1))[:3] * (-1, -1, 1))
        assert open_source(tmp_path / name).spec.kind == "labels"
    again = open_source(tmp_path / name)
    np.testing.assert_array_equal(again.read(), labels)
    check_grid(scan, first, lambda i: again.patient.part(dict(zip("zyx", i, strict=True)), {}).origin)


@pytest.mark.parametrize("which", ["result", "part"])
def test_a_dicom_seg_refers_to_the_slices(request, tmp_path, scan, which):
    made = request.getfixturevalue(which)
    said = export_result(made, tmp_path / "seg.dcm")
    labels = np.asarray(made.array[...])
    count = len(np.unique(labels)) - 1
    assert said == f"DICOM SEG, {count} objects on {int(labels.any((1, 2)).sum())} slices, one mask per object"
    seg = highdicom.seg.segread(tmp_path / "seg.dcm")
    assert seg.number_of_segments == count >= 3
    assert seg.SeriesInstanceUID != "1.2.3"
    assert seg.StudyInstanceUID == "1.2.3.9"
    assert [seg.get_segment_description(k + 1).SegmentLabel for k in range(count)] == [str(k + 1) for k in range(count)]
    volume = seg.get_volume(combine_segments=True)
    z, y, x = np.argwhere(labels == 2)[0]
    first = (1, 20, 10) if which == "part" else (0, 0, 0)
    there = in_patient(scan, np.add((z, y, x), first))
    at = volume.map_reference_to_indices(there[None])[0]
    np.testing.assert_allclose(at, np.round(at), atol=0.01)
    assert volume.array[tuple(np.round(at).astype(int))] == 2
    assert (volume.array == 2).sum() == (labels == 2).sum()
    again = open_source(tmp_path / "seg.dcm")
    assert again.spec.kind == "labels"
    used = labels.any((1, 2))
    framed = np.zeros((int(used.sum()), 96, 112), int)
    framed[:, first[1] : first[1] + labels.shape[1], first[2] : first[2] + labels.shape[2]] = labels[used]
    np.testing.assert_array_equal(again.read(), framed)
    lowest = (first[0] + int(np.argmax(used)), 0, 0)
    check_grid(scan, lowest, lambda i: again.patient.part(dict(zip("zyx", i, strict=True)), {}).origin, ((0, 7, 9),))
    uids = {str(pydicom.dcmread(path).SOPInstanceUID) for path in scan.glob("*.dcm")}
    assert {str(uid) for _, _, uid in seg.get_source_image_uids()} <= uids


def test_images_of_no_patient_have_their_size_in_millimetres(tmp_path):
    image = np.zeros((64, 64), np.uint16)
    image[20:40, 10:30] = 900
    np.save(tmp_path / "a.npy", image)
    made = segment(tmp_path / "a.npy", tmp_path / "out.zarr", scale=0.5, units="um", **OPTIONS)
    assert "in millimetres" in export_result(made, tmp_path / "a.mha")
    found = SimpleITK.ReadImage(str(tmp_path / "a.mha"))
    assert found.GetSpacing()[:2] == pytest.approx((0.0005, 0.0005))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(found)[0], made.array[...])
    export_result(made, tmp_path / "a.nii.gz")
    again = open_source(tmp_path / "a.nii.gz").spec
    assert again.scale[-2:] == pytest.approx((0.0005, 0.0005))
    with pytest.raises(JobError, match="DICOM series that was segmented"):
        export_result(made, tmp_path / "a.dcm")


def test_a_finer_image_keeps_its_place(home, scan, tmp_path):
    made = super_resolve(scan, tmp_path / "fine.zarr", **{**OPTIONS, "prompt": None}, factor=2)
    export_result(made, tmp_path / "a.mha")
    image = SimpleITK.ReadImage(str(tmp_path / "a.mha"))
    # The first pixel of four lies a quarter of a pixel before the centre of theirs.
    np.testing.assert_allclose(
        image.TransformContinuousIndexToPhysicalPoint((0.5, 0.5, 0.0)), in_patient(scan, (0, 0, 0)), atol=1e-6
    )
    with pytest.raises(JobError, match="no mask"):
        export_result(made, tmp_path / "a.dcm")


def test_a_source_that_is_gone_is_an_error(home, scan, tmp_path, result):
    moved = scan.with_name("moved")
    scan.rename(moved)
    try:
        for name in ("a.mha", "a.nii.gz", "a.dcm"):
            with pytest.raises(SourceError, match="scan"):
                export_result(Result.open(result.path), tmp_path / name)
    finally:
        moved.rename(scan)


def test_a_segmentation_beside_its_series_is_no_further_image(scan, tmp_path, result):
    written = scan / "seg.dcm"
    export_result(result, written)
    try:
        source = open_source(scan)
        assert source.spec.shape == (4, 96, 112)
        assert any("1 DICOM SEG (seg.dcm)" in note for note in source.notes)
    finally:
        written.unlink()


def test_more_labels_than_viewers_show_are_a_label_map(scan, tmp_path):
    from napari_s1omni.storage.readers.medical.dicom import source_frames
    from napari_s1omni.storage.writers.dicom_seg import write_dicom_seg

    frames = source_frames(scan, 0).planes[0][0]
    labels = np.arange(96 * 112).reshape(96, 112) // 36
    count, kind = write_dicom_seg(tmp_path / "seg.dcm", [(frames[2], labels)], about="cells", version="1")
    assert (count, kind) == (298, "LABELMAP")
    seg = highdicom.seg.segread(tmp_path / "seg.dcm")
    assert [int(item.SegmentNumber) for item in seg.SegmentSequence if item.SegmentNumber] == list(range(1, 299))
    found = seg.get_volume(combine_segments=True).array
    assert sorted(np.unique(found, return_counts=True)[1]) == sorted(np.unique(labels, return_counts=True)[1])
