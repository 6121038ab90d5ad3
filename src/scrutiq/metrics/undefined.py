"""What a measurement says where it has no value."""

from __future__ import annotations

from scrutiq.core import ScrutiqError

__all__ = ["Undefined"]


class Undefined(ScrutiqError):
    """A measurement has no value on this image; the message is the reason, one sentence.

    `scrutiq.metrics.measure` leaves such a measurement out and `scrutiq.metrics.why_not` gives the reason, so that
    neither NaN nor a made-up number ever stands for "not measured".
    """
