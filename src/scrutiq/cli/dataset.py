"""``scrutiq dataset``: build, info, check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from scrutiq.cli.app import TextFormat
from scrutiq.cli.output import emit, plain, stderr, stdout, table
from scrutiq.datasets import build as builders

__all__ = ["build", "check", "info"]


def build(recipe: str, out: Path, data: Path | None, jobs: int, resume: bool) -> int:
    """Build a data set; return 1 where an image could not be made, 130 where the user stopped it."""
    errors = stderr()
    columns = (TextColumn("making"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
            task = bar.add_task("", total=None)
            built = builders.build(
                recipe,
                out,
                data=data,
                jobs=jobs,
                resume=resume,
                progress=lambda done, total, _one: bar.update(task, total=total, completed=done),
            )
    except KeyboardInterrupt:
        errors.print("scrutiq: interrupted; what is finished is kept: add --resume to continue.")
        return 130
    for name, reason in built.failed.items():
        errors.print(f"failed: {plain(name)}: {reason}")
    errors.print(f"{built.images} images, {built.records} records, {len(built.failed)} failed")
    errors.print(f"The data card is {plain(str(out / 'card.md'))}")
    return 1 if built.failed else 0


def info(folder: Path, format: TextFormat) -> None:
    """Show a data card."""
    card = builders.info(folder)
    if format is TextFormat.JSON:
        emit(json.dumps(card, indent=2, ensure_ascii=False) + "\n")
        return
    with stdout() as out:
        out.print(f"{card['name']}: {card['title']}\n{card['description'].strip()}\n{card['labels']}")
        out.print(
            f"{card['images']} images, {card['records']} records, {len(card['failed'])} failed, seed {card['seed']}"
        )
        out.print(_counts(card["counts"]))
        sets = table("set", "licence", "bases", "images", "shipped weights")
        for row in card["bases"]:
            cells = (row["name"], row["licence"], str(row["bases"]), str(row["images"]))
            sets.add_row(*cells, "yes" if row["shipped_weights"] else "no")
        out.print(sets)
        made = table("degradation", "below mild", "mild", "severe")
        for row in card["degradations"]:
            made.add_row(row["name"], *(str(row[key]) for key in ("below_mild", "mild", "severe")))
        out.print(made)


def _counts(rows: list[dict[str, Any]]) -> Any:
    counts = table("modality", "split", "images", "bases", "patients or sources", "without degradation")
    for row in rows:
        keys = ("modality", "split", "images", "bases", "groups", "without_degradation")
        counts.add_row(*(str(row[key]) for key in keys))
    return counts


def check(folder: Path, data: Path | None, format: TextFormat) -> int:
    """Verify a data set; return 1 where it has a problem."""
    errors = stderr()
    columns = (TextColumn("checking {task.description}"),)
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bar:
        task = bar.add_task("", total=None)
        found = builders.check(folder, data=data, progress=lambda what: bar.update(task, description=what))
    if format is TextFormat.JSON:
        document = {"passed": found.passed, "problems": found.problems, "notes": found.notes}
        emit(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    else:
        with stdout() as out:
            for note in found.notes:
                out.print(note)
            out.print("passed" if found.passed else f"{len(found.problems)} problems")
    for problem in found.problems:
        errors.print(f"problem: {plain(problem)}")
    return 0 if found.passed else 1
