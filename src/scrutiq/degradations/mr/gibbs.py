"""Gibbs ringing: k-space that ends too early and without a filter, filled with zeros to the matrix of the image."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.degradations.mr.kspace import complex_image, frequencies, from_kspace, put_back, to_kspace
from scrutiq.degradations.mr.scene import grey_mr, line_energy, scene
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import Context, Measure

__all__ = ["DEGRADATION"]

#: Width of the bands on both sides of an end of k-space, as a share of its distance from the centre.
_BAND = 0.2
#: Energy of the inner band over the outer where the spectrum only falls, as the square of 1 / k or steeper.
_FALL = 2.5


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    # Along one axis, the phase-encoding one, or along both.
    axes = [[0], [1], [0, 1]][rng.integers(3)]
    return {"kept": geometric(1.0, 0.16, severity), "axes": axes, "phase_seed": new_seed(rng)}


def _apply(image: Image, parameters: Parameters) -> Image:
    axes = tuple(parameters["axes"])
    kspace = to_kspace(complex_image(image, parameters["phase_seed"]), axes)
    for axis in axes:
        kept = np.abs(2 * frequencies(image.shape[axis])) <= parameters["kept"]
        kspace *= kept[:, None] if axis == 0 else kept
    return put_back(image, from_kspace(kspace, axes))


def _ringing(context: Context) -> float:
    seen = scene(context)
    energy = max(_break(line_energy(seen.values, axis)) for axis in (0, 1))
    return 100 * math.sqrt(energy / seen.hull.sum()) / seen.signal


def _break(energy: npt.NDArray[np.float64]) -> float:
    """Return the energy next to the end of a spectrum, beyond what it would be if the spectrum only fell on."""
    total = np.concatenate([[0.0], np.cumsum(energy)])
    best = 0.0
    for end in range(max(8, len(energy) // 12), len(energy)):
        width = max(2, round(_BAND * end))
        if end + width > len(energy):
            break
        inner = total[end] - total[end - width]
        # One line is left out: the end need not fall between two.
        outer = (total[end + width] - total[end + 1]) * width / (width - 1)
        best = max(best, inner - _FALL * outer)
    return best


RINGING = Measure(
    name="truncation_ringing_percent",
    unit="%",
    title="waves at the sharp end of the spectrum, in percent of the signal",
    direction="lower is better",
    range=(0, math.inf),
    source=(
        "Scrutiq: root mean square of the waves of the fifth of k-space just inside the frequency where its energy "
        "breaks off along an axis, less that of a spectrum that falls on as 1/k or steeper. They are the ripples of "
        "Gibbs (D. Gottlieb, C.-W. Shu, SIAM Rev. 39, 1997) at the finest period that is left."
    ),
    limits=(
        "It needs a matrix larger than what was acquired: ringing at the full resolution of the matrix is not seen. "
        "An image that the scanner interpolated without a filter has such an end by right, and strong blur has a "
        "steep end too."
    ),
    needs=grey_mr,
    value=_ringing,
)

DEGRADATION = Degradation(
    name="mr.gibbs",
    draw=_draw,
    apply=_apply,
    measurement=RINGING,
    thresholds=Thresholds(
        clean=1.3, mild=5.4, severe=7.3, worst=9, basis="Medians over the real bases (bench/bench_degradations.py)."
    ),
)
