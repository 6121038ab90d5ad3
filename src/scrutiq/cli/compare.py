"""``scrutiq compare``."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from scrutiq import api
from scrutiq.cli.app import GivenModality, TextFormat
from scrutiq.imaging import parse_spacing, parse_window

__all__ = ["run"]


def run(
    a: Path,
    b: Path,
    rubric: str | None,
    assessor: str | None,
    format: TextFormat,
    modality: GivenModality | None,
    window: str | None,
    spacing: str | None,
) -> None:
    """Compare two images and print the verdict with its reasons."""
    comparison = api.compare(
        a,
        b,
        rubric,
        assessor,
        modality=modality.value if modality else None,
        window=parse_window(window) if window else None,
        spacing=parse_spacing(spacing) if spacing else None,
    )
    if format is TextFormat.JSON:
        sys.stdout.write(comparison.to_json(indent=2) + "\n")
        return
    out = Console(markup=False, highlight=False)
    for sentence in comparison.sentences:
        out.print(sentence.text, soft_wrap=True)
