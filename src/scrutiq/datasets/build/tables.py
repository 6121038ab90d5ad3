"""Tables of the published layouts: TSV and CSV, the same bytes for the same rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scrutiq.datasets.build.images import write_bytes

__all__ = ["read_table", "write_csv", "write_json", "write_tsv"]


def write_tsv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write rows as tab-separated values with a header."""
    _write(path, rows, columns, "\t")


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write rows as comma-separated values with a header."""
    _write(path, rows, columns, ",")


def write_json(path: Path, document: Any) -> None:
    write_bytes(path, (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table that was written here."""
    text = path.read_text("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if path.suffix == ".tsv" else ","))


def _write(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str], delimiter: str) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, delimiter=delimiter, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, text.getvalue().encode())
