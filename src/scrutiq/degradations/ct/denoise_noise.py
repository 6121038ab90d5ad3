"""The image of a lower dose, for what denoisers are given: to be trained on, and to leave their texture on."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.ct import dose, scan

__all__ = ["at_dose"]


def at_dose(image: Image, fraction: float, seed: int) -> Image:
    """Return the image as it would be at a fraction of the reference dose, by filtered back-projection of a fan beam.

    Parameters
    ----------
    image : Image
        In HU, with its pixel spacing; taken for one of full dose.
    fraction : float
        Of the dose, in (0, 1].
    seed : int
        Of the noise and of the angle of the first view.

    Returns
    -------
    Image
        Of the same shape. Its noise is that of the image and what `scrutiq.degradations.ct.dose` adds.

    Raises
    ------
    UsageError
        If the spacing is not known, or the fraction is none.
    MissingExtraError
        If numba is not installed.
    """
    rng = np.random.default_rng(seed)
    beam = scan.beam_of(image, scan.draw_scan(rng, beam="fan"))
    error = dose.added_noise(scan.line_integrals(image, beam), beam, fraction, rng)
    return scan.add(image, scan.error_in_hu(error, image, beam), beam)
