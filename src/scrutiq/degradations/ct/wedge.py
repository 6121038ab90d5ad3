"""In how many directions an image has no structure: the wedge that a limited angle leaves empty."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from scrutiq.degradations.ct.where import calibrated, hounsfield
from scrutiq.metrics import Context, Measure

__all__ = ["MISSING_WEDGE"]

#: Sectors of the spectrum; the band of frequencies, cycles per pixel; and the share of the median power below which a
#: sector counts as losing.
_SECTORS, _BAND, _LOW = 90, (0.05, 0.2), 0.5


def _missing(context: Context) -> float:
    values = hounsfield(context)
    rows, columns = values.shape
    y, x = np.ogrid[:rows, :columns]
    radius = np.hypot(y - (rows - 1) / 2, x - (columns - 1) / 2) / (min(rows, columns) / 2)
    taper = np.where(radius < 1, np.cos(np.pi / 2 * np.minimum(radius, 1)) ** 2, 0)
    power = np.abs(np.fft.fft2((values - values[radius < 1].mean()) * taper)) ** 2
    down, right = np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns)[None]
    frequency = np.hypot(down, right)
    band = (frequency > _BAND[0]) & (frequency < _BAND[1])
    angle = np.mod(np.arctan2(np.broadcast_to(down, band.shape), right)[band], np.pi)
    sector = np.minimum((angle * _SECTORS / np.pi).astype(int), _SECTORS - 1)
    # Times the squared frequency, since the power of anatomy falls with it.
    weighted = power[band] * frequency[band] ** 2
    count = np.maximum(np.bincount(sector, minlength=_SECTORS), 1)
    level = ndimage.uniform_filter1d(np.bincount(sector, weighted, _SECTORS) / count, 3, mode="wrap")
    middle = float(np.median(level))
    if middle <= 0:
        return 0.0
    return float(180 / _SECTORS * np.clip(1 - level / (_LOW * middle), 0, 1).sum())


MISSING_WEDGE = Measure(
    name="missing_wedge_deg",
    unit="degree",
    title="directions in which the image has lost its structure, of 180 degrees",
    direction="lower is better",
    range=(0, 180),
    source=(
        "Power spectrum of the slice (cosine taper) between 0.05 and 0.2 cycles per pixel in 90 sectors; sectors "
        "below half of the median count by how far they are below. By the central slice theorem a direction that was "
        "not measured is missing from the spectrum (Kak and Slaney, 1988, sec. 3.2)."
    ),
    limits=(
        "An object of few straight edges has empty directions too. Clipping of negative values fills the wedge again, "
        "so that the angle reads low."
    ),
    needs=calibrated,
    value=_missing,
)
