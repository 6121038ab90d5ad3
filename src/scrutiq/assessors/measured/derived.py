"""Measurements that need more than the target's pixels: a display, a reference, a body part."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Case, Image, Measurement, Modality
from scrutiq.imaging import display_range
from scrutiq.metrics import Context, compare, measure

__all__ = ["DERIVED", "NORMAL_DOSE", "body_region", "derive"]

#: What each derived measurement is, as a phrase.
DERIVED = {
    "noise_percent": "noise as a share of the range of the tissue",
    "noise_of_signal": "noise as a share of the median signal: 100 over the signal-to-noise ratio",
    "noise_display": "noise as a share of the range of the windowed raster",
    "noise_ratio": "noise over that of a normal dose",
}
#: Noise of a normal-dose CT as a percentage of the display's width, by region: the median of the normal-dose images of
#: the blind reader study (``bench/fit_measured.py``); without a region, their geometric mean.
NORMAL_DOSE = {"head": 6.78, "abdomen": 4.83, None: 5.72}

#: Shortest side, pixels, of an MR image whose noise can be told from its anatomy.
SMALLEST_MR = 160

#: Between these, HU, CT is compared with a reference: the window of abdominal soft tissue.
SOFT_TISSUE = (-160.0, 240.0)

_HEAD = ("HEAD", "BRAIN", "SKULL")
_TRUNK = ("ABDOMEN", "LIVER", "KIDNEY", "PELVIS", "ABDOMENPELVIS", "CHEST", "CHESTABDPELVIS", "CHESTABDOMEN")


def derive(case: Case, context: Context) -> dict[str, Measurement]:
    """Measure what depends on the case beyond its target's pixels.

    ``noise_percent``
        Noise as a percentage of the range of the tissue, from the 1st to the 99th percentile of the foreground: the
        one noise that can be compared between uncalibrated images. Not for CT and MR.
    ``noise_of_signal``
        MR: noise as a percentage of the median signal of the foreground, counted from zero: 100 over the
        signal-to-noise ratio. Not with a side below 160 pixels, where every window holds anatomy.
    ``noise_display``
        CT as an 8-bit raster, which was windowed before it was stored: noise as a percentage of its range.
    ``noise_ratio``
        CT: noise over that of a normal dose: the reference's own where the case has one on the same scale, else for
        such a raster `NORMAL_DOSE` of the body part that is stated, else of no known part.
    ``psnr``, ``ssim``, ``ms_ssim``, ``vif``, ``gmsd``, ``rmse``
        Against a reference of the same size and scale; CT in HU between -160 and 240 HU.
    """
    image = case.target
    found = _against(image, case.reference)
    level = next((m for m in measure(context, ["noise_hu", "noise"]).values()), None)
    if level is None or (image.modality is Modality.MR and min(image.shape) < SMALLEST_MR):
        return found
    if image.modality is Modality.MR:
        signal = float(np.median(context.grey[context.foreground]))
        if signal > 0:
            found["noise_of_signal"] = Measurement(value=100 * level.value / signal, unit="%")
        return found
    if image.modality is not Modality.CT:
        values = context.grey[context.foreground]
        low, high = np.percentile(values, (1, 99))
        if high > low:
            found["noise_percent"] = Measurement(value=float(100 * level.value / (high - low)), unit="%")
        return found
    if (width := _display_width(image)) is not None:
        found["noise_display"] = Measurement(value=100 * level.value / width, unit="%")
        found["noise_ratio"] = Measurement(
            value=found["noise_display"].value / NORMAL_DOSE[body_region(image)], unit="1"
        )
    reference = case.reference
    if reference is not None and _same_scale(image, reference):
        own = next((m for m in measure(reference, ["noise_hu", "noise"]).values()), None)
        if own is not None and own.value > 0:
            found["noise_ratio"] = Measurement(value=level.value / own.value, unit="1")
    return found


def body_region(image: Image) -> str | None:
    """Return ``head`` or ``abdomen`` (the trunk) by the body part that the file or its sidecar states, else None."""
    part = str(image.metadata.get("body_part", "")).upper()
    return "head" if part in _HEAD else "abdomen" if part in _TRUNK else None


def _display_width(image: Image) -> float | None:
    """Return the width of the display that an 8-bit raster was stored for; no window changes a measurement."""
    shown = display_range(image)
    return None if shown is None or image.is_calibrated else shown[1] - shown[0]


def _same_scale(image: Image, reference: Image) -> bool:
    """Whether values of two images mean the same: the same unit, and the same data range where it is not physical."""
    return image.unit == reference.unit and (image.is_calibrated or image.data_range == reference.data_range)


def _against(image: Image, reference: Image | None) -> dict[str, Measurement]:
    if reference is None or image.shape != reference.shape or not _same_scale(image, reference):
        return {}
    span = SOFT_TISSUE if image.is_calibrated else image.data_range
    return {} if span is None else compare(image, reference, data_range=span)
