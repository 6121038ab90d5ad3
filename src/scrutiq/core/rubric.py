"""`Rubric`: a quality scale, and the conversions between scores, levels, quality and captions."""

from __future__ import annotations

import hashlib
import re
import string
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import erf, sqrt
from typing import Annotated, Literal

from pydantic import Field, model_validator

from scrutiq.core.assessment import Judgement
from scrutiq.core.case import Role
from scrutiq.core.errors import RubricError
from scrutiq.core.image import Modality, Window
from scrutiq.core.noun import FrozenDict, Noun

__all__ = ["Dimension", "Level", "Rubric"]

Text = Annotated[str, Field(min_length=1)]


class Level(Noun):
    """A named level of a dimension.

    Parameters
    ----------
    word : str
        What it is called; unique within the dimension.
    score : float
        Its place on the scale, and its weight when a score is computed from level probabilities (the midpoint of
        its interval on a continuous scale).
    criterion : str
        What a reader must see to choose it. It is also the level's text in a caption.
    """

    word: Text
    score: float
    criterion: Text


class Dimension(Noun):
    """One thing that a rubric asks about.

    Parameters
    ----------
    title : str
        As it stands in the protocol.
    description : str
        What is judged.
    range : tuple of float
        Lowest and highest score.
    better : {"higher", "lower", "near"}
        Direction. ``near``: best at ``ideal``, worse on both sides.
    ideal : float, optional
        Best score; given if, and only if, ``better`` is ``near``.
    levels : tuple of Level
        At least two, in ascending order of score. A score belongs to the nearest level; half-way between two, to the
        one with the higher score.
    not_applicable : str, optional
        Text for "not applicable"; None where every image must be scored.
    """

    title: Text
    description: Text
    range: tuple[float, float]
    better: Literal["higher", "lower", "near"]
    ideal: float | None = None
    levels: Annotated[tuple[Level, ...], Field(min_length=2)]
    not_applicable: Text | None = None

    @model_validator(mode="after")
    def _check(self) -> Dimension:
        low, high = self.range
        if not low < high:
            raise ValueError(f"range runs from low to high, not {list(self.range)}")
        if (self.better == "near") != (self.ideal is not None):
            raise ValueError("'ideal' is given if, and only if, 'better' is 'near'")
        if self.ideal is not None and not low < self.ideal < high:
            raise ValueError(f"ideal {self.ideal:g} does not lie inside the range {list(self.range)}")
        scores = [level.score for level in self.levels]
        if any(a >= b for a, b in pairwise(scores)):
            raise ValueError("levels stand in ascending order of score, each score once")
        if scores[0] < low or scores[-1] > high:
            raise ValueError(f"a level's score lies outside the range {list(self.range)}")
        for kind, texts in (
            ("word", [level.word for level in self.levels]),
            ("criterion", [level.criterion for level in self.levels] + [self.not_applicable or ""]),
        ):
            folded = [_fold(text) for text in texts]
            if len(set(folded)) != len(folded):
                raise ValueError(f"two levels share a {kind}, so that a caption could not be read back")
        return self

    @property
    def boundaries(self) -> tuple[float, ...]:
        """Scores at which one level gives way to the next: midway between neighbours."""
        scores = [level.score for level in self.levels]
        return tuple((a + b) / 2 for a, b in pairwise(scores))

    def level(self, score: float) -> Level:
        """Return the level that a score belongs to.

        Raises
        ------
        RubricError
            If the score lies outside the range.
        """
        self._inside(score)
        return self.levels[bisect_right(self.boundaries, score)]

    def named(self, word: str) -> Level:
        """Return the level with this word, whatever its case.

        Raises
        ------
        RubricError
            If there is none.
        """
        for level in self.levels:
            if _fold(level.word) == _fold(word):
                return level
        raise RubricError(f"{word!r} is not a level of {self.title!r}: {', '.join(v.word for v in self.levels)}.")

    def quality(self, score: float) -> float:
        """Return the quality of a score: 0 at the worst end of the range, 1 at the best, linear between.

        For ``near``, 1 at the ideal and 0 at both ends, linear on each side.
        """
        self._inside(score)
        low, high = self.range
        if self.better == "higher":
            return (score - low) / (high - low)
        if self.better == "lower":
            return (high - score) / (high - low)
        assert self.ideal is not None
        return (score - low) / (self.ideal - low) if score < self.ideal else (high - score) / (high - self.ideal)

    def score(self, quality: float, side: Literal["below", "above"] | None = None) -> float:
        """Return the score of a quality: the inverse of `quality`.

        Parameters
        ----------
        quality : float
            In [0, 1].
        side : {"below", "above"}, optional
            Which side of the ideal; required if, and only if, ``better`` is ``near``, where two scores share a quality.
        """
        if not 0 <= quality <= 1:
            raise RubricError(f"quality lies in [0, 1], not {quality:g}.")
        if (side is not None) != (self.better == "near"):
            raise RubricError("'side' is given if, and only if, the dimension is best near an ideal.")
        low, high = self.range
        if self.better == "higher":
            value = low + quality * (high - low)
        elif self.better == "lower":
            value = high - quality * (high - low)
        else:
            assert self.ideal is not None
            value = low + quality * (self.ideal - low) if side == "below" else high - quality * (high - self.ideal)
        return min(max(value, low), high)

    def expected_score(self, probabilities: Mapping[str, float]) -> float:
        """Return the mean of the levels' scores under a distribution over level words.

        Raises
        ------
        RubricError
            If a level is missing or unknown, or the probabilities do not sum to 1.
        """
        if {_fold(word) for word in probabilities} != {_fold(level.word) for level in self.levels}:
            raise RubricError(f"the distribution over {self.title!r} names exactly its levels.")
        if min(probabilities.values()) < 0 or abs(sum(probabilities.values()) - 1) > 1e-6:
            raise RubricError("probabilities are not negative and sum to 1.")
        return sum(self.named(word).score * p for word, p in probabilities.items())

    def distribution(self, score: float, sd: float) -> dict[str, float]:
        """Return the probability of each level, by its word, under a normal distribution cut at the ends of the range.

        Parameters
        ----------
        score : float
            Mean before it is cut; inside the range.
        sd : float
            Standard deviation before it is cut, on the rubric's scale; 0 puts all on the level of ``score``.

        Returns
        -------
        dict of str to float
            In the order of the levels, summing to 1.

        Raises
        ------
        RubricError
            If the score lies outside the range.
        """
        word = self.level(score).word
        if sd <= 0:
            return {level.word: float(level.word == word) for level in self.levels}
        edges = [self.range[0], *self.boundaries, self.range[1]]
        below = [erf((edge - score) / (sd * sqrt(2))) for edge in edges]
        masses = [b - a for a, b in pairwise(below)]
        return {level.word: mass / sum(masses) for level, mass in zip(self.levels, masses, strict=True)}

    def _inside(self, score: float) -> None:
        if not self.range[0] <= score <= self.range[1]:
            raise RubricError(f"{score:g} lies outside the range {list(self.range)} of {self.title!r}.")


class Rubric(Noun):
    """A quality scale.

    Parameters
    ----------
    name : str
        Lower case, digits and hyphens.
    title, description, source : str
        ``source`` says where the scale comes from.
    modalities : tuple of Modality
        Those it was made for.
    requires : tuple of Role
        Roles a case must have; ``target`` always.
    optional : tuple of Role
        Roles that are used where present.
    window : Window, optional
        The display in which the scale was read.
    dimensions : mapping of str to Dimension
    caption : str, optional
        Template with one ``{dimension}`` field for each dimension, in any order.
    prompts : mapping of str to tuple of str
        Paraphrased questions by dimension, for language models.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    title: Text
    description: Text
    source: Text
    modalities: Annotated[tuple[Modality, ...], Field(min_length=1)]
    requires: tuple[Role, ...] = (Role.TARGET,)
    optional: tuple[Role, ...] = ()
    window: Window | None = None
    dimensions: FrozenDict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Dimension]
    caption: Text | None = None
    prompts: FrozenDict[str, Annotated[tuple[Text, ...], Field(min_length=1)]] = FrozenDict()

    @model_validator(mode="after")
    def _check(self) -> Rubric:
        if not self.dimensions:
            raise ValueError("a rubric has at least one dimension")
        if Role.TARGET not in self.requires:
            raise ValueError("'requires' names the role 'target'")
        if both := set(self.requires) & set(self.optional):
            raise ValueError(f"{sorted(both)} are both required and optional")
        if unknown := self.prompts.keys() - self.dimensions.keys():
            raise ValueError(f"prompts are given for unknown dimensions {sorted(unknown)}")
        if self.caption is not None:
            fields = [field for _, field, _, _ in string.Formatter().parse(self.caption) if field is not None]
            if sorted(fields) != sorted(self.dimensions):
                raise ValueError(f"the caption has the fields {fields}; it needs each of {list(self.dimensions)} once")
        return self

    @property
    def hash(self) -> str:
        """SHA-256 of the rubric's content, hexadecimal."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def judge(
        self,
        dimension: str,
        score: float | None = None,
        *,
        interval: tuple[float, float] | None = None,
        coverage: float | None = None,
        probabilities: Mapping[str, float] | None = None,
        supervision: Literal["readers", "proxy"] | None = None,
    ) -> Judgement:
        """Build the judgement of a dimension, with ``quality`` and ``level`` by this rubric's rules.

        Parameters
        ----------
        dimension : str
        score : float, optional
            On the rubric's scale. When omitted, the expected score of ``probabilities``; when both are omitted the
            dimension is not applicable, which the rubric must allow.
        interval : tuple of float, optional
            Clipped to the range.
        coverage, supervision
            See `Judgement`.
        probabilities : mapping of str to float, optional
            By level word.

        Raises
        ------
        RubricError
            If the dimension is unknown, the score outside its range, or "not applicable" not allowed.
        """
        scale = self.dimension(dimension)
        if score is None and probabilities is not None:
            score = min(max(scale.expected_score(probabilities), scale.range[0]), scale.range[1])
        if score is None:
            if scale.not_applicable is None:
                raise RubricError(f"{self.name}: {dimension!r} does not allow 'not applicable'.")
            return Judgement(score=None, quality=None, level=scale.not_applicable)
        level = scale.level(score)
        if interval is not None:
            low, high = scale.range
            interval = (min(max(interval[0], low), score), max(min(interval[1], high), score))
        return Judgement(
            score=score,
            quality=scale.quality(score),
            interval=interval,
            coverage=coverage,
            level=level.word,
            probabilities=None if probabilities is None else FrozenDict(probabilities),
            supervision=supervision,
        )

    def dimension(self, name: str) -> Dimension:
        """Return a dimension by its name.

        Raises
        ------
        RubricError
            If there is none.
        """
        try:
            return self.dimensions[name]
        except KeyError:
            raise RubricError(f"{self.name} has no dimension {name!r}: {', '.join(self.dimensions)}.") from None

    def write_caption(self, scores: Mapping[str, float | None]) -> str:
        """Return the caption of a set of scores: the criterion of each score's level in the template.

        Parameters
        ----------
        scores : mapping of str to (float or None)
            One for each dimension; None means not applicable.
        """
        template = self._caption()
        if scores.keys() != self.dimensions.keys():
            raise RubricError(f"a caption of {self.name} needs a score for each of {', '.join(self.dimensions)}.")
        texts: dict[str, str] = {}
        for name, scale in self.dimensions.items():
            score = scores[name]
            if score is None:
                self.judge(name)  # refuses where "not applicable" is not allowed
                texts[name] = str(scale.not_applicable)
            else:
                texts[name] = scale.level(score).criterion
        return template.format(**texts)

    def read_caption(self, caption: str) -> dict[str, float | None]:
        """Return the level scores that a caption states: the inverse of `write_caption` on level scores.

        Case, runs of white space and a final full stop do not matter.

        Raises
        ------
        RubricError
            If the caption does not follow the template word for word otherwise.
        """
        pattern = ""
        for literal, field, _, _ in string.Formatter().parse(self._caption()):
            pattern += re.escape(_fold(literal, strip=False))
            if field is not None:
                choices = sorted(self._phrases(field), key=len, reverse=True)
                pattern += f"(?P<{field}>{'|'.join(re.escape(choice) for choice in choices)})"
        match = re.fullmatch(pattern + r"\s*\.?", _fold(caption))
        if match is None:
            raise RubricError(f"the caption does not follow the template of {self.name}.")
        return {name: self._phrases(name)[match[name]] for name in self.dimensions}

    def missing_roles(self, roles: Sequence[Role]) -> tuple[Role, ...]:
        """Return the required roles that are not among ``roles``."""
        return tuple(role for role in self.requires if role not in roles)

    def _caption(self) -> str:
        if self.caption is None:
            raise RubricError(f"{self.name} has no caption template.")
        return self.caption

    def _phrases(self, dimension: str) -> dict[str, float | None]:
        scale = self.dimensions[dimension]
        phrases: dict[str, float | None] = {_fold(level.criterion): level.score for level in scale.levels}
        if scale.not_applicable is not None:
            phrases[_fold(scale.not_applicable)] = None
        return phrases


def _fold(text: str, strip: bool = True) -> str:
    folded = re.sub(r"\s+", " ", text).casefold()
    return folded.strip() if strip else folded
