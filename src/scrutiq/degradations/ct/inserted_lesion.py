"""An inserted lesion: a blob of known contrast, size and margin in soft tissue, blurred as the image itself is."""

from __future__ import annotations

from math import ceil, pi

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from scrutiq.core import HU, Image, UsageError
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import MEASURES, Measure
from scrutiq.metrics.foreground import filled_grey
from scrutiq.metrics.undefined import Undefined

__all__ = ["BLOB_CONTRAST", "DEGRADATION", "blob_contrast", "draw_lesion", "insert_lesion", "soft_tissue"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

#: CT numbers of soft tissue, after noise has been smoothed away: between fat and contrast medium or bone.
_SOFT_HU, _SMOOTH_MM = (-20.0, 180.0), 1.5
#: Diameter of a lesion, mm, and how much room it needs about it: the distance to other tissue in radii.
_DIAMETER_MM, _ROOM = (7.0, 18.0), 2.1
#: The smallest that is inserted where there is no room for more, mm.
_LEAST_MM = 4.0
#: Blur of the edges of an image in which it cannot be measured, standard deviation in mm, and the limits of a measured
#: one. The 10-90 % rise of an edge under a Gaussian blur is 2.563 standard deviations.
_BLUR_MM, _BLUR_BOUNDS_MM, _RISE = 0.7, (0.3, 1.5), 2.563
#: Subpixels along each axis on which the outline is drawn.
_FINE = 4
#: Radii of the blobs that are looked for, mm, and the ring about each, in radii.
_RADII_MM, _RING = (3.0, 4.2, 5.9, 8.3), (1.35, 1.9)


def soft_tissue(image: Image) -> Bool:
    """Return where there is soft tissue, shape (H, W): neither air, fat, bone nor dense contrast medium."""
    smooth = ndimage.gaussian_filter(filled_grey(image), _SMOOTH_MM / _pixel(image))
    return np.asarray((smooth > _SOFT_HU[0]) & (smooth < _SOFT_HU[1]))


def draw_lesion(image: Image, rng: np.random.Generator, contrast_hu: float) -> Parameters:
    """Draw a lesion that fits into the soft tissue of an image.

    Parameters
    ----------
    image : Image
        In HU.
    rng : numpy.random.Generator
    contrast_hu : float
        Size of the difference from the tissue about it, positive; whether it is brighter or darker is drawn.

    Returns
    -------
    mapping
        For `insert_lesion`: ``center`` (row, column), pixels; ``diameter_mm``; ``contrast_hu``, signed; ``blur_mm``,
        the standard deviation of the blur of its margin; ``outline``, amplitude (share of the radius) and phase
        (radian) of the waves round its margin, from two waves up; ``region``.

    Raises
    ------
    UsageError
        If the image shows no soft tissue.
    """
    pixel = _pixel(image)
    sign = 1 if rng.integers(2) else -1
    diameter = _DIAMETER_MM[0] * (_DIAMETER_MM[1] / _DIAMETER_MM[0]) ** float(rng.uniform())
    place, softness = float(rng.uniform()), float(rng.uniform(1, 2))
    irregular = float(rng.uniform(0, 0.15))
    outline = [[irregular / k * float(rng.uniform(0.3, 1)), float(rng.uniform(0, 2 * pi))] for k in (1, 2, 3, 4)]
    tissue = soft_tissue(image)
    if not tissue.any():
        raise UsageError("the image shows no soft tissue into which a lesion could be inserted.")
    room = ndimage.distance_transform_edt(np.pad(tissue, 1))[1:-1, 1:-1] * pixel
    diameter = max(min(diameter, 2 * float(room.max()) / _ROOM), _LEAST_MM)
    rows, columns = np.nonzero(room >= min(_ROOM * diameter / 2, float(room.max())))
    at = min(int(place * len(rows)), len(rows) - 1)
    centre = [int(rows[at]), int(columns[at])]
    blur = softness * _own_blur(image)
    return {
        "center": centre,
        "diameter_mm": diameter,
        "contrast_hu": sign * contrast_hu,
        "blur_mm": blur,
        "outline": outline,
        "region": _region(image, centre, diameter, blur),
    }


def insert_lesion(image: Image, parameters: Parameters) -> Image:
    """Return the image with a lesion: its contrast is added, so that the noise stays as it was.

    Parameters
    ----------
    image : Image
    parameters : mapping
        See `draw_lesion`.
    """
    pixel = _pixel(image)
    top, left, bottom, right = (int(n) for n in parameters["region"])
    row, column = (float(n) for n in parameters["center"])
    radius = float(parameters["diameter_mm"]) / 2 / pixel
    steps = (np.arange(_FINE) + 0.5) / _FINE - 0.5
    y = (np.arange(top, bottom)[:, None] + steps).ravel()[:, None] - row
    x = (np.arange(left, right)[:, None] + steps).ravel()[None] - column
    angle, margin = np.arctan2(y, x), np.full((y.size, x.size), radius)
    for k, (amplitude, phase) in enumerate(parameters["outline"], start=2):
        margin += radius * float(amplitude) * np.cos(k * angle + float(phase))
    profile = ndimage.gaussian_filter(
        (np.hypot(y, x) <= margin).astype(np.float64), float(parameters["blur_mm"]) / pixel * _FINE, mode="constant"
    )
    profile = profile.reshape(bottom - top, _FINE, right - left, _FINE).mean(axis=(1, 3))
    pixels = image.pixels.copy()
    part = pixels[top:bottom, left:right]
    part += np.float32(parameters["contrast_hu"]) * profile.astype(np.float32)
    return image.replace(pixels=pixels if image.valid is None else np.where(image.valid, pixels, image.pixels))


def blob_contrast(values: Float, tissue: Bool, pixel: float) -> float:
    """Return the contrast of the most conspicuous blob that lies in soft tissue by itself.

    For each radius and place the mean of a disc is compared with that of a ring about it that lies in soft tissue; what
    the ring itself varies by, beyond the noise that the disc averages, counts against it.

    Parameters
    ----------
    values : ndarray, shape (H, W)
        HU, finite.
    tissue : ndarray of bool, shape (H, W)
        Soft tissue, as in `soft_tissue`.
    pixel : float
        Side of a pixel, mm.

    Returns
    -------
    float
        HU, at least 0.

    Raises
    ------
    Undefined
        If no ring lies in soft tissue.
    """
    smooth = np.clip(ndimage.gaussian_filter(np.asarray(values, np.float32), _SMOOTH_MM / pixel), -250, 450)
    shape = [fft.next_fast_len(n + 2 * ceil(_RADII_MM[-1] * _RING[1] / pixel), real=True) for n in smooth.shape]
    soft = tissue.astype(np.float32)
    planes = np.stack([smooth, smooth * soft, smooth * smooth * soft, soft])
    spectrum = fft.rfft2(planes, shape)
    best = None
    for radius in _RADII_MM:
        disc, ring = _kernels(radius / pixel)
        if max(ring.shape) > min(smooth.shape) or np.count_nonzero(disc) < 5:
            continue
        inside = _correlated(spectrum[0], disc, shape, smooth.shape)
        total, square, share = (_correlated(plane, ring, shape, smooth.shape) for plane in spectrum[1:])
        whole = (share > 0.99) & (inside > _SOFT_HU[0] - 80) & (inside < _SOFT_HU[1] + 40)
        if not whole.any():
            continue
        mean = total[whole] / share[whole]
        spread = np.sqrt(np.maximum(square[whole] / share[whole] - mean**2, 0))
        contrast = np.abs(inside[whole] - mean) - spread
        best = max(best or 0.0, float(contrast.max()))
    if best is None:
        raise Undefined("Nowhere in the image is there soft tissue all round a place.")
    return best


def _kernels(radius: float) -> tuple[Float, Float]:
    """Return a disc of 0.8 of a radius and the ring about it, each of sum 1, of one size; the radius is in pixels."""
    reach = ceil(_RING[1] * radius)
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    distance = np.hypot(y, x)
    disc = (distance <= 0.8 * radius).astype(np.float32)
    ring = ((distance >= _RING[0] * radius) & (distance <= _RING[1] * radius)).astype(np.float32)
    return disc / disc.sum(), ring / ring.sum()


def _correlated(
    spectrum: npt.NDArray[np.complexfloating], kernel: Float, shape: list[int], size: tuple[int, ...]
) -> Float:
    """Return an image, given as its padded transform, under a symmetrical kernel."""
    reach = kernel.shape[0] // 2
    whole = fft.irfft2(spectrum * fft.rfft2(kernel, shape), shape)
    return np.asarray(whole[reach : reach + size[0], reach : reach + size[1]], dtype=np.float32)


BLOB_CONTRAST = Measure(
    name="blob_contrast_hu",
    unit=HU,
    title="contrast of the most conspicuous blob of 6 to 18 mm that lies in soft tissue by itself",
    direction="neither",
    range=(0, float("inf")),
    source=(
        "Difference of the means of a disc and of a ring about it at four scales, the centre-surround form of the "
        "Laplacian of Gaussian (Lindeberg, Int. J. Comput. Vis. 30, 1998), less the standard deviation of the ring."
    ),
    limits=(
        "A vessel, a node or a cyst is a blob too: it tells that there is one, not that it was inserted. Blobs in "
        "lung, fat and bone, and those that touch them, are not looked for."
    ),
    needs=lambda c: (
        "The image is not calibrated in Hounsfield units."
        if not c.image.is_calibrated
        else None
        if c.image.spacing is not None
        else "The pixel spacing is not known."
    ),
    value=lambda c: blob_contrast(c.grey, soft_tissue(c.image), _pixel(c.image)),
)


def _pixel(image: Image) -> float:
    """Return the side of a pixel, mm."""
    if image.spacing is None:
        raise UsageError("a lesion has a size in mm, and the pixel spacing of this image is not known: state it.")
    return float(np.sqrt(image.spacing[0] * image.spacing[1]))


def _own_blur(image: Image) -> float:
    """Return the standard deviation of the blur of the edges of an image, mm."""
    rise = MEASURES["edge_rise_mm"].compute(image)
    return _BLUR_MM if rise is None else float(np.clip(rise / _RISE, *_BLUR_BOUNDS_MM))


def _region(image: Image, centre: list[int], diameter: float, blur: float) -> list[int]:
    reach = ceil((0.5 * diameter * 1.35 + 4 * blur) / _pixel(image))
    return [
        max(0, centre[0] - reach),
        max(0, centre[1] - reach),
        min(image.shape[0], centre[0] + reach + 1),
        min(image.shape[1], centre[1] + reach + 1),
    ]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return draw_lesion(image, rng, geometric(4, 90, severity))


DEGRADATION = Degradation(
    name="ct.inserted_lesion",
    draw=_draw,
    apply=insert_lesion,
    measurement=BLOB_CONTRAST,
    thresholds=Thresholds(
        clean=60,
        mild=75,
        severe=100,
        worst=150,
        scale="log",
        basis=(
            "Median 52 HU and largest 128 HU of 12 clinical slices of TCIA as they came; 67 HU with a lesion of 90 HU. "
            "They are no evidence of an insertion."
        ),
    ),
    exception=(
        "Vessels, nodes and cysts are blobs as conspicuous as a lesion, so that one image alone does not tell whether "
        "a lesion was inserted."
    ),
)
