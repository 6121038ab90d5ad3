"""Enhanced multi-frame: per-frame, then shared, then top-level values, as highdicom reads them."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedCTImageStorage, EnhancedMRImageStorage

from scrutiq import assess
from scrutiq.core import HU, InputError, Window
from scrutiq.imaging import dicom_stream, find_cases, read
from scrutiq.imaging.dicom import DicomFile
from scrutiq.imaging.dicom_header import read_header
from scrutiq.imaging.fileref import FileRef


def item(**elements: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def group(**macros: Dataset) -> Dataset:
    return item(**{keyword: [content] for keyword, content in macros.items()})


def shared_groups(**extra: Dataset) -> list[Dataset]:
    return [
        group(
            PixelMeasuresSequence=item(PixelSpacing=[0.5, 0.75], SliceThickness=2),
            PlaneOrientationSequence=item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
            CTReconstructionSequence=item(ConvolutionKernel="B30f"),
            **extra,
        )
    ]


def frame_groups(n: int) -> list[Dataset]:
    return [
        group(
            PlanePositionSequence=item(ImagePositionPatient=[0, 0, 10 - 2.5 * i]),
            PixelValueTransformationSequence=item(RescaleSlope=1 + i, RescaleIntercept=-10 * i, RescaleType="HU"),
            FrameVOILUTSequence=item(WindowCenter=[40 + i, 9], WindowWidth=[400, 9], VOILUTFunction="LINEAR_EXACT"),
            CTXRayDetailsSequence=item(KVP=80 + 20 * i),
        )
        for i in range(n)
    ]


@pytest.fixture
def enhanced(make_dicom):
    pixels = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
    ref = make_dicom(
        pixels,
        multiframe=True,
        SOPClassUID=EnhancedCTImageStorage,
        SharedFunctionalGroupsSequence=shared_groups(),
        PerFrameFunctionalGroupsSequence=frame_groups(3),
        RescaleSlope=100,  # at the top they do not count
        RescaleIntercept=100,
        WindowCenter=1,
        WindowWidth=1,
    )
    return ref, pixels


def test_each_frame_has_its_own_values(enhanced) -> None:
    ref, pixels = enhanced
    file = DicomFile(ref)
    assert len(file) == 3
    for i, image in enumerate(file):
        np.testing.assert_array_equal(image.pixels, pixels[i] * (1 + i) - 10 * i)
        assert image.unit == HU
        assert image.spacing == (0.5, 0.75)
        assert image.source.location == 10 - 2.5 * i
        assert image.voi == Window(center=40 + i, width=400, function="LINEAR_EXACT")
        assert image.metadata["kvp"] == 80 + 20 * i
        assert image.metadata["kernel"] == "B30f"
        assert image.metadata["slice_thickness"] == 2
        assert image.data_range == (-10 * i, 65535 * (1 + i) - 10 * i)
    assert len({image.source.series for image in file}) == 1


def test_frames_are_found_in_their_order_in_space(enhanced, tmp_path: Path) -> None:
    ref, _ = enhanced
    cases = list(find_cases([ref.path]))
    assert [case.source.location for case in cases] == [5, 7.5, 10]
    assert [case.source.frame for case in cases] == [2, 1, 0]
    assert [case.id[-5:] for case in cases] == ["-0002", "-0001", "-0000"]
    for case in cases:
        image = case.load().target
        assert image.source == case.source
        assert image.metadata["kvp"] == 80 + 20 * case.source.frame
    # A frame that is named is that of the file.
    assert read(ref.path, frame=2).source.location == 5
    assert read(ref.path, frame=-3).source.location == 10
    (tmp_path / "m.csv").write_text(f"target,frame\n{ref.path.name},2\n")
    (named,) = find_cases([tmp_path / "m.csv"])
    assert named.load().target.metadata["kvp"] == 120
    assert assess(ref.path, rubric="medq")[0].source.location == 5


@pytest.mark.parametrize("change", ["same place", "not parallel", "no place", "no groups"])
def test_frames_that_make_no_stack_keep_their_order(make_dicom, change: str) -> None:
    groups = frame_groups(3)
    if change == "same place":
        groups[2].PlanePositionSequence[0].ImagePositionPatient = [0, 0, 10]
    elif change == "not parallel":
        groups[2].PlaneOrientationSequence = [item(ImageOrientationPatient=[1, 0, 0, 0, 0, 1])]
    elif change == "no place":
        del groups[2].PlanePositionSequence
    else:
        del groups[2]
    ref = make_dicom(
        np.zeros((3, 4, 5), np.uint16),
        multiframe=True,
        SOPClassUID=EnhancedCTImageStorage,
        SharedFunctionalGroupsSequence=shared_groups(),
        PerFrameFunctionalGroupsSequence=groups,
    )
    cases = list(find_cases([ref.path]))
    assert [case.source.frame for case in cases] == [0, 1, 2]
    assert [case.source.location for case in cases][:2] == [10, 7.5]


def test_a_frame_without_its_groups_is_refused(make_dicom) -> None:
    ref = make_dicom(
        np.zeros((3, 4, 5), np.uint16),
        multiframe=True,
        SOPClassUID=EnhancedCTImageStorage,
        SharedFunctionalGroupsSequence=shared_groups(),
        PerFrameFunctionalGroupsSequence=frame_groups(2),
    )
    file = DicomFile(ref)
    assert file[1].shape == (4, 5)
    with pytest.raises(InputError, match="not frame 2"):
        file.image(2)


def test_an_enhanced_object_of_one_frame_is_a_slice(make_dicom) -> None:
    headers = []
    for i, z in enumerate([5.0, -5.0]):
        groups = frame_groups(1)
        groups[0].PlanePositionSequence[0].ImagePositionPatient = [0, 0, z]
        headers.append(
            read_header(
                make_dicom(
                    np.zeros((1, 4, 5), np.uint16),
                    name=f"{i}.dcm",
                    multiframe=True,
                    SOPClassUID=EnhancedMRImageStorage,
                    SharedFunctionalGroupsSequence=shared_groups(),
                    PerFrameFunctionalGroupsSequence=groups,
                )
            )
        )
    assert [header.location() for header in headers] == [5, -5]
    assert headers[0].series == headers[1].series


@pytest.mark.parametrize("name", ["eCT_Supplemental.dcm", "emri_small.dcm"])
def test_same_as_highdicom(name: str) -> None:
    path = next((Path(p) for p in get_testdata_files() if Path(p).name == name), None)
    if path is None:
        pytest.skip("pydicom-data is not installed")
    file = DicomFile(FileRef(path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = highdicom.imread(path)
        for index in range(len(file)):
            expected = reference.get_frame(
                index,
                as_index=True,
                apply_real_world_transform=False,
                apply_presentation_lut=False,
            )
            np.testing.assert_allclose(file.image(index).pixels, expected, rtol=1e-7)


def test_synthetic_agrees_with_highdicom_too(make_dicom, rng: np.random.Generator) -> None:
    ref = make_dicom(
        rng.integers(0, 4096, (3, 4, 5), dtype=np.uint16),
        multiframe=True,
        SOPClassUID=EnhancedCTImageStorage,
        SharedFunctionalGroupsSequence=shared_groups(),
        PerFrameFunctionalGroupsSequence=frame_groups(3),
    )
    reference = highdicom.imread(ref.path)
    for index, image in enumerate(DicomFile(ref)):
        expected = reference.get_frame(
            index, as_index=True, apply_modality_transform=True, apply_real_world_transform=False
        )
        np.testing.assert_array_equal(image.pixels, expected)


def test_a_long_header_is_parsed_once(make_dicom, monkeypatch: pytest.MonkeyPatch) -> None:
    n = 200
    ref = make_dicom(
        np.zeros((n, 4, 5), np.uint16),
        multiframe=True,
        SOPClassUID=EnhancedCTImageStorage,
        SharedFunctionalGroupsSequence=shared_groups(),
        PerFrameFunctionalGroupsSequence=frame_groups(n),
    )
    file = DicomFile(ref)
    monkeypatch.setattr(dicom_stream, "read_dataset", None)
    assert [image.metadata.get("kvp") for image in list(file)[:3]] == [80, 100, 120]
    copy = pickle.dumps(file)
    assert len(copy) < 2000
    monkeypatch.undo()
    assert pickle.loads(copy).image(2).metadata["kvp"] == 120
