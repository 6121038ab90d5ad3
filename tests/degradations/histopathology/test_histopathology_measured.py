"""The measurements of faults of sections, against pictures in which the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from scrutiq.core import Image, Modality
from scrutiq.degradations.histopathology import slide
from scrutiq.degradations.histopathology.air_bubble import RING_DENSITY
from scrutiq.degradations.histopathology.dust import GREY_SPECKS
from scrutiq.degradations.histopathology.fold import FOLD_AREA
from scrutiq.degradations.histopathology.noise import NOISE_OFF_STAIN
from scrutiq.degradations.histopathology.pen import INK_AREA
from scrutiq.degradations.histopathology.stain_intensity import NUCLEAR_DENSITY
from scrutiq.degradations.histopathology.stain_shift import STAIN_HUE
from scrutiq.degradations.histopathology.tear import GAP_LENGTH
from scrutiq.degradations.histopathology.thick_section import SECTION_DENSITY
from scrutiq.degradations.histopathology.tiling_seam import SEAM_STEP

ALL = (
    FOLD_AREA,
    GAP_LENGTH,
    GREY_SPECKS,
    INK_AREA,
    NOISE_OFF_STAIN,
    NUCLEAR_DENSITY,
    RING_DENSITY,
    SEAM_STEP,
    SECTION_DENSITY,
    STAIN_HUE,
)
PINK = 0.25 * slide.HAEMATOXYLIN + 0.4 * slide.EOSIN


def picture(od: np.ndarray) -> Image:
    return Image(pixels=255 * 10.0**-od, modality=Modality.HISTOPATHOLOGY, data_range=(0.0, 255.0))


def tissue(shape: tuple[int, int] = (200, 200)) -> np.ndarray:
    return np.broadcast_to(PINK, (*shape, 3)).copy()


@pytest.mark.parametrize("measure", ALL, ids=lambda m: m.name)
def test_grey_images_and_unknown_ranges_are_not_measured(measure: object) -> None:
    grey = Image(pixels=np.ones((32, 32)), modality=Modality.HISTOPATHOLOGY, data_range=(0.0, 255.0))
    unknown = Image(pixels=np.ones((32, 32, 3)), modality=Modality.HISTOPATHOLOGY)
    assert str(measure.result(grey)) == "The image has no colour."
    assert str(measure.result(unknown)) == "The data range of the image is not known."


@pytest.mark.parametrize("measure", ALL, ids=lambda m: m.name)
@pytest.mark.parametrize("od", [np.zeros((40, 40, 3)), np.full((40, 40, 3), 2.4), np.full((1, 1, 3), 0.3), tissue()])
def test_glass_black_and_tiny_pictures_have_a_value_or_a_reason(measure: object, od: np.ndarray) -> None:
    result = measure.result(picture(od))
    low, high = measure.range
    assert (isinstance(result, float) and low <= result <= high) or str(result).endswith(".")


def test_densities_of_known_tissue() -> None:
    assert SECTION_DENSITY.compute(picture(tissue())) == pytest.approx(PINK.mean(), abs=1e-4)
    assert NUCLEAR_DENSITY.compute(picture(tissue())) == pytest.approx(0.25, abs=1e-4)


def test_the_hue_of_eosin_alone_is_2_degrees_off_and_of_haematoxylin_54() -> None:
    for stain, away in ((slide.EOSIN, 2), (slide.HAEMATOXYLIN, 54)):
        od = np.broadcast_to(0.8 * stain, (40, 40, 3))
        assert STAIN_HUE.compute(picture(od)) == pytest.approx(away, abs=1)


def test_the_band_that_is_twice_as_dense_is_a_fold_and_small_nuclei_are_not() -> None:
    od = tissue()
    od[80:120] *= 2
    assert FOLD_AREA.compute(picture(od)) == pytest.approx(20, abs=1.5)
    od = tissue()
    od[::12, ::12] += 1.2 * slide.HAEMATOXYLIN
    assert FOLD_AREA.compute(picture(od)) == 0


def test_a_ring_shows_its_density() -> None:
    y, x = np.indices((200, 200))
    away = np.hypot(y - 90, x - 110)
    od = tissue() + 0.5 * (np.abs(away - 40) < 3)[..., None]
    assert RING_DENSITY.compute(picture(od)) == pytest.approx(0.5, rel=0.2)
    od = tissue() + 0.5 * (away < 40)[..., None]
    assert RING_DENSITY.compute(picture(od)) < 0.12


@pytest.mark.parametrize("ink", [(1.0, 0.25, 0.75), (1.0, 0.42, 0.08), (1.0, 0.98, 0.95)])
def test_ink_over_tissue_is_found(ink: tuple[float, ...]) -> None:
    assert INK_AREA.compute(picture(tissue())) == 0
    od = tissue()
    od[:50] += 1.3 * np.array(ink)
    assert INK_AREA.compute(picture(od)) == pytest.approx(25, abs=1)


def test_a_gap_is_as_long_as_it_was_cut_and_a_round_hole_as_wide() -> None:
    od = tissue()
    od[95:105, 30:150] = 0.01
    assert GAP_LENGTH.compute(picture(od)) == pytest.approx(60, abs=2)
    od = np.swapaxes(od, 0, 1)
    assert GAP_LENGTH.compute(picture(od)) == pytest.approx(60, abs=2)
    od = tissue()
    y, x = np.indices((200, 200))
    od[np.hypot(y - 100, x - 100) < 20] = 0.01
    assert GAP_LENGTH.compute(picture(od)) == pytest.approx(20, abs=2)


def test_a_large_picture_has_the_gap_of_a_small_one() -> None:
    od = tissue()
    od[np.abs(np.subtract.outer(np.arange(200), np.arange(200))) < 12] = 0.01
    small, large = (GAP_LENGTH.compute(picture(np.kron(od, np.ones((k, k, 1))))) for k in (1, 3))
    assert small == pytest.approx(100 * np.sqrt(2), rel=0.1)
    assert large == pytest.approx(small, rel=0.03)


def test_grey_specks_are_counted_and_stained_ones_are_not() -> None:
    od = np.zeros((200, 200, 3))
    od[50:70, 50:70] = 0.6
    od[120:140, 120:140] = 1.8 * PINK
    assert GREY_SPECKS.compute(picture(od)) == pytest.approx(1, abs=0.1)


def test_a_line_where_tissue_does_not_continue_is_a_seam() -> None:
    field = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((220, 220)), 3)
    field = 0.4 + 0.1 * field / field.std()
    whole = field[:200, :200, None] * PINK / PINK.mean()
    parted = np.where(np.arange(200)[:, None] < 90, field[:200, :200], field[12:212, 9:209])[..., None]
    clean, seam = (SEAM_STEP.compute(picture(od)) for od in (whole, parted * PINK / PINK.mean()))
    assert clean < 1.6
    assert seam > 2 * clean


def test_noise_is_measured_beside_the_texture_of_two_stains() -> None:
    rng = np.random.default_rng(0)
    amounts = rng.uniform(0.1, 0.6, (300, 300, 2))  # texture from pixel to pixel, far above the noise
    coded = 10.0 ** -(amounts @ np.stack([slide.HAEMATOXYLIN, slide.EOSIN]))
    clean, noisy = (
        Image(
            pixels=255 * np.clip(coded + rng.normal(0, sigma, coded.shape), 0, 1),
            modality=Modality.HISTOPATHOLOGY,
            data_range=(0.0, 255.0),
        )
        for sigma in (0.0, 0.05)
    )
    before, after = NOISE_OFF_STAIN.compute(clean), NOISE_OFF_STAIN.compute(noisy)
    assert before < 2
    assert np.sqrt(after**2 - before**2) == pytest.approx(5, rel=0.1)
