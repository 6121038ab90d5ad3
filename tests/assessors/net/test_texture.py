from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from scrutiq.assessors.net.texture import against, texture


@pytest.fixture
def scene(rng: np.random.Generator) -> np.ndarray:
    """Blocks of tissue on a dark background, without noise."""
    image = np.zeros((160, 192))
    image[16:144, 16:176] = 100
    image[40:80, 40:90] = 160
    image[90:120, 100:150] = 60
    return ndimage.gaussian_filter(image, 1.2)


def _levels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def test_texture_has_the_documented_shape_and_is_finite(scene: np.ndarray) -> None:
    for shown in (_levels(scene), np.zeros((64, 64), np.uint8), np.full((70, 64), 255, np.uint8)):
        found = texture(shown)
        assert found.shape == (55,)
        assert np.isfinite(found).all()


def test_more_noise_is_more_spread_in_every_band(scene: np.ndarray, rng: np.random.Generator) -> None:
    noise = rng.standard_normal(scene.shape)
    little, much = (texture(_levels(scene + amount * noise)) for amount in (4, 12))
    medians = [2 + 7 * band for band in range(5)]  # of the local spread, in each band
    assert (much[medians] > little[medians]).all()
    # Noise of three times the amplitude: the logarithm of the spread of the finest band grows by log 3.
    assert much[medians[0]] - little[medians[0]] == pytest.approx(np.log(3), abs=0.1)


def test_correlated_noise_is_told_from_white(scene: np.ndarray, rng: np.random.Generator) -> None:
    white = rng.standard_normal(scene.shape)
    smooth = ndimage.gaussian_filter(white, 1.0)
    fine, coarse = (texture(_levels(scene + 10 * field / field.std())) for field in (white, smooth))
    assert coarse[46] > fine[46] + 0.3  # correlation with the next pixel of the row


def test_an_image_differs_from_itself_in_nothing(scene: np.ndarray, rng: np.random.Generator) -> None:
    shown = _levels(scene + 6 * rng.standard_normal(scene.shape))
    found = against(shown, shown, shown)
    assert found.shape == (191,)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:110], 0)
    assert found[110] == pytest.approx(1, abs=1e-3)  # correlation of the finest band at edges


def test_what_a_filter_takes_away_shows_against_the_normal_dose(scene: np.ndarray, rng: np.random.Generator) -> None:
    normal = _levels(scene + 6 * rng.standard_normal(scene.shape))
    low = _levels(scene + 14 * rng.standard_normal(scene.shape))
    mild, strong = (against(_levels(ndimage.gaussian_filter(low, s)), normal, low) for s in (0.5, 2.0))
    assert strong[110 + 3] < mild[110 + 3]  # energy of the finest band over that of the normal dose
    assert against(low, normal, None).shape == (191,)
