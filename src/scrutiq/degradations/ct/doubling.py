"""How wide the skin's edge is at the front of a slice, where breathing blurs and doubles it."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from scrutiq.degradations.ct.where import hounsfield, spaced
from scrutiq.metrics import Context, Measure
from scrutiq.metrics.undefined import Undefined

__all__ = ["DOUBLE_SKIN_MM"]


def _width(context: Context) -> float:
    image = context.image
    assert image.spacing is not None
    values = ndimage.uniform_filter1d(hounsfield(context), 3, axis=1)
    rows, columns = np.nonzero(context.tissue)
    left, right = np.quantile(columns, (0.3, 0.7)).astype(int)
    widths = []
    for column in range(left, right + 1):
        inside = rows[columns == column]
        if not inside.size:
            continue
        profile = values[: inside.min() + 8, column]
        # From where air ends for good to where tissue begins: -900 to -250 HU.
        dense = np.nonzero(profile > -250)[0]
        if not dense.size:
            continue
        edge = int(dense[0])
        air = np.nonzero(profile[:edge] < -900)[0]
        if air.size:
            widths.append(edge - int(air[-1]))
    if len(widths) < 10:
        raise Undefined("The skin of the front is not in view.")
    return float(np.mean(widths) * image.spacing[0])


DOUBLE_SKIN_MM = Measure(
    name="front_skin_mm",
    unit="mm",
    title="width of the skin's edge at the front of the body",
    direction="lower is better",
    range=(0, float("inf")),
    source=(
        "Mean, over the middle of the body's breadth, of the distance along a column from the last air below -900 HU "
        "to the first tissue above -250 HU at the front; a wall that moves during the scan is spread over its "
        "excursion (Ritchie et al., Radiology 190, 1994, on doubled contours)."
    ),
    limits="Clothing, sheets and blur of any other kind widen the edge. A prone patient breathes on the other side.",
    needs=spaced,
    value=_width,
)
