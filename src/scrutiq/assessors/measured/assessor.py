"""`MeasuredAssessor`: measure, find, judge, write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata

import numpy as np
import numpy.typing as npt

from scrutiq.assessors.attributes import against, judge_attributes
from scrutiq.assessors.choose import why_not
from scrutiq.assessors.measured import writing
from scrutiq.assessors.measured.derived import derive
from scrutiq.assessors.measured.mappings import judge, mapped
from scrutiq.assessors.measured.rules import rules
from scrutiq.core import (
    Assessment,
    AssessorUri,
    Case,
    EvidenceMap,
    Finding,
    FrozenDict,
    Judgement,
    Measurement,
    Provenance,
    Rubric,
    Severity,
    UsageError,
)
from scrutiq.metrics import MEASURES, Context, measure, measure_map
from scrutiq.metrics import why_not as why_not_measured

__all__ = ["MeasuredAssessor", "Observation", "observe", "open_measured", "unfit", "versions", "worst_square"]

#: Share of the pixels that must be valid, and fewest pixels on a side, for a judgement.
ENOUGH_VALID, SMALLEST = 0.5, 32
#: What can change a result: the arithmetic, and the decoders.
DISTRIBUTIONS = (
    *("scrutiq", "numpy", "scipy", "scikit-image"),
    *("pydicom", "python-gdcm", "pylibjpeg-openjpeg", "nibabel", "tifffile", "pillow"),
)
#: Side of the region that a finding points to, pixels.
REGION = 64


@dataclass(frozen=True)
class Observation:
    """What is measured of a case, before anything is judged.

    Attributes
    ----------
    unfit : str or None
        Why the image is no basis for a judgement on any rubric; then nothing is measured.
    context : Context
        Of the target.
    measured : mapping of str to Measurement
    findings : tuple of Finding
        By ``rules.yaml``.
    """

    unfit: str | None
    context: Context
    measured: Mapping[str, Measurement]
    findings: tuple[Finding, ...]


def observe(case: Case) -> Observation:
    """Measure a case, and find what the measurements give away."""
    context = Context(case.target)
    if (reason := unfit(case)) is not None:
        return Observation(reason, context, {}, ())
    measured = {**measure(context), **derive(case, context)}
    return Observation(None, context, measured, _findings(context, measured))


def open_measured(uri: AssessorUri) -> MeasuredAssessor:
    """Return the assessor of a ``measured:`` URI, which takes neither a model nor options."""
    if uri.model or uri.options:
        raise UsageError(f"'measured:' takes no model and no options, so {str(uri)!r} cannot be opened.")
    return MeasuredAssessor()


class MeasuredAssessor:
    """Judges by physical measurements, documented thresholds and monotone mappings.

    It is transparent rather than clever: ``rules.yaml`` turns measurements into findings, ``mappings.yaml`` into
    scores, and what neither covers is declined with the reason.
    """

    @property
    def uri(self) -> str:
        return "measured:"

    def assess(self, case: Case, rubrics: Sequence[Rubric]) -> tuple[Assessment, ...]:
        """Judge a case on each rubric (`scrutiq.core.Assessor.assess`)."""
        seen = observe(case)
        return tuple(self._one(case, rubric, seen) for rubric in rubrics)

    def _one(self, case: Case, rubric: Rubric, seen: Observation) -> Assessment:
        declined: dict[str, str] = {}
        judgements: dict[str, Judgement] = {}
        evidence: dict[str, tuple[str, ...]] = {}
        measured, findings = seen.measured, seen.findings
        reason = seen.unfit or why_not(case, rubric)
        if reason is None and rubric.name == "medq" and "overall" in rubric.dimensions:
            judgements, declined, evidence = _medq(rubric, findings)
        elif reason is None and mapped(rubric) is not None:
            judgements, declined, evidence = judge(rubric, measured, why_not_measured(seen.context))
        elif reason is None:
            reason = f"measured: has no mapping from measurements to the rubric {rubric.name}."
        if reason is None and not judgements:
            reason = " ".join(list(dict.fromkeys(declined.values()))[:2])
        sentences = (
            writing.write(case, rubric, judgements, evidence, findings, measured, declined) if not reason else []
        )
        return Assessment(
            case=case.id,
            source=case.target.source,
            modality=case.target.modality,
            status="judged" if reason is None else "unjudged",
            reason=reason,
            rubric=rubric.name,
            assessor=self.uri,
            judgements=FrozenDict(judgements),
            declined=FrozenDict(declined),
            findings=findings,
            measurements=FrozenDict(measured),
            sentences=tuple(sentences),
            notes=tuple(writing.notes(case, rubric, judgements)),
            provenance=Provenance(assessor=self.uri, rubric_hash=rubric.hash, versions=versions()),
        )

    def evidence_map(self, case: Case, assessment: Assessment) -> EvidenceMap | None:
        """Return the map of the worst finding that has one; without such a finding, the noise map."""
        found = sorted(assessment.findings, key=lambda finding: -finding.value)
        names = [f.evidence[0].measurement for f in found if f.severity is not Severity.NONE]
        for name in (*names, "noise_hu", "noise"):
            entry = MEASURES.get(name)
            if entry is None or entry.map is None or entry.applies(case.target) is not None:
                continue
            values = measure_map(case.target, name)
            if np.isfinite(values).any():
                return EvidenceMap(name, entry.map_unit or entry.unit_of(case.target), values)
        return None


@cache
def versions() -> FrozenDict[str, str]:
    """Return the versions of what can change a measurement."""
    return FrozenDict({name: metadata.version(name) for name in DISTRIBUTIONS})


def unfit(case: Case) -> str | None:
    """Return why an image is no basis for a judgement on any rubric."""
    image = case.target
    if min(image.shape) < SMALLEST:
        size = "x".join(map(str, image.shape))
        return f"The image is {size} pixels; measurements need at least {SMALLEST} on each side."
    valid = image.valid
    if valid is not None and valid.mean() < ENOUGH_VALID:
        return f"Only {100 * valid.mean():.0f} % of the pixels are valid (padding, NaN or infinity)."
    grey = image.grey() if valid is None else image.grey()[valid]
    if grey.min() == grey.max():
        return "The image is constant."
    return None


def _findings(context: Context, measured: Mapping[str, Measurement]) -> tuple[Finding, ...]:
    found = []
    for rule in rules(context.image.modality, measured):
        finding = rule.find(measured[rule.measurement], None)
        if finding.severity is not Severity.NONE:
            high_is_bad = rule.clean < rule.worst
            finding = rule.find(measured[rule.measurement], _worst_region(context, rule.measurement, high_is_bad))
        found.append(finding)
    return tuple(found)


def _worst_region(context: Context, name: str, high_is_bad: bool) -> tuple[int, int, int, int] | None:
    """Return the square in which a measurement's map is worst, or None where it has no map."""
    entry = MEASURES.get(name)
    if entry is None or entry.map is None:
        return None
    values = measure_map(context, name)
    return worst_square(values if high_is_bad else -values, REGION)


def worst_square(values: npt.NDArray[np.float32], side: int) -> tuple[int, int, int, int] | None:
    """Return (top, left, bottom, right) of the square whose mean is highest, NaN counting as the lowest value."""
    if not np.isfinite(values).any():
        return None
    height, width = (min(side, length) for length in values.shape)
    filled = np.where(np.isfinite(values), values, np.nanmin(values)).astype(np.float64)
    total = np.pad(filled.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    top, left = (int(i) for i in np.unravel_index(int(np.argmax(sums)), sums.shape))
    return top, left, top + height, left + width


def _medq(
    rubric: Rubric, findings: Sequence[Finding]
) -> tuple[dict[str, Judgement], dict[str, str], dict[str, tuple[str, ...]]]:
    """Judge attributes by the worst finding that counts against each, and the whole by the worst attribute."""
    declined: dict[str, str] = {}
    worst: dict[str, Finding] = {}
    for name in rubric.dimensions:
        found = against(findings, name)
        if name == "overall":
            continue
        if found is None:
            declined[name] = "No measurement of it has a value, or a threshold, on this image."
        elif name == "artefacts" and found.severity is Severity.NONE:
            # What is measured can show that there are artefacts, never that there are none.
            declined[name] = "Of all artefacts only the blocks of JPEG are measured, and there are none."
        else:
            worst[name] = found
    if not {"noise", "sharpness"} & worst.keys():  # attributes alone would read as a verdict
        return {}, dict.fromkeys(rubric.dimensions, "Neither its noise nor its sharpness can be measured."), {}
    judgements, because = judge_attributes(rubric, worst)
    return judgements, declined, {name: (f.evidence[0].measurement,) for name, f in because.items()}
