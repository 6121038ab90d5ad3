"""What an image's own measurements say: those of every degradation of its modality, and the general ones.

Each degradation brings the quantity that gives it away. Beside the embedding they are the strongest sign of which fault
an image has: the network does not have to learn what can be measured.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image, Modality
from scrutiq.degradations import degradations
from scrutiq.metrics import MEASURES, Context

__all__ = ["gauge", "gauges"]


@cache
def gauges(modality: Modality) -> tuple[str, ...]:
    """Return the names of the measurements of a modality, in a fixed order."""
    own = [one.measurement.name for one in degradations(modality) if not one.volume]
    return tuple(dict.fromkeys([*own, *MEASURES]))


def gauge(image: Image) -> npt.NDArray[np.float32]:
    """Return the measurements of an image in the order of `gauges`, float32; NaN where one has no value."""
    context = Context(image)
    by_name = {**MEASURES, **{d.measurement.name: d.measurement for d in degradations(image.modality) if not d.volume}}
    values = [by_name[name].compute(context) for name in gauges(image.modality)]
    return np.array([np.nan if value is None else value for value in values], np.float32)
