"""The rubric ``medq`` from findings: attributes by the worst that counts against each, the whole by the worst one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from scrutiq.core import Finding, Judgement, Rubric
from scrutiq.degradations import words

__all__ = ["INTERVAL", "against", "judge_attributes", "score"]

#: Score at severities 0, 1/3, 2/3, 1, so that the levels of ``medq`` change where the severity's words do.
_SCORES = ((0.0, 2.0), (1 / 3, 1.5), (2 / 3, 0.5), (1.0, 0.0))
#: Half-width of the interval of a score: one step of severity. It is not fitted to readers.
INTERVAL = 0.5


def score(severity: float) -> float:
    """Return the ``medq`` score, in [0, 2], of a severity in [0, 1]."""
    return float(np.interp(severity, [s for s, _ in _SCORES], [value for _, value in _SCORES]))


def against(findings: Sequence[Finding], attribute: str) -> Finding | None:
    """Return the finding that counts most against an attribute of ``medq``, or None where nothing was looked for."""
    mine = [finding for finding in findings if words(finding.degradation).attribute == attribute]
    return max(mine, key=lambda finding: finding.value, default=None)


def judge_attributes(
    rubric: Rubric, worst: dict[str, Finding], supervision: Literal["proxy"] | None = None
) -> tuple[dict[str, Judgement], dict[str, Finding]]:
    """Judge the attributes of ``medq``, and ``overall`` by the worst of them.

    Parameters
    ----------
    rubric : Rubric
    worst : mapping of str to Finding
        By attribute, what counts most against it.
    supervision : {"proxy"}, optional
        What the severities were learnt from; see `Judgement`.

    Returns
    -------
    judgements, because : dict
        By dimension, ``overall`` first: the judgement, and the finding that it rests on.
    """
    because = dict(worst)
    if worst and "overall" in rubric.dimensions:
        because = {"overall": max(worst.values(), key=lambda finding: finding.value), **worst}
    judgements = {}
    for name, finding in because.items():
        value = score(finding.value)
        interval = (value - INTERVAL, value + INTERVAL)
        judgements[name] = rubric.judge(name, value, interval=interval, supervision=supervision)
    return judgements, because
