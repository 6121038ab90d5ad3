"""From measurements to judgements on a rubric: monotone mappings, kept in ``mappings.yaml``."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from functools import cache
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field, model_validator

from scrutiq.core import DeclinedError, Dimension, FrozenDict, Judgement, Measurement, Noun, Rubric
from scrutiq.core.shipped import shipped_yaml
from scrutiq.degradations.thresholds import interpolate

__all__ = ["DimensionMapping", "Term", "judge", "mapped"]


class Term(Noun):
    """One measurement's say in a dimension.

    Parameters
    ----------
    measurement : tuple of str
        Alternatives; the first that was measured is used.
    scale : {"linear", "log"}
        Of the measurement, on which the score is interpolated.
    knots : tuple of (value, score)
        Monotone; beyond the ends the score stays at the end's.
    tolerance : float
        Factor by which the measurement may be off, up or down, with 95 % confidence: one part of the interval.
    residual : float
        Half-width of the 95 % interval of readers' scores about the mapping, on the rubric's scale: the other part.
        0 where no reader's score was at hand.
    """

    measurement: tuple[str, ...]
    scale: Literal["linear", "log"] = "linear"
    knots: Annotated[tuple[tuple[float, float], ...], Field(min_length=2)]
    tolerance: Annotated[float, Field(ge=1)]
    residual: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _check(self) -> Term:
        for column in zip(*self.knots, strict=True):
            steps = [b - a for a, b in pairwise(column)]
            if not (all(step > 0 for step in steps) or all(step < 0 for step in steps)):
                raise ValueError("knots are strictly monotone in value and in score")
        return self

    def score(self, value: float) -> float:
        """Return the score of a value of the measurement."""
        values, scores = zip(*self.knots, strict=True)
        return interpolate(value, list(values), list(scores), self.scale)

    def interval(self, value: float) -> tuple[float, float]:
        """Return the 95 % interval: the image of the measurement's tolerance, widened by the readers' spread."""
        ends = sorted((self.score(value / self.tolerance), self.score(value * self.tolerance)))
        return ends[0] - self.residual, ends[1] + self.residual


class DimensionMapping(Noun):
    """How a dimension is judged: the worst of its terms; or why it is not.

    Parameters
    ----------
    terms : tuple of Term
    declined : str, optional
        Why it is never judged.
    missing : str, optional
        What to do where a measurement has no value.
    basis : str, optional
        Where the terms come from.
    """

    terms: tuple[Term, ...] = ()
    declined: str | None = None
    missing: str | None = None
    basis: str | None = None

    @model_validator(mode="after")
    def _check(self) -> DimensionMapping:
        if (self.declined is None) != bool(self.terms):
            raise ValueError("a dimension has terms, or a reason why it is declined")
        return self

    def judge(
        self, rubric: Rubric, name: str, measured: Dict[str, Measurement], absent: Dict[str, str]
    ) -> tuple[Judgement, tuple[str, ...]]:
        """Return the judgement, and the names of the measurements it rests on.

        Raises
        ------
        DeclinedError
            If the dimension is not judged, or one of its measurements is not at hand.
        """
        if self.declined is not None:
            raise DeclinedError(self.declined)
        dimension = rubric.dimension(name)
        outcomes = []
        for term in self.terms:
            found = next((m for m in term.measurement if m in measured), None)
            if found is None:
                reasons = [absent[m] for m in term.measurement if m in absent] or ["It has no value on this image."]
                said = f"{' or '.join(term.measurement)} is needed: {' '.join(reasons)} {self.missing or ''}"
                raise DeclinedError(said.strip())
            value = measured[found].value
            outcomes.append((term.score(value), term.interval(value), found))
        score, interval, _ = min(outcomes, key=lambda outcome: _quality(dimension, outcome[0]))
        return rubric.judge(name, score, interval=interval), tuple(dict.fromkeys(found for _, _, found in outcomes))


def _quality(dimension: Dimension, score: float) -> float:
    return dimension.quality(min(max(score, dimension.range[0]), dimension.range[1]))


@cache
def _all() -> FrozenDict[str, FrozenDict[str, DimensionMapping]]:
    return FrozenDict(
        {
            rubric: FrozenDict({name: DimensionMapping.model_validate(entry) for name, entry in dimensions.items()})
            for rubric, dimensions in shipped_yaml("scrutiq.assessors.measured", "mappings.yaml").items()
        }
    )


def mapped(rubric: Rubric) -> FrozenDict[str, DimensionMapping] | None:
    """Return the mappings of a rubric by dimension, or None where there are none.

    A user's own rubric with a shipped one's name is not the shipped one: its dimensions must be the same too.
    """
    found = _all().get(rubric.name)
    return found if found is not None and found.keys() == rubric.dimensions.keys() else None


def judge(
    rubric: Rubric, measured: Dict[str, Measurement], absent: Dict[str, str] = MappingProxyType({})
) -> tuple[dict[str, Judgement], dict[str, str], dict[str, tuple[str, ...]]]:
    """Judge every dimension of a rubric that has mappings.

    Parameters
    ----------
    rubric : Rubric
    measured : mapping of str to Measurement
    absent : mapping of str to str
        Why other measurements have no value.

    Returns
    -------
    judgements, declined, evidence : dict
        By dimension: the judgement; or why there is none; and the measurements that a judgement rests on.
    """
    judgements: dict[str, Judgement] = {}
    declined: dict[str, str] = {}
    evidence: dict[str, tuple[str, ...]] = {}
    for name, mapping in (mapped(rubric) or {}).items():
        try:
            judgements[name], evidence[name] = mapping.judge(rubric, name, measured, absent)
        except DeclinedError as reason:
            declined[name] = str(reason)
    return judgements, declined, evidence
