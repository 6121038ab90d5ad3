"""Dark and bright marks that have no colour of their own: what lies in front of the retina dims all colours alike.

Vessels and haemorrhages are dark in green but hardly in red; exudates are bright in green, not in red. A lash, a grain
of dust or a reflection changes all three components by the same share, which tells it from what belongs to the retina.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.degradations.fundus.retina import Reduced

__all__ = ["curvatures", "grey_contrast"]

Array = npt.NDArray[np.float64]


def grey_contrast(view: Reduced, sigma: float) -> Array:
    """Return by how much each place is darker (positive) or brighter (negative) than its surroundings in all colours.

    Parameters
    ----------
    view : Reduced
    sigma : float
        Standard deviation of the Gaussian over a place, pixels; its surroundings are three times as wide.

    Returns
    -------
    ndarray of float64, shape (h, w)
        Natural logarithm of the ratio of the two, of the colour in which it is least; 0 where the colours disagree in
        sign, and outside the field.
    """
    inside = view.field.astype(np.float64)
    weights = [np.maximum(ndimage.gaussian_filter(inside, s), 1e-3) for s in (sigma, 3 * sigma)]
    contrasts = []
    for channel in (0, 1, 2):
        log = np.log(view.light[..., channel] + 0.01) * inside
        near, far = (ndimage.gaussian_filter(log, s) / w for s, w in zip((sigma, 3 * sigma), weights, strict=True))
        contrasts.append(far - near)
    stack = np.stack(contrasts)
    least = np.abs(stack).min(axis=0)
    agree = (stack > 0).all(axis=0) | (stack < 0).all(axis=0)
    return np.where(agree & view.field, np.sign(stack[0]) * least, 0.0)


def curvatures(values: Array, sigma: float) -> tuple[Array, Array]:
    """Return the lesser and the greater eigenvalue of the Hessian at a scale, times the scale's square."""
    yy, xx, xy = (ndimage.gaussian_filter(values, sigma, order=order) * sigma**2 for order in ((2, 0), (0, 2), (1, 1)))
    mean, spread = (yy + xx) / 2, np.hypot((yy - xx) / 2, xy)
    return mean - spread, mean + spread
