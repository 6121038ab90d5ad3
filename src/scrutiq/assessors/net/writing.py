"""The written report of `net:`: what the network says, what was measured of it, and where the two differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scrutiq.assessors.measured import writing as measured
from scrutiq.assessors.net.card import Card
from scrutiq.assessors.wording import beyond, kind, listed, number, opened, unit
from scrutiq.core import Case, Evidence, Finding, Judgement, Modality, Rubric, Sentence, Severity
from scrutiq.degradations import words

__all__ = ["notes", "write"]


def write(
    case: Case,
    rubric: Rubric,
    judgements: Mapping[str, Judgement],
    because: Mapping[str, Finding],
    findings: Sequence[Finding],
    by_rule: Sequence[Finding],
    declined: Mapping[str, str],
) -> list[Sentence]:
    """Write the report of a judged case.

    Parameters
    ----------
    because : mapping of str to Finding
        Of the judgements that follow from findings: the one that decided.
    findings : sequence of Finding
        Of the network, and of `measured:` where the network does not know the degradation.
    by_rule : sequence of Finding
        All of `measured:`.
    """
    height, width = case.target.shape
    sentences = [Sentence(text=f"{kind(case.target.modality)}, {width} x {height} pixels.")]
    present = sorted((f for f in findings if f.severity is not Severity.NONE), key=lambda f: -f.value)
    sentences.extend(measured.present(f) if f.probability is None else _present(f) for f in present)
    disputed = [f for f in findings if f.disputed and f.severity is Severity.NONE]
    sentences.extend(map(_denied, disputed))
    absent = [f for f in findings if f.probability is not None and f.severity is Severity.NONE and not f.disputed]
    if absent:
        others = "other " if len(absent) < sum(f.probability is not None for f in findings) else ""
        sentences.append(Sentence(text=f"The network sees none of the {len(absent)} {others}faults that it knows."))
    told_of = {e.measurement for f in (*present, *disputed) for e in f.evidence}
    for finding in by_rule:
        if finding.severity is not Severity.NONE and finding.evidence[0].measurement not in told_of:
            text = f"{opened(_measured(finding, finding.evidence[0]))}; the network names no fault for it."
            sentences.append(Sentence(text=text, measurements=(finding.evidence[0].measurement,)))
    sentences.extend(measured.within([f for f in by_rule if f.severity is Severity.NONE], told_of))
    sentences.extend(_judged(rubric, name, judgement, because.get(name)) for name, judgement in judgements.items())
    if declined:
        names = listed([rubric.dimension(name).title.lower() for name in declined])
        sentences.append(Sentence(text=f"Not judged: {names}."))
    return sentences


def notes(
    case: Case, rubric: Rubric, judgements: Mapping[str, Judgement], findings: Sequence[Finding], card: Card, uri: str
) -> list[str]:
    """Return the caveats that a reader of the scores must know."""
    if not judgements:
        return []
    found = measured.caveats(case)
    if proxies := [name for name, judgement in judgements.items() if judgement.supervision == "proxy"]:
        what = "" if len(proxies) == len(judgements) else f", {listed(proxies)}"
        found.append(
            f"proxy-trained: {rubric.name}{what}. The scale was learnt from what can be computed, not from readers."
        )
    if rubric.name in card.rubrics:
        found.append(card.rubrics[rubric.name].note)
    if any(judgement.coverage is None for judgement in judgements.values()):
        found.append("An attribute's interval is one step of severity to each side; it was not fitted to readers.")
    found.append(f"{uri} {card.version} was trained on {listed(card.data)}; it may err on images of other sources.")
    if any(finding.disputed for finding in findings):
        found.append("The network and a measurement contradict each other: see the findings in dispute.")
    if case.target.modality is Modality.CT and not case.target.is_calibrated:
        found.append("The image is not calibrated in HU.")
    return found


def _present(finding: Finding) -> Sentence:
    """Return the sentence of a degradation that the network sees."""
    said = words(finding.degradation)
    sure = f"The network sees {said.term}, {finding.severity} (probability {finding.probability:.2f})"
    names = tuple(evidence.measurement for evidence in finding.evidence)
    if not finding.evidence:
        return Sentence(text=f"{sure}: {said.at(finding.severity)}; no measurement backs it.")
    proof = listed([_measured(finding, evidence) for evidence in finding.evidence])
    if finding.disputed:
        return Sentence(text=f"{sure}, but {proof}: they contradict each other.", measurements=names)
    return Sentence(text=f"{sure}: {said.at(finding.severity)}; {proof}.", measurements=names)


def _denied(finding: Finding) -> Sentence:
    """Return the sentence of a degradation that was measured to be severe and that the network does not see."""
    proof = listed([_measured(finding, evidence) for evidence in finding.evidence])
    text = (
        f"{opened(proof)}, as with severe {words(finding.degradation).term}, but the network sees none "
        f"(probability {finding.probability:.2f}): they contradict each other."
    )
    return Sentence(text=text, measurements=tuple(evidence.measurement for evidence in finding.evidence))


def _measured(finding: Finding, evidence: Evidence) -> str:
    """Return how a measurement lies to its reference range, as a clause."""
    name, of = measured.what(finding.degradation, evidence.measurement), unit(evidence.unit)
    low, high = evidence.reference or (None, None)
    if (low is not None and evidence.value < low) or (high is not None and evidence.value > high):
        value, bound = beyond(evidence.value, (low, high))
        return f"{name} of {value}{of} is {bound}{of}"
    return f"{name} of {number(evidence.value)}{of} is within its reference range"


def _judged(rubric: Rubric, name: str, judgement: Judgement, because: Finding | None) -> Sentence:
    scale = rubric.dimension(name)
    said = [str(judgement.level)]
    if judgement.interval is not None:
        share = "" if judgement.coverage is None else f"{100 * judgement.coverage:.0f} % "
        said.append(f"{share}interval {judgement.interval[0]:.1f} to {judgement.interval[1]:.1f}")
    if judgement.supervision == "proxy":
        said.append("proxy-trained")
    by = "by the network"
    if because is not None and because.severity is not Severity.NONE:
        by += f", for {words(because.degradation).term}"
    low, high = scale.range
    text = f"{scale.title} is {judgement.score:.1f} on the scale of {low:g} to {high:g} ({', '.join(said)}), {by}."
    return Sentence(text=text)
