"""Bubbles and foam: thin films that mirror light at their rim and displace what is seen through them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.endoscopy import scene
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import displace, geometric
from scrutiq.metrics import Context, Measure

__all__ = ["BUBBLE_AREA", "DEGRADATION"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

_BUBBLES = 170
#: Clusters about which foam gathers.
_CLUSTERS = 5
#: Light that the rim mirrors, in units of what fills the sensor, and how much darker the film's inner edge is.
_RIM, _SHADE = 0.6, 0.4
#: Width of the rim, share of the radius: the film is seen edge-on there.
_WALL = 0.07
#: To look for bubbles, a frame is averaged in blocks until its field measures less than twice this, pixels.
_EXTENT = 450
#: Radii that are looked for, shares of the extent of the field.
_RADII = (0.008, 0.011, 0.015, 0.02, 0.027, 0.036, 0.048)
#: Least rise across an edge that votes, share of the range a pixel and multiple of the median over the field, which is
#: that of the mucosa's own texture; and least share of a circle that must vote.
_EDGE, _TEXTURE, _SUPPORT = 0.012, 1.5, 0.56
#: Least height of the mean rim over what lies on either side of it, share of the range, and least share of the
#: directions in which it is higher than both.
_HEIGHT, _CLOSED = 0.03, 0.8


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    view = scene.view_of(image)
    size = scene.extent_of(view)
    middles = scene.places(view.astype(np.float64), _CLUSTERS, rng)
    member = rng.integers(_CLUSTERS, size=_BUBBLES)
    wide = rng.normal(0, 0.08 * size, (_BUBBLES, 2))
    # Small ones are the most, as they are in foam: log-uniform, squared towards the small.
    radii = 0.009 * np.exp(np.log(5) * rng.random(_BUBBLES) ** 1.5) * size
    lit = rng.uniform(0, 2 * np.pi, 1)
    found: list[list[float]] = []
    # The first that touches none before it, so that films stand side by side as they do in foam.
    for (y, x), radius in zip(middles[member] + wide, radii, strict=True):
        if all(np.hypot(y - v, x - u) > 0.9 * (radius + r) for v, u, r in found):
            found.append([float(y), float(x), float(radius)])
    # All of them are counted, and as many stay as the severity allows; each grows a little too.
    stay = max(1, round(geometric(0.05, 1, severity) * len(found)))
    return {
        "bubbles": [[y, x, r * geometric(0.75, 1, severity)] for y, x, r in found[:stay]],
        "contrast": geometric(0.5, 1, severity),
        "glint_direction_rad": float(lit[0]),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    view = scene.view_of(image)
    light = scene.light_of(image)
    h, w = image.shape
    down, right = np.zeros((h, w)), np.zeros((h, w))
    mirrored, kept = np.zeros((h, w)), np.ones((h, w))
    toward = float(parameters["glint_direction_rad"])
    strength = float(parameters["contrast"])
    for y, x, radius in parameters["bubbles"]:
        top, left = max(int(y - 1.3 * radius) - 2, 0), max(int(x - 1.3 * radius) - 2, 0)
        part = np.s_[top : max(int(y + 1.3 * radius) + 3, 0), left : max(int(x + 1.3 * radius) + 3, 0)]
        if down[part].size == 0:
            continue
        rows, columns = np.indices(down[part].shape)
        dy, dx = rows + top - y, columns + left - x
        rho = np.hypot(dy, dx) / radius
        inside = np.clip((1 - rho) * radius + 0.5, 0, 1)
        # Through a film on a thin layer of liquid the surface is seen drawn together towards the middle.
        pull = inside * 0.3 * rho**2
        down[part] = np.where(inside > 0, dy * pull, down[part])
        right[part] = np.where(inside > 0, dx * pull, right[part])
        wall = max(_WALL, 0.8 / radius)
        rim = np.exp(-0.5 * ((rho - 1 + wall) / wall) ** 2)
        shade = np.exp(-0.5 * ((rho - 1 + 3.2 * wall) / (1.2 * wall)) ** 2) * inside
        # Reflection of the lamp at the near side of the film, and weaker at the far side.
        angle = np.arctan2(dy, dx) - toward
        side = (0.5 + 0.5 * np.cos(2 * angle)) * (0.7 + 0.3 * np.cos(angle))
        glint = np.exp(-0.5 * (((rho - 0.66) / 0.07) ** 2 + (_wrapped(angle) / 0.18) ** 2))
        mirrored[part] = np.maximum(mirrored[part], rim * (0.35 + 0.65 * side) + 1.6 * glint)
        kept[part] *= 1 - _SHADE * strength * shade
    seen = displace(light, down, right) * kept[..., None]
    return scene.finish(image, seen + _RIM * strength * mirrored[..., None], view)


def _wrapped(angle: Array) -> Array:
    return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi)


def _bubble_area(context: Context) -> float:
    view = context.seen
    low, high = context.range
    grey = ((context.grey - low) / (high - low)).astype(np.float64)
    grey = np.where(view, grey, np.median(grey[view]))
    step = max(1, int(scene.extent_of(view) / _EXTENT))
    if step > 1:
        h, w = (n // step * step for n in view.shape)
        grey = grey[:h, :w].reshape(h // step, step, w // step, step).mean(axis=(1, 3))
        view = view[:h:step, :w:step]
    size = scene.extent_of(view)
    down = ndimage.gaussian_filter(grey, 1, order=(1, 0))
    right = ndimage.gaussian_filter(grey, 1, order=(0, 1))
    steep = np.hypot(down, right)
    inner: Bool = ndimage.binary_erosion(view, iterations=4, border_value=1)
    if not inner.any():
        return 0.0
    y, x = np.nonzero((steep > max(_EDGE, _TEXTURE * float(np.median(steep[inner])))) & inner)
    if y.size == 0:
        return 0.0
    ny, nx = down[y, x] / steep[y, x], right[y, x] / steep[y, x]
    angle = np.arctan2(ny, nx)
    covered = np.zeros(view.shape, dtype=bool)
    for share in _RADII:
        radius = share * size
        if radius >= 2.5:
            support = _support(y, x, ny, nx, angle, radius, view.shape)
            covered |= _discs(_rimmed(grey, support, radius), radius, view.shape)
    return 100 * np.count_nonzero(covered & view) / np.count_nonzero(view)


def _rimmed(grey: Array, support: Array, radius: float) -> Array:
    """Return the middles of circles, shape (n, 2), that have a closed bright rim at about that radius."""
    top = ndimage.maximum_filter(support, max(3, round(radius / 2) | 1))
    middles = np.argwhere((support >= _SUPPORT) & (support == top)).astype(np.float64)
    if not len(middles):
        return middles
    directions = np.arange(24) * (2 * np.pi / 24)
    rho = np.arange(0.4, 1.75, 0.1) * radius
    v = middles[:, 0, None, None] + rho[:, None] * np.sin(directions)
    u = middles[:, 1, None, None] + rho[:, None] * np.cos(directions)
    profile = ndimage.map_coordinates(grey, [v, u], order=1, mode="nearest")
    mean = profile.mean(axis=2)
    peak = 4 + mean[:, 4:9].argmax(axis=1)
    each = np.arange(len(middles))
    rim = profile[each, peak]
    inside, outside = profile[each, peak - 3], profile[each, np.minimum(peak + 3, len(rho) - 1)]
    higher = rim - np.maximum(inside, outside)
    high = (mean[each, peak] - np.maximum(inside.mean(axis=1), outside.mean(axis=1))) > _HEIGHT
    return np.asarray(middles[high & ((higher > 0.3 * _HEIGHT).mean(axis=1) >= _CLOSED)])


def _support(
    y: npt.NDArray[np.intp],
    x: npt.NDArray[np.intp],
    ny: Array,
    nx: Array,
    angle: Array,
    radius: float,
    shape: tuple[int, int],
) -> Array:
    """Return in which share of the directions about each pixel an edge at that radius rises outwards."""
    directions = 16
    sector = np.floor((angle + np.pi) / (2 * np.pi) * directions).astype(int) % directions
    # Inner edge of a bright rim: brightness rises outwards, so that the middle lies against the gradient.
    v, u = np.rint(y - radius * ny).astype(int), np.rint(x - radius * nx).astype(int)
    ok = (v >= 0) & (v < shape[0]) & (u >= 0) & (u < shape[1])
    votes = np.zeros((directions, *shape), dtype=bool)
    votes[sector[ok], v[ok], u[ok]] = True
    reach = max(1, round(0.12 * radius))
    near = ndimage.maximum_filter(votes, size=(1, 2 * reach + 1, 2 * reach + 1))
    return np.asarray(near.mean(axis=0))


def _discs(middles: Array, radius: float, shape: tuple[int, int]) -> Bool:
    apart = np.ones(shape, dtype=bool)
    if not len(middles):
        return ~apart
    apart[tuple(np.rint(middles).astype(int).T)] = False
    return np.asarray(ndimage.distance_transform_edt(apart) <= radius)


BUBBLE_AREA = Measure(
    name="bubble_area",
    unit="%",
    title="share of the field of view covered by discs with a bright rim",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Circular Hough transform with gradient direction (Kimme, Ballard and Sklansky, Commun. ACM 18(2), 1975): "
        "discs of 0.8 to 4.8 % of the field's extent in radius with the inner edge of a bright rim in 56 % of the "
        "directions, and brighter along the rim than on either side of it in 80 %."
    ),
    limits="Rings of glints count; bubbles below 1 % of the field across, and in dense foam, are missed.",
    needs=scene.bounded_colour,
    value=_bubble_area,
)

DEGRADATION = Degradation(
    name="endoscopy.bubbles",
    draw=_draw,
    apply=_apply,
    measurement=BUBBLE_AREA,
    thresholds=Thresholds(
        clean=0,
        mild=0.92,
        severe=2.3,
        worst=7.3,
        basis="Medians over the 8 clean endoscopic bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
