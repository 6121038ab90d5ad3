"""`Readers`: the scores of the blind reader study from texture, by linear maps fitted to its ratings.

Intensity and background are normalised first: they give some denoisers away, and a denoiser that is recognised is not
judged. The embedding is left out: learnt from other faults, it made the order of denoisers that were never seen worse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.assessors.net.look import middle
from scrutiq.assessors.net.texture import against, texture

__all__ = ["DIMENSIONS", "Linear", "Readers", "features", "normalise", "write"]

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


def normalise(shown: Shown) -> Shown:
    """Return display levels with the background black and the tissue between two fixed levels.

    The background is what is dark and touches the border; the 5th and the 95th percentile of the smoothed tissue are
    set to 64 and 192.
    """
    smooth = ndimage.gaussian_filter(shown.astype(np.float32), 2)
    dark, _ = ndimage.label(smooth < 12)
    border = np.unique(np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]]))
    outside = np.isin(dark, border[border > 0])
    tissue = (smooth > 12) & (smooth < 245)
    if tissue.mean() < 0.01:
        return shown
    low, high = np.percentile(smooth[tissue], (5, 95))
    scaled = 64 + 128 * (shown.astype(np.float32) - low) / max(float(high - low), 1.0)
    return np.where(outside, 0, np.clip(np.rint(scaled), 0, 255)).astype(np.uint8)


def features(target: Shown, normal: Shown | None, low: Shown | None) -> Values:
    """Return what the scores rest on: of the image alone, or where ``normal`` is given, against it.

    Parameters
    ----------
    target, normal, low : ndarray of uint8, shape (H, W)
        Display levels of the image, of the normal dose and of the low dose, normalised.

    Returns
    -------
    ndarray of float64, shape (F,)
    """
    return texture(middle(target)) if normal is None else against(target, normal, low)


@dataclass(frozen=True)
class Readers:
    """The two linear maps: of an image alone, and of one beside its normal dose."""

    alone: Linear
    with_reference: Linear

    def score(self, target: Shown, normal: Shown | None, low: Shown | None) -> dict[str, float]:
        """Return the score of each dimension, not cut to its range, of display levels, uint8, shape (H, W)."""
        linear = self.alone if normal is None else self.with_reference
        seen = [None if shown is None else normalise(shown) for shown in (target, normal, low)]
        assert seen[0] is not None
        scores = linear(features(seen[0], seen[1], seen[2]))
        return {name: float(score) for name, score in zip(DIMENSIONS, scores, strict=True)}

    @classmethod
    def read(cls, path: Path) -> Readers:
        """Read what `write` wrote."""
        return cls(Linear.read(path, "alone"), Linear.read(path, "with_reference"))

    def write(self, path: Path) -> None:
        """Write both maps to an ``.npz`` file."""
        write(path, {"alone": self.alone, "with_reference": self.with_reference})


_ARRAYS = ("centre", "scale", "weight", "offset")
