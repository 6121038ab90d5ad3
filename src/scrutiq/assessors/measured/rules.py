"""From a measurement to a finding: one rule a degradation and modality, kept in ``rules.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Literal

from pydantic import Field, model_validator

from scrutiq.core import Evidence, Finding, Measurement, Modality, Noun, Severity
from scrutiq.core.shipped import shipped_yaml
from scrutiq.degradations import words
from scrutiq.degradations.thresholds import interpolate

__all__ = ["Rule", "rules"]


class Rule(Noun):
    """How one measurement gives away one degradation.

    Parameters
    ----------
    degradation : str
    modalities : tuple of Modality
    measurement : str
    only_without : str, optional
        A better measurement of the same; where it has a value, this rule is not used.
    scale : {"linear", "log"}
        On which the severity is interpolated.
    clean, mild, severe, worst : float
        Values of the measurement at severity 0, 1/3, 2/3 and 1: ascending where a high value is bad, descending where
        a low one is. Between them the severity is linear on ``scale``; beyond the ends it is 0 or 1.
    what : str
        The subject of the sentence in the report.
    mild_words, severe_words : str, optional
        What a reader sees, per severity, where the measurement says less than the words of the degradation.
    basis : str
        Where the thresholds come from.
    """

    degradation: str
    modalities: tuple[Modality, ...]
    measurement: str
    only_without: str | None = None
    scale: Literal["linear", "log"] = "linear"
    clean: float
    mild: float
    severe: float
    worst: float
    what: Annotated[str, Field(min_length=1)]
    mild_words: Annotated[str, Field(min_length=1)] | None = None
    severe_words: Annotated[str, Field(min_length=1)] | None = None
    basis: Annotated[str, Field(min_length=1)]

    @model_validator(mode="after")
    def _check(self) -> Rule:
        knots = self.knots
        if not (knots == sorted(set(knots)) or knots == sorted(set(knots), reverse=True)):
            raise ValueError("clean, mild, severe and worst ascend, or descend, strictly")
        if self.scale == "log" and min(knots) <= 0:
            raise ValueError("thresholds on a logarithmic scale are positive")
        return self

    @property
    def attribute(self) -> str:
        """The ``medq`` dimension that the degradation counts against."""
        return words(self.degradation).attribute

    def seen(self, severity: Severity) -> str:
        """Return what a reader sees at a severity, mild or severe."""
        own = self.severe_words if severity is Severity.SEVERE else self.mild_words
        return own or words(self.degradation).at(severity) or ""

    @property
    def knots(self) -> list[float]:
        """The four thresholds from clean to worst."""
        return [self.clean, self.mild, self.severe, self.worst]

    @property
    def reference(self) -> tuple[float | None, float | None]:
        """Range of the measurement in which the degradation is called absent."""
        return (None, self.mild) if self.mild < self.severe else (self.mild, None)

    def severity(self, value: float) -> float:
        """Return the severity in [0, 1] of a value of the measurement; monotone."""
        return interpolate(value, self.knots, [0.0, 1 / 3, 2 / 3, 1.0], self.scale)

    def find(self, measurement: Measurement, region: tuple[int, int, int, int] | None) -> Finding:
        """Return the finding that a measurement gives."""
        value = self.severity(measurement.value)
        # The thresholds themselves belong to the milder side.
        word = Severity.of(value)
        evidence = Evidence(
            measurement=self.measurement, value=measurement.value, unit=measurement.unit, reference=self.reference
        )
        return Finding(
            degradation=self.degradation,
            severity=word,
            value=value,
            region=None if word is Severity.NONE else region,
            evidence=(evidence,),
        )


@cache
def _all() -> tuple[Rule, ...]:
    entries = shipped_yaml("scrutiq.assessors.measured", "rules.yaml")["rules"]
    return tuple(Rule.model_validate(entry) for entry in entries)


def rules(modality: Modality, measured: Mapping[str, Measurement] | None = None) -> tuple[Rule, ...]:
    """Return the rules of a modality; only those whose measurement is at hand, where ``measured`` is given."""
    found = tuple(rule for rule in _all() if modality in rule.modalities)
    if measured is None:
        return found
    return tuple(rule for rule in found if rule.measurement in measured and rule.only_without not in measured)
