"""The noise of CT: dose, theory, spectrum, and what is added to an image that has noise already."""

from __future__ import annotations

import numpy as np
import pytest

from scrutiq.core import Image, Modality, UsageError
from scrutiq.degradations.ct import dose, scan
from scrutiq.degradations.ct.fbp_noise import pixel_variance
from scrutiq.degradations.ct.geometry import clinical_fan, parallel_beam
from scrutiq.degradations.ct.low_dose import DEGRADATION as LOW_DOSE
from scrutiq.degradations.ct.phantom import Ellipse, rasterise
from scrutiq.degradations.ct.sparse_view import DEGRADATION as SPARSE_VIEW
from scrutiq.metrics.nps import power_spectrum

from ..conftest import base

SHAPE, SPACING = (192, 192), (2.0, 2.0)
QUIET = dose.Dose(photons=dose.REFERENCE.photons, electronic=0.0)


@pytest.fixture(scope="module")
def water() -> Image:
    pixels = rasterise([Ellipse(0, 0, 150, 150, 0, 1000)], SHAPE, SPACING) - 1000
    return Image(pixels=pixels, modality="CT", unit="HU", spacing=SPACING)


@pytest.fixture(scope="module")
def drawn() -> dict[str, object]:
    return scan.draw_scan(np.random.default_rng(0), "fan")


def test_a_quarter_of_the_dose_has_twice_the_noise(water: Image, drawn: dict[str, object]) -> None:
    beam = scan.beam_of(water, drawn)
    full = dose.counts(scan.line_integrals(water, beam), beam, QUIET)
    spread = []
    for fraction in (1.0, 0.25):
        found = [
            scan.error_in_hu(dose.noise(full * fraction, QUIET, np.random.default_rng(k)), water, beam)[60:132, 60:132]
            for k in range(3)
        ]
        spread.append(np.std(np.stack(found)))
    assert spread[1] / spread[0] == pytest.approx(2.0, abs=0.05)


def test_electronic_noise_counts_more_at_a_low_dose(water: Image, drawn: dict[str, object]) -> None:
    beam = scan.beam_of(water, drawn)
    full = dose.counts(scan.line_integrals(water, beam), beam)
    quiet, loud = (dose.added_variance(full, 0.1, d).max() for d in (QUIET, dose.REFERENCE))
    assert loud > 1.2 * quiet


def test_the_full_dose_adds_nothing_and_a_fraction_the_difference() -> None:
    expected = np.array([100.0, 1000.0])
    assert dose.added_variance(expected, 1.0).tolist() == [0, 0]
    # (1/f - 1) / N = 3 / N, and (1/f^2 - 1) (s / N)^2 = 15 (s / N)^2
    by_hand = 3 / expected + 15 * (dose.REFERENCE.electronic / expected) ** 2
    np.testing.assert_allclose(dose.added_variance(expected, 0.25), by_hand)
    beam = parallel_beam((8, 8), (1.0, 1.0), 4)
    nothing = dose.added_noise(np.ones((4, beam.detectors)), beam, 1.0, np.random.default_rng(0))
    assert not nothing.any()


def test_counts_are_poisson_to_the_third_moment() -> None:
    expected = np.full(400_000, 60.0)
    error = dose.noise(expected, QUIET, np.random.default_rng(1))
    counts = expected * np.exp(-error)
    assert counts.mean() == pytest.approx(60, rel=0.002)
    assert counts.var() == pytest.approx(60, rel=0.01)
    assert np.mean((counts - counts.mean()) ** 3) / counts.std() ** 3 == pytest.approx(60**-0.5, rel=0.1)


def test_the_bow_tie_passes_most_in_the_middle() -> None:
    beam = clinical_fan((512, 512), (0.9, 0.9))
    filter_ = dose.bow_tie(beam)
    assert filter_.max() == pytest.approx(1, abs=1e-3)
    assert filter_[0] == pytest.approx(filter_[-1])
    assert filter_[0] < 0.1
    assert (np.diff(filter_[: beam.detectors // 2]) >= 0).all()


@pytest.mark.parametrize("fraction", [0.0, -0.5, 1.5])
def test_a_fraction_that_is_none_is_refused(fraction: float) -> None:
    with pytest.raises(UsageError, match="fraction of a dose"):
        dose.added_variance(np.ones(2), fraction)


@pytest.mark.parametrize(("photons", "electronic"), [(0.0, 1.0), (float("inf"), 1.0), (1e5, -1.0)])
def test_a_dose_that_cannot_be_is_refused(photons: float, electronic: float) -> None:
    with pytest.raises(UsageError):
        dose.Dose(photons=photons, electronic=electronic)


@pytest.fixture(scope="module")
def found() -> tuple[np.ndarray, np.ndarray, np.ndarray, list[np.ndarray], list[np.ndarray]]:
    ct = base(Modality.CT)
    beam = scan.beam_of(ct, LOW_DOSE.draw(ct, 0.5, np.random.default_rng(0)))
    integrals = scan.line_integrals(ct, beam)
    inside = np.nonzero((ct.pixels > -300) & (scan.from_isocentre(ct) < 0.8 * beam.radius))
    some = np.random.default_rng(0).choice(len(inside[0]), 3000, replace=False)
    rows, columns = inside[0][some], inside[1][some]
    variance = dose.added_variance(dose.counts(integrals, beam), 0.25)
    theory = pixel_variance(variance, beam, ct.shape, ct.spacing, rows, columns, scan.KERNEL, 0.5)
    made, white = [], []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        made.append(scan.error_in_hu(dose.added_noise(integrals, beam, 0.25, rng), ct, beam))
        white.append(scan.error_in_hu(rng.standard_normal(integrals.shape), ct, beam))
    return rows, columns, theory * (1000 / scan.WATER_PER_MM) ** 2, made, white


def test_the_added_variance_is_that_of_the_theory(found: tuple) -> None:
    rows, columns, theory, made, _ = found
    ratio = np.mean([np.mean(error[rows, columns] ** 2 / theory) for error in made])
    assert ratio == pytest.approx(1, abs=0.05)


def test_the_spectrum_is_that_of_white_noise_through_the_same_fbp(found: tuple) -> None:
    peaks = []
    for kept in found[3:]:
        regions = np.stack([e[r : r + 64, c : c + 64] for e in kept for r in (64, 96, 128) for c in (64, 96, 128)])
        spectrum = power_spectrum(regions - regions.mean(axis=(1, 2), keepdims=True))
        top = spectrum.power > 0.5 * spectrum.power.max()
        curve = np.polynomial.Polynomial.fit(spectrum.frequency[top], spectrum.power[top], 2)
        peaks.append(float(curve.deriv().roots()[0]))
    assert peaks[0] == pytest.approx(peaks[1], rel=0.1)


def test_streaks_grow_as_views_fall(ct: Image) -> None:
    # Over half a turn of a parallel beam, 256 views are still enough for a slice of 256 pixels.
    drawn = {**SPARSE_VIEW.draw(ct, 0.5, np.random.default_rng(0)), "beam": "fan"}
    found = [
        SPARSE_VIEW.measurement.compute(SPARSE_VIEW.apply(ct, {**drawn, "kept_views": views}))
        for views in (720, 256, 128, 64)
    ]
    assert None not in found
    assert found[0] < found[1] < found[2] < found[3]


def test_padding_is_left_alone() -> None:
    pixels = np.full(SHAPE, 40.0)
    valid = np.ones(SHAPE, dtype=bool)
    pixels[:20], valid[:20] = -2000, False
    image = Image(pixels=pixels, valid=valid, modality="CT", unit="HU", spacing=SPACING)
    made = LOW_DOSE.make(image, 1.0, np.random.default_rng(0))
    assert (made.pixels[:20] == -2000).all()
    assert made.pixels[90:100].std() > 10


def test_a_slice_of_unknown_spacing_is_refused() -> None:
    image = Image(pixels=np.zeros((32, 32)), modality="CT", unit="HU")
    with pytest.raises(UsageError, match="pixel spacing of this image is not known"):
        LOW_DOSE.make(image, 0.5, np.random.default_rng(0))
