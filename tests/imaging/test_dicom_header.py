"""Headers for discovery: what is DICOM, what is an image, what belongs together."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, VLWholeSlideMicroscopyImageStorage

from scrutiq.core import InputError, Modality
from scrutiq.imaging.dicom import DicomFile
from scrutiq.imaging.dicom_header import dicomdir_members, read_header
from scrutiq.imaging.dicom_stream import is_dicom
from scrutiq.imaging.fileref import FileRef


def test_is_dicom_by_its_mark() -> None:
    assert is_dicom(bytes(128) + b"DICM")
    assert is_dicom(bytes(128) + b"DICM", "scan.png")
    assert not is_dicom(bytes(128) + b"DICN", "scan.dcm")
    assert not is_dicom(b"", "scan.dcm")


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, "1.2.840.10008.1.2.1", ExplicitVRBigEndian])
def test_bare_data_sets(make_dicom, syntax: str) -> None:
    ref = make_dicom(syntax=syntax, ImageType=["ORIGINAL", "PRIMARY"])
    expected = DicomFile(ref).image(0)
    dataset = dcmread(ref.path)
    del dataset.file_meta
    dataset.preamble = None
    bare = ref.path.with_name("IM1")
    dcmwrite(
        bare,
        dataset,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=syntax != ExplicitVRBigEndian,
        enforce_file_format=False,
    )
    head = bare.read_bytes()[:512]
    assert head[128:132] != b"DICM"
    for name in ("IM1", "scan.dcm", "scan.IMA", "1.2.840.113619"):
        assert is_dicom(head, name)
    assert not is_dicom(head, "scan.txt")
    image = DicomFile(FileRef(bare)).image(0)
    np.testing.assert_array_equal(image.pixels, expected.pixels)


@pytest.mark.parametrize(
    "content",
    [b"a few words of text, long enough to be a header\n" * 9, b"\x08\x00" * 200, bytes(600), b"\x89PNG\r\n" * 50],
)
def test_other_bytes_are_not_dicom(content: bytes) -> None:
    assert not is_dicom(content, "scan.dcm")


def test_header_says_what_discovery_needs(make_dicom) -> None:
    ref = make_dicom(
        np.zeros((3, 4), np.uint16),
        InstanceNumber=7,
        ImagePositionPatient=[1, 2, 3],
        ImageOrientationPatient=[0, 1, 0, 0, 0, -1],
    )
    header = read_header(ref)
    assert (header.modality, header.rows, header.columns, header.frames) == (Modality.CT, 3, 4, 1)
    assert (header.instance, header.origin, header.normal) == (7, (1, 2, 3), (-1, 0, 0))
    assert header.location() == -1
    assert header.reason is None
    assert DicomFile(ref).header == header


PLANE = [1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("elements", "together"),
    [
        ({"InstanceNumber": 9, "ImagePositionPatient": [0, 0, 9]}, True),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 1, 0.00001]}, True),
        ({"ImageOrientationPatient": [1, 0.0006, 0, -0.0006, 1, 0]}, True),
        ({"ImageOrientationPatient": [1, 0.0012, 0, -0.0012, 1, 0]}, False),
        ({"SeriesInstanceUID": "1.2.3.5"}, False),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, False),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, False),
        ({"Rows": 2, "Columns": 6}, False),
    ],
)
def test_what_belongs_together(make_dicom, elements: dict[str, object], together: bool) -> None:
    first = read_header(make_dicom(name="1.dcm", ImageOrientationPatient=PLANE, ImageType=["ORIGINAL", "PRIMARY"]))
    fields = {"ImageOrientationPatient": PLANE, "ImageType": ["ORIGINAL", "PRIMARY"], **elements}
    second = read_header(make_dicom(name="2.dcm", **fields))
    assert first.stacks_with(second) is second.stacks_with(first) is together
    assert "1.2.3" not in first.series


def test_files_without_a_series_stand_alone(make_dicom) -> None:
    refs = [make_dicom(name=name, drop=("SeriesInstanceUID",)) for name in ("1.dcm", "2.dcm")]
    assert len({read_header(ref).series for ref in refs}) == 2


def test_zip_members(make_dicom, tmp_path: Path) -> None:
    ref = make_dicom(np.arange(24, dtype=np.uint16).reshape(2, 3, 4), multiframe=True)
    packed = tmp_path / "study.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(ref.path, "a/b.dcm")
    member = FileRef(packed, "a/b.dcm")
    assert read_header(member).frames == 2
    assert list(DicomFile(member)) == list(DicomFile(ref))


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"TotalPixelMatrixRows": 300, "TotalPixelMatrixColumns": 400}, "tiled level"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]}, "label"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "OVERVIEW", "NONE"]}, None),
        (
            {
                "ImageType": ["ORIGINAL", "PRIMARY", "THUMBNAIL", "RESAMPLED"],
                "TotalPixelMatrixRows": 3,
                "TotalPixelMatrixColumns": 4,
            },
            None,
        ),
    ],
)
def test_whole_slide_images(make_dicom, elements: dict[str, object], reason: str | None) -> None:
    ref = make_dicom(
        np.zeros((3, 4, 3), np.uint8), SOPClassUID=VLWholeSlideMicroscopyImageStorage, Modality="SM", **elements
    )
    header = read_header(ref)
    if reason is None:
        assert header.reason is None
        assert DicomFile(ref).image(0).modality is Modality.HISTOPATHOLOGY
    else:
        assert header.reason is not None
        assert reason in header.reason
        with pytest.raises(InputError, match=reason):
            DicomFile(ref)


def shipped_dicomdir() -> Path:
    return next(Path(p) for p in get_testdata_files() if Path(p).name == "DICOMDIR" and "dicomdirtests" in p)


def test_dicomdir() -> None:
    directory = shipped_dicomdir()
    ref = FileRef(directory)
    assert "DICOMDIR" in str(read_header(ref).reason)
    members = dicomdir_members(ref)
    assert len(members) == 31
    assert all((directory.parent / member).is_file() for member in members)


def test_dicomdir_does_not_leave_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "DICOMDIR"
    shutil.copy(shipped_dicomdir(), path)
    dataset = dcmread(path)
    for record in dataset.DirectoryRecordSequence:
        if "ReferencedFileID" in record:
            record["ReferencedFileID"]._value = ["..", "SECRET"]
            break
    dataset.save_as(path)
    with pytest.raises(InputError, match="outside"):
        dicomdir_members(FileRef(path))


def test_an_image_is_no_dicomdir(make_dicom) -> None:
    with pytest.raises(InputError, match="not a DICOMDIR"):
        dicomdir_members(make_dicom())


def test_private_elements_before_the_pixels_are_skipped(make_dicom) -> None:
    # 20 MB that nobody asked for are not read; the header costs the same.
    import tracemalloc

    ref = make_dicom()
    dataset = dcmread(ref.path)
    block = dataset.private_block(0x0029, "SOMEBODY", create=True)
    block.add_new(1, "OB", bytes(20_000_000))
    dataset.ReferencedImageSequence = [Dataset()]
    dataset.save_as(ref.path)
    tracemalloc.start()
    header = read_header(ref)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert header.reason is None
    assert peak < 2e6
