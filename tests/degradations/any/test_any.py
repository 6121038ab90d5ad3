"""The faults of every kind of image, and their measurements, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from scrutiq.core import HU, Image
from scrutiq.degradations import get
from scrutiq.degradations.any.jpeg2000 import analyse, synthesise


def grey(pixels: np.ndarray, **more: object) -> Image:
    return Image(pixels=pixels, modality="XA", unit="grey level", data_range=(0.0, 255.0), **more)


def scene(shape: tuple[int, int] = (200, 220)) -> np.ndarray:
    """Return texture with the spectrum of natural images, between 20 and 230."""
    noise = np.random.default_rng(3).standard_normal(shape)
    field = sum(ndimage.gaussian_filter(noise, s) * s for s in (0.7, 1.5, 3, 6, 12))
    return 20 + 210 * (field - field.min()) / np.ptp(field)


def ct() -> Image:
    pixels = np.full((200, 220), -1000.0)
    y, x = np.indices(pixels.shape)
    body = ((y - 100) / 70) ** 2 + ((x - 110) / 90) ** 2 < 1
    pixels[body] = 40 + np.random.default_rng(0).normal(0, 12, int(body.sum()))
    return Image(pixels=pixels, modality="CT", unit=HU)


def applied(name: str, image: Image, **changed: object) -> Image:
    entry = get(f"any.{name}")
    return entry.apply(image, dict(entry.draw(image, 1.0, np.random.default_rng(0))) | changed)


def measured(name: str, image: Image) -> float:
    found = get(f"any.{name}").measure(image)
    assert found is not None
    return found.value


class TestWavelet:
    @pytest.mark.parametrize("shape", [(64, 64), (63, 50), (17, 4), (101, 37)])
    def test_it_is_undone(self, shape: tuple[int, int]) -> None:
        plane = np.random.default_rng(0).normal(size=shape)
        rest, bands = analyse(plane, 5)
        assert np.allclose(synthesise(rest, bands, shape), plane, atol=1e-10)

    def test_a_constant_has_no_detail_and_keeps_its_level(self) -> None:
        rest, bands = analyse(np.full((64, 64), 7.0), 3)
        assert np.allclose(rest, 7.0)  # the low pass of T.800 has gain 1 at frequency 0
        assert max(np.abs(b).max() for level in bands for b in level) < 1e-9

    def test_a_cubic_has_no_detail(self) -> None:
        # The 9/7 high pass has four vanishing moments.
        line = (np.arange(64) / 64.0) ** 3
        _, (level,) = analyse(np.tile(line, (16, 1)), 1)
        assert np.abs(level[0][:, 4:-4]).max() < 1e-10

    def test_the_error_is_about_that_of_the_step(self) -> None:
        image = grey(scene())
        error = applied("jpeg2000", image, step=4.0, levels=5).pixels - image.pixels
        # Uniform quantisation gives step / sqrt(12); the dead zone, twice as wide, somewhat more.
        assert 4 / np.sqrt(12) * 0.7 < error.std() < 4 / np.sqrt(12) * 2

    def test_the_measurement_counts_zeros(self) -> None:
        image = grey(scene())
        assert measured("jpeg2000", image) < 30
        assert measured("jpeg2000", applied("jpeg2000", image, step=60.0, levels=5)) > 60


class TestResampling:
    def test_a_matrix_half_the_size_leaves_half_the_frequencies(self) -> None:
        noise = grey(128 + 20 * np.random.default_rng(0).standard_normal((256, 256)))
        image = applied("resampling", noise, factor=2.0, matrix=[128, 128], kernel="cubic")
        power = np.abs(np.fft.rfft(image.pixels - 128, axis=1)) ** 2
        assert power[:, 80:].sum() < 0.1 * power[:, :64].sum()

    def test_the_mean_and_a_ramp_are_kept(self) -> None:
        ramp = grey(np.tile(np.arange(200.0), (120, 1)))
        image = applied("resampling", ramp, factor=4.0, matrix=[30, 50], kernel="linear")
        assert image.pixels[60, 20:180] == pytest.approx(ramp.pixels[60, 20:180], abs=0.01)

    def test_the_cut_off_of_white_noise(self) -> None:
        # Power times f^2 over the square of frequencies: 95 % lies below the corner circle's radius that leaves 5 %.
        noise = grey(128 + 20 * np.random.default_rng(0).standard_normal((256, 256)))
        f = np.hypot(*np.meshgrid(np.fft.fftfreq(512), np.fft.fftfreq(512)))
        order = np.argsort(f.ravel())
        total = np.cumsum(f.ravel()[order] ** 2)
        expected = min(float(f.ravel()[order][np.searchsorted(total, 0.95 * total[-1])]), 0.5)
        assert measured("resampling", noise) == pytest.approx(expected, abs=0.01)

    def test_the_cut_off_falls_with_the_factor(self) -> None:
        image = grey(scene())
        values = [
            measured("resampling", applied("resampling", image, matrix=[200 // k, 220 // k], kernel="cubic"))
            for k in (2, 4, 8)
        ]
        assert values[0] > 1.5 * values[1] > 2 * values[2]


class TestQuantisation:
    def test_values_are_multiples_of_the_step(self) -> None:
        image = applied("quantisation", ct(), step=50.0, offset=0.25)
        assert set(np.unique(np.round((image.pixels / 50 - 0.25) % 1, 4))) <= {0.0, 1.0}

    def test_the_step_is_measured(self) -> None:
        ramp = grey(np.tile(np.linspace(40, 210, 400), (100, 1)))
        for levels in (8, 20, 50):
            image = applied("quantisation", ramp, step=170 / levels, offset=0.5)
            assert measured("quantisation", image) == pytest.approx(100 / levels, rel=0.15)

    def test_a_ramp_of_all_levels_has_a_fine_step(self) -> None:
        ramp = grey(np.tile(np.arange(40.0, 210.0), (100, 1)))
        assert measured("quantisation", ramp) == pytest.approx(100 / 168, rel=0.05)


class TestCrop:
    def test_the_shape_stays_and_the_rest_is_background(self) -> None:
        image = applied("crop", ct(), kept=[60, 0, 200, 220], fill=-1000.0)
        assert image.shape == (200, 220)
        assert (image.pixels[:60] == -1000).all()
        assert np.array_equal(image.pixels[60:], ct().pixels[60:])

    def test_the_area_is_that_behind_the_edge(self) -> None:
        image = grey(scene())
        cut = applied("crop", image, kept=[40, 0, 200, 220], fill=0.0)
        assert measured("crop", cut) == pytest.approx(20, rel=0.05)
        assert measured("crop", image) == 0

    def test_a_body_in_air_is_not_cut(self) -> None:
        assert measured("crop", ct()) < 0.5

    def test_a_body_cut_through_the_middle(self) -> None:
        # Behind the edge lie 100 of 200 rows, and along it the body's 180 of 220 columns.
        cut = applied("crop", ct(), kept=[100, 0, 200, 220], fill=-1000.0)
        assert measured("crop", cut) == pytest.approx(100 * 0.5 * 180 / 220, rel=0.05)


class TestOverlay:
    def test_it_lies_inside_the_region_in_ink(self) -> None:
        entry = get("any.burned_in_overlay")
        image = grey(scene())
        parameters = entry.draw(image, 0.6, np.random.default_rng(4))
        made = entry.apply(image, parameters)
        changed = np.abs(made.pixels - image.pixels) > 1e-3
        top, left, bottom, right = parameters["region"]
        changed[top:bottom, left:right] = False
        assert not changed.any()
        assert parameters["bright"] == 255

    def test_it_is_white_in_the_window_of_ct(self) -> None:
        parameters = get("any.burned_in_overlay").draw(ct(), 0.6, np.random.default_rng(4))
        assert (parameters["dark"], parameters["bright"]) == (-160, 240)

    def test_the_area_of_bars(self) -> None:
        pixels = scene((240, 240)) * 0.4
        for k in range(10):
            pixels[20 + 20 * k : 23 + 20 * k, 30:210] = 250
        assert measured("burned_in_overlay", grey(pixels)) == pytest.approx(100 * 10 * 3 * 180 / 240**2, rel=0.1)
        assert measured("burned_in_overlay", grey(scene())) < 0.05

    def test_no_text_could_be_a_name(self) -> None:
        words = {"SE", "IM", "W", "L", "ZOOM", "FOV", "mm", "R", "COMPRESSED", "PREVIEW", "NOT", "FOR", "DIAGNOSIS"}
        words |= {"MAG", "SLICE", "cm"}
        entry = get("any.burned_in_overlay")
        for seed in range(20):
            for item in entry.draw(ct(), 1.0, np.random.default_rng(seed))["items"]:
                letters = {w.strip("x:0123456789.%/+") for w in item["text"].split()} - {""}
                assert letters <= words, item["text"]


def test_jpeg_leaves_its_grid() -> None:
    image = grey(scene())
    made = applied("jpeg", image, quantisation=6.0, phase=[0, 0])
    assert measured("jpeg", made) > 1.5 * measured("jpeg", image)


def test_jpeg_of_step_zero_would_change_nothing() -> None:
    image = grey(scene())
    fine = applied("jpeg", image, quantisation=1e-6, phase=[3, 5])
    assert np.allclose(fine.pixels, image.pixels, atol=1e-2)
