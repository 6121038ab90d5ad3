"""Susceptibility distortion: the field of a source such as a clip or air bends the readout and dephases the spins."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.mr.kspace import complex_image, pixel_mm, put_back
from scrutiq.degradations.mr.scene import grey_mr, scene
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import Context, Measure
from scrutiq.metrics.foreground import foreground

__all__ = ["DEGRADATION", "dipole", "distort"]

Array = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complexfloating[Any, Any]]

#: Parts of a pixel that are moved each on its own, so that tissue that spreads leaves no gaps.
_PARTS = 4
#: Depth of the skin, bone and air cells at the surface, and width of fissures, as shares of the object's size.
_SKULL, _NARROW = 0.1, 0.01
#: Share of the tissue's signal below which there is none.
_BLACK = 0.12


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    tissue = foreground(image)
    if not tissue.any():
        tissue = np.ones(image.shape, dtype=bool)
    # Nearest to the deeper half of the tissue, away from its surface.
    depth = ndimage.distance_transform_edt(np.pad(ndimage.binary_fill_holes(tissue), 1))[1:-1, 1:-1]
    rows, columns = np.nonzero(tissue & (depth >= np.median(depth[tissue])))
    place = int(rng.random() * rows.size)
    mm = pixel_mm(image)
    source = [int(rows[place]), int(columns[place])]
    # As wide a field in a small object as in a large one, relative to it; in a head some 2 cm.
    size = 0.15 * math.sqrt(float(tissue.sum()) * mm[0] * mm[1])
    half = [math.ceil(3 * size / one) for one in mm]
    return {
        "axis": int(rng.integers(2)),  # of frequency encoding; in echo-planar imaging that of phase encoding
        "source": source,
        "distance_mm": size,  # from the slice
        "field_angle": float(rng.uniform(0, math.pi)),  # of the main field in the plane, radian
        "shift_mm": geometric(0.07, 2.0, severity) * size,  # where the field is strongest
        # Turns of the spins by the echo where they are moved by one mm: echo time times bandwidth, 0.3 to 1 for a
        # pixel of a matrix of 256.
        "turns_per_mm": float(rng.uniform(0.3, 1.0))
        * 256
        / max(n * one for n, one in zip(image.shape, mm, strict=True)),
        "slice_mm": 0.25 * size,
        "phase_seed": new_seed(rng),
        "region": [
            max(0, source[0] - half[0]),
            max(0, source[1] - half[1]),
            min(image.shape[0], source[0] + half[0]),
            min(image.shape[1], source[1] + half[1]),
        ],
    }


def dipole(
    shape: tuple[int, int], source: tuple[int, int], distance_mm: float, angle: float, mm: tuple[float, float]
) -> tuple[Array, Array]:
    """Return the field of a dipole beside the slice, and its slope across the slice.

    ``(3 cos^2 theta - 1) / r^3``, the field outside a sphere of another susceptibility, in units of ``1 / distance^3``.

    Parameters
    ----------
    shape : tuple of int
    source : tuple of int
        Row and column nearest to it.
    distance_mm : float
        From the slice to the source.
    angle : float
        Of the main field in the plane, radian: 0 along the rows of pixels, pi / 2 along the columns.
    mm : tuple of float
        (row, column) spacing.

    Returns
    -------
    field : ndarray, shape (H, W)
        From -1 to 2.
    slope : ndarray, shape (H, W)
        Per mm.

    References
    ----------
    J. F. Schenck, "The role of magnetic susceptibility in magnetic resonance imaging", Med. Phys. 23 (1996).
    """
    y = ((np.arange(shape[0]) - source[0]) * mm[0] / distance_mm)[:, None]
    x = (np.arange(shape[1]) - source[1]) * mm[1] / distance_mm
    squared = x**2 + y**2 + 1
    along = (x * math.cos(angle) + y * math.sin(angle)) ** 2
    field = 3 * along * squared**-2.5 - squared**-1.5
    slope = (3 * squared**-2.5 - 15 * along * squared**-3.5) / distance_mm
    return field, slope


def distort(image: Complex, shift: Array, axis: int) -> Complex:
    """Return the image whose signal is moved along an axis; none is lost, so that it piles up where the map folds.

    Parameters
    ----------
    image : ndarray of complex, shape (H, W)
    shift : ndarray, shape (H, W)
        By how many pixels each place is moved. What leaves the image is lost.
    axis : int

    References
    ----------
    H. Chang, J. M. Fitzpatrick, "A technique for accurate magnetic resonance imaging in the presence of field
    inhomogeneities", IEEE Trans. Med. Imaging 11 (1992), eq. 7: intensity times the Jacobian.
    """
    image, shift = np.moveaxis(image, axis, 0), np.moveaxis(shift, axis, 0)
    n, across = image.shape
    slope = np.gradient(shift, axis=0) if n > 1 else np.zeros_like(shift)
    column = np.broadcast_to(np.arange(across), image.shape)
    total = np.zeros(((n + 2) * across, 2))
    width = np.clip(np.abs(1 + slope) / _PARTS, 1e-6, 1)
    for part in (np.arange(_PARTS) + 0.5) / _PARTS - 0.5:
        # Each part of a pixel is a box that falls on one pixel or across the border of two.
        end = np.clip(np.arange(n)[:, None] + part + shift + slope * part - width / 2, -1.5, n + 0.5)
        low = np.minimum(np.floor(end + 0.5), n).astype(int)
        beyond = np.clip((end + width - (low + 0.5)) / width, 0, 1)
        for to, weight in ((low, 1 - beyond), (low + 1, beyond)):
            # One line before and one behind the image take what leaves it.
            index = (np.clip(to, -1, n) + 1) * across + column
            for component, values in enumerate((image.real, image.imag)):
                total[:, component] += np.bincount(
                    index.ravel(), (values * weight / _PARTS).ravel(), minlength=total.shape[0]
                )
    moved = (total[:, 0] + 1j * total[:, 1]).reshape(n + 2, across)[1:-1]
    return np.moveaxis(moved, 0, axis)


def _apply(image: Image, parameters: Parameters) -> Image:
    axis, mm = parameters["axis"], pixel_mm(image)
    field, slope = dipole(image.shape, parameters["source"], parameters["distance_mm"], parameters["field_angle"], mm)
    scale = parameters["shift_mm"] / mm[axis]
    # Spins at both faces of the slice differ by so many turns at the echo; its profile is Gaussian, of that width at
    # half its height.
    turns = parameters["turns_per_mm"] * parameters["shift_mm"] * slope * parameters["slice_mm"]
    kept = np.exp(-((np.pi * turns) ** 2) / (4 * math.log(2)))
    true = complex_image(image, parameters["phase_seed"]) * kept
    return put_back(image, distort(true, scale * field, axis))


def _void(context: Context) -> float:
    seen = scene(context)
    side = math.sqrt(float(seen.hull.sum()))
    smooth = ndimage.gaussian_filter(seen.values, max(0.7, max(seen.hull.shape) / 256)) / seen.signal
    inner = ndimage.distance_transform_edt(np.pad(seen.hull, 1))[1:-1, 1:-1] > _SKULL * side
    black = (smooth < _BLACK) & inner
    # Opening by a disc: fissures and thin bone are no voids.
    radius = max(1.5, _NARROW * side)
    core = ndimage.distance_transform_edt(black) >= radius
    void = ndimage.distance_transform_edt(~core) < radius if core.any() else core
    depth = np.clip(1 - smooth / _BLACK, 0, 1)
    return 100 * float((depth * void)[inner].sum() / inner.sum())


VOID = Measure(
    name="signal_void_percent",
    unit="%",
    title="share of the inner part of the object without signal",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Scrutiq: area darker than 12 % of the tissue's median signal, weighted by how far, without what is narrower "
        "than 2 % of the object, over the inner part of the convex hull; the extent of the signal void is what ASTM "
        "F2119 measures about an implant."
    ),
    limits=(
        "Air in sinuses and bowel, dense bone, flowing blood and suppressed fluid are black by right: it compares "
        "images of the same anatomy and contrast only. Distortion without a void is not seen."
    ),
    needs=grey_mr,
    value=_void,
)

DEGRADATION = Degradation(
    name="mr.susceptibility",
    draw=_draw,
    apply=_apply,
    measurement=VOID,
    thresholds=Thresholds(
        clean=0.6, mild=0.9, severe=2.9, worst=7.4, basis="Medians over the real bases (bench/bench_degradations.py)."
    ),
)
