"""How wrong the CT numbers of tissue are from rim to depth."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.degradations.ct.where import calibrated, depth, smoothed
from scrutiq.metrics import Context, Measure
from scrutiq.metrics.undefined import Undefined

__all__ = ["CUPPING_HU", "DEEP_TISSUE_HU"]

Array = npt.NDArray[np.float64]

#: Amplitudes that are tried, HU.
_TRIED = np.arange(-200.0, 401.0, 10.0)
#: Tissue whose histogram is sharpened, HU.
_SOFT = (-250.0, 200.0)
#: Pixels of which the histogram is made.
_ENOUGH = 20_000


def _entropy(values: Array) -> float:
    counts, _ = np.histogram(values - np.median(values), bins=160, range=(-400, 400))
    share = ndimage.gaussian_filter1d(counts.astype(np.float64), 1.5)
    share = share[share > 0] / share.sum()
    return float(-(share * np.log(share)).sum())


def _cupping(context: Context) -> float:
    tissue = context.tissue
    smooth = smoothed(context)
    soft = tissue & (smooth > _SOFT[0]) & (smooth < _SOFT[1])
    if soft.sum() < 500:
        raise Undefined("Too little soft tissue is in view.")
    # Every so many pixels: a histogram needs no more.
    step = -(-int(soft.sum()) // _ENOUGH)
    deep = depth(context)[soft][::step]
    shape, values = deep * (2 - deep), smooth[soft][::step]
    entropy = np.array([_entropy(values + amplitude * shape) for amplitude in _TRIED])
    best = int(entropy.argmin())
    if best in (0, len(_TRIED) - 1):
        return float(_TRIED[best])
    before, at, after = entropy[best - 1 : best + 2]
    return float(_TRIED[best] + 5 * (before - after) / max(before - 2 * at + after, 1e-12))


def _deep_tissue(context: Context) -> float:
    values = smoothed(context)[context.tissue & (depth(context) > 0.5)]
    if values.size < 100:
        raise Undefined("Too little tissue lies deep in the body.")
    return float(np.median(values))


CUPPING_HU = Measure(
    name="cupping_hu",
    unit="HU",
    title="how much darker the depth of the body is than its rim",
    direction="lower is better",
    range=(-200, 400),
    source=(
        "The amplitude of a smooth rise from rim to depth (x (2 - x) of the relative depth x) that, added, makes the "
        "histogram of soft tissue sharpest: least entropy, as bias fields are found (Likar et al., IEEE Trans. Med. "
        "Imaging 20, 2001)."
    ),
    limits=(
        "Fat under the skin and organs with contrast medium in the depth look like the opposite of cupping and make it "
        "negative: compare slices of one region."
    ),
    needs=calibrated,
    value=_cupping,
)

DEEP_TISSUE_HU = Measure(
    name="deep_tissue_hu",
    unit="HU",
    title="CT number of tissue in the depth of the body",
    direction="neither",
    range=(-300, 300),
    source=(
        "Median of the tissue deeper than half of the greatest depth. The CT number scale fixes it (IEC "
        "61223-3-5:2019, mean CT number): organs and muscle lie at 30 to 70 HU, with contrast medium up to 150."
    ),
    limits="Fat in the depth lowers it and contrast medium raises it: anatomy and shading cannot be told apart.",
    needs=calibrated,
    value=_deep_tissue,
)
