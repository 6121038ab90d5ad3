"""What an image's own measurements say: those of every degradation of its modality, and the general ones.

Each degradation brings the quantity that gives it away: nothing has to learn what can be measured.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from scrutiq.assessors.net.planes import levels
from scrutiq.core import Image, Modality
from scrutiq.degradations import degradations
from scrutiq.metrics import MEASURES, Context
from scrutiq.metrics.context import context_of

__all__ = ["gauge", "gauges", "picture"]

#: Too slow for what they tell beside the others: one finds overlays, which the statistics of the image show as well,
#: one blobs, and a lesion is no fault.
_LEFT_OUT = frozenset({"overlay_area", "blob_contrast_hu"})

#: Longest side of what is measured, pixels.
_PART = 1024


@cache
def gauges(modality: Modality) -> tuple[str, ...]:
    """Return the names of the measurements of a modality, in a fixed order."""
    own = [one.measurement.name for one in degradations(modality) if not one.volume]
    return tuple(name for name in dict.fromkeys([*own, *MEASURES]) if name not in _LEFT_OUT)


def gauge(image: Image | Context) -> npt.NDArray[np.float32]:
    """Return the measurements of an image in the order of `gauges`, float32; NaN where one has no value.

    CT without a unit is measured as the picture of 8 bits that is displayed, without its pixel size: that is what the
    heads were fitted to beside CT in HU, and nothing then depends on the scale of the stored values. Of a large image
    the middle is measured, at most 1024 pixels a side: some measurements take time and memory without bound, and the
    heads were fitted to smaller ones.
    """
    return context_of(image).once(_gauge)


def _gauge(context: Context) -> npt.NDArray[np.float32]:
    modality = context.image.modality
    if modality is Modality.CT and not context.image.is_calibrated:
        context = Context(picture(levels(context.image), modality))
    if max(context.image.shape) > _PART:
        context = Context(_middle(context.image))
    by_name = {**MEASURES, **{d.measurement.name: d.measurement for d in degradations(modality) if not d.volume}}
    values = [by_name[name].compute(context) for name in gauges(modality)]
    return np.array([np.nan if value is None else value for value in values], np.float32)


def picture(shown: npt.NDArray[np.uint8], modality: Modality) -> Image:
    """Return display levels, uint8, shape (H, W) or (H, W, 3), as an image without unit and pixel size."""
    return Image(pixels=shown, modality=modality, data_range=(0, 255))


def _middle(image: Image) -> Image:
    rows, columns = (slice(max(0, (n - _PART) // 2), max(0, (n - _PART) // 2) + _PART) for n in image.shape)
    valid = None if image.valid is None else image.valid[rows, columns]
    return image.replace(pixels=image.pixels[rows, columns], valid=valid)
