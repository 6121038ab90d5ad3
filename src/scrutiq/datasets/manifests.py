"""Manifests of records: a Parquet table, or JSON Lines; written whole or not at all.

In JSON Lines each line is a `Record` as JSON. In Parquet each record is a row with the columns

``id``, ``modality``, ``split``, ``group``, ``base``, ``text``
    Text.
``file.ROLE``, ``score.DIMENSION``
    One a role and dimension that any record has; text and double; null where a record has none.
``readers``, ``applied``, ``extra``
    JSON, because their shape differs between records; null where empty. ``applied`` is a list of ``degradation``,
    ``severity`` and ``parameters``.
``question.text``, ``question.options``, ``question.answer``, ``question.kind``
    Where any record has a question; text, list of text, whole number, text.

The table's metadata hold ``schema_version``. Both forms give back the same records, bit for bit.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scrutiq.core import SCHEMA_VERSION, InputError, MissingExtraError, UsageError
from scrutiq.datasets.record import Record

__all__ = ["read_records", "write_records"]

_TEXTS = ("id", "modality", "split", "group", "base", "text")
_JSON = ("readers", "applied", "extra")
_KEY = b"scrutiq_record_schema_version"


def write_records(path: str | os.PathLike[str], records: Iterable[Record]) -> None:
    """Write records to ``.parquet`` or ``.jsonl``, by the ending, in place of what is there.

    The file is written aside and moved into place, so that a reader never sees half of it.

    Raises
    ------
    MissingExtraError
        If Parquet is asked for and pyarrow is not installed.
    UsageError
        If the ending is another, or an id is there twice.
    """
    path = Path(path)
    kept = tuple(records)
    _once(kept)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        match path.suffix.lower():
            case ".parquet":
                _write_parquet(draft, kept)
            case ".jsonl" | ".ndjson":
                draft.write_text("".join(record.to_json() + "\n" for record in kept), "utf-8")
            case _:
                raise UsageError(f"records are written to .parquet or .jsonl, not to {path.name!r}.")
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def read_records(path: str | os.PathLike[str]) -> tuple[Record, ...]:
    """Read records from a file that `write_records` wrote.

    Raises
    ------
    InputError
        If the file cannot be read, is of another version, or holds an id twice.
    MissingExtraError
        If it is Parquet and pyarrow is not installed.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("there is no such manifest.", str(path))
    try:
        kept = tuple(_read_parquet(path) if path.suffix.lower() == ".parquet" else _read_lines(path))
        _once(kept)
    except UsageError as error:
        raise InputError(str(error), str(path)) from None
    return kept


def _once(records: tuple[Record, ...]) -> None:
    seen: set[str] = set()
    for record in records:
        if record.id in seen:
            raise UsageError(f"the record {record.id!r} is there more than once.")
        seen.add(record.id)


def _read_lines(path: Path) -> Iterator[Record]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("the manifest is not UTF-8 text.", str(path)) from None
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: a text may hold U+2028
        if line.strip():
            try:
                yield Record.from_json(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"line {number} of the manifest is no record: {_first(error)}.", str(path)) from None


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        one = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}"
    return str(error).split("\n")[0]


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("A Parquet manifest", "parquet") from None
    return pa, pq


def _write_parquet(path: Path, records: tuple[Record, ...]) -> None:
    pa, pq = _arrow()
    columns: dict[str, Any] = {}
    for name in _TEXTS:
        columns[name] = pa.array([_text(record, name) for record in records], pa.string())
    for role in _union(record.files for record in records):
        columns[f"file.{role}"] = pa.array([record.files.get(role) for record in records], pa.string())
    for dimension in _union(record.scores for record in records):
        columns[f"score.{dimension}"] = pa.array([record.scores.get(dimension) for record in records], pa.float64())
    dumped = [record.model_dump(mode="json", include=set(_JSON)) for record in records]
    for name in _JSON:
        cells = [json.dumps(row[name], ensure_ascii=False, allow_nan=False) if row[name] else None for row in dumped]
        columns[name] = pa.array(cells, pa.string())
    asked = [record.question for record in records]
    if any(question is not None for question in asked):
        types = {"text": pa.string(), "options": pa.list_(pa.string()), "answer": pa.int32(), "kind": pa.string()}
        for name, kind in types.items():
            columns[f"question.{name}"] = pa.array(
                [None if question is None else getattr(question, name) for question in asked], kind
            )
    table = pa.table(columns).replace_schema_metadata({_KEY: SCHEMA_VERSION.encode()})
    pq.write_table(table, path, compression="zstd")


def _text(record: Record, name: str) -> str | None:
    value = getattr(record, name)
    return None if value is None else str(value)


def _union(mappings: Iterable[Iterable[str]]) -> list[str]:
    return sorted({name for mapping in mappings for name in mapping})


def _read_parquet(path: Path) -> Iterator[Record]:
    pa, pq = _arrow()
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError):
        raise InputError("the manifest is not Parquet, or is damaged.", str(path)) from None
    version = (table.schema.metadata or {}).get(_KEY, b"").decode("ascii", "replace")
    if version != SCHEMA_VERSION:
        raise InputError("the manifest was not written by this version of Scrutiq.", str(path))
    for number, row in enumerate(table.to_pylist(), start=1):
        try:
            yield _record(row)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"row {number} of the manifest is no record: {_first(error)}.", str(path)) from None


def _record(row: dict[str, Any]) -> Record:
    fields: dict[str, Any] = {name: row[name] for name in _TEXTS if row[name] is not None}
    fields |= {name: json.loads(row[name]) for name in _JSON if row[name] is not None}
    for prefix, name in (("file.", "files"), ("score.", "scores"), ("question.", "question")):
        cells = {key.removeprefix(prefix): cell for key, cell in row.items() if key.startswith(prefix)}
        if filled := {key: cell for key, cell in cells.items() if cell is not None}:
            fields[name] = filled
    return Record.model_validate(fields)
