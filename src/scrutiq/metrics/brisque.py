"""BRISQUE: a no-reference baseline trained on opinions of degraded photographs."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq.metrics.natural_scene import Array, aggd, aggd_mean, halve, mscn, rescale

__all__ = ["brisque", "brisque_features"]


def brisque(grey: npt.NDArray[Any], *, data_range: tuple[float, float]) -> float:
    """Return the Blind/Referenceless Image Spatial Quality Evaluator: lower is better.

    A support vector regression of differential opinion scores on 36 natural-scene statistics. Made for 0 (best) to 100
    (worst); it is a regression, so that single images can lie outside.

    Not good for: telling what is wrong; anything unlike an outdoor photograph. It was trained on the LIVE database
    (JPEG, JPEG 2000, white noise, blur, fast fading), so that its value on a medical image has no clinical meaning; it
    stands here as a baseline. The score depends on the window that ``data_range`` describes.

    Parameters
    ----------
    grey : ndarray, shape (H, W)
        At least 32 x 32. Colour is converted by the caller.
    data_range : tuple of float
        (low, high): what is shown black and white, for example (0, 255), or the bounds of a CT window.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the image is not (H, W), too small, not finite, constant, or has no texture to fit.

    Notes
    -----
    Source: A. Mittal, A. K. Moorthy, A. C. Bovik, "No-reference image quality assessment in the spatial domain", IEEE
    Trans. Image Process. 21(12), 2012. The regression is the one of the packages ``image-quality`` and ``brisque``
    (Apache-2.0; ``metrics/data/README.md``), and the features follow the conventions under which it was trained: zeros
    beyond the border, and a half-size image without anti-aliasing. It is not the regression of the authors' own
    release, whose scores differ.
    """
    model = _model()
    features = brisque_features(grey, data_range=data_range)
    scaled = 2 * (features - model["low"]) / (model["high"] - model["low"]) - 1
    squared = ((model["support"] - scaled) ** 2).sum(axis=1)
    return float(model["weights"] @ np.exp(-float(model["gamma"]) * squared) - float(model["offset"]))


def brisque_features(grey: npt.NDArray[Any], *, data_range: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Return the 36 features of `brisque`, 18 at full and 18 at half size, in the order of the paper's Table I.

    Parameters and errors are those of `brisque`.
    """
    full = rescale(grey, data_range, top=1, name="BRISQUE", smallest=(32, 32))
    half = halve(full, -0.75, 4, "edge", (round(full.shape[0] / 2), round(full.shape[1] / 2)))
    features = np.concatenate([_scale_features(full), _scale_features(half)])
    if not np.isfinite(features).all():
        raise ValueError("BRISQUE cannot be computed: the image has no texture to fit.")
    return features


def _scale_features(image: Array) -> Array:
    m = mscn(image, 1 / 255, "constant")
    shape, left, right = aggd(m.ravel(), zeros="right")
    features = [shape, (left**2 + right**2) / 2]
    for a, b in (
        (m[:, :-1], m[:, 1:]),
        (m[:-1, :], m[1:, :]),
        (m[:-1, :-1], m[1:, 1:]),
        (m[1:, :-1], m[:-1, 1:]),
    ):
        shape, left, right = aggd((a * b).ravel(), zeros="right")
        features += [shape, aggd_mean(shape, left, right), left**2, right**2]
    return np.array(features, dtype=np.float64)


@lru_cache(maxsize=1)
def _model() -> dict[str, npt.NDArray[np.float64]]:
    with (files("scrutiq.metrics") / "data" / "brisque_svr.npz").open("rb") as file, np.load(file) as stored:
        return {name: stored[name].astype(np.float64) for name in stored.files}
