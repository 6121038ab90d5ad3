"""`Look`: an image as the weights see it, computed once: display levels, embedding, statistics, texture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scrutiq.assessors.net.embedding import Backbone, Embedding
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
    """What is known of an image before anything is judged.

    Attributes
    ----------
    shown : ndarray of uint8, shape (H, W) or (H, W, 3)
        Display levels.
    embedding : Embedding
    statistics : ndarray of float32, shape (S,)
        `scrutiq.assessors.net.statistics.statistics`.
    texture : ndarray of float32, shape (55,)
        `scrutiq.assessors.net.texture.texture` of the middle of the image, in luma.
    """

    shown: Shown
    embedding: Embedding
    statistics: Floats
    texture: Floats

    @property
    def vector(self) -> Floats:
        """What the heads take: embedding, statistics and texture, shape (D,)."""
        return np.concatenate([self.embedding.vector, self.statistics, self.texture])

    @property
    def domain(self) -> Floats:
        """What the domain check takes: statistics, and the embedding of the reduced whole."""
        return np.concatenate([self.statistics, self.embedding.whole])


def middle(grey: Shown) -> Shown:
    """Return the part of display levels in which texture is measured, at most 512 pixels a side."""
    top, left = (max(0, (side - _PART) // 2) for side in grey.shape)
    return grey[top : top + _PART, left : left + _PART]


def look(backbone: Backbone, shown: Shown) -> Look:
    """Return the look of display levels, uint8, shape (H, W) or (H, W, 3), of at least 8 pixels a side."""
    part = middle(luma(shown))
    seen = planes(shown)
    return Look(shown, backbone.embed(shown), statistics(seen), texture(part).astype(np.float32))
