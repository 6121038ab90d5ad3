"""``scrutiq degradations``."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from scrutiq.cli.app import TextFormat
from scrutiq.cli.output import emit, stdout, table
from scrutiq.core import Modality, UsageError
from scrutiq.degradations import Degradation, get, names
from scrutiq.imaging import parse_modality
from scrutiq.metrics.spec import PIXEL_UNIT

__all__ = ["run"]


def run(name: str | None, modality: str | None, format: TextFormat) -> None:
    """List the degradations, or show one."""
    if name is not None and modality is not None:
        raise UsageError("name a degradation or a modality, not both.")
    chosen = tuple(map(get, names(_modality(modality)) if name is None else (name,)))
    if not chosen:
        raise UsageError(f"no degradation is made for {modality} images.")
    if format is TextFormat.JSON:
        emit(json.dumps([document(entry) for entry in chosen], indent=2, ensure_ascii=False) + "\n")
    elif name is None:
        _list(chosen)
    else:
        _show(chosen[0])


def document(entry: Degradation) -> dict[str, Any]:
    """Return what the JSON output says of a degradation."""
    limits = entry.thresholds
    return {
        "name": entry.name,
        "modality": [modality.value for modality in entry.modalities],
        "volume": entry.volume,
        **entry.words.model_dump(mode="json"),
        "measurement": {
            "name": entry.measurement.name,
            "unit": entry.measurement.unit,
            "title": entry.measurement.title,
            "source": entry.measurement.source,
            "limits": entry.measurement.limits,
        },
        "thresholds": {
            "mild": limits.mild,
            "severe": limits.severe,
            "clean": limits.clean,
            "worst": limits.worst,
            "basis": limits.basis,
        },
        "metric": entry.metric,
        "evidence": entry.exception is None,
        "exception": entry.exception,
    }


def _modality(text: str | None) -> Modality | None:
    return None if text is None else parse_modality(text)


def _list(chosen: tuple[Degradation, ...]) -> None:
    shown = table("name", "term", "measured by", "mild", "severe")
    for entry in chosen:
        limits, unit = entry.thresholds, _unit(entry)
        evidence = "" if entry.exception is None else " (no evidence)"
        shown.add_row(
            entry.name,
            entry.words.term,
            entry.measurement.name + evidence,
            f"{limits.mild:g}{unit}",
            f"{limits.severe:g}{unit}",
        )
    with stdout() as out:
        out.print(shown)


def _show(entry: Degradation) -> None:
    words, measure, limits, unit = entry.words, entry.measurement, entry.thresholds, _unit(entry)
    where = ", ".join(entry.modalities) + (", in volumes" if entry.volume else "")
    doc = (import_module(f"scrutiq.degradations.{entry.name}").__doc__ or "").strip()
    with stdout() as out:
        out.print(f"{entry.name}: {words.term} ({where})\nAlso called: {', '.join(words.synonyms)}")
        out.print(f"\nmake\n  {doc}\n  Severity is graded by {entry.metric}.")
        out.print(f"\nmeasure\n  {measure.name}: {measure.title}\n  {measure.source}\n  {measure.limits}")
        rows = table("severity", "0", "1/3 (mild above)", "2/3 (severe above)", "1")
        rows.add_row(f"{measure.name}{unit and f', in{unit}'}", *(f"{knot:g}" for knot in limits.knots))
        out.print(rows)
        out.print(f"  {limits.basis}")
        if entry.exception is not None:
            out.print(f"  Not used as evidence: {entry.exception}")
        out.print(f"\nname\n  Seen: {words.seen}\n  Cause: {words.cause}\n  Cost: {words.cost}")
        out.print(f"  Mild: {words.mild}\n  Severe: {words.severe}\n  Counts against: {words.attribute} (rubric medq)")


def _unit(entry: Degradation) -> str:
    unit = entry.measurement.unit
    return "" if unit in ("1", PIXEL_UNIT) else f" {unit}"
