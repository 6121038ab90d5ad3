"""Lossy JPEG 2000 compression: dead-zone quantisation of the 9/7 wavelet subbands, at any bit depth (ITU-T T.800)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import display_width, geometric
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION", "analyse", "synthesise"]

Array = npt.NDArray[np.float64]
Bands = tuple[Array, Array, Array]

#: Lifting steps and scale of the irreversible 9/7 transform, ITU-T T.800 (08/2002), table F.4.
_STEPS = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
_SCALE = 1.230174104914001
#: L2 norms of the synthesis of (HL or LH, HH) by level, and of the last LL, for step sizes of equal weight (T.800,
#: annex E.1).
_NORMS = ((1.011, 0.520), (1.997, 0.967), (4.183, 2.079), (8.534, 4.300), (17.17, 8.687), (34.38, 17.42))
#: Weights of visibility relative to luminance, T.800 annex J.8, rounded.
_CHROMA = 2.0

#: Levels that are measured.
_LEVELS = 5

#: RGB to YCbCr of the irreversible component transform, T.800 annex G.3.
_TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.16875, -0.33126, 0.5], [0.5, -0.41869, -0.08131]])


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return {
        "step": geometric(0.7, 80, severity) * display_width(image) / 255,
        "levels": int(rng.integers(4, 7)),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    step, levels = float(parameters["step"]), int(parameters["levels"])
    values = image.pixels.astype(np.float64)
    if not image.is_colour:
        return image.replace(pixels=_lossy(values, step, levels))
    planes = np.moveaxis(values @ _TO_YCC.T, 2, 0)
    coded = [_lossy(plane, step * (_CHROMA if k else 1), levels) for k, plane in enumerate(planes)]
    return image.replace(pixels=np.stack(coded, axis=2) @ np.linalg.inv(_TO_YCC).T)


def _lossy(plane: Array, step: float, levels: int) -> Array:
    level = float(plane.mean())
    rest, bands = analyse(plane - level, levels)
    kept = []
    for k, (hl, lh, hh) in enumerate(bands):
        sides, corner = _NORMS[min(k, len(_NORMS) - 1)]
        kept.append((_quantised(hl, step / sides), _quantised(lh, step / sides), _quantised(hh, step / corner)))
    return synthesise(_quantised(rest, step / (2.0 ** len(bands) * 0.98)), kept, plane.shape) + level


def _quantised(band: Array, step: float) -> Array:
    """Return coefficients after dead-zone quantisation, T.800 eq. E-2, and reconstruction at mid-step, eq. E-6."""
    index = np.floor(np.abs(band) / step)
    return np.asarray(np.sign(band) * np.where(index > 0, (index + 0.5) * step, 0.0))


def analyse(plane: Array, levels: int) -> tuple[Array, list[Bands]]:
    """Return the lowest subband and, from fine to coarse, the detail subbands (HL, LH, HH) of the 9/7 transform.

    Parameters
    ----------
    plane : ndarray, shape (H, W)
    levels : int
        Fewer are made where a side would fall below 2 pixels.
    """
    bands = []
    for _ in range(levels):
        if min(plane.shape) < 4:
            break
        low, high = _split(plane, 1)
        (ll, lh), (hl, hh) = _split(low, 0), _split(high, 0)
        bands.append((hl, lh, hh))
        plane = ll
    return plane, bands


def synthesise(rest: Array, bands: list[Bands], shape: tuple[int, ...]) -> Array:
    """Return the image of `analyse`'s subbands."""
    for hl, lh, hh in reversed(bands):
        rest = _join(_join(rest, lh, 0), _join(hl, hh, 0), 1)
    assert rest.shape == tuple(shape)
    return rest


def _split(values: Array, axis: int) -> tuple[Array, Array]:
    x = np.moveaxis(values, axis, 0)
    even, odd = x[0::2].copy(), x[1::2].copy()
    for k, factor in enumerate(_STEPS):
        if k % 2 == 0:
            odd += factor * (even[: len(odd)] + _after(even, len(odd)))
        else:
            even += factor * (_before(odd, len(even)) + _at(odd, len(even)))
    return np.moveaxis(even / _SCALE, 0, axis), np.moveaxis(odd * _SCALE, 0, axis)


def _join(low: Array, high: Array, axis: int) -> Array:
    even, odd = np.moveaxis(low, axis, 0) * _SCALE, np.moveaxis(high, axis, 0) / _SCALE
    for k, factor in reversed(list(enumerate(_STEPS))):
        if k % 2 == 0:
            odd = odd - factor * (even[: len(odd)] + _after(even, len(odd)))
        else:
            even = even - factor * (_before(odd, len(even)) + _at(odd, len(even)))
    x = np.empty((len(even) + len(odd), *even.shape[1:]))
    x[0::2], x[1::2] = even, odd
    return np.moveaxis(x, 0, axis)


# Whole-sample symmetric extension (T.800, F.3.7): the neighbour beyond an end is the one before it.
def _after(even: Array, count: int) -> Array:
    return np.concatenate([even[1:], even[-1:]])[:count]


def _before(odd: Array, count: int) -> Array:
    return np.concatenate([odd[:1], odd])[:count]


def _at(odd: Array, count: int) -> Array:
    return odd if len(odd) == count else np.concatenate([odd, odd[-1:]])


def _any(context: Context) -> str | None:
    return None


def _zero_share(context: Context) -> float:
    seen = ndimage.binary_erosion(context.foreground if context.foreground.any() else context.seen, iterations=2)
    grey = context.grey.astype(np.float64)
    low, high = np.percentile(grey[seen], (1, 99)) if seen.any() else (0.0, 0.0)
    if not high > low:
        raise Undefined("Nothing varies in the foreground.")
    _, bands = analyse(grey, _LEVELS)
    shares = []
    for k, level in enumerate(bands):
        place = seen[:: 2 ** (k + 1), :: 2 ** (k + 1)]
        inside = [np.abs(band[: place.shape[0], : place.shape[1]]) for band in level]
        inside = [band[place[: band.shape[0], : band.shape[1]]] for band in inside]
        if sum(band.size for band in inside) < 50:
            break
        # A subband that is empty but for rounding and clipping is all zeros, whatever its mean.
        zeros = [np.count_nonzero(b < max(0.15 * b.mean(), 5e-4 * (high - low))) for b in inside if b.size]
        shares.append(sum(zeros) / sum(band.size for band in inside))
    if not shares:
        raise Undefined("Too little of the image is foreground to look at its wavelet coefficients.")
    return 100 * float(np.mean(shares))


ZEROS = Measure(
    name="wavelet_zeros",
    unit="%",
    title="share of the 9/7 wavelet coefficients that are nearly zero",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Coefficients of the five finest levels of the 9/7 transform (ITU-T T.800, annex F) below 0.15 of the mean "
        "magnitude of their subband, or 1/2000 of the image's range; mean of the levels. A Laplacian distribution has "
        "14 %; dead-zone quantisation empties the subband but for its edges (H. R. Sheikh, A. C. Bovik, L. Cormack, "
        "IEEE Trans. Image Process. 14, 2005: blind quality of JPEG 2000 from the significance of coefficients)."
    ),
    limits=(
        "An image that was moved or cut by an odd number of pixels after compression shows fewer zeros. Denoising by "
        "wavelets, and flat synthetic images, have them without compression."
    ),
    needs=_any,
    value=_zero_share,
)

DEGRADATION = Degradation(
    name="any.jpeg2000",
    draw=_draw,
    apply=_apply,
    measurement=ZEROS,
    thresholds=Thresholds(
        clean=15,
        mild=33,
        severe=55,
        worst=80,
        basis="Middle of the medians of clean bases of the six modalities at severity 0, 1/3, 2/3 and 1.",
    ),
)
