"""Resampling: the image was stored with too few pixels and enlarged again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION"]

Array = npt.NDArray[np.float64]

#: Order of the spline with which the small image is enlarged.
_KERNELS = {"linear": 1, "cubic": 3}
#: Least pixels that are left of a side.
_LEAST = 16


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    kernel = list(_KERNELS)[int(rng.integers(len(_KERNELS)))]
    factor = 1 + geometric(0.12, 6, severity) * float(rng.uniform(0.9, 1.1))
    return {"factor": factor, "kernel": kernel, "matrix": [max(_LEAST, round(n / factor)) for n in image.shape]}


def _apply(image: Image, parameters: Parameters) -> Image:
    small, order = [int(n) for n in parameters["matrix"]], _KERNELS[str(parameters["kernel"])]
    planes = image.pixels[..., None] if not image.is_colour else image.pixels
    made = [_there_and_back(planes[..., c].astype(np.float64), small, order) for c in range(planes.shape[2])]
    return image.replace(pixels=np.stack(made, axis=2) if image.is_colour else made[0])


def _there_and_back(plane: Array, small: list[int], order: int) -> Array:
    shape = plane.shape
    for axis, count in enumerate(small):
        size = shape[axis]
        if count >= size:
            continue
        # A pixel of the small image is the mean over its area (a detector element): the integral is interpolated.
        total = np.cumsum(np.moveaxis(plane, axis, 0), axis=0)
        total = np.concatenate([np.zeros_like(total[:1]), total])
        edges = np.linspace(0, size, count + 1)
        whole = np.minimum(edges.astype(int), size - 1)
        share = (edges - whole).reshape(-1, *([1] * (plane.ndim - 1)))
        at = total[whole] * (1 - share) + total[whole + 1] * share
        plane = np.moveaxis(np.diff(at, axis=0) * (count / size), 0, axis)
    factors = [n / m for n, m in zip(shape, plane.shape, strict=True)]
    return np.asarray(ndimage.zoom(plane, factors, order=order, mode="nearest", grid_mode=True))


def _any(context: Context) -> str | None:
    return None


def _cut_off(context: Context) -> float:
    grey = context.grey.astype(np.float64)
    mask = context.foreground if context.foreground.any() else context.seen
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    part = grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inside = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    if min(part.shape) < 32:
        raise Undefined("The image is too small to measure its spectrum.")
    # Everything outside takes the mean, and the border fades to it, so that only what is inside has a spectrum.
    soft = ndimage.gaussian_filter(ndimage.binary_erosion(inside, iterations=6).astype(np.float64), 2)
    if soft.sum() < 400:
        raise Undefined("The foreground is too small to measure its spectrum.")
    level = float((part * soft).sum() / soft.sum())
    power = np.abs(fft.rfft2((part - level) * soft)) ** 2
    power[:, 1:-1] *= 2  # the half of the spectrum that is left out by symmetry
    frequency = np.hypot(fft.fftfreq(part.shape[0])[:, None], fft.rfftfreq(part.shape[1])[None, :])
    # Weighted by the square of the frequency, as the spectrum of the gradient: natural images fall off about so.
    weighted = np.bincount(
        np.minimum((frequency * 400).astype(int), 199).ravel(), (power * frequency**2).ravel(), minlength=200
    )
    total = np.cumsum(weighted)
    if not total[-1] > 0:
        raise Undefined("Nothing varies in the foreground.")
    return float(np.interp(0.95 * total[-1], total, (np.arange(200) + 1) / 400))


CUT_OFF = Measure(
    name="spectral_cut_off",
    unit="1/pixel",
    title="frequency below which 95 % of the power of the gradient lies; 0.5 is the limit of the pixel grid",
    direction="higher is better",
    range=(0, 0.5),
    source=(
        "Power spectrum of the foreground, times the square of the frequency, since that of natural images falls with "
        "it (D. J. Field, J. Opt. Soc. Am. A 4, 1987); a matrix n times too small leaves nothing beyond 0.5 / n."
    ),
    limits=(
        "Any blur lowers it, and noise raises it. Images that the scanner interpolated, as many in CT and MR, lie "
        "lower from the outset."
    ),
    needs=_any,
    value=_cut_off,
)

DEGRADATION = Degradation(
    name="any.resampling",
    draw=_draw,
    apply=_apply,
    measurement=CUT_OFF,
    thresholds=Thresholds(
        clean=0.44,
        mild=0.27,
        severe=0.2,
        worst=0.11,
        scale="log",
        basis="Middle of the medians of clean bases of the six modalities at severity 0, 1/3, 2/3 and 1.",
    ),
    exception="Soft images of full resolution cut off as low: other measurements tell it better in MR, XA and fundus.",
)
