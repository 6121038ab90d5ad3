"""Little contrast between tissues: photons of too high an energy, and a veil of scattered ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.ct import scan
from scrutiq.degradations.ct.attenuation import hu_to_attenuation
from scrutiq.degradations.ct.projector import project
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION"]

#: CT numbers of air, fat, water, muscle, blood with 10 mg/ml of iodine, cortical bone, and twice that, at the effective
#: energies 70, 80, 100 and 150 keV: mass attenuation (Hubbell and Seltzer, NISTIR 5632, tables 3 and 4, log-log between
#: their energies) times the density of ICRU Report 44.
_ENERGIES = np.array([70.0, 80.0, 100.0, 150.0])
_TISSUES_HU = np.array(
    [
        [-1000, -79, 0, 43, 302, 1594, 3188],
        [-1000, -69, 0, 42, 233, 1330, 2660],
        [-1000, -61, 0, 41, 155, 1086, 2172],
        [-1000, -53, 0, 41, 87, 888, 1776],
    ],
    dtype=np.float64,
)
#: The body as scatter correction takes it to be: air, lung, and water for all that is denser than -150 HU.
_SEEN_HU, _TAKEN_HU = (-1000.0, -400.0, -150.0, 4000.0), (-1000.0, -400.0, 0.0, 0.0)


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return {
        **scan.draw_scan(rng, beam="fan"),
        "energy_kev": 70 + 80 * severity,
        "veil": geometric(0.05, 3.0, severity),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    beam, spacing = scan.beam_of(image, parameters), scan.spacing_of(image)
    hu = image.pixels if image.valid is None else np.where(image.valid, image.pixels, np.float32(-1000))
    # Tissues, without the noise: energy and veil take their contrast and leave the noise.
    tissues = ndimage.median_filter(hu, 5)
    softer = _at(tissues.astype(np.float64), float(parameters["energy_kev"]))
    plain = np.interp(tissues, _SEEN_HU, _TAKEN_HU)
    before, after, water = (
        project(hu_to_attenuation(t), beam, spacing).astype(np.float64) for t in (tissues, softer, plain)
    )
    # Scattered photons, `veil` to one primary behind water, are taken for primary ones: what differs from water differs
    # less, by 1 / (1 + veil) where the difference is small.
    veil = float(parameters["veil"])
    measured = water - np.log((np.exp(water - after) + veil) / (1 + veil))
    return scan.add(image, scan.error_in_hu(measured - before, image, beam, str(parameters["kernel"])), beam)


def _at(hu: npt.NDArray[np.float64], energy: float) -> npt.NDArray[np.float64]:
    """Return CT numbers of 70 keV as they are at another effective energy."""
    there = np.array([np.interp(energy, _ENERGIES, column) for column in _TISSUES_HU.T])
    return np.asarray(np.interp(hu, _TISSUES_HU[0], there))


DEGRADATION = Degradation(
    name="ct.low_contrast",
    draw=_draw,
    apply=_apply,
    measurement=MEASURES["contrast_to_noise"],
    thresholds=Thresholds(
        clean=4.7, mild=3.6, severe=2.9, worst=1.8, scale="log", basis="Medians of five clinical slices of TCIA."
    ),
)
