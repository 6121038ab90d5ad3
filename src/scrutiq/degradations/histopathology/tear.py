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
#: A gap: mean density below this in the smoothed image, this many times as long as wide.
_BARE, _SLENDER = 0.08, 3.0


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
    bare = (od < _BARE) & context.valid
    labels, count = ndimage.label(bare)
    if count == 0:
        return 0.0
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    longest = 0.0
    for one in np.argsort(-sizes[1:])[:12] + 1:
        if sizes[one] < 0.0005 * labels.size:
            break
        y, x = np.nonzero(labels == one)
        small, large = np.linalg.eigvalsh(np.cov(np.stack([y, x])))
        # Of a rectangle, the side is the square root of twelve times the variance along it.
        length, width = np.sqrt(12 * large), np.sqrt(12 * max(float(small), 1 / 12))
        # What a crooked gap covers of its own rectangle tells its true width.
        width = min(width, sizes[one] / length)
        if length > _SLENDER * width:
            longest = max(longest, float(length))
    return 100 * longest / side


GAP_LENGTH = Measure(
    name="gap_length",
    unit="%",
    title="length of the longest slender gap of bare glass, relative to the image's side",
    direction="lower is better",
    range=(0, 200),
    source=(
        "Connected bare glass (mean optical density below 0.08) at least three times as long as wide: length from the "
        "larger principal second moment, as of a rectangle, and width from area over length."
    ),
    limits="Clefts, vessels and gland lumina cut lengthwise, and the edge of the section, are gaps too.",
    needs=slide.bounded_colour,
    value=_gap_length,
)

DEGRADATION = Degradation(
    name="histopathology.tear",
    draw=_draw,
    apply=_apply,
    measurement=GAP_LENGTH,
    thresholds=Thresholds(clean=20, mild=35, severe=60, worst=100, basis="tbd"),
)
