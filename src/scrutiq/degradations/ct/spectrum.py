"""A polychromatic beam: what tissue and metal leave of it, and the correction that scanners make for water."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from scrutiq.degradations.ct.attenuation import WATER_PER_MM

__all__ = ["MATERIALS", "hardened", "water_equivalent"]

Array = npt.NDArray[np.float64]

#: What share of the signal stands at 30, 40, 50, 60, 80 and 100 keV: a coarse description of a tungsten spectrum of
#: 120 kV behind 2.5 mm of aluminium, mean 55 keV.
_SHARES = np.array([0.14, 0.24, 0.22, 0.16, 0.16, 0.08])
#: Linear attenuation per mm at those energies: mass attenuation (Hubbell and Seltzer, NISTIR 5632, tables 3
#: and 4) times density; cortical bone of ICRU Report 44.
MATERIALS = {
    "water": 0.1 * 1.00 * np.array([0.3756, 0.2683, 0.2269, 0.2059, 0.1837, 0.1707]),
    "bone": 0.1 * 1.92 * np.array([1.331, 0.6655, 0.4242, 0.3148, 0.2229, 0.1855]),
    "titanium": 0.1 * 4.54 * np.array([4.972, 2.214, 1.213, 0.7661, 0.4052, 0.2721]),
    "steel": 0.1 * 7.87 * np.array([8.176, 3.629, 1.958, 1.205, 0.5952, 0.3717]),
}
#: Thickness of water up to which the correction is tabulated, mm.
_THICKEST = 3000.0


def hardened(water_mm: npt.NDArray[np.floating], material: str = "water", mm: Array | float = 0.0) -> Array:
    """Return the measured line integral, the negative logarithm of what is left of the signal.

    Parameters
    ----------
    water_mm : ndarray
        Tissue along the ray, as mm of water.
    material : str
        A second one, of `MATERIALS`.
    mm : ndarray or float
        How much of it.

    Returns
    -------
    ndarray of float64
        Below the sum of the parts: the beam hardens.
    """
    water = np.asarray(water_mm, dtype=np.float64)
    total = np.zeros(np.broadcast_shapes(water.shape, np.shape(mm)))
    for share, mu, other in zip(_SHARES, MATERIALS["water"], MATERIALS[material], strict=True):
        total += share * np.exp(-mu * water - other * mm)
    return -np.log(np.maximum(total, 1e-300))


def water_equivalent(measured: Array) -> Array:
    """Return the line integral at 70 keV of the water that would be measured so: the correction of a scanner.

    Exact for water alone. Behind metal it is too low: dark bands.
    """
    thickness, integral = _table()
    return np.interp(measured, integral, thickness) * WATER_PER_MM


@cache
def _table() -> tuple[Array, Array]:
    thickness = np.linspace(-20, _THICKEST, 6041)
    return thickness, hardened(thickness)
