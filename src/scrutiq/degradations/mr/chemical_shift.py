"""Chemical shift: fat precesses 3.4 ppm slower than water and is shown some pixels away along the readout."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.mr.kspace import complex_image, frequencies, from_kspace, pixel_mm, put_back, to_kspace
from scrutiq.degradations.mr.scene import grey_mr, scene
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import Context, Measure, Undefined
from scrutiq.metrics.foreground import filled_grey, otsu

__all__ = ["DEGRADATION", "fat_share"]

Array = npt.NDArray[np.float64]

#: Depth of the outer part of the object, as a share of its size.
_SHELL = 0.2


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    axis = int(rng.integers(2))
    # A matrix of 256 is the unit: a shift of as many hertz is as many millimetres at any matrix.
    shift = geometric(0.5, 9, severity) * max(image.shape) / 256 * float(rng.choice([-1, 1]))
    return {
        "axis": axis,  # of frequency encoding
        "shift_pixels": shift,
        "shift_mm": shift * pixel_mm(image)[axis],
        "phase_seed": new_seed(rng),
    }


def fat_share(image: Image) -> Array:
    """Return the share of fat of each pixel, 0 to 1, shape (H, W): what is bright in the outer shell of the object.

    A single image cannot tell fat from other bright tissue. Fat lies under the skin and is bright in most contrasts, so
    the brighter class (Otsu) of the outer 15 % of the object stands for it, at the scale of 1 % of the image.
    """
    grey = filled_grey(image).astype(np.float64)
    scale = max(1.0, max(image.shape) / 160)
    smooth = ndimage.gaussian_filter(grey, scale)
    try:
        seen = scene(Context(image))
    except Undefined:
        return np.zeros(image.shape)
    depth = 0.15 * math.sqrt(float(seen.hull.sum()))
    inside = np.pad(seen.hull, 1)
    shell = ndimage.distance_transform_edt(inside)[1:-1, 1:-1] < depth
    values = smooth[shell & seen.tissue]
    if values.size < 50:
        return np.zeros(image.shape)
    fat = shell & (smooth > otsu(values)) & seen.hull
    return np.asarray(ndimage.gaussian_filter(fat.astype(np.float64), scale / 2))


def _apply(image: Image, parameters: Parameters) -> Image:
    axis = parameters["axis"]
    true = complex_image(image, parameters["phase_seed"])
    fat = true * fat_share(image)
    turn = np.exp(-2j * np.pi * frequencies(image.shape[axis]) * parameters["shift_pixels"])
    moved = from_kspace(to_kspace(fat, (axis,)) * (turn[:, None] if axis == 0 else turn), (axis,))
    return put_back(image, true - fat + moved)


def _overlap(context: Context) -> float:
    seen = scene(context)
    side = math.sqrt(float(seen.hull.sum()))
    smooth = ndimage.gaussian_filter(seen.values, max(0.7, max(seen.hull.shape) / 256))
    depth = ndimage.distance_transform_edt(np.pad(seen.hull, 1))[1:-1, 1:-1]
    shell = seen.hull & (depth < _SHELL * side)
    tissue = float(np.median(smooth[seen.tissue & seen.hull]))
    return max(0.0, 100 * (float(np.percentile(smooth[shell], 99)) - tissue) / seen.signal)


OVERLAP = Measure(
    name="fat_overlap_percent",
    unit="%",
    title="how far the brightest bands of the outer object exceed tissue, in percent of its signal",
    direction="lower is better",
    range=(0, math.inf),
    source=(
        "Scrutiq: 99th percentile of the smoothed image in the outer fifth of the object, above the median of the "
        "tissue. Where fat is shown over water their signals add, so that the bright band exceeds either (Hood et al., "
        "Radiographics 19, 1999)."
    ),
    limits=(
        "Fat that is bright in its own place, fluid at the surface of a T2-weighted image and the bright side of a "
        "bias field raise it: it compares images of the same anatomy and contrast only. The dark band is not measured, "
        "since bone is as dark."
    ),
    needs=grey_mr,
    value=_overlap,
)

DEGRADATION = Degradation(
    name="mr.chemical_shift",
    draw=_draw,
    apply=_apply,
    measurement=OVERLAP,
    thresholds=Thresholds(
        clean=50, mild=58, severe=82, worst=107, basis="Medians over the real bases (bench/bench_degradations.py)."
    ),
)
