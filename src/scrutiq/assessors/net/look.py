"""`Look`: an image in numbers, before anything is judged: display levels, statistics, texture.

The embedding of the network is no part of it. The trees trusted it too much, since it had learnt the very samples that
they were fitted to, and with it the domain check took new patients for strangers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scrutiq.assessors.net.planes import luma, planes
from scrutiq.assessors.net.statistics import statistics
from scrutiq.assessors.net.texture import texture

__all__ = ["Look", "look", "middle"]

Floats = npt.NDArray[np.float32]
Shown = npt.NDArray[np.uint8]

#: Longest side of the part in whose middle texture is measured, pixels: it costs no more in a large image.
_PART = 512


@dataclass(frozen=True)
class Look:
    """What an image looks like.

    Attributes
    ----------
    shown : ndarray of uint8, shape (H, W) or (H, W, 3)
        Display levels.
    statistics : ndarray of float32, shape (S,)
        `scrutiq.assessors.net.statistics.statistics`; the domain check takes them.
    texture : ndarray of float32, shape (55,)
        `scrutiq.assessors.net.texture.texture` of the middle of the image, in luma.
    """

    shown: Shown
    statistics: Floats
    texture: Floats

    @property
    def vector(self) -> Floats:
        """Statistics and texture, shape (D,): what the heads take beside the measurements."""
        return np.concatenate([self.statistics, self.texture])


def middle(grey: Shown) -> Shown:
    """Return the part of display levels in which texture is measured, at most 512 pixels a side."""
    top, left = (max(0, (side - _PART) // 2) for side in grey.shape)
    return grey[top : top + _PART, left : left + _PART]


def look(shown: Shown) -> Look:
    """Return the look of display levels, uint8, shape (H, W) or (H, W, 3), of at least 8 pixels a side."""
    return Look(shown, statistics(planes(shown)), texture(middle(luma(shown))).astype(np.float32))
