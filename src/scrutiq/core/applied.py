"""`Applied`: what was done to an image on purpose, so that it can be done again."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue

from scrutiq.core.noun import FrozenDict, Noun

__all__ = ["Applied"]


class Applied(Noun):
    """A degradation that was applied to an image: enough to apply it again, bit for bit on the same machine.

    Parameters
    ----------
    degradation : str
        Name of the degradation, ``modality.name`` (``ct.low_dose``).
    severity : float
        In (0, 1]; severity 0 leaves an image as it is and nothing is applied.
    parameters : mapping of str to JSON value
        What was drawn: numbers, words, lists. A random field is recorded as the seed that makes it. Where the fault is
        local, ``region`` holds where it lies: [top, left, bottom, right] in pixels, half-open.
    """

    degradation: Annotated[str, Field(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+$")]
    severity: Annotated[float, Field(gt=0, le=1)]
    parameters: FrozenDict[str, JsonValue] = FrozenDict()
