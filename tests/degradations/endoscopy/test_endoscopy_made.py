"""What is done to a frame, against the laws that it follows, on scenes simple enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from scrutiq.core import Image, Modality
from scrutiq.degradations import get
from scrutiq.degradations.endoscopy import scene
from scrutiq.degradations.tools import to_linear, to_srgb

SHAPE = (120, 140)


def frame(light: object = (0.5, 0.2, 0.12), *, disc: bool = True) -> Image:
    """Return a frame with a round field of view of some linear light, in a black border."""
    y, x = np.indices(SHAPE)
    inside = np.hypot(y - 59.5, x - 69.5) < 55 if disc else np.ones(SHAPE, dtype=bool)
    pixels = 255 * to_srgb(np.broadcast_to(np.asarray(light, dtype=np.float64), (*SHAPE, 3))) * inside[..., None]
    return Image(pixels=pixels, modality=Modality.ENDOSCOPY, data_range=(0.0, 255.0))


def textured(disc: bool = True) -> Image:
    rng = np.random.default_rng(1)
    return frame(rng.uniform(0.5, 1, (*SHAPE, 1)) * [0.5, 0.2, 0.12], disc=disc)


def linear(image: Image) -> np.ndarray:
    return to_linear(image.pixels.astype(np.float64) / 255)


def drawn(name: str, image: Image, severity: float, seed: int = 0) -> dict[str, object]:
    return dict(get(name).draw(image, severity, np.random.default_rng(seed)))


class TestScene:
    def test_the_field_is_the_disc(self) -> None:
        view = scene.view_of(frame())
        assert np.count_nonzero(view) == pytest.approx(np.pi * 55**2, rel=0.05)
        assert scene.extent_of(view) == pytest.approx(110, rel=0.03)

    def test_a_green_bar_that_touches_the_field_is_none_of_it(self) -> None:
        pixels = frame().pixels.copy()
        pixels[108:, 20:90] = (0, 60, 60)
        view = scene.view_of(frame().replace(pixels=pixels))
        assert not view[117:, 20:90].any()
        assert view[60, 70]

    def test_a_dark_notch_at_the_border_belongs_to_the_field(self) -> None:
        pixels = frame().pixels.copy()
        pixels[50:70, :40] = 0
        assert np.array_equal(scene.view_of(frame().replace(pixels=pixels))[60, 20:120], np.ones(100, dtype=bool))

    def test_a_black_frame_is_all_field(self) -> None:
        assert scene.view_of(frame((0, 0, 0))).all()

    def test_blur_keeps_even_light_up_to_the_border(self) -> None:
        image = frame()
        view = scene.view_of(image)
        made = scene.spread(scene.light_of(image), view, lambda v, u: np.exp(-300 * (v**2 + u**2)), 20)
        assert np.abs(made[view][:, 0] - 0.5).max() < 0.01

    def test_places_follow_the_weight(self) -> None:
        weight = np.zeros(SHAPE)
        weight[30, 40] = 1
        found = scene.places(weight, 20, np.random.default_rng(0))
        assert np.abs(found - [30, 40]).max() <= 0.5
        assert np.array_equal(found, scene.places(5 * weight, 20, np.random.default_rng(0)))


@pytest.mark.parametrize(
    "name",
    ["specular_highlight", "bubbles", "blur", "smoke", "blood", "saturation", "interlacing", "lens_dirt", "noise"],
)
def test_the_dark_frame_is_left_alone(name: str) -> None:
    image = textured()
    made = get(f"endoscopy.{name}").make(image, 1.0, np.random.default_rng(2))
    outside = ~scene.view_of(image)
    assert np.array_equal(made.pixels[outside], image.pixels[outside])
    assert not np.array_equal(made.pixels, image.pixels)


def test_defocus_spreads_a_point_as_a_disc_does() -> None:
    pixels = np.full((*SHAPE, 3), 0.05)
    pixels[60, 70] = 0.95
    image = frame(pixels, disc=False)
    made = get("endoscopy.blur").apply(image, {"disc_radius_pixels": 6.0, "path_pixels": [[0.0, 0.0]] * 3})
    point = linear(made)[..., 1] - 0.05
    y, _ = np.indices(SHAPE)
    assert point.sum() == pytest.approx(0.9, rel=0.02)
    # A disc has a variance of r^2 / 4 along each axis.
    near = np.abs(y - 60) < 15
    assert (point * (y - 60) ** 2 * near).sum() / point.sum() == pytest.approx(9, rel=0.1)


def test_motion_blurs_along_its_path_only() -> None:
    image = frame(np.where(np.indices(SHAPE)[0] < 60, 0.2, 0.6)[..., None] * np.ones(3), disc=False)
    path = [[0.0, float(x)] for x in range(-5, 6)]
    made = get("endoscopy.blur").apply(image, {"disc_radius_pixels": 0.0, "path_pixels": path})
    assert np.abs(linear(made)[:, 20:-20] - linear(image)[:, 20:-20]).max() < 0.01


def test_smoke_does_not_show_before_a_surface_as_bright_as_itself() -> None:
    entry, image = get("endoscopy.smoke"), frame((0.4, 0.4, 0.4))
    parameters = drawn("endoscopy.smoke", image, 1.0) | {"scattered_light": [0.4, 0.4, 0.4]}
    assert np.abs(entry.apply(image, parameters).pixels - image.pixels).max() < 0.01


def test_smoke_in_two_thicknesses_is_smoke_of_both() -> None:
    """I t + A (1 - t) with t = exp(-d): depths add when one veil lies behind the other."""
    entry, image = get("endoscopy.smoke"), frame()
    parameters = drawn("endoscopy.smoke", image, 0.5)
    once = entry.apply(image, parameters | {"optical_depth": 0.3})
    twice = entry.apply(once, parameters | {"optical_depth": 0.5})
    whole = entry.apply(image, parameters | {"optical_depth": 0.8})
    assert np.abs(twice.pixels - whole.pixels).max() < 0.05


def test_blood_covers_the_share_that_was_drawn_and_absorbs_green_most() -> None:
    entry, image = get("endoscopy.blood"), frame((0.6, 0.3, 0.2))
    parameters = drawn("endoscopy.blood", image, 0.8)
    made, view = entry.apply(image, parameters), scene.view_of(image)
    left = linear(made)[view] / linear(image)[view]
    covered = left[:, 1] < 0.9999
    assert covered.mean() == pytest.approx(parameters["covered_share"], rel=0.1)
    assert (left[covered, 0] >= left[covered, 1]).all()
    # Beer-Lambert with what haemoglobin absorbs: exponents of red and green stand as 0.29 to 1.22, up to back-scatter.
    deep = left[left[:, 1] < 0.2]
    assert np.median(np.log(deep[:, 0]) / np.log(deep[:, 1])) == pytest.approx(0.29 / 1.22, abs=0.1)


def test_over_exposure_brightens_the_place_of_the_light_most() -> None:
    entry, image = get("endoscopy.saturation"), frame((0.1, 0.1, 0.1))
    parameters = drawn("endoscopy.saturation", image, 0.5)
    ratio = linear(entry.apply(image, parameters))[..., 0] / 0.1
    y, x = (round(v) for v in parameters["light"])
    assert ratio[y, x] == pytest.approx(parameters["gain_at_light"], rel=0.01)
    assert ratio[scene.view_of(image)].min() > parameters["gain"]


def test_low_light_has_the_noise_of_the_photons_that_are_left() -> None:
    entry, image = get("endoscopy.low_light"), frame((0.5, 0.5, 0.5), disc=False)
    parameters = drawn("endoscopy.low_light", image, 0.6) | {"light": 0.2, "gain": 1.0}
    electrons = linear(entry.apply(image, parameters)) * parameters["full_well_electrons"]
    mean = 0.2 * 0.5 * parameters["full_well_electrons"]
    assert electrons.mean() == pytest.approx(mean, rel=0.01)
    assert electrons.var() == pytest.approx(mean + parameters["read_noise_electrons"] ** 2, rel=0.05)


def test_noise_grows_as_the_root_of_the_gain() -> None:
    entry, image = get("endoscopy.noise"), frame((0.3, 0.3, 0.3), disc=False)
    spread = [
        linear(entry.apply(image, {"electrons_at_white": n, "read_noise_electrons": 0.0, "seed": 5})).std()
        for n in (4000.0, 1000.0)
    ]
    assert spread[0] == pytest.approx(np.sqrt(0.3 / 4000), rel=0.03)
    assert spread[1] / spread[0] == pytest.approx(2, rel=0.03)


def test_interlacing_moves_every_other_line() -> None:
    entry, image = get("endoscopy.interlacing"), textured(disc=False)
    parameters = {"shift_pixels": [0.0, 3.0], "turn_rad": 0.0, "zoom": 0.0, "parity": 1}
    made = entry.apply(image, parameters).pixels
    assert np.abs(made[::2] - image.pixels[::2]).max() < 1e-3
    assert np.abs(made[1::2, :-3] - image.pixels[1::2, 3:]).max() < 1e-3


def test_lens_dirt_stays_where_its_droplets_are() -> None:
    entry, image = get("endoscopy.lens_dirt"), textured(disc=False)
    parameters = {"droplets": [[60.0, 70.0, 20.0, 0.1]], "scatter_pixels": 5.0, "opacity": 1.0}
    changed = np.abs(entry.apply(image, parameters).pixels - image.pixels).max(axis=2) > 1e-3
    y, x = np.indices(SHAPE)
    away = np.hypot(y - 60, x - 70)
    assert not changed[away > 23].any()
    assert changed[away < 15].mean() > 0.95


def test_highlights_grow_from_the_same_places() -> None:
    image = textured()
    few, many = (drawn("endoscopy.specular_highlight", image, s)["sites"] for s in (0.2, 0.9))
    assert 0 < len(few) < len(many)
    for (y, x, small), (v, u, large) in zip(few, many, strict=False):
        assert (y, x) == (v, u)
        assert small < large


def test_what_is_seen_through_a_bubble_is_displaced_and_its_rim_is_bright() -> None:
    entry, image = get("endoscopy.bubbles"), frame((0.1, 0.1, 0.1), disc=False)
    parameters = {"bubbles": [[60.0, 70.0, 20.0]], "contrast": 1.0, "glint_direction_rad": 0.0}
    made = linear(entry.apply(image, parameters))[..., 0]
    assert made[60, 70] == pytest.approx(0.1, abs=0.005)
    assert made[60, 70 + 18 : 70 + 21].max() > 0.3
    assert np.abs(made[:30] - 0.1).max() < 1e-3
