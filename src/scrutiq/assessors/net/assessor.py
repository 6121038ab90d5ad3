"""`NetAssessor`: look, check the domain, find, judge, write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib import metadata
from typing import TYPE_CHECKING

from scrutiq import rubrics as scales
from scrutiq.assessors import choose
from scrutiq.assessors.attributes import against, judge_attributes
from scrutiq.assessors.measured.assessor import Observation, observe, unfit, versions
from scrutiq.assessors.net import findings as seeing
from scrutiq.assessors.net import writing
from scrutiq.assessors.net.card import Card
from scrutiq.assessors.net.gauges import gauge
from scrutiq.core import (
    Assessment,
    Case,
    DeclinedError,
    EvidenceMap,
    Finding,
    FrozenDict,
    Judgement,
    Measurement,
    Provenance,
    Rubric,
)

if TYPE_CHECKING:
    from scrutiq.assessors.net.network import Looks, Network, Prediction

__all__ = ["MEDQ", "NetAssessor"]

#: The rubric that is judged from the severities of the degradations.
MEDQ = "medq"
_MAP = (
    "How degraded each place looks to the network, from 0, not at all, to 1. It is an estimate that was learnt from "
    "degradations made on purpose, not a measurement."
)


def _smallest() -> int:
    from scrutiq.assessors.net.network import SMALLEST

    return SMALLEST


class NetAssessor:
    """Judges by a trained network, with measurements as the evidence beside it.

    Parameters
    ----------
    uri : str
        Under which it is recorded.
    card : Card
        Of the weights.
    load : callable
        Returns the weights at work; called when they are first needed.
    accepted : bool
        Whether the notice of the weights was accepted.
    """

    def __init__(self, uri: str, card: Card, load: Callable[[], Network], accepted: bool = False) -> None:
        self.uri = uri
        self.card = card
        self._load = load
        self._accepted = accepted

    @cached_property
    def network(self) -> Network:
        """The weights at work."""
        return self._load()

    @cached_property
    def _other(self) -> ThreadPoolExecutor:
        # One thread for all cases: each new one would take memory of its own from the allocator, and keep it.
        return ThreadPoolExecutor(1, "scrutiq-look")

    def why_not(self, case: Case, rubric: Rubric) -> str | None:
        """Return why the weights cannot be asked of a case on a rubric, or None where they can."""
        if (reason := choose.why_not(case, rubric)) is not None:
            return reason
        modality = case.target.modality
        if modality not in self.card.modalities:
            known = ", ".join(self.card.modalities)
            return f"{self.uri} was trained on {known}; this image is {modality}. --assessor measured: can judge it."
        if min(case.target.shape) < (smallest := _smallest()):
            return f"{self.uri} judges images of at least {smallest} pixels on each side."
        trained = {MEDQ: scales.load(MEDQ).hash, **{name: one.hash for name, one in self.card.rubrics.items()}}
        if rubric.name not in trained:
            return f"{self.uri} was not trained for the rubric {rubric.name}; it knows {', '.join(trained)}."
        if rubric.hash != trained[rubric.name]:
            return f"This rubric {rubric.name} is not the one that {self.uri} was trained for: its content differs."
        return None

    def assess(self, case: Case, rubrics: Sequence[Rubric]) -> tuple[Assessment, ...]:
        """Judge a case on each rubric (`scrutiq.core.Assessor.assess`).

        An image that is not of the kind that the weights know is declined; what `measured:` finds is given all the
        same.
        """
        worthless = unfit(case)
        reasons = [worthless or self.why_not(case, rubric) for rubric in rubrics]
        asked = [rubric.name for rubric, reason in zip(rubrics, reasons, strict=True) if reason is None]
        # Measuring and looking take about as long, and neither waits for the other.
        looking = self._other.submit(self._look, case) if asked else None
        seen = observe(case)
        if looking is not None:
            gauge(seen.context)  # kept there
        looks, strange = (None, None) if looking is None else looking.result()
        prediction = None
        if looks is not None:
            prediction = self.network.say(case, looks, seen.context, asked)
            strange = self._strange(case, prediction)
        found, measured = seen.findings, dict(seen.measured)
        if prediction is not None and strange is None:
            found, measured = seeing.find(seen, prediction.kinds, prediction.evidence)
        return tuple(
            self._one(case, rubric, reason or strange, prediction, seen, found, measured)
            for rubric, reason in zip(rubrics, reasons, strict=True)
        )

    def evidence_map(self, case: Case, assessment: Assessment) -> EvidenceMap | None:
        """Return how degraded each place looks to the network, in [0, 1]; None for a case that it did not judge."""
        if assessment.status != "judged":
            return None
        evidence = self.network.evidence(case)
        return EvidenceMap("degradation as the network sees it", "1", evidence, (0.0, 1.0), _MAP)

    def _look(self, case: Case) -> tuple[Looks | None, str | None]:
        """Return what is seen of a case, or why nothing is."""
        try:
            return self.network.look(case), None
        except DeclinedError as declined:
            return None, str(declined)

    def _strange(self, case: Case, prediction: Prediction) -> str | None:
        """Return why an image is not of the kind that the weights know, or None where it is."""
        threshold = self.card.domain.threshold
        if prediction.unusual <= threshold:
            return None
        return (
            f"It does not look like the {case.target.modality} images that {self.uri} was trained on: it is unusual by "
            f"{prediction.unusual:.3g}, and at most {threshold:.3g} is judged."
        )

    def _one(
        self,
        case: Case,
        rubric: Rubric,
        reason: str | None,
        prediction: Prediction | None,
        seen: Observation,
        findings: tuple[Finding, ...],
        measured: Mapping[str, Measurement],
    ) -> Assessment:
        judgements: dict[str, Judgement] = {}
        because: dict[str, Finding] = {}
        declined: dict[str, str] = {}
        if reason is None and prediction is not None:
            judgements, because, declined = self._judge(rubric, prediction, findings)
            if not judgements:
                reason = f"{self.uri} gives no score on {rubric.name} for such an image."
        judged = reason is None
        return Assessment(
            case=case.id,
            source=case.target.source,
            modality=case.target.modality,
            status="judged" if judged else "unjudged",
            reason=reason,
            rubric=rubric.name,
            assessor=self.uri,
            judgements=FrozenDict(judgements),
            declined=FrozenDict(declined),
            findings=findings,
            measurements=FrozenDict(measured),
            sentences=tuple(
                writing.write(case, rubric, judgements, because, findings, seen.findings, declined) if judged else ()
            ),
            notes=tuple(writing.notes(case, rubric, judgements, findings, self.card, self.uri)),
            provenance=Provenance(
                assessor=self.uri,
                rubric_hash=rubric.hash,
                model_hash=self.card.hash,
                versions=FrozenDict({**versions(), "onnxruntime": metadata.version("onnxruntime")}),
                parameters=FrozenDict({"notice": "accepted"} if self._accepted else {}),
            ),
        )

    def _judge(
        self, rubric: Rubric, prediction: Prediction, findings: Sequence[Finding]
    ) -> tuple[dict[str, Judgement], dict[str, Finding], dict[str, str]]:
        """Judge by the scores of the network; what ``medq`` asks beyond them, by the severities of what it sees."""
        judgements: dict[str, Judgement] = {}
        because: dict[str, Finding] = {}
        if rubric.name == MEDQ:
            seen = [finding for finding in findings if finding.probability is not None]
            worst = {name: finding for name in rubric.dimensions if (finding := against(seen, name)) is not None}
            judgements, because = judge_attributes(rubric, worst, "proxy")
        for name, said in prediction.scores.get(rubric.name, {}).items():
            because.pop(name, None)
            judgements[name] = rubric.judge(
                name,
                said.score,
                interval=said.interval,
                coverage=self.card.coverage,
                probabilities=rubric.dimension(name).distribution(said.score, said.sd),
                supervision=self.card.rubrics[rubric.name].supervision,
            )
        ordered = {name: judgements[name] for name in rubric.dimensions if name in judgements}
        reason = (
            "The network knows no fault of such images that counts against it."
            if rubric.name == MEDQ
            else f"{self.uri} gives no score of it for such an image."
        )
        return ordered, because, {name: reason for name in rubric.dimensions if name not in judgements}
