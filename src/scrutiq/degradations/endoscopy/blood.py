"""Blood on the mucosa: pools and streaks that absorb light as haemoglobin does."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft

from scrutiq.core import Image
from scrutiq.degradations.endoscopy import scene
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed, smooth_noise, to_linear
from scrutiq.metrics import Context, Measure

__all__ = ["BLOOD_AREA", "DEGRADATION"]

Array = npt.NDArray[np.float64]

#: Absorption in red, green and blue relative to green: molar extinction of oxyhaemoglobin tabulated by S. Prahl (Oregon
#: Medical Laser Center, 1999), averaged over about 590-660, 510-580 and 440-490 nm.
_ABSORPTION = np.array([0.07, 1.0, 1.1])
#: Light that red cells scatter out of the way to the lens, in every colour, relative to the absorption in green.
_SCATTERED = 0.22
#: Light that red cells scatter back without passing the mucosa, per unit of depth absorbed in green.
_BACKSCATTER = np.array([0.035, 0.003, 0.003])
#: Absorption through the thickest pool, natural logarithm, in green.
_DEEPEST = 3.2

#: Blood: at least this many times as much red as green light, and more than this share of full red light.
_RATIO, _LIT = 9.0, 0.01


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return {
        "covered_share": geometric(0.012, 0.5, severity),
        "depth": geometric(0.55, 1, severity) * _DEEPEST,
        "flow_rad": float(rng.uniform(0, np.pi)),
        "stretch": float(rng.uniform(1.5, 5)),
        "extent_pixels": scene.extent(image),
        "seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    view = scene.view_of(image)
    light = scene.light_of(image)
    field = _streaks(image.shape, parameters)
    edge = np.quantile(field[view], 1 - float(parameters["covered_share"]))
    # The edge of a pool is steep (surface tension), its middle flat.
    depth = float(parameters["depth"]) * np.sqrt(np.clip((field - edge) / 0.6, 0, 1))[..., None]
    seen = light * np.exp(-depth * (_ABSORPTION + _SCATTERED))
    lamp = np.nan_to_num(scene.brightness(image, view))[..., None]
    return scene.finish(image, seen + lamp * (1 - np.exp(-depth)) * _BACKSCATTER, view)


def _streaks(shape: tuple[int, int], parameters: Parameters) -> Array:
    """Return a random field, smooth across and smoother along the direction of flow, with fine ragged detail."""
    size, seed = float(parameters["extent_pixels"]), int(parameters["seed"])
    across = 0.03 * size
    along = across * float(parameters["stretch"])
    angle = float(parameters["flow_rad"])
    fy, fx = fft.fftfreq(shape[0])[:, None], fft.rfftfreq(shape[1])[None, :]
    f_along, f_across = fy * np.sin(angle) + fx * np.cos(angle), fy * np.cos(angle) - fx * np.sin(angle)
    passed = np.exp(-2 * np.pi**2 * ((along * f_along) ** 2 + (across * f_across) ** 2))
    coarse = fft.irfft2(fft.rfft2(np.random.default_rng(seed).standard_normal(shape)) * passed, s=shape)
    coarse = (coarse - coarse.mean()) / max(float(coarse.std()), 1e-12)
    return np.asarray(coarse + 0.12 * smooth_noise(shape, 0.006 * size, seed + 1))


def _blood_area(context: Context) -> float:
    view = context.seen
    low, high = context.range
    light = to_linear(np.clip((context.image.pixels[view] - low) / (high - low), 0, 1))
    red, green = light[:, 0], light[:, 1]
    return 100 * float(np.mean((red > _RATIO * green) & (red > _LIT)))


BLOOD_AREA = Measure(
    name="blood_area",
    unit="%",
    title="share of the field of view as red as blood",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Linear light (IEC 61966-2-1), red at least 9 times green: oxyhaemoglobin absorbs green some 14 times as "
        "strongly as red (molar extinction, S. Prahl, Oregon Medical Laser Center, 1999), so that a layer that halves "
        "green twice leaves red nearly whole. Bare mucosa lies well below."
    ),
    limits="Strongly red mucosa in shadow counts; black clots, and blood in narrow-band imaging, do not.",
    needs=scene.bounded_colour,
    value=_blood_area,
)

DEGRADATION = Degradation(
    name="endoscopy.blood",
    draw=_draw,
    apply=_apply,
    measurement=BLOOD_AREA,
    thresholds=Thresholds(
        clean=0,
        mild=2.5,
        severe=11,
        worst=45,
        basis="Medians over the 8 clean endoscopic bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
