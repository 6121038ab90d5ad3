"""The LDCT-IQA challenge (MICCAI 2023): low-dose CT with one overall score, 0 to 4, averaged over five radiologists.

Layout as published (doi 10.5281/zenodo.7833096)::

    LDCTIQAG2023_train/image/0000.tif ...    float32, a display window mapped to [0, 1]
    LDCTIQAG2023_train/train.json            {"0000.tif": 2.2, ...}
    LDCTIQAC2023_test/test-ground-truth.json {"test_0.mha": {"fnames": ["L506_1_1_1", ...], "scores": [...]}, ...}
    LDCTIQAC2023_test/test_0/L506_1_1_1.tif ...

The folder may hold both, or be one of the two. The plain form ``test.json`` with ``test/`` or ``image/`` is read as
well; it is what `scrutiq dataset build` writes. Names may lack their ending, as in the test's file.

Source: Lee W et al., Low-dose computed tomography perceptual image quality assessment, Med Image Anal 99 (2025) 103343.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from scrutiq.core import InputError, Modality, Role, UsageError
from scrutiq.datasets.dataset import Dataset
from scrutiq.datasets.published.common import check_join, folder_of, image_files, number, read_json, record

__all__ = ["load"]

_SPLITS = {
    "train": (("", "LDCTIQAG2023_train"), ("train.json",)),
    "test": (("", "LDCTIQAC2023_test"), ("test-ground-truth.json", "test.json")),
}
_LOW, _HIGH = 0.0, 4.0


def load(folder: str | os.PathLike[str]) -> Dataset:
    """Read the challenge's training set, its test set, or both.

    The test images of newer releases are named by patient (``L506_...``), which then is the group. The training images
    are numbered; their patients are not published.

    Raises
    ------
    UsageError
        If neither set is there, or labels and files do not join one to one.
    InputError
        If a file of labels cannot be read, or a score is not from 0 to 4.
    """
    root = folder_of(folder)
    labels: dict[str, tuple[str, float]] = {}
    used: set[str] = set()
    for split, (places, names) in _SPLITS.items():
        found = [(place, name) for place in places for name in names if (root / place / name).is_file()]
        if found:
            place, name = found[0]
            table = _scores(root / place / name)
            parts = sorted({part for part, _ in table})
            folders = {part: _images_at(root, place, split, part) for part in parts}
            used |= set(folders.values())
            for (part, stem), score in table.items():
                labels[_join(folders[part], f"{stem}.tif")] = (split, score)
    if not labels:
        raise UsageError("there is neither a train.json nor a test-ground-truth.json of the LDCT-IQA challenge here.")
    check_join("ldct-iqa", labels, image_files(root, *sorted(used)))
    records = []
    for file, (split, score) in labels.items():
        stem = file.rsplit("/", 1)[-1].removesuffix(".tif")
        patient = re.match(r"([A-Z]\d+)_", stem)
        records.append(
            record(
                f"the label of {stem}",
                id=f"{split}-{stem}",
                files={Role.TARGET.value: file},
                modality=Modality.CT,
                split=split,
                group=None if patient is None else patient[1],
                scores={"overall": score},
            )
        )
    notes = []
    if not any(
        (root / place / "scrutiq.json").is_file() for place in ("", *used)
    ):  # a set that was built says its unit
        notes.append("the images hold a display window mapped to [0, 1], not HU")
    if any(one.group is None for one in records):
        notes.append("the labels do not say whose the images are, so those of one patient may be in two folds")
    return Dataset("ldct-iqa", root, tuple(records), "ldct", tuple(notes))


def _scores(path: Path) -> dict[tuple[str, str], float]:
    """Return the score of each (part, stem); the part is empty where the file is a plain mapping."""
    document = read_json(path)
    if not isinstance(document, dict):
        raise InputError("it is no mapping of image to score.", str(path))
    found: dict[tuple[str, str], float] = {}
    for name, value in document.items():
        for stem, score in _pairs(name, value, path):
            key = (name.rsplit(".", 1)[0] if isinstance(value, dict) else "", stem)
            if key in found:
                raise InputError(f"{stem!r} is there more than once.", str(path))
            if not re.fullmatch(r"[A-Za-z0-9_-]+", stem) or not re.fullmatch(r"[A-Za-z0-9_-]*", key[0]):
                raise InputError(f"{stem!r} is not a name of an image of the challenge.", str(path))
            found[key] = score
    return found


def _pairs(name: str, value: Any, path: Path) -> list[tuple[str, float]]:
    if not isinstance(value, dict):
        return [(name.removesuffix(".tif"), number(value, _LOW, _HIGH, f"{path.name}, {name}"))]
    stems, scores = value.get("fnames"), value.get("scores")
    if not isinstance(stems, list) or not isinstance(scores, list) or len(stems) != len(scores):
        raise InputError(f"{name!r} does not hold as many 'fnames' as 'scores'.", str(path))
    return [
        (str(stem).removesuffix(".tif"), number(score, _LOW, _HIGH, f"{path.name}, {stem}"))
        for stem, score in zip(stems, scores, strict=True)
    ]


def _images_at(root: Path, place: str, split: str, part: str) -> str:
    """Return the folder that holds the images of a split, or of one part of it."""
    for candidate in ("image", split, "") if not part else (part, f"image/{part}", f"{split}/{part}"):
        if image_files(root, _join(place, candidate)):
            return _join(place, candidate)
    return _join(place, part or "image")


def _join(place: str, name: str) -> str:
    return f"{place}/{name}" if place and name else place or name
