"""Random lines of k-space left out along the phase-encoding axis, zero-filled or by compressed sensing."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.degradations.mr.sampling import RECONSTRUCTIONS, cartesian, undersample
from scrutiq.degradations.mr.scene import grey_mr, log_power, shortfall
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import Context, Measure

__all__ = ["DEGRADATION"]

#: Lines nearer to the centre than this share of the way out are not looked at: the anatomy rules them.
_INNER = 0.1
#: Lines among which one that was taken is looked for.
_WINDOW = 25


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return {
        "acceleration": geometric(1.15, 8, severity),
        "axis": int(rng.integers(2)),
        "reconstruction": RECONSTRUCTIONS[rng.integers(2)],
        "lines_seed": new_seed(rng),
        "phase_seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    taken = cartesian(image.shape, parameters["axis"], parameters["acceleration"], parameters["lines_seed"])
    return undersample(image, taken, parameters["reconstruction"], parameters["phase_seed"])


def _missing_lines(context: Context) -> float:
    power = log_power(context.grey.astype(np.float64))
    return max(_between_lines(power), _between_lines(power.T))


def _between_lines(power: npt.NDArray[np.float64]) -> float:
    """Return how far the rows lie below the highest of their neighbours, dB."""
    n = power.shape[0]
    # A real image has the same power at k and -k: one half says all.
    return shortfall(power[: round((1 - _INNER) * n / 2)].mean(axis=1), _WINDOW)


MISSING_LINES = Measure(
    name="missing_lines_db",
    unit="dB",
    title="how far lines of k-space lie below the strongest of their neighbours",
    direction="lower is better",
    range=(0, math.inf),
    source=(
        "Scrutiq: mean log power of each line of the image's k-space below the highest of the 25 lines about it, after "
        "their slow course is taken off; mean over the lines, the larger of the two axes. Chance (speckle, J. W. "
        "Goodman, Speckle Phenomena in Optics, 2007) gives 0.5 to 1 dB."
    ),
    limits=(
        "It sees lines left out at random; lines left out at a regular distance fold the image instead. A "
        "reconstruction that fills the gaps well leaves less to see. Small matrices have shorter lines, more chance."
    ),
    needs=grey_mr,
    value=_missing_lines,
)

DEGRADATION = Degradation(
    name="mr.undersampling_cartesian",
    draw=_draw,
    apply=_apply,
    measurement=MISSING_LINES,
    thresholds=Thresholds(
        clean=0.8, mild=2.9, severe=4.8, worst=6.8, basis="Medians over the real bases (bench/bench_degradations.py)."
    ),
)
