"""The grey scale of the standard, against its own formulas and against pydicom."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.pixels import apply_modality_lut, apply_voi, apply_windowing

from scrutiq.core import Image, UsageError, VoiLut, Window
from scrutiq.imaging.dicom import DicomFile
from scrutiq.imaging.display import parse_window, render


def image(values, **fields) -> Image:
    return Image(pixels=np.atleast_2d(np.asarray(values, np.float32)), **fields)


def standard(x: float, c: float, w: float) -> float:
    """PS3.3 C.11.2.1.2.1, as written there, y from 0 to 1."""
    if x <= c - 0.5 - (w - 1) / 2:
        return 0.0
    if x > c - 0.5 + (w - 1) / 2:
        return 1.0
    return (x - (c - 0.5)) / (w - 1) + 0.5


@given(st.integers(-2000, 4000), st.integers(1, 4000), st.lists(st.integers(-4000, 6000), min_size=1, max_size=20))
def test_linear_is_the_standards(c: int, w: int, xs: list[int]) -> None:
    shown = render(image(xs), Window(center=c, width=w), bits=16)
    expected = [round(standard(x, c, w) * 65535) for x in xs]
    np.testing.assert_allclose(shown[0], expected, atol=1)


def test_linear_of_width_one_is_a_threshold() -> None:
    shown = render(image([9, 9.5, 9.6, 10]), Window(center=10, width=1))
    assert shown.tolist() == [[0, 0, 255, 255]]


def test_linear_by_hand() -> None:
    # C.11.2.1.2.1, note 2: centre 2048 and width 4096 on 12 bits is the identity
    values = np.array([0, 1, 2047, 2048, 4095])
    shown = render(image(values), Window(center=2048, width=4096), bits=16)
    np.testing.assert_array_equal(shown[0], np.rint(values / 4095 * 65535))


def test_linear_exact_and_sigmoid_by_hand() -> None:
    exact = render(image([-10, 0, 5, 10, 99]), Window(center=5, width=10, function="LINEAR_EXACT"))
    assert exact.tolist() == [[0, 0, 128, 255, 255]]
    sigmoid = render(image([-1e6, 0, 5, 10, 1e6]), Window(center=5, width=10, function="SIGMOID"))
    assert sigmoid.tolist() == [[0, round(255 / (1 + np.e**2)), 128, round(255 / (1 + np.e**-2)), 255]]


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("center", "width"), [(40, 400), (300, 1), (0, 2), (1000.5, 333)])
def test_windows_agree_with_pydicom(make_dicom, rng, function: str, center: float, width: float) -> None:
    stored = rng.integers(0, 4096, (32, 32), dtype=np.uint16)
    ref = make_dicom(
        stored, BitsStored=12, HighBit=11, RescaleSlope=1, RescaleIntercept=-1024,
        WindowCenter=center, WindowWidth=width, VOILUTFunction=function,
    )  # fmt: skip
    dataset = dcmread(ref.path)
    expected = apply_windowing(apply_modality_lut(stored, dataset), dataset)
    expected = (expected - (-1024)) / 4095  # pydicom's output range is that of the modality transform
    np.testing.assert_allclose(render(DicomFile(ref).image(0), bits=16), expected * 65535, atol=1)


def test_voi_lut_agrees_with_pydicom() -> None:
    path = get_testdata_file("vlut_04.dcm", download=False)
    if path is None:
        pytest.skip("pydicom-data is not installed")
    from pathlib import Path

    from scrutiq.imaging.fileref import FileRef

    dataset = dcmread(path)
    shown = render(DicomFile(FileRef(Path(path))).image(0), bits=16)
    bits = dataset.VOILUTSequence[0].LUTDescriptor[2]
    np.testing.assert_allclose(shown, apply_voi(dataset.pixel_array, dataset) / (2**bits - 1) * 65535, atol=1)


def test_voi_lut_clamps_at_both_ends() -> None:
    lut = VoiLut(first=10, bits=8, entries=(0, 100, 255))
    assert render(image([-5, 10, 11, 12, 500], voi=lut)).tolist() == [[0, 0, 100, 255, 255]]


def test_monochrome1_is_inverted_after_the_window() -> None:
    window = Window(center=128, width=256)
    plain, inverted = image([0, 60, 255], voi=window), image([0, 60, 255], voi=window, inverted=True)
    assert (render(plain).astype(int) + render(inverted)).tolist() == [[255, 255, 255]]
    assert render(inverted)[0, 0] == 255


def test_what_is_not_valid_is_black() -> None:
    valid = np.array([[True, False, True]])
    for inverted in (False, True):
        shown = render(image([0, 5, np.nan], valid=valid, data_range=(0, 10), inverted=inverted))
        assert shown[0, 1:].tolist() == [0, 0]


def test_colour_is_scaled_and_never_windowed() -> None:
    pixels = np.array([[[0, 512, 1023]]], np.float32)
    shown = render(Image(pixels=pixels, data_range=(0, 1023)), Window(center=1, width=2))
    assert shown.tolist() == [[[0, 128, 255]]]


def test_order_of_the_grey_scales() -> None:
    values = [0, 100, 200]
    assert render(image(values, data_range=(0, 200))).tolist() == [[0, 128, 255]]
    # More than 8 bits: an image fills any part of such a range, so its own extent serves.
    assert render(image(values, data_range=(0, 65535))).tolist() == render(image(values)).tolist()
    assert render(image(values)).tolist() == [[0, 128, 255]]
    assert render(image(values, data_range=(0, 400), voi=Window.from_bounds(0, 100))).tolist() == [[0, 255, 255]]
    shown = render(image(values, voi=Window.from_bounds(0, 100)), Window.from_bounds(100, 200))
    assert shown.tolist() == [[0, 0, 255]]
    assert render(image([7, 7])).tolist() == [[0, 0]]
    assert render(image([np.nan, np.nan])).tolist() == [[0, 0]]


def test_type_follows_bits() -> None:
    assert render(image([1, 2])).dtype == np.uint8
    assert render(image([1, 2]), bits=16).dtype == np.uint16
    with pytest.raises(ValueError, match="bits"):
        render(image([1, 2]), bits=12)  # type: ignore[call-overload]


def test_parse_window() -> None:
    assert parse_window("40,400") == Window.from_bounds(-160, 240)
    assert parse_window(" -600.5, 1500 ").center == -600.5
    assert parse_window("0.5,1").bounds == (0, 1)


@pytest.mark.parametrize("text", ["", "40", "40,400,1", "a,b", "40,0", "40,nan", "inf,400"])
def test_parse_window_refuses(text: str) -> None:
    with pytest.raises(UsageError, match="CENTRE,WIDTH"):
        parse_window(text)
