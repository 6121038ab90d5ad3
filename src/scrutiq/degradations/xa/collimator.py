"""Collimator: a blade stands in the field and covers part of the anatomy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.degradations.xa.beam import beam_field, from_transmitted, transmitted_of, typical_signal
from scrutiq.degradations.xa.fitness import xray_frame
from scrutiq.degradations.xa.vessels import field_of
from scrutiq.metrics import Measure

__all__ = ["DEGRADATION"]

Array = npt.NDArray[np.float64]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    intensity = transmitted_of(image)
    field = beam_field(-np.log(intensity))
    side, tilt = int(rng.integers(4)), float(rng.uniform(-9, 9))
    normal = 90.0 * side + tilt
    covered = geometric(0.025, 0.6, severity)
    return {
        "normal_degrees": normal,
        "edge_pixels": float(np.quantile(_along(image.shape, normal)[field], covered)),
        "penumbra_pixels": float(rng.uniform(0.004, 0.012)) * min(image.shape),
        # What is seen behind a blade is scatter from the patient and leakage.
        "scatter_signal": float(rng.uniform(0.18, 0.28)) * typical_signal(intensity, field),
        "scatter_range_pixels": 0.15 * min(image.shape),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    """Stop the primary beam behind the blade; the penumbra is that of an evenly bright focal spot, smoothed."""
    intensity = transmitted_of(image)
    inside = _along(image.shape, float(parameters["normal_degrees"])) - float(parameters["edge_pixels"])
    open_share = 1 / (1 + np.exp(-np.clip(inside / float(parameters["penumbra_pixels"]), -50, 50)))
    # Scatter under the blade falls with the distance from the open field.
    depth = np.clip(-inside, 0, None)
    scatter = float(parameters["scatter_signal"]) * (
        0.6 + 0.4 * np.exp(-depth / float(parameters["scatter_range_pixels"]))
    )
    covered = np.minimum(scatter, intensity)
    return from_transmitted(image, open_share * intensity + (1 - open_share) * covered)


def _along(shape: tuple[int, int], degrees: float) -> Array:
    """Return the position of each pixel along a direction, pixels from the middle of the image."""
    h, w = shape
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    angle = np.radians(degrees)
    return np.asarray((y - (h - 1) / 2) * np.sin(angle) + (x - (w - 1) / 2) * np.cos(angle))


MEASURE = Measure(
    name="collimated_percent",
    unit="% of frame",
    title="share of the frame behind the blades of the collimator",
    direction="lower is better",
    range=(0, 90),
    source=(
        "Collimated area, as DICOM PS3.3 C.8.7.3 describes it (Shutter, Collimator); found as strips along the sides "
        "that end in a straight step of the attenuation of 0.2, over 70 % of their length, at up to 20 degrees."
    ),
    limits=(
        "A little collimation is good practice. A round or free-form collimator, wedge filters, and the diaphragm "
        "where it is straight can be missed or mistaken. It falls short where a blade covers more than 90 %."
    ),
    needs=xray_frame,
    value=lambda context: 100 * float(1 - field_of(context).mean()),
)

DEGRADATION = Degradation(
    name="xa.collimator",
    draw=_draw,
    apply=_apply,
    measurement=MEASURE,
    thresholds=Thresholds(
        clean=11,
        mild=17,
        severe=30,
        worst=61,
        basis="Medians over coronary angiography frames of four patients, rounded.",
    ),
)
