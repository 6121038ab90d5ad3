"""The written report: one sentence a judgement and a finding, each with the measurements it rests on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache

from scrutiq.assessors.measured.derived import body_region
from scrutiq.assessors.measured.rules import Rule, rules
from scrutiq.assessors.wording import beyond, kind, listed, number, opened, unit
from scrutiq.core import Case, Finding, Judgement, Measurement, Modality, Rubric, Sentence, Severity
from scrutiq.degradations import get

__all__ = ["caveats", "notes", "present", "what", "within", "write"]


@cache
def _by_degradation() -> dict[tuple[str, str], Rule]:
    return {(rule.degradation, rule.measurement): rule for modality in Modality for rule in rules(modality)}


def write(
    case: Case,
    rubric: Rubric,
    judgements: Mapping[str, Judgement],
    evidence: Mapping[str, tuple[str, ...]],
    findings: Sequence[Finding],
    measured: Mapping[str, Measurement],
    declined: Mapping[str, str],
) -> list[Sentence]:
    """Write the report of a judged case: what it is, what was found, what was judged, what was not."""
    image = case.target
    height, width = image.shape
    sentences = [Sentence(text=f"{kind(image.modality)}, {width} x {height} pixels.")]
    found = [f for f in findings if f.severity is not Severity.NONE]
    sentences.extend(present(finding) for finding in sorted(found, key=lambda f: -f.value))
    sentences.extend(within(findings, {f.evidence[0].measurement for f in found}))
    sentences.extend(_judged(rubric, name, j, evidence[name], measured) for name, j in judgements.items())
    if declined:
        names = listed([rubric.dimension(name).title.lower() for name in declined])
        sentences.append(Sentence(text=f"Not judged: {names}."))
    return sentences


def within(findings: Sequence[Finding], told_of: Collection[str]) -> list[Sentence]:
    """Return the sentence on the measurements that are as they should be, of findings that rules gave; or none.

    One measurement can serve two findings (noise: too much, too little): it is told once, and not where it is among
    ``told_of``.
    """
    absent = {f.evidence[0].measurement: f for f in reversed(findings) if f.evidence[0].measurement not in told_of}
    if not absent:
        return []
    told = [what(f.degradation, f.evidence[0].measurement) for f in reversed(absent.values())]
    return [Sentence(text=f"Within the reference range: {listed(told)}.", measurements=tuple(reversed(absent)))]


def what(degradation: str, measurement: str) -> str:
    """Return what a measurement is called in a sentence about a degradation."""
    rule = _by_degradation().get((degradation, measurement))
    return get(degradation).measurement.title if rule is None else rule.what


def caveats(case: Case) -> list[str]:
    """Return what a reader must know of the image, whoever judges it and on whatever scale."""
    if case.target.metadata.get("lossy") is True:
        return ["The file says that it was compressed with loss: noise and texture are not as they were acquired."]
    return []


def notes(case: Case, rubric: Rubric, judgements: Mapping[str, Judgement]) -> list[str]:
    """Return the caveats that a reader of the scores must know."""
    if not judgements:
        return []
    found = caveats(case)
    image = case.target
    if rubric.name == "ct-denoising":
        found.append(
            "The noise mapping was fitted to the blind reader study itself (12 denoisers, 3 readers, head and abdomen)."
        )
        if case.reference is None and body_region(image) is None:
            found.append("No body part is stated and no reference is given: the score can be off by about 2 points.")
        if not image.is_calibrated:
            found.append("The image is not calibrated: its noise is taken relative to the full range of the display.")
    else:
        found.append("Thresholds are conventions with a stated basis; they were not fitted to readers' scores.")
        found.append("Only what is measured counts: motion, ghosts, streaks and most other artefacts are not seen.")
    if not image.is_calibrated and image.modality is Modality.CT and rubric.name != "ct-denoising":
        found.append("The image is not calibrated in HU.")
    return found


def _key(finding: Finding) -> tuple[str, str]:
    return finding.degradation, finding.evidence[0].measurement


def present(finding: Finding) -> Sentence:
    """Return the sentence of a finding that is there, by the rule that found it."""
    rule = _by_degradation()[_key(finding)]
    proof = finding.evidence[0]
    value, bound = beyond(proof.value, rule.reference)
    of = unit(proof.unit)
    text = f"{opened(rule.what)} of {value}{of} is {bound}{of}: {rule.seen(finding.severity)}."
    return Sentence(text=text, measurements=(proof.measurement,))


def _judged(
    rubric: Rubric, name: str, judgement: Judgement, evidence: tuple[str, ...], measured: Mapping[str, Measurement]
) -> Sentence:
    title = rubric.dimension(name).title
    low, high = rubric.dimension(name).range
    span = (
        "" if judgement.interval is None else f", interval {judgement.interval[0]:.1f} to {judgement.interval[1]:.1f}"
    )
    because = listed([f"{_plain(m)} {number(measured[m].value)}{unit(measured[m].unit)}" for m in evidence])
    text = (
        f"{title} is {judgement.score:.1f} on the scale of {low:g} to {high:g} ({judgement.level}{span}), by {because}."
    )
    return Sentence(text=text, measurements=evidence)


def _plain(measurement: str) -> str:
    """Return a measurement's name in words, without the unit that follows its value anyway."""
    name = measurement
    for suffix in ("_hu", "_mm", "_pixels", "_percent"):
        name = name.removesuffix(suffix)
    return name.replace("_", " ")
