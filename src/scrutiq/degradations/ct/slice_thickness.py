"""Partial volume: each slice averages a slab of the body that is too thick."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.ct.volumes import RISE_ACROSS_MM, slice_distance
from scrutiq.degradations.spec import Parameters, VolumeDegradation
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    distance = slice_distance(cast("Sequence[Image]", image))
    # Slices 1 mm apart become slabs of 12 mm.
    worst = max(12.0, 4 * distance)
    thickness = distance + (worst - distance) * (geometric(1, 8, severity) - 1) / 7
    # Helical interpolation gives the slab soft edges; how soft depends on the pitch.
    return {"thickness_mm": thickness, "edge_share": float(rng.uniform(0, 0.5))}


def _apply(image: Image, parameters: Parameters) -> Image:
    volume = cast("Sequence[Image]", image)
    distance = slice_distance(volume)
    thickness, soft = float(parameters["thickness_mm"]), float(parameters["edge_share"])
    # The slice sensitivity profile: a trapezoid of that width at half its height, on a fine grid.
    reach = int(np.ceil(thickness * (1 + soft) / 2 / distance + 0.5))
    fine = (np.arange(-reach * 64, reach * 64 + 1)) * (distance / 64)
    ramp = max(soft * thickness, distance / 64)
    profile = np.clip((thickness / 2 + ramp / 2 - np.abs(fine)) / ramp, 0, 1)
    nearest = np.clip(np.rint(fine / distance).astype(int), -reach, reach) + reach
    weights = np.bincount(nearest, profile, 2 * reach + 1) / profile.sum()
    stack = np.stack([one.pixels for one in volume])
    padded = np.pad(stack, ((reach, reach), (0, 0), (0, 0)), mode="edge")
    made = []
    for index, one in enumerate(volume):
        pixels = np.tensordot(weights, padded[index : index + 2 * reach + 1], axes=1)
        made.append(one.replace(pixels=pixels, metadata={**one.metadata, "slice_thickness": thickness}))
    return cast("Image", tuple(made))


DEGRADATION = VolumeDegradation(
    name="ct.slice_thickness",
    draw=_draw,
    apply=_apply,
    measurement=RISE_ACROSS_MM,
    thresholds=Thresholds(
        clean=2.2,
        mild=2.9,
        severe=4.4,
        worst=7.2,
        scale="log",
        basis="Of a synthetic volume of spheres, slices 1 mm apart; no thin real volume was at hand.",
    ),
)
