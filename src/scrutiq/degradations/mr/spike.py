"""Spikes: single samples of k-space that a discharge has made far too large, seen as stripes over the image."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.mr.kspace import complex_image, frequencies, from_kspace, put_back, signal, to_kspace
from scrutiq.degradations.mr.scene import grey_mr, log_power
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import Context, Measure

__all__ = ["DEGRADATION"]

#: Nearer to the centre, as a share of the way out, the anatomy is as sharp as a spike.
_INNER = 0.1


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    spikes = int(rng.integers(1, 4))
    away, angle = rng.uniform(0.08, 0.35, 3), rng.uniform(0, 2 * math.pi, 3)
    share, phase = rng.uniform(0.4, 1, 3), rng.uniform(0, 2 * math.pi, 3)
    share[0] = 1
    places = [
        [round(float(a) * math.sin(t) * image.shape[0]), round(float(a) * math.cos(t) * image.shape[1])]
        for a, t in zip(away, angle, strict=True)
    ]
    level = signal(image)
    return {
        "stripe_of_signal": geometric(0.01, 0.6, severity),
        # Amplitude of the wave that each spike lays over the image, in the unit of the pixels.
        "stripe": [float(s) * geometric(0.01, 0.6, severity) * level for s in share[:spikes]],
        "place": places[:spikes],  # rows and columns of k-space from its centre
        "phase_radian": [float(p) for p in phase[:spikes]],
        "phase_seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    kspace = to_kspace(complex_image(image, parameters["phase_seed"]))
    rows, columns = image.shape
    for (down, right), stripe, phase in zip(
        parameters["place"], parameters["stripe"], parameters["phase_radian"], strict=True
    ):
        # A sample of the unitary transform is a wave of its size over the root of the number of pixels.
        size = stripe * math.sqrt(rows * columns)
        kspace[(rows // 2 + down) % rows, (columns // 2 + right) % columns] += size * np.exp(1j * phase)
    return put_back(image, from_kspace(kspace))


def _spike(context: Context) -> float:
    power = log_power(context.grey.astype(np.float64))
    away = np.hypot(*np.meshgrid(*(2 * frequencies(n) for n in power.shape), indexing="ij"))
    outer = away > _INNER
    # Mean of the surroundings without the sample itself and its neighbours, over which a smooth phase spreads it.
    wide, near = (ndimage.uniform_filter(power, size, mode="wrap") for size in (15, 5))
    around = (wide * 225 - near * 25) / 200
    return max(0.0, float((power - around)[outer].max()))


SPIKE = Measure(
    name="kspace_spike_db",
    unit="dB",
    title="how far the largest outlier of k-space stands above its surroundings",
    direction="lower is better",
    range=(0, math.inf),
    source=(
        "Level of a sample of k-space above the mean level of the 15 x 15 samples about it, dB, largest beyond a tenth "
        "of the way from the centre. Chance alone gives about 13 dB (largest of many exponentially distributed powers)."
    ),
    limits="A regular pattern in the object, such as a grid, and stripes of any other cause are spikes in k-space too.",
    needs=grey_mr,
    value=_spike,
)

DEGRADATION = Degradation(
    name="mr.spike",
    draw=_draw,
    apply=_apply,
    measurement=SPIKE,
    thresholds=Thresholds(
        clean=13, mild=22, severe=31, worst=39, basis="Medians over the real bases (bench/bench_degradations.py)."
    ),
)
