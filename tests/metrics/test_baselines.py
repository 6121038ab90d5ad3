"""BRISQUE, NIQE, PIQE: agreement with other packages, direction, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from scipy.ndimage import gaussian_filter
from skimage.io import imread

from scrutiq.metrics.brisque import brisque, brisque_features
from scrutiq.metrics.natural_scene import aggd, aggd_mean, halve, mscn
from scrutiq.metrics.niqe import niqe
from scrutiq.metrics.piqe import piqe

DATA = Path(__file__).parent / "data"
REFERENCE = json.loads((DATA / "baselines.json").read_text())["values"]
IMAGES = sorted(REFERENCE["brisque"])
#: Absolute; reasons in src/scrutiq/metrics/data/README.md.
TOLERANCE = {"brisque": 2e-2, "niqe": 1e-3, "piqe": 1e-6}
METRICS: dict[str, Callable[..., float]] = {"brisque": brisque, "niqe": niqe, "piqe": piqe}
SMALLEST = {"brisque": (32, 32), "niqe": (96, 192), "piqe": (16, 16)}


def picture(name: str) -> np.ndarray:
    return imread(DATA / f"{name}.png") if name.startswith("ct_") else getattr(skimage.data, name)()


@pytest.fixture(params=sorted(METRICS))
def metric(request: pytest.FixtureRequest) -> Callable[..., float]:
    return METRICS[request.param]


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("name", sorted(METRICS))
def test_agrees_with_the_package_that_others_use(name: str, image: str) -> None:
    pixels = picture(image)
    white = float(pixels.max()) if name == "piqe" else 255.0  # pypiqe takes white from the image
    assert METRICS[name](pixels, data_range=(0, white)) == pytest.approx(
        REFERENCE[name][image], abs=TOLERANCE[name], rel=0
    )


def test_the_reference_values_differ_by_more_than_the_tolerance() -> None:
    for name, values in REFERENCE.items():
        gaps = np.diff(sorted(values.values()))
        assert gaps.min() > 10 * TOLERANCE[name]


def test_rises_with_noise_and_blur(metric: Callable[..., float], rng: np.random.Generator) -> None:
    camera = skimage.data.camera().astype(float)
    clean = metric(camera, data_range=(0, 255))
    noisy = metric(camera + rng.normal(0, 40, camera.shape), data_range=(0, 255))
    assert noisy > clean
    assert metric(gaussian_filter(camera, 4), data_range=(0, 255)) > clean


def test_the_scale_of_the_values_does_not_matter(metric: Callable[..., float]) -> None:
    camera = skimage.data.camera()
    hounsfield = camera * 2.0 - 200  # exact in binary, so that no pixel changes its grey level
    assert metric(hounsfield, data_range=(-200, 310)) == pytest.approx(metric(camera, data_range=(0, 255)), rel=1e-6)


def test_values_outside_the_range_are_shown_black_or_white(metric: Callable[..., float]) -> None:
    camera = skimage.data.camera().astype(float)
    beyond = np.where(camera > 180, camera + 500, camera)
    assert metric(beyond, data_range=(0, 180)) == metric(camera, data_range=(0, 180))


def test_the_same_pixels_give_the_same_value_in_any_dtype_and_layout(metric: Callable[..., float]) -> None:
    camera = skimage.data.camera()
    values = {
        metric(x, data_range=(0, 255))
        for x in (camera, camera.astype(np.float32), camera.astype(np.int16), np.asfortranarray(camera))
    }
    assert max(values) - min(values) < 1e-9


def test_does_not_change_the_image(metric: Callable[..., float]) -> None:
    camera = skimage.data.camera().astype(float)
    before = camera.copy()
    camera.flags.writeable = False
    metric(camera, data_range=(0, 255))
    assert np.array_equal(camera, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_refuses_values_that_are_not_finite(metric: Callable[..., float], bad: float) -> None:
    image = skimage.data.camera().astype(float)
    image[3, 4] = bad
    with pytest.raises(ValueError, match="finite"):
        metric(image, data_range=(0, 255))


def test_refuses_constant_colour_empty_range_and_missing_range(metric: Callable[..., float]) -> None:
    with pytest.raises(ValueError, match="constant"):
        metric(np.full((256, 256), 7.0), data_range=(0, 255))
    with pytest.raises(ValueError, match="constant within the data_range"):
        metric(skimage.data.camera(), data_range=(1000, 2000))
    with pytest.raises(ValueError, match=r"shape \(H, W\)"):
        metric(skimage.data.astronaut(), data_range=(0, 255))
    with pytest.raises(ValueError, match="low to high"):
        metric(skimage.data.camera(), data_range=(255, 0))
    with pytest.raises(TypeError):
        metric(skimage.data.camera())


@pytest.mark.parametrize("name", sorted(METRICS))
def test_smallest_size(name: str) -> None:
    rows, columns = SMALLEST[name]
    gravel = skimage.data.gravel()
    assert np.isfinite(METRICS[name](gravel[:rows, :columns], data_range=(0, 255)))
    assert np.isfinite(METRICS[name](gravel[:columns, :rows], data_range=(0, 255)))
    for shape in ((1, 1), (rows - 1, columns), (rows, columns - 1)):
        with pytest.raises(ValueError, match=f"{rows} x {columns} pixels"):
            METRICS[name](gravel[: shape[0], : shape[1]], data_range=(0, 255))


def test_images_almost_without_texture() -> None:
    ramp = np.add.outer(np.arange(256.0), np.zeros(256))
    assert piqe(ramp, data_range=(0, 255)) == 100
    dot = np.zeros((256, 256))
    dot[128, 128] = 255
    with pytest.raises(ValueError, match="fewer than two blocks"):
        niqe(dot, data_range=(0, 255))


@pytest.mark.parametrize(
    ("shape", "left", "right"), [(0.6, 1.0, 2.0), (1.0, 3.0, 1.0), (2.0, 1.0, 1.0), (4.0, 0.2, 0.5)]
)
def test_aggd_recovers_what_was_drawn(shape: float, left: float, right: float, rng: np.random.Generator) -> None:
    from scipy.special import gamma
    from scipy.stats import gennorm

    # An asymmetric generalised Gaussian: one side is chosen with probability proportional to its scale.
    unit = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    magnitude = np.abs(gennorm.rvs(shape, size=400_000, random_state=rng)) * unit
    is_left = rng.random(magnitude.size) < left / (left + right)
    x = np.where(is_left, -left * magnitude, right * magnitude)
    found_shape, found_left, found_right = aggd(x, zeros="right")
    assert found_shape == pytest.approx(shape, rel=0.03)
    assert found_left == pytest.approx(left, rel=0.03)
    assert found_right == pytest.approx(right, rel=0.03)
    assert aggd_mean(found_shape, found_left, found_right) == pytest.approx(x.mean(), abs=0.03 * (left + right))


def test_aggd_counts_zeros_where_told() -> None:
    x = np.array([-1.0, 1.0, 0.0, 0.0])
    assert aggd(x, zeros="neither")[2] == 1
    assert aggd(x, zeros="right")[2] == pytest.approx(np.sqrt(1 / 3))
    shape, left, right = aggd(np.zeros((2, 5)), zeros="neither")
    assert (shape == 0.2).all()
    assert np.isnan(left).all()
    assert np.isnan(right).all()


def test_mscn_of_a_flat_area_is_exactly_zero() -> None:
    image = np.full((40, 40), 200 / 255)
    image[20:] = 0.1
    m = mscn(image, 1 / 255, "nearest")
    assert not m[:16].any()
    assert not m[24:].any()
    assert m[19:21].any()


@pytest.mark.parametrize(("a", "taps", "mode"), [(-0.75, 4, "edge"), (-0.5, 8, "symmetric")])
def test_halve_keeps_constants_and_samples_ramps_between_pixels(a: float, taps: int, mode: str) -> None:
    assert halve(np.full((12, 10), 3.0), a, taps, mode, (6, 5)) == pytest.approx(np.full((6, 5), 3.0))
    ramp = np.add.outer(np.arange(32.0), 10 * np.arange(32.0))
    half = halve(ramp, a, taps, mode, (16, 16))
    expected = np.add.outer(2 * np.arange(16) + 0.5, 10 * (2 * np.arange(16) + 0.5))
    assert half[2:-2, 2:-2] == pytest.approx(expected[2:-2, 2:-2])


def test_brisque_features_of_white_noise(rng: np.random.Generator) -> None:
    noise = (rng.normal(0, 1, (512, 512)) + 8) / 16
    features = brisque_features(noise, data_range=(0, 1))
    assert features.shape == (36,)
    assert 2 < features[0] < 4  # dividing by the local deviation lightens the tails of a Gaussian
    m = mscn(noise, 1 / 255, "constant")
    assert features[1] == pytest.approx(m.var(), rel=0.01)
    products = (m[:, :-1] * m[:, 1:], m[:-1] * m[1:], m[:-1, :-1] * m[1:, 1:], m[1:, :-1] * m[:-1, 1:])
    assert features[[3, 7, 11, 15]] == pytest.approx([p.mean() for p in products], abs=0.025)
