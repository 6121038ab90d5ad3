"""Motion of the whole body during the scan: views that do not fit together."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.ct import scan
from scrutiq.degradations.ct.streaks import AIR_RESIDUE_HU
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    # Fan data are sorted into half a turn of parallel rays, in which a shift of the body is a shift of the rays.
    return {
        **scan.draw_scan(rng, beam="parallel"),
        "shift_mm": geometric(0.4, 14.0, severity),
        "direction_rad": float(rng.uniform(0, 2 * np.pi)),
        "turn_deg": float(rng.uniform(-0.4, 0.4)) * geometric(0.4, 14.0, severity),
        "at": float(rng.uniform(0.35, 0.65)),
        "duration": float(rng.uniform(0.02, 0.1)),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    beam = scan.beam_of(image, parameters)
    still = scan.line_integrals(image, beam)
    time = np.arange(beam.views) / beam.views
    # A jerk: from the first pose to the second at a part of the scan, over a duration, both as shares of the scan.
    done = 1 / (1 + np.exp(-(time - float(parameters["at"])) / (float(parameters["duration"]) / 4)))
    along = np.cos(beam.angles - float(parameters["direction_rad"]))
    moved = float(parameters["shift_mm"]) * done * along / beam.pitch
    turned = np.radians(float(parameters["turn_deg"])) * done / (beam.arc / beam.views)
    # A body that is turned and then shifted: P(view, ray) = P(view - turn, ray - shift). The views go on past the half
    # turn with the rays reversed.
    margin = 1 + int(np.ceil(np.abs(turned).max())) + 4
    longer = np.concatenate([still[-margin:, ::-1], still, still[:margin, ::-1]])
    view = margin + np.arange(beam.views)[:, None] - turned[:, None]
    ray = np.arange(beam.detectors)[None] - moved[:, None]
    places = np.broadcast_arrays(view, ray)
    error = ndimage.map_coordinates(longer, places, np.float32, order=3, mode="constant") - still
    return scan.add(image, scan.error_in_hu(error, image, beam, str(parameters["kernel"])), beam)


DEGRADATION = Degradation(
    name="ct.motion",
    draw=_draw,
    apply=_apply,
    measurement=AIR_RESIDUE_HU,
    thresholds=Thresholds(
        clean=25,
        mild=26.5,
        severe=30.5,
        worst=52,
        basis="Medians of eight clinical slices of TCIA; sheets raise the clean ones to as much as 50.",
    ),
)
