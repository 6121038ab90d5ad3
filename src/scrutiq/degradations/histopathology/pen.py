"""Pen marks: strokes of a marker on the coverslip, whose ink absorbs over tissue and glass alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.histopathology import slide
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed, smooth_noise
from scrutiq.metrics import Context, Measure

__all__ = ["DEGRADATION", "INK_AREA"]

Array = npt.NDArray[np.float64]

#: Optical density of inks in red, green and blue, the highest 1.
_INKS = {"blue": (1.0, 0.42, 0.08), "green": (1.0, 0.25, 0.75), "black": (1.0, 0.98, 0.95)}
#: Hue in optical density of everything that haematoxylin and eosin stain, degrees; ink lies outside.
_STAINED = (45.0, 155.0)
#: Least chroma of coloured ink; least density of black ink and its highest chroma relative to the density; and the side
#: of the square that it fills, share of the image's side.
_CHROMA, _BLACK, _NEUTRAL, _STROKE = 0.1, 0.55, 0.3, 0.02


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    side = slide.side_of(image)
    h, w = image.shape
    ink = ("blue", "green", "black")[int(rng.integers(3))]
    middle = np.array([rng.uniform(0.35, 0.65) * h, rng.uniform(0.35, 0.65) * w])
    heading, bend = rng.uniform(0, np.pi), rng.uniform(-0.35, 0.35)
    ends = 0.75 * side * np.array([np.sin(heading), np.cos(heading)])
    aside = bend * side * np.array([np.cos(heading), -np.sin(heading)])
    points = [middle - ends + aside, middle - aside, middle + ends + aside]
    return {
        "ink": ink,
        "absorbs": list(_INKS[ink]),
        "points": [[float(a) for a in p] for p in points],
        "half_width_pixels": geometric(0.012, 0.08, severity) * side,
        "density": geometric(0.65, 1.6, severity) * (0.8 if ink == "black" else 1),
        "grain_pixels": 0.004 * side,
        "seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    od = slide.density(image)
    half, grain = float(parameters["half_width_pixels"]), float(parameters["grain_pixels"])
    away = _distance(image.shape, np.asarray(parameters["points"], dtype=np.float64), 2 * half)
    seed = int(parameters["seed"])
    uneven = 0.08 * half * smooth_noise(image.shape, 12 * grain, seed)
    rho = (away + uneven) / half
    # Out of focus on top of the coverslip, with ink drawn to the edge as it dries.
    stroke = np.clip((1 - rho) / 0.25 + 0.5, 0, 1) * (0.8 + 0.2 * np.clip(rho, 0, 1) ** 4)
    film = stroke * np.clip(1 + 0.15 * smooth_noise(image.shape, grain, seed + 1), 0.3, None)
    absorbed = float(parameters["density"]) * film[..., None] * np.asarray(parameters["absorbs"])
    return slide.with_density(image, od + absorbed)


def _distance(shape: tuple[int, int], points: Array, reach: float) -> Array:
    """Return the distance of each pixel from a quadratic Bezier curve through three control points, up to a reach."""
    t = np.linspace(0, 1, 4 * max(shape))[:, None]
    curve = (1 - t) ** 2 * points[0] + 2 * t * (1 - t) * points[1] + t**2 * points[2]
    pad = int(np.ceil(reach)) + 1
    apart = np.ones([n + 2 * pad for n in shape], dtype=bool)
    places = np.rint(curve).astype(int) + pad
    apart[tuple(places[((places >= 0) & (places < apart.shape)).all(axis=1)].T)] = False
    return np.asarray(ndimage.distance_transform_edt(apart)[pad:-pad, pad:-pad])


def _ink_area(context: Context) -> float:
    side = slide.side_of(context.image)
    od = ndimage.gaussian_filter(slide.density(context.image), (0.003 * side, 0.003 * side, 0))
    hue, chroma = slide.hue_and_chroma(od)
    coloured = (chroma > _CHROMA) & ((hue < _STAINED[0]) | (hue > _STAINED[1]))
    mean = od.mean(axis=2)
    black = (mean > _BLACK) & (chroma < _NEUTRAL * mean)
    width = max(3, round(_STROKE * side))
    ink = ndimage.binary_opening(coloured | black, np.ones((width, width), bool))
    return 100 * np.count_nonzero(ink & context.valid) / np.count_nonzero(context.valid)


INK_AREA = Measure(
    name="ink_area",
    unit="%",
    title="share of the field covered by colours that haematoxylin and eosin do not give, or by black",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Hue in optical density outside that of both stains (vectors of Ruifrok and Johnston, Anal. Quant. Cytol. "
        "Histol. 23, 2001), or dense without colour, and filling squares of 2 % of the image's side; by colour as the "
        "pen detectors of HistoQC (Janowczyk et al., JCO Clin. Cancer Inform. 3, 2019)."
    ),
    limits="Red ink is taken for eosin; anthracotic pigment, melanin and other stains than H&E count as ink.",
    needs=slide.bounded_colour,
    value=_ink_area,
)

DEGRADATION = Degradation(
    name="histopathology.pen",
    draw=_draw,
    apply=_apply,
    measurement=INK_AREA,
    thresholds=Thresholds(
        clean=0,
        mild=3.8,
        severe=8.7,
        worst=17,
        basis="Medians over 14 H&E bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
