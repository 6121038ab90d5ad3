"""CAS-3K (CAS-IQA): generated coronary angiographies, each beside the frame it was made from and a real angiography.

The paper (Wang et al., CAS-IQA, sections 3.1 and 3.2) describes 713 pairs of mask and contrast, 3,565 images generated
by five models, and mean opinion scores from 0 to 100 for vessel morphology consistency, vessel branch detection and
overall quality. Its files are not published. The layout read here is ours::

    cas_3k.csv      generated,mask,contrast,VMC,VBD,OQ[,model][,patient][,split]
    ...             the images, anywhere in the folder, at the paths of the table

A mask and a contrast image are shared by the images that were generated from them. The scores may also be ``vmc``,
``vbd``, ``oq``. Where there is no ``patient``, the mask is the source by which the set is split: the images generated
from one mask never part.
"""

from __future__ import annotations

import os

from scrutiq.core import InputError, Modality, Role
from scrutiq.datasets.dataset import Dataset
from scrutiq.datasets.published.common import (
    check_join,
    column,
    folder_of,
    image_files,
    listed,
    number,
    read_table,
    record,
)

__all__ = ["load"]

TABLE = "cas_3k.csv"
DIMENSIONS = ("vmc", "vbd", "oq")
_FILES = {Role.TARGET: "generated", Role.MASK: "mask", Role.CONTRAST: "contrast"}


def load(folder: str | os.PathLike[str]) -> Dataset:
    """Read a set in the layout above.

    Raises
    ------
    UsageError
        If labels and files do not join one to one.
    InputError
        If the table cannot be read, or a score is not from 0 to 100.
    """
    root = folder_of(folder)
    rows = read_table(root / TABLE, tuple(_FILES.values()))
    columns = {name: column(rows[0], (name,)) for name in DIMENSIONS}
    if absent := [name for name, found in columns.items() if found is None]:
        raise InputError(f"the table has no column {absent[0].upper()!r}.", str(root / TABLE))
    records = []
    for line, row in enumerate(rows, start=1):
        where = f"row {line} of {TABLE}"
        if empty := [name for name in _FILES.values() if not row[name]]:
            raise InputError(f"{where}: {empty[0]!r} is empty.")
        records.append(
            record(
                where,
                id=row["generated"].rsplit(".", 1)[0].replace("/", "-"),
                files={role.value: row[name] for role, name in _FILES.items()},
                modality=Modality.XA,
                split=row.get("split") or None,
                group=row.get("patient") or row["mask"],
                scores={name: number(row[str(found)], 0, 100, where) for name, found in columns.items()},
                extra={"model": row["model"]} if row.get("model") else {},
            )
        )
    there = set(image_files(root, "", deep=True))
    beside = {one.files[role.value] for one in records for role in (Role.MASK, Role.CONTRAST)}
    if missing := beside - there:
        raise InputError(f"mask and contrast images that are missing: {len(missing)} ({listed(missing)}).", str(root))
    check_join("cas-3k", [one.files["target"] for one in records], there - beside)
    notes = ("the layout of the files is not published; that of Scrutiq is assumed",)
    return Dataset("cas-3k", root, tuple(records), "angio", notes)
