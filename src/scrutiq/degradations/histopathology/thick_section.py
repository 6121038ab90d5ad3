"""A thick section: nuclei of several depths overlap, the tissue is dense, and part of it is out of focus."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.histopathology import slide
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import Context, Measure
from scrutiq.metrics.undefined import Undefined

__all__ = ["DEGRADATION", "SECTION_DENSITY"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    h, w = image.shape
    extra = geometric(0.12, 2.0, severity)
    # Layers above and below, 4 um apart at most, are other parts of the same tissue.
    return {
        "layers": [
            {
                "thickness": float(extra * share),
                "flip": int(flip),
                "shift_pixels": [int(rng.integers(h)), int(rng.integers(w))],
                "defocus_pixels": geometric(0.4, 1, severity) * (2.0 + k),
            }
            for k, (share, flip) in enumerate(zip((0.6, 0.4), rng.permutation(2), strict=True))
        ],
        "defocus_pixels": geometric(0.2, 1.0, severity),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    od = slide.density(image)
    total = slide.defocus(od, float(parameters["defocus_pixels"]))
    for layer in parameters["layers"]:
        other = od[::-1] if layer["flip"] else od[:, ::-1]
        other = np.roll(other, tuple(layer["shift_pixels"]), axis=(0, 1))
        total = total + float(layer["thickness"]) * slide.defocus(other, float(layer["defocus_pixels"]))
    return slide.with_density(image, total)


def _section_density(context: Context) -> float:
    od = slide.density(context.image).mean(axis=2)
    tissue = od[context.valid & (od > slide.TISSUE)]
    if tissue.size < 100:
        raise Undefined("Fewer than 100 pixels are stained.")
    return float(np.median(tissue))


SECTION_DENSITY = Measure(
    name="section_density",
    unit="optical density",
    title="median optical density of the tissue, mean of the three components",
    direction="neither",
    range=(0, np.inf),
    source=(
        "Beer-Lambert law: the density of a stained section grows with its thickness (Ruifrok and Johnston, Anal. "
        "Quant. Cytol. Histol. 23, 2001); median where the mean of the components is above 0.1."
    ),
    limits="Strong staining and under-exposure are as dense; fields of lymphocytes or tumour are denser than stroma.",
    needs=slide.bounded_colour,
    value=_section_density,
)

DEGRADATION = Degradation(
    name="histopathology.thick_section",
    draw=_draw,
    apply=_apply,
    measurement=SECTION_DENSITY,
    thresholds=Thresholds(
        clean=0.26,
        mild=0.32,
        severe=0.44,
        worst=0.76,
        basis="Medians over 14 H&E bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
