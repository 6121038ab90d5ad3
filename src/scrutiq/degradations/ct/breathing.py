"""Breathing during the scan: the front of the body rises and falls from view to view."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.ct import scan
from scrutiq.degradations.ct.attenuation import hu_to_attenuation
from scrutiq.degradations.ct.doubling import DOUBLE_SKIN_MM
from scrutiq.degradations.ct.projector import project
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import displace, geometric
from scrutiq.metrics.foreground import AIR_TO_TISSUE_HU

__all__ = ["DEGRADATION"]

#: Positions between expiration and inspiration that are projected; views between two are mixed from them.
_POSITIONS = 5


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return {
        **scan.draw_scan(rng),
        "rise_mm": geometric(0.8, 25.0, severity),
        "breaths": float(rng.uniform(0.4, 1.2)),
        "phase_rad": float(rng.uniform(0, 2 * np.pi)),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    beam, spacing = scan.beam_of(image, parameters), scan.spacing_of(image)
    rise = float(parameters["rise_mm"]) / spacing[0]
    reach = _reach(image)
    still = scan.line_integrals(image, beam)
    # In a supine patient the back lies still and the front moves most.
    levels = np.linspace(0, 1, _POSITIONS)
    hu = image.pixels if image.valid is None else np.where(image.valid, image.pixels, np.float32(-1000))
    sinograms = [still] + [
        project(hu_to_attenuation(displace(hu, *_field(reach, image.shape, rise * level))), beam, spacing)
        for level in levels[1:]
    ]
    time = np.arange(beam.views) / beam.views
    cycle = 2 * np.pi * float(parameters["breaths"]) * time + float(parameters["phase_rad"])
    lift = 0.5 - 0.5 * np.cos(cycle)
    place = lift * (_POSITIONS - 1)
    low = np.minimum(place.astype(int), _POSITIONS - 2)
    part = (place - low)[:, None].astype(np.float32)
    stack = np.stack(sinograms)
    views = np.arange(beam.views)
    moving = (1 - part) * stack[low, views] + part * stack[low + 1, views]
    return scan.add(image, scan.error_in_hu(moving - still, image, beam, str(parameters["kernel"])), beam)


def _reach(image: Image) -> tuple[float, float]:
    """Return the rows of the front and the back of the body."""
    rows = np.nonzero((ndimage.uniform_filter(image.pixels, 3) > AIR_TO_TISSUE_HU).mean(axis=1) > 0.1)[0]
    return (float(rows[0]), float(rows[-1])) if len(rows) > 1 else (0.0, float(image.shape[0] - 1))


def _field(
    reach: tuple[float, float], shape: tuple[int, int], rise: float
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Return where each pixel's content comes from, rows downwards and columns: the front rises by ``rise`` pixels."""
    front, back = reach
    share = np.clip((back - np.arange(shape[0], dtype=np.float64)) / max(back - front, 1.0), 0, 1)
    down = np.repeat((rise * share)[:, None], shape[1], axis=1)
    return down, np.zeros(shape)


DEGRADATION = Degradation(
    name="ct.breathing",
    draw=_draw,
    apply=_apply,
    measurement=DOUBLE_SKIN_MM,
    thresholds=Thresholds(
        clean=2.7,
        mild=3.2,
        severe=4.0,
        worst=7.6,
        scale="log",
        basis="Medians of eight clinical slices of TCIA; the clean ones reach 3.5.",
    ),
)
