"""Nothing that could name a person passes the allow-list, whichever element it stands in."""

from __future__ import annotations

import struct
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.datadict import DicomDictionary, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.uid import ExplicitVRLittleEndian

from scrutiq.core import InputError
from scrutiq.imaging.dicom import DicomFile, DicomSeries
from scrutiq.imaging.dicom_header import read_header
from scrutiq.imaging.technical import TECHNICAL_KEYWORDS, UNITS, technical

#: VRs that hold text, and what a planted name looks like in each (in the letters that the VR allows, and not).
TEXT = ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")
NAMES = ("ZZDOE^PLANTED", "ZZDOE", "Zzdoe", "ZZDOE 4711", "zzdoe17f", "ZZDOE_PLANTED", "4711081500")
TRACES = ("zzdoe", "planted", "4711")

#: Without these the file would not be the same image; each is planted by itself below.
STRUCTURE = {
    "TransferSyntaxUID",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "RescaleSlope",
    "RescaleIntercept",
    "SpecificCharacterSet",
}


def everything_said(ref) -> str:
    """All text that leaves the reader for one file: images, headers, errors."""
    said = []
    try:
        header = read_header(ref)
        said += [repr(header), str(header.reason)]
        if header.reason is None and header.frames == 1:
            said.append(DicomSeries([header], ["x"]).image(0).to_json())
    except InputError as error:
        said.append(error.reason)
    try:
        file = DicomFile(ref)
        said += [repr(file), repr(file.header)]
        for image in file:
            said += [repr(image), str(image), repr(image.metadata), repr(image.source), image.to_json()]
    except InputError as error:
        said.append(error.reason)
    return "\n".join(said).replace(str(ref.path), "").lower()


def plant(ref, name: str, keywords: list[str] | None = None) -> int:
    """Write a name into every text element of the dictionary (or some), byte by byte, as no library would."""
    content = ref.path.read_bytes()
    (meta,) = struct.unpack_from("<L", content, 132 + 8)
    elements: dict[int, bytes] = {}
    for element in dcmread(ref.path):
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        write_data_element(buffer, element)
        elements[int(element.tag)] = buffer.getvalue()
    kept = len(elements)
    planted = 0
    for tag, (vrs, vm, *_, keyword) in DicomDictionary.items():
        vr = vrs.split(" or ")[0]
        chosen = keyword in keywords if keywords is not None else keyword not in STRUCTURE
        if vr in TEXT and chosen and 0x0008 <= tag >> 16 < 0x7FE0:
            count = 3 if vm.endswith("n") else int(vm.split("-")[0].split(" ")[0])
            elements[tag] = encode(tag, vr, "\\".join([name] * count))
            planted += 1
    if keywords is None:
        elements |= {0x00290010: encode(0x00290010, "LO", name)}
        elements |= {0x00291000 + i: encode(0x00291000 + i, vr, name) for i, vr in enumerate(TEXT)}
    body = b"".join(elements[tag] for tag in sorted(elements))
    ref.path.write_bytes(content[: 132 + 12 + meta] + body)
    assert kept >= 10
    return planted


def encode(tag: int, vr: str, value: str) -> bytes:
    text = value.encode() + b" " * (len(value) % 2)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    if vr in ("UC", "UR", "UT"):
        return head + struct.pack("<HL", 0, len(text)) + text
    return head + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_every_text_element_at_once(make_dicom, name: str) -> None:
    ref = make_dicom(np.arange(4096, dtype=np.uint16).reshape(64, 64), syntax=ExplicitVRLittleEndian)
    assert plant(ref, name) > 1500
    assert name.encode() in ref.path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert name in str(dcmread(ref.path).PatientName)
    said = everything_said(ref)
    assert "image(" in said  # it was read, not refused
    assert [trace for trace in TRACES if trace in said] == []


ALLOWED_TEXT = sorted(
    keyword
    for keyword in {*TECHNICAL_KEYWORDS, *STRUCTURE, "Modality", "RescaleType", "Units", "VOILUTFunction"}
    if (tag := tag_for_keyword(keyword)) is not None and DicomDictionary[tag][0].split(" or ")[0] in TEXT
)


@pytest.mark.parametrize("keyword", ALLOWED_TEXT)
def test_a_name_in_each_element_that_is_read(make_dicom, keyword: str) -> None:
    for i, name in enumerate(NAMES):
        ref = make_dicom(name=f"{i}.dcm")
        if keyword == "TransferSyntaxUID":
            content = ref.path.read_bytes()
            ref.path.write_bytes(content.replace(b"1.2.840.10008.1.2.1\0", name.ljust(20, "\0").encode()[:20]))
        else:
            assert plant(ref, name, [keyword]) == 1
        said = everything_said(ref)
        assert [trace for trace in TRACES if trace in said] == [], keyword


def header(**elements: object) -> Dataset:
    dataset = Dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)
    return dataset


def facts(**elements: object) -> dict[str, object]:
    return technical(header(**elements), ExplicitVRLittleEndian)


@pytest.mark.parametrize(
    "kernel",
    [
        "B30f", "B31f", "H20s", "I31f", "Br40d", "Hr38h", "Qr36", "Ub44", "FC13", "FC08-H", "FL04", "STANDARD", "BONE",
        "BONEPLUS", "LUNG", "SOFT", "DETAIL", "CHST", "EDGE", "C", "YA", "59 .10.AB50",
    ],
)  # fmt: skip
def test_kernels_of_vendors_pass(kernel: str) -> None:
    assert facts(ConvolutionKernel=kernel)["kernel"] == kernel


def test_kernel_with_its_strength() -> None:
    assert facts(ConvolutionKernel=["I31f", "3"])["kernel"] == ("I31f", "3")
    assert "kernel" not in facts(ConvolutionKernel=["I31f", "SMITH"])


@pytest.mark.parametrize(
    "kernel", ["SMITH", "Anna", "Mueller", "B30f Smith", "Ann42", "Jo12", "SMITH^A", "DOE42f", "471108"]
)
def test_names_in_the_kernel_do_not(kernel: str) -> None:
    assert "kernel" not in facts(ConvolutionKernel=kernel)


@given(st.text(st.characters(categories=["Lu", "Ll"]), min_size=3, max_size=16))
def test_no_word_of_letters_passes_unless_it_is_a_term(word: str) -> None:
    passed = facts(ConvolutionKernel=word, BodyPartExamined=word, SequenceName=word, Manufacturer=word)
    strings = {str(value) for key, value in passed.items() if key in ("kernel", "body_part", "sequence_name")}
    terms = {"std", "ear", "lung", "bone", "head", "body", "soft", "edge", "chst", "spc", "spcr", "tfl", "tir", "gre"}
    assert all(value.lower() in terms or len(value) > 16 for value in strings if value.lower() == word.lower()) or (
        word.upper() in {"ARM", "EYE", "HIP", "IAC", "JAW", "LEG", "RIB", "TMJ", "TOE", "TSE", "TFI", "EAR"}
    )


@pytest.mark.parametrize(
    ("name", "passes"),
    [
        ("*tfl3d1_ns", True),
        ("fl3d1_ns", True),
        ("*se2d1", True),
        ("ep2d", False),
        ("smith", False),
        ("*se_smith", False),
    ],
)
def test_sequence_names(name: str, passes: bool) -> None:
    assert ("sequence_name" in facts(SequenceName=name)) is passes


@pytest.mark.parametrize(
    ("stated", "vendor"),
    [
        ("SIEMENS", "Siemens"),
        ("Siemens Healthineers", "Siemens"),
        ("GE MEDICAL SYSTEMS", "GE"),
        ("Philips Medical Systems", "Philips"),
        ("Agfa-Gevaert", "Agfa"),
        ("GERALD SMITH", None),
        ("Clinic of Dr Smith", None),
    ],
)
def test_vendors(stated: str, vendor: str | None) -> None:
    assert facts(Manufacturer=stated).get("manufacturer") == vendor


def test_numbers_are_plausible_or_absent() -> None:
    good = facts(KVP="120.0", EchoTime=[12.5], AcquisitionMatrix=[0, 256, 192, 0], ImageType=["ORIGINAL", "JOHN"])
    assert (good["kvp"], good["echo_time"], good["acquisition_matrix"]) == (120, 12.5, (0, 256, 192, 0))
    assert good["image_type"] == "ORIGINAL"
    bad = facts(KVP="19800412", FlipAngle="4711", XRayTubeCurrent=47110815, SliceThickness="-1", EchoTime=["1", "2"])
    assert not {"kvp", "flip_angle", "tube_current", "slice_thickness", "echo_time"} & bad.keys()


def test_names_and_units() -> None:
    full = facts(
        ExposureInuAs=150000, FrameTime=66.6667, BurnedInAnnotation="YES", LossyImageCompression="01",
        ContrastBolusAgent="Smith's own mixture", BodyPartExamined="CHEST", ManufacturerModelName="Smith 3000",
    )  # fmt: skip
    assert full["exposure"] == 150
    assert full["frame_rate"] == pytest.approx(15, rel=1e-4)
    assert full["burned_in_annotation"] == "YES"
    assert full["lossy"] is True
    assert full["contrast_agent"] is True
    assert full["body_part"] == "CHEST"
    assert full["transfer_syntax"] == "Explicit VR Little Endian"
    assert not any("smith" in str(value).lower() for value in full.values())
    assert facts()["burned_in_annotation"] == "unknown"
    assert facts(BurnedInAnnotation="SMITH")["burned_in_annotation"] == "unknown"
    assert facts(ContrastBolusAgent="NONE")["contrast_agent"] is False
    assert "contrast_agent" not in facts(ContrastBolusAgent="")
    assert {name for name, value in full.items() if type(value) in (int, float)} <= UNITS.keys()
