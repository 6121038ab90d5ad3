"""Measurements that need more than the target's pixels: a display, a reference, a body part."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Case, Image, Measurement, Modality, Window
from scrutiq.imaging import display_range
from scrutiq.metrics import Context, measure

__all__ = ["NORMAL_DOSE", "body_region", "derive"]

#: Noise of a normal-dose CT as a percentage of the display's width, by region: the median of the normal-dose images of
#: the blind reader study (``bench/fit_measured.py``); without a region, their geometric mean.
NORMAL_DOSE = {"head": 6.78, "abdomen": 4.83, None: 5.72}

#: Shortest side, pixels, of an MR image whose noise can be told from its anatomy.
SMALLEST_MR = 160

_HEAD = ("HEAD", "BRAIN", "SKULL")
_TRUNK = ("ABDOMEN", "LIVER", "KIDNEY", "PELVIS", "ABDOMENPELVIS", "CHEST", "CHESTABDPELVIS", "CHESTABDOMEN")


def derive(case: Case, context: Context) -> dict[str, Measurement]:
    """Measure what depends on the case beyond its target's pixels.

    ``noise_percent``
        Noise as a percentage of the range of the tissue, from the 1st to the 99th percentile of the foreground: the
        one noise that can be compared between uncalibrated images. Not for CT, where ``noise_hu`` or the display's
        width serve, nor for MR with a side below 160 pixels, where every window holds anatomy.
    ``noise_display``
        CT: noise as a percentage of the width of the display window (the data range of a windowed raster).
    ``noise_ratio``
        CT: noise over that of a normal dose: the reference's own where the case has one, else `NORMAL_DOSE` of the
        body part that the file states, else of no known part.
    """
    image = case.target
    level = next((m for m in measure(context, ["noise_hu", "noise"]).values()), None)
    if level is None:
        return {}
    if image.modality is Modality.MR and min(image.shape) < SMALLEST_MR:
        return {}
    if image.modality is not Modality.CT:
        values = context.grey[context.foreground]
        low, high = np.percentile(values, (1, 99))
        return (
            {}
            if high <= low
            else {"noise_percent": Measurement(value=float(100 * level.value / (high - low)), unit="%")}
        )
    found = {}
    if (width := _display_width(image)) is not None:
        found["noise_display"] = Measurement(value=100 * level.value / width, unit="%")
        found["noise_ratio"] = Measurement(
            value=found["noise_display"].value / NORMAL_DOSE[body_region(image)], unit="1"
        )
    reference = case.reference
    if reference is not None and reference.unit == image.unit:
        own = next((m for m in measure(reference, ["noise_hu", "noise"]).values()), None)
        if own is not None and own.value > 0:
            found["noise_ratio"] = Measurement(value=level.value / own.value, unit="1")
    return found


def body_region(image: Image) -> str | None:
    """Return ``head`` or ``abdomen`` (the trunk) by the body part that the file or its sidecar states, else None."""
    part = str(image.metadata.get("body_part", "")).upper()
    return "head" if part in _HEAD else "abdomen" if part in _TRUNK else None


def _display_width(image: Image) -> float | None:
    """Return the width of the display: of the window, or of the data range of a raster that is shown as it is."""
    if isinstance(image.voi, Window):
        return image.voi.width
    shown = display_range(image)
    return shown[1] - shown[0] if image.voi is None and shown is not None and not image.is_calibrated else None
