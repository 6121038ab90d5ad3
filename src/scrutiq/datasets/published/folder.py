"""A folder of images with a table of scores: any set of your own.

One CSV, TSV or JSON Lines file holds a row an image: the image's path relative to the table, and one column a score.
Where semicolons separate the cells, a comma is a decimal point.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

from scrutiq import rubrics
from scrutiq.core import InputError, Modality, Role, UsageError
from scrutiq.datasets.dataset import Dataset
from scrutiq.datasets.published.common import (
    check_join,
    column,
    delimiter_of,
    folder_of,
    image_files,
    number,
    read_table,
    read_text,
    record,
)

__all__ = ["load"]

#: Names under which the columns are found, in this order, whatever their case.
FILE_NAMES = ("file", "filename", "image", "image_path", "path", "target", "name")
SCORE_NAMES = ("score", "mos", "quality", "overall")
GROUP_NAMES = ("patient", "patient_id", "subject", "group", "source")
SPLIT_NAMES = ("split", "fold", "set")


def load(
    folder: str | os.PathLike[str],
    *,
    table: str = "",
    file: str = "",
    score: str = "",
    group: str = "",
    split: str = "",
    rubric: str = "",
    modality: str = "",
) -> Dataset:
    """Read images and scores.

    Parameters
    ----------
    folder : path
    table : str
        Name of the table in the folder; may be left out where there is one.
    file, group, split : str
        Columns of the image's path, of the patient or source, and of the split. By default the usual names
        (``file``, ``filename``, ``image``, ...; ``patient``, ...; ``split``, ...); the file's column must be there.
    score : str
        Columns of the scores, separated by commas. By default those with the names of the rubric's dimensions, else
        the first of ``score``, ``mos``, ``quality``, ``overall``.
    rubric : str
        Shipped rubric or path of one, whose dimensions the score columns are, by name, and on whose scales they must
        lie. A score that is empty is absent. Without one, any finite number is taken.
    modality : str
        Of all images; else as the files state.

    Raises
    ------
    UsageError
        If a column or the table is not found, or labels and files do not join one to one.
    InputError
        If the table cannot be read or a score is not valid.
    """
    root = folder_of(folder)
    path = _table(root, table)
    rows = _rows(path)
    header = list(rows[0])
    scale = rubrics.load(rubric) if rubric else None
    of_file = _pick(header, file, FILE_NAMES, "image's path", "file", path)
    of_group = _pick(header, group, GROUP_NAMES, "patient", "group", path) if group else column(header, GROUP_NAMES)
    of_split = _pick(header, split, SPLIT_NAMES, "split", "split", path) if split else column(header, SPLIT_NAMES)
    wanted = [name.strip() for name in score.split(",") if name.strip()]
    if not wanted and scale is not None:
        wanted = [found for name in scale.dimensions if (found := column(header, (name,))) is not None]
    scores = [_pick(header, name, SCORE_NAMES, "score", "score", path) for name in wanted or [""]]
    if scale is not None:
        if len(scores) == len(scale.dimensions) == 1:  # one score, one dimension: the name does not matter
            names = list(scale.dimensions)
        else:
            names = [one.casefold() for one in scores]
            for name in names:
                scale.dimension(name)  # refuses one that the rubric does not have
    else:
        names = [_field(one) for one in scores]
    kind = _modality(modality)
    decimal_comma = path.suffix.lower() != ".jsonl" and delimiter_of(read_text(path)) == ";"
    records = []
    for line, row in enumerate(rows, start=1):
        where = f"row {line} of {path.name}"
        values = {}
        for one, name in zip(scores, names, strict=True):
            low, high = scale.dimension(name).range if scale is not None else (-math.inf, math.inf)
            if row[one]:
                values[name] = number(row[one].replace(",", ".") if decimal_comma else row[one], low, high, where)
                if math.isinf(values[name]):
                    raise InputError(f"{where}: the score is not finite.")
        records.append(
            record(
                where,
                id=row[of_file].rsplit(".", 1)[0].replace("/", "-") or where,
                files={Role.TARGET.value: row[of_file]},
                modality=kind,
                split=(row[of_split].casefold() or None) if of_split else None,
                group=(row[of_group] or None) if of_group else None,
                scores=values,
            )
        )
    labelled = [one.files["target"] for one in records]
    # A DICOM file often has no ending; one that is labelled need not look like an image.
    there = [*image_files(root, "", deep=True), *(name for name in labelled if (root / name).is_file())]
    check_join("the folder", labelled, there)
    return Dataset(root.resolve().name or "folder", root, tuple(records), None if scale is None else scale.name)


def _modality(text: str) -> Modality:
    if not text:
        return Modality.UNKNOWN
    from scrutiq.imaging import parse_modality

    return parse_modality(text)


def _table(root: Path, name: str) -> Path:
    if name:
        return root / record("the table", id="table", files={"table": name}).files["table"]
    found = sorted(
        path for path in root.iterdir() if path.suffix.lower() in (".csv", ".tsv", ".jsonl") and path.is_file()
    )
    if len(found) != 1:
        raise UsageError(
            f"there {'is no table' if not found else f'are {len(found)} tables'} in the folder; name one with 'table'."
        )
    return found[0]


def _rows(path: Path) -> list[dict[str, str]]:
    if path.suffix.lower() != ".jsonl":
        return read_table(path)
    rows: list[dict[str, str]] = []
    for line, text in enumerate(read_text(path).split("\n"), start=1):
        if text.strip():
            try:
                row = json.loads(text)
                rows.append({str(name): "" if cell is None else str(cell).strip() for name, cell in row.items()})
            except (ValueError, AttributeError, RecursionError):
                raise InputError(f"line {line} is not a JSON object.", str(path)) from None
    if not rows:
        raise InputError("the table holds no rows.", str(path))
    names = {name: None for row in rows for name in row}
    return [{name: row.get(name, "") for name in names} for row in rows]


def _pick(header: list[str], given: str, names: tuple[str, ...], what: str, option: str, path: Path) -> str:
    found = column(header, (given,) if given else names)
    if found is None:
        raise UsageError(
            f"{path.name} has no column {given or ' or '.join(names)!r} for the {what}; it has {', '.join(header)}; "
            f"name one with '{option}'."
        )
    return found


def _field(name: str) -> str:
    """Return a column's name as that of a dimension: lower case, with underscores."""
    folded = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.casefold()).strip("_")
    return folded if folded[:1].isalpha() else f"score_{folded}".rstrip("_")
