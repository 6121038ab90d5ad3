"""How strong the straight structures are that a slice shows where there should be none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from scrutiq.degradations.ct.where import around, hounsfield, spaced
from scrutiq.metrics import Context, Measure

__all__ = ["AIR_RESIDUE_HU", "STREAKS_HU", "directional_energy"]

Array = npt.NDArray[np.floating]

#: What is denser than this in the air is a thing.
_LIGHTEST_HU = -600.0
_DIRECTIONS, _ALONG, _TREND, _WINDOW = 16, 6.0, 4.0, 9


def directional_energy(values: Array, mask: npt.NDArray[np.bool_]) -> Array:
    """Return the local mean square along the direction in which it is highest.

    Parameters
    ----------
    values : ndarray, shape (H, W)
    mask : ndarray of bool, shape (H, W)
        Where they count. Outside they are not looked at.

    Returns
    -------
    ndarray of float32, shape (H, W)
        The values without their local mean (Gaussian, 4 pixels) are averaged along each of 16 directions (Gaussian, 6
        pixels), squared, and averaged over 9 x 9 pixels; of the directions, the largest. Noise averages out along any
        line, a streak along its own does not.
    """
    values = np.asarray(values, np.float32)
    weight = ndimage.gaussian_filter(mask.astype(np.float32), _TREND)
    trend = ndimage.gaussian_filter(np.where(mask, values, np.float32(0)), _TREND) / np.maximum(
        weight, np.float32(1e-3)
    )
    fine = np.where(mask, values - trend, np.float32(0))
    rows, columns = values.shape
    size = (fft.next_fast_len(rows + 32, True), fft.next_fast_len(columns + 32, True))
    spectrum = fft.rfft2(fine, size)
    down = fft.fftfreq(size[0])[:, None].astype(np.float32)
    right = fft.rfftfreq(size[1])[None].astype(np.float32)
    best = np.zeros_like(fine)
    for turn in np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS:
        along = right * np.float32(np.cos(turn)) + down * np.float32(np.sin(turn))
        blur = np.exp(np.float32(-2 * (np.pi * _ALONG) ** 2) * along * along)
        mean = fft.irfft2(spectrum * blur, size)[:rows, :columns]
        np.maximum(best, ndimage.uniform_filter(mean * mean, _WINDOW), out=best)
    return best


def _streaks(context: Context) -> float:
    air = around(context, farthest_mm=60.0, densest_hu=-400.0, opened=2)
    energy = directional_energy(np.minimum(hounsfield(context), -200.0), air)
    # Sheets and tubes fill some of the air, so not the median.
    return float(np.sqrt(np.quantile(energy[air], 0.25)))


def _residue(context: Context) -> float:
    air = around(context, farthest_mm=40.0, densest_hu=_LIGHTEST_HU)
    return float(np.minimum(hounsfield(context), _LIGHTEST_HU)[air].mean() + 1000)


STREAKS_HU = Measure(
    name="streaks_hu",
    unit="HU",
    title="amplitude of straight structures in the air about the body",
    direction="lower is better",
    range=(0, float("inf")),
    source=(
        "Root of the lower quartile, over the air within 60 mm of the skin, of the local mean square along the "
        "direction of most energy (16 directions). Streaks cross the air; in tissue, anatomy would be taken for them."
    ),
    limits=(
        "A slice whose body fills the field has no air to measure. Values below -1000 HU, which many scanners cut "
        "off, are not seen. Sheets and tubes on the skin count as streaks. It does not tell what made the streaks."
    ),
    needs=spaced,
    value=_streaks,
)

AIR_RESIDUE_HU = Measure(
    name="air_residue_hu",
    unit="HU",
    title="mean CT number above -1000 HU of the air next to the body",
    direction="lower is better",
    range=(0, float("inf")),
    source=(
        "Mean, over the air within 40 mm of the skin, of the CT number cut to -1000 to -600 HU, less -1000. Views "
        "that do not fit together leave shadows and streaks outside the body, where a slice holds nothing: what "
        "ghosting outside the object is in MR (NEMA MS 1-2008)."
    ),
    limits=(
        "A slice whose body fills the field has no air to measure. Sheets, clothing and the cushion of the table "
        "raise it. Noise that is cut off at -1000 HU raises it too. It does not tell motion from other causes of "
        "streaks."
    ),
    needs=spaced,
    value=_residue,
)
