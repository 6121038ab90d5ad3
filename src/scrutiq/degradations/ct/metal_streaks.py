"""How strong streaks and shadows are in the tissue about metal."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from scrutiq.degradations.ct.where import hounsfield, spaced
from scrutiq.metrics import Context, Measure
from scrutiq.metrics.noise import local_moments, whole_windows

__all__ = ["METAL_STREAKS_HU"]

#: No tissue is as dense, HU; cortical bone reaches 1,900.
_METAL_HU = 2200.0
#: Nearer than this to metal its own blur counts; farther away its streaks have faded, mm.
_NEAR_MM, _FAR_MM = 3.0, 50.0
#: The windows, pixels, and what counts as soft tissue in their mean, HU.
_SIDE, _SOFT_HU = 5, 250.0


def _metal(context: Context) -> float:
    image = context.image
    assert image.spacing is not None
    metal = image.pixels > _METAL_HU
    if image.valid is not None:
        metal &= image.valid
    if not metal.any():
        return 0.0
    away = ndimage.distance_transform_edt(~metal, sampling=image.spacing)
    near = (away > _NEAR_MM) & (away < _FAR_MM)
    # In small windows of soft tissue, streaks included, and the lower quartile of them: the others show anatomy.
    values = hounsfield(context)
    soft = (np.abs(ndimage.uniform_filter(values, _SIDE)) < _SOFT_HU) & (away > _NEAR_MM)
    _, spread = local_moments(values, soft, whole_windows(soft, _SIDE), _SIDE)
    found = spread[near & np.isfinite(spread)]
    return float(np.quantile(found, 0.25)) if found.size >= 50 else 0.0


METAL_STREAKS_HU = Measure(
    name="metal_streaks_hu",
    unit="HU",
    title="fluctuation of the tissue within 50 mm of metal; 0 where there is no metal",
    direction="lower is better",
    range=(0, float("inf")),
    source=(
        "Lower quartile of the standard deviations in 5 x 5 windows of soft tissue between 3 and 50 mm from pixels "
        "above 2,200 HU, as the deviation in regions about the implant is reported (Kachelriess et al., Med. Phys. "
        "24, 1997; AAPM CT-MAR challenge)."
    ),
    limits="Anatomy within 50 mm of the metal counts; dense contrast medium and dense teeth count as metal.",
    needs=spaced,
    value=_metal,
)
