"""What the loaders share: reading tables of labels, finding the images, and joining the two one to one."""

from __future__ import annotations

import codecs
import csv
import io
import json
import math
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scrutiq.core import InputError, UsageError
from scrutiq.datasets.record import Record

__all__ = [
    "ENDINGS",
    "check_join",
    "column",
    "delimiter_of",
    "folder_of",
    "image_files",
    "listed",
    "number",
    "read_json",
    "read_table",
    "read_text",
    "record",
    "wide_cells",
]

#: Endings of image files, in lower case.
ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".dcm", ".npy", ".nii", ".nii.gz")
#: How many names a message shows.
_SHOWN = 3
#: Characters of one cell: an image of 64 megapixels as base64.
_WIDEST = 1 << 28
_limit = threading.Lock()


def folder_of(folder: str | os.PathLike[str]) -> Path:
    """Return the folder of a set.

    Raises
    ------
    UsageError
        If it is not there.
    """
    path = Path(folder)
    if not path.is_dir():
        raise UsageError(f"there is no folder {path}.")
    return path


def read_text(path: Path) -> str:
    """Read a text in UTF-8, or in UTF-16 where the file says so by its first two bytes.

    Raises
    ------
    InputError
        If it is not there or in another encoding.
    """
    try:
        raw = path.read_bytes()
        return raw.decode("utf-16" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"there is no {path.name} in the folder.", str(path)) from None
    except OSError:
        raise InputError("it cannot be read.", str(path)) from None
    except UnicodeDecodeError:
        raise InputError("it is not UTF-8 text; save it again as UTF-8.", str(path)) from None


@contextmanager
def wide_cells() -> Iterator[None]:
    """Let `csv` read cells that hold an image, and no others than these calls."""
    with _limit:  # the limit is one for the whole process
        before = csv.field_size_limit(_WIDEST)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def delimiter_of(text: str) -> str:
    """Return what separates the cells of a table: whichever of tab, semicolon and comma its header has most of."""
    heading = next((line for line in text.splitlines() if line.strip()), "")
    return max("\t;,", key=heading.count)


def read_table(path: Path, needed: Sequence[str] = ()) -> list[dict[str, str]]:
    """Read a table with a header: separated by tabs, semicolons or commas, whichever its header has most of.

    Returns
    -------
    list of dict
        Cells by column, stripped; a cell that is missing at the end of a line is empty.

    Raises
    ------
    InputError
        If the table cannot be read, two columns have one name, one of ``needed`` is missing, or a line is longer than
        the header.
    """
    text = read_text(path)
    delimiter = delimiter_of(text)
    rows: list[dict[str, str]] = []
    header: list[str] = []
    try:
        with wide_cells():
            lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
            for cells in lines:
                if not any(cell.strip() for cell in cells):
                    continue
                if not header:
                    header = [cell.strip() for cell in cells]
                    continue
                if len(cells) > len(header):
                    raise InputError(
                        f"line {lines.line_num} has {len(cells)} cells and the header {len(header)}.", str(path)
                    )
                cells += [""] * (len(header) - len(cells))
                rows.append({name: cell.strip() for name, cell in zip(header, cells, strict=True)})
    except csv.Error:
        raise InputError("it is not a valid table.", str(path)) from None
    if twice := [name for name, count in Counter(header).items() if count > 1]:
        raise InputError(f"two columns are named {twice[0]!r}.", str(path))
    if missing := [name for name in needed if name not in header]:
        raise InputError(f"the table has no column {missing[0]!r}; it has {', '.join(header) or 'none'}.", str(path))
    if not rows:
        raise InputError("the table holds no rows.", str(path))
    return rows


def read_json(path: Path) -> Any:
    """Read a JSON document in which no key is there twice.

    Raises
    ------
    InputError
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if twice := [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]:
            raise InputError(f"{twice[0]!r} is there more than once.", str(path))
        return dict(pairs)

    try:
        return json.loads(read_text(path), object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise InputError("it is not valid JSON.", str(path)) from None


def number(cell: object, low: float, high: float, where: str) -> float:
    """Return a score that has to lie on its scale.

    Raises
    ------
    InputError
        If it is no number, or lies outside.
    """
    try:
        is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
        is_text = isinstance(cell, str) and "_" not in cell  # float() would read 1_0 as 10
        value = float(cell) if is_number or is_text else math.nan  # type: ignore[arg-type]
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise InputError(f"{where}: the score is a number from {low:g} to {high:g}, not {str(cell)[:40]!r}.")
    return value


def column(header: Iterable[str], names: Sequence[str]) -> str | None:
    """Return the column of the first of these names that is there, whatever its case."""
    folded = {name.casefold(): name for name in header}
    return next((folded[name.casefold()] for name in names if name.casefold() in folded), None)


def image_files(folder: Path, *places: str, deep: bool = False) -> list[str]:
    """Return the images in subfolders of a folder (``""`` is the folder itself), relative to it, in order."""
    found: set[str] = set()
    for place in places:
        start = folder / place
        paths = start.rglob("*") if deep else start.glob("*")
        found |= {
            path.relative_to(folder).as_posix()
            for path in paths
            if path.name.lower().endswith(ENDINGS) and not path.name.startswith(".") and path.is_file()
        }
    return sorted(found)


def listed(names: Iterable[str]) -> str:
    """Return the first few names, and how many more there are."""
    ordered = sorted(names)
    more = f" and {len(ordered) - _SHOWN} more" if len(ordered) > _SHOWN else ""
    return ", ".join(ordered[:_SHOWN]) + more


def check_join(name: str, labels: Iterable[str], files: Iterable[str]) -> None:
    """Check that each label has its file, each file its label, and none two.

    Parameters
    ----------
    name : str
        Of the set.
    labels : iterable of str
        What the labels name: one a label.
    files : iterable of str
        What is there, by the same names.

    Raises
    ------
    UsageError
        In one sentence: how many do not join, and the first of them.
    """
    counted = Counter(list(labels))  # a mapping given as such would be taken for counts
    there = set(files)
    faults = []
    if twice := [label for label, count in counted.items() if count > 1]:
        faults.append(f"{_count(twice, 'file')} labelled more than once ({listed(twice)})")
    if missing := counted.keys() - there:
        faults.append(f"{_count(missing, 'label')} without a file ({listed(missing)})")
    if unlabelled := there - counted.keys():
        faults.append(f"{_count(unlabelled, 'file')} without a label ({listed(unlabelled)})")
    if faults:
        raise UsageError(f"the labels and files of {name} do not join one to one: {'; '.join(faults)}.")


def _count(names: Sequence[str] | set[str], noun: str) -> str:
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'}"


def record(where: str, **fields: Any) -> Record:
    """Build a record.

    Raises
    ------
    InputError
        If a field is not valid, naming the place in the labels.
    """
    try:
        return Record(**fields)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise InputError(f"{where}: {reason}.") from None
