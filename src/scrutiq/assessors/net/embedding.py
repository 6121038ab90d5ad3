"""From an image to a vector: the backbone at native resolution, and once more on the reduced whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scrutiq.assessors.net.planes import STRIDE, planes, thumbnail
from scrutiq.assessors.net.session import session

__all__ = ["Backbone", "Embedding"]

Floats = npt.NDArray[np.float32]

#: Most pixels of a strip; a larger image is worked on in strips, so that memory does not grow with it.
_STRIP = 1 << 20
#: Rows that a strip sees beyond its own on each side, pixels.
_HALO = 64


@dataclass(frozen=True)
class Embedding:
    """What the backbone says of an image.

    Attributes
    ----------
    vector : ndarray of float32, shape (D,)
        At native resolution and then of the reduced whole: mean and log of the spread of the features over the cells,
        and their mean weighted by the evidence.
    whole : ndarray of float32, shape (D / 2,)
        The second half of ``vector``.
    evidence : ndarray of float32, shape (ceil(H / 16), ceil(W / 16))
        How degraded each cell looks, in [0, 1].
    """

    vector: Floats
    whole: Floats
    evidence: Floats


class Backbone:
    """``backbone.onnx``, run by ONNX Runtime.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._session = session(path)

    def embed(self, shown: npt.NDArray[np.uint8]) -> Embedding:
        """Return the embedding of display levels, uint8, shape (H, W) or (H, W, 3), of any size."""
        features, logits = self._grid(shown)
        own, whole = _pooled(features, logits), self.embed_whole(shown)
        return Embedding(np.concatenate([own, whole]), whole, _sigmoid(logits))

    def evidence(self, shown: npt.NDArray[np.uint8]) -> Floats:
        """Return how degraded each cell looks, float32, shape (ceil(H / 16), ceil(W / 16)), in [0, 1]."""
        return _sigmoid(self._grid(shown)[1])

    def embed_whole(self, shown: npt.NDArray[np.uint8]) -> Floats:
        """Return the second half of the embedding's vector, that of the reduced whole, which costs little."""
        return _pooled(*self._run(thumbnail(shown)))

    def _grid(self, shown: npt.NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Return features, shape (C, h, w), and evidence logits, shape (h, w), of the whole image, strip by strip."""
        height, width = shown.shape[:2]
        step = max(STRIDE, _STRIP // width // STRIDE * STRIDE)
        if height <= step + _HALO:
            return self._run(shown)
        parts = []
        for top in range(0, height, step):
            before = min(top, _HALO)
            features, logits = self._run(shown[top - before : top + step + _HALO])
            own = slice(before // STRIDE, before // STRIDE + -(-min(step, height - top) // STRIDE))
            parts.append((features[:, own], logits[own]))
        return np.concatenate([f for f, _ in parts], 1), np.concatenate([e for _, e in parts], 0)

    def _run(self, shown: npt.NDArray[np.uint8]) -> tuple[Floats, Floats]:
        height, width = shown.shape[:2]
        edges = [(0, -height % STRIDE), (0, -width % STRIDE)] + [(0, 0)] * (shown.ndim - 2)
        image = planes(np.pad(shown, edges, mode="edge"))[None]
        features, logits = self._session.run(None, {"image": image})
        return features[0], logits[0, 0]


def _pooled(features: Floats, logits: Floats) -> Floats:
    """Return mean, log of the spread and evidence-weighted mean over the cells (`scrutiq.models.backbones.pooled`)."""
    cells = features.reshape(len(features), -1).astype(np.float64)
    mean = cells.mean(1)
    spread = np.log(np.maximum((cells * cells).mean(1) - mean * mean, 1e-5)) / 2
    weight = np.exp(logits.ravel().astype(np.float64) - logits.max())
    return np.concatenate([mean, spread, cells @ (weight / weight.sum())]).astype(np.float32)


def _sigmoid(logits: Floats) -> Floats:
    return (1 / (1 + np.exp(-np.clip(logits, -30, 30)))).astype(np.float32)
