"""Camera noise: photon noise and read noise of the scanner's camera, brought up by gain."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.histopathology import slide
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import from_unit, geometric, new_seed, to_linear, to_srgb, to_unit
from scrutiq.metrics import Context, Measure
from scrutiq.metrics.undefined import Undefined

__all__ = ["DEGRADATION", "NOISE_OFF_STAIN"]

#: Read noise, electrons.
_READ_NOISE = 6.0


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return {
        # Electrons that make white at the gain in use: the fewer, the higher the gain.
        "electrons_at_white": geometric(8000, 50, severity),
        "read_noise_electrons": _READ_NOISE * float(rng.uniform(0.2, 0.6)),
        "seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    rng = np.random.default_rng(int(parameters["seed"]))
    full = float(parameters["electrons_at_white"])
    mean = to_linear(to_unit(image)) * full
    # Poisson by its normal approximation: the same white noise whatever the gain, so that one fault grows.
    white = rng.standard_normal((2, *mean.shape))
    counted = mean + np.sqrt(mean) * white[0] + float(parameters["read_noise_electrons"]) * white[1]
    return from_unit(image, to_srgb(counted / full))


def _noise_off_stain(context: Context) -> float:
    if min(context.image.shape) < 8:
        raise Undefined("The image is smaller than 8 pixels.")
    low, high = context.range
    pixels = np.where(context.valid[..., None], context.image.pixels, np.float32(low)).astype(np.float64)
    coded = (pixels - low) * (100 / (high - low))
    # The diagonal detail of the Haar transform: white noise keeps its standard deviation, slow structure cancels.
    detail = 0.5 * (coded[:-1, :-1] - coded[1:, :-1] - coded[:-1, 1:] + coded[1:, 1:])
    seen = ndimage.binary_erosion(context.unclipped & context.valid, border_value=1)[:-1, :-1]
    if np.count_nonzero(seen) < 100:
        raise Undefined("Fewer than 100 pixels are neither black nor white.")
    values = detail[seen]
    return float(np.sqrt(max(np.linalg.eigvalsh(values.T @ values / len(values))[0], 0.0)))


NOISE_OFF_STAIN = Measure(
    name="noise_off_stain",
    unit="%",
    title="standard deviation of pixel noise in the colour that neither stain has, as a share of the range",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Diagonal Haar detail of each component (Donoho and Johnstone, Biometrika 81, 1994); square root of the "
        "smallest eigenvalue of its covariance: two stains span two of the three colours, and what varies in the third "
        "is noise."
    ),
    limits="Noise that is equal in the three components is not seen, and chroma subsampling of JPEG hides most of it.",
    needs=slide.bounded_colour,
    value=_noise_off_stain,
)

DEGRADATION = Degradation(
    name="histopathology.noise",
    draw=_draw,
    apply=_apply,
    measurement=NOISE_OFF_STAIN,
    thresholds=Thresholds(
        clean=0.5,
        mild=1.4,
        severe=3.1,
        worst=8.2,
        scale="log",
        basis="Medians over 14 H&E bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
