"""What a training run says of degradations on bases that it never saw: the figures of its ``run.json`` as tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from _accuracy_tables import cell, table

from scrutiq.metrics.reader_protocol import Figure

WAYS = {"alone": "image alone", "pictured": "image alone, a picture of 8 bits", "with_reference": "with its reference"}
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
    parts += ["### Probabilities: top-label calibration on bases never seen", _calibrated(found)]
    if any("ldct-factorial" in found[way] for way in WAYS):
        parts += ["### `ldct-factorial`, patients never seen", _factorial(found)]
    if maps := {name: one for name, one in found["evidence"].items() if one["n"]}:
        parts += ["### The evidence map, against where a local degradation was put", _maps(maps)]
    if held := _held(found["intervals"]):
        parts += ["### 90 % intervals: how often they hold", held]
    if found["domain"]:
        parts += ["### The domain check, on sources never seen", _domain(found["domain"])]
    return "\n\n".join(parts)


def _calibrated(found: Mapping[str, Any]) -> str:
    rows, diagrams = [], []
    for way, title in WAYS.items():
        for modality, one in found[way]["calibration"].items():
            low, high = one["interval"] or (float("nan"), float("nan"))
            rows.append([modality, title, f"{one['n']} of {one['groups']}", cell(Figure(one["ece"], low, high))])
            points = "; ".join(f"{said:.2f}: {true:.2f} ({n})" for n, said, true in one["bins"])
            diagrams.append(f"* {modality}, {title}: {points}.")
    text = "Reliability, as probability said: share that was right (samples), in bins of equal number:"
    return f"{table(['modality', 'sees', 'samples of groups', 'ECE'], rows)}\n\n{text}\n\n" + "\n".join(diagrams)


def _held(found: Mapping[str, Any]) -> str:
    rows = []
    for way in ("alone", "with_reference"):
        named = {f"`ct-denoising`, {name}": one for name, one in found["ct-denoising"].get(way, {}).items()}
        if way in found["ldct"]:
            named["`ldct`"] = found["ldct"][way]
        for name, one in named.items():
            low, high = one["interval"] or (float("nan"), float("nan"))
            rows.append(
                [
                    name,
                    WAYS[way],
                    f"{one['n']} of {one['groups']}",
                    cell(Figure(one["coverage"], low, high)),
                    f"{one['median_width']:.2f}",
                    f"{one['constant_width']:.2f}",
                ]
            )
    if not rows:
        return ""
    head = ["scale", "sees", "images of groups", "coverage", "median width", "of constant width"]
    return (
        f"{table(head, rows)}\n\nAsked: 0.85 to 0.95. Groups (patients; sets of the reader study) were left out of fit "
        "and width. The intervals are of constant width, cut to the scale; the last column is the same without the cut."
    )


def _domain(found: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for one in found:
        good, wrong = one["kind"] == "good", one["kind"] not in ("good", "varied", "degraded")
        met = (
            "-"
            if not (good or wrong)
            else ("yes" if (one["share"] <= 0.02 if good else one["share"] >= 0.98) else "no")
        )
        share = cell(Figure(one["share"], *one["interval"]))
        rows.append([one["claim"], one["kind"], f"{one['pictures']} of {one['sources']}", share, met])
    head = ["said to be", "what it is", "pictures of sources", "declined", "as asked"]
    return (
        f"{table(head, rows)}\n\nAsked: at most 0.02 of good images, at least 0.98 of each kind that is none. "
        "*Varied* is another part or size of a good image, *degraded* one with a fault; of these nothing was asked. "
        "Intervals are of Wilson, as if pictures of one source were independent."
    )


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
