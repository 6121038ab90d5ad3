"""Drawn outliers: screens, ultrasound, radiographs, angiograms, retinas, for the fit of the domain check alone.

Real pictures with a licence that shipped weights can bear are few, so these stand beside them. They are no substitute
for real ones: the check is tested on real ones only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import UsageError

__all__ = ["DRAWINGS", "draw"]

Levels = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float64]

_WORDS = """
patient study series image protocol scan slice the of and to in is for with not open file edit view
window help save print cancel apply settings name date size type value total report table figure page
next previous search dose kVp mAs contrast delay abdomen head chest spine left right level zoom pan
rotate export import send receive server error warning complete ready user login password network folder
documents pictures music video desktop def return class import from lambda yield while true false none
list dict print range self value key item
"""


def draw(kind: str, seed: int) -> Levels:
    """Draw one picture.

    Parameters
    ----------
    kind : {"screen", "ultrasound", "radiograph", "angiogram", "fundus"}
    seed : int

    Returns
    -------
    ndarray of uint8, shape (H, W) or (H, W, 3)

    Raises
    ------
    UsageError
        If there is no such kind.
    """
    if kind not in DRAWINGS:
        raise UsageError(f"nothing is drawn by the name {kind!r}; there are {', '.join(DRAWINGS)}.")
    return DRAWINGS[kind](np.random.default_rng([seed, *kind.encode()]))


# ---------------------------------------------------------------------------------------------------------- ultrasound


def _ultrasound(rng: np.random.Generator) -> Levels:
    """Return a B-mode image: scatterers under a point spread that widens with depth, envelope, logarithm, sector.

    Fully developed speckle is the envelope of a complex Gaussian field (R. F. Wagner et al., IEEE Trans Sonics Ultrason
    1983;30:156-163); the point spread is short along the beam and wide across it.
    """
    depth, beams = 360, 240
    scatter = _tissue(rng, (depth, beams))
    field = rng.standard_normal((depth, beams)) + 1j * rng.standard_normal((depth, beams))
    field = field * np.sqrt(scatter)
    along, across = float(rng.uniform(0.8, 2.0)), float(rng.uniform(1.2, 4.0))
    near, far = (_spread(field, along, across * factor) for factor in (0.7, 1.8))
    share = np.linspace(0, 1, depth)[:, None]
    envelope = np.abs((1 - share) * near + share * far)
    envelope = envelope * np.exp(-share * float(rng.uniform(0, 2.0)))
    envelope = envelope / np.quantile(envelope, 0.995)
    dynamic = float(rng.uniform(45, 75))
    level = np.clip(1 + 20 * np.log10(envelope + 1e-6) / dynamic, 0, 1)
    if rng.random() < 0.3:  # a phantom, or air: only the first echoes
        level = level * np.clip(1.4 - 2.5 * share, 0, 1)
    return _scanner(_sector(level, rng), rng)


def _spread(field: npt.NDArray[np.complex128], along: float, across: float) -> npt.NDArray[np.complex128]:
    real, imaginary = (ndimage.gaussian_filter(part, (along, across)) for part in (field.real, field.imag))
    return np.asarray((real + 1j * imaginary) * np.sqrt(along * across))


def _tissue(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Return how strongly each place scatters: layers, bright interfaces, cysts, shadows."""
    depth, beams = shape
    texture = ndimage.gaussian_filter(rng.standard_normal(shape), (depth / 14, beams / 8))
    scatter = np.exp(1.2 * texture / texture.std())
    rows, columns = np.mgrid[:depth, :beams]
    for _ in range(int(rng.integers(1, 6))):
        where = rng.uniform(0.05, 0.95) * depth + 12 * np.sin(columns / beams * rng.uniform(1, 8) + rng.uniform(0, 6))
        scatter += rng.uniform(5, 60) * np.exp(-(((rows - where) / rng.uniform(1, 4)) ** 2))
    for _ in range(int(rng.integers(0, 5))):
        y, x = rng.uniform(0.15, 0.9) * depth, rng.uniform(0.1, 0.9) * beams
        inside = ((rows - y) / rng.uniform(15, 70)) ** 2 + ((columns - x) / rng.uniform(12, 60)) ** 2 < 1
        scatter[inside] *= 10 ** rng.uniform(-2.5, 0.5)
    for _ in range(int(rng.integers(0, 3))):
        x, width, start = rng.uniform(0, beams), rng.uniform(6, 24), rng.uniform(0.2, 0.7) * depth
        scatter[(np.abs(columns - x) < width) & (rows > start)] *= 0.03
    return np.asarray(scatter)


def _sector(level: Array, rng: np.random.Generator) -> Array:
    """Return the beams where they lie: parallel, or fanned out from a curved or a phased array."""
    side = int(rng.integers(300, 620))
    wide = int(side * rng.uniform(1.0, 1.5))
    depth, beams = level.shape
    rows, columns = np.mgrid[:side, :wide].astype(float)
    if rng.random() < 0.3:
        edge = rng.uniform(0.0, 0.2) * wide
        beam = (columns - edge) / (wide - 2 * edge) * (beams - 1)
        reach = rows / side * depth
    else:
        half = rng.uniform(0.5, 0.85)
        radius = rng.uniform(0.02, 0.4) * side
        y, x = rows + radius * np.cos(half) - 4, columns - wide / 2
        distance, angle = np.hypot(y, x), np.arctan2(x, y)
        beam = (angle / half + 1) / 2 * (beams - 1)
        reach = (distance - radius) / (side * 0.97) * depth
    shown = ndimage.map_coordinates(level, [reach, beam], order=1, cval=0.0)
    inside = (beam >= 0) & (beam <= beams - 1) & (reach >= 0) & (reach <= depth - 1)
    return np.where(inside, shown, 0.0)


def _scanner(view: Array, rng: np.random.Generator) -> Levels:
    """Return the view on a scanner's screen, with its text, bars and, at times, colour flow; or the view alone."""
    from PIL import Image as Picture
    from PIL import ImageDraw

    shown = np.round(255 * np.clip(view, 0, 1) ** rng.uniform(0.8, 1.3)).astype(np.uint8)
    if rng.random() < 0.2:
        return shown
    height, width = shown.shape
    top, left = int(rng.uniform(0.02, 0.2) * height), int(rng.uniform(0.02, 0.3) * width)
    canvas = np.full((int(height * rng.uniform(1.1, 1.4)), int(width * rng.uniform(1.1, 1.6)), 3), 0, np.uint8)
    top, left = min(top, canvas.shape[0] - height), min(left, canvas.shape[1] - width)
    canvas[top : top + height, left : left + width] = shown[..., None]
    if rng.random() < 0.35:
        _flow(canvas[top : top + height, left : left + width], rng)
    picture = Picture.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    colours = [(230, 230, 230), (160, 200, 255), (255, 220, 120), (120, 255, 160)]
    for _ in range(int(rng.integers(4, 24))):
        x, y = (
            int(rng.uniform(0, 0.85) * canvas.shape[1]),
            int(rng.choice([rng.uniform(0, 0.15), rng.random()]) * canvas.shape[0]),
        )
        pen.text((x, y), _sentence(rng, 1, 3), fill=colours[int(rng.integers(4))], font=_font(int(rng.integers(9, 17))))
    bar = int(canvas.shape[1] * 0.97)
    for row in range(int(0.1 * canvas.shape[0]), int(0.4 * canvas.shape[0])):
        grey = int(255 - 255 * (row / canvas.shape[0] - 0.1) / 0.3)
        pen.line([(bar, row), (bar + 8, row)], fill=(grey, grey, grey))
    for tick in np.linspace(top, top + height, 11):
        pen.line([(left + width + 2, int(tick)), (left + width + 7, int(tick))], fill=(200, 200, 200))
    found = np.asarray(picture)
    return found if rng.random() < 0.6 else np.asarray(picture.convert("L"))


def _flow(view: Levels, rng: np.random.Generator) -> None:
    height, width = view.shape[:2]
    top, left = int(rng.uniform(0.2, 0.5) * height), int(rng.uniform(0.2, 0.5) * width)
    box = view[top : top + height // 3, left : left + width // 3]
    blob = ndimage.gaussian_filter(rng.standard_normal(box.shape[:2]), 9)
    blob /= blob.std()
    speed = np.clip(np.abs(blob) - 0.8, 0, 1) * 255
    box[blob > 0.8] = np.stack([speed, speed * 0.3, 0 * speed], axis=-1)[blob > 0.8].astype(np.uint8)
    box[blob < -0.8] = np.stack([0 * speed, speed * 0.4, speed], axis=-1)[blob < -0.8].astype(np.uint8)


# ---------------------------------------------------------------------------------------------------------- radiograph


def _radiograph(rng: np.random.Generator) -> Levels:
    """Return the shadow of a limb, or of a chest: thicknesses add, quanta are counted, the film is logarithmic."""
    height, width = int(rng.integers(360, 760)), int(rng.integers(320, 760))
    rows, columns = np.mgrid[:height, :width].astype(float)
    y, x = rows / height * 2 - 1, columns / width * 2 - 1
    depth = _chest(rng, y, x) if rng.random() < 0.55 else _limb(rng, y, x)
    texture = ndimage.gaussian_filter(rng.standard_normal(depth.shape), 2.5)
    depth = depth + 0.03 * depth * texture / texture.std()
    depth = ndimage.gaussian_filter(depth, rng.uniform(0.5, 1.5))
    quanta = rng.uniform(800, 20000)
    seen = rng.poisson(quanta * np.exp(-depth)) + 1.0
    film = -np.log(seen / quanta)
    low, high = np.quantile(film, (rng.uniform(0.001, 0.05), rng.uniform(0.97, 0.999)))
    level = np.clip((film - low) / (high - low + 1e-6), 0, 1) ** rng.uniform(0.6, 1.4)
    if rng.random() < 0.25:
        level = 1 - level
    found = np.round(255 * level).astype(np.uint8)
    if rng.random() < 0.5:
        found = _marked(found, rng)
    if rng.random() < 0.3:  # the blades of the collimator
        edge = [int(rng.uniform(0, 0.12) * side) for side in (height, height, width, width)]
        shade = int(rng.choice([0, 0, 255]))
        found[: edge[0]], found[height - edge[1] :], found[:, : edge[2]] = shade, shade, shade
        found[:, width - edge[3] :] = shade
    return np.asarray(found)


def _chest(rng: np.random.Generator, y: Array, x: Array) -> Array:
    body = np.clip(1.2 - (np.abs(x) / rng.uniform(0.8, 1.3)) ** 4, 0, None)
    depth = 2.2 * body * (0.9 + 0.25 * y)
    for side in (-1, 1):
        lung = 1 - ((x - side * 0.42) / 0.33) ** 2 - ((y + 0.05) / 0.68) ** 2
        depth -= 1.3 * np.sqrt(np.clip(lung, 0, None))
    heart = 1 - ((x - 0.12) / 0.33) ** 2 - ((y - 0.28) / 0.36) ** 2
    depth += 0.9 * np.sqrt(np.clip(heart, 0, None))
    depth += rng.uniform(0.5, 1.1) * np.exp(-((x / 0.09) ** 2)) * (1 + 0.15 * np.sin(y * 40))
    for rib in np.linspace(-0.8, 0.7, 10):
        line = rib + 0.28 * (np.abs(x) - 0.4) ** 2 * 3 + rng.uniform(-0.02, 0.02)
        bone = np.exp(-(((y - line) / 0.028) ** 2)) + 0.7 * np.exp(-(((y - rib - 0.5 * np.abs(x) + 0.2) / 0.022) ** 2))
        depth += 0.22 * bone * (np.abs(x) < 0.8)
    for side in (-1, 1):
        collar = -0.82 + 0.15 * (x * side)
        depth += 0.35 * np.exp(-(((y - collar) / 0.03) ** 2)) * (x * side > 0.05)
    vessels = ndimage.gaussian_filter(rng.standard_normal(y.shape), (4, 2))
    depth += 0.1 * np.clip(vessels / vessels.std(), 0, 3)
    return np.asarray(np.clip(depth, 0, None))


def _limb(rng: np.random.Generator, y: Array, x: Array) -> Array:
    angle = rng.uniform(-0.5, 0.5)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    depth = 1.1 * np.sqrt(np.clip(1 - (u / rng.uniform(0.35, 0.8)) ** 2, 0, None)) * (0.85 + 0.3 * np.sin(2 * v + 1))
    for bone in rng.uniform(-0.3, 0.3, int(rng.integers(1, 4))):
        radius = rng.uniform(0.05, 0.13) * (1 + 0.8 * np.exp(-(((np.abs(v) - 0.75) / 0.25) ** 2)))
        inside = np.clip(1 - ((u - bone) / radius) ** 2, 0, None)
        marrow = np.clip(1 - ((u - bone) / (0.6 * radius)) ** 2, 0, None)
        depth += 1.2 * np.sqrt(inside) - 0.7 * np.sqrt(marrow)
    return np.asarray(np.clip(depth, 0, None))


def _marked(found: Levels, rng: np.random.Generator) -> Levels:
    from PIL import Image as Picture
    from PIL import ImageDraw

    picture = Picture.fromarray(found)
    place = (int(rng.uniform(0.02, 0.9) * found.shape[1]), int(rng.uniform(0.02, 0.3) * found.shape[0]))
    ImageDraw.Draw(picture).text(
        place, str(rng.choice(["R", "L", "R 2"])), fill=255, font=_font(int(rng.integers(18, 48)))
    )
    return np.array(picture)


def _angiogram(rng: np.random.Generator) -> Levels:
    """Return an angiogram, at times subtracted from the frame before the injection, at times in a round field."""
    from scrutiq.degradations.xa.phantom import angiogram
    from scrutiq.imaging import render

    side, seed = int(rng.choice([384, 512, 640])), int(rng.integers(2**31))
    shown = render(angiogram(seed, (side, side), contrast=bool(rng.random() < 0.8))[0])
    if rng.random() < 0.4:
        before = render(angiogram(seed, (side, side), contrast=False)[0])
        change = shown.astype(float) - before
        shown = np.clip(rng.uniform(90, 150) + rng.uniform(1, 3) * change, 0, 255).astype(np.uint8)
    else:  # darker and brighter beams, and overlying tissue
        tissue = ndimage.gaussian_filter(rng.standard_normal(shown.shape), rng.uniform(8, 60))
        level = shown * np.exp(rng.uniform(0, 0.35) * tissue / tissue.std()) * rng.uniform(0.5, 1.2)
        shown = np.clip(level, 0, 255).astype(np.uint8)
    rows, columns = np.mgrid[:side, :side] / side * 2 - 1
    power = float(rng.choice([2.0, 8.0, 100.0]))
    field = np.abs(rows) ** power + np.abs(columns) ** power < rng.uniform(0.85, 1.0) ** power
    if rng.random() < 0.6:
        shown = np.where(field, shown, np.uint8(rng.choice([0, 0, 30])))
    return shown


def _fundus(rng: np.random.Generator) -> Levels:
    """Return a retina: a bright disc, a dark macula, vessels that branch from the disc, in a round or cut field."""
    side = int(rng.integers(240, 720))
    wide = int(side * rng.choice([1.0, rng.uniform(1.0, 1.5)]))
    rows, columns = np.mgrid[:side, :wide].astype(float)
    radius = side * rng.uniform(0.42, 0.62)
    y, x = (rows - side / 2) / radius, (columns - wide / 2) / radius
    away = np.hypot(y, x)
    light = 1 - rng.uniform(0.1, 0.6) * away**2 + 0.25 * rng.uniform(-1, 1) * x + 0.25 * rng.uniform(-1, 1) * y
    texture = ndimage.gaussian_filter(rng.standard_normal((side, wide)), rng.uniform(2, 8))
    light = light * (1 + rng.uniform(0.01, 0.06) * texture / texture.std())
    turn = rng.choice([-1, 1])
    disc = (rng.uniform(-0.1, 0.1), turn * rng.uniform(0.2, 0.65))
    from_disc = np.hypot(y - disc[0], x - disc[1])
    size = rng.uniform(0.12, 0.2)
    bright = rng.uniform(0.3, 0.9) / (1 + np.exp((from_disc - size) / 0.02))
    macula = rng.uniform(0.05, 0.4) * np.exp(-((np.hypot(y, x - disc[1] + turn * 0.75) / 0.22) ** 2))
    vessels = np.zeros((side, wide))
    for _ in range(int(rng.integers(6, 14))):
        angle, width = rng.uniform(0, 2 * np.pi), rng.uniform(1.0, 3.2) * side / 512
        py, px = disc[0] * radius + side / 2, disc[1] * radius + wide / 2
        for _ in range(int(side * rng.uniform(0.3, 0.9) / 3)):
            angle += rng.normal(0, 0.09)
            py, px = py + 3 * np.sin(angle), px + 3 * np.cos(angle)
            row, column = int(py), int(px)
            if not (0 <= row < side and 0 <= column < wide):
                break
            vessels[row, column] += width * 6
            width *= 0.994
    vessels = np.clip(ndimage.gaussian_filter(vessels, 1.6 * side / 512), 0, 1)
    base = light * (1 - macula - rng.uniform(0.2, 0.5) * vessels) + bright
    tint = np.array([rng.uniform(0.6, 1.0), rng.uniform(0.25, 0.6), rng.uniform(0.05, 0.35)])
    shown = base[..., None] * tint * rng.uniform(0.4, 1.1) + bright[..., None] * np.array([0.1, 0.3, 0.3])
    shown = ndimage.gaussian_filter(shown, (rng.uniform(0.3, 2), rng.uniform(0.3, 2), 0))
    field = (away < 1) & ((np.abs(y) < rng.uniform(0.75, 1.1)) | (rng.random() < 0.5))
    shown = np.where(field[..., None], shown + rng.normal(0, 0.01, shown.shape), rng.uniform(0, 0.02))
    return np.round(255 * np.clip(shown, 0, 1)).astype(np.uint8)


# ------------------------------------------------------------------------------------------------------------- screens


def _font(size: int):  # type: ignore[no-untyped-def]  # a class of Pillow that depends on its build
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _sentence(rng: np.random.Generator, least: int, most: int) -> str:
    vocabulary = _WORDS.split()
    words = [vocabulary[int(i)] for i in rng.integers(len(vocabulary), size=int(rng.integers(least, most + 1)))]
    if rng.random() < 0.3:
        words.append(f"{rng.uniform(0, 500):.{int(rng.integers(0, 3))}f}")
    return " ".join(words)


def _screen(rng: np.random.Generator) -> Levels:
    """Return a screen: a page, a dialog, a table, a chart, source code, or a viewer with a picture in it."""
    from PIL import Image as Picture
    from PIL import ImageDraw

    width, height = int(rng.integers(480, 1300)), int(rng.integers(360, 900))
    dark = bool(rng.random() < 0.35)
    ground = tuple(int(v) for v in (rng.integers(0, 50, 3) if dark else rng.integers(225, 256, 3)))
    if rng.random() < 0.4:
        ground = (0, 0, 0) if dark else (255, 255, 255)
    ink = tuple(int(v) for v in (rng.integers(190, 256, 3) if dark else rng.integers(0, 70, 3)))
    picture = Picture.new("RGB", (width, height), ground)
    pen = ImageDraw.Draw(picture)
    panel = [_page, _dialog, _sheet, _chart, _code, _viewer]
    top = 0
    if rng.random() < 0.6:
        top = int(rng.integers(20, 60))
        pen.rectangle((0, 0, width, top), fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
        for place in range(8, width - 80, int(rng.integers(60, 160))):
            pen.text((place, top // 3), _sentence(rng, 1, 1), fill=ink, font=_font(int(rng.integers(10, 18))))
    columns = int(rng.choice([1, 1, 2]))
    for column in range(columns):
        box = (column * width // columns, top, (column + 1) * width // columns, height)
        panel[int(rng.integers(len(panel)))](picture, box, ink, rng)
    found = np.asarray(picture)
    return found if rng.random() < 0.75 else np.asarray(picture.convert("L"))


def _page(picture, box, ink, rng) -> None:  # type: ignore[no-untyped-def]
    from PIL import ImageDraw

    pen = ImageDraw.Draw(picture)
    size = int(rng.integers(9, 20))
    left, row = box[0] + int(rng.integers(8, 60)), box[1] + 12
    wide = box[2] - left - int(rng.integers(10, 60))
    while row < box[3] - size:
        if rng.random() < 0.07:
            pen.text((left, row), _sentence(rng, 2, 5), fill=ink, font=_font(int(size * 1.7)))
            row += int(size * 2.6)
            continue
        line, longest = "", wide * rng.choice([1.0, 1.0, 1.0, rng.uniform(0.2, 1)])
        while len(line) * size * 0.5 < longest:
            line += " " + _sentence(rng, 1, 3)
        pen.text((left, row), line[: int(longest / (size * 0.5))], fill=ink, font=_font(size))
        row += int(size * rng.choice([1.35, 1.35, 1.35, 2.4]))


def _dialog(picture, box, ink, rng) -> None:  # type: ignore[no-untyped-def]
    from PIL import ImageDraw

    pen = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(4, 18))):
        wide, high = int(rng.integers(60, 320)), int(rng.integers(18, 140))
        x = int(rng.integers(box[0], max(box[0] + 1, box[2] - wide)))
        y = int(rng.integers(box[1], max(box[1] + 1, box[3] - high)))
        shade = tuple(
            int(v) for v in (rng.integers(120, 250, 3) if rng.random() < 0.5 else np.full(3, rng.integers(30, 250)))
        )
        pen.rectangle((x, y, x + wide, y + high), fill=shade, outline=ink, width=int(rng.integers(0, 3)))
        pen.text((x + 6, y + 4), _sentence(rng, 1, 4), fill=(0, 0, 0), font=_font(int(rng.integers(9, 18))))


def _sheet(picture, box, ink, rng) -> None:  # type: ignore[no-untyped-def]
    from PIL import ImageDraw

    pen = ImageDraw.Draw(picture)
    step, wide = int(rng.integers(16, 34)), int(rng.integers(60, 150))
    rule = tuple(int(v) for v in np.full(3, rng.integers(90, 200)))
    for row in range(box[1] + 10, box[3] - step, step):
        pen.line((box[0], row, box[2], row), fill=rule)
        for column in range(box[0] + 4, box[2] - wide // 2, wide):
            text = f"{rng.normal(0, 100):.2f}" if rng.random() < 0.6 else _sentence(rng, 1, 1)
            pen.text((column + 3, row + 3), text, fill=ink, font=_font(step // 2 + 2))
    for column in range(box[0], box[2], wide):
        pen.line((column, box[1], column, box[3]), fill=rule)


def _chart(picture, box, ink, rng) -> None:  # type: ignore[no-untyped-def]
    from PIL import ImageDraw

    pen = ImageDraw.Draw(picture)
    left, top, right, bottom = box[0] + 50, box[1] + 25, box[2] - 20, box[3] - 40
    if right - left < 60 or bottom - top < 60:
        return
    pen.rectangle((left, top, right, bottom), outline=ink)
    for line in np.linspace(top, bottom, 6):
        pen.line((left, int(line), right, int(line)), fill=(150, 150, 150))
        pen.text((box[0] + 5, int(line) - 6), f"{rng.uniform(0, 100):.1f}", fill=ink, font=_font(11))
    for _ in range(int(rng.integers(1, 5))):
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        x = np.linspace(left, right, 40)
        y = top + (bottom - top) * (
            0.5 + 0.4 * np.sin(x / rng.uniform(20, 200)) * rng.random() + rng.normal(0, 0.04, 40)
        )
        if rng.random() < 0.5:
            pen.line([(int(a), int(b)) for a, b in zip(x, y, strict=True)], fill=colour, width=int(rng.integers(1, 4)))
        else:
            for a, b in zip(x, y, strict=True):
                pen.rectangle((int(a), int(min(b, bottom)), int(a) + 6, bottom), fill=colour)
    pen.text((left, box[1] + 5), _sentence(rng, 2, 6), fill=ink, font=_font(14))


def _code(picture, box, ink, rng) -> None:  # type: ignore[no-untyped-def]
    from PIL import ImageDraw

    pen = ImageDraw.Draw(picture)
    size, row = int(rng.integers(10, 17)), box[1] + 6
    while row < box[3] - size:
        x = box[0] + 36 + int(rng.integers(0, 5)) * 18
        pen.text((box[0] + 4, row), str(row // size), fill=(130, 130, 130), font=_font(size))
        for _ in range(int(rng.integers(0, 7))):
            word = _sentence(rng, 1, 1)
            colour = tuple(int(v) for v in rng.integers(90, 256, 3)) if rng.random() < 0.6 else ink
            pen.text((x, row), word, fill=colour, font=_font(size))
            x += int(len(word) * size * 0.62) + size
            if x > box[2] - 60:
                break
        row += int(size * 1.4)


def _viewer(picture, box, ink, rng) -> None:  # type: ignore[no-untyped-def]
    """Draw a viewer: tools at a side, panes with a soft picture and text over its corners."""
    from PIL import Image as Picture
    from PIL import ImageDraw

    pen = ImageDraw.Draw(picture)
    pen.rectangle(box, fill=tuple(int(v) for v in np.full(3, rng.integers(20, 90))))
    tools = int(rng.integers(50, 160))
    for row in range(box[1] + 5, box[3] - 30, 34):
        pen.rectangle((box[0] + 5, row, box[0] + tools - 8, row + 26), fill=(120, 120, 125), outline=(200, 200, 200))
        pen.text((box[0] + 9, row + 6), _sentence(rng, 1, 2)[: tools // 8], fill=(0, 0, 0), font=_font(11))
    panes = int(rng.integers(1, 4))
    high, wide = (box[3] - box[1]) // panes, box[2] - box[0] - tools
    for pane in range(panes):
        if wide < 40 or high < 40:
            return
        shape = (high - 6, wide - 6)
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        soft = ndimage.gaussian_filter(rng.standard_normal(shape), float(rng.uniform(3, 14)))
        body = ((rows / shape[0] - 0.5) ** 2 + (columns / shape[1] - 0.5) ** 2) < rng.uniform(0.04, 0.22)
        level = np.clip(110 + 60 * soft / soft.std(), 0, 255) * body
        place = (box[0] + tools, box[1] + pane * high + 3)
        picture.paste(Picture.fromarray(level.astype(np.uint8)).convert("RGB"), place)
        for line in range(int(rng.integers(3, 8))):
            at = (place[0] + 6, place[1] + 4 + 14 * line)
            pen.text(at, _sentence(rng, 1, 3), fill=(240, 240, 200), font=_font(12))
            pen.text((box[2] - 130, at[1]), _sentence(rng, 1, 2), fill=(240, 240, 200), font=_font(12))


#: What can be drawn.
DRAWINGS: dict[str, Callable[[np.random.Generator], Levels]] = {
    "screen": _screen,
    "ultrasound": _ultrasound,
    "radiograph": _radiograph,
    "angiogram": _angiogram,
    "fundus": _fundus,
}
