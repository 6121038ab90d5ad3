"""A tear: the section has parted along a ragged line, and bare glass shows in the gap."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.histopathology import slide
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import displace, geometric, new_seed, smooth_noise
from scrutiq.metrics import Context, Measure

__all__ = ["DEGRADATION", "GAP_LENGTH"]

Array = npt.NDArray[np.float64]

#: Density of bare glass, and of its unevenness: it is not quite white.
_GLASS, _UNEVEN = 0.02, 0.004
#: Bare glass: mean density below this in the smoothed image. Side, pixels, to which the mask is reduced, and the angle,
#: degrees, between the directions in which lines are drawn.
_BARE, _REDUCED, _TURN = 0.08, 200, 7.5


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    side = slide.side_of(image)
    return {
        "middle": list(slide.place_on_tissue(image, rng)),
        "direction_rad": float(rng.uniform(0, np.pi)),
        "half_length_pixels": geometric(0.12, 0.6, severity) * side,
        "half_width_pixels": geometric(0.012, 0.05, severity) * side,
        "side_pixels": side,
        "seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    od = slide.density(image)
    y, x = np.indices(image.shape, dtype=np.float64)
    angle, side, seed = float(parameters["direction_rad"]), float(parameters["side_pixels"]), int(parameters["seed"])
    dy, dx = y - parameters["middle"][0], x - parameters["middle"][1]
    along = dy * np.sin(angle) + dx * np.cos(angle)
    # The line runs crooked, and its edges are ragged where fibres gave way one by one.
    crooked = 0.035 * side * smooth_noise(image.shape, 0.08 * side, seed)
    across = dy * np.cos(angle) - dx * np.sin(angle) + crooked
    part = np.clip(1 - (along / float(parameters["half_length_pixels"])) ** 2, 0, 1)
    half = float(parameters["half_width_pixels"]) * np.sqrt(part)
    ragged = 0.22 * half * smooth_noise(image.shape, 0.006 * side, seed + 1)
    gap = np.clip((half + ragged - np.abs(across)) / 1.5 + 0.5, 0, 1) * (part > 0)
    # The tissue has drawn back from the gap and is pressed together beside it.
    near = half * np.exp(-np.maximum(np.abs(across) - half, 0) / np.maximum(2.5 * half, 1e-6))
    pull = -np.sign(across) * near
    moved = displace(od, pull * np.cos(angle), -pull * np.sin(angle))
    glass = _GLASS + _UNEVEN * smooth_noise(image.shape, 0.01 * side, seed + 2)
    return slide.with_density(image, moved * (1 - gap[..., None]) + (glass * gap)[..., None])


def _gap_length(context: Context) -> float:
    side = slide.side_of(context.image)
    od = ndimage.gaussian_filter(slide.density(context.image).mean(axis=2), 0.003 * side)
    bare = ((od < _BARE) & context.valid).astype(np.float64)
    scale = min(1.0, _REDUCED / side)
    if scale < 1:
        bare = ndimage.zoom(bare, scale, order=1, grid_mode=True, mode="nearest")
    mask = (bare > 0.5).astype(np.uint8)
    longest = max(_longest_run(ndimage.rotate(mask, angle, order=0)) for angle in np.arange(0, 180, _TURN))
    return 100 * longest / float(np.sqrt(mask.size))


def _longest_run(mask: npt.NDArray[np.uint8]) -> int:
    """Return the length of the longest run of ones along a row."""
    run, longest = np.zeros(mask.shape[0], dtype=np.intp), 0
    for column in mask.T:
        run = (run + 1) * column
        longest = max(longest, int(run.max()))
    return longest


GAP_LENGTH = Measure(
    name="gap_length",
    unit="%",
    title="longest straight line that runs over bare glass only, relative to the image's side",
    direction="lower is better",
    range=(0, 150),
    source=(
        "Longest chord of the set of bare glass, mean optical density below 0.08 (chord lengths of a set: J. Serra, "
        "Image Analysis and Mathematical Morphology, 1982, ch. X), in 24 directions, on at most 200 x 200 pixels."
    ),
    limits="Large lumina, clefts, fat and the edge of the section are bare glass too; a crooked tear reads short.",
    needs=slide.bounded_colour,
    value=_gap_length,
)

DEGRADATION = Degradation(
    name="histopathology.tear",
    draw=_draw,
    apply=_apply,
    measurement=GAP_LENGTH,
    thresholds=Thresholds(
        clean=18,
        mild=29,
        severe=50,
        worst=86,
        basis="Medians over 14 H&E bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
