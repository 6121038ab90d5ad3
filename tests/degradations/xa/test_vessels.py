"""Vessels of known width and depth, and the tree that they form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from scrutiq.core import Image, Modality
from scrutiq.degradations.xa.beam import from_attenuation
from scrutiq.degradations.xa.phantom import angiogram, coronary_tree
from scrutiq.degradations.xa.tree import branches, distance_along, inlet
from scrutiq.degradations.xa.tubes import Tube, grow, tube_thickness
from scrutiq.degradations.xa.vessels import (
    Vessels,
    fill,
    find_vessels,
    neighbours,
    noise_of,
    path_length,
    ridges,
    without,
)

BLANK = Image(pixels=np.full((256, 256), 128.0), modality=Modality.XA, data_range=(0.0, 255.0))


def straight(radius: float, depth: float, at: float = 128.0) -> np.ndarray:
    """Return the attenuation of a vertical vessel from the 30th row to the 226th."""
    points = np.stack([np.arange(30.0, 227.0), np.full(197, at)], axis=1)
    thickness = tube_thickness((256, 256), Tube(points, np.full(197, radius)))
    return 0.7 + ndimage.gaussian_filter(thickness, 0.8) * depth / (2 * radius)


class TestTubes:
    def test_the_chord_of_a_cylinder(self) -> None:
        thickness = tube_thickness((64, 64), Tube(np.array([[0.0, 32.0], [63.0, 32.0]]), np.array([5.0, 5.0])))
        for off, chord in ((0, 10), (3, 8), (4, 6), (5, 0)):
            assert thickness[30, 32 + off] == pytest.approx(chord, abs=0.1)

    def test_a_vessel_outside_the_frame_leaves_nothing(self) -> None:
        tube = Tube(np.array([[-90.0, -90.0], [-50.0, -50.0]]), np.array([3.0, 2.0]))
        assert not tube_thickness((32, 32), tube).any()

    def test_it_tapers_and_is_as_long_as_asked_for(self) -> None:
        tube = grow(np.random.default_rng(0), (10.0, 20.0), 0.0, 101, 4.0, taper=0.5)
        assert np.hypot(*np.diff(tube.points, axis=0).T).sum() == pytest.approx(100)
        assert tuple(tube.points[0]) == (10, 20)
        assert tube.radii[0] == 4
        assert tube.radii[-1] == pytest.approx(2, abs=0.03)

    def test_the_same_number_of_draws_whatever_the_length(self) -> None:
        after = []
        for length in (10, 200):
            rng = np.random.default_rng(4)
            grow(rng, (0.0, 0.0), 0.0, length, 2.0)
            after.append(rng.uniform())
        assert after[0] == after[1]


class TestRidges:
    @pytest.mark.parametrize("radius", [3.0, 5.0, 8.0])
    def test_depth_width_and_direction_of_a_vessel(self, radius: float) -> None:
        found = ridges(straight(radius, 0.4))
        assert found.depth[128, 128] == pytest.approx(0.4, rel=0.2)
        assert 1.45 * found.sigma[128, 128] == pytest.approx(radius, rel=0.35)
        assert abs(found.normal[1][128, 128]) == pytest.approx(1, abs=0.01)

    def test_an_edge_a_blob_and_a_bright_line_are_none(self) -> None:
        y, x = np.mgrid[0:128, 0:128]
        edge = 0.7 + 0.4 * (x > 64)
        blob = 0.7 + 0.4 * np.exp(-((y - 64) ** 2 + (x - 64) ** 2) / 50)
        line = 0.7 - 0.4 * np.exp(-((x - 64) ** 2) / 18)
        assert ridges(edge).depth[20:108, 20:108].max() < 0.02
        assert ridges(line).depth[64, 64] == 0
        assert ridges(blob).depth[64, 64] < 0.41  # a blob may pass here; the mask asks for a line

    def test_the_noise_of_white_noise(self) -> None:
        white = np.random.default_rng(0).normal(0, 0.05, (256, 256))
        smoothed = ndimage.gaussian_filter(white, 1.0).std()
        assert noise_of(white, np.ones((256, 256), dtype=bool)) == pytest.approx(smoothed, rel=0.03)


class TestVessels:
    def test_a_vessel_is_found_where_it_is(self) -> None:
        image = from_attenuation(BLANK, straight(5.0, 0.4))
        found = find_vessels(image)
        assert found.length == pytest.approx(197, abs=12)
        across = found.mask[128].sum()
        assert across == pytest.approx(10, abs=3)

    def test_a_known_mask_is_taken_as_it_is(self) -> None:
        image, mask = angiogram(0, (128, 128))
        assert find_vessels(image, mask).mask is not None
        assert np.array_equal(find_vessels(image, mask).mask, mask)

    def test_nothing_is_found_in_nothing(self) -> None:
        assert not find_vessels(BLANK).mask.any()

    def test_the_background_is_what_was_there_before(self) -> None:
        y, x = np.mgrid[0:256, 0:256]
        slope = 0.5 + 0.001 * x + 0.0005 * y
        attenuation = straight(5.0, 0.4) - 0.7 + slope
        mask = attenuation - slope > 0.02
        assert np.abs(fill(attenuation, mask) - slope).max() < 0.02
        assert np.abs(without(attenuation, mask) - slope).max() < 0.02

    def test_the_contrast_medium_is_what_was_added(self) -> None:
        attenuation = straight(5.0, 0.4)
        vessels = Vessels(attenuation, np.ones((256, 256), dtype=bool), attenuation > 0.72)
        assert vessels.iodine[128, 128] == pytest.approx(0.4, rel=0.05)
        assert vessels.iodine[128, 20] == 0

    def test_a_removed_vessel_leaves_the_grain_of_its_surroundings(self) -> None:
        rng = np.random.default_rng(0)
        grain = ndimage.gaussian_filter(rng.normal(size=(256, 256)), 0.7) * 0.02
        attenuation = straight(5.0, 0.4) + grain
        hole = straight(5.0, 0.4) > 0.71
        left = without(attenuation, hole)
        fine = left - ndimage.gaussian_filter(left, 2.0)
        assert fine[hole].std() == pytest.approx(fine[~hole].std(), rel=0.35)

    def test_the_length_of_a_line(self) -> None:
        line = np.zeros((32, 32), dtype=bool)
        line[4, 4:15] = True
        assert path_length(line) == 10
        assert path_length(np.eye(11, dtype=bool)) == pytest.approx(10 * 2**0.5)
        assert sorted(neighbours(line)[4, 4:15]) == [1, 1] + [2] * 9


class TestTree:
    def cross(self) -> Vessels:
        """A trunk that is widest above, with one branch to the right at half its length."""
        points = np.stack([np.arange(20.0, 236.0), np.full(216, 100.0)], axis=1)
        trunk = tube_thickness((256, 256), Tube(points, np.linspace(7, 3, 216)))
        side = np.stack([np.full(100, 128.0), np.arange(100.0, 200.0)], axis=1)
        branch = tube_thickness((256, 256), Tube(side, np.full(100, 2.5)))
        thickness = np.maximum(trunk, branch)
        return Vessels(0.7 + 0.03 * thickness, np.ones((256, 256), dtype=bool), thickness > 0)

    def test_it_is_fed_where_it_is_widest(self) -> None:
        row, column = inlet(self.cross())
        assert row < 60
        assert abs(column - 100) <= 2

    def test_the_way_goes_along_the_vessels(self) -> None:
        vessels = self.cross()
        distance = distance_along(vessels, (40, 100))
        assert distance[128, 180] == pytest.approx(88 + 80, abs=8)

    def test_one_side_branch(self) -> None:
        found = branches(self.cross())
        side = [b for b in found if not b.trunk]
        assert len(side) == 1
        assert side[0].length == pytest.approx(100, abs=10)
        assert sum(b.length for b in found if b.trunk) == pytest.approx(205, abs=20)

    def test_no_vessel_has_no_branches(self) -> None:
        empty = np.zeros((64, 64), dtype=bool)
        assert branches(Vessels(np.ones((64, 64)), ~empty, empty)) == []


class TestPhantom:
    def test_it_is_an_eight_bit_angiogram_and_says_that_it_is_made(self) -> None:
        image, mask = angiogram(3, (192, 256))
        assert image.shape == mask.shape == (192, 256)
        assert (image.modality, image.data_range) == (Modality.XA, (0.0, 255.0))
        assert np.array_equal(image.pixels, np.rint(image.pixels))
        assert image.metadata["synthetic"] is True
        assert 0.01 < mask.mean() < 0.2

    def test_the_same_seed_the_same_and_another_another(self) -> None:
        first, second, other = (angiogram(seed, (128, 128)) for seed in (1, 1, 2))
        assert np.array_equal(first[0].pixels, second[0].pixels)
        assert not np.array_equal(first[1], other[1])

    def test_vessels_are_darker_than_in_the_frame_before_the_injection(self) -> None:
        filled, mask = angiogram(5)
        before, same = angiogram(5, contrast=False)
        assert np.array_equal(mask, same)
        thick = ndimage.binary_erosion(mask, iterations=4)
        assert np.log(before.pixels[thick] / filled.pixels[thick]).mean() > 0.15
        outside = ~ndimage.binary_dilation(mask, iterations=4)
        assert abs(np.log(before.pixels[outside] / filled.pixels[outside]).mean()) < 0.005

    def test_its_vessels_are_found_blind(self) -> None:
        image, mask = angiogram(2)
        found = find_vessels(image).mask
        assert (found & mask).sum() / mask.sum() > 0.7

    def test_a_tree_springs_from_the_catheter(self) -> None:
        catheter, tree = coronary_tree(np.random.default_rng(0), (512, 512))
        assert np.allclose(catheter.points[0], tree[0].points[0])
        assert len(tree) > 8
