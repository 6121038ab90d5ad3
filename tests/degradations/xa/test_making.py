"""The physics of each degradation of angiography, against laws and values worked out by hand."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from scrutiq.core import Image, Modality
from scrutiq.degradations import get
from scrutiq.degradations.xa import low_contrast, misregistration, missing_branches, under_filling, vessel_breaks
from scrutiq.degradations.xa.background_shadow import shadow
from scrutiq.degradations.xa.beam import attenuation_of, from_attenuation, transmitted_of
from scrutiq.degradations.xa.phantom import angiogram
from scrutiq.degradations.xa.spurious_branches import added
from scrutiq.degradations.xa.tree import branches, distance_along
from scrutiq.degradations.xa.veiling_glare import glare
from scrutiq.degradations.xa.vessels import find_vessels


@cache
def phantom() -> tuple[Image, np.ndarray]:
    return angiogram(7, (256, 256))


def flat(level: float = 128.0) -> Image:
    return Image(pixels=np.full((256, 256), level), modality=Modality.XA, data_range=(0.0, 255.0))


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


class TestQuantumMottle:
    def applied(self, image: Image, quanta: float, blur: float = 0.0) -> np.ndarray:
        parameters = {"quanta_per_pixel": quanta, "typical_signal": 0.5, "detector_blur_pixels": blur, "seed": 1}
        return get("xa.quantum_mottle").apply(image, parameters).pixels / 255

    @pytest.mark.parametrize("quanta", [20, 400])
    def test_mean_and_variance_are_poisson_s(self, quanta: float) -> None:
        counts = self.applied(flat(127.5), quanta) / 0.5 * quanta
        assert counts.mean() == pytest.approx(quanta, rel=0.01)
        assert counts.var() == pytest.approx(quanta, rel=0.03)
        skewness = ((counts - counts.mean()) ** 3).mean() / counts.std() ** 3
        assert skewness == pytest.approx(1.5 / np.sqrt(quanta), abs=0.05)  # Poisson's is 1 / sqrt(quanta)

    def test_relative_noise_grows_behind_dense_parts(self) -> None:
        relative = [self.applied(flat(level), 400).std() / (level / 255) for level in (200.0, 50.0)]
        assert relative[1] / relative[0] == pytest.approx(2, rel=0.03)

    def test_the_measurement_is_the_relative_noise(self) -> None:
        entry = get("xa.quantum_mottle")
        image = flat(127.5).replace(pixels=255 * self.applied(flat(127.5), 2500))
        assert entry.measure(image).value == pytest.approx(2.0, rel=0.05)

    def test_the_detector_s_blur_makes_it_coarse(self) -> None:
        fine, coarse = self.applied(flat(), 400), self.applied(flat(), 400, 1.0)
        neighbours = [np.corrcoef(p[:, :-1].ravel(), p[:, 1:].ravel())[0, 1] for p in (fine, coarse)]
        assert abs(neighbours[0]) < 0.02
        assert neighbours[1] == pytest.approx(np.exp(-0.25), abs=0.03)


class TestMotionBlur:
    def test_a_dot_becomes_the_path(self) -> None:
        pixels = np.full((256, 256), 10.0)
        pixels[128, 128] = 250
        image = flat().replace(pixels=pixels)
        parameters = {
            "path_pixels": 20.0,
            "direction_degrees": 0.0,
            "bend_degrees": 0.0,
            "acceleration": 0.0,
            "unevenness": 0.0,
            "seed": 0,
        }
        made = get("xa.motion_blur").apply(image, parameters).pixels.astype(float) - 10
        assert made.sum() == pytest.approx(240, rel=1e-3)
        _, x = np.nonzero(made > 1)
        assert x.max() - x.min() == pytest.approx(20 * 12 / 13, abs=2)
        assert np.nonzero(made > 1)[0].tolist().count(128) == len(x)


class TestLowContrast:
    def test_iodine_loses_by_its_coefficient_and_tissue_by_that_of_water(self) -> None:
        image, mask = phantom()
        parameters = {"effective_energy_kev": 80.0, "usual_energy_kev": 40.0}
        before, after = find_vessels(image, mask), find_vessels(low_contrast.apply(image, parameters, mask), mask)
        deep = before.iodine > 0.3
        assert deep.sum() > 50
        assert np.median(after.iodine[deep] / before.iodine[deep]) == pytest.approx(3.510 / 22.10, rel=0.05)
        outside = before.field & ~ndimage.binary_dilation(mask, iterations=4)
        spread = [v.attenuation[outside].std() for v in (before, after)]
        assert spread[1] / spread[0] == pytest.approx(0.1837 / 0.2683, rel=0.02)


class TestUnderFilling:
    def test_the_contrast_decays_exponentially_along_the_way(self) -> None:
        image, mask = phantom()
        parameters = {"inlet": list(np.argwhere(mask)[0].tolist()), "decay_length_pixels": 60.0}
        before = find_vessels(image, mask)
        removed = attenuation_of(image) - attenuation_of(under_filling.apply(image, parameters, mask))
        way = distance_along(before, tuple(parameters["inlet"]))
        deep = before.iodine > 0.1
        assert (removed / np.maximum(before.iodine, 1e-9))[deep] == pytest.approx(1 - np.exp(-way[deep] / 60), abs=0.01)
        assert np.abs(removed[before.iodine == 0]).max() < 1e-6

    def test_a_frame_without_vessels_stays(self) -> None:
        made = get("xa.under_filling").make(flat(), 1.0, rng())
        assert np.allclose(made.pixels, flat().pixels)


class TestMisregistration:
    def test_the_residue_of_a_slope_is_the_shift_times_the_slope(self) -> None:
        _, x = np.mgrid[0:256, 0:256]
        image = from_attenuation(flat(), 0.5 + 0.002 * x)
        parameters = {"shift_pixels": 5.0, "direction_degrees": 0.0, "unevenness": 0.0, "seed": 0}
        made = attenuation_of(misregistration.apply(image, parameters, np.zeros((256, 256), dtype=bool)))
        assert (made - attenuation_of(image))[:, 10:240] == pytest.approx(-0.01, abs=1e-5)

    def test_vessels_of_the_contrast_frame_leave_no_second_vessel(self) -> None:
        image, mask = angiogram(7, (256, 256))
        without, _ = angiogram(7, (256, 256), contrast=False)
        parameters = misregistration.draw(image, 1.0, rng())
        residue = attenuation_of(misregistration.apply(image, parameters, mask)) - attenuation_of(image)
        expected = attenuation_of(misregistration.apply(without, parameters, np.zeros_like(mask))) - attenuation_of(
            without
        )
        assert np.abs(residue - expected)[mask].mean() < 0.05


class TestVesselBreaks:
    def test_gaps_are_empty_and_the_rest_is_left(self) -> None:
        image, mask = phantom()
        parameters = dict(vessel_breaks.draw(image, 1.0, rng(), mask))
        assert len(parameters["gaps"]) >= 2
        assert parameters["erased_share"] == 1
        before, made = find_vessels(image, mask), vessel_breaks.apply(image, parameters, mask)
        for gap in parameters["gaps"]:
            y, x = gap["middle"]
            assert attenuation_of(made)[y, x] == pytest.approx(before.background[y, x], abs=0.02)
        changed = made.pixels != image.pixels
        assert not changed[before.reach == 0].any()
        assert 0 < changed[mask].mean() < 0.9

    def test_gaps_stay_where_they_are_and_grow(self) -> None:
        image, mask = phantom()
        mild, severe = (vessel_breaks.draw(image, s, rng(), mask) for s in (0.3, 1.0))
        assert [g["middle"] for g in mild["gaps"]] == [g["middle"] for g in severe["gaps"]]
        assert mild["half_length_pixels"] < severe["half_length_pixels"]


class TestBranches:
    def test_the_trunk_stays_and_a_branch_goes(self) -> None:
        image, mask = phantom()
        before = find_vessels(image, mask)
        made = missing_branches.apply(image, missing_branches.draw(image, 1.0, rng(), mask), mask)
        removed = attenuation_of(image) - attenuation_of(made)
        tree = branches(before)
        kept = np.mean([removed[tuple(b.points.T)].mean() for b in tree if b.trunk])
        longest = max((b for b in tree if not b.trunk), key=lambda b: b.length)
        assert kept < 0.35 * removed[tuple(longest.points.T)].mean()  # a trunk loses a little where branches leave

    def test_what_springs_from_a_missing_branch_is_missing(self) -> None:
        image, mask = phantom()
        tree = branches(find_vessels(image, mask))
        origin = {tuple(b.points[0]): k for k, b in enumerate(tree)}
        for severity in (0.3, 0.6, 0.9):
            parameters = missing_branches.draw(image, severity, rng(), mask)
            gone = {origin[tuple(m["path"][0])]: m["share"] for m in parameters["missing"]}
            for k, share in gone.items():
                assert not tree[k].trunk
                for child, branch in enumerate(tree):
                    if branch.parent == k and not branch.trunk and share > 0:
                        assert gone.get(child) == 1

    def test_drawn_branches_attenuate_by_their_thickness(self) -> None:
        path = [[10.0, 50.0], [90.0, 50.0]]
        branch = {"attenuation_per_pixel": 0.02, "tubes": [{"path": path, "radii_pixels": [5.0, 5.0]}]}
        total = added((100, 100), {"branches": [branch]})
        assert total[50, 50] == pytest.approx(0.2, rel=0.03)
        assert total[50, 60] == 0

    def test_spurious_branches_spring_from_vessels(self) -> None:
        image, mask = phantom()
        module = __import__("scrutiq.degradations.xa.spurious_branches", fromlist=["draw"])
        parameters = module.draw(image, 1.0, rng(), mask)
        assert len(parameters["branches"]) > 4
        for branch in parameters["branches"]:
            y, x = branch["tubes"][0]["path"][0]
            assert mask[round(y), round(x)]
            assert branch["tubes"][0]["radii_pixels"][0] > branch["tubes"][0]["radii_pixels"][-1]


class TestLight:
    def test_glare_keeps_the_light_and_a_disc_s_shadow_fills(self) -> None:
        y, x = np.mgrid[0:256, 0:256]
        disc = np.where(np.hypot(y - 128, x - 128) < 12, 0.0, 1.0)
        made = glare(disc, 0.3, 40.0)
        assert made.sum() == pytest.approx(disc.sum())
        # Of the scattered light, that from within a radius R is 1 - exp(-R / reach) for this point spread function.
        assert made[128, 128] == pytest.approx(0.3 * np.exp(-12 / 40), abs=0.02)

    def test_even_light_has_no_glare(self) -> None:
        assert glare(np.full((32, 48), 0.4), 0.5, 9.0) == pytest.approx(0.4)

    def test_a_shadow_of_a_density(self) -> None:
        parameters = dict(get("xa.background_shadow").draw(flat(), 1.0, rng()))
        parameters |= {"optical_density": 0.3, "ribs": [], "border_pixels": 2.0}
        made = get("xa.background_shadow").apply(flat(), parameters)
        density = np.log10(flat().pixels / made.pixels)
        assert density.max() == pytest.approx(0.3, abs=0.01)
        assert density.min() == pytest.approx(0, abs=0.01)
        assert 0.1 < (shadow((256, 256), parameters) > 0.5).mean() < 0.8
        assert get("xa.background_shadow").measure(made).value == pytest.approx(0.3, abs=0.02)


class TestCollimator:
    @pytest.mark.parametrize("seed", range(4))
    def test_the_blade_covers_what_was_drawn_and_is_measured(self, seed: int) -> None:
        entry = get("xa.collimator")
        made = entry.make(flat(), 0.8, rng(seed))
        covered = 100 * (made.pixels < 80).mean()
        assert covered == pytest.approx(100 * 0.025 * 24**0.8, abs=1.5)
        assert entry.measure(made).value == pytest.approx(covered, abs=3)

    def test_the_blade_makes_nothing_brighter(self) -> None:
        image, _ = phantom()
        made = get("xa.collimator").make(image, 1.0, rng())
        assert (transmitted_of(made) <= transmitted_of(image) + 1e-6).all()
