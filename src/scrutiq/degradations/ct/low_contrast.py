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

#: CT numbers at the effective energies 70, 80, 100 and 150 keV, from mass attenuation (Hubbell and Seltzer, NISTIR
#: 5632): air, lung side of the skin, fat, water, muscle, blood with contrast medium (10 mg/ml of iodine), cortical bone,
#: and twice its excess.
_ENERGIES = np.array([70.0, 80.0, 100.0, 150.0])
_TISSUES_HU = np.array(
    [
        [-1000, -150, -84, 0, 52, 310, 1600, 3200],
        [-1000, -143, -77, 0, 51, 240, 1330, 2660],
        [-1000, -134, -67, 0, 50, 163, 1086, 2170],
        [-1000, -126, -58, 0, 49, 95, 888, 1780],
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
    thresholds=Thresholds(clean=5, mild=2.8, severe=1.5, worst=0.5, scale="log", basis="to be set"),
)
