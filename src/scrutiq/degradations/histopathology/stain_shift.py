"""Shifted stain colours: other dyes, another pH or another scanner than usual turn the hue of both stains."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.degradations.histopathology import slide
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import Context, Measure
from scrutiq.metrics.undefined import Undefined

__all__ = ["DEGRADATION", "STAIN_HUE"]

Array = npt.NDArray[np.float64]

#: Hue of the mean optical density of tissue, degrees: median of 14 H&E bases, which lie between 106 and 133.
_USUAL = 120.0


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    od = slide.density(image)
    tissue = od[od.mean(axis=2) > slide.TISSUE]
    hue = float(slide.hue_and_chroma(tissue.mean(axis=0))[0]) if len(tissue) else _USUAL
    # To the side on which the laboratory's colours lie already, so that it leads away from what is usual.
    side = 1 if hue >= _USUAL else -1
    turn = geometric(4, 50, severity)
    each = rng.uniform(0.8, 1.2, 2)
    return {
        "stains": slide.stain_vectors(od).tolist(),
        "turn_degrees": [float(side * turn * e) for e in each],
        "amount": (1 + 0.15 * severity * rng.uniform(-1, 1, 2)).tolist(),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    od = slide.density(image)
    two = np.asarray(parameters["stains"], dtype=np.float64)
    third = np.cross(*two)
    amounts = od @ np.linalg.inv(np.stack([*two, third]))
    turned = [_turned(v, float(t)) for v, t in zip(two, parameters["turn_degrees"], strict=True)]
    changed = amounts * [*parameters["amount"], 1.0] @ np.stack([*turned, third])
    return slide.with_density(image, changed)


def _turned(vector: Array, degrees: float) -> Array:
    """Return a colour turned about the grey axis (Rodrigues' formula): another hue, equal mean density and chroma."""
    axis, angle = np.full(3, np.sqrt(1 / 3)), np.radians(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(vector * cos + np.cross(axis, vector) * sin + axis * (axis @ vector) * (1 - cos))


def _stain_hue(context: Context) -> float:
    od = slide.density(context.image)
    tissue = od[context.valid & (od.mean(axis=2) > slide.TISSUE)]
    if len(tissue) < 100:
        raise Undefined("Fewer than 100 pixels are stained.")
    hue, _ = slide.hue_and_chroma(tissue.mean(axis=0))
    away = abs(float(hue) - _USUAL)
    return min(away, 360 - away)


STAIN_HUE = Measure(
    name="stain_hue_shift",
    unit="degree",
    title="how far the mean hue of the stained tissue is from that of haematoxylin and eosin",
    direction="lower is better",
    range=(0, 180),
    source=(
        "Hue angle of the mean optical density about the grey axis (optical density as in Ruifrok and Johnston, Anal. "
        "Quant. Cytol. Histol. 23, 2001), away from 120 degrees, the median of H&E sections of several laboratories."
    ),
    limits=(
        "For haematoxylin and eosin only. It depends on how much of each stain the tissue takes: nuclei alone lie 30 "
        "degrees to one side, muscle or blood 15 to the other."
    ),
    needs=slide.bounded_colour,
    value=_stain_hue,
)

DEGRADATION = Degradation(
    name="histopathology.stain_shift",
    draw=_draw,
    apply=_apply,
    measurement=STAIN_HUE,
    thresholds=Thresholds(
        clean=9,
        mild=19,
        severe=32,
        worst=60,
        basis="Medians over 14 H&E bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
