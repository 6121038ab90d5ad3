"""MedQ-Bench: questions on, and descriptions of, the quality of medical images, as tab-separated tables.

Layout as published for VLMEvalKit; any of the tables may be absent::

    medqbench_QA_{dev,test}.tsv                  index, image | image_path, question, A, B[, C, D], answer[, ...]
    medqbench_description_{dev,test}.tsv         index, image | image_path[, question], description[, ...]
    medqbench_paired_description_{dev,test}.tsv  index, image_a, image_b | image | image_path (a list), ...

``image`` is a file as base64, or, with 64 characters or fewer, the index of another row of the table whose image it
shares. ``image_path`` is relative to the table; lists are Python lists of texts. Where a table has both, the image is
taken, and the path is its name only. ``answer`` is a letter or a number from 0; it may be missing. All other columns
are kept in ``extra``, to break results down by; ``modality`` is read where it is one of ours. Tables that Scrutiq built
also say the ``group`` of each row; the published ones do not, and there each image is one.

Source: Liu J et al., MedQ-Bench: Evaluating and Exploring Medical Image Quality Assessment Abilities in MLLMs.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scrutiq.core import InputError, Modality, Role, UsageError
from scrutiq.datasets.dataset import Dataset
from scrutiq.datasets.published.common import check_join, column, folder_of, image_files, listed, record
from scrutiq.datasets.published.embedded import MAX_REFERENCE, Embedded, cells_of, decode, read_wide
from scrutiq.datasets.record import Record, relative_path

__all__ = ["KINDS", "load"]

#: Kind of task, by the middle part of the table's name.
KINDS = {"qa": "QA", "description": "description", "paired_description": "paired_description"}
_SPLITS = ("dev", "test")
_LETTERS = "ABCDEFGH"
#: What the description of an image ends with (appendix A.1 of the paper).
_VERDICT = re.compile(r"quality of (?:this|the) image is\W*(good|usable|reject)\b", re.IGNORECASE)
_SCORES = {"reject": 0.0, "usable": 1.0, "good": 2.0}
#: Words of the published tables and of the paper for a modality.
_MODALITIES = {
    "ct": Modality.CT,
    "computed tomography": Modality.CT,
    "mr": Modality.MR,
    "mri": Modality.MR,
    "magnetic resonance imaging": Modality.MR,
    "xa": Modality.XA,
    "fundus": Modality.FUNDUS,
    "fundus photography": Modality.FUNDUS,
    "endoscopy": Modality.ENDOSCOPY,
    "histopathology": Modality.HISTOPATHOLOGY,
    "pathology": Modality.HISTOPATHOLOGY,
}


def load(folder: str | os.PathLike[str], *, kind: str = "", split: str = "") -> Dataset:
    """Read the tables in a folder.

    Parameters
    ----------
    folder : path
    kind : {"", "qa", "description", "paired_description"}
        Only this task; by default all whose tables are there.
    split : {"", "dev", "test"}

    Returns
    -------
    Dataset
        Records are named ``KIND-SPLIT-INDEX``. Questions have `Record.question`; descriptions have `Record.text`, and
        ``scores["overall"]`` on the scale of the rubric ``medq`` where the text says good, usable or reject in the
        paper's words. Of a pair, ``target`` is the first image and ``other`` the second. Images stay in their table
        and are decoded when asked for.

    Raises
    ------
    UsageError
        If there is no such table, or images that rows name are not there.
    InputError
        If a table is damaged, an index is there twice, or an answer is none of the options.
    """
    root = folder_of(folder)
    if kind not in ("", *KINDS) or split not in ("", *_SPLITS):
        raise UsageError(f"the kind is one of {', '.join(KINDS)}, and the split dev or test.")
    embedded = Embedded(root)
    records: list[Record] = []
    missing: set[str] = set()
    for task, middle in KINDS.items():
        for part in _SPLITS:
            path = root / f"medqbench_{middle}_{part}.tsv"
            if kind in ("", task) and split in ("", part) and path.is_file():
                for row in _rows(path, task, embedded):
                    records.append(_record(task, part, path, *row))
                    missing |= {
                        name
                        for name in records[-1].files.values()
                        if name not in embedded and not (root / name).is_file()
                    }
    if not records:
        raise UsageError("there is no table such as medqbench_QA_dev.tsv of MedQ-Bench in the folder.")
    # An image may serve several rows, and tables may be absent: only a row without its image is a fault.
    named = {name for one in records for name in one.files.values() if name not in embedded}
    check_join("medq-bench", named, named - missing)
    notes = []
    if unknown := sum(one.modality is Modality.UNKNOWN for one in records):
        notes.append(f"records whose modality is not stated in words that Scrutiq knows: {unknown}")
    if open_ := sum(one.question is not None and one.question.answer is None for one in records):
        notes.append(f"questions without a published answer: {open_}")
    asked = [one.question.options for one in records if one.question is not None]
    if twice := sum(len(set(options)) < len(options) for options in asked):
        notes.append(f"questions with the same option twice: {twice}")
    places = {name.rpartition("/")[0] for name in named}
    if beside := set(image_files(root, *places)) - named:
        notes.append(f"images beside those of the tables that no table names: {len(beside)} ({listed(beside)})")
    return Dataset("medq-bench", root, tuple(records), "medq", tuple(notes), _embedded=embedded)


def _rows(path: Path, task: str, embedded: Embedded) -> list[tuple[str, dict[str, str], list[str]]]:
    """Return the index, the cells other than images, and the written paths of the images of each row."""
    rows: list[tuple[str, dict[str, str], list[str]]] = []
    references: list[tuple[int, str]] = []
    own: dict[str, list[str]] = {}
    for offset, row in read_wide(path):
        index = row.get("index", "").strip()
        where = f"{path.name}, index {index or '(empty)'}"
        if not index:
            raise InputError(f"row {len(rows) + 1} has no index.", str(path))
        if len(index) > MAX_REFERENCE or not index.isprintable():
            raise InputError(
                f"row {len(rows) + 1} has an index of control characters or more than {MAX_REFERENCE}.", str(path)
            )
        images, place = _images(row, path, index, where)
        if isinstance(images, str):  # the index of another row
            references.append((len(rows), images))
            images = []
        elif place is not None:
            embedded.places |= {
                name: (path.name, offset, *where_in) for name, where_in in zip(images, place, strict=True)
            }
        wanted = 2 if task == "paired_description" else 1
        if images and len(images) != wanted:
            raise InputError(f"{where}: there are {len(images)} images and not {wanted}.", str(path))
        if index in own:
            raise InputError(f"the index {index!r} is there more than once.", str(path))
        own[index] = images
        rest = {name: cell for name, cell in row.items() if not name.startswith("image") and name != "index"}
        rows.append((index, rest, images))
    for at, target in references:
        index, rest, _ = rows[at]
        if not own.get(target):
            raise InputError(
                f"{path.name}, index {index}: the image refers to row {target[:64]!r}, which holds none.", str(path)
            )
        rows[at] = (index, rest, own[target])
    return rows


def _images(
    row: dict[str, str], path: Path, index: str, where: str
) -> tuple[list[str] | str, list[tuple[str, int]] | None]:
    """Return the written paths of a row's images and, where they are in the table, their columns and positions.

    Instead of paths, the index of the row whose image this one shares.
    """
    try:
        cells = [(name, cells_of(row[name])) for name in ("image", "image_a", "image_b") if row.get(name, "").strip()]
        paths = [relative_path(text) for text in cells_of(row.get("image_path", ""))]
    except ValueError as error:
        raise InputError(f"{where}: {error}.", str(path)) from None
    parts = [(name, position, text) for name, found in cells for position, text in enumerate(found)]
    if len(parts) == 1 and len(parts[0][2]) <= MAX_REFERENCE:
        return parts[0][2], None
    if parts:
        for _, _, text in parts:
            decode(text, where)
        name = f"{path.name}#{quote(index, safe=' ')}"
        names = [name + (f"/{number}" if number else "") for number in range(len(parts))]
        return names, [(name, position) for name, position, _ in parts]
    if not paths:
        raise InputError(f"{where}: there is neither an image nor an image_path.", str(path))
    return paths, None


def _record(task: str, split: str, path: Path, index: str, row: dict[str, str], images: list[str]) -> Record:
    where = f"{path.name}, index {index}"
    fields: dict[str, Any] = {}
    used = {"question", "description", "answer", *_LETTERS}
    if task == "qa":
        fields["question"] = _question(row, where)
    else:
        text = row.get("description", "").strip()
        if not text:
            raise InputError(f"{where}: the description is empty.", str(path))
        fields["text"] = text
        verdict = _VERDICT.search(text)
        if task == "description" and verdict is not None:
            fields["scores"] = {"overall": _SCORES[verdict[1].lower()]}
    extra = {name: cell.strip() for name, cell in row.items() if name and name not in used and cell.strip()}
    if task != "qa" and row.get("question", "").strip():
        extra["question"] = row["question"].strip()
    said = column(row, ("modality",))
    return record(
        where,
        id=f"{task}-{split}-{index}",
        files=dict(zip((Role.TARGET.value, Role.OTHER.value), images, strict=False)),
        modality=_MODALITIES.get(row[said].strip().casefold(), Modality.UNKNOWN) if said else Modality.UNKNOWN,
        split=split,
        group=row.get("group", "").strip() or images[0],
        extra=extra,
        **fields,
    )


def _question(row: dict[str, str], where: str) -> dict[str, Any]:
    letters = [letter for letter in _LETTERS if row.get(letter, "").strip()]
    if letters != list(_LETTERS[: len(letters)]):
        raise InputError(f"{where}: an option before {letters[-1]} is empty.")
    cell = row.get("answer", "").strip()
    answer = None
    if cell:
        answer = (
            int(cell.removesuffix(".0"))
            if re.fullmatch(r"[0-9](\.0)?", cell)
            else _LETTERS.find(cell.upper())
            if len(cell) == 1
            else -1
        )
        if not 0 <= answer < len(letters):
            raise InputError(f"{where}: the answer {cell[:20]!r} is none of the options.")
    kind = column(row, ("question_type", "type"))
    return {
        "text": row.get("question", "").strip(),
        "options": [row[letter].strip() for letter in letters],
        "answer": answer,
        "kind": row[kind].strip() if kind else "",
    }
