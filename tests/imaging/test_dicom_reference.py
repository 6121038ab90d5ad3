"""Every file of pydicom's own test set: the same pixels as pydicom, or a stated refusal."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_files
from pydicom.pixels import apply_color_lut, apply_modality_lut, pixel_array

from scrutiq.core import InputError
from scrutiq.imaging.dicom import DicomFile
from scrutiq.imaging.dicom_header import read_header
from scrutiq.imaging.fileref import FileRef

FILES = sorted({Path(name) for name in get_testdata_files() if Path(name).is_file()})

#: What is refused, and why. A file that stops being readable, or starts to be, fails the test.
REFUSED = {
    "not a DICOM file": {
        "README",
        "README.txt",
        "crayons.icc",
        "no_meta.dcm",  # begins with group 0010: nothing tells it from any other bytes
        "rtplan.dump",
        "rtstruct.dump",
        "test1.json",
        "test_PN.json",
        "zipMR.gz",
    },
    "DICOM directory": {
        "DICOMDIR",
        "DICOMDIR-bigEnd",
        "DICOMDIR-empty.dcm",
        "DICOMDIR-implicit",
        "DICOMDIR-nooffset",
        "DICOMDIR-nopatient",
        "DICOMDIR-reordered",
    },
    "holds no image": {
        *(f"IM0000{a}{b}" for a in "01" for b in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"),  # headers only
        "ExplVR_BigEndNoMeta.dcm",
        "ExplVR_LitEndNoMeta.dcm",
        "reportsi.dcm",
        "reportsi_with_empty_number_tags.dcm",
        "rtplan.dcm",
        "rtstruct.dcm",
        "test-SR.dcm",
        "waveform_ecg.dcm",
    },
    "holds no pixels": {"UN_sequence.dcm", "empty_charset_LEI.dcm", "no_meta_group_length.dcm", "priv_SQ.dcm"},
    "lacks Rows": {"meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm"},  # a few bytes called pixel data
    "truncated": {"MR_truncated.dcm", "rtplan_truncated.dcm"},
    "NumberOfFrames is not a number": {"badVR.dcm"},
    "12-bit lossy JPEG": {"JPEG-lossy.dcm", "JPGExtended.dcm"},
    # its codestream was edited by hand to hold a delimiter; no decoder of pydicom takes it either
    "cannot be decoded": {"JPEG2000-embedded-sequence-delimiter.dcm"},
}

#: Read here, and not by pydicom, each for a reason; compared with the file it was made from where there is one.
OURS = {
    "OT-PAL-8-face.dcm": None,  # states no transfer syntax; it is found
    "emri_small_jpeg_2k_lossless_too_short.dcm": "emri_small.dcm",  # lacks only the delimiter after the last frame
}

#: pydicom applies what stands at the top of a header; these keep it in functional groups (see test_functional_groups)
#: or in the other byte order (see below).
ELSEWHERE = {"eCT_Supplemental.dcm", "OBXXXX1A_expb.dcm", "OBXXXX1A_expb_2frame.dcm"}


def reference(path: Path, index: int) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dcmread(path, force=True)
        pixels = pixel_array(dataset, index=index)
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            return apply_color_lut(pixels, dataset)
        return pixels if pixels.ndim == 3 else apply_modality_lut(pixels, dataset)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_same_pixels_or_stated_refusal(path: Path) -> None:
    refusal = next((why for why, names in REFUSED.items() if path.name in names), None)
    if refusal is not None:
        with pytest.raises(InputError, match=refusal):
            DicomFile(FileRef(path)).image(0)
        return
    file = DicomFile(FileRef(path))
    indices = sorted({0, len(file) // 2, len(file) - 1})
    images = [file.image(index) for index in indices]
    header = read_header(FileRef(path))
    assert (header.reason, header.frames) == (None, len(file))
    assert header == file.header
    for image in images:
        if image.data_range is not None:
            assert image.data_range[0] <= image.pixels.min()
            assert image.pixels.max() <= image.data_range[1]
    if path.name in OURS:
        if (twin := OURS[path.name]) is not None:
            other = DicomFile(FileRef(path.with_name(twin)))
            for index, image in zip(indices, images, strict=True):
                np.testing.assert_array_equal(image.pixels, other.image(index).pixels)
        return
    if path.name in ELSEWHERE:
        return
    for index, image in zip(indices, images, strict=True):
        expected = reference(path, index)
        np.testing.assert_array_equal(image.pixels, expected.astype(np.float32))


@pytest.mark.parametrize("name", ["OBXXXX1A", "OBXXXX1A_2frame"])
def test_big_endian_palette_equals_little_endian(name: str) -> None:
    # pydicom 3.0 does not swap the bytes of a big-endian palette, so its own little-endian twin is the reference.
    pair = []
    for suffix in ("_expb", ""):
        twin = name.replace("OBXXXX1A", f"OBXXXX1A{suffix}")
        path = next((path for path in FILES if path.stem == twin), None)
        if path is None:
            pytest.skip("pydicom-data is not installed")
        pair.append(DicomFile(FileRef(path)))
    for ours, twin in zip(*pair, strict=True):
        np.testing.assert_array_equal(ours.pixels, twin.pixels)


def test_the_whole_set_is_here() -> None:
    # Without the package pydicom-data, the files shipped with pydicom itself are tested alone.
    assert len(FILES) >= 60
