"""A fold: the section lies over itself along a band, twice as dense and out of focus."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.histopathology import slide
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import displace, geometric, new_seed
from scrutiq.metrics import Context, Measure
from scrutiq.metrics.undefined import Undefined

__all__ = ["DEGRADATION", "FOLD_AREA"]

Array = npt.NDArray[np.float64]

#: Side of the square that must be dense throughout, share of the image's side, and how dense, relative to the tissue.
_WIDE, _DENSE = 0.03, 1.5


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    side = slide.side_of(image)
    return {
        "middle": list(slide.place_on_tissue(image, rng)),
        "direction_rad": float(rng.uniform(0, np.pi)),
        "half_width_pixels": geometric(0.02, 0.08, severity) * side,
        "half_length_pixels": float(rng.uniform(0.4, 0.75) * side),
        "overlap": geometric(0.55, 1, severity),
        "defocus_pixels": geometric(0.3, 1, severity) * 0.006 * side,
        "side_pixels": side,
        "seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    od = slide.density(image)
    y, x = np.indices(image.shape, dtype=np.float64)
    angle = float(parameters["direction_rad"])
    side = float(parameters["side_pixels"])
    dy, dx = y - parameters["middle"][0], x - parameters["middle"][1]
    along = dy * np.sin(angle) + dx * np.cos(angle)
    across = dy * np.cos(angle) - dx * np.sin(angle)
    across = across + _wander(along, 0.12 * side, 0.02 * side, int(parameters["seed"]))
    half = float(parameters["half_width_pixels"])
    # The band tapers to its ends, and its edges are uneven.
    taper = np.sqrt(np.clip(1 - (along / float(parameters["half_length_pixels"])) ** 2, 0, 1))
    wide = half * taper * (1 + 0.25 * _wander(along, 0.05 * side, 1.0, int(parameters["seed"]) + 1))
    band = np.clip((wide - np.abs(across)) / 1.5 + 0.5, 0, 1)[..., None]
    # The layer on top is tissue from beside the band, turned over about its edge.
    over = 2 * (wide - across)
    turned = displace(od, over * np.cos(angle), -over * np.sin(angle))
    folded = slide.defocus(od + float(parameters["overlap"]) * turned, float(parameters["defocus_pixels"]))
    return slide.with_density(image, od * (1 - band) + folded * band)


def _wander(along: Array, scale: float, size: float, seed: int) -> Array:
    """Return a smooth random curve of about unit standard deviation times ``size``, along a line."""
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, 4)
    waves = [np.sin(along / scale * (k + 1) * 0.8 + phase) / (k + 1) for k, phase in enumerate(phases)]
    return np.asarray(size * 0.84 * sum(waves))


def _fold_area(context: Context) -> float:
    od = slide.density(context.image)
    tissue = context.valid & (od.mean(axis=2) > slide.TISSUE)
    if np.count_nonzero(tissue) < 100:
        raise Undefined("Fewer than 100 pixels are stained.")
    side = slide.side_of(context.image)
    # Eosin, since crowded nuclei are dense in haematoxylin only, while a second layer doubles both.
    basis = np.stack([slide.HAEMATOXYLIN, slide.EOSIN, np.cross(slide.HAEMATOXYLIN, slide.EOSIN)])
    eosin = ndimage.gaussian_filter(od @ np.linalg.inv(basis)[:, 1], 0.006 * side)
    usual = float(np.median(eosin[tissue]))
    if usual <= 0:
        raise Undefined("The tissue takes no eosin.")
    thick = ndimage.grey_opening(eosin, size=(max(3, round(_WIDE * side)),) * 2) > _DENSE * usual
    return 100 * np.count_nonzero(thick & context.valid) / np.count_nonzero(tissue)


FOLD_AREA = Measure(
    name="fold_area",
    unit="%",
    title="share of the tissue that is dense throughout a region far larger than a nucleus",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Eosin by colour deconvolution (Ruifrok and Johnston, Anal. Quant. Cytol. Histol. 23, 2001), which a second "
        "layer doubles and crowded nuclei do not: opening by a square of 3 % of the image's side above 1.5 times the "
        "median of the tissue. After the fold detection by density of Kothari et al., J. Pathol. Inform. 4, 2013."
    ),
    limits="Dense collagen, muscle and red blood cells beside pale tissue count; a fold of most of the field does not.",
    needs=slide.bounded_colour,
    value=_fold_area,
)

DEGRADATION = Degradation(
    name="histopathology.fold",
    draw=_draw,
    apply=_apply,
    measurement=FOLD_AREA,
    thresholds=Thresholds(
        clean=1,
        mild=3.2,
        severe=5.9,
        worst=10.4,
        basis="Medians over 14 H&E bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
