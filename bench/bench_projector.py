"""Time and error of the CT projector beside scikit-image's, on a phantom whose line integrals are known.

Prints a Markdown table. The errors are root mean square: of the sinogram against the exact line integrals, as a share
of their maximum; of the reconstruction (ramp filter, no apodisation) of that same sinogram against the phantom, inside
the circle that all views see, as a share of water.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from scrutiq.degradations.ct.fbp import fbp
from scrutiq.degradations.ct.geometry import Geometry, ParallelBeam, clinical_fan, parallel_beam
from scrutiq.degradations.ct.phantom import BODY, Ellipse, line_integrals, rasterise
from scrutiq.degradations.ct.projector import pixel_centres, project, threads

WATER = 1000.0


def timed(work: Callable[[], np.ndarray], repeats: int) -> tuple[float, np.ndarray]:
    """Return the shortest time, s, and the result."""
    best, result = np.inf, work()  # the first call compiles, and fills the caches
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return best, result


def relative(error: np.ndarray, scale: float) -> str:
    return f"{100 * np.sqrt(np.mean(np.square(error, dtype=np.float64))) / scale:.3f} %"


def ours(geometry: Geometry, size: int, spacing: float, repeats: int) -> tuple[float, float, str, str]:
    shape, steps = (size, size), (spacing, spacing)
    image = rasterise(BODY, shape, steps)
    exact = line_integrals(BODY, geometry)
    forward, sinogram = timed(lambda: project(image, geometry, steps), repeats)
    back, again = timed(lambda: fbp(sinogram, geometry, shape, steps), repeats)
    inside = circle(size, 0.0)
    return (
        forward,
        back,
        relative(sinogram - exact, exact.max()),
        relative((again - image)[inside], WATER),
    )


def theirs(size: int, views: int, spacing: float, repeats: int) -> tuple[float, float, str, str]:
    from skimage.transform import iradon, radon

    # Their isocentre is the pixel size // 2, ours lies between pixels: the phantom is moved, so that both see the same.
    moved = [Ellipse(e.x + spacing / 2, e.y - spacing / 2, e.a, e.b, e.turn, e.value) for e in BODY]
    image = rasterise(moved, (size, size), (spacing, spacing))
    angles = np.arange(views) * 180 / views
    beam = ParallelBeam(views=views, detectors=size + 1, pitch=spacing)
    exact = line_integrals(BODY, beam)[:, :size]
    forward, sinogram = timed(lambda: radon(image, angles, circle=True), repeats)
    back, again = timed(lambda: iradon(sinogram, angles, filter_name="ramp", circle=True), repeats)
    inside = circle(size, 0.5)
    return (
        forward,
        back,
        relative(sinogram.T * spacing - exact, exact.max()),
        relative((again - image)[inside], WATER),
    )


def circle(size: int, shift: float) -> np.ndarray:
    y, x = pixel_centres((size, size), (1.0, 1.0))
    return np.hypot(x[None] - shift, y[:, None] + shift) < size / 2 - 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--views", type=int, default=720)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    size, views, repeats = options.size, options.views, options.repeats
    spacing = 400 / size
    shape, steps = (size, size), (spacing, spacing)
    wide = parallel_beam(shape, steps, views)
    rows = {
        "scikit-image, parallel": (size, theirs(size, views, spacing, repeats)),
        "Scrutiq, parallel": (
            size,
            ours(replace(wide, detectors=size, pitch=spacing), size, spacing, repeats),
        ),
        "Scrutiq, parallel, finer detector": (wide.detectors, ours(wide, size, spacing, repeats)),
        "Scrutiq, fan": (wide.detectors, ours(clinical_fan(shape, steps, views), size, spacing, repeats)),
    }
    total = rows["scikit-image, parallel"][1]
    print(f"{size} x {size} pixels, {views} views; {threads()} threads of {os.cpu_count()} cores; best of {repeats}\n")
    print("| projector | elements | forward, s | FBP, s | both, s | times as fast | error of sinogram | error of FBP |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, (elements, (forward, back, sinogram, image)) in rows.items():
        both = forward + back
        print(
            f"| {name} | {elements} | {forward:.2f} | {back:.2f} | {both:.2f} | "
            f"{(total[0] + total[1]) / both:.1f} | {sinogram} | {image} |"
        )


if __name__ == "__main__":
    main()
