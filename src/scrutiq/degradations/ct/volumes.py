"""The distance between the slices of a CT volume, and what is measured in the plane across them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image, UsageError
from scrutiq.degradations.ct.where import hounsfield, spaced
from scrutiq.degradations.tools import reformat
from scrutiq.metrics import Context, Measure
from scrutiq.metrics.undefined import Undefined

__all__ = ["RIPPLE_ACROSS_HU", "RISE_ACROSS_MM", "slice_distance"]

#: Reach along which the height of an edge is taken, mm, and the least height, HU.
_REACH_MM, _HEIGHT_HU = 12.0, 30.0
#: Widths of the Gaussians between which vanes lie, pixels: noise is finer, organs are coarser.
_BAND = (1.5, 5.0)


def slice_distance(volume: Sequence[Image]) -> float:
    """Return the distance between slices, mm.

    Raises
    ------
    UsageError
        If the slices do not state it.
    """
    spacing = reformat(volume).spacing
    if spacing is None:
        raise UsageError("the distance between the slices of this volume is not known: state it.")
    return spacing[0]


def _rise(context: Context) -> float:
    image = context.image
    assert image.spacing is not None
    # Along the slices the noise may be averaged, across them nothing.
    values, step = ndimage.uniform_filter1d(hounsfield(context), 5, axis=1), image.spacing[0]
    if values.shape[0] < 5:
        raise Undefined("Fewer than five slices hold no edge to measure across them.")
    slope = np.abs(values[2:] - values[:-2]) / (2 * step)
    reach = max(1, round(_REACH_MM / step))
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    height = (windows.max(axis=2) - windows.min(axis=2))[1:-1]
    # The steepest place of each column, where that is an edge.
    at = slope.argmax(axis=0)
    columns = np.arange(values.shape[1])
    tall = height[at, columns] > _HEIGHT_HU
    if tall.sum() < 5:
        raise Undefined("No edge crosses the slices.")
    rises = 0.8 * height[at, columns][tall] / slope[at, columns][tall]
    return float(np.median(rises))


def _ripple(context: Context) -> float:
    values = hounsfield(context)
    soft = np.abs(ndimage.uniform_filter(values, 3)) < 200
    inner = np.asarray(ndimage.binary_erosion(soft, iterations=2, border_value=1))
    if inner.sum() < 100:
        raise Undefined("Too little soft tissue lies in the plane across the slices.")
    fine, coarse = (_mean(values, inner, width) for width in _BAND)
    return float(1.4826 * np.median(np.abs(fine - coarse)[inner]))


def _mean(values: npt.NDArray[np.float64], mask: npt.NDArray[np.bool_], width: float) -> npt.NDArray[np.float64]:
    weight = ndimage.gaussian_filter(mask.astype(np.float64), width)
    return np.asarray(ndimage.gaussian_filter(np.where(mask, values, 0.0), width) / np.maximum(weight, 0.01))


RISE_ACROSS_MM = Measure(
    name="rise_across_slices_mm",
    unit="mm",
    title="10-90 % rise distance of edges across the slices",
    direction="lower is better",
    range=(0, float("inf")),
    source=(
        "Four fifths of the height of an edge over its steepest slope along the column, at the steepest place of each "
        "column, median: the rise of the edge spread function (ISO 12233:2017) in the direction of the slice "
        "sensitivity profile."
    ),
    limits="It needs the plane across the slices of a volume. An edge that lies oblique to the slices reads too wide.",
    needs=spaced,
    value=_rise,
)

RIPPLE_ACROSS_HU = Measure(
    name="ripple_across_slices_hu",
    unit="HU",
    title="coarse bands in the soft tissue of the plane across the slices",
    direction="lower is better",
    range=(0, float("inf")),
    source=(
        "Median absolute value, times 1.4826, between Gaussians of 1.5 and 5 pixels: vanes of a windmill pass through "
        "the plane as bands some slices wide (Silver et al., Proc. SPIE 5032, 2003, on their period along z)."
    ),
    limits="Anatomy of that size counts, so that it compares only volumes of one region; coarse noise counts too.",
    needs=spaced,
    value=_ripple,
)
