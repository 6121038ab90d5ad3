"""What the faults of a stained section share: optical density, stains, colour in optical density, focus."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from scrutiq.core import Image
from scrutiq.degradations.tools import from_unit, to_unit
from scrutiq.metrics import Context

__all__ = [
    "EOSIN",
    "HAEMATOXYLIN",
    "TISSUE",
    "bounded_colour",
    "defocus",
    "density",
    "hue_and_chroma",
    "place_on_tissue",
    "side_of",
    "stain_vectors",
    "with_density",
]

Array = npt.NDArray[np.float64]
Float = npt.NDArray[np.floating]

#: Optical density of the stains in red, green and blue, of unit length: A. C. Ruifrok and D. A. Johnston,
#: "Quantification of histochemical staining by color deconvolution", Anal. Quant. Cytol. Histol. 23 (2001), as in
#: scikit-image.
HAEMATOXYLIN = np.array([0.65, 0.70, 0.29]) / np.linalg.norm([0.65, 0.70, 0.29])
EOSIN = np.array([0.07, 0.99, 0.11]) / np.linalg.norm([0.07, 0.99, 0.11])

#: Mean optical density of the three components above which there is tissue rather than bare glass.
TISSUE = 0.1
#: Density that cannot be told from black: half of an 8-bit step is left.
_BLACK = 1 / 510


def bounded_colour(context: Context) -> str | None:
    """Return why a measurement of colours with known ends does not apply, or None where it does."""
    if not context.image.is_colour:
        return "The image has no colour."
    return None if context.image.data_range is not None else "The data range of the image is not known."


def density(image: Image) -> Array:
    """Return optical density, ``-log10`` of the share of full white, shape (H, W, 3), 0 for white.

    Of the coded values, as Ruifrok and Johnston's vectors are stated and as is usual. A power law of the coding (sRGB's
    is nearly one) only scales it, so that densities of layers add as the Beer-Lambert law has it. What is no number is
    bare glass.
    """
    shares: Array = np.nan_to_num(np.maximum(to_unit(image), _BLACK), nan=1.0)
    return -np.log10(shares)


def with_density(image: Image, made: Float) -> Image:
    """Return the image with other optical densities; below 0 is white."""
    return from_unit(image, 10 ** -np.maximum(made, 0))


def side_of(image: Image) -> float:
    """Return the side of the square that is as large as the image, pixels: what the size of a fault is a share of."""
    return float(np.sqrt(image.shape[0] * image.shape[1]))


def place_on_tissue(image: Image, rng: np.random.Generator) -> tuple[float, float]:
    """Draw a place, row and column in pixels, in the middle half of the image and where there is most tissue nearby.

    Of sixteen places that are drawn, whatever the image, one of the four with the most tissue.
    """
    h, w = image.shape
    spots = rng.uniform(0.3, 0.7, (16, 2)) * (h, w)
    pick = int(rng.integers(4))
    tissue = (density(image).mean(axis=2) > TISSUE).astype(np.float64)
    nearby = ndimage.uniform_filter(tissue, max(3, round(0.15 * side_of(image))))
    share = nearby[spots[:, 0].astype(int), spots[:, 1].astype(int)]
    y, x = spots[np.argsort(-share, kind="stable")[pick]]
    return float(y), float(x)


def hue_and_chroma(od: Float) -> tuple[Array, Array]:
    """Return the hue angle in degrees, and the chroma, of optical densities about the axis of neutral grey.

    Parameters
    ----------
    od : ndarray, shape (..., 3)

    Returns
    -------
    hue : ndarray, shape (...)
        In (-180, 180]: 0 where only red is absorbed (cyan), 120 where only green is (magenta), -120 for yellow.
        Haematoxylin lies at 66, eosin at 122.
    chroma : ndarray, shape (...)
        Distance from the grey axis, in optical density.
    """
    red, green, blue = od[..., 0], od[..., 1], od[..., 2]
    v, u = np.sqrt(0.5) * (green - blue), (2 * red - green - blue) / np.sqrt(6)
    return np.degrees(np.arctan2(v, u)), np.hypot(v, u)


def stain_vectors(od: Float) -> Array:
    """Estimate the two stains of an image: the extreme directions of the plane in which its densities lie.

    Parameters
    ----------
    od : ndarray, shape (H, W, 3)

    Returns
    -------
    ndarray, shape (2, 3)
        Unit vectors, the one that absorbs more red first (haematoxylin, then eosin); Ruifrok and Johnston's where fewer
        than 100 pixels are stained.

    References
    ----------
    M. Macenko et al., "A method for normalizing histology slides for quantitative analysis", ISBI 2009, with its
    threshold of 0.15 and its 1st and 99th percentiles.
    """
    stained = od.reshape(-1, 3)
    stained = stained[(stained > 0.15).all(axis=1)][:: max(1, od.size // 600_000)]
    if len(stained) < 100:
        return np.stack([HAEMATOXYLIN, EOSIN])
    _, vectors = np.linalg.eigh(np.cov(stained.T))
    plane = vectors[:, [2, 1]] * np.sign(vectors[:, [2, 1]].sum(axis=0) + 1e-12)
    along = stained @ plane
    angles = np.percentile(np.arctan2(along[:, 1], along[:, 0]), (1, 99))
    found = np.stack([np.cos(angles), np.sin(angles)], axis=1) @ plane.T
    # The percentiles may leave the octant of positive densities by a hair.
    found = np.maximum(found, 1e-3)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found if found[0, 0] >= found[1, 0] else found[::-1])


def defocus(planes: Float, radius: float) -> Array:
    """Return the image of planes that are out of focus: convolved with a disc, exact for fractions of a pixel.

    Parameters
    ----------
    planes : ndarray, shape (H, W) or (H, W, C)
        Light, or optical density where it is small.
    radius : float
        Of the disc of confusion, pixels; 0 changes nothing. The edge is mirrored.

    References
    ----------
    Geometrical transfer function of defocus, 2 J1(a) / a with a = 2 pi r f: J. W. Goodman, Introduction to Fourier
    Optics, 3rd ed., 6.4.
    """
    from scipy.special import j1

    values = np.asarray(planes, dtype=np.float64)
    if radius <= 0:
        return values
    pad = min(int(np.ceil(2 * radius)) + 2, min(values.shape[:2]) - 1)
    size = tuple(n + 2 * pad for n in values.shape[:2])
    full = tuple(fft.next_fast_len(n, real=True) for n in size)
    f = np.hypot(fft.fftfreq(full[0])[:, None], fft.rfftfreq(full[1])[None, :])
    a = np.maximum(2 * np.pi * radius * f, 1e-9)
    otf = 2 * j1(a) / a

    def one(plane: Array) -> Array:
        padded = np.pad(plane, pad, mode="symmetric")
        padded = np.pad(padded, [(0, n - m) for n, m in zip(full, size, strict=True)], mode="edge")
        blurred = fft.irfft2(fft.rfft2(padded) * otf, s=full)
        return np.asarray(blurred[pad : pad + plane.shape[0], pad : pad + plane.shape[1]])

    if values.ndim == 2:
        return one(values)
    return np.stack([one(values[..., c]) for c in range(values.shape[2])], axis=2)
