"""What several measurements of one image share, computed once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.metrics.exposure import clipped_share, colour_cast, illumination_surface
from scrutiq.metrics.foreground import clipped, field_of_view, filled_grey, foreground
from scrutiq.metrics.noise import local_moments, noise_level, whole_windows
from scrutiq.metrics.nps import NoisePowerSpectrum, noise_power_spectrum
from scrutiq.metrics.undefined import Undefined

__all__ = ["Context", "context_of"]

#: Pixel values beyond this are no image, and their squares overflow.
LARGEST = 1e15

Grey = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
T = TypeVar("T")


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
        self._kept: dict[Callable[[Context], Any], Any] = {}

    def once(self, compute: Callable[[Context], T]) -> T:
        """Return ``compute(self)``, computed when first asked for: what measurements of one modality alone share."""
        if compute not in self._kept:
            self._kept[compute] = compute(self)
        kept: T = self._kept[compute]
        return kept

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
    def unfit(self) -> str | None:
        """Why nothing at all can be measured, or None."""
        if not self.valid.any():
            return "The image has no valid pixel."
        pixels = self.image.pixels if self.image.valid is None else self.image.pixels[self.valid]
        if max(-float(pixels.min()), float(pixels.max())) > LARGEST:
            return f"The image holds values beyond {LARGEST:g}, which are not measured."
        return None

    @cached_property
    def unclipped(self) -> Bool:
        """Pixels of the field of view that are not at an end of the data range, shape (H, W)."""
        ends = clipped(self.image)
        return self.field if ends is None else self.field & ~ends

    @cached_property
    def grey(self) -> Grey:
        """Grey values or luma, shape (H, W), finite: pixels marked invalid take the median of the others."""
        return filled_grey(self.image)

    @cached_property
    def windows(self) -> Bool:
        """Centres of the windows that lie wholly in the foreground, shape (H, W).

        Raises
        ------
        Undefined
            If there is no foreground.
        """
        return whole_windows(self.tissue)

    @cached_property
    def moments(self) -> tuple[Grey, Grey]:
        """Local mean and standard deviation of the foreground, NaN where undefined, shape (H, W) each.

        Raises
        ------
        Undefined
            If there is no foreground.
        """
        return local_moments(self.grey, self.tissue, self.windows)

    @cached_property
    def noise(self) -> float:
        """Noise in the unit of the image.

        Raises
        ------
        Undefined
        """
        return noise_level(self.moments[1])

    @cached_property
    def spectrum(self) -> NoisePowerSpectrum:
        """Noise power spectrum, per mm where the spacing is known, else per pixel.

        Raises
        ------
        Undefined
        """
        return noise_power_spectrum(self.grey, self.tissue, self.image.spacing or (1.0, 1.0), self.noise)

    @cached_property
    def seen(self) -> Bool:
        """The field of view, shape (H, W).

        Raises
        ------
        Undefined
            If it is empty.
        """
        if not self.field.any():
            raise Undefined("There is no field of view: the image is black.")
        return self.field

    @cached_property
    def clipped_share(self) -> tuple[float, float]:
        """Percent of the field of view at the lower and at the upper end of ``data_range``, which must be known."""
        return clipped_share(self.image.pixels, self.seen, self.range)

    @cached_property
    def colour_cast(self) -> tuple[float, float]:
        """CIELAB a* and b* of the mean colour of the field of view; ``data_range`` must be known."""
        return colour_cast(self.image.pixels, self.seen, self.range)

    @cached_property
    def illumination(self) -> Grey:
        """Smooth part of the image, shape (H, W): over the field of view of colour, over the foreground of grey."""
        return illumination_surface(self.grey, self.seen if self.image.is_colour else self.tissue)

    @cached_property
    def tissue(self) -> Bool:
        """The foreground, shape (H, W).

        Raises
        ------
        Undefined
            If it is empty.
        """
        if not self.foreground.any():
            raise Undefined("There is no foreground: no tissue, or all of it is cut off by the window.")
        return self.foreground

    @property
    def range(self) -> tuple[float, float]:
        """The ``data_range``, which must be known."""
        assert self.image.data_range is not None
        return self.image.data_range


def context_of(image: Image | Context) -> Context:
    """Return the context of an image, or the context itself."""
    return image if isinstance(image, Context) else Context(image)
