"""Spurious branches: branches are seen that the patient does not have, as images that a network generates show them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.degradations.xa.beam import attenuation_of, from_attenuation
from scrutiq.degradations.xa.fitness import xray_frame
from scrutiq.degradations.xa.tree import branches
from scrutiq.degradations.xa.tubes import Tube, grow, tube_thickness
from scrutiq.degradations.xa.vessels import find_vessels, vessels_of
from scrutiq.metrics import Context, Measure

__all__ = ["DEGRADATION", "apply", "draw"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

#: Most places from which spurious branches spring.
_MOST = 16


def draw(image: Image, severity: float, rng: np.random.Generator, mask: Bool | None = None) -> Parameters:
    """Draw branches that spring from the vessels: their paths, radii and attenuation a pixel.

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
    tree = branches(vessels)
    centre = vessels.skeleton & (vessels.radius >= 1)
    density = np.percentile((vessels.iodine / (2 * np.maximum(vessels.radius, 1)))[centre], 75) if centre.any() else 0.0
    wide = 0.3 * float(vessels.radius.max())
    places = [
        (branch, at)
        for branch in tree
        for at in range(8, len(branch.points) - 8, 4)
        if vessels.radius[tuple(branch.points[at])] >= wide
    ]
    order = rng.permutation(8192)
    noise = rng.integers(2**32, size=_MOST)
    reach, strength = geometric(0.3, 1.0, severity), geometric(0.3, 1.1, severity)
    drawn: list[dict[str, object]] = []
    taken: list[npt.NDArray[np.int64]] = []
    for pick in order[order < len(places)]:
        if len(taken) == _MOST:
            break
        branch, at = places[int(pick)]
        place = branch.points[at]
        if any(np.hypot(*(place - other)) < 22 * scale for other in taken):
            continue
        own = np.random.default_rng(int(noise[len(taken)]))
        taken.append(place)
        parent = float(vessels.radius[tuple(place)])
        ahead = branch.points[min(at + 6, len(branch.points) - 1)] - branch.points[max(at - 6, 0)]
        heading = float(np.arctan2(ahead[0], ahead[1])) + own.choice((-1, 1)) * np.radians(own.uniform(35, 70))
        radius = min(max(parent * own.uniform(0.45, 0.75), 1.8 * scale), 4.5 * scale)
        length = own.uniform(70, 150) * scale
        first = grow(own, (float(place[0]), float(place[1])), heading, max(4, round(length * reach)), radius)
        tubes = [first]
        fork, side = own.uniform(0.3, 0.6), own.choice((-1, 1))
        second_length = own.uniform(0.4, 0.7) * length
        start = int(fork * length)
        if start < len(first.points) - 2:
            after = max(4, round(min(second_length, length * reach - start)))
            fork_at = (float(first.points[start, 0]), float(first.points[start, 1]))
            away = first.heading(start) + side * np.radians(own.uniform(30, 55))
            tubes.append(grow(own, fork_at, away, after, 0.75 * float(first.radii[start])))
        drawn.append(
            {
                "attenuation_per_pixel": round(float(density) * strength * own.uniform(0.6, 1.4), 5),
                "tubes": [
                    {
                        "path": np.round(tube.points[::3], 1).tolist(),
                        "radii_pixels": np.round(tube.radii[::3], 2).tolist(),
                    }
                    for tube in tubes
                ],
            }
        )
    return {"branches": drawn}


def apply(image: Image, parameters: Parameters) -> Image:
    """Add the attenuation of contrast medium in the drawn branches, blurred as the detector blurs.

    Parameters
    ----------
    image : Image
    parameters : mapping
        Of `draw`.
    """
    return from_attenuation(image, attenuation_of(image) + added(image.shape, parameters))


def added(shape: tuple[int, int], parameters: Parameters) -> Array:
    """Return the attenuation of the drawn branches, shape (H, W)."""
    total = np.zeros(shape)
    for branch in parameters["branches"]:
        thickness = np.zeros(shape)
        for tube in branch["tubes"]:
            points, radii = np.asarray(tube["path"], dtype=float), np.asarray(tube["radii_pixels"], dtype=float)
            if len(points) > 1:
                thickness = np.maximum(thickness, tube_thickness(shape, Tube(points, radii)))
        total += float(branch["attenuation_per_pixel"]) * thickness
    return np.asarray(ndimage.gaussian_filter(total, 0.8))


def _forks(context: Context) -> float:
    attached = [branch for branch in branches(vessels_of(context)) if branch.parent >= 0]
    return float(len(attached))


MEASURE = Measure(
    name="attached_branches",
    unit="1",
    title="number of branches that leave another vessel",
    direction="lower is better",
    range=(0, math.inf),
    source=(
        "Branch count of the skeleton made a tree by its shortest ways from the inlet and decomposed into heavy paths "
        "(Sleator and Tarjan, J. Comput. Syst. Sci. 26, 1983); branches of at least 10 pixels count."
    ),
    limits=(
        "It cannot know which branches a patient has: it compares between frames of one projection, or of many "
        "patients on average. Crossing vessels and wires count as branches."
    ),
    needs=xray_frame,
    value=_forks,
)

DEGRADATION = Degradation(
    name="xa.spurious_branches",
    draw=draw,
    apply=apply,
    measurement=MEASURE,
    thresholds=Thresholds(
        clean=16,
        mild=18.5,
        severe=27,
        worst=32.5,
        basis="Medians over coronary angiography frames of four patients, rounded.",
    ),
)
