"""What the degradations of CT share: the scan of an image, and adding what a fault adds.

A fault is made in the line integrals of the image itself. Only the difference that it makes is reconstructed and added,
so that the image is not reconstructed a second time and a small fault is a small change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import pi
from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image, UsageError
from scrutiq.degradations.ct.attenuation import WATER_PER_MM, hu_to_attenuation
from scrutiq.degradations.ct.fbp import fbp
from scrutiq.degradations.ct.geometry import Geometry, clinical_fan, parallel_beam
from scrutiq.degradations.ct.projector import pixel_centres, project
from scrutiq.degradations.spec import Parameters

__all__ = [
    "BEAMS",
    "KERNEL",
    "VIEWS",
    "add",
    "attenuation",
    "beam_of",
    "draw_scan",
    "error_in_hu",
    "from_isocentre",
    "in_scan",
    "line_integrals",
    "spacing_of",
]

Float = npt.NDArray[np.float32]

BEAMS = ("fan", "parallel")
#: Views of a scan: over a turn of a fan beam, over half a turn of a parallel one.
VIEWS = 720
#: Apodisation with which faults are reconstructed: a body kernel, which passes half at half of Nyquist's frequency.
KERNEL = "hann"


def spacing_of(image: Image) -> tuple[float, float]:
    """Return the distance between pixels.

    Raises
    ------
    UsageError
        If it is not known: attenuation depends on it.
    """
    if image.spacing is None:
        raise UsageError("a CT scan is computed in mm, and the pixel spacing of this image is not known: state it.")
    return image.spacing


def draw_scan(rng: np.random.Generator, beam: str | None = None) -> dict[str, Any]:
    """Draw the parameters of a scan: its beam, and the angle of its first view.

    Parameters
    ----------
    rng : numpy.random.Generator
    beam : {"fan", "parallel"}, optional
        Where the fault is one of that beam only.
    """
    drawn = BEAMS[int(rng.integers(len(BEAMS)))]
    return {"beam": beam or drawn, "views": VIEWS, "start_rad": float(rng.uniform(0, 2 * pi)), "kernel": KERNEL}


def beam_of(image: Image, parameters: Parameters) -> Geometry:
    """Return the scan that parameters of `draw_scan` stand for, of an image."""
    make = clinical_fan if parameters["beam"] == "fan" else parallel_beam
    scan: Geometry = make(image.shape, spacing_of(image), int(parameters["views"]))
    return replace(scan, start=float(parameters["start_rad"]))


def attenuation(image: Image) -> Float:
    """Return the attenuation of the image per mm, invalid pixels as air."""
    hu = image.pixels if image.valid is None else np.where(image.valid, image.pixels, np.float32(-1000))
    return hu_to_attenuation(hu)


def line_integrals(image: Image, scan: Geometry) -> Float:
    """Return the line integrals of the attenuation of an image, shape (views, detectors), no unit."""
    return project(attenuation(image), scan, spacing_of(image))


def error_in_hu(
    error: npt.NDArray[np.floating],
    image: Image,
    scan: Geometry,
    kernel: str | Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]] = KERNEL,
    weights: npt.NDArray[np.floating] | None = None,
) -> Float:
    """Return the reconstruction of an error of the line integrals, HU, shape (H, W)."""
    return fbp(error, scan, image.shape, spacing_of(image), kernel, weights) * np.float32(1000 / WATER_PER_MM)


def add(image: Image, error: npt.NDArray[np.floating], scan: Geometry | None = None) -> Image:
    """Return the image with an error in HU added where it was scanned: not to padding, nor beyond the scan field."""
    changed = image.pixels + np.asarray(error, dtype=np.float32)
    within = np.ones(image.shape, dtype=bool) if scan is None else in_scan(image, scan)
    if image.valid is not None:
        within &= image.valid
    return image.replace(pixels=np.where(within, changed, image.pixels))


def in_scan(image: Image, scan: Geometry) -> npt.NDArray[np.bool_]:
    """Return which pixels every view sees, shape (H, W): within half a pixel of the scan field."""
    spacing = spacing_of(image)
    return np.asarray(from_isocentre(image) <= scan.radius + max(spacing) / 2)


def from_isocentre(image: Image) -> npt.NDArray[np.float64]:
    """Return the distance of each pixel from the middle of the image, mm, shape (H, W)."""
    y, x = pixel_centres(image.shape, spacing_of(image))
    return np.hypot(x[None], y[:, None])
