"""Zipper: a radio-frequency interference of one frequency, a line of dots at one place of the readout."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.mr.kspace import complex_image, from_kspace, put_back, signal, to_kspace
from scrutiq.degradations.mr.scene import grey_mr, scene
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import Context, Measure

__all__ = ["DEGRADATION"]

Array = npt.NDArray[np.float64]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    axis = int(rng.integers(2))
    lines = int(rng.integers(1, 3))
    places = rng.uniform(0.2, 0.8, 2) * image.shape[1 - axis]
    share = rng.uniform(0.6, 1.0, 2)
    share[0] = 1
    size = geometric(0.04, 1.5, severity) * signal(image)
    return {
        "axis": axis,  # of phase encoding, along which the zipper runs
        "place": [float(p) for p in places[:lines]],  # along the readout, pixels
        "size": [float(s) * size for s in share[:lines]],  # root mean square of the line, in the unit of the pixels
        "interference_seed": new_seed(rng),
        "phase_seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    axis = parameters["axis"]
    kspace = np.moveaxis(to_kspace(complex_image(image, parameters["phase_seed"])), axis, 0)
    lines, readout = kspace.shape
    rng = np.random.default_rng(parameters["interference_seed"])
    time = np.arange(readout) - readout // 2
    for place, size in zip(parameters["place"], parameters["size"], strict=True):
        # The source does not know of the pulses: it meets every readout with another phase. In the image a tone is one
        # place along the readout, its lines' phases are white noise along the other axis.
        start = np.exp(1j * rng.uniform(0, 2 * np.pi, lines))
        tone = np.exp(-2j * np.pi * (place - readout // 2) * time / readout) / math.sqrt(readout)
        kspace += size * np.multiply.outer(start, tone)
    return put_back(image, from_kspace(np.moveaxis(kspace, 0, axis)))


def _zipper(context: Context) -> float:
    seen = scene(context)
    return 100 * max(_line(seen.values), _line(seen.values.T)) / seen.signal


def _line(values: Array) -> float:
    """Return how far the column that stands out most differs from its neighbours, more than theirs from theirs."""
    across = values[:, 3:-3] - (values[:, :-6] + values[:, 6:]) / 2
    # A zipper changes from dot to dot; an edge of the anatomy runs on.
    difference = np.abs(np.diff(across, axis=0))
    # Median over the rows: an edge of the anatomy along a column is shorter than half of it.
    column = np.median(difference, axis=0)
    return float((column - ndimage.median_filter(column, 21, mode="nearest")).max())


ZIPPER = Measure(
    name="zipper_percent",
    unit="%",
    title="how far one line across the image stands out from its neighbours, in percent of the signal",
    direction="lower is better",
    range=(0, math.inf),
    source=(
        "Scrutiq: median over a column (row) of its difference from the columns three pixels away, less that of the "
        "columns about it, the largest; the artefact is described in R. B. Stafford, AAPM (2020) and ACR MRI Quality "
        "Control Manual (2015)."
    ),
    limits="A zipper less than half the image long, and one that is wider than six pixels, is missed.",
    needs=grey_mr,
    value=_zipper,
)

DEGRADATION = Degradation(
    name="mr.zipper",
    draw=_draw,
    apply=_apply,
    measurement=ZIPPER,
    thresholds=Thresholds(
        clean=2.5,
        mild=5.6,
        severe=19,
        worst=63,
        scale="log",
        basis="Medians over the real bases (bench/bench_degradations.py).",
    ),
)
