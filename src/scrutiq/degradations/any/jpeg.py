"""Lossy JPEG compression: the quantisation of 8 x 8 cosine transforms, at any bit depth (ITU-T T.81)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import display_width, geometric
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION"]

Array = npt.NDArray[np.float64]

#: Quantisation of luminance and of chrominance at quality 50, ITU-T T.81 tables K.1 and K.2.
_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=np.float64,
)
_CHROMINANCE = np.full((8, 8), 99.0)
_CHROMINANCE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]

#: Full-range YCbCr of ITU-T T.871 (JFIF).
_TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    # Multiples of the tables: 0.25 is about quality 87 of the IJG scale, 8 about quality 6.
    return {
        "quantisation": geometric(0.25, 8, severity),
        "level": display_width(image) / 255,  # what one of 256 grey levels is, in the unit of the pixels
        "phase": [
            int(rng.integers(8)),
            int(rng.integers(8)),
        ],  # where the grid begins: the image may have been cut since
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    factor, level, phase = float(parameters["quantisation"]), float(parameters["level"]), tuple(parameters["phase"])
    values = image.pixels.astype(np.float64) / level
    if not image.is_colour:
        return image.replace(pixels=_lossy(values, _LUMINANCE * factor, phase) * level)
    planes = np.moveaxis(values @ _TO_YCC.T, 2, 0)
    luma = _lossy(planes[0], _LUMINANCE * factor, phase)
    chroma = [_subsampled(plane, _CHROMINANCE * factor, phase) for plane in planes[1:]]
    return image.replace(pixels=np.stack([luma, *chroma], axis=2) @ np.linalg.inv(_TO_YCC).T * level)


def _lossy(plane: Array, table: Array, phase: tuple[int, ...]) -> Array:
    """Return a plane after quantisation of its 8 x 8 transforms; its edge is repeated to fill the last blocks."""
    before = [(-p) % 8 for p in phase]
    after = [-(n + b) % 8 for n, b in zip(plane.shape, before, strict=True)]
    padded = np.pad(plane, list(zip(before, after, strict=True)), mode="edge")
    rows, columns = (n // 8 for n in padded.shape)
    blocks = padded.reshape(rows, 8, columns, 8).swapaxes(1, 2)
    coefficients = fft.dctn(blocks, axes=(2, 3), norm="ortho")
    blocks = fft.idctn(np.rint(coefficients / table) * table, axes=(2, 3), norm="ortho")
    whole = blocks.swapaxes(1, 2).reshape(padded.shape)
    return np.asarray(whole[before[0] : before[0] + plane.shape[0], before[1] : before[1] + plane.shape[1]])


def _subsampled(plane: Array, table: Array, phase: tuple[int, ...]) -> Array:
    """Return a colour difference after 4:2:0 subsampling, quantisation and interpolation."""
    even = np.pad(plane, [(0, n % 2) for n in plane.shape], mode="edge")
    half = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2).mean(axis=(1, 3))
    half = _lossy(half, table, phase)
    return np.asarray(
        ndimage.zoom(half, 2, order=1, mode="nearest", grid_mode=True)[: plane.shape[0], : plane.shape[1]]
    )


DEGRADATION = Degradation(
    name="any.jpeg",
    draw=_draw,
    apply=_apply,
    measurement=MEASURES["blockiness"],
    thresholds=Thresholds(
        clean=1.3,
        mild=1.75,
        severe=3,
        worst=6,
        scale="log",
        basis="1.01 without JPEG, up to 1.7 in the JPEG files of good bases (bench/reference_ranges.py).",
    ),
)
