"""Vessels in a frame: where they are, how wide, how deep in attenuation, and the frame without them.

Ridges of the attenuation are found at several scales by the eigenvalues of the Hessian (Sato et al., Med. Image Anal.
2, 1998; Frangi et al., MICCAI 1998), with the normalisation under which the scale of the strongest response is the
width of the ridge (Lindeberg, Int. J. Comput. Vis. 30, 1998, gamma = 3/4). What the Hessian says of direction and
width is then checked in the attenuation itself: a vessel is darker than both its sides, an edge is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.xa.beam import attenuation_of, beam_field
from scrutiq.metrics import Context, Undefined

__all__ = [
    "DIRECTIONS",
    "Ridges",
    "Vessels",
    "drawn_on",
    "field_of",
    "fill",
    "find_vessels",
    "neighbours",
    "noise_of",
    "oriented",
    "path_length",
    "ridges",
    "ridges_of",
    "segment",
    "vessels_of",
    "widened",
    "without",
]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

#: Standard deviations of the Gaussians, pixels, for ridges of about 3 to 18 pixels across.
SCALES = (1.3, 1.9, 2.7, 3.9, 5.6)
#: Radius of a cylinder whose ridge responds most at a scale, as a multiple of it.
RADIUS_OF_SIGMA = 1.45
#: Directions in which lines are followed, radians.
DIRECTIONS = tuple(np.pi * k / 16 for k in range(16))
#: A vessel's depth over both its sides, in attenuation: at the finest scale, and how much more a pixel of scale.
_FAINT, _WIDE = 0.009, 0.010
#: How many times that depth it reaches somewhere.
_CLEAR = 1.7
#: Shortest piece of centreline that counts as a vessel, pixels.
_SHORTEST = 25


@dataclass(frozen=True)
class Ridges:
    """Ridges of an attenuation, pixel by pixel.

    Attributes
    ----------
    depth : ndarray of float64, shape (H, W)
        By how much the attenuation exceeds that on the *higher* of both sides; 0 where there is no ridge.
    sigma : ndarray of float64, shape (H, W)
        Scale of the strongest response, pixels.
    normal : tuple of ndarray
        Row and column component of the unit vector across the ridge.
    """

    depth: Array
    sigma: Array
    normal: tuple[Array, Array]


@dataclass(frozen=True)
class Vessels:
    """The vessels of one frame.

    Attributes
    ----------
    attenuation : ndarray of float64, shape (H, W)
        Of the whole frame.
    field : ndarray of bool, shape (H, W)
        Where the collimator lets the beam through.
    mask : ndarray of bool, shape (H, W)
        Vessels.
    """

    attenuation: Array
    field: Bool
    mask: Bool

    @cached_property
    def skeleton(self) -> Bool:
        """Centrelines, one pixel wide."""
        from skimage.morphology import skeletonize

        return np.asarray(skeletonize(self.mask))  # type: ignore[no-untyped-call]

    @cached_property
    def radius(self) -> Array:
        """Distance to the nearest pixel outside the vessels, pixels; 0 outside."""
        return np.asarray(ndimage.distance_transform_edt(self.mask))

    @cached_property
    def background(self) -> Array:
        """Attenuation of the anatomy behind the vessels, with its texture."""
        return without(self.attenuation, self.mask)

    @cached_property
    def iodine(self) -> Array:
        """Attenuation of the contrast medium: that of the frame less that of the background; 0 outside the mask."""
        smooth = fill(self.attenuation, widened(self.mask))
        return np.where(self.reach > 0, np.maximum(self.attenuation - smooth, 0) * self.reach, 0.0)

    @cached_property
    def reach(self) -> Array:
        """1 in the vessels, falling to 0 within two pixels outside: the weight with which they are taken away."""
        outside = ndimage.distance_transform_edt(~self.mask)
        return np.asarray(np.clip(1 - (outside - 1) / 2, 0, 1))

    @property
    def length(self) -> float:
        """Length of all centrelines, pixels."""
        return path_length(self.skeleton)


def path_length(skeleton: Bool) -> float:
    """Return the length of one-pixel lines: 1 for a straight and the square root of 2 for a diagonal step."""
    straight = np.count_nonzero(skeleton[1:] & skeleton[:-1]) + np.count_nonzero(skeleton[:, 1:] & skeleton[:, :-1])
    corners = skeleton[1:, 1:] & skeleton[:-1, :-1] & ~skeleton[1:, :-1] & ~skeleton[:-1, 1:]
    others = skeleton[1:, :-1] & skeleton[:-1, 1:] & ~skeleton[1:, 1:] & ~skeleton[:-1, :-1]
    return float(straight + np.sqrt(2) * (np.count_nonzero(corners) + np.count_nonzero(others)))


def neighbours(skeleton: Bool) -> npt.NDArray[np.int64]:
    """Return how many of its eight neighbours are on the skeleton, 0 off it: 1 at a free end, 3 or more at a fork."""
    counted = ndimage.convolve(skeleton.astype(np.int64), np.ones((3, 3), np.int64), mode="constant") - 1
    return np.where(skeleton, counted, 0)


def ridges(attenuation: Array, scales: tuple[float, ...] = SCALES) -> Ridges:
    """Return the ridges of an attenuation.

    Parameters
    ----------
    attenuation : ndarray of float64, shape (H, W)
    scales : tuple of float
        Standard deviations of the Gaussians, pixels.

    Returns
    -------
    Ridges
    """
    shape = attenuation.shape
    values = attenuation.astype(np.float32)
    strongest = np.zeros(shape, np.float32)
    sigma = np.full(shape, scales[0], np.float32)
    down, right = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    for scale in scales:
        smooth = ndimage.gaussian_filter(values, scale, mode="nearest", truncate=3)
        gy, gx = np.gradient(smooth)
        yy, xx = np.gradient(gy, axis=0), np.gradient(gx, axis=1)
        xy = np.gradient(gy, axis=1)
        half, spread = (yy + xx) / 2, np.hypot((yy - xx) / 2, xy)
        across, along = half - spread, half + spread
        # A blob bends both ways; a ridge only across.
        response = (-across - np.maximum(-along, 0)) * scale**1.5
        better = response > strongest
        strongest = np.where(better, response, strongest)
        sigma = np.where(better, np.float32(scale), sigma)
        # Eigenvector of the most negative eigenvalue.
        angle = 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2
        down, right = np.where(better, np.sin(angle), down), np.where(better, np.cos(angle), right)
    inner = ndimage.gaussian_filter(values, 1.0, mode="nearest", truncate=3)
    y, x = np.indices(shape, dtype=np.float32)
    sides = [
        ndimage.map_coordinates(
            inner, [y + k * 2.5 * sigma * down, x + k * 2.5 * sigma * right], order=1, mode="nearest"
        )
        for k in (-1, 1)
    ]
    depth = np.where(strongest > 0, np.maximum(inner - np.maximum(*sides), 0), 0)
    return Ridges(
        depth.astype(np.float64), sigma.astype(np.float64), (down.astype(np.float64), right.astype(np.float64))
    )


def find_vessels(image: Image, mask: Bool | None = None) -> Vessels:
    """Return the vessels of a frame.

    Parameters
    ----------
    image : Image
        Grey, of known ``data_range``.
    mask : ndarray of bool, shape (H, W), optional
        Where the vessels are, if that is known; found in the image otherwise, together with catheters and wires, which
        look alike.

    Returns
    -------
    Vessels
    """
    attenuation = attenuation_of(image)
    field = beam_field(attenuation)
    return Vessels(attenuation, field, segment(attenuation, field) if mask is None else np.asarray(mask, dtype=bool))


def oriented(found: Ridges) -> list[Array]:
    """Return the depth of the ridges that run in each of `DIRECTIONS`: full along it, none beyond 45 degrees."""
    down, right = found.normal
    return [
        found.depth * np.maximum(1 - 2 * (down * np.sin(angle) + right * np.cos(angle)) ** 2, 0) for angle in DIRECTIONS
    ]


def drawn_on(depth: Array, angle: float, steps: tuple[int, ...]) -> Array:
    """Return the mean of a map at places ahead of each pixel in a direction, in ``steps`` of one pixel; 0 beyond."""
    total = np.zeros_like(depth)
    h, w = depth.shape
    for step in steps:
        dy, dx = round(step * np.sin(angle)), round(step * np.cos(angle))
        total[max(-dy, 0) : h - max(dy, 0), max(-dx, 0) : w - max(dx, 0)] += depth[
            max(dy, 0) : h - max(-dy, 0), max(dx, 0) : w - max(-dx, 0)
        ]
    return total / len(steps)


def segment(attenuation: Array, field: Bool, found: Ridges | None = None) -> Bool:
    """Return the mask of the vessels in an attenuation, within the field of the beam; ``found`` are its `ridges`."""
    from skimage.filters import apply_hysteresis_threshold
    from skimage.morphology import remove_small_objects, skeletonize

    found = ridges(attenuation) if found is None else found
    noise = noise_of(attenuation, field)
    # Contrast medium is the deeper the wider the vessel is; wide and faint is anatomy.
    need = _FAINT + 1.5 * noise + _WIDE * (found.sigma - SCALES[0])
    sure = found.depth / need
    coherent = np.max(
        [
            drawn_on(one, angle, tuple(range(-8, 9, 2)))
            for one, angle in zip(oriented(Ridges(sure, found.sigma, found.normal)), DIRECTIONS, strict=True)
        ],
        axis=0,
    )
    inside = ndimage.binary_erosion(field, iterations=6, border_value=1)
    strength = np.where(inside & (sure > 0.5), coherent, 0)
    seeds = np.asarray(apply_hysteresis_threshold(strength, 1.0, _CLEAR))  # type: ignore[no-untyped-call]
    lines = np.asarray(skeletonize(seeds))  # type: ignore[no-untyped-call]
    lines = np.asarray(remove_small_objects(lines, max_size=_SHORTEST - 1, connectivity=2))
    if not lines.any():
        return np.zeros_like(field)
    weight = ndimage.gaussian_filter(lines.astype(np.float64), 4.0)
    sigma = ndimage.gaussian_filter(np.where(lines, found.sigma, 0), 4.0) / np.maximum(weight, 1e-9)
    distance, (row, column) = ndimage.distance_transform_edt(~lines, return_indices=True)
    return np.asarray((distance <= RADIUS_OF_SIGMA * sigma[row, column]) & field)


def noise_of(attenuation: Array, field: Bool) -> float:
    """Return the standard deviation of what noise is left in an attenuation smoothed by one pixel.

    By the median absolute value (Donoho, IEEE Trans. Inf. Theory 41, 1995) of the difference of two smoothed versions,
    scaled for white noise.
    """
    band = ndimage.gaussian_filter(attenuation, 1.0) - ndimage.gaussian_filter(attenuation, 2.0)
    values = np.abs(band[field]) if field.any() else np.abs(band)
    # White noise: variance 1/4pi after one pixel, 1/16pi after two, covariance 1/10pi.
    ratio = np.sqrt((1 / 4) / (1 / 4 + 1 / 16 - 2 / 10))
    return float(np.median(values)) / 0.6745 * float(ratio)


def widened(mask: Bool, by: int = 2) -> Bool:
    """Return a mask with a border of some pixels: the blur of the detector carries vessels beyond their edge."""
    return np.asarray(ndimage.binary_dilation(mask, iterations=by)) if by else mask


def fill(attenuation: Array, mask: Bool) -> Array:
    """Return an attenuation whose masked pixels are interpolated from around them, smoothly.

    Normalised convolution (Knutsson and Westin, CVPR 1993) with Gaussians of growing width: each pixel takes the
    narrowest that reaches enough of what is known.
    """
    if not mask.any():
        return attenuation
    known = (~mask).astype(np.float64)
    filled, missing = attenuation.copy(), mask.copy()
    values = np.where(mask, 0.0, attenuation)
    for sigma in (2.0, 4.0, 8.0, 16.0, 32.0, 64.0):
        weight = ndimage.gaussian_filter(known, sigma, mode="nearest", truncate=3)
        reached = missing & (weight > 0.15)
        if reached.any():
            mean = ndimage.gaussian_filter(values, sigma, mode="nearest", truncate=3) / np.maximum(weight, 1e-9)
            filled[reached] = mean[reached]
            missing &= ~reached
        if not missing.any():
            break
    if missing.any():
        filled[missing] = attenuation[~mask].mean() if not mask.all() else attenuation.mean()
    # What took different widths meets in steps; they are smoothed away inside the mask.
    softened = ndimage.gaussian_filter(filled, 1.5, mode="nearest")
    return np.where(mask, softened, attenuation)


def without(attenuation: Array, mask: Bool) -> Array:
    """Return an attenuation without what lies in a mask: the smooth background, with the grain of what is next to it.

    The grain is mirrored at the border of the mask, so that a removed vessel does not leave a smooth band.
    """
    hole = widened(mask)
    if not hole.any() or hole.all():
        return attenuation
    smooth = fill(attenuation, hole)
    row, column = np.indices(attenuation.shape)
    nearest = ndimage.distance_transform_edt(hole, return_distances=False, return_indices=True)
    y = np.clip(2 * nearest[0] - row, 0, attenuation.shape[0] - 1)
    x = np.clip(2 * nearest[1] - column, 0, attenuation.shape[1] - 1)
    grain = smooth - ndimage.gaussian_filter(smooth, 2.0, mode="nearest")
    usable = ~hole[y, x]
    return np.where(hole, smooth + np.where(usable, grain[y, x], 0), attenuation)


class _Shared:
    """What several measurements of one image share."""

    def __init__(self, context: Context) -> None:
        self.attenuation = attenuation_of(context.image)
        self.field = beam_field(self.attenuation)

    @cached_property
    def ridges(self) -> Ridges:
        return ridges(self.attenuation)

    @cached_property
    def vessels(self) -> Vessels:
        return Vessels(self.attenuation, self.field, segment(self.attenuation, self.field, self.ridges))


_SHARED: WeakKeyDictionary[Context, _Shared] = WeakKeyDictionary()


def _shared(context: Context) -> _Shared:
    if context not in _SHARED:
        _SHARED[context] = _Shared(context)
    return _SHARED[context]


def field_of(context: Context) -> Bool:
    """Return the field of the beam of the image of a context, found once."""
    return _shared(context).field


def ridges_of(context: Context) -> Ridges:
    """Return the ridges of the image of a context, found once."""
    return _shared(context).ridges


def vessels_of(context: Context) -> Vessels:
    """Return the vessels of the image of a context, found once.

    Raises
    ------
    Undefined
        If no vessel is found.
    """
    found = _shared(context).vessels
    if not found.mask.any():
        raise Undefined("No vessel is seen in the frame.")
    return found
