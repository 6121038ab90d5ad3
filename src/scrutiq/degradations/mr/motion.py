"""Rigid motion between the shots of an interleaved acquisition: every shot sees the object in another pose."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.mr.kspace import from_kspace, pixel_mm, put_back, smooth_phase, to_kspace
from scrutiq.degradations.mr.scene import grey_mr, scene
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import Context, Measure, Undefined
from scrutiq.metrics.foreground import filled_grey

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    shots = int(rng.integers(4, 9))
    # A walk from the pose in which the scan began; its farthest step is 1.
    walk = np.cumsum(rng.standard_normal((3, shots)), axis=1)
    walk -= walk[:, :1]
    walk /= np.maximum(np.abs(walk).max(axis=1, keepdims=True), 1e-9)
    translation, rotation = geometric(0.15, 6, severity), geometric(0.1, 4, severity)
    rows, columns = pixel_mm(image)
    return {
        "axis": int(rng.integers(2)),
        "translation_mm": translation,
        "rotation_degrees": rotation,
        "down_pixels": [float(x) for x in walk[0] * translation / rows],
        "right_pixels": [float(x) for x in walk[1] * translation / columns],
        "turn_degrees": [float(x) for x in walk[2] * rotation],
        "phase_seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    axis = parameters["axis"]
    still = filled_grey(image)
    lowest = min(0.0, float(still.min()))
    spline = ndimage.spline_filter(still - lowest, 3, output=np.float32, mode="mirror")
    # The object moves; the phase, which stems from the coils, stays.
    phase = np.exp(1j * smooth_phase(image.shape, parameters["phase_seed"])).astype(np.complex64)
    poses = list(zip(parameters["down_pixels"], parameters["right_pixels"], parameters["turn_degrees"], strict=True))
    kspace = np.zeros(image.shape, dtype=np.complex64)
    lines = np.arange(image.shape[axis])
    for shot, pose in enumerate(poses):
        mine = lines % len(poses) == shot
        seen = to_kspace(_moved(spline, *pose, pixel_mm(image)) * phase)
        if axis == 0:
            kspace[mine] = seen[mine]
        else:
            kspace[:, mine] = seen[:, mine]
    return put_back(image, from_kspace(kspace))


def _moved(
    spline: npt.NDArray[np.float32], down: float, right: float, degrees: float, mm: tuple[float, float]
) -> npt.NDArray[np.float32]:
    """Return the object turned about the centre of the image and then moved."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    ratio = mm[1] / mm[0]
    turn = np.array([[cos, -sin * ratio], [sin / ratio, cos]])
    centre = (np.array(spline.shape) - 1) / 2
    offset = centre - turn @ (centre + np.array([down, right]))
    moved = ndimage.affine_transform(spline, turn, offset, order=3, mode="mirror", prefilter=False)
    return np.asarray(np.maximum(moved, 0))


def _ghosts(context: Context) -> float:
    seen = scene(context)
    # Air in line with the object along each axis, where its ghosts fall, and air in line with it along neither.
    in_line = [np.broadcast_to(seen.hull.any(axis=axis, keepdims=True), seen.hull.shape) for axis in (0, 1)]
    places = [
        seen.air & in_line[0] & ~in_line[1],
        seen.air & in_line[1] & ~in_line[0],
        seen.air & ~in_line[0] & ~in_line[1],
    ]
    levels = [float(seen.values[place].mean()) for place in places if place.sum() >= max(50, 0.004 * place.size)]
    if len(levels) < 2:
        raise Undefined("There is air on one side of the object at most; ghosts cannot be told from noise.")
    return 100 * (max(levels) - min(levels)) / seen.signal


GHOSTS = Measure(
    name="ghost_to_signal_percent",
    unit="%",
    title="signal in the air along one axis beyond that along the other, in percent of the signal",
    direction="lower is better",
    range=(0, math.inf),
    source=(
        "Ghost-to-signal ratio: Giannelli et al., J. Appl. Clin. Med. Phys. 11 (2010); ACR MRI Quality Control Manual "
        "(2015), percent signal ghosting; here with the air beside the convex hull of the object in place of boxes."
    ),
    limits=(
        "It shows ghosts that fall into air, of any cause (motion, flow, N/2), and so needs air on two sides. Blur and "
        "ripples inside the object are not counted."
    ),
    needs=grey_mr,
    value=_ghosts,
)

DEGRADATION = Degradation(
    name="mr.motion",
    draw=_draw,
    apply=_apply,
    measurement=GHOSTS,
    thresholds=Thresholds(
        clean=0.1, mild=3, severe=8.3, worst=16.5, basis="Medians over the real bases (bench/bench_degradations.py)."
    ),
)
