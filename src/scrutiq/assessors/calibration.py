"""`Calibration`: how a site's ratings lie to an assessor's scores, as a small file, and what it makes of an assessment.

`scrutiq.assessors.site_scale` fits it.
"""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_right
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from scrutiq.core import (
    Assessment,
    Dimension,
    FrozenDict,
    InputError,
    Judgement,
    Noun,
    Role,
    Rubric,
    Sentence,
    UsageError,
)

__all__ = ["Calibration", "Figures", "Scale", "read_calibration", "used_roles"]

#: The maps, from few parameters to more: none, one, two, four.
Form = Literal["identity", "shift", "affine", "monotone"]


class Figures(Noun):
    """How scores agree with the site's ratings.

    Parameters
    ----------
    mae, rmse : float
        On the rubric's scale.
    srocc, plcc : float or None
        None where undefined: one side is constant.
    ci : mapping of str to (low, high) or None
        Interval of each.
    """

    mae: float
    rmse: float
    srocc: float | None
    plcc: float | None
    ci: FrozenDict[str, tuple[float, float] | None]


class Scale(Noun):
    """The calibration of one dimension.

    Parameters
    ----------
    n, n_groups : int
        Images rated and judged, and independent groups (patients) that they come from.
    fitted : {"shift", "affine", "monotone"}
        The map that was chosen and fitted on all of them.
    applied : {"identity", "shift", "affine", "monotone"}
        The map that ``knots`` hold: ``fitted``, or the identity where that did not help.
    helped : bool
        Whether the mean absolute error fell in cross-validation, by more than chance explains (the interval of ``gain``
        lies above 0), with a map that rises.
    verdict : str
        The same in one sentence.
    knots : tuple of (score, score)
        From the assessor's score to the site's: straight between, from one end of the rubric's range to the other,
        cut at its ends.
    before, after : Figures
        Of the assessor's own scores, and of scores mapped by fits and choices that had not seen them.
    gain : float
        Mean absolute error before less after.
    gain_ci : (low, high) or None
        None where there are too few groups to say.
    sd : float
        Root mean squared error of ``applied`` on ratings that it had not seen.
    half_width : float or None
        Conformal half-width of new intervals at ``coverage`` of the calibration; None where there are too few groups.
    """

    n: int
    n_groups: int
    fitted: Literal["shift", "affine", "monotone"]
    applied: Form
    helped: bool
    verdict: Annotated[str, Field(min_length=1)]
    knots: Annotated[tuple[tuple[float, float], ...], Field(min_length=2)]
    before: Figures
    after: Figures
    gain: float
    gain_ci: tuple[float, float] | None
    sd: Annotated[float, Field(ge=0)]
    half_width: Annotated[float, Field(ge=0)] | None

    @model_validator(mode="after")
    def _check(self) -> Scale:
        if any(a[0] >= b[0] or a[1] > b[1] for a, b in zip(self.knots, self.knots[1:], strict=False)):
            raise ValueError("knots ascend, and the map never falls")
        return self

    def map(self, score: float, scale: Dimension) -> float:
        """Return the site's score for one of the assessor's, inside the rubric's range."""
        starts = [x for x, _ in self.knots]
        at = min(max(bisect_right(starts, score), 1), len(starts) - 1)
        (x0, y0), (x1, y1) = self.knots[at - 1], self.knots[at]
        low, high = scale.range
        return min(max(y0 + (score - x0) * (y1 - y0) / (x1 - x0), low), high)

    def judge(self, rubric: Rubric, name: str, judgement: Judgement, coverage: float) -> Judgement:
        """Return a judgement on the site's scale; "not applicable" stays."""
        if judgement.score is None:
            return judgement
        scale = rubric.dimension(name)
        score = self.map(judgement.score, scale)
        known = self.half_width is not None
        return rubric.judge(
            name,
            score,
            interval=(score - self.half_width, score + self.half_width) if self.half_width is not None else None,
            coverage=coverage if known else None,
            probabilities=scale.distribution(score, self.sd),
            supervision=judgement.supervision,
        )


class Calibration(Noun):
    """What `scrutiq calibrate` writes: one site's scale, for one assessor and one rubric. It holds no id and no path.

    Parameters
    ----------
    assessor : str
        The one that made the scores, as assessments record it.
    model_hash : str, optional
        Of its weights.
    rubric, rubric_hash : str
    roles : tuple of Role
        Images beside the target that the rubric uses and that the rated cases had: with a reference an assessor may
        score otherwise than without.
    scrutiq : str
        Version that made the scores.
    coverage : float
        Of new intervals.
    level : float
        Of the intervals of the figures.
    folds, seed : int
        Of the cross-validation.
    dimensions : mapping of str to Scale
    notes : tuple of str
        What was left out, and how the figures may be read.
    """

    assessor: str
    model_hash: str | None
    rubric: str
    rubric_hash: str
    roles: tuple[Role, ...]
    scrutiq: str
    coverage: Annotated[float, Field(gt=0, lt=1)]
    level: Annotated[float, Field(gt=0, lt=1)]
    folds: int
    seed: int
    dimensions: Annotated[FrozenDict[str, Scale], Field(min_length=1)]
    notes: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """SHA-256 of the file that `write` makes, hexadecimal."""
        return hashlib.sha256(self._text().encode()).hexdigest()

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the file."""
        Path(path).write_text(self._text(), "utf-8", newline="\n")

    def _text(self) -> str:
        return self.to_json(indent=2) + "\n"

    def check(self, assessor: str, rubric: Rubric) -> None:
        """Refuse an assessor or a rubric that is not the one of the fit.

        Raises
        ------
        UsageError
        """
        if assessor != self.assessor:
            raise UsageError(
                f"the calibration was fitted to scores of {self.assessor}, not of {assessor}; name that, or fit again."
            )
        if rubric.name != self.rubric:
            raise UsageError(f"the calibration was fitted on the rubric {self.rubric}, not on {rubric.name}.")
        if rubric.hash != self.rubric_hash:
            raise UsageError(f"the rubric {self.rubric} has changed since the calibration was fitted; fit it again.")
        if unknown := self.dimensions.keys() - rubric.dimensions.keys():
            raise UsageError(
                f"the calibration names dimensions that {self.rubric} has not: {', '.join(sorted(unknown))}."
            )

    def apply(self, assessment: Assessment, rubric: Rubric, roles: Collection[Role]) -> Assessment:
        """Return an assessment on the site's scale.

        Score, quality, level, interval and probabilities are made anew by the rubric; findings and measurements stay.
        An assessment of other weights, or of a case with other images beside the target, comes back ``unjudged``.

        Parameters
        ----------
        assessment : Assessment
            Not calibrated yet.
        rubric : Rubric
            That of the assessment.
        roles : collection of Role
            Of the case.
        """
        if assessment.status != "judged":
            return assessment
        if (reason := self._why_not(assessment, rubric, roles)) is not None:
            empty: FrozenDict[str, Judgement] = FrozenDict()
            declined: FrozenDict[str, str] = FrozenDict()
            changes = {"status": "unjudged", "reason": reason, "judgements": empty, "declined": declined}
            return assessment.model_copy(update={**changes, "sentences": (), "notes": ()})
        judgements = {
            name: self.dimensions[name].judge(rubric, name, one, self.coverage) if name in self.dimensions else one
            for name, one in assessment.judgements.items()
        }
        told = [
            self._sentence(rubric, name, judgement, assessment.judgements[name])
            for name, judgement in judgements.items()
            if name in self.dimensions and judgement.score is not None
        ]
        return assessment.model_copy(
            update={
                "judgements": FrozenDict(judgements),
                "sentences": (*assessment.sentences, *told),
                "notes": (*assessment.notes, self._note(judgements)),
            }
        )

    def _why_not(self, assessment: Assessment, rubric: Rubric, roles: Collection[Role]) -> str | None:
        if assessment.assessor != self.assessor or assessment.provenance.model_hash != self.model_hash:
            return f"The calibration was fitted to {self.assessor}; other weights, or another assessor, judged this."
        if (here := used_roles(rubric, roles)) != self.roles:
            had, has = (" and ".join(some) or "no other image" for some in (self.roles, here))
            return f"The calibration was fitted on cases with {had} beside the target; this one comes with {has}."
        return None

    def _sentence(self, rubric: Rubric, name: str, judgement: Judgement, before: Judgement) -> Sentence:
        one, scale = self.dimensions[name], rubric.dimension(name)
        said = [str(judgement.level)]
        if judgement.interval is not None:
            low, high = judgement.interval
            said.append(f"{100 * self.coverage:.0f} % interval {low:.1f} to {high:.1f}")
        where = f"On the site's own scale ({one.n} ratings)"
        change = "as before" if one.applied == "identity" else f"not {before.score:.1f}"
        return Sentence(text=f"{where}, {scale.title} is {judgement.score:.1f} ({', '.join(said)}), {change}.")

    def _note(self, judgements: Collection[str]) -> str:
        mapped = [
            name for name in judgements if name in self.dimensions and self.dimensions[name].applied != "identity"
        ]
        kept = [name for name in judgements if name in self.dimensions and name not in mapped]
        alone = [name for name in judgements if name not in self.dimensions]
        parts = []
        if mapped:
            parts.append(f"scores mapped for {', '.join(mapped)}")
        if kept:
            parts.append(f"scores as they were, with the interval of the site's ratings, for {', '.join(kept)}")
        if alone:
            parts.append(f"nothing known of {', '.join(alone)}")
        if forced := [name for name in mapped if not self.dimensions[name].helped]:
            parts.append(f"kept though not shown to help for {', '.join(forced)}")
        return f"site-calibrated: {'; '.join(parts)}."


def used_roles(rubric: Rubric, roles: Collection[Role]) -> tuple[Role, ...]:
    """Return those of a case's roles beside the target that a rubric uses, sorted."""
    uses = {*rubric.requires, *rubric.optional} - {Role.TARGET}
    return tuple(sorted(uses & set(roles)))


def read_calibration(path: str | os.PathLike[str]) -> Calibration:
    """Read the file that `Calibration.write` made.

    Raises
    ------
    InputError
        If it cannot be read, or is no calibration.
    """
    try:
        return Calibration.from_json(Path(path).read_bytes())
    except OSError as error:
        reason = f"the calibration cannot be read: {error.strerror or type(error).__name__}."
    except ValidationError:
        reason = "this is no calibration that 'scrutiq calibrate' wrote: a part is missing or not as it was."
    except ValueError as error:  # no JSON, no object, or another version
        detail = str(error) if "schema_version" in str(error) else "it is not a JSON object"
        reason = f"this is no calibration that 'scrutiq calibrate' wrote: {detail}."
    raise InputError(reason, os.fspath(path))
