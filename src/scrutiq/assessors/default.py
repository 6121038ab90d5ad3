"""``default:``, who judges where nobody is named: ``net:base`` what it knows, ``measured:`` the rest."""

from __future__ import annotations

from collections.abc import Sequence

from scrutiq.assessors.measured import MeasuredAssessor
from scrutiq.assessors.net import NetAssessor, open_net
from scrutiq.core import Assessment, AssessorUri, Case, EvidenceMap, Rubric, UsageError

__all__ = ["DefaultAssessor", "open_default"]


def open_default(uri: AssessorUri) -> DefaultAssessor:
    """Return the assessor of a ``default:`` URI, which takes neither a model nor options."""
    if uri.model or uri.options:
        raise UsageError(f"'default:' takes no model and no options, so {str(uri)!r} cannot be opened.")
    return DefaultAssessor(open_net(AssessorUri("net", "base")), MeasuredAssessor())


class DefaultAssessor:
    """Asks ``net:base`` where it knows the modality and the rubric, else ``measured:``.

    Each assessment names the one that made it. What ``net:base`` declines, because the image is not of the kind that
    it knows, stays declined.
    """

    def __init__(self, net: NetAssessor, measured: MeasuredAssessor) -> None:
        self._net = net
        self._measured = measured

    @property
    def uri(self) -> str:
        return "default:"

    def assess(self, case: Case, rubrics: Sequence[Rubric]) -> tuple[Assessment, ...]:
        """Judge a case on each rubric (`scrutiq.core.Assessor.assess`)."""
        known = [self._net.why_not(case, rubric) is None for rubric in rubrics]
        made: dict[bool, list[Assessment]] = {True: [], False: []}
        for mine, judge in ((True, self._net), (False, self._measured)):
            if asked := [rubric for rubric, one in zip(rubrics, known, strict=True) if one is mine]:
                made[mine] = list(judge.assess(case, asked))
        return tuple(made[one].pop(0) for one in known)

    def evidence_map(self, case: Case, assessment: Assessment) -> EvidenceMap | None:
        """Return the map of the assessor that made the assessment."""
        judge = self._net if assessment.assessor == self._net.uri else self._measured
        return judge.evidence_map(case, assessment)
