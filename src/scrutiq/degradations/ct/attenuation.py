"""Hounsfield units and linear attenuation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["AIR_HU", "WATER_PER_MM", "hu_to_attenuation"]

#: Linear attenuation of water at 70 keV, the effective energy of a filtered beam of 120 kV: 0.193 cm^2/g at 1 g/cm^3,
#: between 0.2059 at 60 keV and 0.1837 at 80 keV (Hubbell and Seltzer, NISTIR 5632, table 4; NIST XCOM).
WATER_PER_MM = 0.0193
#: CT number of nothing. Scanners write lower values where they did not reconstruct.
AIR_HU = -1000.0


def hu_to_attenuation(hu: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Return the linear attenuation of CT numbers, per mm, at least 0.

    ``mu = mu_water (1 + HU / 1000)``. A difference of CT numbers is a difference of attenuation times
    ``1000 / mu_water``, so that noise and artefacts go back by that factor alone.

    Parameters
    ----------
    hu : ndarray
        Below -1000 HU, such as the padding about a scan's circle, counts as air; so does what is not finite.
    """
    finite = np.nan_to_num(hu, nan=AIR_HU, posinf=AIR_HU, neginf=AIR_HU)
    mu = np.maximum(finite - AIR_HU, 0) * (WATER_PER_MM / 1000)
    return np.asarray(mu, dtype=np.float32)
