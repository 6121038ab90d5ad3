"""`Comparison`: which of two images is better, and why."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scrutiq.core.assessment import Assessment, Sentence
from scrutiq.core.noun import FrozenDict, Noun

__all__ = ["Comparison", "DimensionComparison"]

Verdict = Literal["a", "b", "equal"]


class DimensionComparison(Noun):
    """How two images compare on one dimension.

    Parameters
    ----------
    better : {"a", "b", "equal"}
    difference : float
        Quality of A minus quality of B, in [-1, 1].
    clear : bool
        Whether the two intervals are apart.
    """

    better: Verdict
    difference: Annotated[float, Field(ge=-1, le=1)]
    clear: bool


class Comparison(Noun):
    """Two assessments on one rubric, side by side.

    Parameters
    ----------
    a, b : Assessment
    rubric : str
    better : {"a", "b", "equal"} or None
        None where one of them was not judged.
    dimensions : mapping of str to DimensionComparison
        Those judged on both.
    sentences : tuple of Sentence
        Why, each with the measurements it rests on.
    """

    a: Assessment
    b: Assessment
    rubric: str
    better: Verdict | None
    dimensions: FrozenDict[str, DimensionComparison] = FrozenDict()
    sentences: tuple[Sentence, ...] = ()
