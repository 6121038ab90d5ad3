"""DICOM pixels, units, ranges, display hints and order, against values worked out by hand."""

from __future__ import annotations

import pickle
import resource
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from scrutiq.core import GREY, HU, InputError, Modality, VoiLut, Window
from scrutiq.imaging.dicom import DicomFile, DicomSeries
from scrutiq.imaging.dicom_header import read_header
from scrutiq.imaging.fileref import FileRef


def read(ref: FileRef):
    return DicomFile(ref).image(0)


def lut_item(descriptor: list[int], data, vr: str = "US") -> Dataset:
    item = Dataset()
    item.LUTDescriptor = descriptor
    item.add_new("LUTData", vr, data)
    return item


NATIVE = [ImplicitVRLittleEndian, "1.2.840.10008.1.2.1", DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian]


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
def test_every_number_format(make_dicom, rng: np.random.Generator, syntax: str, dtype: str) -> None:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        pixels = rng.normal(0, 1000, (5, 7)).astype(kind)
        expected_range = None
    else:
        info = np.iinfo(kind)
        pixels = rng.integers(info.min, info.max, (5, 7), dtype=kind, endpoint=True)
        expected_range = (info.min, info.max)
    image = read(make_dicom(pixels, syntax=syntax))
    np.testing.assert_array_equal(image.pixels, pixels.astype(np.float32))
    assert image.data_range == expected_range


@pytest.mark.parametrize("signed", [False, True])
def test_junk_in_the_unused_bits_is_cleared(make_dicom, rng: np.random.Generator, signed: bool) -> None:
    values = rng.integers(-2048 if signed else 0, 2048 if signed else 4096, (6, 6))
    junk = rng.integers(0, 16, (6, 6))
    stored = ((values & 0x0FFF) | junk << 12).astype(np.uint16)
    ref = make_dicom(stored, BitsStored=12, HighBit=11, PixelRepresentation=int(signed))
    image = read(ref)
    np.testing.assert_array_equal(image.pixels, values)
    assert image.data_range == ((-2048, 2047) if signed else (0, 4095))


@pytest.mark.parametrize("signed", [False, True])
def test_values_at_the_top_of_the_word(make_dicom, rng: np.random.Generator, signed: bool) -> None:
    values = rng.integers(-2048 if signed else 0, 2048 if signed else 4096, (6, 6))
    stored = ((values & 0x0FFF) << 4 | 5).astype(np.uint16)
    image = read(make_dicom(stored, BitsStored=12, HighBit=15, PixelRepresentation=int(signed)))
    np.testing.assert_array_equal(image.pixels, values)


def test_one_bit(make_dicom) -> None:
    bits = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 1]], np.uint8)
    packed = np.packbits(bits.ravel(), bitorder="little").reshape(1, 2)
    ref = make_dicom(packed, Rows=3, Columns=3, BitsAllocated=1, BitsStored=1, HighBit=0)
    image = read(ref)
    np.testing.assert_array_equal(image.pixels, bits)
    assert image.data_range == (0, 1)


@pytest.mark.parametrize("planar", [0, 1])
def test_planar_configuration(make_dicom, rng: np.random.Generator, planar: int) -> None:
    pixels = rng.integers(0, 256, (4, 6, 3), dtype=np.uint8)
    stored = pixels.transpose(2, 0, 1) if planar else pixels
    ref = make_dicom(
        np.ascontiguousarray(stored).reshape(4, 6, 3), PlanarConfiguration=planar, Modality="ES", WindowCenter=1
    )
    image = read(ref)
    np.testing.assert_array_equal(image.pixels, pixels)
    assert (image.data_range, image.voi, image.modality, image.unit) == ((0, 255), None, Modality.ENDOSCOPY, GREY)


def test_ybr_full(make_dicom) -> None:
    # PS3.3 C.7.6.3.1.2: pure red, green, blue and white
    ybr = np.array([[[76, 85, 255], [150, 44, 21], [29, 255, 107], [255, 128, 128]]], np.uint8)
    image = read(make_dicom(ybr, PhotometricInterpretation="YBR_FULL"))
    expected = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]])
    np.testing.assert_allclose(image.pixels, expected, atol=1)


def test_ybr_full_422_that_is_not_subsampled_is_refused(make_dicom) -> None:
    with pytest.raises(InputError, match="not subsampled"):
        read(make_dicom(np.zeros((4, 6, 3), np.uint8), PhotometricInterpretation="YBR_FULL_422"))


def palette_elements(bits: int, first: int, tables: np.ndarray) -> dict[str, object]:
    elements: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        elements[f"{colour}PaletteColorLookupTableDescriptor"] = [len(table) & 0xFFFF, first, bits]
        elements[f"{colour}PaletteColorLookupTableData"] = table.astype("u1" if bits == 8 else "<u2").tobytes()
    return elements


@pytest.mark.parametrize("bits", [8, 16])
def test_palette(make_dicom, rng: np.random.Generator, bits: int) -> None:
    tables = rng.integers(0, 1 << bits, (3, 10))
    indices = np.array([[0, 4, 5, 6], [13, 14, 15, 255]], np.uint8)
    image = read(make_dicom(indices, **palette_elements(bits, 5, tables)))
    positions = np.clip(indices.astype(int) - 5, 0, 9)
    np.testing.assert_array_equal(image.pixels, np.moveaxis(tables[:, positions], 0, -1))
    assert image.data_range == (0, (1 << bits) - 1)


def test_palette_of_many_8_bit_entries_does_not_wrap(make_dicom, rng: np.random.Generator) -> None:
    tables = rng.integers(0, 256, (3, 4096))
    indices = np.array([[0, 255, 256, 4095]], np.uint16)
    image = read(make_dicom(indices, **palette_elements(8, 0, tables)))
    np.testing.assert_array_equal(image.pixels[0], tables[:, [0, 255, 256, 4095]].T)


def test_segmented_palette(make_dicom) -> None:
    # PS3.3 C.7.9.2: three entries, a line of four to 100, then the first segment again
    segments = np.array([0, 3, 10, 20, 20, 1, 4, 100, 2, 1, 0, 0], "<u2").tobytes()
    expected = [10, 20, 20, 40, 60, 80, 100, 10, 20, 20]
    elements: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        elements[f"{colour}PaletteColorLookupTableDescriptor"] = [10, 0, 16]
        elements[f"Segmented{colour}PaletteColorLookupTableData"] = segments
    image = read(make_dicom(np.arange(10, dtype=np.uint8).reshape(1, 10), **elements))
    assert image.pixels[0, :, 0].tolist() == expected
    assert image.data_range == (0, 65535)


@pytest.mark.parametrize(
    "segments", [[1, 4, 100], [0, 11, *range(11)], [2, 1, 0, 0], [0, 3, 1], [9, 1, 1], [0, 3, 1, 2, 3, 2, 9, 77, 0]]
)
def test_damaged_segments_are_refused(make_dicom, segments: list[int]) -> None:
    elements: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        elements[f"{colour}PaletteColorLookupTableDescriptor"] = [10, 0, 16]
        elements[f"Segmented{colour}PaletteColorLookupTableData"] = np.array(segments, "<u2").tobytes()
    with pytest.raises(InputError):
        read(make_dicom(np.zeros((2, 2), np.uint8), **elements))


def test_rescale_moves_values_and_range(make_dicom, rng: np.random.Generator) -> None:
    stored = rng.integers(0, 4096, (8, 8), dtype=np.uint16)
    ref = make_dicom(stored, BitsStored=12, HighBit=11, RescaleSlope=-0.37, RescaleIntercept=12.5)
    image = read(ref)
    expected = apply_modality_lut(stored, dcmread(ref.path))
    np.testing.assert_array_equal(image.pixels, expected.astype(np.float32))
    assert image.data_range == pytest.approx((4095 * -0.37 + 12.5, 12.5))


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, "1.2.840.10008.1.2.1"])
@pytest.mark.parametrize("vr", ["US", "OW"])
def test_modality_lut(make_dicom, syntax: str, vr: str) -> None:
    table = [500, 400, 300, 250]
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    data = table if vr == "US" else np.array(table, f"{order}u2").tobytes()
    item = lut_item([4, 0, 16], data, vr)
    item["LUTDescriptor"].VR = "SS"
    item.LUTDescriptor = [4, -2, 16]
    item.ModalityLUTType = "US"
    stored = np.array([[-9, -2, -1, 0, 1, 2, 99]], np.int16)
    image = read(make_dicom(stored, syntax=syntax, ModalityLUTSequence=[item]))
    assert image.pixels.tolist() == [[500, 500, 400, 300, 250, 250, 250]]
    assert (image.data_range, image.unit) == ((0, 65535), GREY)


def test_voi_lut_is_noted_and_changes_nothing(make_dicom) -> None:
    item = lut_item([3, 10, 12], [0, 2000, 4095])
    stored = np.array([[9, 10, 11, 12, 13]], np.uint16)
    image = read(make_dicom(stored, VOILUTSequence=[item], WindowCenter=40, WindowWidth=400))
    assert image.pixels.tolist() == stored.tolist()
    assert image.voi == VoiLut(first=10, bits=12, entries=(0, 2000, 4095))


def test_signed_first_value_written_as_unsigned(make_dicom) -> None:
    item = lut_item([3, 0, 8], [0, 100, 255])
    item.add_new("LUTDescriptor", "US", [3, 0xFFFE, 8])
    image = read(make_dicom(np.array([[-2]], np.int16), VOILUTSequence=[item]))
    assert isinstance(image.voi, VoiLut)
    assert image.voi.first == -2


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"WindowCenter": 40, "WindowWidth": 400}, Window(center=40, width=400)),
        ({"WindowCenter": [40, -600], "WindowWidth": [400, 1500]}, Window(center=40, width=400)),
        (
            {"WindowCenter": 40, "WindowWidth": 0.5, "VOILUTFunction": "LINEAR_EXACT"},
            Window(center=40, width=0.5, function="LINEAR_EXACT"),
        ),
        (
            {"WindowCenter": 4, "WindowWidth": 5, "VOILUTFunction": "SIGMOID"},
            Window(center=4, width=5, function="SIGMOID"),
        ),
        ({"WindowCenter": 40, "WindowWidth": 0}, None),  # not valid: display falls back to the range of the format
        ({"WindowCenter": 40}, None),
        ({"WindowCenter": 40, "WindowWidth": 400, "VOILUTFunction": "PETER^PAN"}, None),
        ({}, None),
    ],
)
def test_windows(make_dicom, elements: dict[str, object], expected: Window | None) -> None:
    assert read(make_dicom(**elements)).voi == expected


def test_monochrome1_is_noted_and_changes_nothing(make_dicom) -> None:
    stored = np.array([[0, 255]], np.uint8)
    image = read(make_dicom(stored, PhotometricInterpretation="MONOCHROME1", Modality="CR"))
    assert (image.pixels.tolist(), image.inverted, image.modality) == ([[0, 255]], True, Modality.DX)


AXIAL = ["ORIGINAL", "PRIMARY", "AXIAL"]


@pytest.mark.parametrize(
    ("elements", "unit"),
    [
        ({"RescaleSlope": 1, "RescaleIntercept": -1024, "RescaleType": "HU"}, HU),
        ({"RescaleSlope": 1, "RescaleIntercept": -1024, "ImageType": AXIAL}, HU),
        ({"RescaleSlope": 1, "RescaleIntercept": -1024}, HU),
        ({}, GREY),
        ({"RescaleType": "HU"}, GREY),
        ({"RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "US"}, GREY),
        ({"RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "MGML"}, "mg/ml"),
        ({"RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "SMITH^ANNA"}, GREY),
        (
            {
                "RescaleSlope": 1,
                "RescaleIntercept": 0,
                "RescaleType": "HU",
                "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
            },
            GREY,
        ),
        ({"RescaleSlope": 1, "RescaleIntercept": 0, "MultienergyCTAcquisition": "YES"}, GREY),
        ({"RescaleSlope": 1, "RescaleIntercept": 0, "SOPClassUID": SecondaryCaptureImageStorage}, GREY),
        (
            {
                "RescaleSlope": 1,
                "RescaleIntercept": 0,
                "SOPClassUID": SecondaryCaptureImageStorage,
                "RescaleType": "HU",
            },
            HU,
        ),
        ({"Modality": "MR", "RescaleSlope": 2, "RescaleIntercept": 0, "RescaleType": "HU"}, GREY),
        ({"Modality": "PT", "RescaleSlope": 2, "RescaleIntercept": 0, "Units": "BQML"}, "Bq/ml"),
        ({"Modality": "CR", "RescaleSlope": 2, "RescaleIntercept": 0, "RescaleType": "OD"}, "10^-3 OD"),
    ],
)
def test_units(make_dicom, elements: dict[str, object], unit: str) -> None:
    assert read(make_dicom(**elements)).unit == unit


@pytest.mark.parametrize(
    ("stated", "modality"),
    [
        ("CT", Modality.CT),
        ("RF", Modality.XA),
        ("MG", Modality.DX),
        ("OP", Modality.FUNDUS),
        ("OPT", Modality.OTHER),
        ("ES", Modality.ENDOSCOPY),
        ("SM", Modality.HISTOPATHOLOGY),
        ("NM", Modality.OTHER),
        ("OT", Modality.UNKNOWN),
        ("", Modality.UNKNOWN),
    ],
)
def test_modalities(make_dicom, stated: str, modality: Modality) -> None:
    assert read(make_dicom(Modality=stated)).modality is modality


@pytest.mark.parametrize(
    ("dtype", "value", "limit", "masked"),
    [
        ("i2", -2000, None, [-2000]),
        ("i2", 63536, None, [-2000]),  # the same bits, written as unsigned
        ("u2", 0, 2, [0, 1, 2]),
        ("u2", 2, 0, [0, 1, 2]),
        ("u2", 9999, None, []),
    ],
)
def test_padding(make_dicom, dtype: str, value: int, limit: int | None, masked: list[int]) -> None:
    stored = np.array([[-2000, -1, 0, 1, 2, 3]] if dtype == "i2" else [[0, 1, 2, 3, 4, 5]], dtype)
    elements: dict[str, object] = {"RescaleSlope": 2, "RescaleIntercept": 7}
    ref = make_dicom(stored, **elements)
    dataset = dcmread(ref.path)
    dataset.add_new("PixelPaddingValue", "SS" if value < 0 else "US", value)
    if limit is not None:
        dataset.add_new("PixelPaddingRangeLimit", "US", limit)
    dataset.save_as(ref.path)
    image = read(ref)
    assert image.pixels.tolist() == (stored * 2.0 + 7).tolist()
    if masked:
        assert image.valid is not None
        assert stored[~image.valid].tolist() == masked
    else:
        assert image.valid is None


def test_float_padding_and_not_a_number(make_dicom) -> None:
    stored = np.array([[1, -999, np.nan, np.inf]], np.float32)
    image = read(make_dicom(stored, FloatPixelPaddingValue=-999))
    assert image.valid is not None
    assert image.valid.tolist() == [[True, False, False, False]]


def region(x: float, y: float, units: int = 3) -> Dataset:
    item = Dataset()
    item.PhysicalDeltaX, item.PhysicalDeltaY = x, y
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = units
    return item


@pytest.mark.parametrize(
    ("elements", "spacing", "plane"),
    [
        ({"PixelSpacing": [0.5, 0.75], "ImagerPixelSpacing": [9, 9]}, (0.5, 0.75), "patient"),
        ({"ImagerPixelSpacing": [0.2, 0.3]}, (0.2, 0.3), "detector"),
        ({"PixelSpacing": [0.2, 0.3], "ImagerPixelSpacing": [0.2, 0.3]}, (0.2, 0.3), "detector"),
        (
            {
                "PixelSpacing": [0.2, 0.3],
                "ImagerPixelSpacing": [0.2, 0.3],
                "EstimatedRadiographicMagnificationFactor": 1.25,
            },
            (0.16, 0.24),
            "patient",
        ),
        (
            {"PixelSpacing": [0.2, 0.3], "ImagerPixelSpacing": [0.2, 0.3], "PixelSpacingCalibrationType": "GEOMETRY"},
            (0.2, 0.3),
            "patient",
        ),
        (
            {"ImagerPixelSpacing": [0.2, 0.3], "EstimatedRadiographicMagnificationFactor": 1.25},
            (0.16, 0.24),
            "patient",
        ),
        ({"PixelSpacing": [0, 1]}, None, None),
        ({"PixelSpacing": [1]}, None, None),
        ({"SequenceOfUltrasoundRegions": [region(0.02, -0.03)]}, (0.3, 0.2), "patient"),
        ({"SequenceOfUltrasoundRegions": [region(0.02, 0.03), region(0.02, 0.03)]}, (0.3, 0.2), "patient"),
        ({"SequenceOfUltrasoundRegions": [region(0.02, 0.03), region(0.02, 0.04)]}, None, None),
        ({"SequenceOfUltrasoundRegions": [region(0.02, 0.03), region(0.02, 0.03, 4)]}, None, None),
        ({}, None, None),
    ],
)
def test_spacing(make_dicom, elements: dict[str, object], spacing: tuple[float, float] | None, plane: str) -> None:
    image = read(make_dicom(**elements))
    assert image.spacing == (None if spacing is None else pytest.approx(spacing))
    assert image.metadata.get("spacing_plane") == plane


def test_series_is_sorted_by_position_not_by_name(make_dicom) -> None:
    tilt = [1, 0, 0, 0, 0.8, -0.6]  # normal (0, 0.6, 0.8)
    order = [3, 0, 4, 1, 2]
    headers, paths = [], []
    for name, k in zip("abcde", order, strict=True):
        ref = make_dicom(
            np.full((2, 3), k, np.uint16),
            name=f"{name}.dcm",
            ImageOrientationPatient=tilt,
            ImagePositionPatient=[5, 0.6 * 2 * k, 0.8 * 2 * k],
            InstanceNumber=99 - k,
        )
        headers.append(read_header(ref))
        paths.append(name)
    series = DicomSeries(headers, paths)
    assert [image.pixels[0, 0] for image in series] == [0, 1, 2, 3, 4]
    assert [image.source.location for image in series] == pytest.approx([0, 2, 4, 6, 8])
    assert [image.source.frame for image in series] == [0, 1, 2, 3, 4]
    assert [image.source.path for image in series] == [paths[order.index(k)] for k in range(5)]
    assert len({image.source.series for image in series}) == 1
    assert series[-1] == series.image(4)
    copy = pickle.loads(pickle.dumps(series))
    assert copy.image(1) == series.image(1)
    assert len(pickle.dumps(series)) < 5000


def test_slices_at_one_place_follow_instance_number(make_dicom) -> None:
    plane = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    headers = [
        read_header(make_dicom(name=f"{i}", ImagePositionPatient=[0, 0, z], InstanceNumber=n, **plane))
        for i, (z, n) in enumerate([(1, 4), (0, 3), (1.0000001, 2), (0, 1)])
    ]
    assert [header.instance for header in DicomSeries(headers).headers] == [1, 3, 2, 4]


def test_without_positions_instance_number_orders(make_dicom) -> None:
    headers = [read_header(make_dicom(name=f"{n}.dcm", InstanceNumber=n)) for n in (10, 9, 2)]
    series = DicomSeries(headers)
    assert [header.instance for header in series.headers] == [2, 9, 10]
    assert series.image(0).source.location is None


def test_a_slice_that_vanishes_is_refused(make_dicom) -> None:
    refs = [make_dicom(name=f"{n}.dcm", InstanceNumber=n) for n in (1, 2)]
    series = DicomSeries([read_header(ref) for ref in refs])
    refs[0].path.unlink()
    with pytest.raises(InputError, match="not there"):
        series.image(0)
    assert series.image(1).shape == (3, 4)


def test_series_takes_one_series_of_single_frames(make_dicom) -> None:
    one = read_header(make_dicom(name="1.dcm"))
    other = read_header(make_dicom(name="2.dcm", SeriesInstanceUID="1.9"))
    many = read_header(make_dicom(np.zeros((2, 3, 4), np.uint8), name="3.dcm", multiframe=True))
    for headers in ([], [one, other], [many]):
        with pytest.raises(ValueError, match="series"):
            DicomSeries(headers)


def test_frames_stream(make_dicom, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (400, 128, 128), dtype=np.uint8)
    ref = make_dicom(
        pixels, multiframe=True, SOPClassUID=MultiFrameGrayscaleByteSecondaryCaptureImageStorage, Modality="XA"
    )
    del pixels
    tracemalloc.start()
    file = DicomFile(ref)
    total = sum(float(image.pixels[0, 0]) for image in file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total > 0
    assert len(file) == 400
    assert peak < 2e6, f"{peak / 1e6:.1f} MB, where all frames decoded are 26 MB"
    assert len(pickle.dumps(file)) < 2000


@pytest.mark.parametrize("padding", ["one fragment a frame", "two"])
def test_compressed_frames_are_found_without_an_offset_table(make_dicom, rng, padding: str) -> None:
    pixels = rng.integers(0, 4096, (5, 16, 16), dtype=np.uint16)
    options = {
        "rows": 16,
        "columns": 16,
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "bits_allocated": 16,
        "bits_stored": 16,
        "pixel_representation": 0,
    }
    frames = [RLELosslessEncoder.encode(frame, **options) for frame in pixels]
    ref = make_dicom(pixels, multiframe=True, syntax=RLELossless, frames=frames)
    content = ref.path.read_bytes()
    if padding == "two":
        # Drop the delimiter that ends the fragments; many writers do.
        ref.path.write_bytes(content[: content.rindex(b"\xfe\xff\xdd\xe0")])
    file = DicomFile(ref)
    np.testing.assert_array_equal([image.pixels for image in file], pixels)


@pytest.mark.shared
def test_real_ct_is_in_hounsfield_units(shared: Path) -> None:
    files = sorted((shared / "ct_siim_tcga").glob("*.dcm"))
    assert len(files) == 48
    for path in files:
        image = DicomFile(FileRef(path)).image(0)
        assert (image.unit, image.modality, image.shape) == (HU, Modality.CT, (512, 512))
        assert image.spacing is not None
        dataset = dcmread(path)
        expected = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        np.testing.assert_array_equal(image.pixels, expected.astype(np.float32))
        # Air and soft tissue lie where the Hounsfield scale puts them.
        assert np.mean(np.abs(image.pixels + 1000) < 100) > 0.02
        assert np.mean(np.abs(image.pixels - 20) < 130) > 0.1
        assert 50 < image.metadata["kvp"] < 150


@pytest.mark.shared
def test_compressed_pairs(shared: Path) -> None:
    folder = shared / "dicom_compressed_pairs"
    compared = 0
    for kind in ("J2KI", "JLSN"):
        for path in sorted((folder / kind).iterdir()):
            original = folder / "J2KR" / path.name.replace(kind, "J2KR")
            image = DicomFile(FileRef(path)).image(0)
            assert image.metadata["lossy"] is True
            if not original.exists():
                continue
            reference = DicomFile(FileRef(original)).image(0)
            assert reference.metadata["lossy"] is False
            assert (image.shape, image.unit, image.data_range) == (
                reference.shape,
                reference.unit,
                reference.data_range,
            )
            error = np.abs(image.pixels - reference.pixels)
            spread = float(reference.pixels.std())
            # near-lossless JPEG-LS bounds every pixel; lossy JPEG 2000 is close on average
            assert 0 < float(np.sqrt(np.mean(error**2))) < 0.4 * spread, path.name
            compared += 1
    assert compared >= 18


@pytest.mark.shared
def test_real_cines_and_volume(shared: Path) -> None:
    cine = DicomFile(FileRef(shared / "xa_phantom_cines" / "IM1"))
    assert len(cine) == 14
    reference = dcmread(shared / "xa_phantom_cines" / "IM1").pixel_array
    for index in (0, 13):
        np.testing.assert_array_equal(cine.image(index).pixels, reference[index])
    headers = [read_header(FileRef(path)) for path in (shared / "mri_t1_defaced").glob("*.dcm")]
    assert len({header.series for header in headers}) == 1
    volume = DicomSeries(headers)
    locations = [header.location(headers[0].normal) for header in volume.headers]
    assert np.all(np.diff(locations) > 0)
    assert np.ptp(np.diff(locations)) < 1e-3


@pytest.mark.shared
def test_a_long_series_streams(shared: Path) -> None:
    path = next(iter(sorted((shared / "ct_siim_tcga").glob("*.dcm"))))
    header = read_header(FileRef(path))
    series = DicomSeries([header] * 300)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for image in series:
        assert image.shape == (512, 512)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 60_000, f"{grown} kB for 300 slices of 1 MB each"
