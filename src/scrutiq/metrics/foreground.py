"""Where in an image there is something to measure.

Two masks, both found by rules that are few and fixed:

* the **field of view** is where light or radiation reached the detector: the disc of a fundus photograph or the
  picture of an endoscope without its black frame; of every other image, all of it;
* the **foreground** is where tissue is imaged with values that were not cut off.

Thresholds act on 3x3 means, so that noise alone does not punch holes into a mask: a mask with holes would leave only
the quietest places to be measured.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image, Modality

__all__ = [
    "AIR_TO_TISSUE_HU",
    "END_MARGIN",
    "TISSUE_TO_BONE_HU",
    "clipped",
    "extremes",
    "field_of_view",
    "filled_grey",
    "foreground",
    "otsu",
]

Bool = npt.NDArray[np.bool_]
Grey = npt.NDArray[np.float32]

#: CT numbers above this are tissue: between lung (about -800) and fat (about -100).
AIR_TO_TISSUE_HU = -300.0
#: Above this, HU, is bone, metal or dense contrast medium, whose texture is no noise.
TISSUE_TO_BONE_HU = 300.0
#: Share of the variance that lies between two classes, above which they count as two. Otsu splits anything: a single
#: normal distribution with 0.64 of its variance between the halves.
_SEPARATE = 0.7
#: Display values within this share of either end of the data range count as cut off by the window.
END_MARGIN = 0.08


def extremes(pixels: Grey) -> tuple[Grey, Grey]:
    """Return the least and the greatest component of each pixel, shape (H, W) both: the pixels themselves if grey."""
    if pixels.ndim == 2:
        return pixels, pixels
    # Written out, since a reduction over an axis of three takes ten times as long.
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    return np.minimum(np.minimum(red, green), blue), np.maximum(np.maximum(red, green), blue)


def clipped(image: Image) -> Bool | None:
    """Return where a pixel (of a colour image: any component) is at an end of ``data_range``.

    Returns
    -------
    ndarray of bool, shape (H, W), or None
        None where the image has no ``data_range``.
    """
    if image.data_range is None:
        return None
    low, high = image.data_range
    least, greatest = extremes(image.pixels)
    return np.asarray((least <= low) | (greatest >= high))


def field_of_view(image: Image) -> Bool:
    """Return where light or radiation reached the detector.

    Colour images: the largest connected region whose brightest component lies more than `END_MARGIN` of the data
    range above black, its holes filled; this is the disc of a fundus photograph and an endoscope's picture without
    frame and lettering. Every other image, and a colour image without ``data_range``: all valid pixels.

    Returns
    -------
    ndarray of bool, shape (H, W)
    """
    valid = _valid(image)
    if not image.is_colour or image.data_range is None:
        return valid
    low, high = image.data_range
    brightest = np.where(valid, extremes(image.pixels)[1], np.float32(low))
    lit = _mean3(brightest) > low + END_MARGIN * (high - low)
    return _fill_holes(_largest(lit)) & valid


def foreground(image: Image, field: Bool | None = None) -> Bool:
    """Return where tissue is imaged with values that were not cut off.

    * On the Hounsfield scale: the largest connected region above `AIR_TO_TISSUE_HU`, without what lies above
      `TISSUE_TO_BONE_HU`.
    * Colour: the field of view, farther than `END_MARGIN` from both ends of the data range in luma.
    * MR: brighter than Otsu's threshold.
    * Grey of 8 bits, which are display values: farther than `END_MARGIN` from both ends of the data range.
    * Everything else but XA and DX: brighter than Otsu's threshold where that separates two classes.

    Values at an end of the data range are nowhere foreground.

    The outermost pixel of every region is left off, since it mixes two materials. Pixels marked invalid never count.

    Parameters
    ----------
    image : Image
    field : ndarray of bool, shape (H, W), optional
        The `field_of_view`, where the caller has it already.

    Returns
    -------
    ndarray of bool, shape (H, W)
        All False where there is none.
    """
    field = field_of_view(image) if field is None else field
    if not field.any():
        return field
    mean = _mean3(filled_grey(image))
    if _is_display(image):
        assert image.data_range is not None
        low, high = image.data_range
        margin = END_MARGIN * (high - low)
        return _erode((mean > low + margin) & (mean < high - margin) & field)
    ends = clipped(image)
    mask = field if ends is None else field & ~ends
    if not mask.any():
        return mask
    if image.is_calibrated:
        mask = _largest((mean > AIR_TO_TISSUE_HU) & mask) & (mean < TISSUE_TO_BONE_HU)
    elif not image.is_colour and image.modality not in (Modality.XA, Modality.DX):
        # Means next to a value that was cut off, or filled in, belong to neither class.
        inner = _erode(mask)
        values = mean[inner if inner.any() else mask]
        threshold = otsu(values)
        if image.modality is Modality.MR or _separation(values, threshold) >= _SEPARATE:
            mask = (mean > threshold) & mask
    return _erode(mask)


def filled_grey(image: Image) -> Grey:
    """Return grey values or luma, shape (H, W), finite: pixels marked invalid take the median of the others."""
    grey = image.grey()
    if image.valid is None:
        return grey
    filling = np.median(grey[image.valid]) if image.valid.any() else 0.0
    return np.where(image.valid, grey, filling).astype(np.float32)


def otsu(values: npt.NDArray[np.floating]) -> float:
    """Return the threshold that best splits values into two classes.

    Parameters
    ----------
    values : ndarray
        Finite, any shape, at least one.

    Returns
    -------
    float
        The highest value of the lower class; the value itself where all are equal.

    References
    ----------
    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Trans. Syst. Man Cybern. 9 (1979), eq. 18.
    On 256 bins up to the 99.5th percentile, since a few very bright pixels would otherwise fill most bins with nothing.
    """
    low, high = float(values.min()), float(np.percentile(values, 99.5))
    if not high > low:
        return high
    counts, edges = np.histogram(values, bins=256, range=(low, high))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1].astype(float)
    above = counts.sum() - below
    sums = np.cumsum(counts * centres)
    between = np.zeros_like(below)
    split = (below > 0) & (above > 0)
    mean_below = sums[:-1][split] / below[split]
    mean_above = (sums[-1] - sums[:-1][split]) / above[split]
    between[split] = below[split] * above[split] * (mean_below - mean_above) ** 2
    # Empty bins between two classes tie; their middle is the threshold farthest from both.
    best = np.flatnonzero(between >= between.max() * (1 - 1e-12))
    return float((edges[best[0] + 1] + edges[best[-1] + 1]) / 2)


def _separation(values: npt.NDArray[np.floating], threshold: float) -> float:
    """Return the share of the variance that lies between the classes below and above a threshold (Otsu, eq. 12)."""
    variance = float(values.var(dtype=np.float64))
    above = values > threshold
    share = float(above.mean())
    if variance == 0 or share in (0, 1):
        return 0.0
    step = float(values[above].mean(dtype=np.float64) - values[~above].mean(dtype=np.float64))
    return share * (1 - share) * step**2 / variance


def _is_display(image: Image) -> bool:
    """Whether the values are what a display shows: colour, or grey of at most 8 bits (MR has no fixed ends)."""
    if image.data_range is None:
        return False
    span = image.data_range[1] - image.data_range[0]
    return image.is_colour or (span <= 255 and image.modality is not Modality.MR)


def _valid(image: Image) -> Bool:
    return np.ones(image.shape, dtype=bool) if image.valid is None else image.valid


def _mean3(values: Grey) -> Grey:
    mean: Grey = ndimage.uniform_filter(values, 3, mode="nearest")
    return mean


def _erode(mask: Bool) -> Bool:
    inner: Bool = ndimage.binary_erosion(mask, border_value=1)
    return inner


def _largest(mask: Bool) -> Bool:
    labels, count = ndimage.label(mask)
    if count <= 1:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())


def _fill_holes(mask: Bool) -> Bool:
    """Fill what the border does not reach (`scipy.ndimage.binary_fill_holes`, ten times as fast)."""
    labels, _ = ndimage.label(~mask)
    outside = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    reached = np.zeros(labels.max() + 1, dtype=bool)
    reached[outside] = True
    reached[0] = False
    return np.asarray(~reached[labels])
