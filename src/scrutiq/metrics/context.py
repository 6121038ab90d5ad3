"""What several measurements of one image share, computed once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.metrics.foreground import clipped, field_of_view, foreground
from scrutiq.metrics.noise import local_moments, noise_level
from scrutiq.metrics.undefined import Undefined

__all__ = ["Context"]

Grey = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]


class Context:
    """One image with its masks and local moments, each computed when first asked for and then kept.

    Parameters
    ----------
    image : Image
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        #: Results by name of measurement: a value, or the reason why there is none.
        self.results: dict[str, float | Undefined] = {}

    @cached_property
    def field(self) -> Bool:
        """Field of view, shape (H, W)."""
        return field_of_view(self.image)

    @cached_property
    def foreground(self) -> Bool:
        """Tissue with values that were not cut off, shape (H, W)."""
        return foreground(self.image, self.field)

    @cached_property
    def valid(self) -> Bool:
        """Pixels that exist, shape (H, W)."""
        image = self.image
        return np.ones(image.shape, dtype=bool) if image.valid is None else image.valid

    @cached_property
    def unclipped(self) -> Bool:
        """Pixels of the field of view that are not at an end of the data range, shape (H, W)."""
        ends = clipped(self.image)
        return self.field if ends is None else self.field & ~ends

    @cached_property
    def grey(self) -> Grey:
        """Grey values or luma, shape (H, W), finite: pixels marked invalid take the median of the others."""
        grey = self.image.grey()
        if self.image.valid is None:
            return grey
        filling = np.median(grey[self.valid]) if self.valid.any() else 0.0
        return np.where(self.valid, grey, filling).astype(np.float32)

    @cached_property
    def moments(self) -> tuple[Grey, Grey]:
        """Local mean and standard deviation of the foreground, NaN where undefined, shape (H, W) each."""
        return local_moments(self.grey, self.foreground)

    @cached_property
    def noise(self) -> float:
        """Noise in the unit of the image.

        Raises
        ------
        Undefined
        """
        self.require(self.foreground, "There is no foreground: no tissue, or all of it is cut off by the window.")
        return noise_level(self.moments[1])

    def require(self, mask: Bool, reason: str) -> None:
        """Raise `Undefined` with the reason if a mask is empty."""
        if not mask.any():
            raise Undefined(reason)
