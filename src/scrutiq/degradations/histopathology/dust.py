"""Dust: dark specks and fibres on the coverslip or in the optics, out of focus, grey whatever the stain."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.histopathology import slide
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import Context, Measure

__all__ = ["DEGRADATION", "GREY_SPECKS"]

Grid = npt.NDArray[np.integer[Any]]

_SPECKS, _FIBRES = 36, 6
#: A speck: least mean density, and highest chroma relative to it. Stained tissue has 0.4 and more.
_DARK, _GREY = 0.32, 0.3


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    side = slide.side_of(image)
    h, w = image.shape
    spots = rng.uniform(0, 1, (_SPECKS, 2)) * (h, w)
    radii = np.exp(rng.uniform(np.log(0.006), np.log(0.024), _SPECKS)) * side
    dense = rng.uniform(0.6, 1.1, _SPECKS)
    ends = rng.uniform(0.05, 0.95, (_FIBRES, 2)) * (h, w)
    headings = rng.uniform(0, 2 * np.pi, (_FIBRES, 3)) * (1, 0.18, 0.18)
    lengths = rng.uniform(0.08, 0.22, _FIBRES) * side
    share = geometric(0.14, 1, severity)
    grown, strength = geometric(0.7, 1, severity), geometric(0.4, 1, severity)
    return {
        "specks": [
            [float(y), float(x), float(r * grown), float(d * strength)]
            for (y, x), r, d in zip(spots, radii, dense, strict=True)
        ][: round(share * _SPECKS)],
        "fibres": [
            [float(y), float(x), float(a), float(b), float(c), float(n)]
            for (y, x), (a, b, c), n in zip(ends, headings, lengths, strict=True)
        ][: round(share * _FIBRES)],
        "fibre_width_pixels": 0.0035 * side,
        "fibre_density": 0.8 * strength,
        "defocus_pixels": 0.006 * side,
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    blocked = np.zeros(image.shape)
    for y, x, radius, dense in parameters["specks"]:
        part, rows, columns = _window(image.shape, y, x, radius + 2)
        inside = np.clip(radius - np.hypot(rows - y, columns - x) + 0.5, 0, 1)
        blocked[part] = np.maximum(blocked[part], dense * inside)
    width, dense = float(parameters["fibre_width_pixels"]), float(parameters["fibre_density"])
    for y, x, heading, bend, more, length in parameters["fibres"]:
        t = np.linspace(0, 1, max(8, int(2 * length)))
        turn = heading + 6 * (bend - 0.56) * t + 6 * (more - 0.56) * t**2
        for v, u in zip(
            y + np.cumsum(np.sin(turn)) * length / len(t), x + np.cumsum(np.cos(turn)) * length / len(t), strict=True
        ):
            part, rows, columns = _window(image.shape, v, u, width + 2)
            inside = np.clip(width - np.hypot(rows - v, columns - u) + 0.5, 0, 1)
            blocked[part] = np.maximum(blocked[part], dense * inside)
    # It lies off the plane of the section: what passes is light, and light is what the defocus spreads.
    passed = np.maximum(slide.defocus(10**-blocked, float(parameters["defocus_pixels"])), 1e-3)
    return slide.with_density(image, slide.density(image) - np.log10(np.minimum(passed, 1))[..., None])


def _window(shape: tuple[int, int], y: float, x: float, reach: float) -> tuple[tuple[slice, slice], Grid, Grid]:
    top, left = max(int(y - reach), 0), max(int(x - reach), 0)
    bottom, right = max(min(int(y + reach) + 2, shape[0]), top), max(min(int(x + reach) + 2, shape[1]), left)
    return np.s_[top:bottom, left:right], np.arange(top, bottom)[:, None], np.arange(left, right)[None, :]


def _grey_specks(context: Context) -> float:
    side = slide.side_of(context.image)
    od = ndimage.gaussian_filter(slide.density(context.image), (0.003 * side, 0.003 * side, 0))
    mean = od.mean(axis=2)
    _, chroma = slide.hue_and_chroma(od)
    grey = (mean > _DARK) & (chroma < _GREY * mean)
    return 100 * np.count_nonzero(grey & context.valid) / np.count_nonzero(context.valid)


GREY_SPECKS = Measure(
    name="grey_area",
    unit="%",
    title="share of the field that is dark without the colour of a stain",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Optical density (Ruifrok and Johnston, Anal. Quant. Cytol. Histol. 23, 2001) of at least 0.32 whose chroma "
        "about the grey axis is less than 0.3 of it: haematoxylin and eosin have 0.4 and more."
    ),
    limits="Black ink, carbon pigment and the dark rim of an air bubble count; small specks on dark nuclei are missed.",
    needs=slide.bounded_colour,
    value=_grey_specks,
)

DEGRADATION = Degradation(
    name="histopathology.dust",
    draw=_draw,
    apply=_apply,
    measurement=GREY_SPECKS,
    thresholds=Thresholds(
        clean=0,
        mild=0.4,
        severe=1.2,
        worst=3.7,
        basis="Medians over 14 H&E bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
