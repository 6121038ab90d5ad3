"""A synthetic coronary angiogram with a known mask of its vessels.

No real angiogram may be bundled, so tests, documentation and recipes that anyone can run use this one. It is a drawing
with the physics of a fluorographic frame: attenuations of heart, lung, diaphragm, spine, ribs, catheter and a branching
tree of contrast-filled vessels add, the detector blurs, quanta are counted, and the result is rounded to 8 bits. It is
no substitute for real frames: nothing that is measured on it is evidence.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image, Modality
from scrutiq.degradations.tools import smooth_noise
from scrutiq.degradations.xa.tubes import Tube, grow, tube_thickness

__all__ = ["angiogram", "coronary_tree"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

#: Attenuation of contrast medium a pixel of a 512 x 512 frame: 0.03 gives a vessel of 16 pixels half a neper.
_IODINE = 0.032
#: Quanta a pixel where nothing attenuates.
_QUANTA = 9000.0
#: Standard deviation of the detector's blur, pixels, before and after the quanta are counted.
_BLUR = (0.8, 0.6)


def angiogram(seed: int, shape: tuple[int, int] = (512, 512), *, contrast: bool = True) -> tuple[Image, Bool]:
    """Return a synthetic angiogram and where its vessels are.

    Parameters
    ----------
    seed : int
        Another seed is another patient and projection.
    shape : tuple of int
        Rows and columns, at least 64 each; the anatomy is scaled to the smaller.
    contrast : bool
        False gives the frame before the injection: the same anatomy and catheter, other quanta, no vessels.

    Returns
    -------
    image : Image
        Modality XA, grey levels, ``data_range`` (0, 255), metadata ``synthetic``.
    mask : ndarray of bool, shape (H, W)
        Vessels, without the catheter; where they would be, in the frame before the injection.
    """
    anatomy, vessels, quanta, quanta_before = np.random.SeedSequence(seed).spawn(4)
    scale = min(shape) / 512
    rng = np.random.default_rng(vessels)
    catheter, tree = coronary_tree(rng, shape)
    attenuation = _thorax(np.random.default_rng(anatomy), shape, scale)
    # The catheter's wall absorbs, and it is filled as well.
    tubes = tree if contrast else []
    attenuation += 0.5 * _IODINE / scale * tube_thickness(shape, catheter)
    iodine = np.zeros(shape)
    mask = np.zeros(shape, dtype=bool)
    for tube in tree:
        thickness = tube_thickness(shape, tube)
        mask |= thickness > 0
        if tubes:
            # Where a branch leaves its parent the two are one lumen; where vessels cross they add.
            iodine = np.where(
                thickness > 0, np.maximum(iodine, thickness) + 0.5 * np.minimum(iodine, thickness), iodine
            )
    attenuation += _IODINE / scale * iodine
    signal = np.exp(-attenuation) * _collimator(np.random.default_rng(anatomy.spawn(1)[0]), shape, scale)
    signal = ndimage.gaussian_filter(signal, _BLUR[0])
    counted = np.random.default_rng(quanta if contrast else quanta_before).poisson(_QUANTA * signal) / _QUANTA
    pixels = np.clip(np.rint(255 * ndimage.gaussian_filter(counted, _BLUR[1])), 0, 255)
    image = Image(pixels=pixels, modality=Modality.XA, data_range=(0.0, 255.0), metadata={"synthetic": True})
    return image, mask


def coronary_tree(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[Tube, list[Tube]]:
    """Return a catheter, and the vessels that spring from its tip: trunks first, then their branches.

    Radii follow Murray's law roughly: a branch has 0.45 to 0.7 of the radius of its parent there.
    """
    h, w = shape
    scale = min(shape) / 512
    mirrored = rng.uniform() < 0.5
    tip = (h * rng.uniform(0.16, 0.24), w * rng.uniform(0.26, 0.36))
    catheter = grow(rng, tip, np.radians(rng.uniform(205, 235)), round(420 * scale), 4.0 * scale, taper=0, winding=0.15)
    main = grow(rng, tip, np.radians(rng.uniform(-5, 15)), round(60 * scale), 7.5 * scale, taper=0.1, winding=0.1)
    fork = (float(main.points[-1, 0]), float(main.points[-1, 1]))
    first = np.radians(rng.uniform(15, 30))
    trunks = [
        grow(rng, fork, first, round(370 * scale), 6.3 * scale, taper=0.72, bend=0.0018 / scale, winding=0.3),
        grow(rng, fork, first + np.radians(rng.uniform(50, 80)), round(340 * scale), 5.6 * scale, taper=0.7,
             bend=0.0012 / scale, winding=0.3),
    ]  # fmt: skip
    tubes = [main, *trunks]
    for trunk, side in zip(trunks, (1, -1), strict=True):
        tubes += _branches(rng, trunk, side, scale, depth=2)
    if mirrored:
        catheter = Tube(catheter.points * [1, -1] + [0, w - 1], catheter.radii)
        tubes = [Tube(tube.points * [1, -1] + [0, w - 1], tube.radii) for tube in tubes]
    return catheter, tubes


def _branches(rng: np.random.Generator, parent: Tube, side: int, scale: float, depth: int) -> list[Tube]:
    """Return the branches of a vessel, and theirs, to both sides in turn."""
    found: list[Tube] = []
    at = int(len(parent.points) * rng.uniform(0.08, 0.2))
    while at < 0.85 * len(parent.points):
        radius = float(parent.radii[at]) * rng.uniform(0.45, 0.7)
        if radius < 0.9 * scale:
            break
        heading = parent.heading(at) + side * np.radians(rng.uniform(28, 60))
        length = round(radius * rng.uniform(38, 62))
        start = (float(parent.points[at, 0]), float(parent.points[at, 1]))
        branch = grow(rng, start, heading, max(length, 8), radius, bend=0.002 / scale, winding=0.35)
        found.append(branch)
        if depth > 1:
            found += _branches(rng, branch, -side, scale, depth - 1)
        side = -side
        at += int(len(parent.points) * rng.uniform(0.14, 0.26))
    return found


def _thorax(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> Array:
    """Return the attenuation of heart, lung, diaphragm, spine and ribs."""
    h, w = shape
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    seeds = rng.integers(2**32, size=5)
    total = np.full(shape, 0.66)
    total += 0.07 * smooth_noise(shape, 90 * scale, int(seeds[0]))
    total += 0.014 * smooth_noise(shape, 14 * scale, int(seeds[1])) + 0.006 * smooth_noise(
        shape, 4 * scale, int(seeds[2])
    )
    blur = 1.0 * scale

    # Each organ is (soft) 0 to 1, so that its border has a width.
    heart = _soft(1 - np.hypot((y - 0.55 * h) / (0.5 * h), (x - rng.uniform(0.42, 0.55) * w) / (0.46 * w)), 0.04)
    total += 0.17 * heart
    dome = rng.uniform(0.5, 0.64) * h
    centre, width = rng.uniform(0.2, 0.8) * w, rng.uniform(0.55, 0.8) * w
    total += 0.22 * _soft((y - dome - 0.22 * h * ((x - centre) / width) ** 2) / h, 0.006)
    lung = x - w * (rng.uniform(0.8, 0.92) + 0.25 * (y / h - 0.4))
    total -= 0.26 * _soft(lung / w, 0.012)
    # Spine: a band with denser plates at the borders of the vertebrae.
    spine, breadth, height = rng.uniform(0.62, 0.82) * w, 0.075 * w, rng.uniform(66, 84) * scale
    tilted = x - spine - 0.08 * (y - h / 2)
    band = _soft((breadth - np.abs(tilted)) / w, 0.008)
    plates = np.exp(-0.5 * (((y + rng.uniform(0, 80) * scale) % height - height / 2) / (3.5 * scale)) ** 2)
    total += band * (0.07 + 0.045 * plates) + 0.03 * np.exp(-0.5 * ((np.abs(tilted) - breadth) / (4 * scale)) ** 2)
    # Ribs: oblique bands, dense at both cortices.
    slope, gap = rng.uniform(0.3, 0.6), rng.uniform(88, 112) * scale
    arc = y - slope * (x - w / 2) - 0.0006 / scale * (x - w / 2) ** 2 + rng.uniform(0, 100) * scale
    rib = np.abs(arc % gap - gap / 2) - 15 * scale
    total += 0.028 * _soft(-rib / (2 * blur * 4), 0.5) + 0.018 * np.exp(-0.5 * (rib / (2.5 * scale)) ** 2)
    return total


def _collimator(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> Array:
    """Return the share of the beam that the blades let through: a rounded rectangle; scatter fills what they cover."""
    h, w = shape
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    margins = rng.uniform(2, 26, size=4) * scale
    inside = np.ones(shape)
    for distance, margin in zip((y, h - 1 - y, x, w - 1 - x), margins, strict=True):
        inside *= _soft(distance - margin, 3.0 * scale)
    return 0.42 + 0.58 * inside


def _soft(signed: Array, width: float) -> Array:
    """Return a step from 0 to 1 where ``signed`` passes 0, with a logistic border of that width."""
    return 1 / (1 + np.exp(-np.clip(signed / width, -50, 50)))
