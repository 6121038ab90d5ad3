"""VLM-CT-IQA: scores of the LDCT-IQA challenge's training images with explanations by a language model; no images.

Layout as published::

    train.jsonl, val.jsonl   {"image": "./data/LDCTiqa_png/0023.png", "instruction": ..., "output": ...}
    testData.json            {"0000.png": 2.8, ...}

where the output is ``Score: 2.2``, a line break, ``Reasoning:`` and the text.

The images are the challenge's, as PNG, and are published there. Where the folder holds them (``LDCTiqa_png``, at the
path of the labels or beside them), they are joined; where it holds none, the records name them and `has_images` is
False.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from scrutiq.core import InputError, Modality, Role
from scrutiq.datasets.dataset import Dataset
from scrutiq.datasets.published.common import (
    check_join,
    folder_of,
    image_files,
    number,
    read_json,
    read_text,
    record,
)

__all__ = ["load"]

_SPLITS = {"train": "train.jsonl", "val": "val.jsonl"}
_TEST = "testData.json"
_PLACES = ("data/LDCTiqa_png", "LDCTiqa_png")
_OUTPUT = re.compile(r"Score:\s*(\S+)\s*\nReasoning:\s*(.*)", re.DOTALL)


def load(folder: str | os.PathLike[str]) -> Dataset:
    """Read the three splits.

    Raises
    ------
    UsageError
        If an image is labelled twice, or images are there and do not join the labels one to one.
    InputError
        If a file cannot be read, or a score is not from 0 to 4.
    """
    root = folder_of(folder)
    place = next((place for place in _PLACES if image_files(root, place)), None)
    rows: list[tuple[str, str, float, str | None, str | None]] = [
        (split, *row) for split, name in _SPLITS.items() for row in _lines(root / name)
    ]
    rows += [("test", name, score, None, None) for name, score in _scores(root / _TEST)]
    there = image_files(root, place) if place is not None else None
    names = [name for _, name, _, _, _ in rows]
    check_join("vlm-ct-iqa", names, names if there is None else [file.rsplit("/", 1)[-1] for file in there])
    records = tuple(
        record(
            f"the label of {name}",
            id=name.rsplit(".", 1)[0],
            files={Role.TARGET.value: f"{place or _PLACES[0]}/{name}"},
            modality=Modality.CT,
            split=split,
            scores={"overall": score},
            text=text,
            extra={} if asked is None else {"instruction": asked},
        )
        for split, name, score, text, asked in rows
    )
    notes = [
        "the scores are those of radiologists, the texts those of a language model that was told the score",
        "the labels do not say whose the images are, so those of one patient may be in two splits",
    ]
    if there is None:
        notes.append("the images are not here; they are those of the LDCT-IQA challenge")
    return Dataset("vlm-ct-iqa", root, records, "ldct", tuple(notes), has_images=there is not None)


def _lines(path: Path) -> list[tuple[str, float, str, str]]:
    """Return the file's name, score, explanation and instruction of each line."""
    rows = []
    for number_, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        where = f"line {number_} of {path.name}"
        try:
            row: Any = json.loads(line)
            image, asked, output = row["image"], row["instruction"], row["output"]
            found = _OUTPUT.fullmatch(output)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise InputError(f"{where} is not an object with 'image', 'instruction' and 'output'.", str(path)) from None
        if found is None:
            raise InputError(f"{where} does not say 'Score: ...' and 'Reasoning: ...'.", str(path))
        rows.append((PurePosixPath(str(image)).name, number(found[1], 0, 4, where), found[2].strip(), str(asked)))
    return rows


def _scores(path: Path) -> list[tuple[str, float]]:
    document = read_json(path)
    if not isinstance(document, dict):
        raise InputError("it is no mapping of image to score.", str(path))
    return [(name, number(score, 0, 4, f"{path.name}, {name}")) for name, score in document.items()]
