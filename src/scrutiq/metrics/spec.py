"""What a measurement is: its description, when it applies, and its value on an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.metrics.context import Context, context_of
from scrutiq.metrics.undefined import Undefined

__all__ = ["PIXEL_UNIT", "Direction", "Map", "Measure"]

Map = npt.NDArray[np.float32]
Direction = Literal["lower is better", "higher is better", "neither"]

#: Stands for the unit of the image's own pixel values.
PIXEL_UNIT = "pixel unit"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One measurement: what it is, and how to compute it. A name has one unit, so that columns can be compared.

    Attributes
    ----------
    name : str
        Key in `MEASURES` and in every report.
    unit : str
        `PIXEL_UNIT` stands for the unit of the image's pixel values.
    title : str
        What it is, as a phrase.
    direction : {"lower is better", "higher is better", "neither"}
    range : tuple of float
        Lowest and highest value that it can take.
    source : str
        The paper with equation, or the standard with clause, that defines it.
    limits : str
        What it is not good for.
    needs : callable
        Given a `Context`, returns why the measurement does not apply to that kind of image, or None.
    value : callable
        Given a `Context`, returns the value or raises `Undefined`.
    map : callable, optional
        Given a `Context`, returns where the measurement is how large, float32 (H, W), NaN where undefined.
    map_unit : str, optional
        Unit of the map where it differs from ``unit``.
    baseline : bool
        Whether it is a learnt score, kept for comparison: it is measured only where it is asked for by name.
    """

    name: str
    unit: str
    title: str
    direction: Direction
    range: tuple[float, float]
    source: str
    limits: str
    needs: Callable[[Context], str | None]
    value: Callable[[Context], float]
    map: Callable[[Context], Map] | None = None
    map_unit: str | None = None
    baseline: bool = False

    def applies(self, image: Image | Context) -> str | None:
        """Return why this measurement does not apply to such an image, or None where it does."""
        context = context_of(image)
        return context.unfit or self.needs(context)

    def result(self, image: Image | Context) -> float | Undefined:
        """Return the value in `unit_of` the image, or the reason why it has none."""
        context = context_of(image)
        if self.name not in context.results:
            try:
                if (reason := self.applies(context)) is not None:
                    raise Undefined(reason)
                value = float(self.value(context))
                if not np.isfinite(value):
                    raise Undefined("The values of the image are too large to compute with.")
                context.results[self.name] = value
            except Undefined as undefined:
                # Its traceback would hold the context, and all that is kept there, in a cycle.
                context.results[self.name] = undefined.with_traceback(None)
        return context.results[self.name]

    def compute(self, image: Image | Context) -> float | None:
        """Return the value in `unit_of` the image, or None where it has none."""
        result = self.result(image)
        return None if isinstance(result, Undefined) else result

    def unit_of(self, image: Image) -> str:
        """Return the unit of the value on this image."""
        return image.unit if self.unit == PIXEL_UNIT else self.unit
