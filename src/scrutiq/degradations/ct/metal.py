"""Inserted metal: beam hardening and photon starvation in the rays that cross it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.degradations.ct import dose, scan
from scrutiq.degradations.ct.attenuation import WATER_PER_MM
from scrutiq.degradations.ct.metal_streaks import METAL_STREAKS_HU
from scrutiq.degradations.ct.phantom import Ellipse, rasterise
from scrutiq.degradations.ct.projector import pixel_centres, project
from scrutiq.degradations.ct.spectrum import hardened, water_equivalent
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics.foreground import AIR_TO_TISSUE_HU

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    beam = scan.draw_scan(rng, beam="fan")
    material = ("titanium", "steel")[int(rng.integers(2))]
    y, x = pixel_centres(image.shape, scan.spacing_of(image))
    rows, columns = np.nonzero(_inside(image))
    # A first place, and a second one at its own height on the other side of the body, as of a pair of hips or a row
    # of teeth.
    chosen = int(rng.integers(max(len(rows), 1)))
    places = [[0.0, 0.0]]
    if len(rows):
        places = [[float(x[columns[chosen]]), float(y[rows[chosen]])]]
        middle = float(x[columns].mean())
        places.append([2 * middle - places[0][0], places[0][1]])
    return {
        **beam,
        "material": material,
        "centres_mm": places,
        "radius_mm": geometric(1.5, 7.0, severity),
        "oblong": float(rng.uniform(1, 1.6)),
        "turn_rad": float(rng.uniform(0, np.pi)),
        "photons": dose.REFERENCE.photons,
        "electronic_noise": dose.REFERENCE.electronic,
        "seed": new_seed(rng),
    }


def _inside(image: Image) -> npt.NDArray[np.bool_]:
    """Return where metal may be put: tissue or bone in the inner two thirds of the body's depth and breadth."""
    tissue = image.pixels > AIR_TO_TISSUE_HU
    rows, columns = np.nonzero(tissue)
    inner = np.zeros_like(tissue)
    if len(rows):
        (top, bottom), (left, right) = np.quantile(rows, (0.15, 0.85)), np.quantile(columns, (0.15, 0.85))
        inner[int(top) : int(bottom) + 1, int(left) : int(right) + 1] = True
    return np.asarray(tissue & inner & (image.pixels > 20))


def _apply(image: Image, parameters: Parameters) -> Image:
    beam, spacing = scan.beam_of(image, parameters), scan.spacing_of(image)
    radius, oblong = float(parameters["radius_mm"]), float(parameters["oblong"])
    pieces = [
        Ellipse(float(x), float(y), radius, radius / oblong, float(parameters["turn_rad"]), 1.0)
        for x, y in parameters["centres_mm"]
    ]
    share = np.minimum(rasterise(pieces, image.shape, spacing, samples=4), 1)
    tissue = scan.attenuation(image)
    before = project(tissue, beam, spacing).astype(np.float64)
    after = project(tissue * (1 - share), beam, spacing).astype(np.float64)
    metal = project(share, beam, spacing).astype(np.float64)
    crossed = metal > 1e-6
    # Rays that miss the metal are as they were: the scanner's water correction is exact for them.
    plain = hardened(after[crossed] / WATER_PER_MM)
    measured = hardened(after[crossed] / WATER_PER_MM, str(parameters["material"]), metal[crossed])
    error = np.zeros_like(before)
    error[crossed] = water_equivalent(measured) - before[crossed]
    # Fewer photons: the noise that they add to what those rays had without metal.
    reference = dose.Dose(photons=float(parameters["photons"]), electronic=float(parameters["electronic_noise"]))
    open_beam = reference.photons * np.broadcast_to(dose.bow_tie(beam), before.shape)[crossed]
    rng = np.random.default_rng(int(parameters["seed"]))
    noise = rng.standard_normal((2, *before.shape))[:, crossed]
    few, many = open_beam * np.exp(-measured), open_beam * np.exp(-plain)
    error[crossed] += dose.starved(few, many, reference, noise)
    return scan.add(image, scan.error_in_hu(error, image, beam, str(parameters["kernel"])), beam)


DEGRADATION = Degradation(
    name="ct.metal",
    draw=_draw,
    apply=_apply,
    measurement=METAL_STREAKS_HU,
    thresholds=Thresholds(
        clean=0,
        mild=17.5,
        severe=18.5,
        worst=24,
        basis="Medians of five clinical slices of TCIA; a mild one is a clip, and any metal is seen.",
    ),
    exception="Seven other measurements tell severe metal better: starved rays raise every kind of noise.",
)
