"""Low resolution: a small matrix, filtered and interpolated to that of the image, so that edges are soft."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from scrutiq.core import Image
from scrutiq.degradations.mr.kspace import complex_image, frequencies, from_kspace, pixel_mm, put_back, to_kspace
from scrutiq.degradations.mr.scene import grey_mr, scene
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION", "edge_difference"]

Array = npt.NDArray[np.float64]

#: Distances, pixels, at which pixels are compared.
_NEAR, _FAR = 1, 4
#: 10-90 % rise of an edge under a Gaussian blur, in standard deviations.
_RISE = 2.563


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    kept = geometric(1.6, 0.16, severity)
    return {
        "kept": kept,
        "pixel_mm": [size / min(kept, 1) for size in pixel_mm(image)],  # of the acquired matrix
        "phase_seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    kspace = to_kspace(complex_image(image, parameters["phase_seed"]))
    for axis, n in enumerate(image.shape):
        # Hann's window over what was acquired, zeros beyond.
        away = np.minimum(np.abs(2 * frequencies(n)) / parameters["kept"], 1)
        window = 0.5 + 0.5 * np.cos(np.pi * away)
        kspace *= window[:, None] if axis == 0 else window
    return put_back(image, from_kspace(kspace))


def edge_difference(distance: Array) -> Array:
    """Return the squared difference over a distance, summed across an edge that is blurred by a Gaussian.

    ``a erf(a / 2) - 2 / sqrt(pi) (1 - exp(-a^2 / 4))``, the integral of ``(Phi(x + a) - Phi(x))^2``, where a is the
    distance in standard deviations of the blur.
    """
    return np.asarray(distance * special.erf(distance / 2) - 2 / math.sqrt(math.pi) * (1 - np.exp(-(distance**2) / 4)))


def _resolution(context: Context) -> float:
    seen = scene(context)
    assert context.image.spacing is not None
    object_ = ~seen.air
    rises = [_blur(seen.values, object_, axis) * context.image.spacing[axis] for axis in (0, 1)]
    return _RISE * max(rises)


def _blur(values: Array, mask: npt.NDArray[np.bool_], axis: int) -> float:
    """Return the standard deviation, pixels, of the Gaussian blur of the edges across an axis."""
    values, mask = np.moveaxis(values, axis, 0), np.moveaxis(mask, axis, 0)
    sums = []
    for distance in (_NEAR, _FAR):
        here = mask[distance:] | mask[:-distance]
        sums.append(float(((values[distance:] - values[:-distance]) ** 2)[here].sum()))
    if sums[1] <= 0:
        raise Undefined("The object is flat: it has no edges.")
    # A pixel that is a box of its own width rises over 0.8 of it: no edge is sharper.
    sigma = np.geomspace(0.8 / _RISE, 50, 400)
    ratio = edge_difference(_NEAR / sigma) / edge_difference(_FAR / sigma)
    return float(np.interp(-sums[0] / sums[1], -ratio, sigma))


def _needs(context: Context) -> str | None:
    return grey_mr(context) or (None if context.image.spacing is not None else "The pixel spacing is not known.")


RESOLUTION = Measure(
    name="effective_resolution_mm",
    unit="mm",
    title="10-90 % rise of edges from how much pixels differ at one and at four pixels' distance",
    direction="lower is better",
    range=(0, math.inf),
    source=(
        "Scrutiq: ratio of the structure function at two distances over the object, solved for the Gaussian blur of a "
        "straight edge (closed form of the integral of (Phi(x + a) - Phi(x))^2), of the softer axis; the rise as in "
        "ISO 12233:2017, 3.13."
    ),
    limits=(
        "Noise looks sharp to it, and so do structures of less than four pixels. All edges count, soft ones too, so "
        "that it can read higher than the rise of the sharpest edges. It says little above 20 pixels."
    ),
    needs=_needs,
    value=_resolution,
)

DEGRADATION = Degradation(
    name="mr.low_resolution",
    draw=_draw,
    apply=_apply,
    measurement=RESOLUTION,
    thresholds=Thresholds(
        clean=0.8,
        mild=2.3,
        severe=4.3,
        worst=8.9,
        scale="log",
        basis="Medians over the real bases (bench/bench_degradations.py).",
    ),
)
