"""What each fault of a CT scan does to phantoms, worked out by hand, and what its measurement says of known ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from scrutiq.core import HU, Image, Modality, Source, UsageError
from scrutiq.degradations.ct import scan
from scrutiq.degradations.ct.attenuation import WATER_PER_MM, hu_to_attenuation
from scrutiq.degradations.ct.breathing import DEGRADATION as BREATHING
from scrutiq.degradations.ct.cupping import DEGRADATION as CUPPING
from scrutiq.degradations.ct.geometry import clinical_fan, parallel_beam
from scrutiq.degradations.ct.iterative import fista_tv, sirt, total_variation
from scrutiq.degradations.ct.kernel import DEGRADATION as KERNEL
from scrutiq.degradations.ct.limited_angle import DEGRADATION as LIMITED_ANGLE
from scrutiq.degradations.ct.low_contrast import DEGRADATION as LOW_CONTRAST
from scrutiq.degradations.ct.metal import DEGRADATION as METAL
from scrutiq.degradations.ct.motion import DEGRADATION as MOTION
from scrutiq.degradations.ct.phantom import BODY, Ellipse, line_integrals, rasterise
from scrutiq.degradations.ct.projector import project
from scrutiq.degradations.ct.ring import DEGRADATION as RING
from scrutiq.degradations.ct.rings import FIELD_EDGE, RINGS_HU
from scrutiq.degradations.ct.scatter import DEGRADATION as SCATTER
from scrutiq.degradations.ct.slice_thickness import DEGRADATION as SLICE_THICKNESS
from scrutiq.degradations.ct.spectrum import MATERIALS, hardened, water_equivalent
from scrutiq.degradations.ct.truncation import DEGRADATION as TRUNCATION
from scrutiq.degradations.ct.volumes import RISE_ACROSS_MM
from scrutiq.degradations.ct.windmill import DEGRADATION as WINDMILL
from scrutiq.degradations.tools import reformat

SHAPE, SPACING = (192, 192), (2.0, 2.0)


def phantom(ellipses: list[Ellipse], noise: float = 0.0) -> Image:
    pixels = rasterise(ellipses, SHAPE, SPACING) - 1000
    pixels = pixels + np.random.default_rng(0).normal(0, noise, SHAPE) if noise else pixels
    return Image(pixels=pixels, modality="CT", unit=HU, spacing=SPACING)


WATER = phantom([Ellipse(0, 0, 150, 150, 0, 1000)])
BODY_IMAGE = phantom(list(BODY), noise=3.0)
AWAY = scan.from_isocentre(WATER)


def made(entry, image, **changes):  # type: ignore[no-untyped-def]
    return entry.apply(image, {**entry.draw(image, 0.5, np.random.default_rng(0)), **changes})


class TestHounsfield:
    def test_water_and_air(self) -> None:
        mu = hu_to_attenuation(np.array([0.0, -1000.0, -3024.0, np.nan, 1000.0]))
        np.testing.assert_allclose(mu, [WATER_PER_MM, 0, 0, 0, 2 * WATER_PER_MM], rtol=1e-6)


class TestSpectrum:
    def test_water_is_corrected_exactly_and_metal_is_not(self) -> None:
        water = np.array([0.0, 50.0, 300.0])
        np.testing.assert_allclose(water_equivalent(hardened(water)), water * WATER_PER_MM, atol=1e-4)
        both = water_equivalent(hardened(np.array([200.0]), "steel", 10.0))
        apart = 200 * WATER_PER_MM + water_equivalent(hardened(np.array([0.0]), "steel", 10.0))
        assert both[0] < apart[0]

    def test_a_thin_layer_sees_the_mean_and_a_thick_one_the_hardest(self) -> None:
        thin, thick = hardened(np.array([1e-3, 3000.0]))
        assert thin / 1e-3 == pytest.approx(0.1 * np.dot(10 * MATERIALS["water"], [0.14, 0.24, 0.22, 0.16, 0.16, 0.08]))
        assert thick / 3000 == pytest.approx(MATERIALS["water"][-1], rel=0.06)


class TestFaults:
    def test_a_missing_wedge_is_measured_in_degrees(self) -> None:
        found = [LIMITED_ANGLE.measurement.compute(made(LIMITED_ANGLE, BODY_IMAGE, missing_deg=d)) for d in (20, 50)]
        assert found[0] == pytest.approx(20, abs=9)
        assert found[1] == pytest.approx(50, abs=12)

    def test_an_element_that_is_off_makes_a_ring_at_its_radius(self) -> None:
        parameters = {**RING.draw(WATER, 0.5, np.random.default_rng(0)), "gain_error": 0.05, "faulty_share": 0.02}
        difference = RING.apply(WATER, parameters).pixels - WATER.pixels
        radius = np.rint(AWAY / 2).astype(int)
        means = np.bincount(radius.ravel(), difference.ravel()) / np.bincount(radius.ravel())
        ring = means[radius]
        inside = (AWAY > 20) & (AWAY < 140)
        # What varies does so with the radius alone.
        assert np.std((difference - ring)[inside]) < 0.5 * np.std(ring[inside])
        assert np.std(ring[inside]) > 1

    def test_rings_are_measured_in_hu(self) -> None:
        ringed = WATER.replace(pixels=WATER.pixels + 10 * np.sin(2 * np.pi * AWAY / 10))
        assert RINGS_HU.compute(ringed) == pytest.approx(10 / 2**0.5, rel=0.25)
        assert RINGS_HU.compute(WATER) < 0.2

    def test_cupping_darkens_the_middle_more_the_thicker_the_body(self) -> None:
        drop = []
        for radius in (80, 150):
            disc = phantom([Ellipse(0, 0, radius, radius, 0, 1000)])
            hu = made(CUPPING, disc, hardening=1.0).pixels
            drop.append(hu[AWAY < 10].mean() - hu[np.abs(AWAY - radius + 12) < 4].mean())
        assert drop[1] < drop[0] < -5
        cupped = made(CUPPING, phantom([Ellipse(0, 0, 150, 150, 0, 1000)], noise=5), hardening=1.0)
        assert CUPPING.measurement.compute(cupped) == pytest.approx(-drop[1], rel=0.5)

    def test_scatter_takes_the_stated_share(self) -> None:
        # Behind the thickest part one scattered photon to two primary: the line integral is short by log 1.5.
        changed = made(SCATTER, WATER, scatter_to_primary=0.5)
        beam = clinical_fan(SHAPE, SPACING, 90)
        lost = scan.line_integrals(WATER, beam) - scan.line_integrals(changed, beam)
        middle = beam.detectors // 2
        assert np.median(lost[:, middle - 3 : middle + 3]) == pytest.approx(np.log(1.5), rel=0.15)

    def test_truncation_ends_the_body_in_a_bright_circle(self) -> None:
        cut = made(TRUNCATION, WATER, field_mm=110.0)
        inside, rim = cut.pixels[AWAY < 30].mean(), cut.pixels[(AWAY > 100) & (AWAY < 107)].mean()
        assert rim > inside + 100
        assert FIELD_EDGE.compute(cut) > 90
        assert FIELD_EDGE.compute(BODY_IMAGE) < 40

    def test_a_softer_kernel_passes_half_at_the_stated_frequency(self) -> None:
        frequency = 0.05  # per mm, low enough that the interpolation between rays passes it
        x = np.arange(SHAPE[1]) * SPACING[1]
        stripes = 50 * np.sin(2 * np.pi * frequency * x)[None] * np.exp(-((AWAY / 80) ** 4))
        wavy = WATER.replace(pixels=WATER.pixels + stripes)
        passed = made(KERNEL, wavy, half_per_mm=frequency).pixels - made(KERNEL, WATER, half_per_mm=frequency).pixels
        middle = np.s_[80:112, 70:122]
        assert np.std(passed[middle]) / np.std(stripes[middle]) == pytest.approx(0.5, abs=0.06)

    def test_motion_that_is_over_at_once_is_a_shift(self) -> None:
        # At a time before the scan: every view sees the second pose.
        moved = made(MOTION, BODY_IMAGE, shift_mm=8.0, direction_rad=0.0, turn_deg=0.0, at=-5.0)
        shifted = ndimage.shift(BODY_IMAGE.pixels, (0, 4), order=1, mode="nearest")
        inside = AWAY < 150
        opposite = ndimage.shift(BODY_IMAGE.pixels, (0, -4), order=1, mode="nearest")
        before, after, wrong = (
            np.std((moved.pixels - other)[inside]) for other in (BODY_IMAGE.pixels, shifted, opposite)
        )
        assert after < 0.45 * before < 0.45 * wrong

    def test_breathing_moves_the_front_and_not_the_back(self) -> None:
        change = np.abs(made(BREATHING, BODY_IMAGE, rise_mm=15.0).pixels - BODY_IMAGE.pixels)
        front, back = change[35:65, 60:132].mean(), change[130:152, 60:132].mean()
        assert front > 3 * back

    def test_contrast_falls_by_the_veil(self) -> None:
        ellipses = [Ellipse(0, 0, 150, 150, 0, 1000), Ellipse(60, 0, 15, 15, 0, 43), Ellipse(-60, 0, 15, 15, 0, -79)]
        image = phantom(ellipses)
        muscle = (np.hypot(np.arange(192) * 2 - 191 - 60, 0) < 6)[None] & (np.abs(np.arange(192) * 2 - 191) < 6)[
            :, None
        ]
        fat = muscle[:, ::-1]
        for veil in (0.5, 1.0):
            after = made(LOW_CONTRAST, image, energy_kev=70.0, veil=veil).pixels
            assert after[muscle].mean() - after[fat].mean() == pytest.approx(122 / (1 + veil), rel=0.08)
        harder = made(LOW_CONTRAST, image, energy_kev=150.0, veil=1e-9).pixels
        assert harder[muscle].mean() - harder[fat].mean() == pytest.approx(41 + 53, rel=0.08)

    def test_two_pieces_of_metal_are_joined_by_a_dark_band(self) -> None:
        changed = made(
            METAL,
            WATER,
            material="steel",
            centres_mm=[[-60.0, 0.0], [60.0, 0.0]],
            radius_mm=7.0,
            oblong=1.0,
            photons=1e9,
        )
        band, beside = changed.pixels[94:98, 88:104].mean(), changed.pixels[50:60, 88:104].mean()
        assert band < beside - 100
        assert changed.pixels[95, 66] > 2000
        assert METAL.measurement.compute(WATER) == 0
        assert METAL.measurement.compute(changed) > 5

    def test_few_photons_behind_metal_make_streaks(self) -> None:
        places = {"centres_mm": [[-60.0, 0.0], [60.0, 0.0]], "radius_mm": 7.0}
        many, few = (made(METAL, WATER, **places, photons=p).pixels for p in (1e9, 1e5))
        assert np.std((few - many)[AWAY < 140]) > 20


class TestIterative:
    BEAM = parallel_beam((64, 64), (5.0, 5.0), 60)
    TRUTH = rasterise(BODY, (64, 64), (5.0, 5.0))

    def test_sirt_comes_ever_closer(self) -> None:
        data = project(self.TRUTH, self.BEAM, (5.0, 5.0))
        errors = [np.std(sirt(data, self.BEAM, (64, 64), (5.0, 5.0), n, 4) - self.TRUTH) for n in (8, 40, 160)]
        assert errors[0] > 1.3 * errors[1] > 1.69 * errors[2]
        assert errors[2] < 60

    def test_total_variation_lowers_what_it_minimises(self) -> None:
        noisy = self.TRUTH + np.random.default_rng(0).normal(0, 30, (64, 64)).astype(np.float32)

        def cost(image: np.ndarray) -> float:
            down, right = np.diff(image, axis=0)[:, :-1], np.diff(image, axis=1)[:-1]
            return float(0.5 * np.sum((image - noisy) ** 2) + 40 * np.sum(np.hypot(down, right)))

        few, many = (total_variation(noisy, 40.0, n)[0] for n in (5, 100))
        assert cost(many) < cost(few) < cost(noisy)
        # A step keeps its place and loses twice the weight over the width of each side.
        step = np.repeat([[0.0] * 16 + [100.0] * 16], 32, axis=0).astype(np.float32)
        flat, _ = total_variation(step, 40.0, 3000)
        np.testing.assert_allclose([flat[16, 4], flat[16, 28]], [40 / 16, 100 - 40 / 16], atol=0.2)

    def test_fista_removes_noise_and_keeps_edges(self) -> None:
        clean = line_integrals(BODY, self.BEAM)
        noisy = clean + np.random.default_rng(0).normal(0, 2000, clean.shape)
        plain = fista_tv(noisy, self.BEAM, (64, 64), (5.0, 5.0), 1e-6, 40)
        smooth = fista_tv(noisy, self.BEAM, (64, 64), (5.0, 5.0), 8.0, 40)
        assert np.std(smooth - self.TRUTH) < np.std(plain - self.TRUTH)


class TestVolumes:
    @staticmethod
    def volume(step: bool) -> tuple[Image, ...]:
        slices = []
        for k in range(16):
            pixels = rasterise([Ellipse(0, 0, 60, 60, 0, 1000), Ellipse(20, 10, 15, 15, 0, 800)], (64, 64), (3.0, 3.0))
            if step and k >= 8:
                pixels = pixels + rasterise([Ellipse(-20, 0, 20, 20, 0, 400)], (64, 64), (3.0, 3.0))
            slices.append(
                Image(pixels=pixels - 1000, modality="CT", unit=HU, spacing=(3.0, 3.0), source=Source(location=2.0 * k))
            )
        return tuple(slices)

    def test_a_slab_spreads_a_step_over_its_thickness(self) -> None:
        thick = SLICE_THICKNESS.apply(self.volume(True), {"thickness_mm": 12.0, "edge_share": 0.0})
        profile = np.array([one.pixels[32, 25] for one in thick])
        assert profile[3] == pytest.approx(0, abs=2)
        assert profile[12] == pytest.approx(400, abs=2)
        # A box of 12 mm, six slices of 2 mm: five values between, evenly spaced.
        np.testing.assert_allclose(np.diff(profile)[5:9], 400 / 6, atol=3)
        assert RISE_ACROSS_MM.compute(reformat(thick)) == pytest.approx(0.8 * 12, rel=0.1)
        assert thick[0].metadata["slice_thickness"] == 12.0

    def test_a_slab_of_one_slice_changes_nothing(self) -> None:
        volume = self.volume(True)
        same = SLICE_THICKNESS.apply(volume, {"thickness_mm": 2.0, "edge_share": 0.0})
        for before, after in zip(volume, same, strict=True):
            np.testing.assert_allclose(after.pixels, before.pixels, atol=400 / 60)

    def test_a_windmill_needs_a_change_along_the_table(self) -> None:
        still, changing = (
            np.max(
                [np.abs(a.pixels - b.pixels).max() for a, b in zip(WINDMILL.apply(v, self.drawn(v)), v, strict=True)]
            )
            for v in (self.volume(False), self.volume(True))
        )
        assert still < 0.01
        assert changing > 20

    def test_the_vanes_turn_from_slice_to_slice(self) -> None:
        volume = self.volume(True)
        vanes = [a.pixels - b.pixels for a, b in zip(WINDMILL.apply(volume, self.drawn(volume)), volume, strict=True)]
        assert abs(np.corrcoef(vanes[7].ravel(), vanes[8].ravel())[0, 1]) < 0.8

    @staticmethod
    def drawn(volume: tuple[Image, ...]) -> dict[str, object]:
        drawn = WINDMILL.draw(volume, 1.0, np.random.default_rng(0))  # type: ignore[arg-type]
        return {**drawn, "views": 120, "row_mm": 8.0}

    def test_slices_of_unknown_distance_are_refused(self) -> None:
        volume = tuple(one.replace(source=Source()) for one in self.volume(False))
        with pytest.raises(UsageError, match="distance between the slices"):
            SLICE_THICKNESS.make(volume, 0.5, np.random.default_rng(0))


def test_measurements_say_what_they_do_not_apply_to() -> None:
    grey = Image(pixels=np.zeros((64, 64)), modality=Modality.CT, data_range=(0, 255))
    for entry in (RING, LIMITED_ANGLE, METAL, CUPPING, BREATHING):
        assert "HU" in str(entry.measurement.result(grey))
    empty = WATER.replace(pixels=np.full(SHAPE, -1000.0))
    for entry in (RING, CUPPING, BREATHING, SCATTER, MOTION):
        assert str(entry.measurement.result(empty)).endswith(".")
