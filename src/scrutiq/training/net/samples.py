"""The training samples of `net:`: clean scenes, their degradations of known kind and severity, and denoised CT.

A sample is what the network sees, 8-bit display levels at native resolution, with what is known about it. Samples are
appended to two files, ``pixels.bin`` and ``samples.jsonl``, so that an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.assessors.net.gauges import gauge
from scrutiq.assessors.net.planes import STRIDE, levels
from scrutiq.core import Image, Modality, Window
from scrutiq.datasets.bases import BaseImage, bases
from scrutiq.datasets.splits import split
from scrutiq.degradations import get, names
from scrutiq.degradations.tools import smooth_noise
from scrutiq.training.net.recipe import ModalityData, NetRecipe

__all__ = ["CHANGES", "Plan", "Samples", "Scene", "degradations_of", "make_samples", "parts", "plan", "scenes"]

Levels = npt.NDArray[np.uint8]

#: What is regressed beside kind and severity: how a sample differs from its clean scene. The error, then for fine,
#: medium and coarse detail its correlation with that of the scene and the logarithm of the ratio of their energies.
CHANGES = ("error", "fine_kept", "medium_kept", "coarse_kept", "fine_energy", "medium_energy", "coarse_energy")
#: Standard deviations of the Gaussian filters between which a band of detail lies, pixels.
_BANDS = ((0.0, 1.0), (1.0, 2.5), (2.5, 6.0))

#: Windows, HU, in which CT is rendered for denoised samples: soft tissue, liver, and one as narrow as a head's.
_WINDOWS = ((-160.0, 240.0), (-60.0, 140.0), (-10.0, 90.0))
_DENOISERS = ("gaussian", "bilateral", "non_local_means", "wavelet", "bm3d", "total_variation", "red_cnn", "map_nn")
#: Not seen in what the network sees (a fixed window), or made in volumes.
_UNSEEN = frozenset({"ct.wrong_window", "ct.slice_thickness", "ct.windmill", "any.resampling"})


@dataclass(frozen=True)
class Scene:
    """A clean image as the network would see it: a base, and how much of it at what size.

    Attributes
    ----------
    base : BaseImage
    part : str
        ``train``, ``validation`` or ``test``.
    modality : Modality
    longest : int
        Longest side, pixels; a larger base is averaged down to it. 0: as it is.
    variant : int
        0 is the base itself; others are seen from another side, and where values have no unit in another tone.
    """

    base: BaseImage
    part: str
    modality: Modality
    longest: int = 0
    variant: int = 0

    @property
    def id(self) -> str:
        size = f"@{self.longest}" if self.longest else ""
        return self.base.id + size + (f"~{self.variant}" if self.variant else "")

    def read(self) -> Image:
        """Return the image, in stored units."""
        return _read_scene(self)


@dataclass(frozen=True)
class Plan:
    """One sample to make.

    Attributes
    ----------
    id : str
    scene : Scene
    kind : {"clean", "degraded", "factorial", "denoised"}
    steps : tuple of (str, float)
        Degradations and their severities.
    window : tuple of float, optional
        Bounds, HU, in which CT is rendered.
    """

    id: str
    scene: Scene
    kind: str
    steps: tuple[tuple[str, float], ...] = ()
    window: tuple[float, float] | None = None
    settings: tuple[tuple[str, float], ...] = ()

    @property
    def seed(self) -> int:
        return int.from_bytes(hashlib.sha256(self.id.encode()).digest()[:4], "little")


def degradations_of(modality: Modality) -> tuple[str, ...]:
    """Return the degradations that the network learns in images of a modality."""
    return tuple(name for name in names(modality) if name not in _UNSEEN)


def scenes(recipe: NetRecipe, data: Path) -> list[Scene]:
    """Return the clean scenes of a recipe with their part of the split.

    Bases that the recipe trains on are split by group; the others, which it may not train on, are for the test.
    """
    found: list[Scene] = []
    for modality, settings in recipe.modalities.items():
        for one in bases(modality, clean_only=True):
            images = list(one.images(data))
            if one.name in settings.train:
                of = dict(split([i.group for i in images], settings.parts, recipe.seed))
            elif one.name in settings.test:
                of = {image.group: "test" for image in images}
            else:
                continue
            for image in images:
                variants = recipe.variants if of[image.group] == "train" else 1
                found += [Scene(image, of[image.group], modality, settings.longest, v) for v in range(variants)]
    return found


def parts(found: Sequence[Scene]) -> dict[str, dict[str, list[str]]]:
    """Return the groups of each part by modality: the split, as it is committed beside the recipe."""
    table: dict[str, dict[str, set[str]]] = {}
    for scene in found:
        table.setdefault(scene.modality.value, {}).setdefault(scene.part, set()).add(scene.base.group)
    return {modality: {part: sorted(groups) for part, groups in one.items()} for modality, one in table.items()}


def plan(recipe: NetRecipe, found: Sequence[Scene]) -> list[Plan]:
    """Return every sample of a recipe, in an order in which any beginning is a fair selection of it."""
    plans: list[Plan] = []
    for modality, settings in recipe.modalities.items():
        for part in ("train", "validation", "test"):
            mine = [scene for scene in found if scene.modality is modality and scene.part == part]
            if mine:
                plans += _of_part(recipe, modality, settings, part, mine)
    plans.sort(key=lambda one: (one.kind != "clean", hashlib.sha256(one.id.encode()).digest()))
    return plans[: recipe.samples]


def _of_part(
    recipe: NetRecipe, modality: Modality, settings: ModalityData, part: str, mine: Sequence[Scene]
) -> Iterator[Plan]:
    windows = _WINDOWS if modality is Modality.CT else (None,)
    for scene in mine:
        for window in windows:
            yield Plan(f"{scene.id}/clean/{window}", scene, "clean", window=window)
    rng = np.random.default_rng([recipe.seed, *f"{modality}/{part}".encode()])
    first = windows[0]
    kinds = degradations_of(modality)
    for name in kinds:
        count = settings.each[part]
        severities = recipe.mildest + (1 - recipe.mildest) * (rng.permutation(count) + rng.random(count)) / count
        order = _rounds(mine, count, rng)
        for number, (scene, severity) in enumerate(zip(order, severities, strict=True)):
            steps = [(name, round(float(severity), 4))]
            if rng.random() < recipe.second_fault:
                other = kinds[int(rng.integers(len(kinds)))]
                if other != name:
                    steps.append((other, round(float(rng.uniform(recipe.mildest, 1)), 4)))
            if part == "test":
                del steps[1:]
            yield Plan(f"{part}/{name}/{number}/{scene.id}", scene, "degraded", tuple(steps), first)
    for number, scene in enumerate(_rounds(mine, settings.factorial[part], rng)):
        for noise in range(4):
            for streak in range(4):
                made = (("noise", float(noise)), ("streak", float(streak)), ("draw", float(number)))
                yield Plan(f"{part}/factorial/{number}/{noise}{streak}/{scene.id}", scene, "factorial", (), first, made)
    for number, scene in enumerate(_rounds(mine, settings.denoised[part], rng)):
        window = windows[number % len(windows)]
        yield Plan(f"{part}/denoised/{number}/{scene.id}", scene, "denoised", (), window)


def _rounds(mine: Sequence[Scene], count: int, rng: np.random.Generator) -> list[Scene]:
    """Return ``count`` scenes, each as often as any other but for one."""
    order: list[Scene] = []
    while len(order) < count:
        order += [mine[i] for i in rng.permutation(len(mine))]
    return order[:count]


def make_samples(plans: Sequence[Plan], folder: Path, jobs: int) -> None:
    """Make what is not in a folder of samples yet."""
    folder.mkdir(parents=True, exist_ok=True)
    done = set() if not (folder / "samples.jsonl").exists() else {row["id"] for row in _rows(folder)}
    todo = [one for one in plans if one.id not in done]
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))
    with (
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool,
        (folder / "pixels.bin").open("ab") as pixels,
        (folder / "samples.jsonl").open("a") as rows,
    ):
        # What a crash left without its row is never read: the offset is where the file ends.
        for row, level, change in pool.map(_make, todo, chunksize=4):
            row["offset"] = pixels.seek(0, os.SEEK_END)
            pixels.write(level.tobytes())
            pixels.write(change.tobytes())
            pixels.flush()
            rows.write(json.dumps(row) + "\n")
            rows.flush()


def _rows(folder: Path) -> list[dict[str, Any]]:
    found = []
    for line in (folder / "samples.jsonl").read_text("utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:  # cut short by a crash
            continue
    return found


class Samples:
    """The samples of a folder, on disk until they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.rows = _rows(folder)
        self._bytes = np.memmap(folder / "pixels.bin", np.uint8, "r")

    def level(self, row: Mapping[str, Any]) -> Levels:
        """Return display levels, uint8, shape (H, W) or (H, W, 3)."""
        shape = tuple(row["shape"])
        start = row["offset"]
        return np.asarray(self._bytes[start : start + int(np.prod(shape))]).reshape(shape)

    def change(self, row: Mapping[str, Any]) -> Levels:
        """Return how far each cell of `STRIDE` pixels is from the clean scene, uint8, shape (H/16, W/16)."""
        height, width = row["shape"][:2]
        start = row["offset"] + int(np.prod(row["shape"]))
        grid = (-(-height // STRIDE), -(-width // STRIDE))
        return np.asarray(self._bytes[start : start + grid[0] * grid[1]]).reshape(grid)


@lru_cache(maxsize=4)
def _read_scene(scene: Scene) -> Image:
    image = scene.base.read()
    height, width = image.shape
    if scene.longest and max(height, width) > scene.longest:
        from skimage import transform

        scale = scene.longest / max(height, width)
        size = (round(height * scale), round(width * scale), *image.pixels.shape[2:])
        resize: Any = transform.resize
        pixels = resize(image.pixels, size, anti_aliasing=True, preserve_range=True, order=1)
        image = image.replace(pixels=pixels.astype(np.float32), valid=None)
    return image if scene.variant == 0 else _varied(image, scene)


def _varied(image: Image, scene: Scene) -> Image:
    """Return a scene mirrored, turned where no side is up, and with its tone changed where values have no unit."""
    rng = np.random.default_rng([scene.variant, *scene.base.id.encode()])
    pixels = np.asarray(image.pixels)
    valid = image.valid
    turned = scene.modality in (Modality.HISTOPATHOLOGY, Modality.ENDOSCOPY)
    # The first variant is mirrored for certain; what comes after is drawn.
    mirrored, turns = scene.variant % 2 == 1, int(rng.integers(4)) if turned else 0

    def moved(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.rot90(array[:, ::-1] if mirrored else array, turns)

    pixels, valid = moved(pixels), None if valid is None else moved(valid)
    if scene.modality is not Modality.CT:
        low, high = image.data_range or (float(pixels.min()), float(pixels.max()))
        power = np.exp(rng.uniform(-0.25, 0.25, pixels.shape[2:] or None))
        pixels = low + (high - low) * np.clip((pixels - low) / (high - low), 0, 1) ** power
    spacing = image.spacing if image.spacing is None or turns % 2 == 0 else image.spacing[::-1]
    return image.replace(pixels=np.ascontiguousarray(pixels, np.float32), valid=valid, spacing=spacing)


def _make(one: Plan) -> tuple[dict[str, Any], Levels, Levels]:
    scene = one.scene.read()
    image, facts = _made(one, scene)
    window = None if one.window is None else Window.from_bounds(*one.window)
    shown, clean = (levels(part, window) for part in (image, scene))
    change, grid = _changes(shown, clean)
    row: dict[str, Any] = {
        "id": one.id,
        "scene": one.scene.id,
        "base": one.scene.base.base,
        "group": one.scene.base.group,
        "part": one.scene.part,
        "modality": one.scene.modality.value,
        "kind": one.kind,
        "steps": [list(step) for step in one.steps],
        "regions": [applied.parameters.get("region") for applied in image.history],
        "window": one.window,
        "shape": list(shown.shape),
        "change": [round(float(value), 4) for value in change],
        "gauges": [float(f"{value:.6g}") if np.isfinite(value) else None for value in gauge(image)],
        **facts,
    }
    return row, shown, grid


def _made(one: Plan, scene: Image) -> tuple[Image, dict[str, Any]]:
    rng = np.random.default_rng(one.seed)
    settings = dict(one.settings)
    if one.kind == "denoised":
        return _denoised(scene, rng)
    if one.kind == "factorial":
        noise, streak = int(settings["noise"]), int(settings["streak"])
        draw = np.random.default_rng([7, int(settings["draw"])])
        seeds = draw.integers(2**31, size=2)
        image = scene
        for name, level, parameter, values, seed in (
            ("ct.low_dose", noise, "dose_fraction", (1, 1 / 2, 1 / 4, 1 / 10), seeds[0]),
            ("ct.sparse_view", streak, "kept_views", (720, 256, 128, 64), seeds[1]),
        ):
            if level:
                entry = get(name)
                parameters = dict(entry.draw(image, level / 4, np.random.default_rng(seed)))
                parameters[parameter] = values[level]
                image = entry.replay(image, entry._applied(parameters, level / 4))
        return image, {"proxy": 4 * (1 - noise / 4) * (1 - streak / 4), "noise": noise, "streak": streak}
    image = scene
    for name, severity in one.steps:
        image = get(name).make(image, severity, rng)
    return image, {}


def _denoised(scene: Image, rng: np.random.Generator) -> tuple[Image, dict[str, Any]]:
    """Return a low dose after one of many denoisers, some of which leave or add a texture of their own."""
    from scrutiq.degradations.ct import denoise_learned
    from scrutiq.degradations.ct.denoise import DENOISERS, denoise
    from scrutiq.degradations.ct.denoise_noise import at_dose
    from scrutiq.degradations.ct.over_smoothing import usual_noise

    dose = float(np.exp(rng.uniform(np.log(0.08), np.log(0.6))))
    low = at_dose(scene, dose, int(rng.integers(2**31)))
    kind = _DENOISERS[int(rng.integers(len(_DENOISERS)))]
    sigma = usual_noise(scene) / np.sqrt(dose)
    if kind in DENOISERS:
        unit = DENOISERS[kind].unit
        strength = float(rng.uniform(0.4, 2.0)) * (sigma if unit == "HU" else 0.7)
        pixels = denoise(low.pixels, kind, strength)
    else:
        strength = float(rng.uniform(0.6, 2.0 if kind == "red_cnn" else 9.0))
        pixels = denoise_learned.repeated(low, kind, strength).pixels
    share = float(rng.choice([1.0, 1.0, rng.uniform(0.4, 1.0)]))
    pixels = low.pixels + np.float32(share) * (pixels - low.pixels)
    texture = 0.0
    if rng.random() < 0.4:  # as an adversarial or diffusion model adds: the look of noise, not the noise that was there
        texture = float(rng.uniform(0.2, 1.2))
        grain = smooth_noise(low.shape, float(rng.uniform(0.5, 1.5)), int(rng.integers(2**31)))
        tissue = ndimage.gaussian_filter((np.abs(scene.pixels) < 300).astype(np.float32), 2)
        pixels = pixels + np.float32(texture * usual_noise(scene)) * (grain / grain.std()).astype(np.float32) * tissue
    made = low.replace(pixels=pixels.astype(np.float32))
    return made, {"denoiser": kind, "strength": strength, "share": share, "dose": dose, "texture": texture}


def _changes(shown: Levels, clean: Levels) -> tuple[npt.NDArray[np.float64], Levels]:
    """Return `CHANGES` of a sample against its scene, and the map of the error by cell."""
    a, b = (x.astype(np.float32) / 255 for x in (shown, clean))
    squared = (a - b) ** 2
    if squared.ndim == 3:
        squared, a, b = squared.mean(-1), a.mean(-1), b.mean(-1)
    inside = (b > 0.02) & (b < 0.98)
    if inside.mean() < 0.02:
        inside = np.ones_like(inside)
    found = [np.log10(np.sqrt(squared[inside].mean()) + 0.002)]
    kept, energy = [], []
    for fine, coarse in _BANDS:
        x, y = (
            (part if fine == 0 else ndimage.gaussian_filter(part, fine)) - ndimage.gaussian_filter(part, coarse)
            for part in (a, b)
        )
        x, y = x[inside], y[inside]
        e, f = float((x * x).mean()) + 1e-8, float((y * y).mean()) + 1e-8
        kept.append(float((x * y).mean()) / np.sqrt(e * f))
        energy.append(float(np.clip(np.log10(e / f), -2, 2)))
    height, width = squared.shape
    padded = np.pad(squared, ((0, -height % STRIDE), (0, -width % STRIDE)))
    cells = padded.reshape(padded.shape[0] // STRIDE, STRIDE, -1, STRIDE).mean((1, 3))
    return np.array(found + kept + energy), np.rint(255 * np.sqrt(np.clip(cells, 0, 1))).astype(np.uint8)
