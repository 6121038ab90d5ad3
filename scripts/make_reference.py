"""Write the parts of docs/reference that follow from the code: JSON Schemas, and the tables between markers.

Usage: make_reference.py [--check]

With ``--check`` nothing is written; the exit status is 1 when a file is out of date.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from scrutiq import rubrics
from scrutiq.assessors.measured.mappings import mapped
from scrutiq.assessors.measured.rules import rules
from scrutiq.cli.app import app
from scrutiq.core import (
    SCHEMA_VERSION,
    Assessment,
    AssessmentSet,
    Case,
    Comparison,
    Dimension,
    Finding,
    Image,
    Judgement,
    Noun,
    Rubric,
)
from scrutiq.degradations import Degradation, get, names
from scrutiq.metrics import MEASURES, Measure
from scrutiq.metrics.agreement import Agreement
from scrutiq.metrics.reference import FULL_REFERENCE, FullReference
from scrutiq.metrics.spec import PIXEL_UNIT

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
EVIDENCE = REFERENCE / "degradation_evidence.json"
NOUNS: tuple[type[Noun], ...] = (
    AssessmentSet,
    Assessment,
    Judgement,
    Finding,
    Comparison,
    Agreement,
    Rubric,
    Case,
    Image,
)


def schema(noun: type[Noun]) -> str:
    """Return the JSON Schema of the documents that ``noun.to_json`` writes."""
    body = noun.model_json_schema(mode="serialization")
    properties = {"schema_version": {"const": SCHEMA_VERSION}} | body.pop("properties")
    properties["schema_version"] = {"const": SCHEMA_VERSION, "description": "Version of this format."}
    required = ["schema_version", *(name for name in body.pop("required", []) if name != "schema_version")]
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **body,
        "properties": properties,
        "required": required,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def rubric_tables() -> str:
    """Return one section a shipped rubric, with a table of levels for each dimension."""
    return "\n\n".join(_rubric(rubric) for rubric in rubrics.shipped())


def _rubric(rubric: Rubric) -> str:
    window = "none" if rubric.window is None else "{:g} to {:g}".format(*rubric.window.bounds)
    lines = [
        f"## `{rubric.name}`: {rubric.title}",
        rubric.description,
        "\n".join(
            [
                f"* Source: {rubric.source}",
                f"* Modalities: {', '.join(rubric.modalities)}",
                f"* Images it needs: {', '.join(rubric.requires)}",
                f"* Images it uses where present: {', '.join(rubric.optional) or 'none'}",
                f"* Window in which it was read: {window}",
            ]
        ),
    ]
    lines += [_dimension(name, scale) for name, scale in rubric.dimensions.items()]
    if rubric.caption:
        lines.append(f"Caption: `{rubric.caption}`")
    return "\n\n".join(lines)


def _dimension(name: str, scale: Dimension) -> str:
    low, high = scale.range
    best = f"{scale.ideal:g} is best" if scale.ideal is not None else f"{scale.better} is better"
    absent = f" May be not applicable: *{scale.not_applicable}*." if scale.not_applicable else ""
    head = f"**{scale.title}** (`{name}`), {low:g} to {high:g}, {best}. {scale.description}{absent}"
    rows = [(f"{level.score:g}", level.word, level.criterion) for level in scale.levels]
    return head + "\n\n" + _table(("score", "level", "criterion"), rows)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    cells = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells)


def measurement_sections() -> str:
    """Return one section a measurement that needs no reference."""
    return "\n\n".join(_measurement(entry) for entry in MEASURES.values())


def metric_sections() -> str:
    """Return one section a metric that needs a reference."""
    return "\n\n".join(_measurement(entry) for entry in FULL_REFERENCE.values())


def _measurement(entry: Measure | FullReference) -> str:
    low, high = (f"{end:g}".replace("inf", "∞") for end in entry.range)
    unit = "the unit of the image" if entry.unit == PIXEL_UNIT else {"1": "none"}.get(entry.unit, entry.unit)
    lines = [
        f"* Unit: {unit}",
        f"* Range: {low} to {high}; {entry.direction}",
        f"* Source: {entry.source}",
        f"* Not good for: {entry.limits}",
    ]
    if isinstance(entry, Measure) and entry.map is not None:
        lines.append("* It has a map" + (f", in {entry.map_unit}." if entry.map_unit else "."))
    title = entry.title[0].upper() + entry.title[1:]
    return f"### `{entry.name}`\n\n{title}.\n\n" + "\n".join(lines)


def command_help() -> str:
    """Return one section a verb, with what its ``--help`` prints."""
    runner = CliRunner(env={"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1"})
    sections = []
    for verb in _verbs(app):
        text = runner.invoke(app, [*verb.split(), "--help"], prog_name="scrutiq", catch_exceptions=False).output
        body = "\n".join(line.rstrip() for line in text.strip().splitlines())
        sections.append(f"## `scrutiq {verb}`\n\n```text\n{body}\n```")
    return "\n\n".join(sections)


def _verbs(group: typer.Typer, above: str = "") -> Iterator[str]:
    """Yield every verb, those of a group after its name."""
    for command in group.registered_commands:
        assert command.callback is not None
        yield above + (command.name or command.callback.__name__)
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from _verbs(inner.typer_instance, f"{above}{inner.name} ")


def thresholds() -> str:
    """Return one table a modality of the thresholds of ``measured:``, and where they come from."""
    sections = []
    for modality in rubrics.load("medq").modalities:
        found = rules(modality)
        rows = [
            (
                f"`{r.degradation}`",
                f"`{r.measurement}`",
                *(f"{v:g}" for v in r.knots),
                r.scale,
                r.attribute,
                r.basis,
            )
            for r in found
        ]
        head = ("finding", "measurement", "0", "1/3", "2/3", "1", "scale", "attribute", "basis")
        sections.append(f"### {modality.value}\n\n" + _table(head, rows))
    return "\n\n".join(sections)


def mappings() -> str:
    """Return, for each rubric that ``measured:`` maps, how each dimension is judged."""
    sections = []
    for rubric in rubrics.shipped():
        found = mapped(rubric)
        if found is None:
            continue
        lines = [f"### `{rubric.name}`"]
        for name, mapping in found.items():
            if mapping.declined:
                lines.append(f"**`{name}`** is declined. {mapping.declined}")
                continue
            lines.append(f"**`{name}`**. {mapping.basis}")
            rows = [
                (
                    " or ".join(f"`{m}`" for m in term.measurement),
                    ", ".join(f"{v:g} → {s:g}" for v, s in term.knots),
                    term.scale,
                    f"{term.tolerance:g}",
                    f"{term.residual:g}",
                )
                for term in mapping.terms
            ]
            lines.append(_table(("measurement", "value → score", "scale", "tolerance", "residual"), rows))
        sections.append("\n\n".join(lines))
    return "\n\n".join(sections)


def degradation_list() -> str:
    """Return one table a modality: the degradations, their terms and what measures them."""
    sections = []
    for folder, entries in _folders().items():
        rows = [
            (
                f"[`{entry.name}`](#{_anchor(entry)})",
                entry.words.term,
                f"`{entry.measurement.name}`" + ("" if entry.exception is None else " (not evidence)"),
                f"{entry.thresholds.mild:g}",
                f"{entry.thresholds.severe:g}",
                _unit(entry.measurement.unit),
            )
            for entry in entries
        ]
        head = ("degradation", "term", "measured by", "mild", "severe", "unit")
        sections.append(f"**{TITLES[folder]}** ({len(entries)})\n\n" + _table(head, rows))
    return "\n\n".join(sections)


def degradation_sections() -> str:
    """Return one section a degradation, with its picture."""
    sections = []
    for folder, entries in _folders().items():
        sections.append(f"## {TITLES[folder]}")
        sections += [_degradation(entry) for entry in entries]
    return "\n\n".join(sections)


def _degradation(entry: Degradation) -> str:
    words, limits, measure = entry.words, entry.thresholds, entry.measurement
    doc = " ".join((import_module(f"scrutiq.degradations.{entry.name}").__doc__ or "").split())
    lines = [
        f"* Make: {doc} Graded by {entry.metric.upper()}.",
        f"* Measure: `{measure.name}`, {measure.title} ({_unit(measure.unit)}). {measure.source}",
        f"* Thresholds: {', '.join(f'{knot:g}' for knot in limits.knots)} at severity 0, 1/3 (mild above), 2/3 (severe "
        f"above) and 1. {limits.basis}",
        f"* Not good for: {measure.limits}",
        f"* Seen: {words.seen} Mild: {words.mild}. Severe: {words.severe}.",
        f"* Cause: {words.cause}",
        f"* Cost: {words.cost}",
        f"* Also called: {', '.join(words.synonyms)}. Counts against: {words.attribute}.",
    ]
    if entry.exception is not None:
        lines.insert(2, f"* **Not used as evidence**: {entry.exception}")
    title = words.term[0].upper() + words.term[1:]
    picture = f"![{title}, clean, mild and severe](../assets/degradations/{entry.name}.webp)"
    return f"### `{entry.name}` {{ #{_anchor(entry)} }}\n\n{title}.\n\n{picture}\n\n" + "\n".join(lines)


def _anchor(entry: Degradation) -> str:
    return entry.name.replace(".", "-").replace("_", "-")


def _unit(unit: str) -> str:
    return "the unit of the image" if unit == PIXEL_UNIT else {"1": "no unit"}.get(unit, unit)


def _folders() -> dict[str, list[Degradation]]:
    found: dict[str, list[Degradation]] = {}
    for name in names():
        found.setdefault(name.partition(".")[0], []).append(get(name))
    return found


TITLES = {
    "ct": "CT",
    "mr": "MRI",
    "xa": "X-ray angiography",
    "fundus": "Fundus photography",
    "endoscopy": "Endoscopy",
    "histopathology": "Histopathology",
    "any": "Any modality",
}


def evidence() -> str:
    """Return one table a modality of what bench/bench_degradations.py found."""
    if not EVIDENCE.exists():
        return "Not measured yet."
    document = json.loads(EVIDENCE.read_text("utf-8"))
    sections = [document["note"]]
    for modality in dict.fromkeys(row["modality"] for row in document["entries"]):
        rows = [
            (
                f"`{row['name']}`",
                f"`{row['measurement']}`",
                str(row["bases"]),
                *(_figure(row.get(key), form) for key, form in (("rho", ".3f"), ("ratio", ".2f"), ("auroc", ".2f"))),
                _figure(row.get("rank"), "d"),
                "" if get(row["name"]).exception is None else "not evidence",
            )
            for row in document["entries"]
            if row["modality"] == modality
        ]
        head = ("entry", "own measurement", "bases", "rho", "ratio", "AUROC", "rank", "")
        sections.append(f"### {modality}\n\n" + _table(head, rows))
        sections.append(
            f"![The matrix of {modality}: how well every measurement tells each severe degradation from clean]"
            f"(../assets/degradations/matrix-{modality.lower()}.svg)"
        )
    return "\n\n".join(sections)


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


#: What stands between ``<!-- generated: NAME -->`` and ``<!-- end -->`` in a page.
GENERATED: dict[str, Callable[[], str]] = {
    "commands": command_help,
    "measurements": measurement_sections,
    "metrics": metric_sections,
    "thresholds": thresholds,
    "mappings": mappings,
    "rubrics": rubric_tables,
    "degradation-list": degradation_list,
    "degradations": degradation_sections,
    "evidence": evidence,
}


def matrices() -> dict[Path, str]:
    """Return one SVG a modality: entries down, measurements across, AUROC of severe against clean as the shade."""
    if not EVIDENCE.exists():
        return {}
    entries = json.loads(EVIDENCE.read_text("utf-8"))["entries"]
    folder = REFERENCE.parent / "assets" / "degradations"
    return {
        folder / f"matrix-{modality.lower()}.svg": _matrix([row for row in entries if row["modality"] == modality])
        for modality in dict.fromkeys(row["modality"] for row in entries)
    }


def _matrix(rows: list[dict[str, Any]]) -> str:
    rows = [row for row in rows if row.get("matrix")]
    own = list(dict.fromkeys(row["measurement"] for row in rows))
    columns = own + sorted({name for row in rows for name in row["matrix"]} - set(own))
    cell, left, top = 18, 230, 200
    width, height = left + cell * len(columns) + 60, top + cell * len(rows) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for j, name in enumerate(columns):
        x = left + cell * j + cell / 2 + 4
        parts.append(f'<text transform="translate({x:g},{top - 6}) rotate(-60)" fill="#222222">{name}</text>')
    for i, row in enumerate(rows):
        y = top + cell * i
        parts.append(f'<text x="{left - 8}" y="{y + 13}" text-anchor="end" fill="#222222">{row["name"]}</text>')
        for j, name in enumerate(columns):
            value = row["matrix"].get(name)
            if value is None:
                continue
            strength = abs(value - 0.5) * 2
            shade = "#{:02x}{:02x}{:02x}".format(*(round(255 + (end - 255) * strength) for end in (20, 90, 120)))
            edge = ' stroke="#d04000" stroke-width="2"' if name == row["measurement"] else ""
            parts.append(
                f'<rect x="{left + cell * j + 1}" y="{y + 1}" width="{cell - 2}" height="{cell - 2}" '
                f'fill="{shade}"{edge}>'
                f"<title>{row['name']}, {name}: {value:.2f}</title></rect>"
            )
    return "\n".join([*parts, "</svg>"]) + "\n"


def fill(page: str) -> str:
    """Return a page with the text between its markers made afresh."""

    def block(match: re.Match[str]) -> str:
        return f"{match[1]}\n{GENERATED[match[2]]()}\n\n{match[3]}"

    return re.sub(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", block, page, flags=re.DOTALL)


def outputs() -> dict[Path, str]:
    """Return every generated file and its text."""
    files = {REFERENCE / "schema" / f"{noun.__name__}.json": schema(noun) for noun in NOUNS}
    files |= matrices()
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text("utf-8")
        if "<!-- generated: " in text:
            files[page] = fill(text)
    return files


def main(arguments: list[str]) -> int:
    stale = [path for path, text in outputs().items() if not path.exists() or path.read_text("utf-8") != text]
    for path in stale:
        print(f"{'out of date' if '--check' in arguments else 'written'}: {path.relative_to(ROOT)}")
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(outputs()[path], "utf-8")
    if stale and "--check" in arguments:
        print("Run make reference, and commit the result.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
