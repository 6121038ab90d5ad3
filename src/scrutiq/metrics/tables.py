"""Scores in files: tables of id and score(s), and the documents of ``scrutiq assess``; joined by id and compared."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq.core import InputError, UsageError
from scrutiq.metrics.agreement import Agreement, agree

__all__ = ["ScoreTable", "agree_files", "read_scores"]

#: Names under which an id column is found, in this order, whatever their case; else it is the first column.
ID_NAMES = ("id", "case", "case_id", "image", "image_id", "file", "filename", "name")

Cells = dict[str, Any]


@dataclass(frozen=True)
class ScoreTable:
    """Scores by id.

    Attributes
    ----------
    ids : tuple of str
        In the order of the file, each once.
    columns : mapping of str to ndarray of float64, shape (n,)
        Scores; NaN where the cell is empty or no number.
    clusters : tuple of str, optional
        What each id belongs to, where a cluster column was asked for and is there.
    """

    ids: tuple[str, ...]
    columns: Mapping[str, npt.NDArray[np.float64]]
    clusters: tuple[str, ...] | None = None


def read_scores(
    path: str | Path,
    *,
    id_column: str | None = None,
    columns: Sequence[str] | None = None,
    cluster_column: str | None = None,
) -> ScoreTable:
    """Read scores from a CSV, TSV, JSON or JSONL file.

    JSON is one of: a mapping of id to score, or of id to a mapping of column to score; a list of objects (JSONL: one a
    line); or the document of ``scrutiq assess``, where ids are the cases and columns the dimensions, written
    ``rubric/dimension`` where there are several rubrics. A CSV has a header and is separated by commas, semicolons
    (then a comma is a decimal point) or tabs.

    Parameters
    ----------
    path : str or Path
    id_column : str, optional
        By default the first of ``id, case, case_id, image, image_id, file, filename, name`` that is there, whatever
        its case, else the first column.
    columns : sequence of str, optional
        Score columns. By default every other column at least half of whose filled cells are numbers.
    cluster_column : str, optional
        Read into ``clusters`` where the file has it.

    Returns
    -------
    ScoreTable

    Raises
    ------
    InputError
        If the file cannot be read, holds no scores, or holds an id twice.
    UsageError
        If a named column is not there.
    """
    path = Path(path)
    try:
        rows, decimal_comma = _rows(path)
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror or type(error).__name__}.", str(path)) from None
    except UnicodeDecodeError:
        raise InputError("the file is not UTF-8 text; save it as UTF-8.", str(path)) from None
    except (csv.Error, ValueError, RecursionError) as error:
        raise InputError(f"the file cannot be used as {path.suffix[1:].upper()}: {error}.", str(path)) from None
    if not rows:
        raise InputError("the file holds no scores.", str(path))

    names = list(dict.fromkeys(name for row in rows for name in row))
    key = _id_column(names, id_column)
    ids = tuple(_text(row.get(key)) for row in rows)
    _check_ids(ids, key, path)
    if columns is None:
        chosen = [n for n in names if n not in (key, cluster_column) and _mostly_numbers(rows, n, decimal_comma)]
    else:
        chosen = list(dict.fromkeys(columns))
        if absent := [name for name in chosen if name not in names]:
            raise UsageError(f"{path} has no column {absent[0]!r}; its columns are {_listed(names)}.")
    if not chosen:
        raise InputError(f"the file has no column of numbers beside {key!r}.", str(path))
    return ScoreTable(
        ids=ids,
        columns={
            name: np.array([_score(row.get(name), decimal_comma) for row in rows], dtype=np.float64) for name in chosen
        },
        clusters=tuple(_text(row.get(cluster_column)) for row in rows) if cluster_column in names else None,
    )


def agree_files(
    pred_path: str | Path,
    truth_path: str | Path,
    *,
    id_column: str | None = None,
    columns: Sequence[str] | None = None,
    cluster_column: str | None = None,
    n_boot: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, Agreement]:
    """Return the agreement of two score files, by score column.

    Rows are joined by id, compared as exact strings. One score column on each side is compared whatever the names;
    several are compared where the names are equal.

    Parameters
    ----------
    pred_path, truth_path : str or Path
        As for `read_scores`.
    id_column : str, optional
        ``NAME``, or ``PRED=TRUTH`` where the names differ.
    columns : sequence of str, optional
        Which to compare: ``NAME``, or ``PRED=TRUTH`` where the names differ.
    cluster_column : str, optional
        In the file of the truth, or else in that of the predictions; ids of one cluster (patient) are resampled
        together.
    n_boot, seed, level
        As for `agree`.

    Returns
    -------
    dict of str to Agreement
        Keyed by the column's name in the file of the truth (by ``PRED=TRUTH`` where it is compared twice). Ids of one
        side only are counted and named in each; ``missing`` counts matched ids without a number on one side.

    Raises
    ------
    InputError
        If a file cannot be used, no id is in both, or a matched id has no cluster.
    UsageError
        If a named column is not there, or no column can be matched.
    """
    wanted = None if columns is None else [_split(column) for column in dict.fromkeys(columns)]
    pred_id, truth_id = (None, None) if id_column is None else _split(id_column)
    pred = read_scores(
        pred_path,
        id_column=pred_id,
        columns=None if wanted is None else [a for a, _ in wanted],
        cluster_column=cluster_column,
    )
    truth = read_scores(
        truth_path,
        id_column=truth_id,
        columns=None if wanted is None else [b for _, b in wanted],
        cluster_column=cluster_column,
    )
    pairs = _pairs(pred, truth) if wanted is None else wanted
    in_pred = {case: i for i, case in enumerate(pred.ids)}
    in_truth = {case: i for i, case in enumerate(truth.ids)}
    both = [case for case in truth.ids if case in in_pred]
    if not both:
        raise InputError(
            "no id of the predictions is an id of the truth; ids are compared letter by letter, with any folder and "
            "ending."
        )
    clusters = _clusters(pred, truth, both, in_pred, in_truth, cluster_column)
    only_pred = tuple(case for case in pred.ids if case not in in_truth)
    only_truth = tuple(case for case in truth.ids if case not in in_pred)
    left = [in_pred[case] for case in both]
    right = [in_truth[case] for case in both]
    unmatched = {
        "unmatched": len(only_pred) + len(only_truth),
        "unmatched_pred": only_pred,
        "unmatched_truth": only_truth,
    }
    uses = [b for _, b in pairs]
    return {
        b if uses.count(b) == 1 else f"{a}={b}": agree(
            pred.columns[a][left], truth.columns[b][right], clusters=clusters, n_boot=n_boot, seed=seed, level=level
        ).model_copy(update=unmatched)
        for a, b in pairs
    }


def _pairs(pred: ScoreTable, truth: ScoreTable) -> list[tuple[str, str]]:
    shared = [(name, name) for name in truth.columns if name in pred.columns]
    if len(pred.columns) == len(truth.columns) == 1:
        shared = [(next(iter(pred.columns)), next(iter(truth.columns)))]
    if not shared:
        raise UsageError(
            f"no score column has the same name on both sides: the predictions have {_listed(pred.columns)}, the truth "
            f"{_listed(truth.columns)}; name the columns as PRED=TRUTH."
        )
    return shared


def _split(column: str) -> tuple[str, str]:
    left, equals, right = column.partition("=")
    return (left, right) if equals else (column, column)


def _clusters(
    pred: ScoreTable,
    truth: ScoreTable,
    both: Sequence[str],
    in_pred: Mapping[str, int],
    in_truth: Mapping[str, int],
    column: str | None,
) -> list[str] | None:
    if column is None:
        return None
    if truth.clusters is not None:
        labels = [truth.clusters[in_truth[case]] for case in both]
    elif pred.clusters is not None:
        labels = [pred.clusters[in_pred[case]] for case in both]
    else:
        raise UsageError(f"neither file has the cluster column {column!r}.")
    if empty := sum(not label.strip() for label in labels):
        raise InputError(f"the cluster column {column!r} is empty for {empty} of the matched ids.")
    return labels


def _rows(path: Path) -> tuple[list[Cells], bool]:
    """Return the rows of a file as mappings of column to cell, and whether a comma is a decimal point in it."""
    text = path.read_bytes().decode("utf-8-sig")
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _json_rows(_parse(text)), False
    if suffix in (".jsonl", ".ndjson"):
        return _json_rows([_parse(line) for line in text.split("\n") if line.strip()]), False
    if suffix in (".csv", ".tsv", ".txt"):
        return _csv_rows(text)
    raise InputError("scores are read from .csv, .tsv, .json and .jsonl files.", str(path))


def _csv_rows(text: str) -> tuple[list[Cells], bool]:
    header_line = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max("\t;,", key=header_line.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    header: list[str] | None = None
    rows: list[Cells] = []
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
            if twice := [name for name in header if header.count(name) > 1]:
                raise ValueError(f"two columns are named {twice[0]!r}")
            if len(header) == 2 and math.isfinite(_score(header[1], delimiter == ";")):
                raise ValueError("its first line holds a score; write a line with the names of the columns above it")
        elif len(cells) > len(header):
            raise ValueError(f"line {lines.line_num} has {len(cells)} cells and the header {len(header)}")
        else:
            rows.append(dict(zip(header, cells, strict=False)))
    return rows, delimiter == ";"


def _parse(text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(keys := dict(pairs)) < len(pairs):
            names = [name for name, _ in pairs]
            raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there more than once")
        return keys

    return json.loads(text, object_pairs_hook=once)


def _json_rows(document: Any) -> list[Cells]:
    if isinstance(document, dict) and isinstance(document.get("assessments"), list):
        return _assessment_rows(document["assessments"])
    if isinstance(document, dict):
        if any(isinstance(value, list) for value in document.values()):
            raise ValueError("it is neither a table of scores nor a document of 'scrutiq assess'")
        return [
            {"id": case, **(value if isinstance(value, dict) else {"score": value})} for case, value in document.items()
        ]
    if isinstance(document, list) and all(isinstance(row, dict) for row in document):
        if document and all("case" in row and "judgements" in row for row in document):
            return _assessment_rows(document)
        return document
    raise ValueError("it is not a list of objects, nor a mapping of id to score")


def _assessment_rows(assessments: Iterable[Any]) -> list[Cells]:
    """Return one row a case; a case that was not judged has a row without scores."""
    try:
        entries = [(str(a["case"]), a.get("rubric"), dict(a.get("judgements") or {})) for a in assessments]
        scored = [(case, rubric, {name: j["score"] for name, j in judged.items()}) for case, rubric, judged in entries]
    except (KeyError, TypeError, AttributeError):
        raise ValueError("its assessments are not those of 'scrutiq assess'") from None
    several = len({rubric for _, rubric, _ in scored if rubric is not None}) > 1
    rows: dict[str, Cells] = {}
    seen: set[tuple[str, Any]] = set()
    for case, rubric, scores in scored:
        if (case, rubric) in seen:
            raise ValueError(f"the case {case!r} is assessed twice")
        seen.add((case, rubric))
        row = rows.setdefault(case, {"case": case})
        row |= {f"{rubric}/{name}" if several else name: score for name, score in scores.items()}
    return list(rows.values())


def _id_column(names: Sequence[str], wanted: str | None) -> str:
    if wanted is not None and wanted in names:
        return wanted
    folded = {name.casefold(): name for name in reversed(names)}
    found = next((folded[name] for name in ID_NAMES if name in folded), None)
    if wanted is not None:
        raise UsageError(f"there is no id column {wanted!r}; the columns are {_listed(names)}.")
    return found if found is not None else names[0]


def _check_ids(ids: Sequence[str], key: str, path: Path) -> None:
    if "" in ids:
        raise InputError(f"the id column {key!r} is empty in row {ids.index('') + 1}.", str(path))
    seen: set[str] = set()
    for case in ids:
        if case in seen:
            raise InputError(
                f"the id {case!r} is there more than once; give one row an id (average readers first).", str(path)
            )
        seen.add(case)


def _mostly_numbers(rows: Sequence[Cells], name: str, decimal_comma: bool) -> bool:
    filled = [row.get(name) for row in rows if row.get(name) is not None and _text(row.get(name)).strip()]
    numbers = sum(math.isfinite(_score(cell, decimal_comma)) for cell in filled)
    return bool(filled) and 2 * numbers >= len(filled)


def _score(cell: Any, decimal_comma: bool) -> float:
    """Return a cell as a number; NaN where it is none, or infinite."""
    if isinstance(cell, str) and "_" not in cell:  # float() would read 1_0 as 10
        try:
            value = float(cell.replace(",", ".") if decimal_comma else cell)
        except ValueError:
            return math.nan
    elif isinstance(cell, int | float) and not isinstance(cell, bool):
        try:
            value = float(cell)
        except OverflowError:
            return math.nan
    else:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _text(cell: Any) -> str:
    return "" if cell is None else cell if isinstance(cell, str) else str(cell)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
