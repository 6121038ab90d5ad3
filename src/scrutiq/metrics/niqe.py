"""NIQE: a no-reference baseline that needs no opinions, only a model of good photographs."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gamma

from scrutiq.metrics.natural_scene import Array, aggd, halve, mscn, rescale

__all__ = ["niqe"]

BLOCK = 96


def niqe(grey: npt.NDArray[Any], *, data_range: tuple[float, float]) -> float:
    """Return the Natural Image Quality Evaluator: lower is better.

    The distance between the statistics of the image's blocks and those of 125 good photographs. It has no upper end;
    photographs lie between about 2 and 10.

    Not good for: anything unlike a photograph, because a perfect medical image is as "unnatural" to it as a bad one.
    It stands here as a baseline. A flat block (air around the patient, a black frame) counts with the
    heaviest-tailed shape of the fit, as in the authors' release, so that values compare only between images of the
    same framing and window. Rows and columns beyond the last full block of 96 x 96 pixels are not looked at.

    Parameters
    ----------
    grey : ndarray, shape (H, W)
        At least two blocks: 96 x 192. Colour is converted by the caller.
    data_range : tuple of float
        (low, high): what is shown black and white, for example (0, 255), or the bounds of a CT window.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the image is not (H, W), too small, not finite, constant, or has fewer than two blocks with texture.

    Notes
    -----
    Source: A. Mittal, R. Soundararajan, A. C. Bovik, "Making a 'completely blind' image quality analyzer", IEEE Signal
    Process. Lett. 20(3), 2013, with the model of good photographs that the authors published
    (``metrics/data/README.md``).
    """
    image = rescale(grey, data_range, top=255, name="NIQE", smallest=(BLOCK, 2 * BLOCK))
    rows, columns = image.shape[0] // BLOCK, image.shape[1] // BLOCK
    image = image[: rows * BLOCK, : columns * BLOCK]
    half = halve(image, -0.5, 8, "symmetric", (rows * BLOCK // 2, columns * BLOCK // 2))
    features = np.concatenate([_features(image, BLOCK), _features(half, BLOCK // 2)], axis=1)

    whole = features[np.isfinite(features).all(axis=1)]
    if len(whole) < 2:
        raise ValueError("NIQE cannot be computed: fewer than two blocks of the image have texture.")
    natural_mean, natural_covariance = _natural()
    # Equation 10. A flat block has no deviations but still a shape, which takes part in the mean.
    difference = natural_mean - np.nanmean(features, axis=0)
    pooled = np.linalg.pinv((natural_covariance + np.cov(whole, rowvar=False)) / 2)
    return float(np.sqrt(difference @ pooled @ difference))


def _features(image: Array, side: int) -> Array:
    """Return the 18 features of each block, shape (blocks, 18): equations 4 to 8."""
    m = mscn(image, 1, "nearest")
    rows, columns = m.shape[0] // side, m.shape[1] // side
    blocks = m.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)
    shape, left, right = _fit(blocks)
    features = [shape, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        # Neighbours wrap around within the block, as in the authors' release.
        shape, left, right = _fit(blocks * np.roll(blocks, shift, axis=(1, 2)))
        features += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return np.stack(features, axis=1)


def _fit(blocks: Array) -> tuple[Array, Array, Array]:
    """Return shape and the scale parameters (beta) of each side."""
    shape, left, right = aggd(blocks.reshape(len(blocks), -1), zeros="neither")
    shape = np.round(shape, 3)  # the authors' table has steps of 0.001, which shows in the third decimal of a score
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * scale, right * scale


@lru_cache(maxsize=1)
def _natural() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    with (files("scrutiq.metrics") / "data" / "niqe_natural.npz").open("rb") as file, np.load(file) as stored:
        return stored["mean"], stored["covariance"]
