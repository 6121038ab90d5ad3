"""CT-IQA (IQAGPT): 1,000 abdominal CT slices of eight qualities, with four scores by one radiologist and a caption.

The paper (Chen et al., arXiv 2312.15663, section 2.1) describes the set and does not publish its files. The layout
read here is ours, and is what ``scrutiq dataset build`` writes for the recipe ``ct-iqa``::

    ct_iqa.csv      image,noise,structures,lesion,confidence[,caption][,quality][,patient][,split]
    ...             the images, anywhere in the folder, at the paths of the table

``lesion`` is ``N/A`` where there is no lesion, and the record then has no such score. Scores are 1 (best) to 4. A
caption that is given must say what the scores say, by the paper's template; one that is not is written from them.
``quality`` is one of the paper's eight: NDCT, LDCT, MAP-NN (d=1) to (d=5), RED-CNN.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from scrutiq import rubrics
from scrutiq.core import InputError, Modality, Role, Rubric, RubricError
from scrutiq.datasets.dataset import Dataset
from scrutiq.datasets.published.common import check_join, folder_of, image_files, number, read_table, record

__all__ = ["load"]

TABLE = "ct_iqa.csv"
DIMENSIONS = ("noise", "structures", "lesion", "confidence")
_ABSENT = ("", "n/a", "na")


def load(folder: str | os.PathLike[str]) -> Dataset:
    """Read a set in the layout above.

    Raises
    ------
    UsageError
        If labels and files do not join one to one.
    InputError
        If the table cannot be read, a score is not from 1 to 4, or a caption contradicts the scores.
    """
    root = folder_of(folder)
    rubric = rubrics.load("ct-iqa")
    rows = read_table(root / TABLE, ("image", *DIMENSIONS))
    records = []
    for line, row in enumerate(rows, start=1):
        where = f"row {line} of {TABLE}"
        scores: dict[str, float | None] = {}
        for name in DIMENSIONS:
            absent = row[name].casefold() in _ABSENT
            if absent and name != "lesion":
                raise InputError(f"{where}: {name!r} is empty, and only 'lesion' may be.")
            scores[name] = None if absent else number(row[name], 1, 4, where)
        extra = {name: row[name] for name in row if name in ("quality",) and row[name]}
        records.append(
            record(
                where,
                id=row["image"].rsplit(".", 1)[0].replace("/", "-"),
                files={Role.TARGET.value: row["image"]},
                modality=Modality.CT,
                split=row.get("split") or None,
                group=row.get("patient") or None,
                scores={name: score for name, score in scores.items() if score is not None},
                text=_caption(rubric, scores, row.get("caption", ""), where),
                extra=extra,
            )
        )
    check_join("ct-iqa", [one.files["target"] for one in records], image_files(root, "", deep=True))
    notes = (
        "the layout of the files is not published; that of Scrutiq is assumed",
        "the scores are those of one radiologist, so that there is no agreement between readers to compare with",
    )
    return Dataset("ct-iqa", root, tuple(records), rubric.name, notes)


def _caption(rubric: Rubric, scores: Mapping[str, float | None], given: str, where: str) -> str:
    written = rubric.write_caption(scores)
    if given:
        try:
            said = rubric.read_caption(given)
        except RubricError:
            raise InputError(f"{where}: the caption does not follow the template of the paper.") from None
        if said != rubric.read_caption(written):
            raise InputError(f"{where}: the caption says other levels than the scores.")
    return given or written
