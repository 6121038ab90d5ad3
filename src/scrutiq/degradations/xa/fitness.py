"""Which images the measurements of X-ray angiography are for."""

from __future__ import annotations

from scrutiq.core import Modality
from scrutiq.metrics import Context

__all__ = ["xray_frame"]


def xray_frame(context: Context) -> str | None:
    """Return why an image is no X-ray frame that can be measured in attenuation, or None where it is one."""
    if context.image.modality is not Modality.XA:
        return "The image is no X-ray angiogram."
    if context.image.data_range is None:
        return "The data range of the image is not known."
    if min(context.image.shape) < 64:
        return "The image is smaller than 64 x 64 pixels."
    return None
