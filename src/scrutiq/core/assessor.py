"""`Assessor`: anything that turns cases into assessments, named by a URI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable
from urllib.parse import parse_qsl, urlencode

import numpy as np
import numpy.typing as npt

from scrutiq.core.assessment import Assessment
from scrutiq.core.case import Case
from scrutiq.core.errors import UsageError
from scrutiq.core.noun import FrozenDict
from scrutiq.core.rubric import Rubric

__all__ = ["Assessor", "AssessorUri", "EvidenceMap"]


@dataclass(frozen=True)
class AssessorUri:
    """``scheme:model?option=value``, as in ``measured:`` or ``chat:openai/o3?shots=10``."""

    scheme: str
    model: str = ""
    options: FrozenDict[str, str] = field(default_factory=FrozenDict)

    @classmethod
    def parse(cls, text: str) -> AssessorUri:
        """Read a URI.

        Raises
        ------
        UsageError
            If there is no scheme, or an option is not ``name=value``.
        """
        scheme, colon, rest = text.partition(":")
        if not colon or not scheme.isidentifier():
            raise UsageError(f"{text!r} is not an assessor: write SCHEME:MODEL, for example 'measured:'.")
        model, _, query = rest.partition("?")
        try:
            options = dict(parse_qsl(query, strict_parsing=True)) if query else {}
        except ValueError:
            raise UsageError(f"{text!r}: options are written name=value, joined by '&'.") from None
        return cls(scheme, model, FrozenDict(options))

    def __str__(self) -> str:
        return f"{self.scheme}:{self.model}" + (f"?{urlencode(self.options)}" if self.options else "")


@dataclass(frozen=True)
class EvidenceMap:
    """Where in the target an assessor sees what it reports.

    Attributes
    ----------
    name : str
        What is mapped, for example ``"noise"``.
    unit : str
    values : ndarray of float32, shape (H, W)
        NaN where there is nothing to say.
    limits : tuple of float, optional
        Values at the ends of its colours; by default they follow from the values.
    description : str
        What it shows and what not, one sentence; empty where the name says it.
    """

    name: str
    unit: str
    values: npt.NDArray[np.float32]
    limits: tuple[float, float] | None = None
    description: str = ""


@runtime_checkable
class Assessor(Protocol):
    """Judges cases. Each process opens its own, by the URI."""

    @property
    def uri(self) -> str:
        """The name under which it is recorded."""
        ...

    def assess(self, case: Case, rubrics: Sequence[Rubric]) -> tuple[Assessment, ...]:
        """Judge one case on each rubric, in order.

        What cannot be judged comes back with status ``unjudged`` and the reason; it is never guessed.
        """
        ...

    def evidence_map(self, case: Case, assessment: Assessment) -> EvidenceMap | None:
        """Return the map behind an assessment's main finding, or None where the assessor has no map."""
        ...
