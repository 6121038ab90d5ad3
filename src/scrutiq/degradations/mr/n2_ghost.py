"""N/2 ghost of echo-planar imaging: the odd echoes are late, so that half the field of view away a copy appears."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.mr.kspace import complex_image, frequencies, from_kspace, put_back, to_kspace
from scrutiq.degradations.mr.scene import Scene, grey_mr, scene
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import Context, Measure

__all__ = ["DEGRADATION"]

Array = npt.NDArray[np.float64]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    phase = geometric(0.02, 0.7, severity)
    return {
        "axis": int(rng.integers(2)),
        # Between even and odd echoes, half of it either way, radian; the ghost is as its sine.
        "phase_radian": phase * float(rng.choice([-1, 1])),
        # Delay of the odd echoes along the readout, in samples: half a turn of phase across the image is one.
        "delay_samples": phase * float(rng.uniform(-0.5, 0.5)),
        "phase_seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    axis = parameters["axis"]
    true = complex_image(image, parameters["phase_seed"])
    # In the hybrid space of lines of k-space and places along the readout, the delay is a linear phase.
    n, across = image.shape[axis], image.shape[1 - axis]
    hybrid = to_kspace(true, (axis,))
    angle = parameters["phase_radian"] + 2 * np.pi * parameters["delay_samples"] * frequencies(across)
    sign = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    turn = np.exp(1j * np.multiply.outer(sign, angle))
    return put_back(image, from_kspace(hybrid * (turn if axis == 0 else turn.T), (axis,)))


def _n2_ghost(context: Context) -> float:
    seen = scene(context)
    return 100 * max(_copy(seen, axis) for axis in (0, 1))


def _copy(seen: Scene, axis: int) -> float:
    """Return the size of a copy half a field of view away, as a share of the image.

    In the air that the copy would reach: the slope of the air against it. Where there is next to none: that of the fine
    detail of the whole image, whose sign is lost where the copy lies over the object.
    """
    half = seen.values.shape[axis] // 2
    place = seen.air & np.roll(seen.hull, half, axis)
    if place.sum() >= max(50, 0.01 * place.size):
        return max(0.0, _slope(np.roll(seen.values, half, axis)[place], seen.values[place]))
    detail = seen.values - ndimage.gaussian_filter(seen.values, 2)
    place = np.roll(seen.hull, half, axis)
    return abs(_slope(np.roll(detail, half, axis)[place], detail[place]))


def _slope(x: Array, y: Array) -> float:
    x = x - x.mean()
    spread = float((x * x).mean())
    return float((x * (y - y.mean())).mean()) / spread if spread > 0 else 0.0


GHOST = Measure(
    name="n2_ghost_percent",
    unit="%",
    title="ghost half a field of view away, in percent of the image that it copies",
    direction="lower is better",
    range=(0, math.inf),
    source=(
        "Slope of the regression of the air on the image half a field of view away, along the axis where it is larger; "
        "the ghost-to-signal ratio of the Nyquist ghost (Giannelli et al., J. Appl. Clin. Med. Phys. 11, 2010) without "
        "drawn regions."
    ),
    limits=(
        "Where the object fills the field of view along the axis, the copy is looked for in fine detail, which shows "
        "less than half of it. Ghosts of motion can fall there too."
    ),
    needs=grey_mr,
    value=_n2_ghost,
)

DEGRADATION = Degradation(
    name="mr.n2_ghost",
    draw=_draw,
    apply=_apply,
    measurement=GHOST,
    thresholds=Thresholds(
        clean=0.2, mild=5, severe=17, worst=34, basis="Medians over the real bases (bench/bench_degradations.py)."
    ),
)
