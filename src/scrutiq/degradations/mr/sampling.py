"""Part of k-space only: which samples are taken, and how an image is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from scrutiq.core import Image
from scrutiq.degradations.mr.kspace import complex_image, frequencies, put_back

__all__ = ["RECONSTRUCTIONS", "cartesian", "compressed_sensing", "poisson_disc", "radial", "undersample"]

Complex = npt.NDArray[np.complexfloating[Any, Any]]
Bool = npt.NDArray[np.bool_]

#: How an image is made of the samples: zeros where there are none, or the sparsest image that agrees with them.
RECONSTRUCTIONS = ("zero_filled", "compressed_sensing")
#: Share of the lines, the innermost, that are always taken (autocalibration).
_CENTRE = 0.06
_GOLDEN_ANGLE = np.pi * (np.sqrt(5) - 1) / 2
_ITERATIONS, _LEVELS = 12, 3


def cartesian(shape: tuple[int, int], axis: int, acceleration: float, seed: int) -> Bool:
    """Return which samples are taken: whole lines at random, denser at the centre, whose 6 % are all taken.

    A higher acceleration takes a subset of the lines of a lower one.

    Parameters
    ----------
    shape : tuple of int
    axis : int
        Along which lines are left out: the phase-encoding axis.
    acceleration : float
        Lines over lines taken, at least 1.
    seed : int

    Returns
    -------
    ndarray of bool, shape ``shape``
        The centre of k-space at index ``n // 2``.
    """
    n = shape[axis]
    away = np.abs(frequencies(n)) * 2
    # In the order of exponential waiting times, of a rate that falls to 0.3 at the border.
    rank = np.random.default_rng(seed).exponential(size=n) / (1 - 0.7 * away)
    rank[away <= _CENTRE] = 0
    taken = np.zeros(n, dtype=bool)
    taken[np.argsort(rank, kind="stable")[: max(1, round(n / acceleration))]] = True
    taken |= away <= _CENTRE
    return np.broadcast_to(taken[:, None] if axis == 0 else taken, shape)


def radial(shape: tuple[int, int], spokes: int, angle: float) -> Bool:
    """Return which samples lie on spokes through the centre, each turned by the golden angle (111.25 degrees).

    Samples are taken at the points of the Cartesian grid next to the spokes.

    Parameters
    ----------
    shape : tuple of int
    spokes : int
    angle : float
        Of the first, radian.

    References
    ----------
    S. Winkelmann et al., "An optimal radial profile order based on the golden ratio", IEEE Trans. Med. Imaging 26
    (2007). On the grid: E. J. Candes, J. Romberg, T. Tao, IEEE Trans. Inf. Theory 52 (2006).
    """
    longest = max(shape)
    along = np.linspace(-0.5, 0.5, 2 * longest + 1)
    angles = angle + _GOLDEN_ANGLE * np.arange(spokes)
    taken = np.zeros(shape, dtype=bool)
    places = [
        np.rint(np.multiply.outer(turn(angles), along) * n).astype(int) + n // 2
        for turn, n in zip((np.sin, np.cos), shape, strict=True)
    ]
    inside = (places[0] < shape[0]) & (places[1] < shape[1]) & (places[0] >= 0) & (places[1] >= 0)
    taken[places[0][inside], places[1][inside]] = True
    return taken


def poisson_disc(shape: tuple[int, int], full: float, seed: int) -> Bool:
    """Return which samples are taken: all at the centre, farther out at random and never close to each other.

    Within ``full`` all are; from there to twice as far the eight neighbours of a sample are left out, beyond that its
    24, then its 48 neighbours (a Poisson-disc process in the maximum norm, of variable density).

    Parameters
    ----------
    shape : tuple of int
    full : float
        Radius of the region that is taken whole, as a share of the way to the border.
    seed : int

    References
    ----------
    M. Lustig et al., "Compressed sensing MRI", IEEE Signal Process. Mag. 25 (2008), for the use of such patterns.
    """
    v, u = (2 * frequencies(n) for n in shape)
    away = np.hypot(v[:, None], u)
    reach = np.clip((away / full).astype(int), 0, 3)
    priority = np.random.default_rng(seed).random(shape)
    taken = reach == 0
    # Whoever has the first place in its neighbourhood is taken; what is too near to it is out. Four rounds leave next
    # to no gap.
    waiting = ~taken
    for _ in range(4):
        place = np.where(waiting, priority, np.inf)
        chosen = np.zeros(shape, dtype=bool)
        for size in (1, 2, 3):
            here = waiting & (reach == size)
            first = ndimage.minimum_filter(place, 2 * size + 1, mode="constant", cval=np.inf)
            chosen |= here & (place == first)
        taken |= chosen
        for size in (1, 2, 3):
            near = ndimage.maximum_filter(taken & (reach > 0), 2 * size + 1, mode="constant", cval=False)
            waiting &= ~(near & (reach == size))
    return np.asarray(taken)


def compressed_sensing(kspace: Complex, taken: Bool) -> Complex:
    """Return the complex image of the samples taken, by iterative soft thresholding of its wavelets.

    Projection onto convex sets: in turn the image's wavelet details are shrunk, by less each time, and the samples that
    were taken are put back. The wavelet is Haar's on three levels, moved each time (cycle spinning).

    Parameters
    ----------
    kspace : ndarray of complex, shape (H, W)
        As `to_kspace` gives it.
    taken : ndarray of bool, shape (H, W)

    References
    ----------
    M. Lustig, D. Donoho, J. M. Pauly, "Sparse MRI", Magn. Reson. Med. 58 (2007). I. Daubechies, M. Defrise, C. De Mol,
    Commun. Pure Appl. Math. 57 (2004). Cycle spinning: R. R. Coifman, D. L. Donoho (1995).
    """
    mask = fft.ifftshift(taken)
    known = (fft.ifftshift(kspace) * mask).astype(np.complex64)
    image: Complex = fft.ifft2(known, norm="ortho")
    top = float(np.abs(image).max())
    if top == 0:
        return np.asarray(fft.fftshift(image))
    for step in range(_ITERATIONS):
        threshold = top * 0.1 * 0.03 ** (step / (_ITERATIONS - 1))
        move = (3 * step % 8, 5 * step % 8)
        image = np.roll(image, move, (0, 1))
        image = np.roll(_shrink(image, threshold, _LEVELS), (-move[0], -move[1]), (0, 1))
        found = fft.fft2(image, norm="ortho")
        found[mask] = known[mask]
        image = fft.ifft2(found, norm="ortho")
    return np.asarray(fft.fftshift(image))


def _shrink(image: Complex, threshold: float, levels: int) -> Complex:
    """Return the image after soft thresholding of the details of its Haar transform."""
    rows, columns = image.shape
    even = np.pad(image, ((0, rows % 2), (0, columns % 2)), mode="edge")
    a, b, c, d = even[::2, ::2], even[::2, 1::2], even[1::2, ::2], even[1::2, 1::2]
    low: Complex = (a + b + c + d) / 2
    details = [_soft(x, threshold) for x in ((a - b + c - d) / 2, (a + b - c - d) / 2, (a - b - c + d) / 2)]
    if levels > 1 and min(low.shape) > 2:
        low = _shrink(low, threshold, levels - 1)
    across, down, both = details
    made = np.empty_like(even)
    made[::2, ::2], made[::2, 1::2] = (low + across + down + both) / 2, (low - across + down - both) / 2
    made[1::2, ::2], made[1::2, 1::2] = (low + across - down - both) / 2, (low - across - down + both) / 2
    return made[:rows, :columns]


def _soft(values: Complex, threshold: float) -> Complex:
    size = np.abs(values)
    return np.asarray(values * (np.maximum(size - threshold, 0) / np.maximum(size, threshold)))


def undersample(image: Image, taken: Bool, reconstruction: str, phase_seed: int) -> Image:
    """Return the image made of part of its k-space.

    Parameters
    ----------
    image : Image
    taken : ndarray of bool, shape (H, W)
        The samples, the centre of k-space at index ``n // 2``.
    reconstruction : {"zero_filled", "compressed_sensing"}
    phase_seed : int
    """
    shifted = fft.ifftshift(complex_image(image, phase_seed))
    kspace = fft.fftshift(fft.fft2(shifted, norm="ortho")) * taken
    if reconstruction == "compressed_sensing":
        return put_back(image, compressed_sensing(kspace, taken))
    return put_back(image, fft.fftshift(fft.ifft2(fft.ifftshift(kspace), norm="ortho")))
