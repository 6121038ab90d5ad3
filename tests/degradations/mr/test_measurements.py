"""The measurements of this folder against values worked out by hand, and where they are undefined."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage, special

from scrutiq.core import Image, Modality
from scrutiq.degradations import get
from scrutiq.degradations.mr.low_resolution import edge_difference
from scrutiq.degradations.mr.scene import line_energy, scene
from scrutiq.metrics import Context, Undefined

OWN = [
    "thermal_noise",
    "undersampling_cartesian",
    "undersampling_radial",
    "undersampling_poisson",
    "motion",
    "n2_ghost",
    "spike",
    "gibbs",
    "bias_field",
    "wrap_around",
    "zipper",
    "susceptibility",
    "chemical_shift",
    "low_resolution",
]


def value(name: str, image: Image) -> float:
    result = get(f"mr.{name}").measurement.result(image)
    assert isinstance(result, float), result
    return result


@pytest.mark.parametrize("name", OWN)
def test_severe_reads_worse_than_clean_and_the_severity_follows(name: str, image: Image) -> None:
    entry = get(f"mr.{name}")
    clean = value(name, image)
    severe = [value(name, entry.make(image, 1.0, np.random.default_rng(seed))) for seed in range(3)]
    assert np.median(severe) > clean
    assert entry.thresholds.severity(float(np.median(severe))) > entry.thresholds.severity(clean)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("shape", [(33, 47), (2, 9), (1, 1)])
def test_any_size_and_an_empty_image_can_be_degraded(name: str, shape: tuple[int, int]) -> None:
    for pixels in (np.zeros(shape), np.random.default_rng(0).uniform(-1, 9, shape)):
        small = Image(pixels=pixels, modality=Modality.MR)
        for severity in (0.01, 1.0):
            made = get(f"mr.{name}").make(small, severity, np.random.default_rng(1))
            assert made.shape == shape
            assert np.isfinite(made.pixels).all()


@pytest.mark.parametrize("name", OWN)
def test_scale_of_the_pixels_does_not_matter(name: str, image: Image) -> None:
    scaled = image.replace(pixels=image.pixels * 37)
    assert value(name, scaled) == pytest.approx(value(name, image), rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("name", OWN)
def test_small_or_constant_images_and_other_modalities_have_no_value(name: str, image: Image) -> None:
    measurement = get(f"mr.{name}").measurement
    assert "smaller than 64" in str(measurement.result(image.replace(pixels=image.pixels[:40, :40])))
    assert "magnetic resonance" in str(measurement.result(image.replace(modality=Modality.XA)))
    constant = measurement.result(image.replace(pixels=np.full((80, 80), 5.0)))
    assert isinstance(constant, Undefined)
    assert str(constant).endswith(".")


def test_noise_of_a_known_size(make_phantom: Callable[..., np.ndarray]) -> None:
    clean = make_phantom((200, 200))
    noisy = clean + np.random.default_rng(1).normal(0, 5, clean.shape)
    found = value("thermal_noise", Image(pixels=np.maximum(noisy, 0), modality=Modality.MR))
    assert found == pytest.approx(5, rel=0.06)  # of a signal of 100


def test_spike_stands_out_by_its_power() -> None:
    rng = np.random.default_rng(2)
    shape = (128, 128)
    values = rng.normal(100, 1, shape)
    y, x = np.indices(shape)
    readings = []
    for amplitude in (0.5, 1.0):
        wave = amplitude * np.cos(2 * np.pi * (30 * y / 128 + 21 * x / 128))
        readings.append(value("spike", Image(pixels=values + wave, modality=Modality.MR)))
    # Twice the amplitude is 6 dB; a little of it leaks into the surroundings.
    assert readings[1] - readings[0] == pytest.approx(6.02, abs=0.7)


@pytest.mark.parametrize("axis", [0, 1])
def test_n2_ghost_reads_its_share(axis: int, make_phantom: Callable[..., np.ndarray]) -> None:
    values = make_phantom((128, 128))
    ghosted = values + 0.2 * np.roll(values, 64, axis)
    assert value("n2_ghost", Image(pixels=values, modality=Modality.MR)) == pytest.approx(0, abs=0.5)
    assert value("n2_ghost", Image(pixels=ghosted, modality=Modality.MR)) == pytest.approx(20, abs=1)


def test_ghost_to_signal_is_the_excess_of_air_along_one_axis(make_phantom: Callable[..., np.ndarray]) -> None:
    values = make_phantom((128, 128)) + 2
    in_line = (values > 50).any(axis=0)
    ghosted = values + 6 * (in_line[None, :] & (values < 50))
    found = value("motion", Image(pixels=ghosted, modality=Modality.MR))
    assert found == pytest.approx(100 * 6 / 102, rel=0.05)


def test_bias_is_the_variation_of_the_field(make_ellipse: Callable[..., np.ndarray]) -> None:
    inside = make_ellipse((128, 128), (0.5, 0.5), (0.4, 0.35))
    y = np.linspace(-1, 1, 128)[:, None]
    field = np.exp(0.6 * y) * np.ones((128, 128))
    expected = 100 * field[inside].std() / field[inside].mean()
    found = value("bias_field", Image(pixels=inside * field, modality=Modality.MR))
    assert found == pytest.approx(expected, rel=0.06)
    assert value("bias_field", Image(pixels=inside * 1.0, modality=Modality.MR)) < 3


def test_edges_of_a_known_blur(make_ellipse: Callable[..., np.ndarray]) -> None:
    x = np.linspace(-60, 60, 60_001)
    for distance in (0.3, 1.7, 5.0):
        difference = special.ndtr(x + distance) - special.ndtr(x)
        assert edge_difference(np.array(distance)) == pytest.approx(np.trapezoid(difference**2, x), rel=1e-4)
    place = np.arange(160)
    for sigma in (1.0, 2.5):
        side = special.ndtr((place - 40.3) / sigma) - special.ndtr((place - 120.6) / sigma)
        blurred = Image(pixels=100 * np.outer(side, side), modality=Modality.MR, spacing=(0.5, 0.5))
        assert value("low_resolution", blurred) == pytest.approx(2.563 * sigma * 0.5, rel=0.05)


def test_resolution_needs_the_spacing(image: Image) -> None:
    result = get("mr.low_resolution").measurement.result(image.replace(spacing=None))
    assert "spacing" in str(result)


def test_void_is_the_share_without_signal(make_ellipse: Callable[..., np.ndarray]) -> None:
    values = 100.0 * make_ellipse((128, 128), (0.5, 0.5), (0.4, 0.4))
    values[44:84, 44:84] = 0
    seen = scene(Context(Image(pixels=values, modality=Modality.MR)))
    inner = ndimage.distance_transform_edt(seen.hull) > 0.1 * math.sqrt(seen.hull.sum())
    found = value("susceptibility", Image(pixels=values, modality=Modality.MR))
    assert found == pytest.approx(100 * 1600 / inner.sum(), rel=0.12)


def test_zipper_reads_about_its_size_and_ignores_an_edge(make_phantom: Callable[..., np.ndarray]) -> None:
    values = make_phantom((128, 128))
    assert value("zipper", Image(pixels=values, modality=Modality.MR)) < 1
    dots = values.copy()
    dots[::2, 90] += 30
    # The difference of neighbouring dots is 30, of a signal of 100.
    assert value("zipper", Image(pixels=dots, modality=Modality.MR)) == pytest.approx(30, rel=0.05)


def test_energy_by_lines_is_that_of_the_image() -> None:
    for shape in ((64, 70), (65, 71)):
        values = np.zeros(shape)
        values[20:40, 25:50] = np.random.default_rng(0).uniform(1, 2, (20, 25))
        values -= values.mean()
        values[:5] = values[-5:] = 0  # where the window falls
        values[:, :5] = values[:, -5:] = 0
        values[10:50, 10:50] -= values.sum() / 1600
        for axis in (0, 1):
            # An even number of lines has one of the highest frequency, which stands alone and is left out.
            assert line_energy(values, axis).sum() == pytest.approx((values**2).sum(), rel=0.01)


def test_scene_finds_object_and_air(make_phantom: Callable[..., np.ndarray]) -> None:
    values = make_phantom((128, 128))
    seen = scene(Context(Image(pixels=values, modality=Modality.MR)))
    assert seen.signal == 100
    assert seen.hull[values > 0].mean() > 0.97
    assert not seen.air[values > 0].any()
    assert seen.air.mean() > 0.5
