"""Poisson-disc undersampling in two phase-encoding directions, zero-filled or by compressed sensing."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.mr.kspace import frequencies
from scrutiq.degradations.mr.sampling import RECONSTRUCTIONS, poisson_disc, undersample
from scrutiq.degradations.mr.scene import grey_mr, log_power
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import Context, Measure

__all__ = ["DEGRADATION"]

#: Nearer to the centre than this share of the way out every sample is taken.
_INNER = 0.15
#: Side of the square of samples among which one that was taken is looked for.
_WINDOW = 9


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return {
        "full_radius": geometric(0.8, 0.14, severity),
        "reconstruction": RECONSTRUCTIONS[rng.integers(2)],
        "samples_seed": new_seed(rng),
        "phase_seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    taken = poisson_disc(image.shape, parameters["full_radius"], parameters["samples_seed"])
    return undersample(image, taken, parameters["reconstruction"], parameters["phase_seed"])


def _missing_samples(context: Context) -> float:
    power = log_power(context.grey.astype(np.float64))
    away = np.hypot(*np.meshgrid(*(2 * frequencies(n) for n in power.shape), indexing="ij"))
    level = power - ndimage.gaussian_filter(power, max(8, min(power.shape) / 16), mode="wrap")
    outer = (away > _INNER) & (away < 1)
    return float((ndimage.maximum_filter(level, _WINDOW, mode="wrap") - level)[outer].mean())


MISSING_SAMPLES = Measure(
    name="missing_samples_db",
    unit="dB",
    title="how far samples of k-space lie below the strongest of their neighbours",
    direction="lower is better",
    range=(0, math.inf),
    source=(
        "Scrutiq: log power of the samples of the image's k-space below the highest of the 9 x 9 about each, after its "
        "slow course is taken off; mean beyond 0.15 of the way out. Speckle alone (exponentially distributed power, "
        "J. W. Goodman, Speckle Phenomena in Optics, 2007) gives about 9 dB."
    ),
    limits="Any pattern of samples left out, on lines and spokes as well as at random, raises it.",
    needs=grey_mr,
    value=_missing_samples,
)

DEGRADATION = Degradation(
    name="mr.undersampling_poisson",
    draw=_draw,
    apply=_apply,
    measurement=MISSING_SAMPLES,
    thresholds=Thresholds(
        clean=9, mild=9.6, severe=10.4, worst=11.6, basis="Medians over the real bases (bench/bench_degradations.py)."
    ),
)
