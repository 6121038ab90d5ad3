"""Metrics with a reference: equal to other packages', and clear about what they need."""

from __future__ import annotations

import importlib.util
import inspect
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from scrutiq.core import HU, Image, InputError, Modality, UsageError
from scrutiq.imaging import read
from scrutiq.metrics import FULL_REFERENCE, compare, fit_intensity, measure

_BENCH = Path(__file__).parents[2] / "bench" / "parity_reference.py"
_SPEC = importlib.util.spec_from_file_location("parity_reference", _BENCH)
assert _SPEC is not None
assert _SPEC.loader is not None
parity = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(parity)


def image(pixels: np.ndarray, **more: object) -> Image:
    return Image(pixels=pixels, data_range=(0, 255), **more)


@pytest.fixture
def slice_(rng: np.random.Generator) -> np.ndarray:
    return 100 + ndimage.gaussian_filter(rng.normal(0, 300, (200, 220)), 2)


STORED = json.loads(parity.REFERENCE.read_text())["values"]
PAIRS = parity.pairs()


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_values_are_those_of_other_packages(name: str) -> None:
    assert STORED.keys() == PAIRS.keys()
    for (metric, other), tolerance in parity.TOLERANCE.items():
        if name.endswith("odd size"):
            tolerance = parity.ODD.get((metric, other), tolerance)
        assert parity.ours(metric, PAIRS[name]) == pytest.approx(STORED[name][f"{metric} {other}"], abs=tolerance)


def test_equal_images_have_the_best_values_and_no_psnr(slice_: np.ndarray) -> None:
    found = {name: m.value for name, m in compare(image(slice_), image(slice_), data_range=255).items()}
    assert found == {
        "rmse": 0,
        "ssim": pytest.approx(1),
        "ms_ssim": pytest.approx(1),
        "vif": pytest.approx(1),
        "gmsd": 0,
    }


def test_every_metric_gets_worse_with_noise_and_with_blur(slice_: np.ndarray, rng: np.random.Generator) -> None:
    noise = rng.standard_normal(slice_.shape)
    for degrade in (lambda s: slice_ + 8 * s * noise, lambda s: ndimage.gaussian_filter(slice_, s)):
        found = [compare(image(degrade(s)), image(slice_), data_range=255) for s in (1, 2, 3)]
        for name, metric in FULL_REFERENCE.items():
            values = [f[name].value for f in found]
            assert values == sorted(values, reverse=metric.direction == "higher is better"), name
            assert all(metric.range[0] <= v <= metric.range[1] for v in values)


def test_units() -> None:
    pixels = np.random.default_rng(0).normal(40, 20, (200, 200))
    ct = [Image(pixels=p, unit=HU, modality=Modality.CT) for p in (pixels, pixels + 10)]
    found = compare(ct[0], ct[1], data_range=400)
    assert found["rmse"].unit == "HU"
    assert found["rmse"].value == pytest.approx(10, rel=1e-4)
    assert found["psnr"].unit == "dB"
    assert found["psnr"].value == pytest.approx(20 * np.log10(400 / 10), rel=1e-4)


def test_data_range_is_required_and_checked(slice_: np.ndarray) -> None:
    assert inspect.signature(compare).parameters["data_range"].default is inspect.Parameter.empty
    for wrong in (0, -1, float("nan"), (10, 10), (5, 1)):
        with pytest.raises(UsageError, match="data_range"):
            compare(image(slice_), image(slice_), data_range=wrong)


def test_a_pair_compares_within_the_window(rng: np.random.Generator) -> None:
    reference = rng.normal(40, 30, (200, 200))
    target = reference + 5
    far = np.zeros(reference.shape, bool)
    far[:50] = True
    a, b = np.where(far, -900, target), np.where(far, -1000, reference)  # differs outside the window only
    ct = [Image(pixels=p, unit=HU, modality=Modality.CT) for p in (a, b)]
    inside = compare(*ct, data_range=(-160, 240))
    outside = compare(*ct, data_range=400)
    assert inside["rmse"].value == pytest.approx(5 * np.sqrt(0.75), rel=0.01)
    assert outside["rmse"].value > 45


def test_different_sizes_or_units_are_one_clear_error(slice_: np.ndarray) -> None:
    with pytest.raises(InputError, match="200 x 220 and 200 x 210"):
        compare(image(slice_), image(slice_[:, :210]), data_range=255)
    with pytest.raises(InputError, match="200 x 220 and 200 x 210"):
        fit_intensity(image(slice_), image(slice_[:, :210]))
    with pytest.raises(InputError, match="grey level and HU"):
        compare(image(slice_), Image(pixels=slice_, unit=HU, modality=Modality.CT), data_range=255)
    with pytest.raises(UsageError, match="lpips"):
        compare(image(slice_), image(slice_), data_range=255, names=["lpips"])


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 50), (10, 10), (40, 40), (175, 300)])
@pytest.mark.filterwarnings("error")
def test_what_an_image_is_too_small_for_is_absent(shape: tuple[int, int], rng: np.random.Generator) -> None:
    found = compare(image(rng.random(shape) * 255), image(rng.random(shape) * 255), data_range=255)
    side = min(shape)
    expected = {"rmse", "psnr"} | {
        n for n, s in (("gmsd", 6), ("ssim", 11), ("vif", 41), ("ms_ssim", 176)) if side >= s
    }
    assert found.keys() == expected


@pytest.mark.filterwarnings("error")
def test_constant_images_give_no_nan(slice_: np.ndarray) -> None:
    flat = np.full(slice_.shape, 10.0)
    for a, b in ((flat, flat), (slice_, flat), (flat, slice_)):
        found = compare(image(a), image(b), data_range=255)
        assert all(np.isfinite(m.value) for m in found.values())
    assert "vif" not in compare(image(slice_), image(flat), data_range=255)


def test_invalid_pixels_do_not_count(slice_: np.ndarray) -> None:
    target = slice_ + 3
    target[:20, :20] = np.nan
    reference = slice_.copy()
    reference[-10:, -10:] = np.inf
    found = compare(image(target), image(reference), data_range=255)
    assert found["rmse"].value == pytest.approx(3, rel=1e-5)
    assert found.keys() == FULL_REFERENCE.keys()
    nothing = np.full(slice_.shape, np.nan)
    with pytest.raises(InputError, match="no valid pixel"):
        compare(image(nothing), image(slice_), data_range=255)


def test_fit_intensity_undoes_a_line_and_nothing_else(slice_: np.ndarray, rng: np.random.Generator) -> None:
    fitted = fit_intensity(image(0.4 * slice_ + 30), image(slice_))
    assert fitted.pixels == pytest.approx(slice_, abs=1e-2)
    noisy = slice_ + rng.normal(0, 10, slice_.shape)
    raw, fit = (
        compare(t, image(slice_), data_range=255)["rmse"].value
        for t in (image(noisy), fit_intensity(image(noisy), image(slice_)))
    )
    assert fit <= raw
    flat = fit_intensity(image(np.full(slice_.shape, 9.0)), image(slice_))
    assert flat.pixels == pytest.approx(np.full(slice_.shape, slice_.mean()), rel=1e-4)


@pytest.mark.shared
def test_normal_dose_is_nearer_to_itself_than_low_dose_and_denoising_helps_psnr(shared: Path) -> None:
    folder = shared / "ct_denoising_readers" / "abdomen" / "set_01"
    low, normal, denoised = (read(folder / f"{n}.png", modality="CT", frame=0) for n in ("ldct", "ndct", "FF"))
    before = compare(fit_intensity(low, normal), normal, data_range=255)
    after = compare(fit_intensity(denoised, normal), normal, data_range=255)
    assert before.keys() == after.keys() == FULL_REFERENCE.keys()
    assert after["psnr"].value > before["psnr"].value + 2
    assert measure(denoised)["noise"].value < measure(low)["noise"].value
