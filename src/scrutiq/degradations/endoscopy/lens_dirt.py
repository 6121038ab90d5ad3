"""Dirt on the lens: droplets and film far out of focus, which scatter and weaken the light of a part of the field."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.endoscopy import scene
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import Context, Measure
from scrutiq.metrics.undefined import Undefined

__all__ = ["DEGRADATION", "DETAIL_LOSS"]

Array = npt.NDArray[np.float64]

_DROPLETS = 40
#: Width of the soft edge of a droplet, share of its radius: the aperture, seen from so near.
_SOFT = 0.25
#: How far light is scattered behind a droplet, share of the extent, and which share of it does not come back.
_SCATTER, _LOSS = 0.022, 0.25

#: Detail that is usual in a field, as a quantile over it, and the share of it that is little.
_USUAL, _LITTLE = 0.75, 0.35


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    view = scene.view_of(image)
    size = scene.extent_of(view)
    spots = scene.places(view.astype(np.float64), _DROPLETS, rng)
    radii = np.exp(rng.uniform(np.log(0.025), np.log(0.085), _DROPLETS)) * size
    loss = rng.uniform(-0.3, 1.0, _DROPLETS) * _LOSS
    stay = round(geometric(5, _DROPLETS, severity))
    strength = geometric(0.4, 1, severity)
    return {
        "droplets": [
            [float(y), float(x), float(r), float(lost * strength)]
            for (y, x), r, lost in zip(spots, radii, loss, strict=True)
        ][:stay],
        "scatter_pixels": geometric(0.4, 1, severity) * _SCATTER * size,
        "opacity": geometric(0.5, 1, severity),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    view = scene.view_of(image)
    light = scene.light_of(image)
    sigma = float(parameters["scatter_pixels"])

    def transfer(down: Array, right: Array) -> Array:
        return np.exp(-2 * (np.pi * sigma) ** 2 * (down**2 + right**2))

    scattered = scene.spread(light, view, transfer, 3 * sigma)
    clear, passed = np.ones(image.shape), np.ones(image.shape)
    y, x = np.indices(image.shape)
    for v, u, radius, lost in parameters["droplets"]:
        rho = np.hypot(y - v, x - u) / radius
        disc = np.clip((1 - rho) / _SOFT + 0.5, 0, 1)
        clear *= 1 - float(parameters["opacity"]) * disc
        passed *= 1 - lost * disc
    dirty = clear[..., None] * light + (1 - clear[..., None]) * scattered
    return scene.finish(image, dirty * passed[..., None], view)


def _detail(context: Context) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Return fine detail relative to the local brightness, and where it was measured."""
    view = context.seen
    low, high = context.range
    grey = ((context.grey - low) / (high - low)).astype(np.float64)
    grey = np.where(view, grey, 0)
    side = max(7, round(0.05 * scene.extent_of(view)))
    inner = ndimage.binary_erosion(view, iterations=3, border_value=1)
    fine = grey - ndimage.gaussian_filter(grey, 1.5)
    share = ndimage.uniform_filter(inner.astype(np.float64), side)
    power = ndimage.uniform_filter(np.where(inner, np.abs(fine), 0), side) / np.maximum(share, 1e-6)
    return power, inner & (share > 0.5)


def _detail_loss(context: Context) -> float:
    power, where = _detail(context)
    if not where.any():
        raise Undefined("The field of view is too small.")
    values = power[where]
    return 100 * float(np.mean(values < _LITTLE * np.quantile(values, _USUAL)))


DETAIL_LOSS = Measure(
    name="detail_loss_area",
    unit="%",
    title="share of the field of view with little fine detail, relative to the rest of it",
    direction="lower is better",
    range=(0, 75),
    source=(
        "Fine detail is the mean size of what a Gaussian of 1.5 pixels removes from luma (focus measure by high-pass "
        "energy; Pertuz, Puig and Garcia, Pattern Recognit. 46(5), 2013), in squares of 5 % of the field's extent; the "
        "share of the field that has less than 35 % of its upper quartile."
    ),
    limits=(
        "A dark lumen or plain mucosa in a part of the frame counts, and so does any other local blur; dirt over more "
        "than three quarters of the field is taken for the usual."
    ),
    needs=scene.bounded_colour,
    value=_detail_loss,
)

DEGRADATION = Degradation(
    name="endoscopy.lens_dirt",
    draw=_draw,
    apply=_apply,
    measurement=DETAIL_LOSS,
    thresholds=Thresholds(
        clean=2.4,
        mild=4.4,
        severe=13,
        worst=29,
        basis="Medians over the 8 clean endoscopic bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
