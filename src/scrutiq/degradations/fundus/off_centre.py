"""Off-centre field: the eye looked elsewhere, and disc and macula lie at the border of the field or beyond it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.fundus.retina import Field, Reduced, apply_light, field_of, reduced, round_colour
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import displace, geometric
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION", "optic_disc"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

#: How far to either side of the centre of the field the disc is expected, share of the diameter: field 1 of the ETDRS
#: is centred on the disc, field 2 on the macula, with the disc 4.5 mm to its nasal side in a field of 12 to 15 mm.
_USUAL = 0.38


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    angle = float(rng.uniform(-0.5, 0.5))
    place = optic_disc(reduced(Context(image)))
    # Gaze goes off to where it is off already, up or down; a shift to the side could bring the disc from one usual
    # place to another. The worst shift leaves the disc cut by the border, in view as a landmark.
    heading = angle + (np.pi / 2 if place[0] >= 0 else -np.pi / 2)
    step = np.array([np.sin(heading), np.cos(heading)])
    inward = float(place @ step)
    room = -inward + float(np.sqrt(max(inward**2 + 0.47**2 - float(place @ place), 0)))
    shift = geometric(0.02, 1, severity) * max(room, 0.1) * field_of(image).diameter
    return {"shift_pixels": [float(s) * shift for s in step]}


def _apply(image: Image, parameters: Parameters) -> Image:
    down, right = (float(s) for s in parameters["shift_pixels"])

    def change(light: Array, mask: Bool) -> Array:
        return _turned(light, field_of(image, mask), down, right)

    return apply_light(image, change)


def _turned(light: Array, field: Field, down: float, right: float) -> Array:
    """Return the retina moved behind the field stop; where it ends it is continued by its own reflection.

    The reflection at the rim (radius r beyond it shows what lies r inside) keeps the brightness and carries vessels on;
    with distance from the rim it fades into its own blur, since the periphery holds no large vessels.
    """
    y, x = np.indices(field.mask.shape, dtype=np.float64)
    radius = field.diameter / 2 * 0.985  # the outermost pixels mix with the frame
    v, u = y - down - field.centre[0], x - right - field.centre[1]
    distance = np.maximum(np.hypot(v, u), 1e-9)
    # However far beyond the rim, nothing deeper than this is shown, so that no second disc appears.
    depth = 0.12 * field.diameter
    beyond = np.maximum(distance - radius, 0)
    inside = np.where(distance <= radius, distance, radius - depth * (1 - np.exp(-beyond / depth)))
    # A circle that the image's border cuts is continued at that border too.
    source_y = _reflect(field.centre[0] + v * inside / distance, field.mask.shape[0])
    source_x = _reflect(field.centre[1] + u * inside / distance, field.mask.shape[1])
    moved = displace(light, source_y - y, source_x - x)
    where = (beyond > 0) & field.mask
    fade = np.clip(beyond[where] / depth, 0, 1)
    # So blurred, the retina is as good on a coarse grid.
    step = max(1, int(0.01 * field.diameter))
    mask = field.mask[::step, ::step].astype(np.float64)
    width = 0.03 * field.diameter / step
    weight = np.maximum(ndimage.gaussian_filter(mask, width), 1e-3)
    places = [source_y[where] / step, source_x[where] / step]
    for channel in range(3):
        soft = ndimage.gaussian_filter(light[::step, ::step, channel] * mask, width) / weight
        moved[..., channel][where] *= 1 - fade
        moved[..., channel][where] += fade * ndimage.map_coordinates(soft, places, order=1, mode="nearest")
    return moved


def _reflect(places: Array, size: int) -> Array:
    """Return places reflected at both ends of an axis."""
    folded = np.abs(places)
    return np.asarray(np.where(folded > size - 1, np.maximum(2 * (size - 1) - folded, 0), folded))


def _halved(view: Reduced) -> Reduced:
    """Return the view at 200 to 400 pixels across the field, where filters as wide as a disc are fast."""
    step = max(1, int(view.diameter / 200))
    h, w = (n // step * step for n in view.field.shape)
    light = view.light[:h, :w].reshape(h // step, step, w // step, step, 3).mean(axis=(1, 3))
    field = np.asarray(view.field[:h, :w].reshape(h // step, step, w // step, step).all(axis=(1, 3)))
    centre = ((view.centre[0] - (step - 1) / 2) / step, (view.centre[1] - (step - 1) / 2) / step)
    return Reduced(light, field, view.diameter / step, centre)


def optic_disc(view: Reduced) -> Array:
    """Return where the optic disc is, down and right of the centre of the field, in units of its diameter.

    The place of the size of a disc that is brightest against a wider surrounding and crossed by vessels, which run
    vertically there: the product of both (after A. Hoover, M. Goldbaum, IEEE Trans. Med. Imaging 22, 2003: brightness
    and convergence of vessels).

    Parameters
    ----------
    view : Reduced

    Raises
    ------
    Undefined
        If the field is too small to look for it.
    """
    view = _halved(view)
    inside = view.field.astype(np.float64)
    core = ndimage.binary_erosion(view.field, iterations=max(2, int(0.03 * view.diameter)))
    if np.count_nonzero(core) < 400:
        raise Undefined("The field of view is too small to look for the optic disc.")
    green = np.sqrt(np.maximum(view.light[..., 1], 0))

    def smooth(values: Array, share: float) -> Array:
        sigma = share * view.diameter
        return np.asarray(
            ndimage.gaussian_filter(values * inside, sigma) / np.maximum(ndimage.gaussian_filter(inside, sigma), 0.02)
        )

    wide = smooth(green, 0.15)
    bright = np.maximum(smooth(green, 0.03) / np.maximum(wide, 1e-3) - 1, 0)
    fine = np.where(view.field, green - smooth(green, 0.012), 0) / np.maximum(wide, 1e-3)
    slope = ndimage.gaussian_filter(fine, 0.004 * view.diameter, order=(0, 1)) * view.diameter
    vessels = np.sqrt(np.maximum(smooth(np.where(core, slope, 0) ** 2, 0.04), 0))
    score = np.where(core, bright * vessels, 0)
    y, x = np.unravel_index(int(score.argmax()), score.shape)
    return np.asarray((np.array([y, x]) - np.array(view.centre)) / view.diameter)


def _displaced(context: Context) -> float:
    down, right = optic_disc(reduced(context))
    return 100 * float(np.hypot(down, max(abs(right) - _USUAL, 0)))


DISPLACEMENT = Measure(
    name="fundus_disc_displacement",
    unit="% of the field's diameter",
    title="distance of the optic disc from the line on which it is usually photographed",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Between its places in fields 1 (disc) and 2 (macula), left or right, of the Early Treatment Diabetic "
        "Retinopathy Study (ETDRS report 10, Ophthalmology 98, 1991); the disc is found where brightness and vertical "
        "vessels are strongest together (after Hoover and Goldbaum, IEEE Trans. Med. Imaging 22, 2003)."
    ),
    limits=(
        "Bright lesions and reflections can be taken for the disc. Other standard fields (3 to 7), wide-field and "
        "narrow-field photographs place the disc elsewhere by intent. A shift along the line that leaves the disc "
        "on it is not seen."
    ),
    needs=round_colour,
    value=_displaced,
)

DEGRADATION = Degradation(
    name="fundus.off_centre",
    draw=_draw,
    apply=_apply,
    measurement=DISPLACEMENT,
    thresholds=Thresholds(
        clean=2.1,
        mild=4.9,
        severe=12.6,
        worst=35,
        basis="Medians of photographs of HRF, DRIVE and CHASE_DB1 at severity 0, 1/3, 2/3 and 1.",
    ),
)
