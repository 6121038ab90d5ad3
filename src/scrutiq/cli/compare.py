"""``scrutiq compare``."""

from __future__ import annotations

from pathlib import Path

from scrutiq import api
from scrutiq.cli.app import TextFormat
from scrutiq.cli.output import emit, stdout
from scrutiq.imaging import parse_spacing, parse_window

__all__ = ["run"]


def run(
    a: Path,
    b: Path,
    rubric: str | None,
    assessor: str | None,
    format: TextFormat,
    modality: str | None,
    window: str | None,
    spacing: str | None,
) -> None:
    """Compare two images and print the verdict with its reasons."""
    comparison = api.compare(
        a,
        b,
        rubric,
        assessor,
        modality=modality,
        window=parse_window(window) if window is not None else None,
        spacing=parse_spacing(spacing) if spacing is not None else None,
    )
    if format is TextFormat.JSON:
        emit(comparison.to_json(indent=2) + "\n")
        return
    with stdout() as out:
        for sentence in comparison.sentences:
            out.print(sentence.text)
