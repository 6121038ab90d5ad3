"""The noise of a scan at a fraction of a stated dose, in its line integrals.

The energy that a detector element collects is taken as Poisson counts of an effective energy plus the normal noise of
its electronics. The image carries the noise of the full dose already, so only the difference is added: nothing at the
full dose, and at a fraction ``f`` a variance of the line integral of::

    (1/f - 1) / N + (1/f^2 - 1) s^2 / N^2

with ``N`` the counts at the full dose and ``s`` the electronic noise (Yu et al., J. Comput. Assist. Tomogr. 36, 2012,
eq. 6-9; Zabic et al., Med. Phys. 40, 031102, 2013).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
import numpy.typing as npt

from scrutiq.core import UsageError
from scrutiq.degradations.ct.attenuation import WATER_PER_MM
from scrutiq.degradations.ct.geometry import Geometry

__all__ = ["REFERENCE", "Dose", "added_noise", "added_variance", "bow_tie", "counts", "noise", "starved"]

Float = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]

#: Radius of the water cylinder that the bow-tie filter evens out, and the share of its attenuation that it adds.
_BOW_TIE_MM, _BOW_TIE_SHARE = 150.0, 0.5
#: Counts below which a detector's logarithm is not taken.
_LEAST = 1.0


@dataclass(frozen=True, kw_only=True)
class Dose:
    """A dose: what falls on the patient along the central ray in one view, and the noise of the electronics.

    Attributes
    ----------
    photons : float
        Of the effective energy, per ray and view, before the patient; the I0 of Beer's law.
    electronic : float
        Standard deviation of the electronic noise, in counts of those photons.

    Raises
    ------
    UsageError
        If there are no photons, or the noise is negative.
    """

    photons: float
    electronic: float

    def __post_init__(self) -> None:
        if not (isfinite(self.photons) and self.photons > 0):
            raise UsageError(f"the photons of a dose are a positive number, not {self.photons}.")
        if not (isfinite(self.electronic) and self.electronic >= 0):
            raise UsageError(f"electronic noise is a number of counts, not {self.electronic}.")


#: The full dose: about 14 HU of noise in the middle of a water cylinder of 320 mm, on pixels of 0.7 mm with the body
#: kernel of `scrutiq.degradations.ct.scan`, as clinical body slices have (bench/bench_ct_dose.py prints it).
REFERENCE = Dose(photons=1e6, electronic=12.0)


def bow_tie(scan: Geometry) -> Array:
    """Return what a body bow-tie filter transmits to each element, 1 in the middle, shape (detectors,).

    It makes up for a share of the attenuation that rays off the middle miss in a cylinder of water, the description of
    the filter in simulations such as Zabic et al. (2013); the shape and share of a vendor's filter are not published.
    """
    _, distance = scan.rays()
    chord = 2 * np.sqrt(np.maximum(_BOW_TIE_MM**2 - distance[0] ** 2, 0))
    return np.asarray(np.exp(-_BOW_TIE_SHARE * WATER_PER_MM * (2 * _BOW_TIE_MM - chord)))


def counts(line_integrals: npt.NDArray[np.floating], scan: Geometry, dose: Dose = REFERENCE) -> Array:
    """Return the expected counts of each ray at a dose, shape (views, detectors)."""
    return np.asarray(dose.photons * bow_tie(scan) * np.exp(-np.asarray(line_integrals, dtype=np.float64)))


def added_variance(expected: Array, fraction: float, dose: Dose = REFERENCE) -> Array:
    """Return the variance that a fraction of a dose adds to line integrals whose noise is that of the dose.

    Parameters
    ----------
    expected : ndarray
        `counts` at the dose.
    fraction : float
        In (0, 1]; 1 adds nothing.
    dose : Dose
    """
    _check(fraction)
    return (1 / fraction - 1) / expected + (1 / fraction**2 - 1) * (dose.electronic / expected) ** 2


def noise(expected: Array, dose: Dose, rng: np.random.Generator) -> Array:
    """Return the error of line integrals that are measured with so many counts.

    Parameters
    ----------
    expected : ndarray
        Counts at this dose.
    dose : Dose
        Its electronic noise.
    rng : numpy.random.Generator
        Two normal numbers a ray are drawn, whatever the counts.

    Returns
    -------
    ndarray of float64
        Of the shape of ``expected``. The logarithm makes it skewed where counts are few, as it is in a scanner.

    Notes
    -----
    Counts are the Poisson quantile to second order in a normal number (Cornish and Fisher, 1938): mean, variance and
    skewness are Poisson's, and, unlike with a Poisson generator, equal seeds give equal noise to rounding on every
    machine and noise that changes smoothly with the dose.
    """
    quantum = rng.standard_normal(expected.shape)
    electronic = rng.standard_normal(expected.shape)
    return _error(expected, dose, quantum, electronic)


def added_noise(
    line_integrals: npt.NDArray[np.floating],
    scan: Geometry,
    fraction: float,
    rng: np.random.Generator,
    dose: Dose = REFERENCE,
) -> Float:
    """Return the noise by which a scan at a fraction of a dose exceeds that at the dose, in the line integrals.

    Parameters
    ----------
    line_integrals : ndarray, shape (views, detectors)
        Of the attenuation.
    scan : ParallelBeam or FanBeam
    fraction : float
        Of the tube current, in (0, 1]; 1 gives zeros.
    rng : numpy.random.Generator
    dose : Dose
        The full one.

    Returns
    -------
    ndarray of float32, shape (views, detectors)
        `noise` at the fraction, scaled so that its variance is `added_variance`.
    """
    full = counts(line_integrals, scan, dose)
    part = full * fraction
    added = added_variance(full, fraction, dose)
    whole = 1 / part + (dose.electronic / part) ** 2
    return np.asarray(noise(part, dose, rng) * np.sqrt(added / whole), dtype=np.float32)


def starved(few: Array, many: Array, dose: Dose, normal: Array) -> Array:
    """Return the noise that line integrals gain when their counts fall.

    Parameters
    ----------
    few, many : ndarray
        Counts after and before, few <= many.
    dose : Dose
        Its electronic noise.
    normal : ndarray, shape (2, *few.shape)
        Normal numbers.
    """
    few = np.maximum(few, _LEAST)
    before, after = (1 / n + (dose.electronic / n) ** 2 for n in (np.maximum(many, _LEAST), few))
    return _error(few, dose, normal[0], normal[1]) * np.sqrt(np.clip(1 - before / after, 0, 1))


def _error(expected: Array, dose: Dose, quantum: Array, electronic: Array) -> Array:
    measured = expected + np.sqrt(expected) * quantum + (quantum**2 - 1) / 6 + dose.electronic * electronic
    return np.asarray(np.log(expected) - np.log(np.maximum(measured, _LEAST)))


def _check(fraction: float) -> None:
    if not 0 < fraction <= 1:
        raise UsageError(f"a fraction of a dose lies above 0 and not above 1, not at {fraction:g}.")
