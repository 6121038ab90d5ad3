"""Low contrast: the beam is too hard (tube voltage too high) for iodine to stand out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.degradations.xa.beam import from_attenuation
from scrutiq.degradations.xa.fitness import xray_frame
from scrutiq.degradations.xa.vessels import field_of, fill, find_vessels, ridges_of, widened
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION", "apply", "draw"]

Bool = npt.NDArray[np.bool_]

#: Mass attenuation coefficients of iodine and water, cm2/g, at these energies, keV (NIST, Hubbell and Seltzer, 1995).
_ENERGY = np.array([40.0, 50.0, 60.0, 80.0, 100.0, 150.0])
_IODINE = np.array([22.10, 12.32, 7.579, 3.510, 1.942, 0.6978])
_WATER = np.array([0.2683, 0.2269, 0.2059, 0.1837, 0.1707, 0.1505])
#: Effective energy of a well-chosen beam, about 75 kV with copper filter, keV.
_GOOD = 48.0


def _at(energy: float, table: npt.NDArray[np.float64]) -> float:
    return float(np.exp(np.interp(np.log(energy), np.log(_ENERGY), np.log(table))))


def draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    """Draw the effective energy of the beam for a severity."""
    # The share of the contrast of iodine that is lost; a little differs from one room to the next.
    lost = geometric(0.09, 0.86, severity) * (1 + 0.05 * float(rng.uniform(-1, 1)))
    kept = (1 - lost) * _at(_GOOD, _IODINE)
    energy = float(np.exp(np.interp(-np.log(kept), -np.log(_IODINE), np.log(_ENERGY))))
    return {"effective_energy_kev": energy, "usual_energy_kev": _GOOD}


def apply(image: Image, parameters: Parameters, mask: Bool | None = None) -> Image:
    """Scale what iodine and tissue attenuate by how their coefficients differ between both energies.

    Automatic exposure control keeps the median of the field.

    Parameters
    ----------
    image : Image
    parameters : mapping
        Of `draw`.
    mask : ndarray of bool, shape (H, W), optional
        Of the vessels, where it is known; found in the image otherwise.
    """
    vessels = find_vessels(image, mask)
    energy, usual = float(parameters["effective_energy_kev"]), float(parameters["usual_energy_kev"])
    iodine = _at(energy, _IODINE) / _at(usual, _IODINE)
    water = _at(energy, _WATER) / _at(usual, _WATER)
    tissue = fill(vessels.attenuation, widened(vessels.mask))
    middle = float(np.median(tissue[vessels.field]))
    excess = vessels.attenuation - tissue
    return from_attenuation(image, middle + water * (tissue - middle) + iodine * excess)


def _contrast(context: Context) -> float:
    field = ndimage.binary_erosion(field_of(context), iterations=8, border_value=1)
    if not field.any():
        raise Undefined("The collimator leaves no field in which vessels could be seen.")
    depth = ridges_of(context).depth[field]
    deepest = depth[depth >= np.percentile(depth, 98)]
    return 100 * float(1 - np.exp(-deepest.mean()))


MEASURE = Measure(
    name="vessel_contrast_percent",
    unit="% of signal",
    title="contrast of the deepest vessels to what lies on both their sides",
    direction="higher is better",
    range=(0, 100),
    source=(
        "Radiation contrast (I_b - I_v) / I_b (ICRU Report 54, 1996), mean over the 2 % of the field in which ridges "
        "of the attenuation (Sato et al., Med. Image Anal. 2, 1998) are deepest."
    ),
    limits=(
        "Wires, clips and catheters count as vessels. It needs vessels in view: before the injection it is low without "
        "any fault. Strong mottle makes ridges of its own."
    ),
    needs=xray_frame,
    value=_contrast,
)

DEGRADATION = Degradation(
    name="xa.low_contrast",
    draw=draw,
    apply=apply,
    measurement=MEASURE,
    thresholds=Thresholds(
        clean=21,
        mild=17,
        severe=12.7,
        worst=5,
        basis="Medians over coronary angiography frames of four patients, rounded.",
    ),
)
