"""`Assessment`: a case's judgements, findings, measurements, text and provenance."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, computed_field, model_validator

from scrutiq.core.image import Modality, Source
from scrutiq.core.noun import SCHEMA_VERSION, FrozenDict, Noun

__all__ = [
    "Assessment",
    "AssessmentSet",
    "Evidence",
    "Finding",
    "Judgement",
    "Measurement",
    "Provenance",
    "Sentence",
    "Severity",
]

Unit01 = Annotated[float, Field(ge=0, le=1)]


class Judgement(Noun):
    """One dimension's judgement, on the rubric's own scale.

    Build it with `scrutiq.core.Rubric.judge`, which fills ``quality`` and ``level`` by the rubric's rules.

    Parameters
    ----------
    score : float or None
        On the rubric's scale, in the rubric's direction. None means not applicable (no lesion to judge, say).
    quality : float or None
        In [0, 1], higher is better, whatever the rubric's direction.
    interval : tuple of float, optional
        Interval of ``score``, which it contains.
    coverage : float, optional
        How often such intervals held the true score where that was tried, 0.9 for nine in ten. None: the interval is
        the one that the assessor documents.
    level : str or None
        The level in words.
    probabilities : mapping of str to float, optional
        Per level word, summing to 1.
    supervision : {"readers", "proxy"}, optional
        What the judge learnt this scale from: scores of readers, or a stand-in that can be computed (then it is
        ``proxy-trained``). None where nothing was learnt.
    """

    score: float | None
    quality: Unit01 | None
    interval: tuple[float, float] | None = None
    coverage: Unit01 | None = None
    level: str | None
    probabilities: FrozenDict[str, Unit01] | None = None
    supervision: Literal["readers", "proxy"] | None = None

    @model_validator(mode="after")
    def _check(self) -> Judgement:
        if (self.score is None) != (self.quality is None):
            raise ValueError("score and quality are given together, or neither (not applicable)")
        if self.interval is not None:
            if self.score is None:
                raise ValueError("a judgement that is not applicable has no interval")
            if not self.interval[0] <= self.score <= self.interval[1]:
                raise ValueError(f"the interval {self.interval} does not contain the score {self.score:g}")
        elif self.coverage is not None:
            raise ValueError("a coverage is that of an interval")
        if self.probabilities is not None and abs(sum(self.probabilities.values()) - 1) > 1e-6:
            raise ValueError("the probabilities of the levels sum to 1")
        return self


class Severity(StrEnum):
    """How strongly a degradation is present."""

    NONE = "none"
    MILD = "mild"
    SEVERE = "severe"

    @classmethod
    def of(cls, value: float) -> Severity:
        """Return the word for a severity in [0, 1]: none up to 1/3, mild up to 2/3, severe beyond."""
        return cls.NONE if value <= 1 / 3 else cls.MILD if value <= 2 / 3 else cls.SEVERE


class Measurement(Noun):
    """A measured value with its unit."""

    value: float
    unit: Annotated[str, Field(min_length=1)]


class Evidence(Noun):
    """A measurement that speaks for a finding, or against it.

    Parameters
    ----------
    measurement : str
        Its name, a key of the assessment's ``measurements``.
    value : float
    unit : str
    reference : tuple of (float or None), optional
        Range in which images free of the degradation lie; None on a side means unbounded.
    """

    measurement: Annotated[str, Field(min_length=1)]
    value: float
    unit: Annotated[str, Field(min_length=1)]
    reference: tuple[float | None, float | None] | None = None


class Finding(Noun):
    """A degradation that was looked for: how severe it is, where, and the evidence.

    Parameters
    ----------
    degradation : str
        Name of the degradation, ``modality.name`` (``ct.low_dose``).
    severity : Severity
        ``none`` records that it was looked for and not found.
    value : float
        The same on a continuous scale, in [0, 1].
    probability : float, optional
        That it is present, as the network sees it which named it and whose estimate ``severity`` and ``value`` are.
        None where they are those of a measurement.
    region : tuple of int, optional
        (top, left, bottom, right) in pixels, half-open, where it is worst; None where it is everywhere or unknown.
    evidence : tuple of Evidence
        What was measured of it; empty where nothing was, so that it rests on the network alone.
    disputed : bool
        Whether the network and a measurement contradict each other: one calls it severe, the other absent.
    """

    degradation: Annotated[str, Field(pattern=r"^[a-z0-9_]+\.[a-z0-9_]+$")]
    severity: Severity
    value: Unit01
    probability: Unit01 | None = None
    region: tuple[int, int, int, int] | None = None
    evidence: tuple[Evidence, ...] = ()
    disputed: bool = False

    @model_validator(mode="after")
    def _check(self) -> Finding:
        if self.probability is None and not self.evidence:
            raise ValueError("a finding rests on a measurement, or on the probability that a network gives it")
        if self.disputed and (self.probability is None or not self.evidence):
            raise ValueError("a finding is disputed between a network and a measurement")
        if self.region is not None:
            top, left, bottom, right = self.region
            if not (0 <= top < bottom and 0 <= left < right):
                raise ValueError(
                    f"a region is (top, left, bottom, right) with top < bottom and left < right, not {self.region}"
                )
        return self


class Sentence(Noun):
    """One sentence of the written report and the names of the measurements it rests on."""

    text: Annotated[str, Field(min_length=1)]
    measurements: tuple[str, ...] = ()


class Provenance(Noun):
    """How an assessment came to be, so that it can be made again.

    Parameters
    ----------
    assessor : str
        URI.
    rubric_hash, model_hash, prompt_hash : str, optional
        SHA-256 of the rubric, of the model (its file, or the card that holds the hashes of its files), of the prompt.
    versions : mapping of str to str
        Distribution names and versions that can change the result.
    parameters : mapping
        Options in force.
    time : datetime, optional
        When it was made, UTC. The only part that differs between two equal runs.
    """

    assessor: str
    rubric_hash: str | None = None
    model_hash: str | None = None
    prompt_hash: str | None = None
    versions: FrozenDict[str, str] = FrozenDict()
    parameters: FrozenDict[str, str | int | float | bool | None] = FrozenDict()
    time: AwareDatetime | None = None


class Assessment(Noun):
    """What an assessor says of one case on one rubric.

    Parameters
    ----------
    case : str
        The case's id.
    source : Source, optional
    modality : Modality
    status : {"judged", "unjudged", "failed"}
        ``judged``: at least one dimension has a judgement. ``unjudged``: declined, see ``reason``. ``failed``: the
        input could not be used, see ``reason``.
    reason : str, optional
        One sentence; required unless judged.
    rubric : str, optional
        The rubric's name; None only where the input failed before one was chosen.
    assessor : str
        URI.
    judgements : mapping of str to Judgement
        By dimension.
    declined : mapping of str to str
        Dimensions of the rubric that were not judged, each with its reason.
    findings : tuple of Finding
    measurements : mapping of str to Measurement
    sentences : tuple of Sentence
        The written report.
    notes : tuple of str
        Caveats on how the result may be read (``proxy-trained``, uncalibrated input, ...).
    provenance : Provenance
    """

    case: Annotated[str, Field(min_length=1)]
    source: Source | None = None
    modality: Modality = Modality.UNKNOWN
    status: Literal["judged", "unjudged", "failed"]
    reason: str | None = None
    rubric: str | None
    assessor: str
    judgements: FrozenDict[str, Judgement] = FrozenDict()
    declined: FrozenDict[str, str] = FrozenDict()
    findings: tuple[Finding, ...] = ()
    measurements: FrozenDict[str, Measurement] = FrozenDict()
    sentences: tuple[Sentence, ...] = ()
    notes: tuple[str, ...] = ()
    provenance: Provenance

    @model_validator(mode="before")
    @classmethod
    def _drop_text(cls, data: Any) -> Any:
        # ``text`` is derived from ``sentences``: written for readers, ignored when read back.
        return {k: v for k, v in data.items() if k != "text"} if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _check(self) -> Assessment:
        if (self.status == "judged") != bool(self.judgements):
            raise ValueError("an assessment is 'judged' if, and only if, it has a judgement")
        if self.status != "judged" and not self.reason:
            raise ValueError(f"an assessment that is {self.status!r} says why")
        if self.status != "failed" and self.rubric is None:
            raise ValueError("only a failed assessment has no rubric")
        if both := self.judgements.keys() & self.declined.keys():
            raise ValueError(f"{sorted(both)} are both judged and declined")
        named = {e.measurement for f in self.findings for e in f.evidence}
        named |= {name for s in self.sentences for name in s.measurements}
        if unknown := named - self.measurements.keys():
            raise ValueError(f"{sorted(unknown)} are cited as evidence but were not measured")
        return self

    @computed_field  # type: ignore[prop-decorator]
    @property
    def text(self) -> str:
        """The written report as one paragraph."""
        return " ".join(s.text for s in self.sentences)

    @property
    def quality(self) -> float | None:
        """Lowest quality over the judged dimensions, in [0, 1]: an image is as good as its worst dimension."""
        values = [j.quality for j in self.judgements.values() if j.quality is not None]
        return min(values) if values else None


class AssessmentSet(Noun):
    """The document of a run: what ``scrutiq assess --format json`` prints."""

    schema_version: Literal["1"] = SCHEMA_VERSION
    assessments: tuple[Assessment, ...]

    def to_json(self, indent: int | None = None) -> str:
        return self.model_dump_json(indent=indent)

    @classmethod
    def of(cls, assessments: Sequence[Assessment]) -> AssessmentSet:
        return cls(assessments=tuple(assessments))

    def without_paths(self) -> AssessmentSet:
        """Return the same with every ``source.path`` removed, as it may be written to a file."""
        return AssessmentSet.of([without_path(a) for a in self.assessments])


def without_path(assessment: Assessment) -> Assessment:
    """Return the assessment with ``source.path`` removed."""
    if assessment.source is None or assessment.source.path is None:
        return assessment
    return assessment.model_copy(update={"source": assessment.source.model_copy(update={"path": None})})
