"""Grades that people gave whole photographs (EyeQ), as training material for the overall grade of ``medq``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scrutiq.assessors.net.look import look
from scrutiq.assessors.net.planes import levels
from scrutiq.core import Modality
from scrutiq.datasets.published import eyeq
from scrutiq.datasets.splits import split
from scrutiq.imaging import read
from scrutiq.training.net.reader_study import fit_linear

__all__ = ["NOTE", "PENALTY", "Graded", "graded", "out_of_fold"]

Values = npt.NDArray[np.float64]

#: Ridge penalty, and folds of patients.
PENALTY, FOLDS = 300.0, 5
NOTE = (
    "The grade was learnt from EyeQ's grades of 900 fundus photographs, seen at 200 x 200 pixels; it orders "
    "photographs of such a size, and a full-size one may be graded otherwise."
)


@dataclass(frozen=True)
class Graded:
    """Graded images.

    Attributes
    ----------
    patient : tuple of str
    scores : ndarray, shape (N, 1)
        On the scale of ``medq``: 2 good, 1 usable, 0 reject.
    values : ndarray, shape (N, F)
        Vectors of their looks.
    """

    patient: tuple[str, ...]
    scores: Values
    values: Values


def graded(folder: Path) -> Graded:
    """Read ``fundus_eyeq200`` and look at its images."""
    dataset = eyeq.load(folder)
    looks = [
        look(levels(read(folder / record.files["target"], modality=Modality.FUNDUS, frame=0))).vector
        for record in dataset.records
    ]
    return Graded(
        patient=tuple(str(record.group) for record in dataset.records),
        scores=np.array([[record.scores["overall"]] for record in dataset.records]),
        values=np.array(looks, np.float64),
    )


def out_of_fold(found: Graded, penalty: float = PENALTY, seed: int = 0) -> Values:
    """Return the score of each image by the map that was fitted to the patients of the other folds, shape (N,)."""
    fold = split(found.patient, {str(i): 1 / FOLDS for i in range(FOLDS)}, seed)
    of = np.array([fold[patient] for patient in found.patient])
    said = np.full(len(of), np.nan)
    for one in sorted(set(of)):
        linear = fit_linear(found.values[of != one], found.scores[of != one], penalty)
        said[of == one] = linear(found.values[of == one])[:, 0]
    return said
