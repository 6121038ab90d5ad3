"""Image metrics with a reference: how far an image is from one that is known to be good.

``data_range`` is always given by the caller. Taken from the pixels, as many tools do, it would make the score of an
image depend on its brightest pixel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image, InputError, Measurement, UsageError
from scrutiq.metrics.spec import PIXEL_UNIT, Direction
from scrutiq.metrics.undefined import Undefined

__all__ = [
    "FULL_REFERENCE",
    "FullReference",
    "compare",
    "fit_intensity",
    "gmsd",
    "ms_ssim",
    "psnr",
    "rmse",
    "ssim",
    "vif",
]

Grey = npt.NDArray[np.floating]
Array = npt.NDArray[np.float64]

#: Weights of the five scales (Wang, Simoncelli and Bovik 2003, sec. 4).
_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def rmse(target: Grey, reference: Grey) -> float:
    """Return the root mean squared difference, in the unit of the pixels."""
    difference = np.asarray(target, dtype=np.float64) - np.asarray(reference, dtype=np.float64)
    return float(np.sqrt(np.mean(difference * difference)))


def psnr(target: Grey, reference: Grey, *, data_range: float) -> float:
    """Return the peak signal-to-noise ratio, dB: ``20 log10(data_range / RMSE)``.

    Raises
    ------
    Undefined
        If the images are equal, for which it is infinite.
    """
    error = rmse(target, reference)
    if error == 0:
        raise Undefined("The images are equal, so that the peak signal-to-noise ratio is infinite.")
    return 20 * math.log10(data_range / error)


def ssim(target: Grey, reference: Grey, *, data_range: float) -> float:
    """Return the structural similarity, at most 1.

    Gaussian window of 11 x 11 with sigma 1.5, K1 = 0.01, K2 = 0.03, biased covariance, windows wholly inside the
    image, as in the paper; computed by scikit-image.

    Raises
    ------
    Undefined
        If a side is shorter than 11 pixels.

    References
    ----------
    Z. Wang et al., IEEE Trans. Image Process. 13 (2004), eq. 13.
    """
    _at_least(target, 11)
    from skimage.metrics import structural_similarity

    return float(
        structural_similarity(  # type: ignore[no-untyped-call]
            np.asarray(target, dtype=np.float64),
            np.asarray(reference, dtype=np.float64),
            data_range=data_range,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def ms_ssim(target: Grey, reference: Grey, *, data_range: float) -> float:
    """Return the multi-scale structural similarity, in [0, 1].

    Five scales, each the mean of 2 x 2 blocks of the one before; windows as in `ssim`. A negative mean of contrast and
    structure at a scale counts as 0.

    Raises
    ------
    Undefined
        If a side is shorter than 176 pixels, so that the coarsest scale holds no window of 11 x 11.

    References
    ----------
    Z. Wang, E. P. Simoncelli, A. C. Bovik, Asilomar 2003, eq. 7.
    """
    _at_least(target, 11 * 2 ** (len(_SCALES) - 1))
    x, y = np.asarray(target, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    window = _gaussian(11, 1.5)
    product = 1.0
    for scale, weight in enumerate(_SCALES):
        mean_x, mean_y, var_x, var_y, covariance = _moments(x, y, window)
        similarity = (2 * covariance + c2) / (var_x + var_y + c2)
        if scale == len(_SCALES) - 1:
            similarity *= (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
        product *= max(float(similarity.mean()), 0.0) ** weight
        x, y = _halve(x, "edge"), _halve(y, "edge")
    return product


def vif(target: Grey, reference: Grey, *, data_range: float) -> float:
    """Return the visual information fidelity in the pixel domain: 1 for equal images, above 1 where contrast rose.

    The noise variance of the visual system is 2 on a scale of 255 levels, to which ``data_range`` is brought.

    Raises
    ------
    Undefined
        If a side is shorter than 41 pixels, or the reference is constant.

    References
    ----------
    H. R. Sheikh, A. C. Bovik, IEEE Trans. Image Process. 15 (2006), in the authors' pixel-domain version (VIFp).
    """
    _at_least(target, 41)
    scale = 255 / data_range
    x, y = np.asarray(reference, dtype=np.float64) * scale, np.asarray(target, dtype=np.float64) * scale
    noise, tiny = 2.0, 1e-10
    kept = possible = 0.0
    for level in range(4):
        size = 2 ** (4 - level) + 1
        window = _gaussian(size, size / 5)
        if level:
            x, y = _filter(x, window)[::2, ::2], _filter(y, window)[::2, ::2]
        _, _, var_x, var_y, covariance = _moments(x, y, window)
        var_x, var_y = np.maximum(var_x, 0), np.maximum(var_y, 0)
        # The target is the reference times a gain plus distortion; no gain where either is flat or they run opposite.
        gain = covariance / (var_x + tiny)
        distortion = var_y - gain * covariance
        flat = var_x < tiny
        opposite = (gain < 0) & ~flat
        gain = np.where(flat | opposite | (var_y < tiny), 0, gain)
        distortion = np.where(flat | opposite, var_y, np.where(var_y < tiny, 0, distortion))
        distortion = np.maximum(distortion, tiny)
        var_x = np.where(flat, 0, var_x)
        kept += float(np.log1p(gain**2 * var_x / (distortion + noise)).sum())
        possible += float(np.log1p(var_x / noise).sum())
    if possible <= 0:
        raise Undefined("The reference is constant: there is no information to keep.")
    return kept / possible


def gmsd(target: Grey, reference: Grey, *, data_range: float) -> float:
    """Return the gradient magnitude similarity deviation: 0 for equal images, larger is worse.

    Prewitt gradients of means of 2 x 2 pixels; T = 170 on a scale of 255 levels, to which ``data_range`` is brought.

    Raises
    ------
    Undefined
        If a side is shorter than 6 pixels.

    References
    ----------
    W. Xue, L. Zhang, X. Mou, A. C. Bovik, IEEE Trans. Image Process. 23 (2014), eq. 2-6.
    """
    _at_least(target, 6)
    sizes = []
    for image in (target, reference):
        half = _halve(np.asarray(image, dtype=np.float64) * (255 / data_range), "constant")
        sizes.append(np.hypot(*(ndimage.prewitt(half, axis, mode="constant") / 3 for axis in (0, 1))))
    similarity = (2 * sizes[0] * sizes[1] + 170) / (sizes[0] ** 2 + sizes[1] ** 2 + 170)
    return float(similarity.std())


@dataclass(frozen=True, kw_only=True)
class FullReference:
    """One metric with a reference: the attributes of `scrutiq.metrics.Measure`, and the function behind it.

    Attributes
    ----------
    value : callable
        Given target and reference, ndarrays of float64, shape (H, W), and ``data_range``, returns the value or raises
        `Undefined`.
    """

    name: str
    unit: str
    title: str
    direction: Direction
    range: tuple[float, float]
    source: str
    limits: str
    value: Callable[[Array, Array, float], float]


def compare(
    target: Image,
    reference: Image,
    *,
    data_range: float | tuple[float, float],
    names: Iterable[str] | None = None,
) -> dict[str, Measurement]:
    """Compare an image with its reference.

    Colour is compared in luma. Pixels that are invalid in either image are left out of RMSE and PSNR, and are equal in
    both for the others.

    Parameters
    ----------
    target, reference : Image
        Of the same size and unit.
    data_range : float or tuple of float
        Width of the range of values that matters, in the unit of the images: 255 for 8-bit rasters, the width of the
        window for CT. A pair (low, high) also cuts both images to that range and counts levels from ``low``, as in a
        comparison of what a window shows; with a width, levels count from zero.
    names : iterable of str, optional
        All of `FULL_REFERENCE` when omitted.

    Returns
    -------
    dict of str to Measurement
        A metric without a value (an image too small for it, PSNR of equal images) is absent.

    Raises
    ------
    InputError
        If the images differ in size or unit, or share no valid pixel.
    UsageError
        If ``data_range`` is not positive, or there is no metric of such a name.
    """
    x, y, both = _pair(target, reference)
    if isinstance(data_range, tuple):
        low, high = data_range
        x, y, width = np.clip(x, low, high) - low, np.clip(y, low, high) - low, high - low
    else:
        width = data_range
    if not (math.isfinite(width) and width > 0):
        raise UsageError(f"data_range is a positive width or a pair (low, high), not {data_range}.")
    names = list(FULL_REFERENCE) if names is None else list(names)
    if unknown := [name for name in names if name not in FULL_REFERENCE]:
        raise UsageError(f"there is no metric {unknown[0]!r}: {', '.join(FULL_REFERENCE)}.")
    found = {}
    for name in names:
        metric = FULL_REFERENCE[name]
        by_pixel = name in ("rmse", "psnr")
        try:
            value = metric.value(x[both] if by_pixel else x, y[both] if by_pixel else y, width)
        except Undefined:
            continue
        if math.isfinite(value):
            found[name] = Measurement(value=value, unit=target.unit if metric.unit == PIXEL_UNIT else metric.unit)
    return found


def fit_intensity(target: Image, reference: Image) -> Image:
    """Return the target with its values brought to the scale of the reference by a line, fitted by least squares.

    A denoiser that shifts or stretches the grey scale is otherwise punished for that alone. Fit first, then `compare`.

    Parameters
    ----------
    target, reference : Image
        Of the same size.

    Returns
    -------
    Image
        The target with new pixels, the reference's unit and the reference's ``data_range``.

    Raises
    ------
    InputError
        If the sizes differ, or they share no valid pixel.
    """
    x, y, both = _pair(target, reference, units=False)
    mean_x, mean_y = x[both].mean(), y[both].mean()
    spread = ((x[both] - mean_x) ** 2).sum()
    gain = float(((x[both] - mean_x) * (y[both] - mean_y)).sum() / spread) if spread > 0 else 0.0
    offset = float(mean_y - gain * mean_x)
    return target.replace(pixels=target.pixels * gain + offset, unit=reference.unit, data_range=reference.data_range)


def _pair(target: Image, reference: Image, units: bool = True) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    if target.shape != reference.shape:
        sizes = " and ".join(f"{h} x {w}" for h, w in (target.shape, reference.shape))
        raise InputError(f"an image and its reference have the same size, not {sizes}; crop or resample one of them.")
    if units and target.unit != reference.unit:
        raise InputError(
            f"an image and its reference have the same unit, not {target.unit} and {reference.unit}; convert one."
        )
    both = np.ones(target.shape, dtype=bool)
    for image in (target, reference):
        if image.valid is not None:
            both &= image.valid
    if not both.any():
        raise InputError("the image and its reference have no valid pixel in common.")
    x, y = target.grey().astype(np.float64), reference.grey().astype(np.float64)
    if not both.all():
        filling = np.median(y[both])
        x, y = np.where(both, x, filling), np.where(both, y, filling)
    return x, y, both


def _at_least(image: Grey, side: int) -> None:
    if min(image.shape) < side:
        raise Undefined(f"The image is smaller than {side} pixels on a side.")


def _gaussian(size: int, sigma: float) -> Array:
    x = np.arange(size) - (size - 1) / 2
    weights = np.exp(-(x**2) / (2 * sigma**2))
    return np.asarray(weights / weights.sum())


def _filter(image: Array, window: Array) -> Array:
    """Correlate with a separable window, only where it lies wholly inside the image."""
    half = len(window) // 2
    smooth = ndimage.correlate1d(ndimage.correlate1d(image, window, axis=0), window, axis=1)
    return np.asarray(smooth[half : smooth.shape[0] - half, half : smooth.shape[1] - half])


def _moments(x: Array, y: Array, window: Array) -> tuple[Array, Array, Array, Array, Array]:
    """Return local means, variances and covariance."""
    mean_x, mean_y = _filter(x, window), _filter(y, window)
    return (
        mean_x,
        mean_y,
        _filter(x * x, window) - mean_x**2,
        _filter(y * y, window) - mean_y**2,
        _filter(x * y, window) - mean_x * mean_y,
    )


def _halve(image: Array, beyond: Literal["edge", "constant"]) -> Array:
    """Return means of 2 x 2 blocks; beyond an odd last row or column the edge, or zero, is repeated."""
    image = np.pad(image, [(0, image.shape[0] % 2), (0, image.shape[1] % 2)], mode=beyond)
    return np.asarray(image.reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2).mean(axis=(1, 3)))


_SMOOTH = "Blur is punished less than readers would; it knows nothing of what matters clinically."
_ALL = (
    FullReference(
        name="rmse",
        unit=PIXEL_UNIT,
        title="root mean squared error",
        direction="lower is better",
        range=(0, math.inf),
        source="Root of the mean squared difference.",
        limits="Every pixel counts the same, air included. " + _SMOOTH,
        value=lambda x, y, _: rmse(x, y),
    ),
    FullReference(
        name="psnr",
        unit="dB",
        title="peak signal-to-noise ratio",
        direction="higher is better",
        range=(-math.inf, math.inf),
        source="20 log10(data_range / RMSE).",
        limits="Values compare only for the same data_range and the same share of air. " + _SMOOTH,
        value=lambda x, y, r: psnr(x, y, data_range=r),
    ),
    FullReference(
        name="ssim",
        unit="1",
        title="structural similarity",
        direction="higher is better",
        range=(-1, 1),
        source="Wang et al., IEEE Trans. Image Process. 13 (2004), eq. 13; Gaussian window 11 x 11, sigma 1.5.",
        limits=(
            "Flat background counts as perfectly similar, so that its share moves the value. Noise in the reference "
            "itself lowers it."
        ),
        value=lambda x, y, r: ssim(x, y, data_range=r),
    ),
    FullReference(
        name="ms_ssim",
        unit="1",
        title="multi-scale structural similarity",
        direction="higher is better",
        range=(0, 1),
        source="Wang, Simoncelli and Bovik, Asilomar 2003, eq. 7; five scales.",
        limits="As SSIM. It needs at least 176 pixels on each side.",
        value=lambda x, y, r: ms_ssim(x, y, data_range=r),
    ),
    FullReference(
        name="vif",
        unit="1",
        title="visual information fidelity, pixel domain",
        direction="higher is better",
        range=(0, math.inf),
        source="Sheikh and Bovik, IEEE Trans. Image Process. 15 (2006), pixel-domain version (VIFp).",
        limits="Noise in the reference counts as information to be kept, so that a good denoiser scores low.",
        value=lambda x, y, r: vif(x, y, data_range=r),
    ),
    FullReference(
        name="gmsd",
        unit="1",
        title="gradient magnitude similarity deviation",
        direction="lower is better",
        range=(0, 1),
        source="Xue et al., IEEE Trans. Image Process. 23 (2014), eq. 2-6; T = 170 on 255 levels.",
        limits="It is the spread of local similarity, so that an evenly degraded image may score well.",
        value=lambda x, y, r: gmsd(x, y, data_range=r),
    ),
)

#: Every metric with a reference, by name.
FULL_REFERENCE: Mapping[str, FullReference] = MappingProxyType({entry.name: entry for entry in _ALL})
