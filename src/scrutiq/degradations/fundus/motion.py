"""Motion: eye or camera moves while the shutter is open, and every point is drawn out to a short path."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from scrutiq.core import Image
from scrutiq.degradations.fundus.retina import apply_light, field_of, filter_in_field, reduced, round_colour
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION", "path"]

Array = npt.NDArray[np.float64]

#: Places of the path that are summed.
_STEPS = 512


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return {
        "length_pixels": geometric(0.003, 0.06, severity) * field_of(image).diameter,
        "angle": rng.uniform(0, np.pi),
        "tremor": rng.uniform(0.01, 0.04),  # standard deviation across and along the path, as a share of its length
        "seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    down, right = path(float(parameters["angle"]), float(parameters["tremor"]), int(parameters["seed"]))
    length = float(parameters["length_pixels"])
    # Points spread to their four neighbours: the transfer function of the path sampled at whole pixels.
    y, x = down * length, right * length
    reach = int(np.ceil(max(np.abs(y).max(), np.abs(x).max()))) + 2

    def transfer(shape: tuple[int, int], _: Array, __: Array, channel: int) -> npt.NDArray[np.inexact]:
        kernel = np.zeros(shape)
        top, left = np.floor(y).astype(int), np.floor(x).astype(int)
        for dy in (0, 1):
            for dx in (0, 1):
                share = np.abs(1 - dy - (y - top)) * np.abs(1 - dx - (x - left))
                np.add.at(kernel, ((top + dy) % shape[0], (left + dx) % shape[1]), share / y.size)
        return np.asarray(fft.rfft2(kernel))

    return apply_light(image, lambda light, field: filter_in_field(light, field, transfer, reach))


def path(angle: float, tremor: float, seed: int) -> tuple[Array, Array]:
    """Return a path of unit length about its centre: a drift at even speed, with a smooth random tremor.

    Fixational eye movements are slow drift with a superposed tremor, and the larger saccades run straight (S.
    Martinez-Conde et al., Nat. Rev. Neurosci. 5, 2004).

    Parameters
    ----------
    angle : float
        Of the drift, radians, 0 right and pi/2 down.
    tremor : float
        Standard deviation, as a share of the length.
    seed : int

    Returns
    -------
    down, right : ndarray, shape (512,)
    """
    wander = np.random.default_rng(seed).standard_normal((2, _STEPS))
    wander = ndimage.gaussian_filter1d(wander, _STEPS / 24, axis=1)
    wander *= tremor / wander.std(axis=1, keepdims=True)
    drift = np.linspace(-0.5, 0.5, _STEPS)
    down, right = drift * np.sin(angle) + wander[0], drift * np.cos(angle) + wander[1]
    return down - down.mean(), right - right.mean()


def _smear(context: Context) -> float:
    view = reduced(context)
    width = view.diameter / 25
    inside = view.field.astype(np.float64)
    inner = ndimage.binary_erosion(view.field, iterations=int(0.05 * view.diameter))
    if np.count_nonzero(inner) < 400:
        raise Undefined("The field of view is too small to compare directions.")
    # Vessels, free of the level and of slow changes of the illumination.
    green = np.log(view.light[..., 1] + 0.01)
    slow = ndimage.gaussian_filter(green * inside, width) / np.maximum(ndimage.gaussian_filter(inside, width), 1e-3)
    fine = np.where(view.field, green - slow, 0.0)
    down, right = (ndimage.gaussian_filter(fine, 1.5, order=order)[inner] for order in ((1, 0), (0, 1)))
    variance = float(ndimage.gaussian_filter(fine, 1.5)[inner].var())
    along, across = (float(np.mean(d * d)) for d in (right, down))
    mean, spread = (along + across) / 2, float(np.hypot((along - across) / 2, np.mean(right * down)))
    if mean <= 0 or spread >= mean:
        raise Undefined("Nothing varies in the field of view.")
    longest, shortest = (float(np.sqrt(variance / m)) for m in (mean - spread, mean + spread))
    return 100 * (longest - shortest) / view.diameter


SMEAR = Measure(
    name="fundus_smear",
    unit="% of the field's diameter",
    title="how much longer detail is in one direction than across it",
    direction="lower is better",
    range=(0, np.inf),
    source=(
        "Correlation length sqrt(E[g^2] / E[(dg/dn)^2]) (Taylor microscale; R. J. Adler, The Geometry of Random "
        "Fields, 1981, section 2.4) of the green component in log light, longest less shortest over the directions n, "
        "from the eigenvalues of the structure tensor (J. Bigun, G. H. Granlund, ICCV 1987)."
    ),
    limits=(
        "Vessels that run mostly one way look like motion, up to 0.6 % in good photographs; smears shorter than that "
        "are not told from them. A path that turns smears in all directions and reads as blur instead."
    ),
    needs=round_colour,
    value=_smear,
)

DEGRADATION = Degradation(
    name="fundus.motion",
    draw=_draw,
    apply=_apply,
    measurement=SMEAR,
    thresholds=Thresholds(
        clean=0.1,
        mild=0.13,
        severe=0.6,
        worst=1.3,
        basis="Medians of photographs of HRF, DRIVE and CHASE_DB1 at severity 0, 1/3, 2/3 and 1.",
    ),
    exception="Its rank correlation with the severity is 0.945 on four bases, since a slight smear is not seen.",
)
