"""``scrutiq rubrics``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scrutiq import rubrics
from scrutiq.cli.app import TextFormat
from scrutiq.core import Rubric

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
        sys.stdout.write(json.dumps(documents, indent=2, ensure_ascii=False) + "\n")
    elif name is None:
        _list(chosen)
    else:
        _show(chosen[0])
    return 0


def _list(chosen: tuple[Rubric, ...]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("name", "title", "modalities", "needs", "dimensions"):
        table.add_column(title, overflow="fold")
    for rubric in chosen:
        scales = (f"{name} {d.range[0]:g}-{d.range[1]:g} ({_direction(d)})" for name, d in rubric.dimensions.items())
        table.add_row(
            rubric.name, rubric.title, ", ".join(rubric.modalities), ", ".join(rubric.requires), "; ".join(scales)
        )
    Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 240).print(table)


def _show(rubric: Rubric) -> None:
    out = Console(markup=False, highlight=False)
    out.print(f"{rubric.name}: {rubric.title}\n{rubric.description}\nSource: {rubric.source}")
    out.print(f"Modalities: {', '.join(rubric.modalities)}. Needs: {', '.join(rubric.requires)}.", end=" ")
    out.print(f"Uses where present: {', '.join(rubric.optional) or 'nothing'}.")
    if rubric.window is not None:
        out.print(f"Read in the window {rubric.window.bounds[0]:g} to {rubric.window.bounds[1]:g}.")
    for name, dimension in rubric.dimensions.items():
        out.print(f"\n{name}: {dimension.title} ({_direction(dimension)})\n  {dimension.description}")
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2))
        for level in dimension.levels:
            table.add_row(f"  {level.score:g}", level.word, level.criterion)
        if dimension.not_applicable:
            table.add_row("  N/A", dimension.not_applicable, "")
        out.print(table)
    if rubric.caption is not None:
        out.print(f"\nCaption: {rubric.caption}")


def _direction(dimension: object) -> str:
    better = getattr(dimension, "better", "")
    return f"best at {dimension.ideal:g}" if better == "near" else f"{better} is better"  # type: ignore[attr-defined]
