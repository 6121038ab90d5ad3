"""`Readers`: the scores of the blind reader study from texture, by linear maps fitted to its ratings.

The embedding is left out: learnt from other faults, it made the order of denoisers that were never seen worse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scrutiq.assessors.net.look import Look
from scrutiq.assessors.net.texture import against

__all__ = ["DIMENSIONS", "Linear", "Readers", "features", "write"]

Values = npt.NDArray[np.float64]
Shown = npt.NDArray[np.uint8]

#: Of the rubric ``ct-denoising``.
DIMENSIONS = ("noise", "contrast", "structure")


@dataclass(frozen=True)
class Linear:
    """Standardise, cut to `CUT` standard deviations, multiply.

    Attributes
    ----------
    centre, scale : ndarray, shape (F,)
    weight : ndarray, shape (F, K)
    offset : ndarray, shape (K,)
    """

    centre: Values
    scale: Values
    weight: Values
    offset: Values

    CUT = 4.0

    def __call__(self, values: Values) -> Values:
        """Return the scores, shape (..., K), of features, shape (..., F)."""
        cut = np.clip((values - self.centre) / self.scale, -self.CUT, self.CUT)
        scores: Values = cut @ self.weight + self.offset
        return scores

    @classmethod
    def read(cls, path: Path, part: str) -> Linear:
        """Read one of the maps that `write` wrote."""
        with np.load(path) as kept:
            return cls(*(kept[f"{part}_{name}"] for name in _ARRAYS))


def write(path: Path, maps: Mapping[str, Linear]) -> None:
    """Write linear maps to an ``.npz`` file, by name."""
    np.savez(path, **{f"{part}_{name}": getattr(one, name) for part, one in maps.items() for name in _ARRAYS})


def features(target: Look, normal: Look | None, low: Shown | None) -> Values:
    """Return what the scores rest on: of the image alone, or where ``normal`` is given, against it.

    Parameters
    ----------
    target, normal : Look
        Of the image and of the normal dose.
    low : ndarray of uint8, shape (H, W), optional
        Display levels of the low dose.

    Returns
    -------
    ndarray of float64, shape (F,)
    """
    if normal is None:
        return target.texture.astype(np.float64)
    return against(target.shown, normal.shown, low)


@dataclass(frozen=True)
class Readers:
    """The two linear maps: of an image alone, and of one beside its normal dose."""

    alone: Linear
    with_reference: Linear

    def score(self, target: Look, normal: Look | None, low: Shown | None) -> dict[str, float]:
        """Return the score of each dimension, not cut to its range; the parameters are those of `features`."""
        linear = self.alone if normal is None else self.with_reference
        scores = linear(features(target, normal, low))
        return {name: float(score) for name, score in zip(DIMENSIONS, scores, strict=True)}

    @classmethod
    def read(cls, path: Path) -> Readers:
        """Read what `write` wrote."""
        return cls(Linear.read(path, "alone"), Linear.read(path, "with_reference"))

    def write(self, path: Path) -> None:
        """Write both maps to an ``.npz`` file."""
        write(path, {"alone": self.alone, "with_reference": self.with_reference})


_ARRAYS = ("centre", "scale", "weight", "offset")
