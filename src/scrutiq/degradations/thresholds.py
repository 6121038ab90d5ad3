"""From the value of a measurement to a severity in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Annotated, Literal

from pydantic import Field, model_validator

from scrutiq.core import Noun

__all__ = ["Thresholds", "interpolate"]


class Thresholds(Noun):
    """Where a measurement calls a degradation absent, mild and severe.

    Parameters
    ----------
    clean, mild, severe, worst : float
        Values of the measurement at severity 0, 1/3, 2/3 and 1, in its unit: ascending where a high value is bad,
        descending where a low one is. Between them the severity is linear on ``scale``; beyond the ends it is 0 or 1.
    scale : {"linear", "log"}
        On which the severity is interpolated.
    basis : str
        Where the values come from: the images, the percentile, the standard.
    """

    clean: float
    mild: float
    severe: float
    worst: float
    scale: Literal["linear", "log"] = "linear"
    basis: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _check(self) -> Thresholds:
        knots = list(self.knots)
        if not (knots == sorted(set(knots)) or knots == sorted(set(knots), reverse=True)):
            raise ValueError("clean, mild, severe and worst ascend, or descend, strictly")
        if self.scale == "log" and min(knots) <= 0:
            raise ValueError("thresholds on a logarithmic scale are positive")
        return self

    @property
    def knots(self) -> tuple[float, float, float, float]:
        """The four values from clean to worst."""
        return (self.clean, self.mild, self.severe, self.worst)

    @property
    def rises(self) -> bool:
        """Whether the measurement rises with the severity."""
        return self.clean < self.worst

    @property
    def reference(self) -> tuple[float | None, float | None]:
        """Range of the measurement in which the degradation is called absent."""
        return (None, self.mild) if self.rises else (self.mild, None)

    def severity(self, value: float) -> float:
        """Return the severity in [0, 1] of a value of the measurement; monotone."""
        return interpolate(value, self.knots, (0.0, 1 / 3, 2 / 3, 1.0), self.scale)


def interpolate(
    value: float, knots: Sequence[float], values: Sequence[float], scale: Literal["linear", "log"] = "linear"
) -> float:
    """Return the piecewise linear, monotone interpolation of ``values`` at ``knots``, constant beyond the ends.

    Parameters
    ----------
    value : float
    knots : sequence of float
        Strictly ascending or strictly descending.
    values : sequence of float
    scale : {"linear", "log"}
        Of ``value`` and ``knots``. On the logarithmic scale a value of 0 or less lies below every knot.
    """
    if knots[0] > knots[-1]:
        knots, values = knots[::-1], values[::-1]
    if value <= knots[0]:
        return values[0]
    if value >= knots[-1]:
        return values[-1]
    if scale == "log":
        value, knots = log(value), [log(knot) for knot in knots]
    above = next(i for i, knot in enumerate(knots) if value <= knot)
    share = (value - knots[above - 1]) / (knots[above] - knots[above - 1])
    return values[above - 1] + share * (values[above] - values[above - 1])
