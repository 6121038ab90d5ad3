"""Real images of each modality, small enough that every degradation can be made many times."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import scrutiq
from scrutiq.core import Image, Modality, Source

DEMO = Path(__file__).parents[2] / "demo" / "images"

#: One bundled image a modality, and the part of it that is taken: (rows, columns), and the block that is averaged.
_FILES = {
    Modality.CT: ("ct/slice_1.dcm", np.s_[:, :], 2),
    Modality.MR: ("mr/t1_slice.dcm", np.s_[:, :], 1),
    Modality.FUNDUS: ("fundus/retina.jpg", np.s_[:, :], 4),
    Modality.ENDOSCOPY: ("endoscopy/00003.jpg", np.s_[:, :], 3),
    Modality.HISTOPATHOLOGY: ("histopathology/tile_1.jpg", np.s_[:, :], 1),
}


@cache
def base(modality: Modality) -> Image:
    """Return a real image of a modality; for angiography, of which none may be bundled, a synthetic one."""
    if modality is Modality.XA:
        from scrutiq.degradations.xa.phantom import angiogram

        image, _ = angiogram(seed=3, shape=(256, 256))
        return image
    file, part, block = _FILES[modality]
    image = scrutiq.read(DEMO / file, modality=modality.value, frame=0)
    pixels = image.pixels[part]
    h, w = (n // block * block for n in pixels.shape[:2])
    pixels = pixels[:h, :w].reshape(h // block, block, w // block, block, -1).mean(axis=(1, 3)).squeeze()
    spacing = None if image.spacing is None else (image.spacing[0] * block, image.spacing[1] * block)
    return image.replace(pixels=pixels, spacing=spacing, valid=None)


@cache
def volume(modality: Modality) -> tuple[Image, ...]:
    """Return a synthetic volume: spheres of soft tissue and bone in a body, 24 slices of 1 mm."""
    z, y, x = np.mgrid[0:24, 0:128, 0:128].astype(np.float64)
    hu = np.where(((y - 64) / 50) ** 2 + ((x - 64) / 58) ** 2 < 1, 40.0, -1000.0)
    spheres = ((12, 50, 45, 7, 300), (10, 70, 80, 9, 90), (14, 85, 50, 6, -80), (12, 45, 85, 5, 700))
    for cz, cy, cx, radius, value in spheres:
        hu[(z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 < radius**2] = value
    hu += np.random.default_rng(0).normal(0, 8, hu.shape)
    return tuple(
        Image(pixels=s, modality=modality, unit="HU", spacing=(1.0, 1.0), source=Source(frame=k, location=float(k)))
        for k, s in enumerate(hu)
    )


@pytest.fixture
def ct() -> Image:
    return base(Modality.CT)
