"""``scrutiq rubrics``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.padding import Padding

from scrutiq import rubrics
from scrutiq.cli.app import TextFormat
from scrutiq.cli.output import emit, stdout, table
from scrutiq.core import Dimension, Rubric

__all__ = ["run"]


def run(name: str | None, format: TextFormat) -> int:
    """List the shipped rubrics, or show one; a file with faults is named with each of them. Return the exit status."""
    if name is not None and name not in rubrics.names() and Path(name).exists():
        problems = rubrics.check(name)
        if problems:
            for problem in problems:
                print(f"{name}: {problem}", file=sys.stderr)
            return 2
    chosen = rubrics.shipped() if name is None else (rubrics.load(name),)
    if format is TextFormat.JSON:
        documents = [json.loads(rubric.to_json()) for rubric in chosen]
        emit(json.dumps(documents, indent=2, ensure_ascii=False) + "\n")
    elif name is None:
        _list(chosen)
    else:
        _show(chosen[0])
    return 0


def _list(chosen: tuple[Rubric, ...]) -> None:
    shown = table("name", "title", "modalities", "needs", "dimensions")
    for rubric in chosen:
        scales = (f"{name} {d.range[0]:g}-{d.range[1]:g} ({_direction(d)})" for name, d in rubric.dimensions.items())
        shown.add_row(
            rubric.name, rubric.title, ", ".join(rubric.modalities), ", ".join(rubric.requires), "; ".join(scales)
        )
    with stdout() as out:
        out.print(shown)


def _show(rubric: Rubric) -> None:
    with stdout() as out:
        out.print(f"{rubric.name}: {rubric.title}\n{rubric.description}\nSource: {rubric.source}")
        optional = ", ".join(rubric.optional) or "nothing"
        out.print(
            f"Modalities: {', '.join(rubric.modalities)}. Needs: {', '.join(rubric.requires)}. "
            f"Uses where present: {optional}."
        )
        if rubric.window is not None:
            out.print(f"Read in the window {rubric.window.bounds[0]:g} to {rubric.window.bounds[1]:g}.")
        for name, dimension in rubric.dimensions.items():
            out.print(f"\n{name}: {dimension.title} ({_direction(dimension)})\n  {dimension.description}")
            levels = table("score", "level", "criterion")
            for level in dimension.levels:
                levels.add_row(f"{level.score:g}", level.word, level.criterion)
            if dimension.not_applicable:
                levels.add_row("N/A", dimension.not_applicable, "")
            out.print(Padding(levels, (0, 0, 0, 2)))
        if rubric.caption is not None:
            out.print(f"\nCaption: {rubric.caption}")


def _direction(dimension: Dimension) -> str:
    return f"best at {dimension.ideal:g}" if dimension.better == "near" else f"{dimension.better} is better"
