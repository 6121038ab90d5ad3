"""The blind reader study of CT denoisers: 20 sets of 14 images, rated by three radiologists on three scales.

Layout::

    ratings.csv                       region,set,code,method,reader,noise,contrast,structure,file
    abdomen/set_01/ldct.png ...       one a file of the table

The low and the normal dose are anchors: their ratings are constants of the design (1, 1, 1 and 7, 5, 5), written down
and not voted. Their records say ``design_constant`` in ``extra`` and have these scores but no readers; where the table
says otherwise, which happens once, the notes say so. A rating outside its scale (several of
``structure`` are) is a slip at the source: it counts as missing, and the notes say how many there are. A score is the
mean of the readers that are left.

Source: repository babbu3682/MTD-GAN, BLIND_READER_STUDY, newest version.
"""

from __future__ import annotations

import os
from collections import Counter

from scrutiq import rubrics
from scrutiq.core import InputError, Modality, Role, Rubric
from scrutiq.datasets.dataset import Dataset
from scrutiq.datasets.published.common import check_join, folder_of, image_files, read_table, record
from scrutiq.datasets.record import Record

__all__ = ["load"]

TABLE = "ratings.csv"
DIMENSIONS = ("noise", "contrast", "structure")
#: Noise, contrast and structure of the low and the normal dose: README of the study, and rows of the table.
_ANCHORS = {"LDCT": (1.0, 1.0, 1.0), "NDCT": (7.0, 5.0, 5.0)}
_REGIONS = ("abdomen", "brain")


def load(folder: str | os.PathLike[str]) -> Dataset:
    """Read the study.

    The target's record also names the low dose (``other``) and the normal dose (``reference``) of its set, except
    where the target is itself one of them.

    Raises
    ------
    UsageError
        If labels and files do not join one to one.
    InputError
        If the table cannot be read, or a reader rated an image twice.
    """
    root = folder_of(folder)
    rubric = rubrics.load("ct-denoising")
    rows = read_table(root / TABLE, ("region", "set", "code", "method", "reader", *DIMENSIONS, "file"))
    by_file: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_file.setdefault(row["file"], []).append(row)
    for file, found in by_file.items():
        if twice := [reader for reader, count in Counter(row["reader"] for row in found).items() if count > 1]:
            raise InputError(f"reader {twice[0]} rated {file} more than once.", str(root / TABLE))
    anchors = {(row["region"], row["set"], row["method"]): row["file"] for row in rows if row["method"] in _ANCHORS}
    odd: Counter[str] = Counter()
    records = [_record(file, found, anchors, rubric, odd) for file, found in by_file.items()]
    check_join("ct-denoising-readers", by_file, image_files(root, *_REGIONS, deep=True))
    slips = odd.pop("anchors", 0)
    notes = [
        f"ratings of {name} that lie outside the scale or are empty, and count as missing: {count}"
        for name, count in sorted(odd.items())
        if count
    ]
    notes.append(
        "the low and the normal dose are constants of the design, marked design_constant; "
        f"rows of the table that say otherwise: {slips}"
    )
    notes.append("the denoiser alone explains most of the variance of the ratings: leave denoisers out as well as sets")
    return Dataset("ct-denoising-readers", root, tuple(records), rubric.name, tuple(notes))


def _record(
    file: str,
    rows: list[dict[str, str]],
    anchors: dict[tuple[str, str, str], str],
    rubric: Rubric,
    odd: Counter[str],
) -> Record:
    first = rows[0]
    region, number, method = first["region"], first["set"], first["method"]
    readers: dict[str, dict[str, float]] = {}
    for name in DIMENSIONS:
        low, high = rubric.dimension(name).range
        valid = {row["reader"]: value for row in rows if (value := _rating(row[name], low, high)) is not None}
        odd[name] += len(rows) - len(valid)
        if valid:
            readers[name] = valid
    scores = {name: sum(valid.values()) / len(valid) for name, valid in readers.items()}
    is_anchor = method in _ANCHORS
    if is_anchor:
        constant = dict(zip(DIMENSIONS, _ANCHORS[method], strict=True))
        odd["anchors"] += sum(
            any(_rating(row[name], *rubric.dimension(name).range) != value for name, value in constant.items())
            for row in rows
        )
        scores, readers = constant, {}
    files = {Role.TARGET.value: file}
    if not is_anchor:
        files |= {
            role.value: anchors[region, number, anchor]
            for role, anchor in ((Role.REFERENCE, "NDCT"), (Role.OTHER, "LDCT"))
            if (region, number, anchor) in anchors
        }
    return record(
        f"the rows of {file} in {TABLE}",
        id=file.rsplit(".", 1)[0].replace("/", "-"),
        files=files,
        modality=Modality.CT,
        group=f"{region}/{number}",
        base="ct_denoising_readers",
        scores=scores,
        readers=readers,
        extra={
            "region": region,
            "set": number,
            "code": first["code"],
            "method": method,
            "design_constant": is_anchor,
        },
    )


def _rating(cell: str, low: float, high: float) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if low <= value <= high else None
