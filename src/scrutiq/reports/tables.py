"""The same results for machines: JSON, and tables as CSV and Parquet."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from scrutiq.core import Assessment, AssessmentSet, Finding, MissingExtraError, Severity
from scrutiq.reports.files import atomic

__all__ = ["COLUMNS", "Table", "rows", "worst_finding", "write_csv", "write_json", "write_parquet"]

Table = Literal["judgements", "measurements"]
Value = str | int | float | None

_KEYS: dict[str, type] = {
    "case": str,
    "path": str,
    "modality": str,
    "series": str,
    "frame": int,
    "location_mm": float,
    "rubric": str,
    "assessor": str,
    "status": str,
}

#: Columns of each table and the type of their values. An empty cell (null in Parquet) means that there is no value.
#: ``path`` is left out unless paths are asked for.
COLUMNS: dict[Table, dict[str, type]] = {
    "judgements": {
        **_KEYS,
        "reason": str,
        "dimension": str,
        "outcome": str,
        "score": float,
        "interval_low": float,
        "interval_high": float,
        "level": str,
        "quality": float,
        "worst_finding": str,
        "worst_severity": str,
        "notes": str,
        "rubric_hash": str,
        "model_hash": str,
    },
    "measurements": {**_KEYS, "measurement": str, "value": float, "unit": str},
}

_ORDER = {Severity.NONE: 0, Severity.MILD: 1, Severity.SEVERE: 2}


def worst_finding(assessment: Assessment) -> Finding | None:
    """Return the most severe finding (among equals the one with the highest value), or None if none is present."""
    present = [f for f in assessment.findings if f.severity is not Severity.NONE]
    return max(present, key=lambda f: (_ORDER[f.severity], f.value), default=None)


def rows(assessments: Sequence[Assessment], table: Table = "judgements") -> Iterator[dict[str, Value]]:
    """Yield the rows of a table, each with the columns of `COLUMNS`.

    Parameters
    ----------
    assessments : sequence of Assessment
    table : {"judgements", "measurements"}
        ``judgements``: one row a case, rubric and dimension; ``outcome`` is ``judged``, ``not applicable`` or
        ``declined`` (``reason`` says why). A case without any of these has one row with an empty dimension.
        ``measurements``: one row a case, rubric and measurement.
    """
    for assessment in assessments:
        source = assessment.source
        keys: dict[str, Value] = {
            "case": assessment.case,
            "path": None if source is None else source.path,
            "modality": assessment.modality.value,
            "series": None if source is None else source.series,
            "frame": None if source is None else source.frame,
            "location_mm": None if source is None else source.location,
            "rubric": assessment.rubric,
            "assessor": assessment.assessor,
            "status": assessment.status,
        }
        if table == "measurements":
            for name, measurement in assessment.measurements.items():
                yield {**keys, "measurement": name, "value": measurement.value, "unit": measurement.unit}
        else:
            for outcome in _outcomes(assessment):
                yield {**keys, **outcome}


def _outcomes(assessment: Assessment) -> Iterator[dict[str, Value]]:
    worst = worst_finding(assessment)
    shared: dict[str, Value] = {
        "worst_finding": None if worst is None else worst.degradation,
        "worst_severity": None if worst is None else worst.severity.value,
        "notes": "; ".join(assessment.notes) or None,
        "rubric_hash": assessment.provenance.rubric_hash,
        "model_hash": assessment.provenance.model_hash,
    }
    empty: dict[str, Value] = dict.fromkeys(COLUMNS["judgements"].keys() - _KEYS.keys())
    for name, judgement in assessment.judgements.items():
        low, high = judgement.interval or (None, None)
        yield {
            **empty,
            **shared,
            "dimension": name,
            "outcome": "not applicable" if judgement.score is None else "judged",
            "score": judgement.score,
            "interval_low": low,
            "interval_high": high,
            "level": judgement.level,
            "quality": judgement.quality,
        }
    for name, reason in assessment.declined.items():
        yield {**empty, **shared, "reason": reason, "dimension": name, "outcome": "declined"}
    if not assessment.judgements and not assessment.declined:
        yield {**empty, **shared, "reason": assessment.reason}


def write_json(
    assessments: Sequence[Assessment], path: str | os.PathLike[str], *, show_paths: bool = False, indent: int | None = 1
) -> None:
    """Write the document of a run, as `scrutiq.core.AssessmentSet` reads it back.

    Parameters
    ----------
    assessments : sequence of Assessment
    path : path
    show_paths : bool
        Keep ``source.path``. A file name can identify a patient.
    indent : int, optional
        Spaces of indentation; one line when None.
    """
    document = AssessmentSet.of(assessments)
    with atomic(path) as file:
        file.write((document if show_paths else document.without_paths()).to_json(indent))
        file.write("\n")


def write_csv(
    assessments: Sequence[Assessment],
    path: str | os.PathLike[str],
    *,
    table: Table = "judgements",
    show_paths: bool = False,
) -> None:
    """Write a table (see `rows`) as CSV: UTF-8, comma, a header line, numbers so that they read back exactly.

    Parameters
    ----------
    assessments : sequence of Assessment
    path : path
    table : {"judgements", "measurements"}
    show_paths : bool
        Add the column ``path``. A file name can identify a patient.
    """
    with atomic(path) as file:
        writer = csv.DictWriter(file, _columns(table, show_paths), extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows(assessments, table))


def write_parquet(
    assessments: Sequence[Assessment],
    path: str | os.PathLike[str],
    *,
    table: Table = "judgements",
    show_paths: bool = False,
) -> None:
    """Write a table (see `rows`) as Parquet, with the same rows and columns as the CSV file.

    Parameters
    ----------
    assessments : sequence of Assessment
    path : path
    table : {"judgements", "measurements"}
    show_paths : bool
        Add the column ``path``. A file name can identify a patient.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("Writing Parquet", "parquet") from None
    types: dict[type, Any] = {str: pa.string(), int: pa.int64(), float: pa.float64()}
    columns = _columns(table, show_paths)
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    with atomic(path, binary=True) as file:
        pq.write_table(pa.Table.from_pylist(list(rows(assessments, table)), schema=schema), file)


def _columns(table: Table, show_paths: bool) -> dict[str, type]:
    return {name: kind for name, kind in COLUMNS[table].items() if show_paths or name != "path"}
