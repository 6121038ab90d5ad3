"""What is done to a section, against the laws that it follows, on densities simple enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from scrutiq.core import Image, Modality
from scrutiq.degradations import get
from scrutiq.degradations.histopathology import focus, slide
from scrutiq.degradations.tools import to_linear

SHAPE = (120, 140)
#: Stained tissue as dense as is usual, and its hue about that of H&E.
PINK = 0.25 * slide.HAEMATOXYLIN + 0.4 * slide.EOSIN


def section(od: object = PINK, **given: object) -> Image:
    pixels = 255 * 10 ** -np.broadcast_to(np.asarray(od, dtype=np.float64), (*SHAPE, 3))
    return Image(pixels=pixels, modality=Modality.HISTOPATHOLOGY, data_range=(0.0, 255.0), **given)


def mixture(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return amounts of two stains, some pixels of nearly one of them, and their density."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(0, 1, SHAPE)
    amounts = np.stack([share, 1 - share], axis=2) * rng.uniform(0.5, 0.9, (*SHAPE, 1))
    return amounts, amounts @ np.stack([slide.HAEMATOXYLIN, slide.EOSIN])


def drawn(name: str, image: Image, severity: float, seed: int = 0) -> dict[str, object]:
    return dict(get(f"histopathology.{name}").draw(image, severity, np.random.default_rng(seed)))


def linear(image: Image) -> np.ndarray:
    return to_linear(image.pixels.astype(np.float64) / 255)


class TestSlide:
    def test_a_tenth_of_the_light_is_a_density_of_1(self) -> None:
        image = section(1.0)
        assert slide.density(image) == pytest.approx(1, abs=1e-5)
        assert slide.with_density(image, slide.density(image)).pixels == pytest.approx(image.pixels, abs=1e-3)

    def test_hue_of_stains_and_of_primaries(self) -> None:
        colours = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], slide.HAEMATOXYLIN, slide.EOSIN])
        hue, chroma = slide.hue_and_chroma(colours)
        assert hue == pytest.approx([0, 120, -120, 66, 122], abs=1)
        assert chroma[:3] == pytest.approx(np.sqrt(2 / 3))
        assert slide.hue_and_chroma(np.ones(3))[1] == pytest.approx(0)

    def test_the_stains_of_a_mixture_are_found(self) -> None:
        _, od = mixture()
        found = slide.stain_vectors(od + 0.06)  # so that eosin's red passes the threshold
        wanted = np.stack([slide.HAEMATOXYLIN, slide.EOSIN])
        angle = np.degrees(np.arccos(np.clip((found * wanted).sum(axis=1), -1, 1)))
        assert angle.max() < 8

    def test_glass_has_the_stains_of_the_table(self) -> None:
        assert slide.stain_vectors(np.zeros((*SHAPE, 3))) == pytest.approx(np.stack([slide.HAEMATOXYLIN, slide.EOSIN]))

    @pytest.mark.parametrize("radius", [2.5, 4.0, 9.5])
    def test_defocus_is_a_disc(self, radius: float) -> None:
        point = np.zeros(SHAPE)
        point[60, 70] = 1
        made = slide.defocus(point, radius)
        y, x = np.indices(SHAPE)
        assert made.sum() == pytest.approx(1)
        assert slide.defocus(np.full(SHAPE, 0.3), radius) == pytest.approx(0.3)
        # A disc has a variance of r^2 / 4 along each axis.
        near = (np.abs(y - 60) < 3 * radius + 2) & (np.abs(x - 70) < 3 * radius + 2)
        assert (made * (y - 60) ** 2 * near).sum() == pytest.approx(radius**2 / 4, rel=0.15)

    def test_places_lie_on_tissue(self) -> None:
        od = np.zeros((*SHAPE, 3))
        od[:, 70:] = PINK
        for seed in range(5):
            _, x = slide.place_on_tissue(section(od), np.random.default_rng(seed))
            assert x > 65


def test_the_disc_of_confusion_follows_depth_and_spacing() -> None:
    assert focus.cone() == pytest.approx(np.tan(np.arcsin(0.75 / 1.5)))
    coarse, fine = (drawn("focus", section(spacing=(s, s)), 0.5) for s in (0.0005, 0.00025))
    assert coarse["radius_pixels"] == pytest.approx(coarse["depth_um"] * focus.cone() / 0.5)
    assert fine["radius_pixels"] == pytest.approx(2 * coarse["radius_pixels"])


def test_fading_takes_its_share_of_each_stain() -> None:
    amounts, od = mixture()
    parameters = {"stains": [slide.HAEMATOXYLIN.tolist(), slide.EOSIN.tolist()], "left": [0.5, 0.8]}
    made = get("histopathology.stain_intensity").apply(section(od), parameters)
    wanted = amounts * [0.5, 0.8] @ np.stack([slide.HAEMATOXYLIN, slide.EOSIN])
    assert np.abs(slide.density(made) - wanted).max() < 1e-4


def test_a_shift_turns_the_hue_and_keeps_density_and_chroma() -> None:
    red = np.array([0.35, 0.8, 0.45]) / np.linalg.norm([0.35, 0.8, 0.45])
    image = section(0.6 * red)
    parameters = {
        "stains": [slide.HAEMATOXYLIN.tolist(), red.tolist()],
        "turn_degrees": [0.0, 25.0],
        "amount": [1, 1],
    }
    before, after = (
        slide.density(i)[0, 0] for i in (image, get("histopathology.stain_shift").apply(image, parameters))
    )
    turned = np.subtract(*(slide.hue_and_chroma(v)[0] for v in (after, before)))
    assert turned == pytest.approx(25, abs=0.1)
    assert after.mean() == pytest.approx(before.mean(), abs=1e-4)
    assert slide.hue_and_chroma(after)[1] == pytest.approx(slide.hue_and_chroma(before)[1], abs=1e-4)


def test_a_fold_is_twice_as_dense() -> None:
    image = section()
    parameters = drawn("fold", image, 1.0) | {"overlap": 1.0}
    ratio = slide.density(get("histopathology.fold").apply(image, parameters)).mean(axis=2) / PINK.mean()
    y, x = (round(v) for v in parameters["middle"])
    assert ratio.max() == pytest.approx(2, abs=0.01)
    assert 0.02 < (ratio > 1.9).mean() < 0.5
    assert ratio.min() == pytest.approx(1, abs=0.01)
    assert ratio[max(y - 12, 0) : y + 13, max(x - 12, 0) : x + 13].max() > 1.9


def test_ink_adds_its_density_to_tissue_and_glass_alike() -> None:
    parameters = drawn("pen", section(), 0.6) | {"absorbs": [0.6, 0.3, 0.1], "density": 1.0}
    added = [slide.density(get("histopathology.pen").apply(section(od), parameters)) - od for od in (np.zeros(3), PINK)]
    assert np.abs(added[0] - added[1]).max() < 1e-3
    inked = added[0][..., 0] > 0.3
    assert (added[0][inked][:, 1] / added[0][inked][:, 0]) == pytest.approx(0.5, abs=0.01)


def test_a_tear_shows_glass_and_keeps_the_rest() -> None:
    image = section()
    made = slide.density(get("histopathology.tear").apply(image, drawn("tear", image, 0.8))).mean(axis=2)
    glass = made < 0.05
    assert 0.01 < glass.mean() < 0.4
    assert made[~glass].max() == pytest.approx(PINK.mean(), abs=1e-3)


def test_dust_is_as_dark_in_every_colour() -> None:
    image = section()
    added = slide.density(get("histopathology.dust").apply(image, drawn("dust", image, 1.0))) - PINK
    assert np.ptp(added, axis=2).max() < 1e-3
    assert added.max() > 0.5
    assert added.min() > -1e-3


def test_a_bubble_has_a_dark_rim_and_a_pale_interior() -> None:
    image = section()
    parameters = drawn("air_bubble", image, 1.0)
    made = slide.density(get("histopathology.air_bubble").apply(image, parameters)).mean(axis=2)
    y, x = (round(v) for v in parameters["middle"])
    assert made[y, x] == pytest.approx(0.6 * PINK.mean(), abs=0.01)
    assert made.max() > PINK.mean() + 0.7
    assert made[0, 0] == pytest.approx(PINK.mean(), abs=1e-3)


def test_tiles_have_their_gain() -> None:
    image = section(0.5)
    parameters = drawn("tiling_seam", image, 0.7)
    made = linear(get("histopathology.tiling_seam").apply(image, parameters)) / linear(image)
    found = sorted(set(np.round(made[..., 0].ravel(), 4)))
    assert 4 <= len(found) <= 16
    assert set(found) <= set(np.round(np.ravel(parameters["gain"]), 4))


def test_a_thick_section_of_even_tissue_is_denser_by_its_layers() -> None:
    image = section()
    parameters = drawn("thick_section", image, 0.5)
    made = slide.density(get("histopathology.thick_section").apply(image, parameters))
    extra = sum(layer["thickness"] for layer in parameters["layers"])
    assert made == pytest.approx(np.broadcast_to((1 + extra) * PINK, made.shape), abs=1e-3)


def test_noise_is_that_of_the_photons() -> None:
    image = section(0.2)
    mean = float(linear(image)[0, 0, 0])
    made = get("histopathology.noise").apply(image, {"electrons_at_white": 900.0, "read_noise_electrons": 5, "seed": 1})
    assert linear(made).std() == pytest.approx(np.sqrt(mean * 900 + 25) / 900, rel=0.03)


@pytest.mark.parametrize(("name", "key", "factor"), [("over_exposure", "gain", 1.5), ("under_exposure", "light", 0.3)])
def test_exposure_scales_light(name: str, key: str, factor: float) -> None:
    image = section(0.6)
    made = get(f"histopathology.{name}").apply(image, {key: [factor] * 3})
    assert linear(made) == pytest.approx(factor * linear(image), rel=1e-3)


def test_shading_falls_with_the_fourth_power_of_the_cosine() -> None:
    image = section(0.1)
    parameters = {"fall_off": 1.0, "middle": [60.0, 70.0], "radius_pixels": 50.0}
    ratio = linear(get("histopathology.uneven_illumination").apply(image, parameters)) / linear(image)
    assert ratio[60, 70] == pytest.approx(1, abs=1e-3)
    assert ratio[60, 120] == pytest.approx(np.cos(np.arctan(1)) ** 4, abs=1e-3)
