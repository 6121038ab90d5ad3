"""Bias field: the sensitivity of a surface coil that was not corrected for."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.mr.coils import loop_profile
from scrutiq.degradations.mr.kspace import complex_image, put_back
from scrutiq.degradations.mr.scene import grey_mr
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import Context, Measure, Undefined
from scrutiq.metrics.foreground import filled_grey, foreground

__all__ = ["DEGRADATION"]

Array = npt.NDArray[np.float64]

#: Pixels brighter than this share of the 99th percentile belong to the object: far below the darkest side of it.
_OBJECT = 0.08


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return {
        # Brightest over darkest place of the field.
        "ratio": math.exp(geometric(0.35, 2.6, severity)),
        "coil_angle": float(rng.uniform(0, 2 * math.pi)),
        "coil_distance": float(rng.uniform(0.8, 1.2)),
        "coil_radius": float(rng.uniform(0.8, 1.4)),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    profile = np.log(
        loop_profile(image.shape, parameters["coil_angle"], parameters["coil_distance"], parameters["coil_radius"])
    )
    # The loop alone is the worst; a body coil mixed in evens it out, which its logarithm scaled down stands for.
    field = np.exp(profile * (math.log(parameters["ratio"]) / max(float(np.ptp(profile)), 1e-9)))
    grey, tissue = filled_grey(image), foreground(image)
    where = tissue if tissue.any() else np.ones_like(tissue)
    kept = float((grey * field)[where].sum() / max(float(grey[where].sum()), 1e-9))
    return put_back(image, np.abs(complex_image(image, 0)) * field / (kept if kept > 0 else 1))


def _bias(context: Context) -> float:
    values = context.grey.astype(np.float64)
    values = values - min(0.0, float(values.min()))
    if np.ptp(values) == 0:
        raise Undefined("The image is constant.")
    smooth = ndimage.gaussian_filter(values, max(1.0, max(values.shape) / 128))
    inside = smooth > _OBJECT * np.percentile(smooth, 99)
    inside = ndimage.binary_erosion(inside, iterations=2)
    y, x = np.nonzero(inside)
    if y.size < 400:
        raise Undefined("The object is too small to fit a field to.")
    step = max(1, y.size // 20_000)
    y, x = y[::step], x[::step]
    level = np.log(smooth[y, x])
    v, u = 2 * y / values.shape[0] - 1, 2 * x / values.shape[1] - 1
    terms = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1)
    weight = np.ones_like(level)
    for _ in range(10):
        # Least absolute deviations by reweighting: small tissues, much brighter or darker, have little say.
        coefficients, *_ = np.linalg.lstsq(terms * weight[:, None], level * weight, rcond=None)
        weight = 1 / np.sqrt(np.maximum(np.abs(level - terms @ coefficients), 0.02))
    field = np.exp(terms @ coefficients)
    return 100 * float(field.std() / field.mean())


BIAS = Measure(
    name="bias_field_percent",
    unit="%",
    title="variation of the smooth field over the object, standard deviation over mean",
    direction="lower is better",
    range=(0, math.inf),
    source=(
        "Quadratic surface through the logarithm of the object's intensities by least absolute deviations; the model "
        "of a multiplicative, smooth field is that of U. Vovk, F. Pernus, B. Likar, IEEE Trans. Med. Imaging 26 (2007)."
    ),
    limits=(
        "Anatomy that is bright on one side, such as fat under the coil side of a spine, counts as a field; some "
        "5 to 20 % are anatomy."
    ),
    needs=grey_mr,
    value=_bias,
)

DEGRADATION = Degradation(
    name="mr.bias_field",
    draw=_draw,
    apply=_apply,
    measurement=BIAS,
    thresholds=Thresholds(
        clean=12, mild=16, severe=28, worst=45, basis="Medians over the real bases (bench/bench_degradations.py)."
    ),
)
