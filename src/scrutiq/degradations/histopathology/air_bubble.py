"""An air bubble under the coverslip: a dark refracting rim about a pale, blurred interior."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from scrutiq.core import Image
from scrutiq.degradations.histopathology import slide
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import displace, geometric
from scrutiq.metrics import Context, Measure

__all__ = ["DEGRADATION", "RING_DENSITY"]

Array = npt.NDArray[np.float64]

#: Side, pixels, to which an image is reduced to look for rings; radii, shares of the side; half the width of a rim.
_REDUCED, _RADII, _RIM = 160, np.arange(0.085, 0.36, 0.01), 0.009


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    side = slide.side_of(image)
    h, w = image.shape
    radius = geometric(0.1, 0.3, severity) * side
    return {
        "middle": [float(rng.uniform(0.35, 0.65) * h), float(rng.uniform(0.35, 0.65) * w)],
        "radius_pixels": float(radius * rng.uniform(0.9, 1.1)),
        "oval": float(rng.uniform(0.96, 1.04)),
        "rim_density": geometric(0.26, 1.1, severity),
        "rim_pixels": 0.0085 * side,
        "faded": geometric(0.1, 0.4, severity),
        "defocus_pixels": geometric(0.2, 1, severity) * 0.007 * side,
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    od = slide.density(image)
    y, x = np.indices(image.shape, dtype=np.float64)
    radius, rim = float(parameters["radius_pixels"]), float(parameters["rim_pixels"])
    dy, dx = (y - parameters["middle"][0]) * float(parameters["oval"]), x - parameters["middle"][1]
    away = np.hypot(dy, dx)
    inside = np.clip((radius - away) / 1.5 + 0.5, 0, 1)[..., None]
    # Without mounting medium the tissue scatters: it is seen paler, greyer, blurred, and drawn in near the curved rim.
    pull = 0.12 * np.clip(away / radius, 0, 1) ** 3
    within = slide.defocus(displace(od, -dy * pull, -dx * pull), float(parameters["defocus_pixels"]))
    faded = float(parameters["faded"])
    grey = within.mean(axis=2, keepdims=True)
    within = (1 - faded) * ((1 - faded) * within + faded * grey)
    made = od * (1 - inside) + within * inside
    # At the rim light is bent out of the objective (dark), just inside it is gathered (bright).
    dark = np.exp(-0.5 * ((away - radius) / rim) ** 2)
    bright = np.exp(-0.5 * ((away - radius + 2.6 * rim) / (0.8 * rim)) ** 2)
    strength = float(parameters["rim_density"])
    made = made + (strength * (dark - 0.16 * bright))[..., None] * np.array([1.0, 1.0, 0.92])
    return slide.with_density(image, made)


def _ring_density(context: Context) -> float:
    od = slide.density(context.image).mean(axis=2)
    scale = min(1.0, _REDUCED / slide.side_of(context.image))
    small = ndimage.zoom(ndimage.gaussian_filter(od, 0.4 / scale), scale, order=1, grid_mode=True, mode="nearest")
    side = float(np.sqrt(small.size))
    size = tuple(int(fft.next_fast_len(2 * n)) for n in small.shape)
    spectrum = fft.rfft2(small, s=size)
    known = fft.rfft2(np.ones_like(small), s=size)
    v = np.minimum(np.arange(size[0]), size[0] - np.arange(size[0]))[:, None]
    u = np.minimum(np.arange(size[1]), size[1] - np.arange(size[1]))[None, :]
    away = np.hypot(v, u)
    best = 0.0
    for share in _RADII:
        radius, half = share * side, max(_RIM * side, 1.0)
        means = []
        for middle in (radius - 3 * half, radius, radius + 3 * half):
            ring = fft.rfft2((np.abs(away - middle) <= half).astype(np.float64))
            total = fft.irfft2(spectrum * ring, s=size)[: small.shape[0], : small.shape[1]]
            count = fft.irfft2(known * ring, s=size)[: small.shape[0], : small.shape[1]]
            means.append(np.where(count > 0.75 * count.max(), total / np.maximum(count, 1), np.nan))
        higher = means[1] - np.fmax(means[0], means[2])
        if np.isfinite(higher).any():
            best = max(best, float(np.nanmax(higher)))
    return best


RING_DENSITY = Measure(
    name="ring_density",
    unit="optical density",
    title="density of the darkest large ring above what lies on either side of it",
    direction="lower is better",
    range=(0, np.inf),
    source=(
        "Integro-differential search for circles (Daugman, IEEE Trans. Pattern Anal. 15(11), 1993) in optical "
        "density: largest difference between the mean along a circle of 8.5 to 36 % of the image's side in radius and "
        "the higher of the means along its two neighbours, three quarters of the circle in view."
    ),
    limits="Round glands and vessels with dense walls raise it; bubbles cut by the border may be missed.",
    needs=slide.bounded_colour,
    value=_ring_density,
)

DEGRADATION = Degradation(
    name="histopathology.air_bubble",
    draw=_draw,
    apply=_apply,
    measurement=RING_DENSITY,
    thresholds=Thresholds(
        clean=0.16,
        mild=0.29,
        severe=0.47,
        worst=0.64,
        basis="Medians over 14 H&E bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
