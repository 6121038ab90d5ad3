"""Every measurement that needs no reference, with what it is, where it comes from and what it is not good for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from scrutiq.core import HU, Modality, Window
from scrutiq.metrics import blockiness, contrast, exposure, noise, sharpness
from scrutiq.metrics.context import Context
from scrutiq.metrics.foreground import extremes
from scrutiq.metrics.spec import PIXEL_UNIT, Map, Measure
from scrutiq.metrics.undefined import Undefined

__all__ = ["MEASURES"]

INFINITY = math.inf

# ---- which images a measurement is for ------------------------------------------------------------------------------


def _any(context: Context) -> str | None:
    return None


def _calibrated(context: Context) -> str | None:
    return None if context.image.is_calibrated else "The image is not calibrated in Hounsfield units."


def _uncalibrated(context: Context) -> str | None:
    return "The image is calibrated; its noise is given in Hounsfield units." if context.image.is_calibrated else None


def _colour(context: Context) -> str | None:
    return None if context.image.is_colour else "The image has no colour."


def _bounded(context: Context) -> str | None:
    return None if context.image.data_range is not None else "The data range of the image is not known."


def _bounded_colour(context: Context) -> str | None:
    return _colour(context) or _bounded(context)


def _spaced(context: Context) -> str | None:
    return None if context.image.spacing is not None else "The pixel spacing is not known."


def _unspaced(context: Context) -> str | None:
    return "The pixel spacing is known; distances are given in mm." if context.image.spacing is not None else None


def _lit(context: Context) -> str | None:
    ct = context.image.is_calibrated or context.image.modality is Modality.CT
    return "CT numbers do not depend on an illumination." if ct else None


def _exposed(context: Context) -> str | None:
    reason = _lit(context) or _bounded(context)
    if reason is None and context.range[0] < 0:
        reason = "The format holds signed numbers, so that its lower end is not black."
    return reason


def _displayable(context: Context) -> str | None:
    if _display_range(context) is not None:
        return None
    return "Neither a window nor a data range says what of the image is shown black and white."


# ---- values that need more than one call ----------------------------------------------------------------------------


def _noise_of_component(index: int) -> Callable[[Context], float]:
    def value(context: Context) -> float:
        component = context.image.pixels[..., index]
        return noise.noise_level(noise.local_moments(component, context.tissue, context.windows)[1])

    return value


def _edge_rise(context: Context) -> float:
    try:
        level = context.noise
    except Undefined:
        level = 0.0
    return sharpness.edge_rise(context.grey, context.unclipped, context.image.spacing or (1.0, 1.0), level)[0]


def _clipping_map(side: int) -> Callable[[Context], Map]:
    def values(context: Context) -> Map:
        low, high = context.range
        greatest = extremes(context.image.pixels)[1]
        dark = (side == 0) != context.image.inverted
        at_end = greatest <= low if dark else greatest >= high
        return np.where(context.seen, 100 * at_end.astype(np.float32), np.float32(np.nan))

    return values


def _exposure(context: Context) -> float:
    level = exposure.exposure(context.grey, context.seen, context.range)
    return 100 - level if context.image.inverted else level  # as it is seen: MONOCHROME1 shows low values bright


def _illumination_map(context: Context) -> Map:
    surface = context.illumination
    mean = float(np.nanmean(surface)) - _black(context)
    if mean <= 0:
        raise Undefined("The image is black wherever its illumination could be measured.")
    return ((surface - _black(context)) * (100 / mean)).astype(np.float32)


def _black(context: Context) -> float:
    """Return the level of no light: formats of signed numbers hold values below it that no detector gives."""
    return 0.0 if context.image.data_range is None else max(context.image.data_range[0], 0.0)


def _display_range(context: Context) -> tuple[float, float] | None:
    image = context.image
    if isinstance(image.voi, Window):
        return image.voi.bounds
    return None if image.is_calibrated else image.data_range


def _baseline(name: str) -> Callable[[Context], float]:
    def value(context: Context) -> float:
        from importlib import import_module

        metric = getattr(import_module(f"scrutiq.metrics.{name}"), name)
        try:
            return float(metric(context.grey, data_range=_display_range(context)))
        except ValueError as error:
            raise Undefined(str(error)) from None

    return value


# ---- the measurements -----------------------------------------------------------------------------------------------

_NOISE_SOURCE = (
    "Standard deviation in 15 x 15 windows; lower decile over the windows that lie wholly in the foreground, divided "
    "by its expectation for white noise (chi-square distribution of the sample variance)."
)
_NOISE_LIMITS = (
    "It needs somewhere flat, 15 pixels wide: in a chest slice, or where fine texture fills the image, structure "
    "counts as noise and it reads too high; correlated noise it reads somewhat too low. Little noise is not "
    "quality: an over-smoothed image has little noise too. Values in grey levels do not compare between windows or "
    "scanners."
)
_NPS_SOURCE = (
    "Noise power spectrum of the flattest 32 x 32 regions of the foreground, half overlapping, without their quadratic "
    "trend (ICRU Report 87, 2012; IEC 62220-1-1:2015), radially averaged; {} as in AAPM Task Group 233 (2019)."
)
_NPS_LIMITS = (
    "Anatomy that is left in the regions adds low frequencies, since no flat phantom is imaged. {}Regions of 32 pixels "
    "resolve 1/32 of the sampling frequency. It says how coarse the noise is, not how strong."
)
_RISE_SOURCE = (
    "10-90 % rise of the edge spread function (ISO 12233:2017), averaged over the strongest isolated edges of the "
    "image itself, as patient images stand in for a target in AAPM Task Group 233 (2019)."
)
_RISE_LIMITS = (
    "It rests on the anatomy in view: a soft boundary between tissues counts as blur. It reads some percent low where "
    "noise exceeds a tenth of the height of the edges. An image without isolated edges, or whose edges are cut off by "
    "a display window, has no value."
)
_CLIP_SOURCE = "Count of the pixels at the {} value that the format can hold ({} in a colour image)."
_CAST_SOURCE = (
    "Grey-world assumption (Buchsbaum, J. Franklin Inst. 310, 1980): mean of linear light, from sRGB (IEC 61966-2-1) "
    "to CIELAB (ISO/CIE 11664-4), D65."
)
_CAST_LIMITS = (
    "Most medical colour images are coloured by nature: the fundus is orange, mucosa red, a stained section pink. Only "
    "a departure from what is usual for the same kind of image means a cast. The pixels are taken for sRGB."
)
_BASELINE_LIMITS = (
    "It was made for photographs, so its value on a medical image has no clinical meaning; it is kept for comparison. "
    "It depends on the window of display."
)

_ALL = (
    Measure(
        name="noise_hu",
        unit=HU,
        title="standard deviation of the noise in flat tissue",
        needs=_calibrated,
        value=lambda c: c.noise,
        map=lambda c: noise.noise_map(c.moments[1]),
        direction="lower is better",
        range=(0, INFINITY),
        source=_NOISE_SOURCE,
        limits=_NOISE_LIMITS,
    ),
    Measure(
        name="noise",
        unit=PIXEL_UNIT,
        title="standard deviation of the noise in flat tissue (of luma, in a colour image)",
        needs=_uncalibrated,
        value=lambda c: c.noise,
        map=lambda c: noise.noise_map(c.moments[1]),
        direction="lower is better",
        range=(0, INFINITY),
        source=_NOISE_SOURCE,
        limits=_NOISE_LIMITS,
    ),
    *(
        Measure(
            name=f"noise_{component}",
            unit=PIXEL_UNIT,
            title=f"standard deviation of the noise in the {component} component",
            needs=_colour,
            value=_noise_of_component(index),
            direction="lower is better",
            range=(0, INFINITY),
            source=_NOISE_SOURCE,
            limits=_NOISE_LIMITS,
        )
        for index, component in enumerate(("red", "green", "blue"))
    ),
    *(
        Measure(
            name=f"nps_{which}_per_{unit}",
            unit=f"1/{unit}",
            title=f"{which} frequency of the noise power spectrum",
            direction="neither",
            range=(0, INFINITY),
            source=_NPS_SOURCE.format(how),
            limits=_NPS_LIMITS.format(limit),
            needs=_spaced if unit == "mm" else _unspaced,
            value=value,
        )
        for unit in ("mm", "pixel")
        for which, how, limit, value in (
            (
                "peak",
                "the frequency of the highest power",
                "White noise has no peak, so that its peak frequency is chance; the mean frequency is steadier. ",
                lambda c: c.spectrum.peak,
            ),
            ("mean", "the mean frequency weighted by power", "", lambda c: c.spectrum.mean),
        )
    ),
    *(
        Measure(
            name=f"edge_rise_{suffix}",
            unit=unit,
            title="10-90 % rise distance of the strongest isolated edges",
            direction="lower is better",
            range=(0, INFINITY),
            source=_RISE_SOURCE,
            limits=_RISE_LIMITS,
            needs=needs,
            value=_edge_rise,
        )
        for suffix, unit, needs in (("mm", "mm", _spaced), ("pixels", "pixel", _unspaced))
    ),
    Measure(
        name="blur",
        unit="1",
        title="perceptual blur: how little the image loses when it is blurred once more",
        direction="lower is better",
        range=(0, 1),
        source="Crete et al., Proc. SPIE 6492 (2007), eq. 1-8, kernel of 11 pixels.",
        limits=(
            "Noise looks sharp to it: a noisy image scores less blurred than a clean one. Compare only images of about "
            "the same noise."
        ),
        needs=_any,
        value=lambda c: sharpness.crete_blur(c.grey, c.seen),
        map=lambda c: sharpness.crete_blur_map(c.grey, c.seen),
    ),
    Measure(
        name="contrast_to_noise",
        unit="1",
        title="contrast of the two dominant tissues, in standard deviations of the noise",
        direction="higher is better",
        range=(0, INFINITY),
        source=(
            "|m1 - m2| / sigma (Rose, J. Opt. Soc. Am. 38, 1948), with the medians of the two classes into which "
            "Otsu's threshold (1979) splits the means of the 15 x 15 windows of the foreground."
        ),
        limits=(
            "No region is drawn by hand, so that the anatomy in view decides which two tissues are compared: it "
            "compares only between images of the same anatomy. It says nothing of a lesion."
        ),
        needs=_any,
        value=lambda c: contrast.contrast_to_noise(c.moments[0], c.noise),
    ),
    Measure(
        name="clipped_dark",
        unit="%",
        title="share of the field of view at the lower end of the data range",
        direction="lower is better",
        range=(0, 100),
        source=_CLIP_SOURCE.format("lowest", "all components"),
        limits="Air that a display window shows black counts as clipped, as it is; that is no fault of the image.",
        needs=_bounded,
        value=lambda c: c.clipped_share[1 if c.image.inverted else 0],
        map=_clipping_map(0),
    ),
    Measure(
        name="clipped_bright",
        unit="%",
        title="share of the field of view at the upper end of the data range",
        direction="lower is better",
        range=(0, 100),
        source=_CLIP_SOURCE.format("highest", "any component"),
        limits="Saturation below the end of the format, as after a change of contrast, is seen by `plateau` only.",
        needs=_bounded,
        value=lambda c: c.clipped_share[0 if c.image.inverted else 1],
        map=_clipping_map(1),
    ),
    Measure(
        name="plateau",
        unit="%",
        title="share of the field of view on a flat plateau at the highest value of the image",
        direction="lower is better",
        range=(0, 100),
        source="Count of the pixels in 3 x 3 blocks of the image's own highest value.",
        limits="An object that is evenly white, as in a drawing or a phantom, looks saturated to it.",
        needs=_any,
        value=lambda c: exposure.plateau_share(c.grey, c.seen),
    ),
    Measure(
        name="exposure",
        unit="%",
        title="mean level of the field of view, from black (0) to white (100)",
        direction="neither",
        range=(0, 100),
        source="Mean of the grey values, or of the luma of ITU-R BT.601, on the data range.",
        limits=(
            "Coded values are averaged, not light. In 16-bit formats that are filled only in part it is low without "
            "any fault. It does not apply to CT numbers."
        ),
        needs=_exposed,
        value=_exposure,
    ),
    Measure(
        name="illumination",
        unit="%",
        title="evenness of the illumination: 100 is even, 0 leaves a part dark",
        direction="higher is better",
        range=(0, 100),
        source=(
            "Percent integral uniformity, 100 (1 - (max - min) / (max + min)) (NEMA MS 3-2008), of the quadratic "
            "surface that fits the image best."
        ),
        limits=(
            "Large anatomy that is bright or dark on one side counts as uneven light. Coded values are compared, not "
            "light. In MR it shows the bias field together with the anatomy; in radiography mostly the anatomy."
        ),
        needs=_lit,
        value=lambda c: exposure.uniformity(c.illumination, _black(c)),
        map=_illumination_map,
        map_unit="% of the mean",
    ),
    Measure(
        name="colour_cast",
        unit="CIELAB",
        title="distance of the mean colour from grey",
        direction="neither",
        range=(0, INFINITY),
        source=_CAST_SOURCE,
        limits=_CAST_LIMITS,
        needs=_bounded_colour,
        value=lambda c: math.hypot(*c.colour_cast),
    ),
    *(
        Measure(
            name=f"colour_{axis}",
            unit="CIELAB",
            title=f"CIELAB {axis}* of the mean colour, {what}",
            direction="neither",
            range=(-INFINITY, INFINITY),
            source=_CAST_SOURCE,
            limits=_CAST_LIMITS,
            needs=_bounded_colour,
            value=value,
        )
        for axis, what, value in (
            ("a", "green (negative) to red (positive)", lambda c: c.colour_cast[0]),
            ("b", "blue (negative) to yellow (positive)", lambda c: c.colour_cast[1]),
        )
    ),
    Measure(
        name="blockiness",
        unit="1",
        title="how far differences between pixels stand out on the 8 x 8 grid of JPEG; about 1 without a grid",
        direction="lower is better",
        range=(0, 8),
        source=(
            "After Muijs and Kirenko, EUSIPCO 2005: differences relative to their neighbours, mean on the grid divided "
            "by the mean everywhere, at the phase where it is highest."
        ),
        limits=(
            "An image that was scaled after compression has no grid of 8 any more. In images of less than about 100 "
            "pixels chance raises it by some percent. JPEG 2000 leaves no such grid."
        ),
        needs=_any,
        value=lambda c: blockiness.blockiness(c.grey, c.seen),
        map=lambda c: blockiness.blockiness_map(c.grey, c.seen),
    ),
    *(
        Measure(
            name=name,
            unit="1",
            title=title,
            direction="lower is better",
            range=(-INFINITY, INFINITY) if name == "brisque" else (0, INFINITY if name == "niqe" else 100),
            source=source,
            limits=_BASELINE_LIMITS,
            needs=_displayable,
            value=_baseline(name),
            baseline=True,
        )
        for name, title, source in (
            (
                "brisque",
                "BRISQUE: natural-scene statistics regressed on opinions of degraded photographs",
                "Mittal, Moorthy and Bovik, IEEE Trans. Image Process. 21(12), 2012; regression of `brisque` 0.2.0.",
            ),
            (
                "niqe",
                "NIQE: distance of natural-scene statistics from those of good photographs",
                "Mittal, Soundararajan and Bovik, IEEE Signal Process. Lett. 20(3), 2013; the authors' model.",
            ),
            (
                "piqe",
                "PIQE: share of visibly distorted blocks",
                "Venkatanath et al., NCC 2015; the constants of MATLAB's `piqe`.",
            ),
        )
    ),
)

#: Every measurement that needs no reference, by name.
MEASURES: Mapping[str, Measure] = MappingProxyType({entry.name: entry for entry in _ALL})
