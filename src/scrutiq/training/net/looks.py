"""What the domain check is fitted, validated and tested on: every picture, what it truly is, and its features.

In-domain images come from the recipe's bases, by its split; outliers from `scrutiq.datasets.outliers`; images in the
wrong role from the other bases. What a picture is does not depend on what it is said to be, so its features are
computed once and each claim is tried on them.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.assessors.net.planes import SOFT_TISSUE, levels, luma, planes
from scrutiq.core import Image, InputError, Modality, Window
from scrutiq.datasets.bases import BaseImage, base, bases
from scrutiq.datasets.outliers import cut_out, outliers, varied
from scrutiq.datasets.splits import split
from scrutiq.degradations import make
from scrutiq.training.net.recipe import NetRecipe
from scrutiq.training.net.samples import degradations_of, scenes

__all__ = ["Feature", "Look", "Row", "looks", "rows"]

T = TypeVar("T")
Levels = npt.NDArray[np.uint8]
#: From planes, float32 (3, H, W) in [0, 1], to a vector.
Feature = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]

#: Windows, HU, in which CT is looked at: what the network sees, then what a user may have stated or saved.
_WINDOWS = (SOFT_TISSUE, Window.from_bounds(-60, 140), Window.from_bounds(-10, 90), Window.from_bounds(-1350, 150),
            Window.from_bounds(-450, 1050))  # fmt: skip
#: Looks of one source: of each in-domain image as it is used for the fit, degraded, of each outlier, of each drawing.
_VARIED, _DEGRADED, _OUTLIERS, _DRAWN = 6, 2, 6, 2
#: Looks of a photograph that is fitted on, and the least part of its sides: few may be, and any part of one is one.
_PHOTOGRAPHS, _LEAST = 14, 0.15
#: Slices of CT that are drawn as MR, of each that is fitted on.
_RESONANT = 3
#: Below so many images of a modality, more looks are made of each.
_FEW = 40
#: Reads the study's rows that are no denoiser's output.
_FULL_DOSE = "/ndct.png"


@dataclass(frozen=True)
class Look:
    """One picture.

    Attributes
    ----------
    levels : ndarray of uint8, shape (H, W) or (H, W, 3)
    kind : str
        A modality by its word, or a kind of outlier.
    source : str
        What a split keeps together.
    part : {"fit", "validation", "test"}
    state : {"good", "varied", "degraded", "drawn"}
        Of an in-domain image: as it is, another part or size of it, or degraded. Outliers are ``varied``. What is drawn
        is fitted on, and no threshold rests on it.
    grey : bool
        Whether a colour picture was made grey.
    """

    levels: Levels
    kind: str
    source: str
    part: str
    state: str
    grey: bool = False


@dataclass(frozen=True)
class Row:
    """What a `Look` is, with its features.

    Attributes
    ----------
    kind, source, part, state : str
    grey : bool
    features : ndarray of float32, shape (D,)
    """

    kind: str
    source: str
    part: str
    state: str
    grey: bool
    features: npt.NDArray[np.float32]


def rows(found: Iterator[Look], features: Sequence[Feature]) -> Iterator[Row]:
    """Yield the rows of pictures, their features one after the other."""
    for look in found:
        seen = planes(look.levels)
        vector = np.concatenate([np.asarray(one(seen), dtype=np.float32).ravel() for one in features])
        yield Row(look.kind, look.source, look.part, look.state, look.grey, vector)


def looks(recipe: NetRecipe, data: Path, *, share: float = 1.0) -> Iterator[Look]:
    """Yield every picture of a recipe's domain check, in a fixed order.

    Parameters
    ----------
    recipe : NetRecipe
        Its modalities are the domain; where it is of weights that are shipped, only what they may be fitted on is in
        the parts ``fit`` and ``validation``.
    data : Path
        The data folder.
    share : float
        Of the images, and of the looks that are made of each, for a short run.
    """
    yield from _inside(recipe, data, share)
    yield from _wrong(recipe, data, share)
    for one in _thinned(outliers(data=data), lambda one: (one.kind, one.part), share):
        own = one.kind in recipe.modalities
        if own and one.path is None:
            continue  # a drawing is no image of the domain
        if recipe.shipped and not one.shipped_weights and one.part != "test":
            continue
        try:
            shown = one.read()
        except InputError:
            continue
        rng = _rng(one.source, one.index)
        if own:
            yield Look(shown, one.kind, one.source, one.part, "good")
            yield from _own(shown, Modality(one.kind), one.source, one.part, rng, share)
            continue
        wanted = _PHOTOGRAPHS if one.kind == "photograph" and one.part == "fit" else _OUTLIERS
        count = max(1, round((_DRAWN if one.path is None else wanted) * share))
        state = "drawn" if one.path is None and one.part == "fit" else "varied"
        for look in _outside(shown, one.kind, one.source, one.part, rng, count):
            yield replace(look, state=state)


def _thinned(found: Iterable[T], kind: Callable[[T], Hashable], share: float) -> Iterator[T]:
    """Yield a share of what is of each kind, the first always, evenly spread."""
    seen: Counter[Hashable] = Counter()
    for one in found:
        place = seen[kind(one)]
        seen[kind(one)] += 1
        if int(place * share) > int((place - 1) * share) or place == 0:
            yield one


def _rng(*parts: object) -> np.random.Generator:
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def _outside(shown: Levels, kind: str, source: str, part: str, rng: np.random.Generator, count: int) -> Iterator[Look]:
    least = _LEAST if kind == "photograph" and part == "fit" else 0.45
    for number in range(count):
        made = shown if number == 0 and max(shown.shape[:2]) <= 1500 else varied(shown, rng, least=least)
        if kind == "photograph" and part == "fit" and number % 3 == 2:
            made = cut_out(made, rng)
        if part == "fit" and number > 0:
            made = _handled(made, rng)
        yield Look(made, kind, source, part, "varied")
        if shown.ndim == 3:
            yield Look(luma(made if number % 2 == 0 else varied(shown, rng)), kind, source, part, "varied", True)


def _own(
    shown: Levels, modality: Modality, source: str, part: str, rng: np.random.Generator, share: float
) -> Iterator[Look]:
    """Yield looks of an image of the domain that is fitted on, but is no base: it was not looked at to be clean."""
    for _ in range(max(1, round(_VARIED * share))):
        made = _handled(_toned(varied(shown, rng, turn=True), modality, rng), rng)
        yield Look(made, str(modality), source, part, "varied")


def _inside(recipe: NetRecipe, data: Path, share: float) -> Iterator[Look]:
    found = [scene for scene in scenes(recipe, data) if scene.variant == 0]
    for scene in _thinned(found, lambda one: (one.modality, one.part), share):
        part = {"train": "fit"}.get(scene.part, scene.part)
        image, modality = scene.read(), scene.modality
        alike = sum(one.part == scene.part and one.modality is modality for one in found)
        many = share * max(1.0, min(4.0, _FEW / alike))
        yield from _of_base(image, modality, scene.base.group, part, scene.base.id, many if part == "fit" else share)
        if modality is Modality.CT and part == "fit" and Modality.MR in recipe.modalities:
            rng = _rng(scene.base.id, "resonant")
            for _ in range(max(1, round(_RESONANT * share))):
                made = _handled(varied(_resonant(image, rng), rng, turn=True), rng)
                yield Look(made, "MR", f"resonant/{scene.base.group}", part, "drawn")
    for modality, settings in recipe.modalities.items():
        of = {scene.base.group: scene.part for scene in found if scene.modality is modality}
        for name in settings.train:
            clean = {one.id for one in base(name).images(data)}
            for one in base(name).images(data, clean=False):
                if one.id not in clean and of.get(one.group) == "train":
                    shown = levels(one.read())
                    yield from _own(shown, modality, one.group, "fit", _rng(one.id), share)
    if Modality.CT in recipe.modalities:
        study = list(base("ct_denoising_readers").images(data, clean=False))
        of = split((one.group for one in study), {"fit": 0.5, "validation": 0.2, "test": 0.3}, recipe.seed)
        for one in study:
            part, good = of[one.group], one.file.endswith(_FULL_DOSE)
            if not good and _rng(one.id).random() > 0.3 * share:
                continue
            shown = levels(one.read())
            yield Look(shown, "CT", one.group, part, "good" if good else "degraded")
            if good and part == "fit":
                rng = _rng(one.id, "varied")
                for _ in range(max(1, round(_VARIED * share))):
                    yield Look(_handled(varied(shown, rng, turn=True), rng), "CT", one.group, part, "varied")
    for one in base("dicom_compressed_pairs").images(data, clean=False):
        image = one.read()
        if image.modality in recipe.modalities and "/J2KR/" in one.file:
            yield Look(levels(image), str(image.modality), one.group, "test", "good")


def _of_base(image: Image, modality: Modality, source: str, part: str, name: str, share: float) -> Iterator[Look]:
    kind, rng = str(modality), _rng(name)
    in_hu = modality is Modality.CT and image.is_calibrated
    yield Look(levels(image), kind, source, part, "good")
    if in_hu:
        for window in _WINDOWS[1:3]:
            yield Look(levels(image, window), kind, source, part, "good")
    for _ in range(max(1, round(_VARIED * share)) if part == "fit" else 2):
        chosen = _WINDOWS[int(rng.choice(5, p=(0.4, 0.2, 0.1, 0.2, 0.1)))] if in_hu else None
        shown = levels(image, chosen)
        made = varied(shown, rng, turn=True)
        if part == "fit":
            made = _handled(_toned(made, modality, rng), rng)
        yield Look(made, kind, source, part, "varied")
    faults = degradations_of(modality)
    for _ in range(max(1, round(_DEGRADED * share))):
        name = faults[int(rng.integers(len(faults)))]
        faulty = make(image, name, float(rng.uniform(0.2, 1)), int(rng.integers(2**31)))
        yield Look(levels(faulty), kind, source, part, "degraded")


def _toned(shown: Levels, modality: Modality, rng: np.random.Generator) -> Levels:
    """Return MR with another contrast between its tissues, sections with other stains: sources are few."""
    level: npt.NDArray[np.float32] = shown.astype(np.float32) / np.float32(255)
    if modality is Modality.MR:
        if rng.random() < 0.5:
            level = level ** np.float32(np.exp(rng.uniform(-0.7, 0.7)))
        else:  # another weighting: any tissue may be bright or dark, the air about it stays black
            knots = np.concatenate([[0.0, 0.03], np.sort(rng.uniform(0.1, 0.95, 3)), [1.0]])
            curve = np.concatenate([[0.0, 0.03], rng.uniform(0.08, 1.0, 4)])
            level = np.interp(level, knots, curve).astype(np.float32)
        level = _coil(level, rng)
    elif modality is Modality.HISTOPATHOLOGY and shown.ndim == 3:
        density = -np.log(np.maximum(level, 1 / 255)) * np.exp(rng.uniform(-0.35, 0.35, 3)) * rng.uniform(0.6, 1.4)
        level = np.exp(-density).astype(np.float32)
    return np.round(255 * np.clip(level, 0, 1)).astype(np.uint8)


def _coil(level: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return the signal as receive coils near one side would have it, displayed at another gain."""
    if rng.random() < 0.4:
        rows, columns = np.mgrid[: level.shape[0], : level.shape[1]]
        angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.9)
        slope = rows / level.shape[0] * np.sin(angle) + columns / level.shape[1] * np.cos(angle)
        level = level * np.exp(strength * (slope - slope.mean())).astype(np.float32)
    top = float(np.quantile(level, 0.995)) + 1e-3
    return np.asarray(level * np.float32(rng.uniform(0.7, 1.3) / top), dtype=np.float32)


#: HU of air, air within tissue's reach, fat, water, muscle, enhanced vessels, spongy bone, dense bone.
_TISSUES = (-1000.0, -400.0, -100.0, 0.0, 50.0, 200.0, 400.0, 1200.0)


def _resonant(image: Image, rng: np.random.Generator) -> Levels:
    """Return a slice of CT as MR might show it: each tissue at a signal of its own, dense bone and air with none.

    The bodies and bones that MR shows are in no base that weights which are shipped may be fitted on; heads and spines
    are. It is a drawing for the fit, as those of `scrutiq.datasets.drawings`, and never in a test.
    """
    signal = (0.0, 0.02, *rng.uniform(0.1, 1.0, 4), rng.uniform(0.1, 0.6), rng.uniform(0.0, 0.1))
    smooth = ndimage.gaussian_filter(image.pixels, rng.uniform(0.6, 1.6))
    level = np.interp(smooth, _TISSUES, signal).astype(np.float32)
    level = np.hypot(level + rng.normal(0, 0.02, level.shape), rng.normal(0, 0.02, level.shape)).astype(np.float32)
    return np.round(255 * np.clip(_coil(level, rng), 0, 1)).astype(np.uint8)


def _handled(shown: Levels, rng: np.random.Generator) -> Levels:
    """Return a picture after what happens to any on its way: another gamma, filters, noise, JPEG."""
    if rng.random() < 0.3:
        level = 255 * (shown / np.float32(255)) ** np.float32(np.exp(rng.uniform(-0.4, 0.4)))
        shown = np.round(np.clip(level * rng.uniform(0.75, 1.2), 0, 255)).astype(np.uint8)
    if rng.random() < 0.35:
        width = float(rng.uniform(0.4, 1.4))
        soft = ndimage.gaussian_filter(shown.astype(np.float32), (width, width, 0)[: shown.ndim])
        share = float(rng.uniform(-1.2, 1.0))  # below 0 it is sharpened
        shown = np.round(np.clip(shown + share * (soft - shown), 0, 255)).astype(np.uint8)
    if rng.random() < 0.2:
        noise = rng.normal(0, rng.uniform(1, 8), shown.shape[:2])
        shown = np.round(np.clip(shown + (noise[..., None] if shown.ndim == 3 else noise), 0, 255)).astype(np.uint8)
    if rng.random() < 0.3:
        from PIL import Image as Picture

        out = io.BytesIO()
        Picture.fromarray(shown).save(out, "JPEG", quality=int(rng.integers(40, 96)))
        shown = np.asarray(Picture.open(out))
    return shown


def _wrong(recipe: NetRecipe, data: Path, share: float) -> Iterator[Look]:
    """Yield images of modalities that the weights do not know: they are good, and still not to be judged."""
    for one in bases():
        if one.kind != "images" or one.modality in recipe.modalities or one.modality is Modality.DX:
            continue
        images = list(one.images(data, clean=one.has_clean_images))
        part = "fit" if one.shipped_weights or not recipe.shipped else "test"
        for image in _some(images, max(2, round(60 * share))):
            if one.modality is None and "/J2KR/" not in image.file:
                continue
            picture = image.read()
            modality = picture.modality if image.modality is None else image.modality
            if modality in (Modality.CT, Modality.MR, Modality.XA, Modality.FUNDUS, Modality.ENDOSCOPY) and (
                modality not in recipe.modalities
            ):
                count = max(1, round((_OUTLIERS * 6 if part == "fit" else 2) * share))
                yield from _outside(levels(picture), str(modality), image.group, part, _rng(image.id), count)


def _some(images: Sequence[BaseImage], most: int) -> list[BaseImage]:
    """Return at most ``most``, evenly spaced."""
    if len(images) <= most:
        return list(images)
    return [images[i] for i in np.linspace(0, len(images) - 1, most).round().astype(int)]
