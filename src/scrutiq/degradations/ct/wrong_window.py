"""A wrong window: the CT numbers were cut to the bounds of a window that does not suit the tissue."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image, Window
from scrutiq.degradations.ct.where import calibrated
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import Measure
from scrutiq.metrics.undefined import Undefined

__all__ = ["DEGRADATION", "SATURATED_BODY", "saturated_share"]

Bool = npt.NDArray[np.bool_]

#: Wrong windows: the range of their centre, and of their width, HU. Below the soft tissues all of them are white, above
#: them black; a narrow one in their middle shows noise and nothing of fat and vessels.
WINDOWS = {
    "too low": ((-140.0, -60.0), (80.0, 200.0)),
    "too high": ((110.0, 200.0), (80.0, 200.0)),
    "narrow": ((20.0, 60.0), (40.0, 100.0)),
}
#: How far the bounds lie beyond those of the wrong window falls from the first to nothing with the severity, HU; the
#: second sets the pace.
_FAR, _NEAR = 1000.0, 20.0
#: No tissue is darker than this, HU: what lies at the lower end of the values is then air, or padding.
_AIR = -900.0
#: Share of the range of values below which a mean of 3 x 3 pixels counts as its lower end, and half the width of the
#: gaps that are closed in the outline of the body, pixels: the skin is thin.
_MARGIN, _GAP = 0.03, 4


def saturated_share(image: Image) -> float:
    """Return how much of the body lies at the lowest or the highest value of the image.

    The body is what lies above the lower end with what it encloses, lungs included. Where the lower end is that of air
    (below -900 HU), only the upper end counts.

    Parameters
    ----------
    image : Image
        In HU.

    Returns
    -------
    float
        Percent of the body.

    Raises
    ------
    Undefined
        If the image is constant, or has no body.
    """
    valid = np.ones(image.shape, dtype=bool) if image.valid is None else image.valid
    low, high = float(image.pixels[valid].min()), float(image.pixels[valid].max())
    if low == high:
        raise Undefined("The image is constant.")
    tolerance = 1e-4 * (high - low)
    values = np.where(valid, image.pixels, np.float32(low))
    cut = low > _AIR
    dark = (values <= low + tolerance) & cut
    bright = values >= high - tolerance
    lit = ndimage.uniform_filter(values, 3, mode="nearest") > (low + _MARGIN * (high - low) if cut else -300.0)
    # The outermost pixel of the mean mixes with what lies outside.
    body = ndimage.binary_erosion(_outlined(lit), border_value=1) & valid
    if not body.any():
        raise Undefined("There is no body in the image.")
    return 100 * np.count_nonzero((dark | bright) & body) / np.count_nonzero(body)


def _outlined(lit: Bool) -> Bool:
    """Return what is lit with what it encloses, small islands left out."""
    padded = np.pad(lit, _GAP)
    closed = ndimage.binary_fill_holes(ndimage.binary_closing(padded, iterations=_GAP))[_GAP:-_GAP, _GAP:-_GAP]
    labels, count = ndimage.label(closed)
    if count == 0:
        return np.asarray(closed)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= sizes.max() / 4)[labels])


SATURATED_BODY = Measure(
    name="saturated_body",
    unit="%",
    title="share of the body at the lowest or the highest CT number of the image",
    direction="lower is better",
    range=(0, 100),
    source="Count of the pixels of the body at either end of the values, where a window cuts (DICOM PS3.3 C.11.2.1.2).",
    limits=(
        "Lungs that a soft-tissue window shows black count, for they are lost. Fat that is black and not enclosed by "
        "skin or muscle is taken for air. A window that is too wide saturates nothing."
    ),
    needs=calibrated,
    value=lambda c: saturated_share(c.image),
)


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    kind = list(WINDOWS)[int(rng.integers(len(WINDOWS)))]
    (left, right), (narrow, wide) = WINDOWS[kind]
    centre = float(rng.uniform(left, right))
    width = narrow * (wide / narrow) ** float(rng.uniform())
    away = geometric(_FAR, _NEAR, severity) - _NEAR
    return {"kind": kind, "center_hu": centre, "width_hu": width + 2 * away}


def _apply(image: Image, parameters: Parameters) -> Image:
    half = float(parameters["width_hu"]) / 2
    low, high = float(parameters["center_hu"]) - half, float(parameters["center_hu"]) + half
    pixels = np.clip(image.pixels, low, high)
    return image.replace(
        pixels=pixels if image.valid is None else np.where(image.valid, pixels, image.pixels),
        voi=Window.from_bounds(low, high),
    )


DEGRADATION = Degradation(
    name="ct.wrong_window",
    draw=_draw,
    apply=_apply,
    measurement=SATURATED_BODY,
    thresholds=Thresholds(
        clean=0,
        mild=45,
        severe=63,
        worst=77,
        basis="Medians of 12 clinical slices of TCIA, mostly of the chest, at severity 0, 1/3, 2/3 and 1.",
    ),
)
