"""What is round about the isocentre in a slice: rings, and the edge of a field that is too small."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from scrutiq.degradations.ct.where import calibrated, polar, unrolled
from scrutiq.metrics import Context, Measure
from scrutiq.metrics.undefined import Undefined

__all__ = ["FIELD_EDGE", "RINGS_HU"]

#: Radii below this many pixels have too few pixels to tell a ring from noise.
_INNERMOST = 6
#: A step of this height, HU, ends a field.
_STEP_HU = 250.0


def _rings(context: Context) -> float:
    values = unrolled(context)
    tissue = polar(context.tissue.astype(np.float64)) > 0.99
    fine = values - ndimage.median_filter(values, (1, 11))
    inner = np.asarray(ndimage.minimum_filter(tissue, (1, 7)))
    seen = inner.sum(axis=0) > 36  # a twentieth of the turn
    seen[:_INNERMOST] = False
    if seen.sum() < 5:
        raise Undefined("Too little tissue lies on circles about the middle of the image.")
    ring = np.nanmedian(np.where(inner, fine, np.nan)[:, seen], axis=0)
    return float(np.sqrt(np.mean(ring**2)))


def _edge(context: Context) -> float:
    values = ndimage.uniform_filter1d(unrolled(context), 3, axis=1)
    step = values[:, :-4] - values[:, 4:] > _STEP_HU
    last = step.shape[1]
    return float(100 * step[:, int(0.3 * last) : int(0.97 * last)].mean(axis=0).max(initial=0))


RINGS_HU = Measure(
    name="rings_hu",
    unit="HU",
    title="amplitude of rings about the middle of the image",
    direction="lower is better",
    range=(0, float("inf")),
    source=(
        "Root mean square over the radii of the median along each circle of tissue, after a median filter of 11 "
        "pixels along the radius is subtracted; polar coordinates as in Sijbers and Postnov, Phys. Med. Biol. 49 "
        "(2004)."
    ),
    limits=(
        "It takes the middle of the image for the isocentre: rings of an image that was reconstructed off-centre are "
        "not seen. Round anatomy at the centre counts."
    ),
    needs=calibrated,
    value=_rings,
)

FIELD_EDGE = Measure(
    name="field_edge",
    unit="%",
    title="share of a circle about the middle of the image at which the body ends abruptly",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Share of the angles at which values fall by more than 250 HU within four pixels at one radius, at the radius "
        "where that share is highest; a body's outline is no circle about the isocentre, the edge of a scan field is "
        "(Ohnesorge et al., Med. Phys. 27, 2000)."
    ),
    limits="A round phantom or a head in the middle of the image ends in a circle too.",
    needs=calibrated,
    value=_edge,
)
