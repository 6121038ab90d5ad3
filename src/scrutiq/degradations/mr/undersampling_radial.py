"""Too few spokes of a radial acquisition, zero-filled or by compressed sensing."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.degradations.mr.kspace import frequencies
from scrutiq.degradations.mr.sampling import RECONSTRUCTIONS, radial, undersample
from scrutiq.degradations.mr.scene import grey_mr, log_power, shortfall
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import Context, Measure

__all__ = ["DEGRADATION"]

#: The ring of k-space that is looked at, as shares of the way to its border.
_RING = (0.3, 0.95)
#: Sectors among which one with a spoke is looked for.
_WINDOW = 15


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    # pi / 2 times the longer side would be enough for every sample.
    longest = max(image.shape)
    return {
        "spokes": max(4, round(geometric(0.7 * longest, longest / 20, severity))),
        "angle": float(rng.uniform(0, math.pi)),
        "reconstruction": RECONSTRUCTIONS[rng.integers(2)],
        "phase_seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    taken = radial(image.shape, parameters["spokes"], parameters["angle"])
    return undersample(image, taken, parameters["reconstruction"], parameters["phase_seed"])


def _missing_spokes(context: Context) -> float:
    power = log_power(context.grey.astype(np.float64))
    v, u = (2 * frequencies(n) for n in power.shape)
    away = np.hypot(v[:, None], u)
    # Half of a real image's k-space says all.
    ring = (away >= _RING[0]) & (away < _RING[1]) & (v[:, None] >= 0)
    angle = np.arctan2(np.broadcast_to(v[:, None], away.shape)[ring], np.broadcast_to(u, away.shape)[ring])
    level = power[ring] - _by_radius(power[ring], away[ring], min(power.shape) // 4)
    # One and a half samples wide at the middle of the ring.
    sectors = max(16, round(math.pi * min(power.shape) / 2 * sum(_RING) / 2 / 1.5))
    sector = np.minimum((angle / math.pi * sectors).astype(int), sectors - 1)
    count = np.bincount(sector, minlength=sectors)
    means = np.bincount(sector, level, minlength=sectors) / np.maximum(count, 1)
    # The spokes along the axes hold what the borders of the image leave there.
    index = np.arange(sectors)
    off = (np.minimum(index % (sectors / 2), -index % (sectors / 2)) > sectors / 60) & (count > 0)
    return shortfall(means[off], _WINDOW)


def _by_radius(level: npt.NDArray[np.float64], away: npt.NDArray[np.float64], rings: int) -> npt.NDArray[np.float64]:
    index = np.minimum(((away - _RING[0]) / (_RING[1] - _RING[0]) * rings).astype(int), rings - 1)
    mean = np.bincount(index, level, minlength=rings) / np.maximum(np.bincount(index, minlength=rings), 1)
    return np.asarray(mean[index])


MISSING_SPOKES = Measure(
    name="missing_spokes_db",
    unit="dB",
    title="how far directions of k-space lie below the strongest of their neighbours",
    direction="lower is better",
    range=(0, math.inf),
    source=(
        "Scrutiq: mean log power of narrow sectors of k-space, 0.3 to 0.95 of the way out, below the highest of the 15 "
        "sectors about each, after their slow course is taken off; mean over the sectors. Chance (speckle, J. W. "
        "Goodman, Speckle Phenomena in Optics, 2007) gives about 1 dB."
    ),
    limits=(
        "An image that was interpolated to a much larger matrix holds little at 0.3 of the way out, so that nothing is "
        "missing there. Straight long edges are spokes too. A reconstruction that fills the gaps leaves less to see."
    ),
    needs=grey_mr,
    value=_missing_spokes,
)

DEGRADATION = Degradation(
    name="mr.undersampling_radial",
    draw=_draw,
    apply=_apply,
    measurement=MISSING_SPOKES,
    thresholds=Thresholds(
        clean=1.2, mild=1.8, severe=3.5, worst=6.7, basis="Medians over the real bases (bench/bench_degradations.py)."
    ),
)
