"""``ct-iqa``: eight qualities of every slice, with scores and captions on the rubric ``ct-iqa``.

The design is that of CT-IQA (Chen et al., IQAGPT, arXiv 2312.15663, section 2.1): normal dose, a quarter of it, that
denoised by MAP-NN at five depths and by RED-CNN, with and without lesions. There a radiologist scored; here a rule
does, from what making the image did to it, which is known exactly because the slice before it is known:

* noise and structural fidelity: the RMSE to that slice within the body, values cut to -160 to 240 HU;
* visibility of small structures: the gradient magnitude similarity deviation (GMSD) to it in the same window;
* lesion conspicuity: the contrast that is left of the inserted lesion over the standard deviation about it;
* diagnostic confidence: the mean of the others, rounded half up.

`LIMITS` has the steps between the scores. The rule is a proxy, no radiologist.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue

from scrutiq import rubrics
from scrutiq.core import Applied, FrozenDict, Image, Modality, Window
from scrutiq.datasets.build.journal import Done
from scrutiq.datasets.build.kinds.common import CT_WINDOW_HU, record_of, stated
from scrutiq.datasets.build.making import Maker
from scrutiq.datasets.build.plan import Item, Step, apportion, rng_of, rounds, seed_of
from scrutiq.datasets.build.recipe import CtIqa
from scrutiq.datasets.build.sources import Sources
from scrutiq.datasets.build.tables import read_table, write_csv, write_json
from scrutiq.datasets.record import Record
from scrutiq.metrics.foreground import foreground
from scrutiq.metrics.reference import gmsd, rmse

__all__ = ["COLUMNS", "LIMITS", "QUALITIES", "make", "plan", "publish", "rows_of", "scores", "verify"]

SPLITS = ("train", "test")
LESION, DOSE, DENOISED = "ct.inserted_lesion", "ct.low_dose", "ct.over_smoothing"
#: The eight qualities by their names in the paper; how a denoised one is made from the low dose.
QUALITIES: dict[str, tuple[str, int] | None] = {
    "NDCT": None,
    "LDCT": None,
    **{f"MAP-NN (d={depth})": ("map_nn", depth) for depth in range(1, 6)},
    "RED-CNN": ("red_cnn", 1),
}
#: What is measured for each dimension, and the values up to which the score is 1, 2 and 3. They were set so that a
#: quarter of the dose is sub-optimal in the median slice, its best denoised image average, and every score occurs.
LIMITS: dict[str, tuple[str, tuple[float, float, float]]] = {
    "noise": ("rmse_hu", (6.0, 12.0, 17.0)),
    "structures": ("gmsd", (0.03, 0.045, 0.07)),
    "lesion": ("noise_to_contrast", (0.2, 0.4, 0.8)),
}
COLUMNS = ("image", "noise", "structures", "lesion", "confidence", "caption", "quality", "patient", "split")
#: Severities that stand in the record of a denoised image; its parameters are set by the design.
_NOMINAL = {"map_nn": 0.15, "red_cnn": 0.4}
#: Where the contrast of a lesion is taken: a disc and a ring about it, in radii.
_DISC, _RING = 0.8, (1.35, 1.9)


def plan(recipe: CtIqa, sources: Sources) -> list[Item]:
    """Return eight images of each slice."""
    share = {"train": 1 - recipe.test, "test": recipe.test}
    divided = sources.split(Modality.CT, share, recipe.seed)
    items: list[Item] = []
    for split, count in apportion(recipe.slices, share).items():
        rng = rng_of(recipe.seed, split)
        with_lesion = rng.permutation(np.arange(count) < math.floor(recipe.lesions * count + 0.5))
        for number, one in enumerate(rounds(divided[split], count, rng)):
            case = f"{split}-{number:04d}"
            seed = seed_of(recipe.seed, case)
            lesion: tuple[Step, ...] = ()
            if with_lesion[number]:
                severity = round(float(rng.uniform(0.55, 1.0)), 3)  # 20 to 90 HU
                lesion = (Step(degradation=LESION, severity=severity, seed=seed),)
            for place, (quality, denoiser) in enumerate(QUALITIES.items()):
                items.append(
                    Item(
                        id=f"{case}-{place}",
                        case=case,
                        base=one.id,
                        group=one.group,
                        split=split,
                        modality=Modality.CT,
                        steps=(*lesion, *_steps(quality, denoiser, seed)),
                        stem=f"images/{split}/{case}-{place}",
                        facts=FrozenDict({"quality": quality}),
                    )
                )
    return items


def _steps(quality: str, denoiser: tuple[str, int] | None, seed: int) -> tuple[Step, ...]:
    if quality == "NDCT":
        return ()
    dose: dict[str, JsonValue] = {"dose_fraction": 0.25}
    steps = [Step(degradation=DOSE, severity=0.5, seed=seed, settings=FrozenDict(dose))]
    if denoiser is not None:
        kind, times = denoiser
        how: dict[str, JsonValue] = {"denoiser": kind, "strength": float(times), "share": 1.0}
        nominal = _NOMINAL[kind] * times
        steps.append(Step(degradation=DENOISED, severity=nominal, seed=seed, settings=FrozenDict(how)))
    return tuple(steps)


def make(maker: Maker, item: Item) -> tuple[Image, dict[str, JsonValue]]:
    """Return one image in HU, and what making it did to the slice."""
    lesion = tuple(step for step in item.steps if step.degradation == LESION)
    before = maker.degraded(item.base, lesion)
    image = maker.degraded(item.base, item.steps)
    shown = image.replace(voi=Window.from_bounds(*CT_WINDOW_HU))
    return shown, measured(image, before)


def measured(image: Image, before: Image) -> dict[str, JsonValue]:
    """Return what the scores follow from: how far an image is from the slice it was made from."""
    low, high = CT_WINDOW_HU
    body = foreground(before)
    cut, clean = (np.clip(one.pixels.astype(np.float64), low, high) for one in (image, before))
    facts: dict[str, JsonValue] = {
        "rmse_hu": round(rmse(cut[body], clean[body]), 4) if body.any() else 0.0,
        "gmsd": round(gmsd(cut, clean, data_range=high - low), 6),
    }
    lesions = [applied for applied in before.history if applied.degradation == LESION]
    if lesions:
        facts["noise_to_contrast"] = round(_noise_to_contrast(image, lesions[0]), 4)
    return facts


def _noise_to_contrast(image: Image, lesion: Applied) -> float:
    """Return the standard deviation about a lesion over the contrast that is left of it, at most 99."""
    p: Any = lesion.parameters
    assert image.spacing is not None
    radius = float(p["diameter_mm"]) / 2 / math.sqrt(image.spacing[0] * image.spacing[1])
    y, x = np.indices(image.shape)
    distance = np.hypot(y - p["center"][0], x - p["center"][1])
    values = image.pixels.astype(np.float64)
    inside = values[distance <= max(1.0, _DISC * radius)]
    about = values[(distance >= _RING[0] * radius) & (distance <= _RING[1] * radius)]
    contrast = (float(inside.mean()) - float(about.mean())) * math.copysign(1, p["contrast_hu"])
    return min(99.0, float(about.std()) / contrast) if contrast > 0 else 99.0


def scores(facts: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the scores, 1 (best) to 4, that follow from what was measured; None for a lesion that is not there."""
    found: dict[str, float | None] = {}
    for dimension, (name, limits) in LIMITS.items():
        found[dimension] = 1.0 + bisect_left(limits, float(facts[name])) if name in facts else None
    judged = [score for score in found.values() if score is not None]
    found["confidence"] = float(math.floor(sum(judged) / len(judged) + 0.5))
    return found


def publish(recipe: CtIqa, made: Sequence[tuple[Item, Done]], base_of: Mapping[str, str], folder: Path) -> list[Record]:
    """Write ``ct_iqa.csv`` and return the records."""
    rubric = rubrics.load("ct-iqa")
    records = []
    for item, done in made:
        found = scores(done.facts)
        records.append(
            record_of(
                item,
                done,
                base_of,
                scores={name: score for name, score in found.items() if score is not None},
                text=rubric.write_caption(found),
            )
        )
    write_csv(folder / "ct_iqa.csv", rows_of(records), COLUMNS)
    write_json(folder / "scrutiq.json", stated())
    return records


def rows_of(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the rows of ``ct_iqa.csv``."""
    rows = []
    for one in records:
        given = {name: f"{one.scores[name]:g}" if name in one.scores else "N/A" for name in (*LIMITS, "confidence")}
        rows.append(
            {
                "image": one.files["target"],
                **given,
                "caption": one.text,
                "quality": one.extra["quality"],
                "patient": one.group,
                "split": one.split,
            }
        )
    return rows


def verify(recipe: CtIqa, records: Sequence[Record], folder: Path, complete: bool) -> list[str]:
    """Return what is not as the recipe and the parameters say."""
    problems = []
    rubric = rubrics.load("ct-iqa")
    for one in records:
        found = scores(one.extra)
        if one.scores != {name: score for name, score in found.items() if score is not None}:
            problems.append(f"{one.id}: the scores do not follow from what was measured.")
        elif one.text != rubric.write_caption(found):
            problems.append(f"{one.id}: the caption does not say what the scores say.")
        if ("lesion" in one.scores) != any(applied.degradation == LESION for applied in one.applied):
            problems.append(f"{one.id}: a lesion is scored and was not inserted, or the other way round.")
    if complete:
        counts = Counter(one.extra["quality"] for one in records)
        if dict(counts) != dict.fromkeys(QUALITIES, recipe.slices):
            problems.append(f"there are not {recipe.slices} images of each of the eight qualities.")
        lesions = sum("lesion" in one.scores for one in records) / max(len(records), 1)
        if abs(lesions - recipe.lesions) > 1 / recipe.slices + 1e-9:
            problems.append(f"{lesions:.1%} of the images have a lesion, not {recipe.lesions:.1%}.")
    try:
        written = read_table(folder / "ct_iqa.csv")
    except (OSError, ValueError):
        written = []
    if written != [{key: str(row[key]) for key in COLUMNS} for row in rows_of(records)]:
        problems.append("ct_iqa.csv does not say what the manifest says.")
    return problems
