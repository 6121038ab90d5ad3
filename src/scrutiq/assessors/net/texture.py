"""Statistics of noise, texture and detail, and how they change from a normal and a low dose to a denoised CT image.

They are what the judgement on the rubric ``ct-denoising`` rests on: twelve methods and twenty sets are too few for a
network to learn it from. All work on display levels, in [0, 255], inside the part of the image that
is neither black nor white.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["against", "texture"]

Floats = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

#: Standard deviations of Gaussian filters, pixels; a band of detail lies between two neighbours. 0: unfiltered.
_SCALES = (0.0, 0.6, 1.0, 1.6, 2.6, 4.2)
#: Side of the window in which the spread of each band is taken, pixels.
_WINDOWS = (7, 7, 11, 11, 17)
_LAGS = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (2, 2), (0, 3), (3, 0))


class _Pyramid:
    """An image filtered at `_SCALES`, and the bands between."""

    def __init__(self, shown: npt.NDArray[np.uint8]) -> None:
        grey = shown.astype(np.float32)
        self.smooth = [grey if s == 0 else ndimage.gaussian_filter(grey, s, truncate=3) for s in _SCALES]
        self.bands = [a - b for a, b in zip(self.smooth, self.smooth[1:], strict=False)]

    def inside(self) -> Mask:
        """Return where the image is neither black nor white; everywhere, where that is hardly anywhere."""
        level = self.smooth[3]
        mask = np.asarray((level > 10) & (level < 245))
        return mask if mask.mean() > 0.01 else np.ones_like(mask)

    def gradient(self, scale: int) -> Floats:
        steep: Floats = np.hypot(ndimage.sobel(self.smooth[scale], 0), ndimage.sobel(self.smooth[scale], 1))
        return steep


def texture(shown: npt.NDArray[np.uint8]) -> Values:
    """Return the statistics of one image, float64, shape (55,), of display levels, uint8, shape (H, W)."""
    pyramid = _Pyramid(shown)
    return _texture(pyramid, pyramid.inside())


def against(shown: npt.NDArray[np.uint8], normal: npt.NDArray[np.uint8], low: npt.NDArray[np.uint8] | None) -> Values:
    """Return how an image differs from its normal dose, and from its low dose where there is one.

    Parameters
    ----------
    shown, normal, low : ndarray of uint8, shape (H, W)
        Without ``low`` the low dose is taken for the normal one.

    Returns
    -------
    ndarray of float64, shape (191,)
    """
    target, dose = _Pyramid(shown), _Pyramid(normal)
    less = dose if low is None else _Pyramid(low)
    inside = dose.inside()
    own = _texture(target, target.inside())
    differences = [own - _texture(dose, inside), own - _texture(less, inside)]
    return np.concatenate([*differences, _kept(target, dose, less, inside)])


def _texture(pyramid: _Pyramid, inside: Mask) -> Values:
    found: list[float] = []
    flat: Mask | None = None
    for index, (band, window) in enumerate(zip(pyramid.bands, _WINDOWS, strict=True)):
        mean, square = ndimage.uniform_filter(band, window), ndimage.uniform_filter(band * band, window)
        spread = np.sqrt(np.maximum(square - mean * mean, 1e-4))[inside]
        found += list(np.log(np.percentile(spread, [5, 20, 50, 80, 95])))
        values = band[inside].astype(np.float64)
        variance = float((values * values).mean())
        found.append(np.log(variance + 1e-3) / 2)
        centred = values - values.mean()
        squares = centred * centred  # a fourth power is slow
        excess = (squares * squares).mean() / (squares.mean() ** 2 + 1e-12) - 3
        found.append(float(np.tanh(excess / 10)))
        if index == 1:
            flat = np.zeros_like(inside)
            flat[inside] = spread <= np.percentile(spread, 40)
    assert flat is not None
    steep = pyramid.gradient(2)[inside]
    found += list(np.log(np.percentile(steep, [50, 80, 90, 97, 99.5]) + 1))
    level = pyramid.smooth[4][inside]
    found += [*(np.percentile(level, [5, 25, 50, 75, 95]) / 255), float(level.std()) / 255]
    fine = pyramid.smooth[0] - pyramid.smooth[4]
    variance = float((fine * fine)[flat].mean()) + 1e-3
    for lag in _LAGS:
        found.append(float((fine * np.roll(fine, lag, (0, 1)))[flat].mean()) / variance)
    found.append(np.log(variance) / 2)
    return np.array(found, np.float64)


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-6))


def _kept(target: _Pyramid, dose: _Pyramid, low: _Pyramid, inside: Mask) -> Values:
    """Return what of the detail of both doses is left, band by band, at edges and in flat parts."""
    steep = dose.gradient(3)
    edge = inside & (steep >= np.percentile(steep[inside], 90))
    flat = inside & (steep <= np.percentile(steep[inside], 50))
    found: list[float] = []
    for a, b, c in zip(target.bands, dose.bands, low.bands, strict=True):
        for region in (edge, flat):
            t, n, m = a[region], b[region], c[region]
            power = float((n * n).mean()) + 1e-3
            left, added = t - n, m - n
            found += [
                _correlation(t, n),
                _correlation(t, m),
                _correlation(left, added),
                float(np.log((t * t).mean() / power + 1e-3)),
                float(np.log((t * t).mean() / ((m * m).mean() + 1e-3) + 1e-3)),
                float((t * n).mean()) / power,
                float(np.log((left * left).mean() + 1e-2) - np.log((added * added).mean() + 1e-2)),
            ]
    g, h, k = (pyramid.gradient(2) for pyramid in (target, dose, low))
    alike = (2 * g * h + 100) / (g * g + h * h + 100)
    power = float((h * h)[edge].mean()) + 1e-3
    found += [float(alike[region].mean()) for region in (inside, edge)]
    found += [float(alike[region].std()) for region in (inside, edge)]
    found += [float((g * h)[edge].mean()) / power, float((g * k)[edge].mean() / ((k * k)[edge].mean() + 1e-3))]
    coarse, before = target.smooth[4][inside], dose.smooth[4][inside]
    shift = coarse - before
    found += [float(np.log(shift.std() + 0.1)), float(shift.mean()) / 10, 10 * _correlation(coarse, before)]
    slope = float(
        ((before - before.mean()) * (coarse - coarse.mean())).sum() / (((before - before.mean()) ** 2).sum() + 1)
    )
    found += [slope, float(coarse.mean() - slope * before.mean()) / 100]
    return np.array(found, np.float64)
