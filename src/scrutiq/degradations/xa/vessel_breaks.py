"""Vessel breaks: a vessel is interrupted, as images that a network generates or subtracts show it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.degradations.xa.beam import from_attenuation
from scrutiq.degradations.xa.fitness import xray_frame
from scrutiq.degradations.xa.tree import branches
from scrutiq.degradations.xa.vessels import Vessels, find_vessels, ridges_of, vessels_of
from scrutiq.metrics import Measure, Undefined

__all__ = ["DEGRADATION", "apply", "draw"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

#: Distance of one break from the next along the vessels, at least, and from both ends of a vessel, pixels.
_APART, _FROM_ENDS = 75, 30
#: Most breaks in a frame.
_MOST = 12
#: How far to both sides a vessel is followed to tell what contrast it should have, pixels.
_REACH = 24
#: Share of the contrast that may lack along a vessel without being a gap.
_TOLERATED = 0.25
#: Longest gap, pixels, and cosine of the angle by which the ends of a gap may miss each other.
_LONGEST, _COSINE = 48.0, 0.75


def draw(image: Image, severity: float, rng: np.random.Generator, mask: Bool | None = None) -> Parameters:
    """Draw where the vessels break, and how long and how complete the gaps are.

    Parameters
    ----------
    image : Image
    severity : float
    rng : numpy.random.Generator
    mask : ndarray of bool, shape (H, W), optional
        Of the vessels, where it is known; found in the image otherwise.
    """
    vessels = find_vessels(image, mask)
    scale = min(image.shape) / 512
    half = geometric(3.0, 6.4, severity) * scale
    gaps = []
    apart, margin = _APART * scale, round(_FROM_ENDS * scale)
    taken: list[npt.NDArray[np.int64]] = []
    order = rng.permutation(4096)
    places = [
        (branch.points, at)
        for branch in branches(vessels)
        for at in range(margin, len(branch.points) - margin, max(4, round(8 * scale)))
    ]
    for pick in order[order < len(places)]:
        points, at = places[int(pick)]
        if len(taken) == _MOST or any(np.hypot(*(points[at] - other)) < apart for other in taken):
            continue
        taken.append(points[at])
        along = points[max(at - margin, 0) : at + margin + 1]
        radius = float(vessels.radius[points[at][0], points[at][1]])
        gaps.append({"path": along[::2].tolist(), "middle": points[at].tolist(), "radius_pixels": round(radius, 2)})
    # A gap is longer in a wider vessel.
    return {"gaps": gaps, "half_length_pixels": half, "erased_share": min(1.0, geometric(0.2, 1.15, severity))}


def apply(image: Image, parameters: Parameters, mask: Bool | None = None) -> Image:
    """Take the contrast medium out of pieces of vessels.

    Parameters
    ----------
    image : Image
    parameters : mapping
        Of `draw`.
    mask : ndarray of bool, shape (H, W), optional
        As given to `draw`.
    """
    vessels = find_vessels(image, mask)
    erased = np.zeros(image.shape)
    for gap in parameters["gaps"]:
        erased = np.maximum(erased, _gap(image.shape, gap, float(parameters["half_length_pixels"])))
    weight = float(parameters["erased_share"]) * erased * vessels.reach
    return from_attenuation(image, vessels.attenuation + weight * (vessels.background - vessels.attenuation))


def _gap(shape: tuple[int, int], gap: Parameters, half: float) -> Array:
    """Return the weight of a gap: 1 in its middle, falling to 0 across its rounded ends and beside the vessel."""
    path, middle = np.asarray(gap["path"], dtype=float), np.asarray(gap["middle"], dtype=float)
    radius = float(gap["radius_pixels"])
    half = half + 0.7 * radius
    weight = np.zeros(shape)
    reach = half + 2 * radius + 6
    top, left = np.maximum(np.floor(middle - reach).astype(int), 0)
    bottom, right = np.minimum(np.ceil(middle + reach).astype(int) + 1, shape)
    y, x = np.mgrid[top:bottom, left:right]
    # Position along the path is that of its nearest point; the middle of the list is the middle of the gap.
    squared = (y[..., None] - path[:, 0]) ** 2 + (x[..., None] - path[:, 1]) ** 2
    nearest = squared.argmin(axis=-1)
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    centre = along[((path - middle) ** 2).sum(axis=1).argmin()]
    away = np.abs(along[nearest] - centre)
    across = np.sqrt(np.take_along_axis(squared, nearest[..., None], axis=-1)[..., 0])
    weight[top:bottom, left:right] = np.clip((half - away) / 3 + 0.5, 0, 1) * np.clip(
        (1.6 * radius + 4 - across) / 2, 0, 1
    )
    return weight


def continuity_lost(vessels: Vessels, depth: Array) -> float:
    """Return how much of their contrast vessels lack where they are interrupted, 0 to 1.

    Within a centreline, the depth is compared with the lower of the two levels that it reaches within 24 pixels before
    and after; what lacks beyond a quarter counts. Between two free ends that face each other at most 48 pixels apart,
    all of the lower of their levels lacks. A vessel that ends or tapers lacks nothing; one that goes on behind a gap
    does.

    Parameters
    ----------
    vessels : Vessels
    depth : ndarray of float64, shape (H, W)
        By how much the attenuation exceeds that on both sides.

    Raises
    ------
    Undefined
        If no vessel is longer than 24 pixels.
    """
    crest = ndimage.grey_dilation(depth, size=3)  # the centreline may lie a pixel beside the crest
    lacking = expected = 0.0
    ends: list[tuple[Array, Array, float]] = []
    for branch in branches(vessels):
        points = branch.points.astype(np.float64)
        along = ndimage.uniform_filter1d(crest[branch.points[:, 0], branch.points[:, 1]], 3, mode="nearest")
        inner = min(12, len(points) - 1)
        for tip, behind, near in ((0, inner, along[:_REACH]), (-1, -1 - inner, along[-_REACH:])):
            ahead = points[tip] - points[behind]
            ahead = ahead / max(float(np.hypot(*ahead)), 1e-9)
            if _free(vessels, points[tip], ahead):
                ends.append((points[tip], ahead, float(np.median(near))))
        if len(along) < _REACH:
            continue
        beside = np.minimum(*(_level(along[::step])[::step] for step in (1, -1)))
        lacking += float(np.maximum((1 - _TOLERATED) * beside - along, 0).sum())
        expected += float(np.maximum(beside, along).sum())
    for length, level in _facing(ends):
        lacking += length * level
        expected += length * level
    if expected == 0:
        raise Undefined("No vessel is seen that is long enough to be interrupted.")
    return lacking / expected


def _free(vessels: Vessels, tip: Array, ahead: Array) -> bool:
    """Return whether no vessel lies ahead of the end of a centreline, beyond its own rounded end."""
    row, column = tip.astype(int)
    steps = vessels.radius[row, column] + np.arange(2, 9)
    places = np.rint(tip + steps[:, None] * ahead).astype(int)
    inside = (places >= 0).all(axis=1) & (places < vessels.mask.shape).all(axis=1)
    return not vessels.mask[places[inside, 0], places[inside, 1]].any()


def _facing(ends: list[tuple[Array, Array, float]]) -> list[tuple[float, float]]:
    """Return length and level of the gaps between free ends that face each other, each end in one gap, short ones "
    "first."""
    pairs = []
    for i, (at, ahead, level) in enumerate(ends):
        for j in range(i):
            other, back, its = ends[j]
            way = other - at
            length = float(np.hypot(*way))
            if 3 < length <= _LONGEST and min(ahead @ way, -(back @ way)) > _COSINE * length:
                pairs.append((length, min(level, its), i, j))
    taken: set[int] = set()
    found = []
    for length, level, i, j in sorted(pairs):
        if not {i, j} & taken:
            taken |= {i, j}
            found.append((length, level))
    return found


def _level(along: Array) -> Array:
    """Return the upper quartile of the `_REACH` values up to each, fewer at the beginning."""
    padded = np.concatenate([np.full(_REACH - 1, -np.inf), along])
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(padded, _REACH), axis=1)
    count = np.minimum(np.arange(len(along)) + 1, _REACH)
    return np.asarray(windows[np.arange(len(along)), _REACH - 1 - count // 4])


MEASURE = Measure(
    name="vessel_gaps_percent",
    unit="% of vessel contrast",
    title="contrast that vessels lack between two places where they have it",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Ours: along the centrelines of vessels, by how much more than a quarter the depth of the ridge falls below "
        "the lower of its levels within 24 pixels to both sides; between free ends that face each other within 48 "
        "pixels, all of it; summed and divided by the sum of those levels."
    ),
    limits=(
        "Overlapping dense structure, and crossings, make a clean angiogram read a few percent. Gaps at the end of a "
        "vessel, longer than 48 pixels or in very faint vessels are not seen. A stenosis counts as a gap of its depth."
    ),
    needs=xray_frame,
    value=lambda context: 100 * continuity_lost(vessels_of(context), ridges_of(context).depth),
)

DEGRADATION = Degradation(
    name="xa.vessel_breaks",
    draw=draw,
    apply=apply,
    measurement=MEASURE,
    thresholds=Thresholds(
        clean=1.7,
        mild=2.5,
        severe=3.5,
        worst=5,
        basis="Medians over coronary angiography frames of four patients, rounded.",
    ),
    exception=(
        "Pieces of vessel between two gaps that are too short to be told from noise are not seen, so that the "
        "measurement stops growing where a vessel breaks often."
    ),
)
