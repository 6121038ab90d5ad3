"""Line integrals of an image along the rays of a scan, their transpose, and back-projection.

`project` and `transpose` are a matched pair (each is the other's transpose to rounding), for iterative reconstruction;
`backproject` is driven by pixels, as filtered back-projection wants it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from math import hypot
from types import ModuleType

import numpy as np
import numpy.typing as npt

from scrutiq.core import MissingExtraError, UsageError
from scrutiq.degradations.ct.geometry import FanBeam, Geometry

__all__ = ["backproject", "pixel_centres", "project", "threads", "transpose"]

Float = npt.NDArray[np.float32]

#: Views or rows that one thread takes at a time: small enough to stay in its cache, fixed so that nothing depends on
#: how many threads there are.
_PART = 16
#: Coefficients of the polynomial for the arctangent.
_DEGREE = 5


def project(image: npt.NDArray[np.floating], geometry: Geometry, spacing: tuple[float, float]) -> Float:
    """Return the line integrals of an image along the rays of a scan.

    Parameters
    ----------
    image : ndarray, shape (H, W)
        Its middle lies at the isocentre. Outside of it there is nothing.
    geometry : ParallelBeam or FanBeam
    spacing : tuple of float
        (row, column) distance between pixel centres, mm.

    Returns
    -------
    ndarray of float32, shape (views, detectors)
        In the unit of the image times mm.

    Raises
    ------
    MissingExtraError
        If numba is not installed.

    References
    ----------
    P. M. Joseph, "An improved algorithm for reprojecting rays through pixel images", IEEE Trans. Med. Imaging 1 (1982):
    linear interpolation across the lines (rows or columns) that the ray crosses most steeply.
    """
    compiled = _compiled()
    pixels = _image(image)
    runs, first, slope, length = _steps(geometry, (pixels.shape[0], pixels.shape[1]), spacing)
    rows = np.pad(pixels, ((0, 0), (1, 2)))
    columns = np.pad(np.ascontiguousarray(pixels.T), ((0, 0), (1, 2)))
    out = np.zeros((geometry.views, geometry.detectors), np.float32)

    def part(low: int, high: int) -> None:
        mine = runs[(runs[:, 0] >= low) & (runs[:, 0] < high)]
        compiled.forward(rows, columns, mine, first, slope, length, out, low, high)

    _in_parts(part, geometry.views)
    return out


def transpose(
    sinogram: npt.NDArray[np.floating], geometry: Geometry, shape: tuple[int, int], spacing: tuple[float, float]
) -> Float:
    """Return the transpose of `project`: ``sum(project(x) * y) == sum(x * transpose(y))`` to rounding.

    Parameters
    ----------
    sinogram : ndarray, shape (views, detectors)
    geometry : ParallelBeam or FanBeam
    shape : tuple of int
        (rows, columns) of the image.
    spacing : tuple of float
        (row, column) distance between pixel centres, mm.

    Returns
    -------
    ndarray of float32, shape (H, W)
        In the unit of the sinogram times mm.

    Raises
    ------
    MissingExtraError
        If numba is not installed.
    """
    compiled = _compiled()
    values = _sinogram(sinogram, geometry)
    runs, first, slope, length = _steps(geometry, shape, spacing)
    rows = np.zeros((shape[0], shape[1] + 3), np.float32)
    columns = np.zeros((shape[1], shape[0] + 3), np.float32)
    for along, lines in enumerate((rows, columns)):
        mine = runs[runs[:, 3] == along]

        def part(low: int, high: int, along: int = along, lines: Float = lines, mine: Float = mine) -> None:
            compiled.transpose(values, along, mine, first, slope, length, lines, low, high)

        _in_parts(part, lines.shape[0])
    return rows[:, 1:-2] + columns[:, 1:-2].T


def backproject(
    filtered: npt.NDArray[np.floating], geometry: Geometry, shape: tuple[int, int], spacing: tuple[float, float]
) -> Float:
    """Return the sum over the views of the value at the ray through each pixel, linear between rays.

    Parameters
    ----------
    filtered : ndarray, shape (views, detectors)
    geometry : ParallelBeam or FanBeam
        For a fan beam each view is divided by the squared distance of the pixel from the focus, mm^2.
    shape : tuple of int
        (rows, columns) of the image.
    spacing : tuple of float
        (row, column) distance between pixel centres, mm.

    Returns
    -------
    ndarray of float32, shape (H, W)
        A view that does not see a pixel adds nothing to it.

    Raises
    ------
    MissingExtraError
        If numba is not installed.
    UsageError
        If the image reaches the focus of the fan.
    """
    compiled = _compiled()
    values = np.pad(_sinogram(filtered, geometry), ((0, 0), (2, 2)))
    y, x = (centres.astype(np.float32) for centres in pixel_centres(shape, spacing))
    cosine, sine = np.cos(geometry.angles).astype(np.float32), np.sin(geometry.angles).astype(np.float32)
    out = np.zeros(shape, np.float32)

    def part(low: int, high: int) -> None:
        if isinstance(geometry, FanBeam):
            compiled.back_fan(
                values, cosine, sine, x, y, geometry.source, geometry.angular_pitch, arctangent, out, low, high
            )
        else:
            compiled.back_parallel(values, cosine, sine, x, y, geometry.pitch, out, low, high)

    if isinstance(geometry, FanBeam):
        corner = hypot(float(np.abs(x).max()), float(np.abs(y).max()))
        if corner > 0.95 * geometry.source:
            raise UsageError("the image is larger than the gantry: it reaches the focus; check its pixel spacing.")
        arctangent = _arctangent(corner / geometry.source)
    _in_parts(part, shape[0])
    return out


def pixel_centres(
    shape: tuple[int, int], spacing: tuple[float, float]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return y of each row (falling) and x of each column (rising), mm from the isocentre."""
    rows, columns = shape
    return (
        ((rows - 1) / 2 - np.arange(rows, dtype=np.float64)) * spacing[0],
        (np.arange(columns, dtype=np.float64) - (columns - 1) / 2) * spacing[1],
    )


def threads() -> int:
    """Return how many threads the projector uses: ``NUMBA_NUM_THREADS``, else the cores that the process may use."""
    _compiled()
    import numba

    return int(getattr(numba.config, "NUMBA_NUM_THREADS"))  # noqa: B009 - it is set when numba reads the environment


def _compiled() -> ModuleType:
    try:
        import numba  # noqa: F401
    except ImportError:
        raise MissingExtraError("Simulating a CT scan", "simulate") from None
    from scrutiq.degradations.ct import compiled

    return compiled


def _in_parts(work: Callable[[int, int], None], count: int) -> None:
    """Call ``work(low, high)`` for parts that cover ``range(count)``, in threads."""
    lows = range(0, count, _PART)
    workers = min(threads(), len(lows))
    if workers <= 1:
        work(0, count)
        return
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(lambda low: work(low, min(low + _PART, count)), lows):
            pass


@lru_cache(maxsize=4)
def _steps(
    geometry: Geometry, shape: tuple[int, int], spacing: tuple[float, float]
) -> tuple[npt.NDArray[np.int32], Float, Float, Float]:
    """Return how each ray steps through the lines of an image; see `scrutiq.degradations.ct.compiled.forward`."""
    angle, distance = geometry.rays()
    dy, dx = spacing
    # On the grid of the pixels: cosine * column - sine * row = level.
    cosine, sine = np.cos(angle) * dx, np.sin(angle) * dy
    level = distance + cosine * (shape[1] - 1) / 2 - sine * (shape[0] - 1) / 2
    along = np.abs(sine) > np.abs(cosine)  # closer to the rows than to the columns: stepped from column to column
    divisor = np.where(along, -sine, cosine)
    first = level / divisor
    slope = np.where(along, -cosine, sine) / divisor
    # Between two lines a ray moves by one pixel along and by `slope` across.
    length = np.where(along, np.hypot(dx, slope * dy), np.hypot(slope * dx, dy))
    begins = np.ones_like(along)
    begins[:, 1:] = along[:, 1:] != along[:, :-1]
    view, begin = np.nonzero(begins)
    end = np.append(begin[1:], 0)
    end[end == 0] = geometry.detectors
    runs = np.stack([view, begin, end, along[view, begin]], axis=1).astype(np.int32)
    arrays = (runs, *(np.ascontiguousarray(a, dtype=np.float32) for a in (first, slope, length)))
    for array in arrays:
        array.flags.writeable = False  # they are shared between calls
    return arrays  # type: ignore[return-value]


@lru_cache(maxsize=16)
def _arctangent(sine: float) -> Float:
    """Return the coefficients of atan(r) / r in powers of r^2, good to 1e-7 for angles up to that of the sine."""
    largest = sine / np.sqrt(1 - sine**2)
    nodes = largest * np.cos(np.pi * (np.arange(200) + 0.5) / 400)
    fit = np.polynomial.Polynomial.fit(nodes**2, np.arctan(nodes) / nodes, _DEGREE, domain=[0, largest**2])
    return fit.convert().coef.astype(np.float32)


def _image(image: npt.NDArray[np.floating]) -> Float:
    pixels = np.ascontiguousarray(image, dtype=np.float32)
    if pixels.ndim != 2 or not pixels.size:
        raise UsageError(f"only a two-dimensional image can be projected, not one of shape {pixels.shape}.")
    return pixels


def _sinogram(sinogram: npt.NDArray[np.floating], geometry: Geometry) -> Float:
    values = np.ascontiguousarray(sinogram, dtype=np.float32)
    if values.shape != (geometry.views, geometry.detectors):
        raise UsageError(
            f"a sinogram of this scan has shape {(geometry.views, geometry.detectors)}, not {values.shape}."
        )
    return values
