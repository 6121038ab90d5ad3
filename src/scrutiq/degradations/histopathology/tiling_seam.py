"""Tiling seams: tiles of a scan that differ in brightness and do not quite fit together."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.degradations.histopathology import slide
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import from_unit, geometric, to_linear, to_srgb, to_unit
from scrutiq.metrics import Context, Measure
from scrutiq.metrics.undefined import Undefined

__all__ = ["DEGRADATION", "SEAM_STEP"]

Array = npt.NDArray[np.float64]

#: Tiles along the longer side, at most.
_TILES = 4
#: Lines on either side with which a step is compared, without the nearest, which a resampled seam may reach.
_NEAR, _FAR = 2, 9
#: Least mean difference between lines, share of the range: rounding to 8 bits.
_ROUNDING = 0.002


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    side = max(image.shape)
    tile = rng.uniform(0.36, 0.5) * side
    starts = [float(-rng.uniform(0.25, 0.75) * tile) for _ in range(2)]
    gains = rng.uniform(0.45, 1, (_TILES, _TILES)) * np.where(np.indices((_TILES, _TILES)).sum(axis=0) % 2, 1, -1)
    shifts = rng.uniform(-1, 1, (_TILES, _TILES, 2))
    return {
        "tile_pixels": float(tile),
        "origin_pixels": starts,
        "gain": np.exp(geometric(0.02, 0.24, severity) * gains).tolist(),
        # Whole pixels, at least one: a stitcher places tiles, and does not resample them.
        "shift_pixels": _whole(geometric(0.1, 1, severity) * 0.012 * slide.side_of(image) * shifts),
    }


def _whole(shifts: Array) -> Any:
    """Return shifts in whole pixels, away from 0."""
    return (np.where(np.signbit(shifts), -1, 1) * np.maximum(np.rint(np.abs(shifts)), 1)).astype(int).tolist()


def _apply(image: Image, parameters: Parameters) -> Image:
    light = to_linear(to_unit(image))
    size = float(parameters["tile_pixels"])
    y, x = np.indices(image.shape)
    row = np.clip((y - parameters["origin_pixels"][0]) // size, 0, _TILES - 1).astype(int)
    column = np.clip((x - parameters["origin_pixels"][1]) // size, 0, _TILES - 1).astype(int)
    shift = np.asarray(parameters["shift_pixels"], dtype=int)[row, column]
    v = np.clip(y + shift[..., 0], 0, image.shape[0] - 1)
    u = np.clip(x + shift[..., 1], 0, image.shape[1] - 1)
    gain = np.asarray(parameters["gain"], dtype=np.float64)[row, column]
    return from_unit(image, to_srgb(light[v, u] * gain[..., None]))


def _seam_step(context: Context) -> float:
    low, high = context.range
    grey = (context.grey.astype(np.float64) - low) / (high - low)
    if min(grey.shape) < 4 * _FAR:
        raise Undefined(f"The image is smaller than {4 * _FAR} pixels.")
    return max(_largest_step(grey), _largest_step(grey.T))


def _largest_step(grey: Array) -> float:
    """Return the largest mean difference between two rows, relative to that between rows nearby."""
    step = np.abs(np.diff(grey, axis=0)).mean(axis=1)
    window = np.ones(2 * _FAR + 1)
    window[_FAR - _NEAR + 1 : _FAR + _NEAR] = 0
    usual = np.convolve(step, window / window.sum(), mode="valid")
    return float((step[_FAR:-_FAR] / np.maximum(usual, _ROUNDING)).max())


SEAM_STEP = Measure(
    name="seam_step",
    unit="1",
    title="largest difference between two neighbouring rows or columns, relative to that between rows nearby",
    direction="lower is better",
    range=(0, np.inf),
    source=(
        "Mean absolute difference of luma across each line between rows (and columns), divided by its mean over the "
        "lines 2 to 9 away on both sides: the test of blocking measures (Muijs and Kirenko, EUSIPCO 2005) for a line "
        "at any place. A step of brightness and tissue that does not continue both raise it."
    ),
    limits="Only seams along rows and columns of the image that cross most of it; not within 9 pixels of the border.",
    needs=slide.bounded_colour,
    value=_seam_step,
)

DEGRADATION = Degradation(
    name="histopathology.tiling_seam",
    draw=_draw,
    apply=_apply,
    measurement=SEAM_STEP,
    thresholds=Thresholds(
        clean=1.4,
        mild=2.25,
        severe=2.6,
        worst=3.9,
        basis="Medians over 14 H&E bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
