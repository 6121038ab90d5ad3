"""What an image looks like in some hundred numbers: colour, levels, background, layout, texture, lines.

They are cheap, each says something a person could check, and together they tell a photograph or a screenshot from a
slice of a body. The domain check and the heads take them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["STATISTICS", "statistics"]

Array = npt.NDArray[np.float32]

#: Longest side of the reduced image, pixels, and of the part that is looked at in full detail.
_REDUCED, _DETAIL = 256, 512
#: Side of the thumbnail in which the layout is described.
_THUMBNAIL = 32
#: Level, of 1, below which a difference is no difference.
_STILL = 0.012
#: Gradient, of 1, of a strong edge.
_STRONG = 0.12
_EPS = 1e-4

_NAMES: tuple[tuple[str, int], ...] = (
    ("coloured", 3),
    ("hue", 6),
    ("opponent", 4),
    ("extremes", 4),
    ("levels", 4),
    ("quantile", 5),
    ("histogram", 8),
    ("corner", 4),
    ("border", 3),
    ("background", 6),
    ("rows", 6),
    ("columns", 6),
    ("disc", 2),
    ("symmetry", 2),
    ("ring_mean", 5),
    ("ring_deviation", 5),
    ("gradient", 6),
    ("detail", 5),
    ("grain", 4),
    ("edges", 3),
    ("lines", 6),
    ("flat", 3),
    ("pattern_fine", 10),
    ("pattern_medium", 10),
    ("pattern_coarse", 10),
)
#: Names of the statistics, in the order of `statistics`.
STATISTICS: tuple[str, ...] = tuple(
    f"{name}_{index}" if count > 1 else name for name, count in _NAMES for index in range(count)
)


def statistics(planes: Array) -> Array:
    """Return the statistics of an image.

    Parameters
    ----------
    planes : ndarray of float32, shape (3, H, W)
        Display levels in [0, 1] (`scrutiq.assessors.net.planes.planes`); grey is three equal planes. H and W are at
        least 8.

    Returns
    -------
    ndarray of float32, shape (len(STATISTICS),)
        Finite whatever the image.
    """
    if np.array_equal(planes[0], planes[1]) and np.array_equal(planes[1], planes[2]):  # grey: a third of the work
        view = _reduce(planes[0])
        small = np.broadcast_to(view, (3, *view.shape))
        detail = _centre(planes[0])
    else:
        small = _reduce(planes)
        view, detail = _luma(small), _luma(_centre(planes))
    thumbnail = _thumbnail(view)
    parts = [_colour(small), _levels(detail, view)]
    outside, background = _background(view)
    parts += [background, _layout(thumbnail, outside), _texture(detail), _lines(detail)]
    for scale in (1, 2, 4):
        parts.append(_patterns(detail if scale == 1 else _blocks(detail, scale)))
    found = np.concatenate(parts).astype(np.float32)
    return np.nan_to_num(found, nan=0.0, posinf=0.0, neginf=0.0)


def _blocks(image: Array, factor: int) -> Array:
    """Return the mean over blocks; what does not fill a block is left out, unless nothing would be left."""
    height, width = image.shape[-2:]
    rows, columns = height // factor, width // factor
    if min(rows, columns) < 4:
        return image
    cut = image[..., : rows * factor, : columns * factor]
    total = np.zeros((*image.shape[:-2], rows, columns), dtype=np.float32)
    for row in range(factor):  # faster than a mean over axes of a few pixels
        for column in range(factor):
            total += cut[..., row::factor, column::factor]
    return np.asarray(total / np.float32(factor**2), dtype=np.float32)


def _reduce(planes: Array) -> Array:
    factor = -(-max(planes.shape[-2:]) // _REDUCED)
    return _blocks(planes, factor) if factor > 1 else planes


def _luma(planes: Array) -> Array:
    return np.asarray(np.float32(0.299) * planes[0] + np.float32(0.587) * planes[1] + np.float32(0.114) * planes[2])


def _centre(image: Array) -> Array:
    top, left = (max(0, (side - _DETAIL) // 2) for side in image.shape[-2:])
    return image[..., top : top + _DETAIL, left : left + _DETAIL]


def _thumbnail(view: Array) -> Array:
    """Return the image in 32 x 32, each cell the mean of the pixels that fall into it."""
    for axis in (0, 1):
        edges = np.linspace(0, view.shape[axis], _THUMBNAIL + 1)
        starts = np.minimum(edges[:-1].astype(int), view.shape[axis] - 1)
        counts = np.maximum(np.diff(np.append(starts, view.shape[axis])), 1)
        shape = [1, 1]
        shape[axis] = _THUMBNAIL
        view = np.asarray(np.add.reduceat(view, starts, axis=axis) / counts.reshape(shape), dtype=np.float32)
    return view


def _colour(small: Array) -> Array:
    red, green, blue = small
    chroma = small.max(axis=0) - small.min(axis=0)
    total = float(chroma.mean())
    x, y = red - (green + blue) / 2, np.float32(0.8660254) * (green - blue)
    hue = np.zeros(6)
    if total > _EPS:
        sector = np.floor((np.arctan2(y, x) / (2 * np.pi) % 1) * 6).astype(int).clip(0, 5)
        hue = np.bincount(sector.ravel(), weights=chroma.ravel(), minlength=6) / chroma.size
    opponent = [float(f(part)) for part in (x, y) for f in (np.mean, np.std)]
    coloured = [float((chroma > 0.04).mean()), float((chroma > 0.15).mean()), total]
    return np.array([*coloured, *np.sqrt(hue), *opponent], dtype=np.float32)


def _levels(detail: Array, view: Array) -> Array:
    counts = np.bincount((detail * 255 + 0.5).astype(np.uint8).ravel(), minlength=256)[:256] / detail.size
    inner = counts[1:255]
    rest = max(float(inner.sum()), _EPS)
    entropy = -float((counts[counts > 0] * np.log2(counts[counts > 0])).sum())
    rough = float(np.abs(np.diff(inner)).sum()) / rest
    order = np.sort(inner)[::-1]
    extremes = [counts[0], counts[:4].sum(), counts[255], counts[252:].sum()]
    some = [float((counts > 0).mean()), entropy / 8, rough, float(order[0]) / rest]
    quantiles = np.quantile(view[::2, ::2], (0.05, 0.25, 0.5, 0.75, 0.95))
    bins = np.histogram(view, bins=8, range=(0, 1))[0] / view.size
    return np.array([*np.sqrt(extremes), *some, *quantiles, *np.sqrt(bins)], dtype=np.float32)


def _background(view: Array) -> tuple[npt.NDArray[np.bool_], Array]:
    """Return what is outside the object, as seen from the border along rows and columns, and its statistics."""
    height, width = view.shape
    patch = (max(2, height // 12), max(2, width // 12))
    corners = [view[: patch[0], : patch[1]], view[: patch[0], -patch[1] :], view[-patch[0] :, : patch[1]]]
    corners.append(view[-patch[0] :, -patch[1] :])
    border = np.concatenate([view[0], view[-1], view[:, 0], view[:, -1]])
    level = float(np.median(border))
    same = np.abs(view - np.float32(level)) < 0.03
    reached = [
        np.logical_and.accumulate(same, axis=0),
        np.logical_and.accumulate(same[::-1], axis=0)[::-1],
        np.logical_and.accumulate(same, axis=1),
        np.logical_and.accumulate(same[:, ::-1], axis=1)[:, ::-1],
    ]
    outside = np.logical_or.reduce(reached)
    shares = [float(part.mean()) for part in reached]
    near = float((np.abs(border - level) < 0.03).mean())
    means = np.sort([float(part.mean()) for part in corners])
    inside_too = float((same & ~outside).mean())
    return outside, np.array(
        [*means, level, float(border.std()), near, *shares, float(outside.mean()), inside_too], dtype=np.float32
    )


_AXIS = (np.arange(_THUMBNAIL) + 0.5) / _THUMBNAIL * 2 - 1
_RADIUS = np.hypot(_AXIS[:, None], _AXIS[None, :])
_RINGS = np.minimum((_RADIUS / 0.26).astype(int), 4)
_RING_SIZE = np.bincount(_RINGS.ravel(), minlength=5)


def _layout(thumbnail: Array, outside: npt.NDArray[np.bool_]) -> Array:
    inside = 1 - _thumbnail(outside.astype(np.float32))
    bands = np.array_split(np.arange(_THUMBNAIL), 6)
    rows = [float(inside[band].mean()) for band in bands]
    columns = [float(inside[:, band].mean()) for band in bands]
    disc = _RADIUS < 1
    round_ = [float(inside[disc].mean()), float(inside[~disc].mean())]
    symmetry = [_correlation(thumbnail, thumbnail[:, ::-1]), _correlation(thumbnail, thumbnail[::-1])]
    mean = np.bincount(_RINGS.ravel(), weights=thumbnail.ravel(), minlength=5) / _RING_SIZE
    square = np.bincount(_RINGS.ravel(), weights=(thumbnail**2).ravel(), minlength=5) / _RING_SIZE
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    return np.array([*rows, *columns, *round_, *symmetry, *mean, *spread], dtype=np.float32)


def _correlation(a: Array, b: Array) -> float:
    x, y = a - a.mean(), b - b.mean()
    return float((x * y).sum() / (np.sqrt(float((x**2).sum() * (y**2).sum())) + _EPS))


def _texture(detail: Array) -> Array:
    contrast = float(detail.std()) + 0.02
    across, down = np.abs(np.diff(detail, axis=1)), np.abs(np.diff(detail, axis=0))
    both = np.concatenate([across.ravel()[::5], down.ravel()[::5]])
    moving = both[both > 0.002]
    quantiles = np.quantile(moving, (0.25, 0.5, 0.75, 0.95)) if moving.size > 16 else np.zeros(4)
    gradient = [
        *np.log10(quantiles + 1e-3),
        moving.size / both.size,
        np.log10((across.mean() + _EPS) / (down.mean() + _EPS)),
    ]
    pyramid, energies = detail, []
    for _ in range(5):
        step = float(np.abs(np.diff(pyramid, axis=1)).mean() + np.abs(np.diff(pyramid, axis=0)).mean())
        energies.append(np.log10(step / contrast + 1e-3))
        pyramid = _blocks(pyramid, 2)
    # The Laplacian that leaves no trace of a plane (J. Immerkaer, Comput. Vis. Image Underst. 1996;64:300-302).
    core = detail[1:-1, 1:-1] * 4
    core = core - 2 * (detail[:-2, 1:-1] + detail[2:, 1:-1] + detail[1:-1, :-2] + detail[1:-1, 2:])
    core = core + detail[:-2, :-2] + detail[:-2, 2:] + detail[2:, :-2] + detail[2:, 2:]
    fine = np.abs(core).ravel()[::3]
    busy = fine[fine > 1e-4]
    grain = [-4.0, -3.0, 0.0, 0.0]
    if busy.size > 16:
        median, rms = float(np.median(busy)), float(np.sqrt(np.mean(busy**2)))
        grain = [
            float(np.log10(median + 1e-4)),
            float(np.log10(rms / contrast + 1e-3)),
            float(np.mean(busy) / (rms + _EPS)),
            busy.size / fine.size,
        ]
    return np.array([*gradient, *energies, *grain], dtype=np.float32)


def _lines(detail: Array) -> Array:
    across = np.abs(detail[:-1, 1:] - detail[:-1, :-1])
    down = np.abs(detail[1:, :-1] - detail[:-1, :-1])
    strong = (across > _STRONG) | (down > _STRONG)
    share = float(strong.mean())
    upright, level = (across > _STRONG) & (down < across / 8), (down > _STRONG) & (across < down / 8)
    aligned = float((upright | level).sum()) / max(float(strong.sum()), 1.0)
    edges = [np.sqrt(share), aligned, float((np.maximum(across, down) > 0.5).sum()) / max(float(strong.sum()), 1.0)]
    by_row, by_column = np.sort(level.mean(axis=1)), np.sort(upright.mean(axis=0))
    lines = [float(by[int(q * (by.size - 1))]) for by in (by_row, by_column) for q in (1.0, 0.98, 0.9)]
    still = (across < 0.002) & (down < 0.002)
    middle = (detail[:-1, :-1] > 0.02) & (detail[:-1, :-1] < 0.98)
    constant = float((np.ptp(detail, axis=1) < 0.002).mean() + (np.ptp(detail, axis=0) < 0.002).mean()) / 2
    flat = [float(still.mean()), float((still & middle).mean()), constant]
    return np.array([*edges, *np.sqrt(lines), *flat], dtype=np.float32)


def _uniform() -> npt.NDArray[np.uint8]:
    """Return the class of each pattern of eight neighbours: bits set where uniform, else 9 (riu2)."""
    table = np.zeros(256, dtype=np.uint8)
    for code in range(256):
        bits = [(code >> i) & 1 for i in range(8)]
        changes = sum(bits[i] != bits[i - 1] for i in range(8))
        table[code] = sum(bits) if changes <= 2 else 9
    return table


_CLASS = _uniform()
_AROUND = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))


def _patterns(image: Array) -> Array:
    """Return how often each rotation-invariant uniform local binary pattern occurs.

    T. Ojala, M. Pietikainen, T. Maenpaa, IEEE Trans Pattern Anal Mach Intell 2002;24:971-987, P = 8, R = 1, with a
    tolerance so that a level ground counts as no brighter neighbour.
    """
    height, width = image.shape
    if min(height, width) < 3:
        return np.zeros(10, dtype=np.float32)
    centre = image[1:-1, 1:-1] + np.float32(_STILL)
    code = np.zeros(centre.shape, dtype=np.uint8)
    for bit, (row, column) in enumerate(_AROUND):
        near = image[row : row + height - 2, column : column + width - 2]
        code |= (near > centre).astype(np.uint8) << np.uint8(bit)
    counts = np.bincount(_CLASS[code].ravel(), minlength=10) / code.size
    return np.sqrt(counts).astype(np.float32)
