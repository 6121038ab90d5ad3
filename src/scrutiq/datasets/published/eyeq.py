"""EyeQ, as reduced to 200 pixels: fundus photographs that were graded good, usable or reject.

Layout::

    labels.csv      filename,eyeq_quality,eyeq_quality_name,eyeq_csv,DR_grade,patient,source_path
    images/         the photographs

EyeQ writes 0 for good, 1 for usable and 2 for reject; the score is on the scale of the rubric ``medq``, where 2 is
good. Both eyes of a patient are one group.

Source: Fu H et al., Evaluation of retinal image quality assessment networks in different color-spaces, MICCAI 2019.
"""

from __future__ import annotations

import os

from scrutiq.core import InputError, Modality, Role
from scrutiq.datasets.dataset import Dataset
from scrutiq.datasets.published.common import check_join, folder_of, image_files, read_table, record

__all__ = ["load"]

TABLE = "labels.csv"
_NAMES = {"0": "good", "1": "usable", "2": "reject"}


def load(folder: str | os.PathLike[str]) -> Dataset:
    """Read the set.

    Raises
    ------
    UsageError
        If labels and files do not join one to one.
    InputError
        If the table cannot be read, or a grade is not 0, 1 or 2 or contradicts its name.
    """
    root = folder_of(folder)
    rows = read_table(root / TABLE, ("filename", "eyeq_quality", "patient"))
    records = []
    for line, row in enumerate(rows, start=1):
        where = f"row {line} of {TABLE}"
        grade = row["eyeq_quality"]
        if grade not in _NAMES or row.get("eyeq_quality_name", _NAMES[grade]) != _NAMES[grade]:
            raise InputError(f"{where}: the grade is 0 (good), 1 (usable) or 2 (reject), not {grade[:40]!r}.")
        records.append(
            record(
                where,
                id=row["filename"].rsplit(".", 1)[0],
                files={Role.TARGET.value: f"images/{row['filename']}"},
                modality=Modality.FUNDUS,
                split=row.get("eyeq_csv") or None,
                group=row["patient"] or None,
                base="fundus_eyeq200",
                scores={"overall": 2.0 - float(grade)},
                extra={"dr_grade": row["DR_grade"]} if row.get("DR_grade") else {},
            )
        )
    check_join("eyeq", [one.files["target"] for one in records], image_files(root, "images"))
    notes = ("graded on the full-size photograph; the files are 200 pixels wide",)
    return Dataset("eyeq", root, tuple(records), "medq", notes)
