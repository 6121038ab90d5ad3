"""What the measurements of a run are: those of the catalogue, and those that belong to a degradation."""

from __future__ import annotations

from collections.abc import Iterable

from scrutiq.assessors.measured.derived import DERIVED
from scrutiq.core import Assessment
from scrutiq.degradations import get, names
from scrutiq.metrics import FULL_REFERENCE, MEASURES, Measure

__all__ = ["described", "title"]

#: What the measurements are that are not described in full.
_TITLES = {**{name: entry.title for name, entry in FULL_REFERENCE.items()}, **DERIVED}


def described(assessments: Iterable[Assessment]) -> dict[str, Measure]:
    """Return the measurements that a report describes, by name, in a fixed order."""
    measured: dict[str, str | None] = {}
    for assessment in assessments:
        measured.update(dict.fromkeys(assessment.measurements, None))
    for assessment in assessments:
        for finding in assessment.findings:
            for evidence in finding.evidence:
                if evidence.measurement not in MEASURES and evidence.measurement not in _TITLES:
                    measured[evidence.measurement] = finding.degradation
    found = {name: entry for name, entry in MEASURES.items() if name in measured}
    known = names()
    for name, degradation in measured.items():
        if degradation in known and (own := get(degradation).measurement).name == name:
            found[name] = own
    return found


def title(name: str, described: dict[str, Measure]) -> str | None:
    """Return what a measurement is, as a phrase, where that is known."""
    return described[name].title if name in described else _TITLES.get(name)
