"""Manifests: a CSV, TSV or JSON Lines table with one case a row.

Columns: ``target`` (required), ``id``, ``reference``, ``mask``, ``contrast``, ``other``, ``modality``, ``window``
(``center,width``), ``spacing`` (mm, or ``row,column``), ``frame`` (zero-based). Paths are relative to the manifest.
An empty cell says nothing. Other columns are ignored.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scrutiq.core import InputError, Role, UsageError
from scrutiq.imaging.fileref import FileRef
from scrutiq.imaging.options import Given

__all__ = ["Row", "is_manifest", "read_manifest"]

_ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson")
#: A manifest of a million cases is smaller.
_MAX_BYTES = 256 << 20
_MAX_ID = 200
_FORMS = {
    "modality": "a modality (CT, MR, XA, fundus, endoscopy, histopathology, DX, US, other)",
    "window": "CENTER,WIDTH with a positive width",
    "spacing": "MM or ROW,COLUMN from 0.000001 to 1000",
}


@dataclass(frozen=True)
class Row:
    """One row.

    Parameters
    ----------
    number : int
        From 1, without the heading.
    id : str, optional
    paths : mapping of Role to Path
        As written; ``Role.TARGET`` is there unless ``error`` is set.
    given : Given
    frame : int, optional
    error : InputError, optional
        Why the row cannot be used.
    """

    number: int
    id: str | None
    paths: dict[Role, Path]
    given: Given
    frame: int | None
    error: InputError | None = None


def is_manifest(path: Path) -> bool:
    """Whether a file that the user named is a manifest, by its ending."""
    return path.suffix.lower() in _ENDINGS


def read_manifest(path: Path) -> Iterator[Row]:
    """Read a manifest.

    Raises
    ------
    InputError
        If it cannot be read, or has no ``target`` column.
    """
    with FileRef(path).open() as stream:
        content = stream.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise InputError("the table is larger than 256 MB; split it.", str(path))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("the table is not UTF-8 text; save it again as UTF-8.", str(path)) from None
    lines = path.suffix.lower() in (".jsonl", ".ndjson")
    rows = _json_rows(text, path) if lines else _csv_rows(text, path)
    for number, row in enumerate(rows, start=1):
        yield _row(number, row, str(path))


def _csv_rows(text: str, path: Path) -> Iterator[dict[str, Any]]:
    heading = text.split("\n", 1)[0]
    delimiter = max("\t;,", key=heading.count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, restkey=" more")
        names = {name.strip().lower() for name in reader.fieldnames or ()}
        if "target" not in names:
            raise InputError("the table has no column 'target'; a manifest needs one.", str(path))
        for row in reader:
            yield {key.strip().lower(): value for key, value in row.items() if key and isinstance(value, str)}
    except csv.Error:
        raise InputError("the table is not valid CSV.", str(path)) from None


def _json_rows(text: str, path: Path) -> Iterator[dict[str, Any]]:
    rows = []
    for line in text.splitlines():
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise InputError("the table is not valid JSON Lines: one object a line.", str(path)) from None
        if not isinstance(row, dict):
            raise InputError("the table is not valid JSON Lines: one object a line.", str(path))
        rows.append(row)
    if not any("target" in row for row in rows):
        raise InputError("no line of the table has the key 'target'; a manifest needs one.", str(path))
    yield from rows


def _row(number: int, row: dict[str, Any], table: str) -> Row:
    try:
        paths = {role: Path(cell) for role in Role if (cell := _cell(row, role.value)) is not None}
        if Role.TARGET not in paths:
            raise InputError("'target' is empty.")
        given = Given()
        for name, form in _FORMS.items():
            try:
                given = given.over(Given.parse(**{name: _cell(row, name)}))
            except UsageError:
                raise InputError(f"'{name}' is not {form}.") from None
        return Row(number, _id(row), paths, given, _frame(row))
    except InputError as error:
        return Row(number, None, {}, Given(), None, InputError(f"row {number} of the manifest: {error.reason}", table))


def _cell(row: dict[str, Any], name: str) -> str | None:
    value = row.get(name)
    if isinstance(value, list):
        value = ",".join(str(part) for part in value)
    if isinstance(value, dict | bool):
        raise InputError(f"'{name}' is not text or a number.")
    text = "" if value is None else str(value).strip()
    if "\0" in text:
        raise InputError(f"'{name}' is not text or a number.")
    return text or None


def _id(row: dict[str, Any]) -> str | None:
    text = _cell(row, "id")
    if text is not None and (len(text) > _MAX_ID or not text.isprintable()):
        raise InputError(f"'id' is longer than {_MAX_ID} characters or holds control characters.")
    return text


def _frame(row: dict[str, Any]) -> int | None:
    text = _cell(row, "frame")
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 9:
        raise InputError("'frame' is a whole number from 0.")
    return int(text)
