"""`Readers`: the scores of the blind reader study from texture, fitted to its ratings.

Beside a normal dose a linear map judges. Of an image alone a linear map and a forest do, half each: the first orders
denoisers that were never seen better, the second images of those that were. The linear maps see intensity and
background normalised, since they give some denoisers away. The embedding of the network is left out: learnt from other
faults, it made the order of denoisers that were never seen worse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.assessors.net.look import Look, middle
from scrutiq.assessors.net.texture import against, texture
from scrutiq.assessors.net.trees import Trees

__all__ = ["DIMENSIONS", "FOREST", "LINEAR", "Linear", "Readers", "alone", "beside", "normalise", "write"]

Values = npt.NDArray[np.float64]
Shown = npt.NDArray[np.uint8]

#: Of the rubric ``ct-denoising``.
DIMENSIONS = ("noise", "contrast", "structure")
#: Files of the maps.
LINEAR, FOREST = "readers.npz", "readers.onnx"


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


def alone(shown: Shown) -> Values:
    """Return what the scores of an image alone rest on, float64, shape (110,).

    Parameters
    ----------
    shown : ndarray of uint8, shape (H, W)
        Display levels.

    Returns
    -------
    ndarray
        Texture of the normalised image, which the linear map takes, then of the image as it is, for the trees.
    """
    return np.concatenate([texture(middle(normalise(shown))), texture(middle(shown))])


def beside(shown: Shown, normal: Shown, low: Shown | None) -> Values:
    """Return what the scores of an image beside its normal dose rest on, float64, shape (191,).

    Parameters
    ----------
    shown, normal, low : ndarray of uint8, shape (H, W)
        Display levels of the image, the normal dose, and the low dose where there is one; each is normalised.
    """
    return against(normalise(shown), normalise(normal), None if low is None else normalise(low))


@dataclass(frozen=True)
class Readers:
    """A linear map and a forest for images alone, whose mean is the score, and a linear map for those beside a dose."""

    alone: Linear
    forest: Trees
    with_reference: Linear

    def score(self, target: Look, normal: Shown | None, low: Shown | None) -> dict[str, float]:
        """Return the score of each dimension, not cut to its range; the parameters are those of `beside`."""
        if normal is None:
            linear = self.alone(texture(middle(normalise(target.shown))))
            scores = (linear + self.forest(target.texture)) / 2
        else:
            scores = self.with_reference(beside(target.shown, normal, low))
        return {name: float(score) for name, score in zip(DIMENSIONS, scores, strict=True)}

    @classmethod
    def read(cls, folder: Path) -> Readers:
        """Read ``readers.npz`` and ``readers.onnx`` of a folder of weights."""
        maps = folder / LINEAR
        return cls(Linear.read(maps, "alone"), Trees(folder / FOREST), Linear.read(maps, "with_reference"))


_ARRAYS = ("centre", "scale", "weight", "offset")
