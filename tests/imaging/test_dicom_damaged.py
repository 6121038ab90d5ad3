"""Whatever the bytes, nothing but `InputError` with one sentence comes out, soon and quietly."""

from __future__ import annotations

import contextlib
import logging
import random
import struct
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset
from pydicom.uid import MPEG4HP41, JPEG2000Lossless, RLELossless

from scrutiq.core import InputError
from scrutiq.imaging import codec_process
from scrutiq.imaging.dicom import DicomFile
from scrutiq.imaging.dicom_header import read_header
from scrutiq.imaging.fileref import FileRef


def refusal(ref: FileRef) -> str:
    with pytest.raises(InputError) as caught:
        DicomFile(ref).image(0)
    error = caught.value
    assert error.path == str(ref)
    assert ref.name not in error.reason
    assert error.reason.endswith(".")
    assert "\n" not in error.reason
    assert error.__suppress_context__
    return error.reason


def write(path: Path, content: bytes) -> FileRef:
    path.write_bytes(content)
    return FileRef(path)


def test_not_an_image(tmp_path: Path) -> None:
    assert "empty" in refusal(write(tmp_path / "a.dcm", b""))
    assert "not a DICOM file" in refusal(write(tmp_path / "b.dcm", b"Dear colleague, the scan is attached." * 20))
    assert "not there" in refusal(FileRef(tmp_path / "gone.dcm"))
    assert "truncated" in refusal(write(tmp_path / "c.dcm", bytes(128) + b"DICM"))


def test_every_truncation_is_refused(make_dicom, tmp_path: Path) -> None:
    content = make_dicom(np.zeros((4, 4), np.uint16)).path.read_bytes()
    for length in range(len(content)):
        refusal(write(tmp_path / "cut.dcm", content[:length]))


def test_a_claim_of_2_gigabytes_in_2_kilobytes(make_dicom, tmp_path: Path) -> None:
    ref = make_dicom(Rows=9000, Columns=9000, NumberOfFrames=13)
    tracemalloc.start()
    assert "2,106,000,000 bytes" in refusal(ref)
    # ... and with an element that says it is that long
    content = ref.path.read_bytes()
    at = content.rindex(b"\xe0\x7f\x10\x00OW\0\0") + 8
    longer = content[:at] + struct.pack("<L", 2_106_000_000) + content[at + 4 :]
    assert "truncated" in refusal(write(tmp_path / "long.dcm", longer))
    # ... and compressed, where nothing says how long it must be
    assert "far more pixels" in refusal(
        make_dicom(syntax=JPEG2000Lossless, frames=[bytes(2000)], Rows=9000, Columns=9000)
    )
    assert "million" in refusal(make_dicom(syntax=JPEG2000Lossless, frames=[bytes(2000)], Rows=65535, Columns=65535))
    assert "holds 1" in refusal(make_dicom(syntax=RLELossless, frames=[bytes(2000)], NumberOfFrames=99999))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"Rows": 0}, "zero"),
        ({"NumberOfFrames": -1}, "number of frames"),
        ({"NumberOfFrames": 10**9}, "number of frames"),
        ({"SamplesPerPixel": 2}, "cannot be read"),
        ({"SamplesPerPixel": 3}, "cannot be read"),
        ({"PhotometricInterpretation": "CMYK"}, "unknown colour space"),
        ({"BitsAllocated": 12}, "cannot be read"),
        ({"BitsStored": 17}, "cannot be read"),
        ({"BitsStored": 0}, "cannot be read"),
        ({"PixelRepresentation": 3}, "neither 0 nor 1"),
        ({"RescaleSlope": 0, "RescaleIntercept": 5}, "slope is zero"),
        ({"RescaleSlope": float("nan"), "RescaleIntercept": 5}, "finite"),
        ({"RescaleSlope": "1e300", "RescaleIntercept": "1e300"}, "finite"),
        ({"syntax": MPEG4HP41, "frames": [b"1234"]}, "MPEG-4"),
        ({"syntax": "1.2.3.4.5.6"}, "transfer syntax is not one"),
        ({"syntax": JPEG2000Lossless}, "are not"),
        ({"syntax": JPEG2000Lossless, "frames": [b"no codestream"]}, "cannot be decoded"),
        ({"syntax": RLELossless, "frames": [b"no segments."]}, "cannot be decoded"),
        ({"frames": [b"1234"]}, "not compressed, and they are"),
        ({"drop": ("BitsAllocated",)}, "lacks BitsAllocated"),
        ({"drop": ("PixelRepresentation",)}, "lacks PixelRepresentation"),
        ({"drop": ("PixelData",)}, "holds no image"),
    ],
)
def test_contradictory_headers(make_dicom, elements: dict[str, object], reason: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if elements.get("syntax") == JPEG2000Lossless and "frames" not in elements:
            # the pixels say that they are not compressed
            ref = make_dicom()
            content = ref.path.read_bytes()
            name = b"1.2.840.10008.1.2.1\0"
            dataset = dcmread(ref.path)
            assert name in content
            dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
            ref.path.write_bytes(swap_syntax(content, JPEG2000Lossless))
        elif elements.get("frames") == [b"1234"] and "syntax" not in elements:
            ref = make_dicom(syntax=RLELossless, frames=[b"1234"])
            ref.path.write_bytes(swap_syntax(ref.path.read_bytes(), "1.2.840.10008.1.2.1"))
        elif elements.get("syntax") == "1.2.3.4.5.6":
            ref = make_dicom()
            ref.path.write_bytes(swap_syntax(ref.path.read_bytes(), "1.2.3.4.5.6"))
        else:
            ref = make_dicom(**elements)
    assert reason in refusal(ref)


def swap_syntax(content: bytes, syntax: str) -> bytes:
    at = content.index(b"\x02\0\x10\0UI") + 6
    (length,) = struct.unpack_from("<H", content, at)
    value = syntax.encode() + b"\0" * (len(syntax) % 2)
    changed = content[:at] + struct.pack("<H", len(value)) + value + content[at + 2 + length :]
    # the group length element comes first and is taken at its word
    group = changed.index(b"\x02\0\0\0UL\x04\0") + 8
    (total,) = struct.unpack_from("<L", changed, group)
    return changed[:group] + struct.pack("<L", total + len(value) - length) + changed[group + 4 :]


def test_sequences_within_sequences(make_dicom) -> None:
    ref = make_dicom()
    dataset = dcmread(ref.path)
    inner = Dataset()
    inner.WindowCenter = 1
    for _ in range(150):
        outer = Dataset()
        outer.VOILUTSequence = [inner]
        outer["VOILUTSequence"].is_undefined_length = True
        inner.is_undefined_length_sequence_item = True
        inner = outer
    inner.is_undefined_length_sequence_item = True
    dataset.VOILUTSequence = [inner]
    dataset["VOILUTSequence"].is_undefined_length = True
    dataset.save_as(ref.path)
    assert DicomFile(ref).image(0).voi is None
    # ... and without end: items that open and never close
    opening = b"\x28\0\x10\x30SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff"
    content = ref.path.read_bytes()
    at = content.index(opening)
    refusal(write(ref.path, content[:at] + opening * 5000))


def test_a_look_up_table_cut_short_is_refused(make_dicom) -> None:
    item = Dataset()
    item.LUTDescriptor = [4000, 0, 16]
    item.add_new("LUTData", "US", [1, 2, 3])
    item.ModalityLUTType = "US"
    assert "shorter" in refusal(make_dicom(ModalityLUTSequence=[item]))


def test_nothing_is_said_on_the_way(capfd, caplog, make_dicom) -> None:
    ref = make_dicom()
    level = logging.getLogger("pydicom").level
    content = ref.path.read_bytes().replace(b"1.2.3.4\0", b"ZZ^DOE.\0")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        DicomFile(write(ref.path, content)).image(0)
        damaged = [p for p in get_testdata_files() if Path(p).name in ("SC_rgb_jpeg_dcmtk.dcm", "JPEG2000.dcm")]
        for path in damaged:
            broken = bytearray(Path(path).read_bytes())
            broken[-400:-300] = b"\xff\xc4" * 50
            with contextlib.suppress(InputError):
                DicomFile(write(ref.path, bytes(broken))).image(0)
    assert not said
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("pydicom").level == level


def test_a_codec_that_dies_takes_one_frame_with_it(make_dicom) -> None:
    path = next(Path(p) for p in get_testdata_files() if Path(p).name == "SC_rgb_jpeg_dcmtk.dcm")
    file = DicomFile(FileRef(path))
    first = file.image(0)
    child = codec_process._child()
    assert child._process is not None
    child._process.kill()
    child._process.wait()
    assert file.image(0) == first  # found dead, it is replaced
    with pytest.raises(codec_process.CodecError):
        codec_process.decode_apart("1.2.840.10008.1.2.4.50", "gdcm", bytes(100), {}, 20)
    with pytest.raises(codec_process.CodecError):
        codec_process.decode_apart("1.2.840.10008.1.2.4.50", "gdcm", bytes(100), {}, 0)  # no time at all
    assert file.image(0) == first


def test_the_codec_that_ends_the_process_does_not_end_ours(tmp_path: Path) -> None:
    # An unknown Adobe colour transform: gdcm 3.2 throws through C code, which nobody can catch.
    path = next(Path(p) for p in get_testdata_files() if Path(p).name == "SC_jpeg_no_color_transform_2.dcm")
    content = bytearray(path.read_bytes())
    at = content.index(b"Adobe")
    content[at + 11] = 131
    ref = write(tmp_path / "a.dcm", bytes(content))
    with pytest.raises(InputError, match="cannot be decoded"):
        DicomFile(ref).image(0)
    assert DicomFile(FileRef(path)).image(0).is_colour


SMALL = [
    Path(p)
    for p in sorted(set(get_testdata_files()))
    if Path(p).suffix == ".dcm" and Path(p).is_file() and Path(p).stat().st_size < 60_000
]


@pytest.mark.parametrize("seed", range(150))
def test_mutations(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray(chance.choice(SMALL).read_bytes())
    for _ in range(chance.choice([1, 4, 16, 64])):
        reach = len(content) if chance.random() < 0.3 else min(len(content), 2500)
        content[chance.randrange(min(132, reach - 1), reach)] = chance.choice([0, 255, chance.randrange(256)])
    if chance.random() < 0.2:
        del content[chance.randrange(len(content)) :]
    if chance.random() < 0.2:
        at = chance.randrange(len(content) + 1)
        content[at:at] = chance.randbytes(chance.randrange(1, 40))
    ref = write(tmp_path / "mutant.dcm", bytes(content))
    reasons = []
    try:
        read_header(ref)
    except InputError as error:
        reasons.append(error.reason)
    try:
        file = DicomFile(ref)
        for index in range(min(len(file), 2)):
            assert file.image(index).pixels.dtype == np.float32
    except InputError as error:
        reasons.append(error.reason)
    assert all(reason.endswith(".") and "mutant" not in reason for reason in reasons)
