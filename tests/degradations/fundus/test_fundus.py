"""The physics of the faults of fundus photographs, and their measurements, on a drawn retina whose truth is known."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations import get
from scrutiq.degradations.fundus.defocus import disc_transfer
from scrutiq.degradations.fundus.motion import path
from scrutiq.degradations.fundus.noise import mosaic_noise
from scrutiq.degradations.fundus.off_centre import optic_disc
from scrutiq.degradations.fundus.retina import field_of, filter_in_field, reduced
from scrutiq.degradations.tools import to_linear, to_srgb
from scrutiq.metrics import Context, Undefined
from scrutiq.metrics.foreground import field_of_view

CENTRE, DIAMETER = (151.0, 162.0), 280.0


def photograph(light: np.ndarray) -> Image:
    """Return a photograph of linear light in a round field."""
    y, x = np.indices(light.shape[:2])
    inside = np.hypot(y - CENTRE[0], x - CENTRE[1]) <= DIAMETER / 2
    coded = np.where(inside[..., None], to_srgb(light), 0.0) * 255
    return Image(pixels=coded, modality="fundus", unit="grey level", data_range=(0.0, 255.0))


def flat(red: float = 0.4, green: float = 0.1, blue: float = 0.03) -> Image:
    return photograph(np.broadcast_to([red, green, blue], (304, 322, 3)))


@cache
def retina() -> Image:
    """Return a drawn retina: a disc to the right, vertical vessels through it and lines elsewhere, in red and green."""
    y, x = np.indices((304, 322)).astype(float)
    disc = np.exp(-((np.hypot(y - CENTRE[0] + 8, x - CENTRE[1] - 90) / 16) ** 4))
    rng = np.random.default_rng(1)
    vessels = np.zeros((304, 322))
    for _ in range(60):
        angle, at = rng.uniform(0, np.pi), rng.uniform(-130, 130)
        vessels += np.abs((y - 150) * np.cos(angle) + (x - 160) * np.sin(angle) - at) < 1.2
    vessels += (np.abs(x - CENTRE[1] - 88) < 2) | (np.abs(x - CENTRE[1] - 94) < 1.5)
    vessels = ndimage.gaussian_filter(np.minimum(vessels, 1), 0.8)
    light = np.stack([0.4 + 0.3 * disc, 0.1 + 0.3 * disc, 0.03 + 0.15 * disc], axis=2)
    return photograph(light * (1 - vessels[..., None] * [0.12, 0.45, 0.4]))


def light_of(image: Image) -> np.ndarray:
    return to_linear(image.pixels / 255)


def applied(name: str, image: Image, **changed: object) -> Image:
    """Apply an entry with parameters drawn at full severity, some of them replaced."""
    entry = get(f"fundus.{name}")
    parameters = dict(entry.draw(image, 1.0, np.random.default_rng(0))) | changed
    return entry.apply(image, parameters)


def made(name: str, severity: float, image: Image | None = None) -> Image:
    return get(f"fundus.{name}").make(image or retina(), severity, np.random.default_rng(2))


def measured(name: str, image: Image) -> float:
    found = get(f"fundus.{name}").measure(image)
    assert found is not None
    return found.value


class TestField:
    def test_the_circle_is_found(self) -> None:
        field = field_of(flat())
        assert field.centre == pytest.approx(CENTRE, abs=0.5)
        assert field.diameter == pytest.approx(DIAMETER, abs=2)

    def test_a_circle_cut_by_the_border_is_found(self) -> None:
        whole = flat()
        field = field_of(whole.replace(pixels=whole.pixels[60:250]))
        assert field.centre == pytest.approx((CENTRE[0] - 60, CENTRE[1]), abs=0.7)
        assert field.diameter == pytest.approx(DIAMETER, abs=3)

    @pytest.mark.parametrize("name", ["haze", "defocus", "motion", "reflex", "noise", "off_centre", "eyelash", "dust"])
    def test_the_frame_stays_black(self, name: str) -> None:
        outside = ~field_of_view(retina())
        assert np.allclose(made(name, 1.0).pixels[outside], retina().pixels[outside], atol=1e-3)

    def test_a_filter_does_not_mix_in_the_frame(self) -> None:
        light = light_of(flat())
        field = field_of_view(flat())
        inner = ndimage.binary_erosion(field, iterations=2)
        blurred = filter_in_field(light, inner, lambda shape, v, u, c: np.exp(-200 * (v**2 + u**2)), 20)
        assert blurred[inner] == pytest.approx(light[inner], rel=2e-3)


class TestPhysics:
    def test_over_exposure_multiplies_light_and_clips(self) -> None:
        middle = light_of(applied("over_exposure", flat(), gain=3.0))[150, 160]
        assert middle == pytest.approx([1.0, 0.3, 0.09], rel=2e-3)

    def test_under_exposure_has_the_noise_of_the_electrons_that_are_left(self) -> None:
        image = applied("under_exposure", flat(), gain=0.5, full_well_electrons=1000.0, read_noise_electrons=0.0)
        green = light_of(image)[100:200, 100:200, 1]
        assert green.mean() == pytest.approx(0.05, rel=0.01)
        # Thinned from a noise-free photograph: half of the variance of 50 electrons behind a full well of 1000.
        assert green.std() == pytest.approx(np.sqrt(0.05 * 0.5 / 1000), rel=0.03)

    def test_a_gain_of_light_keeps_the_ratio_of_two_places(self) -> None:
        image = photograph(np.where(np.arange(322)[None, :, None] < 160, 0.1, 0.2) * np.ones((304, 1, 3)))
        light = light_of(applied("over_exposure", image, gain=2.0))
        assert light[150, 200] / light[150, 100] == pytest.approx([2, 2, 2], rel=1e-2)

    def test_a_colour_cast_keeps_the_luminance(self) -> None:
        weights = [0.2126, 0.7152, 0.0722]
        before, after = (light_of(i)[150, 160] for i in (flat(), applied("colour_cast", flat(), gains=[1, 1.5, 2])))
        assert after @ weights == pytest.approx(before @ weights, rel=2e-3)
        assert after[2] / after[0] == pytest.approx(2 * before[2] / before[0], rel=2e-3)

    def test_haze_replaces_light_by_its_veil(self) -> None:
        image = applied("haze", flat(), scattering=[1.0, 1.0, 1.0], veil=[0.5, 0.5, 0.5], gradient=0.0)
        passed = np.exp(-1)
        expected = np.array([0.4, 0.1, 0.03]) * (passed + (1 - passed) / 2) + 0.5 * (1 - passed)
        assert light_of(image)[151, 162] == pytest.approx(expected, rel=5e-3)

    def test_the_shot_noise_grows_with_the_square_root_of_the_light(self) -> None:
        image = photograph(np.where(np.arange(322)[None, :, None] < 160, 0.1, 0.4) * np.ones((304, 1, 3)))
        light = light_of(applied("noise", image, full_well_electrons=5000.0, read_noise_electrons=0.0))
        dark, bright = light[100:200, 60:150, 1].std(), light[100:200, 170:260, 1].std()
        assert bright / dark == pytest.approx(2, rel=0.05)

    def test_demosaicing_keeps_the_noise_of_sites_and_averages_between_them(self) -> None:
        noise = mosaic_noise(np.ones((400, 400, 3)), seed=1)
        green = noise[..., 1]
        sites, between = green[0::2, 1::2].std(), green[0::2, 0::2].std()
        assert sites == pytest.approx(1, rel=0.02)
        assert between == pytest.approx(0.5, rel=0.03)  # the mean of four
        assert np.corrcoef(noise[:-1, :, 0].ravel(), noise[1:, :, 0].ravel())[0, 1] > 0.3

    def test_the_transfer_of_a_disc(self) -> None:
        # First zero of J1 at 3.8317: f = 0.6098 / r.
        assert disc_transfer(np.array([0.0])) == pytest.approx(1)
        assert disc_transfer(np.array([3.8317 / (2 * np.pi)])) == pytest.approx(0, abs=1e-4)

    def test_a_point_out_of_focus_is_a_disc_of_the_stated_radius(self) -> None:
        light = np.full((304, 322, 3), 0.1)
        light[151, 162] = 1.0
        image = applied("defocus", photograph(light), radius_pixels=[6.0, 6.0, 6.0], astigmatism=0.0)
        added = light_of(image)[151, 142:183, 1] - 0.1
        half = np.flatnonzero(added > added.max() / 3)
        assert 5 <= np.abs(half - 20).max() <= 7

    def test_motion_draws_a_point_out_along_its_direction(self) -> None:
        light = np.full((304, 322, 3), 0.1)
        light[148:155, 159:166] = 0.9
        image = applied("motion", photograph(light), length_pixels=30.0, angle=0.0, tremor=0.0, seed=1)
        added = light_of(image)[..., 1] - 0.1
        y, x = np.nonzero(added > 0.25 * added.max())
        assert np.ptp(x) > 3 * np.ptp(y)

    def test_the_path_is_centred_and_of_unit_length(self) -> None:
        down, right = path(0.0, 0.0, 1)
        assert np.ptp(right) == pytest.approx(1)
        assert np.ptp(down) == pytest.approx(0)
        assert right.mean() == pytest.approx(0, abs=1e-9)

    def test_an_off_centre_field_is_the_retina_moved(self) -> None:
        moved = applied("off_centre", retina(), shift_pixels=[25.0, -10.0])
        was, now = retina().pixels[100:180, 120:200], moved.pixels[125:205, 110:190]
        assert np.abs(was - now).max() < 1
        # No second disc in what was filled in.
        assert light_of(moved)[..., 1][:80].max() < 0.2


class TestMeasurement:
    def test_hue(self) -> None:
        # Pure sRGB green has a hue of 136 degrees in CIELAB: 87 from the usual.
        assert measured("colour_cast", flat(0.0, 0.7, 0.0)) == pytest.approx(136 - 49, abs=1)

    def test_a_grey_photograph_has_no_hue(self) -> None:
        assert get("fundus.colour_cast").measure(flat(0.3, 0.3, 0.3)) is None

    def test_grain_of_white_noise(self) -> None:
        image = flat()
        noise = np.random.default_rng(0).normal(0, 5.1, image.pixels.shape)
        inside = field_of_view(image)[..., None]
        noisy = image.replace(pixels=np.where(inside, image.pixels + noise, image.pixels))
        assert measured("noise", noisy) == pytest.approx(2.0, rel=0.05)

    def test_the_veil_is_the_light_that_was_added(self) -> None:
        assert measured("haze", flat(0.4, 0.3, 0.12)) == pytest.approx(12, rel=0.02)

    def test_the_reflex_is_the_light_above_the_rest(self) -> None:
        _, x = np.indices((304, 322))
        extra = 0.2 * (x > 250)
        light = np.array([0.4, 0.2, 0.05]) + extra[..., None]
        assert measured("reflex", photograph(light)) == pytest.approx(20, rel=0.05)
        assert measured("reflex", flat()) == pytest.approx(0, abs=0.1)

    def test_the_optic_disc_is_found(self) -> None:
        place = optic_disc(reduced(Context(retina())))
        assert place == pytest.approx(np.array([-8, 90]) / DIAMETER, abs=0.03)

    def test_the_displacement_is_that_of_the_disc(self) -> None:
        clean = measured("off_centre", retina())
        assert clean == pytest.approx(100 * 8 / DIAMETER, abs=3)
        moved = applied("off_centre", retina(), shift_pixels=[-40.0, 0.0])
        assert measured("off_centre", moved) == pytest.approx(100 * 48 / DIAMETER, abs=3)

    @pytest.mark.parametrize("name", ["haze", "defocus", "motion", "eyelash", "dust", "reflex", "noise"])
    def test_it_sees_its_own_fault(self, name: str) -> None:
        clean, severe, worst = (measured(name, made(name, s) if s else retina()) for s in (0, 0.7, 1))
        assert clean < severe < worst

    @pytest.mark.parametrize("name", ["eyelash", "dust"])
    def test_vessels_are_neither_lashes_nor_dust(self, name: str) -> None:
        assert measured(name, retina()) < 0.5 * measured(name, made(name, 1.0))

    def test_defocus_is_no_motion(self) -> None:
        assert measured("motion", made("defocus", 1.0)) < 0.6 * measured("motion", made("motion", 1.0))

    def test_a_tiny_field_is_refused(self) -> None:
        small = flat().replace(pixels=flat().pixels[130:170, 140:180])
        result = get("fundus.haze").measurement.result(small)
        assert isinstance(result, Undefined)
        assert str(result).endswith(".")
