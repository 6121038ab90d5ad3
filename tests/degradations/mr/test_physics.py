"""What each degradation does, against the law that it follows."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import special

from scrutiq.core import Image, Modality
from scrutiq.degradations import get
from scrutiq.degradations.mr.chemical_shift import fat_share
from scrutiq.degradations.mr.kspace import to_kspace
from scrutiq.degradations.mr.susceptibility import dipole, distort


def flat(value: float, shape: tuple[int, int] = (96, 96)) -> Image:
    return Image(pixels=np.full(shape, value), modality=Modality.MR, spacing=(1.0, 1.0))


def test_thermal_noise_is_gaussian_in_tissue_and_a_floor_in_air() -> None:
    values = np.zeros((200, 200))
    values[:, 100:] = 1000
    image = Image(pixels=values, modality=Modality.MR)
    sigma, coils = 10.0, 4
    parameters = {
        "sigma": sigma, "coils": coils, "coil_angle": 0.4, "phase_seed": 1, "noise_seed": 2,
    }  # fmt: skip
    made = get("mr.thermal_noise").apply(image, parameters).pixels.astype(float)
    assert made[:, 100:].std() == pytest.approx(sigma, rel=0.03)
    # Root sum of squares of 2 n normal numbers: the mean of the chi distribution.
    chi = math.sqrt(2) * special.gamma(coils + 0.5) / special.gamma(coils)
    assert made[:, :100].mean() == pytest.approx(sigma * chi, rel=0.01)


def test_only_the_noise_grows_with_the_severity(image: Image) -> None:
    entry = get("mr.thermal_noise")
    weak, strong = (entry.make(image, s, np.random.default_rng(3)).history[0].parameters for s in (0.2, 0.9))
    assert {k for k in weak if weak[k] != strong[k]} == {"sigma"}


def test_a_spike_is_a_wave_of_the_stated_amplitude() -> None:
    parameters = {"place": [[10, -7]], "stripe": [2.0], "phase_radian": [0.3], "phase_seed": 4}
    made = get("mr.spike").apply(flat(1000), parameters).pixels.astype(float)
    # A weak wave on a strong signal: its part in phase, of which the mean square is half.
    assert (made - 1000).std() == pytest.approx(2 / math.sqrt(2), rel=0.05)


@pytest.mark.parametrize("axis", [0, 1])
def test_n2_ghost_is_the_sine_of_the_phase_half_a_field_away(axis: int) -> None:
    values = np.zeros((64, 64))
    values[8:24, 8:24] = 100
    parameters = {"axis": axis, "phase_radian": 0.3, "delay_samples": 0.0, "phase_seed": 5}
    made = get("mr.n2_ghost").apply(Image(pixels=values, modality=Modality.MR), parameters).pixels
    assert np.allclose(made[8:24, 8:24], 100 * math.cos(0.3), atol=1e-3)
    assert np.allclose(np.roll(made, 32, axis)[8:24, 8:24], 100 * math.sin(0.3), atol=1e-3)


def test_gibbs_overshoots_by_nine_percent() -> None:
    values = np.full((256, 16), 100.0)
    values[64:192] = 200
    image = Image(pixels=values, modality=Modality.MR)
    made = get("mr.gibbs").apply(image, {"kept": 0.25, "axes": [0], "phase_seed": 6}).pixels[:, 8]
    # Wilbraham-Gibbs: (Si(pi) / pi - 1/2) of the step, 8.95 %, above it; the smooth phase changes it by little.
    assert (made[64:192].max() - 200) / 100 == pytest.approx(0.0895, abs=0.012)
    # Half a period of the ripples is the new pixel, 1 / 0.25.
    inner = made[70:120] - 200
    assert np.diff(np.flatnonzero(np.diff(np.sign(inner)))).mean() == pytest.approx(4, abs=0.3)


def test_bias_field_has_the_stated_ratio_and_keeps_the_signal_of_the_tissue(
    image: Image, make_phantom: Callable[..., np.ndarray]
) -> None:
    parameters = {"ratio": 3.0, "coil_angle": 0.7, "coil_distance": 1.0, "coil_radius": 1.0}
    made = get("mr.bias_field").apply(flat(50), parameters).pixels
    assert made.max() / made.min() == pytest.approx(3, rel=1e-4)
    tissue = make_phantom() > 0
    assert get("mr.bias_field").apply(image, parameters).pixels[tissue].mean() == pytest.approx(
        image.pixels[tissue].mean(), rel=0.03
    )


@pytest.mark.parametrize("axis", [0, 1])
def test_wrap_around_is_what_sparser_lines_of_kspace_give(axis: int) -> None:
    values = np.zeros((64, 64))
    values[4:60, 20:40] = np.random.default_rng(0).uniform(50, 60, (56, 20))
    values = values if axis == 0 else values.T
    image = Image(pixels=values, modality=Modality.MR)
    parameters = {"axis": axis, "begin": 16, "field_of_view": 32, "phase_seed": 8}
    made = get("mr.wrap_around").apply(image, parameters).pixels
    from scrutiq.degradations.mr.kspace import complex_image, from_kspace

    # Every second line of 64 is a field of view of 32, about the same centre.
    lines = np.moveaxis(to_kspace(complex_image(image, 8)), axis, 0)[::2]
    expected = np.abs(from_kspace(lines)) * math.sqrt(2)
    made = np.moveaxis(made, axis, 0)
    assert np.allclose(made[16:48], expected, rtol=1e-4, atol=1e-3)
    assert not made[:16].any()
    assert not made[48:].any()


def test_zipper_is_a_line_of_the_stated_size_at_the_stated_place() -> None:
    parameters = {"axis": 0, "place": [20.0], "size": [5.0], "interference_seed": 1, "phase_seed": 0}
    made = get("mr.zipper").apply(flat(0, (128, 64)), parameters).pixels.astype(float)
    assert math.sqrt((made[:, 20] ** 2).mean()) == pytest.approx(5, rel=1e-3)
    assert np.abs(np.delete(made, 20, axis=1)).max() < 1e-4


def test_dipole_field_follows_its_law() -> None:
    field, slope = dipole((401, 401), (200, 200), 1.0, 0.0, (1.0, 1.0))
    # Far away: twice as strong along the field as across it, of the other sign, falling with the third power.
    assert field[200, 400] / field[400, 200] == pytest.approx(-2, rel=1e-3)
    assert field[200, 300] / field[200, 400] == pytest.approx(8, rel=1e-3)
    assert field[200, 200] == pytest.approx(-1)
    # The slope across the slice, against two slices at other distances (the field is in units of 1 / distance^3).
    near, far = (dipole((401, 401), (200, 200), d, 0.0, (1.0, 1.0))[0] / d**3 for d in (0.999, 1.001))
    assert np.allclose(slope, (far - near) / 0.002, atol=1e-4)


@pytest.mark.parametrize("axis", [0, 1])
def test_distortion_keeps_the_signal_and_obeys_the_jacobian(axis: int) -> None:
    values = np.zeros((80, 60), dtype=complex)
    values[30:50, 20:40] = 7
    along = np.moveaxis(
        np.broadcast_to(np.arange((80, 60)[axis])[:, None], (80, 60) if axis == 0 else (60, 80)), 0, axis
    )
    made = distort(values, 0.25 * (along - (40, 30)[axis]), axis)
    assert made.sum() == pytest.approx(values.sum())
    # Stretched by 1.25: the signal of a place is spread over as much.
    assert made[40, 30] == pytest.approx(7 / 1.25, rel=0.01)
    assert np.allclose(distort(values, np.full((80, 60), 3.0), axis), np.roll(values, 3, axis))


def test_distortion_piles_up_where_the_map_folds() -> None:
    values = np.ones((40, 4), dtype=complex)
    shift = np.where(np.arange(40) < 20, 1.0, -1.0)[:, None] * np.ones(4)
    made = distort(values, shift, 0)
    assert np.abs(made[17:23]).max() > 1.5
    assert np.allclose(made[5:15], 1)


@pytest.mark.parametrize("axis", [0, 1])
def test_chemical_shift_moves_fat_and_nothing_else(
    image: Image, axis: int, make_ellipse: Callable[..., np.ndarray], make_phantom: Callable[..., np.ndarray]
) -> None:
    ring = make_ellipse((128, 128), (0.5, 0.5), (0.36, 0.3)) & ~make_ellipse((128, 128), (0.5, 0.5), (0.32, 0.26))
    values = np.where(ring, 180.0, make_phantom() * 0.6)
    image = image.replace(pixels=values)
    fat = fat_share(image)
    assert fat[ring].mean() > 0.75
    assert fat[make_ellipse((128, 128), (0.5, 0.5), (0.2, 0.15))].max() < 0.05
    made = get("mr.chemical_shift").apply(image, {"axis": axis, "shift_pixels": 4.0, "phase_seed": 2}).pixels
    centre = (slice(50, 78), slice(50, 78))
    assert np.allclose(made[centre], values[centre], atol=3)
    moved = np.roll(values * fat, 4, axis) + values * (1 - fat)
    # Fat and water have about the same phase at so small a distance.
    assert np.sqrt(np.mean((made - moved) ** 2)) < 0.05 * moved.std()


def test_low_resolution_gives_edges_the_rise_of_its_window() -> None:
    values = np.full((256, 128), 100.0)
    values[64:192] = 200
    kept = 0.2
    made = get("mr.low_resolution").apply(flat(0).replace(pixels=values), {"kept": kept, "phase_seed": 3}).pixels[:, 64]
    assert made.max() < 201
    # Edge spread function of Hann's window up to kept / 2 cycles per pixel: 1/2 + integral W(k) sin(2 pi k x) / (pi k).
    k = (np.arange(4000) + 0.5) / 4000 * kept / 2
    x = np.linspace(-15, 15, 601)
    window = 0.5 + 0.5 * np.cos(2 * np.pi * k / kept)
    spread = 0.5 + (window * np.sin(2 * np.pi * np.outer(x, k)) / (np.pi * k)).sum(axis=1) * (kept / 2 / 4000)
    expected = np.interp(0.9, spread, x) - np.interp(0.1, spread, x)
    edge = (made[49:80].astype(float) - 100) / 100
    rise = np.interp(0.9, edge, np.arange(31)) - np.interp(0.1, edge, np.arange(31))
    assert rise == pytest.approx(expected, rel=0.03)


def test_motion_of_one_pose_moves_the_image_and_of_none_changes_nothing(image: Image) -> None:
    entry = get("mr.motion")
    still = {"axis": 0, "down_pixels": [0.0] * 4, "right_pixels": [0.0] * 4, "turn_degrees": [0.0] * 4, "phase_seed": 1}
    assert np.allclose(entry.apply(image, still).pixels, image.pixels, atol=1e-3)
    moved = {**still, "down_pixels": [3.0] * 4, "right_pixels": [-2.0] * 4}
    made = entry.apply(image, moved).pixels
    assert np.allclose(made[10:-10, 10:-10], np.roll(image.pixels, (3, -2), (0, 1))[10:-10, 10:-10], atol=1e-2)
    turned = entry.apply(image, {**still, "turn_degrees": [90.0] * 4}).pixels
    options = [np.rot90(image.pixels, k) for k in (1, 3)]
    assert min(np.abs(turned - o)[5:-5, 5:-5].max() for o in options) < 0.05


def test_motion_between_two_shots_makes_a_ghost_half_a_field_away() -> None:
    values = np.zeros((128, 128))
    values[20:44, 50:70] = 100
    two = {
        "axis": 0,
        "down_pixels": [0.0, 0.0],
        "right_pixels": [0.0, 1.0],
        "turn_degrees": [0.0, 0.0],
        "phase_seed": 1,
    }
    made = get("mr.motion").apply(Image(pixels=values, modality=Modality.MR), two).pixels
    # Half of the difference of the two poses, so at the left and right edge only.
    assert made[84:108, 50].mean() == pytest.approx(50, rel=0.15)
    assert made[84:108, 55:65].max() < 5
