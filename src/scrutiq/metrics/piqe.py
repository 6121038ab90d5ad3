"""PIQE: a no-reference baseline that counts visibly distorted blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq.metrics.natural_scene import mscn, rescale

__all__ = ["piqe"]

BLOCK = 16
SEGMENT = 6
ACTIVE = 0.1
IMPAIRED = 0.1


def piqe(grey: npt.NDArray[Any], *, data_range: tuple[float, float]) -> float:
    """Return the Perception-based Image Quality Evaluator: lower is better.

    The share of distortion in the image's active blocks, about 0 (best) to 100 (worst).

    Not good for: fine differences (a block counts as distorted or not); images that are rightly smooth or rightly
    textured. The thresholds were set on photographs with compression, blur and white noise; its value on a medical
    image has no clinical meaning, and it stands here as a baseline.

    Parameters
    ----------
    grey : ndarray, shape (H, W)
        At least 16 x 16. Colour is converted by the caller.
    data_range : tuple of float
        (low, high): what is shown black and white, for example (0, 255), or the bounds of a CT window. The image is
        brought to the 256 grey levels for which the thresholds were set.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the image is not (H, W), too small, not finite, or constant.

    Notes
    -----
    Source: N. Venkatanath, D. Praneeth, M. Chandrasekhar Bh, S. S. Channappayya, S. S. Medasani, "Blind image quality
    evaluation using perception based features", NCC 2015. Constants as in MATLAB's ``piqe``, which is also followed
    where it leaves column 9 (from 0) instead of column 8 out of a block's surround. Unlike there, the range is given
    and a constant image is refused; one that only lacks active blocks (heavy blur) is scored 100, as there.
    """
    image = rescale(grey, data_range, top=255, name="PIQE", smallest=(BLOCK, BLOCK))
    height, width = image.shape
    image = np.pad(np.round(image), ((0, -height % BLOCK), (0, -width % BLOCK)), mode="symmetric")
    m = mscn(image, 1, "nearest")
    rows, columns = m.shape[0] // BLOCK, m.shape[1] // BLOCK
    blocks = m.reshape(rows, BLOCK, columns, BLOCK).swapaxes(1, 2).reshape(-1, BLOCK, BLOCK)

    variance = blocks.var(axis=(1, 2), ddof=1)
    active = variance > ACTIVE
    blocks, variance = blocks[active], variance[active]

    # Noticeable distortion: a run of 6 pixels along an edge of the block that is nearly flat.
    edges = np.stack([blocks[:, 0], blocks[:, -1], blocks[:, :, 0], blocks[:, :, -1]], axis=1)
    segments = np.lib.stride_tricks.sliding_window_view(edges, SEGMENT, axis=2)
    impaired = (segments.std(axis=3, ddof=1) < IMPAIRED).any(axis=(1, 2))

    # Noise: the two middle columns deviate as the rest of the block does.
    deviation = np.sqrt(variance)
    centre = blocks[:, :, 7:9].std(axis=(1, 2), ddof=1)
    surround = np.delete(blocks, (7, 9), axis=2).std(axis=(1, 2), ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.nan_to_num(centre / surround, nan=0, posinf=np.inf)
        beta = np.abs(deviation - ratio) / np.maximum(deviation, ratio)
    noisy = deviation > 2 * beta

    distortion = (1 - variance)[impaired].sum() + variance[noisy].sum()
    return float(100 * (distortion + 1) / (len(blocks) + 1))
