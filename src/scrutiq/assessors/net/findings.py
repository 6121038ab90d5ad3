"""From what the network sees to findings: each with its probability, and what measures it where it is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.assessors.measured.assessor import Observation
from scrutiq.core import Evidence, Finding, Measurement, Severity
from scrutiq.degradations import get, words
from scrutiq.metrics import Context

if TYPE_CHECKING:
    from scrutiq.assessors.net.network import KindPrediction

__all__ = ["find", "region"]

#: How many of those present, the strongest first, are measured by their own measurement: that takes time.
MEASURED = 3
#: A place counts where the evidence map is above this share of its highest value, and the highest is no less than that.
SHARE, HIGHEST = 0.5, 0.05
#: What covers more of the image than this, itself or by its bounds, is everywhere.
LOCAL = 0.3


def find(
    seen: Observation, kinds: Mapping[str, KindPrediction], evidence: npt.NDArray[np.float32]
) -> tuple[tuple[Finding, ...], dict[str, Measurement]]:
    """Return what the network sees as findings, and what was measured of them.

    A degradation is called present where it is more probable than none and every other. Then it has the measurements
    that speak of it as evidence: its own (`scrutiq.degradations.Degradation.measurement`), unless that is an exception,
    and that of `measured:`. One that is absent has the latter only. What `measured:` finds and the network does not
    know comes after these, as it is.

    Parameters
    ----------
    seen : Observation
        The same image as `measured:` sees it.
    kinds : mapping of str to KindPrediction
        By degradation.
    evidence : ndarray of float32, shape (H, W)
        The network's map. The strongest finding has the place where it is highest as its region.

    Returns
    -------
    findings : tuple of Finding
    measured : dict of str to Measurement
        Those of ``seen``, and the degradations' own.
    """
    values = {
        # Of one that is absent no more is said than that.
        name: kind.severity if kind.present else min(kind.probability * kind.severity, 1 / 3)
        for name, kind in kinds.items()
    }
    present = sorted((n for n in kinds if Severity.of(values[n]) is not Severity.NONE), key=lambda n: -values[n])
    # A fault of another name can be what a measurement gives away: any that is severe, or one of the same attribute.
    explained = {words(name).attribute for name in present}
    severe = any(Severity.of(values[name]) is Severity.SEVERE for name in present)
    by_rule = {finding.degradation: finding for finding in seen.findings}
    place = region(evidence) if present else None
    measured = dict(seen.measured)
    found = []
    for name, kind in kinds.items():
        word = Severity.of(values[name])
        proofs = [by_rule[name]] if name in by_rule else []
        if name in present[:MEASURED]:
            own = _own(name, seen.context)
            if own is not None and all(own.evidence[0].measurement != p.evidence[0].measurement for p in proofs):
                proofs.insert(0, own)
                proof = own.evidence[0]
                measured[proof.measurement] = Measurement(value=proof.value, unit=proof.unit)
        said = {proof.severity for proof in proofs}
        if word is Severity.SEVERE:
            disputed = said == {Severity.NONE}
        else:
            unexplained = not severe and words(name).attribute not in explained
            disputed = word is Severity.NONE and Severity.SEVERE in said and unexplained
        found.append(
            Finding(
                degradation=name,
                severity=word,
                value=values[name],
                probability=kind.probability,
                region=place if present[:1] == [name] else None,
                evidence=tuple(_evidence(proofs)),
                disputed=disputed,
            )
        )
    return (*found, *(f for name, f in by_rule.items() if name not in kinds)), measured


def region(evidence: npt.NDArray[np.float32]) -> tuple[int, int, int, int] | None:
    """Return (top, left, bottom, right) of the place where an evidence map is high, or None where that is everywhere.

    The connected area above half of the highest value that holds most of the map's sum.
    """
    highest = float(evidence.max())
    high = evidence > SHARE * highest
    if highest < HIGHEST or high.mean() > LOCAL:
        return None
    parts, count = ndimage.label(high)
    sums = ndimage.sum_labels(evidence, parts, range(1, count + 1))
    rows, columns = ndimage.find_objects(parts)[int(np.argmax(sums))]
    if (rows.stop - rows.start) * (columns.stop - columns.start) > LOCAL * evidence.size:
        return None
    return rows.start, columns.start, rows.stop, columns.stop


def _own(name: str, context: Context) -> Finding | None:
    """Return what a degradation's own measurement says of it, or None where that is no evidence or has no value."""
    entry = get(name)
    return None if entry.exception is not None else entry.find(context)


def _evidence(proofs: Sequence[Finding]) -> list[Evidence]:
    return [evidence for proof in proofs for evidence in proof.evidence]
