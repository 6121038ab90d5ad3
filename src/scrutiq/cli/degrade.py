"""``scrutiq degrade``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scrutiq import api
from scrutiq.cli.app import TextFormat
from scrutiq.cli.output import emit, stdout
from scrutiq.core import SCHEMA_VERSION, Image, UsageError
from scrutiq.imaging import parse_spacing, parse_window, read
from scrutiq.imaging.writing import SUFFIXES, write

__all__ = ["run"]


def run(
    image: Path,
    name: str,
    severity: float,
    out: Path,
    seed: int,
    frame: int | None,
    modality: str | None,
    window: str | None,
    spacing: str | None,
    format: TextFormat,
) -> None:
    """Degrade, write the image with its sidecar, and say what was done and how it measures."""
    entry = api.degradation(name)
    if out.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--out is a file that ends in {', '.join(SUFFIXES)}, not {str(out.name)!r}.")
    if not out.parent.is_dir():
        raise UsageError("the folder of --out does not exist; make it first.")
    if out.exists() and out.samefile(image):
        raise UsageError("--out is the input itself; name another file.")
    if out.absolute().with_suffix("") == image.absolute().with_suffix(""):
        raise UsageError("--out would replace the sidecar of the input, which has its name; name another file.")
    try:
        clean = read(
            image,
            modality=modality,
            window=parse_window(window) if window is not None else None,
            spacing=parse_spacing(spacing) if spacing is not None else None,
            frame=frame,
        )
    except IndexError as error:
        raise UsageError(f"there is no {error}; frames count from 0.") from None
    made = api.degrade(clean if isinstance(clean, Image) else tuple(clean), name, severity, seed)
    write(made, out)
    first = made if isinstance(made, Image) else made[0]
    before, after = entry.measure(clean), entry.measure(made)  # type: ignore[arg-type]
    applied = first.history[-1] if severity else None
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "degradation": entry.name,
        "severity": severity,
        "seed": seed,
        "parameters": {} if applied is None else dict(applied.parameters),
        "measurement": {
            "name": entry.measurement.name,
            "unit": entry.measurement.unit_of(first),
            "before": None if before is None else before.value,
            "after": None if after is None else after.value,
        },
    }
    if format is TextFormat.JSON:
        emit(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return
    with stdout() as shown:
        shown.print(f"{entry.words.term} ({entry.name}), severity {severity:g}, seed {seed}")
        unit = "" if entry.measurement.unit == "1" else f" {entry.measurement.unit_of(first)}"
        values = ["not measurable" if m is None else f"{m.value:.4g}{unit}" for m in (before, after)]
        shown.print(f"{entry.measurement.name}: {values[0]} before, {values[1]} after")
        shown.print(f"written: {out}")
