"""What a training run says of degradations on bases that it never saw: the figures of its ``run.json`` as tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from _accuracy_tables import cell, table

from scrutiq.metrics.reader_protocol import Figure

WAYS = {"alone": "image alone", "with_reference": "with its reference"}
#: What the issue asks of macro-F1 at severe, and of the rank correlation within a kind and within a level.
F1, SROCC = 0.80, 0.90


def report(folder: Path) -> str:
    """Return the tables of a run."""
    document = json.loads((folder / "run.json").read_text("utf-8"))
    found, recipe = document["figures"], document["recipe"]
    parts = [
        f"Recipe `{recipe['name']}`: {document['samples']} samples, {found['parameters']:,} weights in the backbone, "
        f"{found['bytes'] / 1e6:.1f} MB on disk."
        + (" A shortened run: it takes every step and learns nothing." if document["short"] else ""),
        "### Degradations of bases never seen",
        _kinds(found),
    ]
    if any("ldct-factorial" in found[way] for way in WAYS):
        parts += ["### `ldct-factorial`, patients never seen", _factorial(found)]
    if maps := {name: one for name, one in found["evidence"].items() if one["n"]}:
        parts += ["### The evidence map, against where a local degradation was put", _maps(maps)]
    return "\n\n".join(parts)


def _kinds(found: Mapping[str, Any]) -> str:
    rows = []
    for way, title in WAYS.items():
        for modality, one in found[way]["kinds"].items():
            within = one["severity_srocc"]
            reached = sum(value >= SROCC for value in within["by_kind"].values())
            rows.append(
                [
                    modality,
                    title,
                    f"{one['groups']}{'' if one['claimed'] else ', not claimed'}",
                    _f1(one["severe"]),
                    _f1(one["mild"]),
                    f"{within['median']:.2f}; {within['least']:.2f}",
                    f"{reached} of {len(within['by_kind'])}",
                ]
            )
    head = ["modality", "sees", "test groups", "macro-F1 at severe", "macro-F1 at mild"]
    head += ["severity within a kind, SROCC: median; least", f"kinds at {SROCC:.2f} or above"]
    asked = f"Asked: macro-F1 of {F1:.2f} at severe, SROCC of {SROCC:.2f} within every kind."
    return f"{table(head, rows)}\n\n{asked}"


def _f1(one: Mapping[str, Any]) -> str:
    return cell(Figure(one["macro_f1"], *one["interval"]))


def _factorial(found: Mapping[str, Any]) -> str:
    rows = []
    for way, title in WAYS.items():
        if one := found[way].get("ldct-factorial"):
            overall = "undefined" if one["all"] is None else f"{one['all']:.3f}"
            rows.append(
                [
                    title,
                    f"{one['n']} of {one['groups']}",
                    overall,
                    _least(one["fixed_noise"]),
                    _least(one["fixed_streak"]),
                ]
            )
    head = ["sees", "images of patients", "SROCC with the proxy", "least within a noise level", "within a streak level"]
    return f"{table(head, rows)}\n\nAsked: {SROCC:.2f} within every level."


def _least(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{min(known):.3f} ({', '.join(f'{v:.2f}' for v in known)})" if known else "undefined"


def _maps(found: Mapping[str, Any]) -> str:
    rows = [
        [name, str(one["n"]), f"{one['auroc']:.2f}", f"{one['highest_inside']:.2f}", f"{one['area']:.2f}"]
        for name, one in found.items()
    ]
    head = ["modality", "images", "AUROC, cells inside against outside", "highest cell inside", "share of the area"]
    return table(head, rows)
