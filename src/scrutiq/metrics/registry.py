"""The measurements by name: what each one is, when it applies, and its value on an image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt

from scrutiq.core import HU, Image, Measurement, UsageError
from scrutiq.metrics import exposure, noise, sharpness
from scrutiq.metrics.context import Context
from scrutiq.metrics.undefined import Undefined

__all__ = ["MEASURES", "PIXEL_UNIT", "Measure", "measure", "measure_map", "why_not"]

Map = npt.NDArray[np.float32]
INFINITY = float("inf")

#: Stands for the unit of the image's own pixel values.
PIXEL_UNIT = "pixel unit"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One measurement: what it is, and how to compute it. A name has one unit, so that columns can be compared.

    Attributes
    ----------
    name : str
        Key in `MEASURES` and in every report.
    unit : str
        `PIXEL_UNIT` stands for the unit of the image's pixel values.
    title : str
        What it is, as a phrase.
    direction : {"lower is better", "higher is better", "neither"}
    range : tuple of float
        Lowest and highest value that it can take.
    source : str
        The paper with equation, or the standard with clause, that defines it.
    limits : str
        What it is not good for.
    needs : callable
        Given a `Context`, returns why the measurement does not apply to that kind of image, or None.
    value : callable
        Given a `Context`, returns the value or raises `Undefined`.
    map : callable, optional
        Given a `Context`, returns where the measurement is how large, float32 (H, W), NaN where undefined.
    map_unit : str, optional
        Unit of the map where it differs from ``unit``.
    """

    name: str
    unit: str
    title: str
    direction: Literal["lower is better", "higher is better", "neither"]
    range: tuple[float, float]
    source: str
    limits: str
    needs: Callable[[Context], str | None]
    value: Callable[[Context], float]
    map: Callable[[Context], Map] | None = None
    map_unit: str | None = None

    def applies(self, image: Image | Context) -> str | None:
        """Return why this measurement does not apply to such an image, or None where it does."""
        context = _context(image)
        if not context.valid.any():
            return "The image has no valid pixel."
        return self.needs(context)

    def compute(self, image: Image | Context) -> float | None:
        """Return the value in `unit_of` the image, or None where it has none (`why_not` says why)."""
        result = _result(self, _context(image))
        return None if isinstance(result, Undefined) else result

    def unit_of(self, image: Image) -> str:
        """Return the unit of the value on this image."""
        return image.unit if self.unit == PIXEL_UNIT else self.unit


def measure(image: Image | Context, names: Iterable[str] | None = None) -> dict[str, Measurement]:
    """Measure an image.

    Parameters
    ----------
    image : Image or Context
        A `Context` keeps what the measurements share, for a later call of `why_not` or `measure_map`.
    names : iterable of str, optional
        All of `MEASURES` when omitted.

    Returns
    -------
    dict of str to Measurement
        A measurement without a value is absent; `why_not` gives the reason.

    Raises
    ------
    UsageError
        If there is no measurement of such a name.
    """
    context = _context(image)
    found = {}
    for entry in _entries(names):
        value = entry.compute(context)
        if value is not None:
            found[entry.name] = Measurement(value=value, unit=entry.unit_of(context.image))
    return found


def why_not(image: Image | Context, names: Iterable[str] | None = None) -> dict[str, str]:
    """Return, for each measurement that has no value on an image, the reason as one sentence."""
    context = _context(image)
    results = {entry.name: _result(entry, context) for entry in _entries(names)}
    return {name: str(result) for name, result in results.items() if isinstance(result, Undefined)}


def measure_map(image: Image | Context, name: str) -> Map:
    """Return where in an image a measurement is how large.

    Parameters
    ----------
    image : Image or Context
    name : str
        One of those in `MEASURES` with a ``map``.

    Returns
    -------
    ndarray of float32, shape (H, W)
        In the measurement's unit, or its ``map_unit``; NaN where undefined.

    Raises
    ------
    UsageError
        If there is no such measurement, or it has no map.
    """
    (entry,) = _entries([name])
    if entry.map is None:
        have = ", ".join(m.name for m in MEASURES.values() if m.map is not None)
        raise UsageError(f"{name!r} has no map; these have one: {have}.")
    context = _context(image)
    nothing = np.full(context.image.shape, np.nan, dtype=np.float32)
    if entry.applies(context) is not None:
        return nothing
    try:
        return entry.map(context)
    except Undefined:
        return nothing


def _context(image: Image | Context) -> Context:
    return image if isinstance(image, Context) else Context(image)


def _entries(names: Iterable[str] | None) -> list[Measure]:
    if names is None:
        return list(MEASURES.values())
    names = list(names)
    if unknown := [name for name in names if name not in MEASURES]:
        raise UsageError(f"there is no measurement {unknown[0]!r}: {', '.join(MEASURES)}.")
    return [MEASURES[name] for name in names]


def _result(entry: Measure, context: Context) -> float | Undefined:
    if entry.name not in context.results:
        reason = entry.applies(context)
        try:
            if reason is not None:
                raise Undefined(reason)
            value = float(entry.value(context))
            if not np.isfinite(value):
                raise Undefined("The values of the image are too large to compute with.")
            context.results[entry.name] = value
        except Undefined as undefined:
            context.results[entry.name] = undefined
    return context.results[entry.name]


def _always(context: Context) -> str | None:
    return None


def _calibrated(context: Context) -> str | None:
    return None if context.image.is_calibrated else "The image is not calibrated in Hounsfield units."


def _uncalibrated(context: Context) -> str | None:
    return "The image is calibrated; its noise is given in Hounsfield units." if context.image.is_calibrated else None


def _colour(context: Context) -> str | None:
    return None if context.image.is_colour else "The image has no colour."


def _bounded(context: Context) -> str | None:
    return None if context.image.data_range is not None else "The data range of the image is not known."


def _spaced(context: Context) -> str | None:
    return None if context.image.spacing is not None else "The pixel spacing is not known."


def _unspaced(context: Context) -> str | None:
    return "The pixel spacing is known; distances are given in mm." if context.image.spacing is not None else None


def _lit(context: Context) -> str | None:
    return "CT numbers do not depend on an illumination." if context.image.is_calibrated else None


def _all(*conditions: Callable[[Context], str | None]) -> Callable[[Context], str | None]:
    return lambda context: next((reason for c in conditions if (reason := c(context)) is not None), None)


def _range(context: Context) -> tuple[float, float]:
    assert context.image.data_range is not None
    return context.image.data_range


def _field(context: Context) -> npt.NDArray[np.bool_]:
    context.require(context.field, "There is no field of view: the image is black.")
    return context.field


def _clipping(context: Context, side: int) -> float:
    return exposure.clipped_share(context.image.pixels, _field(context), _range(context))[side]


def _clipping_map(context: Context, side: int) -> Map:
    low, high = _range(context)
    pixels, colour = context.image.pixels, context.image.is_colour
    if side == 0:
        at_end = (pixels <= low).all(axis=2) if colour else pixels <= low
    else:
        at_end = (pixels >= high).any(axis=2) if colour else pixels >= high
    return np.where(_field(context), at_end.astype(np.float32), np.float32(np.nan))


def _rise(context: Context, spacing: tuple[float, float]) -> float:
    try:
        level = context.noise
    except Undefined:
        level = 0.0
    return sharpness.edge_rise(context.grey, context.unclipped, spacing, level)[0]


def _noise_of_channel(index: int) -> Callable[[Context], float]:
    def value(context: Context) -> float:
        context.require(context.foreground, "There is no foreground.")
        _, sd = noise.local_moments(context.image.pixels[..., index], context.foreground)
        return noise.noise_level(sd)

    return value


def _illumination_map(context: Context) -> Map:
    surface = exposure.illumination_surface(context.grey, _field(context))
    return (100 * surface / np.nanmean(surface)).astype(np.float32)


def _illumination(context: Context) -> float:
    black = context.image.data_range[0] if context.image.data_range is not None else 0.0
    where = _field(context) if context.image.is_colour else context.foreground
    context.require(where, "There is no foreground.")
    return exposure.uniformity(exposure.illumination_surface(context.grey, where), black)


_NOISE_SOURCE = (
    "Local standard deviation in 15 x 15 windows, lower decile over the windows that lie wholly in the foreground, "
    "divided by its expectation for white noise (chi-square distribution of the sample variance)."
)
_NOISE_LIMITS = (
    "It needs somewhere flat: fine texture that fills the image counts as noise. Little noise is not quality: an "
    "over-smoothed image has little noise too. Values in grey levels are not comparable between windows or scanners."
)
_RISE_SOURCE = (
    "10-90 % rise of the edge spread function (ISO 12233:2017), averaged over the strongest isolated edges of the "
    "image itself, as patient images stand in for a target in AAPM Task Group 233 (Med. Phys. 46, 2019)."
)
_RISE_LIMITS = (
    "It shows the sharpest edges of the anatomy in view, so it is an upper bound of the blur of the system. Edges cut "
    "off by a display window look sharper than they are. An image without isolated edges has no value."
)

_ALL = (
    Measure(
        name="noise_hu",
        unit=HU,
        title="standard deviation of the noise in flat tissue",
        direction="lower is better",
        range=(0, INFINITY),
        source=_NOISE_SOURCE,
        limits=_NOISE_LIMITS,
        needs=_calibrated,
        value=lambda c: c.noise,
        map=lambda c: c.moments[1],
    ),
    Measure(
        name="noise",
        unit=PIXEL_UNIT,
        title="standard deviation of the noise in flat tissue (of luma, in a colour image)",
        direction="lower is better",
        range=(0, INFINITY),
        source=_NOISE_SOURCE,
        limits=_NOISE_LIMITS,
        needs=_uncalibrated,
        value=lambda c: c.noise,
        map=lambda c: c.moments[1],
    ),
    *(
        Measure(
            name=f"noise_{name}",
            unit=PIXEL_UNIT,
            title=f"standard deviation of the noise in the {name} component",
            direction="lower is better",
            range=(0, INFINITY),
            source=_NOISE_SOURCE,
            limits=_NOISE_LIMITS,
            needs=_colour,
            value=_noise_of_channel(index),
        )
        for index, name in enumerate(("red", "green", "blue"))
    ),
    Measure(
        name="edge_rise_mm",
        unit="mm",
        title="10-90 % rise distance of the strongest isolated edges",
        direction="lower is better",
        range=(0, INFINITY),
        source=_RISE_SOURCE,
        limits=_RISE_LIMITS,
        needs=_spaced,
        value=lambda c: _rise(c, c.image.spacing or (1.0, 1.0)),
    ),
    Measure(
        name="edge_rise_pixels",
        unit="pixel",
        title="10-90 % rise distance of the strongest isolated edges",
        direction="lower is better",
        range=(0, INFINITY),
        source=_RISE_SOURCE,
        limits=_RISE_LIMITS,
        needs=_unspaced,
        value=lambda c: _rise(c, (1.0, 1.0)),
    ),
    Measure(
        name="blur",
        unit="1",
        title="perceptual blur: how little the image loses when it is blurred once more",
        direction="lower is better",
        range=(0, 1),
        source="Crete et al., Proc. SPIE 6492 (2007), eq. 1-8, kernel of 11 pixels.",
        limits=(
            "Noise looks sharp to it: a noisy image scores less blurred than a clean one. Compare images of the same "
            "noise only."
        ),
        needs=_always,
        value=lambda c: sharpness.crete_blur(c.grey, _field(c)),
        map=lambda c: sharpness.crete_blur_map(c.grey, _field(c)),
    ),
    Measure(
        name="clipped_dark",
        unit="%",
        title="share of the field of view at the lower end of the data range",
        direction="lower is better",
        range=(0, 100),
        source="Count of pixels at the lowest value that the format can hold (all components, in a colour image).",
        limits="Air shown black by a display window counts as clipped, as it is; that is no fault of the image.",
        needs=_bounded,
        value=lambda c: _clipping(c, 0),
        map=lambda c: _clipping_map(c, 0),
    ),
    Measure(
        name="clipped_bright",
        unit="%",
        title="share of the field of view at the upper end of the data range",
        direction="lower is better",
        range=(0, 100),
        source="Count of pixels at the highest value that the format can hold (any component, in a colour image).",
        limits="Saturation below the end of the format, as after a change of contrast, is seen by `plateau` only.",
        needs=_bounded,
        value=lambda c: _clipping(c, 1),
        map=lambda c: _clipping_map(c, 1),
    ),
    Measure(
        name="plateau",
        unit="%",
        title="share of the field of view on a flat plateau at the highest value of the image",
        direction="lower is better",
        range=(0, 100),
        source="Count of pixels in 3 x 3 blocks of the image's own highest value.",
        limits="An object that is evenly white, as in a drawing or a phantom, looks saturated to it.",
        needs=_always,
        value=lambda c: exposure.plateau_share(c.grey, _field(c)),
    ),
)

#: Every measurement that needs no reference, by name.
MEASURES: Mapping[str, Measure] = MappingProxyType({entry.name: entry for entry in _ALL})
