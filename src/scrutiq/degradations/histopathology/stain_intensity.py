"""Weak staining: too little haematoxylin and eosin in the section."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.histopathology import slide
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import Context, Measure

__all__ = ["DEGRADATION", "NUCLEAR_DENSITY"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    lost = geometric(0.06, 0.82, severity)
    # The two stains fade by different amounts: haematoxylin in acid, eosin in water and light.
    balance = rng.uniform(-0.12, 0.12)
    return {
        "stains": slide.stain_vectors(slide.density(image)).tolist(),
        "left": [float(1 - lost * (1 + min(balance, 0))), float(1 - lost * (1 - max(balance, 0)))],
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    od = slide.density(image)
    two = np.asarray(parameters["stains"], dtype=np.float64)
    basis = np.stack([*two, np.cross(*two)])
    amounts = od @ np.linalg.inv(basis)
    # What lies off the plane of both stains fades as they do on the whole.
    left = [float(v) for v in parameters["left"]]
    return slide.with_density(image, amounts * [*left, float(np.mean(left))] @ basis)


def _nuclear_density(context: Context) -> float:
    """Return the 95th percentile of the density of haematoxylin by colour deconvolution."""
    od = slide.density(context.image)[context.valid]
    basis = np.stack([slide.HAEMATOXYLIN, slide.EOSIN, np.cross(slide.HAEMATOXYLIN, slide.EOSIN)])
    amount = od @ np.linalg.inv(basis)[:, 0]
    return float(max(np.percentile(amount, 95), 0.0))


NUCLEAR_DENSITY = Measure(
    name="haematoxylin_density",
    unit="optical density",
    title="optical density of haematoxylin in the darkest twentieth of the field: the nuclei",
    direction="neither",
    range=(0, np.inf),
    source=(
        "Colour deconvolution (Ruifrok and Johnston, Anal. Quant. Cytol. Histol. 23, 2001) with their vectors of "
        "haematoxylin and eosin; 95th percentile over the field."
    ),
    limits="For haematoxylin and eosin only. A field with few nuclei reads low, an over-stained one high.",
    needs=slide.bounded_colour,
    value=_nuclear_density,
)

DEGRADATION = Degradation(
    name="histopathology.stain_intensity",
    draw=_draw,
    apply=_apply,
    measurement=NUCLEAR_DENSITY,
    thresholds=Thresholds(
        clean=0.8,
        mild=0.69,
        severe=0.53,
        worst=0.15,
        basis="Medians over 14 H&E bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
