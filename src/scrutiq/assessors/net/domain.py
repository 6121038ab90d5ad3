"""The domain check: whether an image is what it is said to be, and like what the network has seen.

Two opinions on the same standardised features, the `statistics` of an image, are weighed into one number. A multinomial
logistic classifier says what the picture is: one of the modalities, a photograph, a screenshot, ultrasound, a
radiograph. A Gaussian for each modality says how far the picture lies from those that were fitted to (K. Lee et al.,
NeurIPS 2018: the Mahalanobis distance, here in the space of the principal components, with shrunk covariances). And an
image of a grey modality is grey, one of a modality of colour is coloured: that is a rule, nothing is fitted. A picture
is declined above one threshold, the same for every modality.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, fields
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from scrutiq.core import FrozenDict, InputError, Noun

__all__ = ["DomainCard", "DomainModel", "Opinion"]

Array = npt.NDArray[np.float32]

#: Share of coloured pixels up to which an image is grey, and from which it is certainly one of colour.
_COLOURED = (0.01, 0.05)
#: Log-odds that an image is declined for its colour: more than any other opinion has.
_COLOUR = 20.0
#: Distance, in units of the reference, from which an image is declined whatever the classifier says, and how soon.
_FAR, _FAR_WEIGHT = 2.5, 30.0
#: Standardised features beyond this many deviations count as this many.
_CLIP = 5.0
_SHAPES = {
    "mean": "D", "scale": "D", "weight": "KD", "bias": "K", "basis": "PD", "centre": "MP", "whiten": "MPP",
    "reference": "M", "coloured": "M", "blend": "3",
}  # fmt: skip


class DomainCard(Noun):
    """What ``model.json`` says of the domain check.

    Parameters
    ----------
    threshold : float
        An image whose `DomainModel.unusual` lies above it is declined.
    modalities : tuple of str
        Those that the check knows as the domain.
    kinds : tuple of str
        All that the classifier tells apart.
    statistics : int
        How many features it takes.
    declined : mapping
        Share of the validation pictures that are declined, by kind; ``good`` are those in the domain.
    sources : mapping
        Sources of these.
    """

    threshold: float
    modalities: tuple[str, ...]
    kinds: tuple[str, ...]
    statistics: Annotated[int, Field(ge=0)]
    declined: FrozenDict[str, float] = FrozenDict()
    sources: FrozenDict[str, int] = FrozenDict()


@dataclass(frozen=True)
class Opinion:
    """What the check thinks of one image.

    Attributes
    ----------
    unusual : float
        Log-odds, of no unit: declined above the threshold of the card.
    looks_like : str
        The kind that the classifier finds most likely.
    probability : float
        Of that kind.
    distance : float
        From the modality that the image is said to be, in units of what is usual for it: 1 is as far as the farthest
        twentieth of its own.
    """

    unusual: float
    looks_like: str
    probability: float
    distance: float


@dataclass(frozen=True)
class DomainModel:
    """The arrays of the check.

    Attributes
    ----------
    modalities : tuple of str
        M of them.
    kinds : tuple of str
        K of them, the modalities among them. ``NAME grey`` is a colour picture of NAME made grey.
    mean, scale : ndarray of float32, shape (D,)
        Of the features.
    weight : ndarray of float32, shape (K, D); bias : shape (K,)
        Of the classifier.
    basis : ndarray of float32, shape (P, D)
        Principal components, scaled so that each has unit variance.
    centre : ndarray of float32, shape (M, P)
        Of the Gaussians.
    whiten : ndarray of float32, shape (M, P, P)
        ``whiten @ (x - centre)`` has unit covariance.
    reference : ndarray of float32, shape (M,)
        Distance of the farthest twentieth of the domain.
    coloured : ndarray of float32, shape (M,)
        1 where the modality is one of colour, else 0.
    blend : ndarray of float32, shape (3,)
        Weight of the classifier's log-odds, weight of the logarithm of the distance, constant.
    """

    modalities: tuple[str, ...]
    kinds: tuple[str, ...]
    mean: Array
    scale: Array
    weight: Array
    bias: Array
    basis: Array
    centre: Array
    whiten: Array
    reference: Array
    coloured: Array
    blend: Array

    def __post_init__(self) -> None:
        sizes: dict[str, int] = {"M": len(self.modalities), "K": len(self.kinds), "3": 3}
        for name, letters in _SHAPES.items():
            array = getattr(self, name)
            if array.ndim != len(letters) or array.shape != tuple(
                sizes.setdefault(letter, size) for letter, size in zip(letters, array.shape, strict=True)
            ):
                raise ValueError(f"{name} of the domain check has shape {array.shape}")

    def standardised(self, features: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Return features, shape (..., D), in deviations from their mean, cut at five."""
        return np.clip((np.asarray(features, dtype=np.float64) - self.mean) / self.scale, -_CLIP, _CLIP)

    def log_odds(self, features: npt.NDArray[np.floating], modality: str) -> npt.NDArray[np.float64]:
        """Return the classifier's log-odds that an image is anything but ``modality``, shape (...)."""
        logits = self._logits(features)
        own = self.kinds.index(modality)
        others = np.delete(logits, own, axis=-1)
        most = others.max(axis=-1, keepdims=True)
        total = most[..., 0] + np.log(np.exp(others - most).sum(axis=-1))
        return np.asarray(total - logits[..., own])

    def distance(self, features: npt.NDArray[np.floating], modality: str) -> npt.NDArray[np.float64]:
        """Return the distance from ``modality``, in units of its reference, shape (...)."""
        own = self.modalities.index(modality)
        place = self.standardised(features) @ self.basis.T.astype(np.float64)
        away = (place - self.centre[own]) @ self.whiten[own].T.astype(np.float64)
        return np.asarray(np.sqrt((away**2).sum(axis=-1)) / self.reference[own])

    def wrong_colour(self, features: npt.NDArray[np.floating], modality: str) -> npt.NDArray[np.float64]:
        """Return how clearly images are coloured where ``modality`` is grey, or grey where it has colour, in [0, 1]."""
        share = np.asarray(features, dtype=np.float64)[..., 0]
        if self.coloured[self.modalities.index(modality)]:
            return np.clip(1 - share / _COLOURED[0], 0, 1)
        return np.clip((share - _COLOURED[0]) / (_COLOURED[1] - _COLOURED[0]), 0, 1)

    def unusual(self, features: npt.NDArray[np.floating], modality: str) -> npt.NDArray[np.float64]:
        """Return how unusual images are for what they are said to be: log-odds, shape (...).

        Parameters
        ----------
        features : ndarray of float, shape (..., D)
        modality : str
            One of ``modalities``.

        Raises
        ------
        ValueError
            If the modality is not of the domain.
        """
        odds, away = self.log_odds(features, modality), self.distance(features, modality)
        known = self.blend[0] * odds + self.blend[1] * np.log(away + 1e-6) + self.blend[2]
        far = _FAR_WEIGHT * np.log(np.maximum(away / _FAR, 1))
        return np.asarray(known + far + _COLOUR * self.wrong_colour(features, modality))

    def opinion(self, features: npt.NDArray[np.floating], modality: str) -> Opinion:
        """Return what the check thinks of one image with features of shape (D,), said to be ``modality``."""
        logits = self._logits(features)
        share = np.exp(logits - logits.max())
        share /= share.sum()
        best = int(share.argmax())
        return Opinion(
            unusual=float(self.unusual(features, modality)),
            looks_like=self.kinds[best],
            probability=float(share[best]),
            distance=float(self.distance(features, modality)),
        )

    def to_bytes(self) -> bytes:
        """Return the model as an ``.npz`` file: the same bytes for the same model."""
        arrays = {name: np.asarray(getattr(self, name), dtype=np.float32) for name in _SHAPES}
        out = io.BytesIO()
        np.savez_compressed(
            out, allow_pickle=False, modalities=np.array(self.modalities), kinds=np.array(self.kinds), **arrays
        )
        return out.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> DomainModel:
        """Read what `to_bytes` wrote.

        Raises
        ------
        InputError
            If it is no such file.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                words = {name: tuple(str(word) for word in stored[name]) for name in ("modalities", "kinds")}
                arrays = {name: stored[name].astype(np.float32) for name in _SHAPES}
            return cls(**words, **arrays)  # type: ignore[arg-type]
        except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile):
            raise InputError("the domain check of these weights is damaged; install them again.") from None

    def _logits(self, features: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        return np.asarray(self.standardised(features) @ self.weight.T.astype(np.float64) + self.bias)


assert [field.name for field in fields(DomainModel)][2:] == list(_SHAPES)
