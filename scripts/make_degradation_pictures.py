"""Draw how each degradation looks, for docs/reference/degradations.md.

Usage: make_degradation_pictures.py [NAME ...]

Each picture shows a bundled image clean, mild (severity 1/2) and severe (severity 1): above the whole, below the part
where the fault is strongest, pixel by pixel. Angiography is drawn on a synthetic angiogram, since no real one may be
bundled; faults that arise between slices are drawn on a synthetic volume: the plane across its slices above, one slice
below.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from scipy import ndimage

import scrutiq
from scrutiq.core import Image, Modality, Source, Window
from scrutiq.degradations import Degradation, VolumeDegradation, get, names
from scrutiq.degradations.tools import reformat
from scrutiq.imaging import display_range, render

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "assets" / "degradations"
TILE, GAP = 200, 4
SEVERITIES = (0.0, 0.5, 1.0)

#: What the README shows.
SHOWN = ("ct.sparse_view", "mr.motion", "xa.quantum_mottle", "fundus.haze", "endoscopy.bubbles", "histopathology.fold")

FILES = {
    Modality.CT: "ct/slice_1.dcm",
    Modality.MR: "mr/t1_slice.dcm",
    Modality.FUNDUS: "fundus/retina.jpg",
    Modality.ENDOSCOPY: "endoscopy/00003.jpg",
    Modality.HISTOPATHOLOGY: "histopathology/tile_1.jpg",
}


def base(modality: Modality) -> Image:
    if modality is Modality.XA:
        from scrutiq.degradations.xa.phantom import angiogram

        return angiogram(seed=1)[0]
    image = scrutiq.read(ROOT / "demo" / "images" / FILES[modality], modality=modality.value, frame=0)
    step = max(1, min(image.shape) // 700)
    if step == 1:
        return image
    h, w = (n // step * step for n in image.shape)
    pixels = image.pixels[:h, :w].reshape(h // step, step, w // step, step, -1).mean(axis=(1, 3)).squeeze()
    return image.replace(pixels=pixels, valid=None)


def volume() -> tuple[Image, ...]:
    """Return a synthetic thorax: a body, two lungs, a spine and spheres, 40 slices of 1.5 mm."""
    z, y, x = np.mgrid[0:40, 0:200, 0:200].astype(np.float64)
    hu = np.where(((y - 100) / 75) ** 2 + ((x - 100) / 92) ** 2 < 1, 40.0, -1000.0)
    for cx in (60, 140):
        hu[((y - 92) / 45) ** 2 + ((x - cx) / 28) ** 2 + ((z - 20) / 26) ** 2 < 1] = -820
    hu[((y - 150) ** 2 + (x - 100) ** 2 < 14**2) & (np.sin(z / 3) > -0.6)] = 400
    for cz, cy, cx, radius, value in (
        (20, 100, 62, 6, 60),
        (24, 98, 140, 9, 60),
        (18, 80, 100, 12, 180),
        (22, 60, 100, 5, 900),
    ):
        hu[(z - cz) ** 2 * 2.25 + (y - cy) ** 2 + (x - cx) ** 2 < radius**2] = value
    hu += np.random.default_rng(0).normal(0, 8, hu.shape)
    return tuple(
        Image(
            pixels=plane,
            modality=Modality.CT,
            unit="HU",
            spacing=(1.5, 1.5),
            source=Source(frame=k, location=1.5 * k),
            voi=Window(center=0, width=1200),
        )
        for k, plane in enumerate(hu)
    )


def picture(entry: Degradation) -> Pillow.Image:
    subject: Any = volume() if isinstance(entry, VolumeDegradation) else base(entry.modalities[0])
    made = [entry.make(subject, severity, np.random.default_rng(4)) for severity in SEVERITIES]
    above = below = made
    if entry.volume:  # the plane across the slices above, one slice below
        above, below = [reformat(one) for one in made], [one[len(one) // 2] for one in made]
    window = shared_window(above[0])
    shown = [
        [colour(render(one, one.voi if entry.name == "ct.wrong_window" else window)) for one in row]
        for row in (above, below)
    ]
    top, left = worst(*(one.astype(float).mean(axis=2) for one in (shown[1][0], shown[1][-1])))
    sheet = np.full((2 * TILE + GAP, 3 * TILE + 2 * GAP, 3), 255, np.uint8)
    for column in range(3):
        x = column * (TILE + GAP)
        sheet[:TILE, x : x + TILE] = fit(shown[0][column])
        sheet[TILE + GAP :, x : x + TILE] = cut(shown[1][column], top, left)
    return Pillow.fromarray(sheet)


def shared_window(clean: Image) -> Window | None:
    """Return the window in which all are shown where the image states none: that of the clean one."""
    if clean.is_colour or isinstance(clean.voi, Window) or display_range(clean) is not None:
        return clean.voi if isinstance(clean.voi, Window) else None
    return Window.from_bounds(float(clean.pixels.min()), float(np.percentile(clean.pixels, 99.8)))


def worst(clean: npt.NDArray[np.float64], severe: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Return the corner of the tile in which the two differ most, as displayed."""
    smooth = ndimage.uniform_filter(np.abs(severe - clean), TILE, mode="constant")
    y, x = np.unravel_index(int(smooth.argmax()), smooth.shape)
    return tuple(int(np.clip(c - TILE // 2, 0, max(0, n - TILE))) for c, n in zip((y, x), clean.shape, strict=True))


def colour(shown: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=2)


def cut(shown: npt.NDArray[np.uint8], top: int, left: int) -> npt.NDArray[np.uint8]:
    part = shown[top : top + TILE, left : left + TILE]
    return np.pad(part, [(0, TILE - part.shape[0]), (0, TILE - part.shape[1]), (0, 0)])


def fit(shown: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    picture = Pillow.fromarray(shown)
    scale = TILE / max(picture.size)
    picture = picture.resize([max(1, round(n * scale)) for n in picture.size], Pillow.Resampling.LANCZOS)
    tile = Pillow.new("RGB", (TILE, TILE))
    tile.paste(picture, tuple((TILE - n) // 2 for n in picture.size))
    return np.asarray(tile)


def overview() -> Pillow.Image:
    """Return one degradation a modality, clean above and severe below, from the pictures that are there."""
    sheet = Pillow.new("RGB", (len(SHOWN) * (TILE + GAP) - GAP, 2 * TILE + GAP), "white")
    for column, name in enumerate(SHOWN):
        with Pillow.open(OUT / f"{name}.webp") as drawn:
            for row, x in enumerate((0, 2 * (TILE + GAP))):
                sheet.paste(drawn.crop((x, 0, x + TILE, TILE)), (column * (TILE + GAP), row * (TILE + GAP)))
    return sheet


def main(chosen: list[str]) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for name in chosen or names():
        picture(get(name)).save(OUT / f"{name}.webp", quality=72, method=6)
        print(f"written: docs/assets/degradations/{name}.webp")
    overview().save(OUT.with_suffix(".webp"), quality=80, method=6)


if __name__ == "__main__":
    main(sys.argv[1:])
