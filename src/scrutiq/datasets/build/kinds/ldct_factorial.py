"""``ldct-factorial``: dose by views, four levels each, with the proxy score 4 (1 - n)(1 - s).

The layout is that of the LDCT-IQA challenge (Lee et al., Med Image Anal 99 (2025) 103343): float32 TIFF, and a JSON
file a split from the file's name to the score. Unlike there, the pixels are HU.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import JsonValue

from scrutiq.core import Applied, FrozenDict, Image, Modality, Window
from scrutiq.datasets.build.journal import Done
from scrutiq.datasets.build.kinds.common import CT_WINDOW_HU, record_of, stated
from scrutiq.datasets.build.making import Maker
from scrutiq.datasets.build.plan import Item, Step, apportion, rng_of, rounds, seed_of
from scrutiq.datasets.build.recipe import LdctFactorial
from scrutiq.datasets.build.sources import Sources
from scrutiq.datasets.build.tables import write_json
from scrutiq.datasets.record import Record

__all__ = ["levels", "make", "plan", "proxy", "publish", "verify"]

SPLITS = ("train", "test")
#: The degradation of each factor, and its parameter that the recipe sets.
DOSE, VIEWS = ("ct.low_dose", "dose_fraction"), ("ct.sparse_view", "kept_views")


def proxy(noise: int, streak: int) -> float:
    """Return the score of a noise level and a streak level, each from 0 to 3: 4 (1 - n)(1 - s), n and s a quarter."""
    return 4 * (1 - noise / 4) * (1 - streak / 4)


def plan(recipe: LdctFactorial, sources: Sources) -> list[Item]:
    """Return the images: each base of a split, and each draw of it, gives all sixteen."""
    divided = sources.split(Modality.CT, {"train": 1 - recipe.test, "test": recipe.test}, recipe.seed)
    sets = apportion(recipe.images // 16, {split: len(divided[split]) for split in SPLITS})
    items: list[Item] = []
    for split in SPLITS:
        number = 0
        for draw, one in enumerate(rounds(divided[split], sets[split], rng_of(recipe.seed, split))):
            for noise in range(4):
                for streak in range(4):
                    stem = f"{number:04d}"
                    number += 1
                    # One scan and one noise a draw: its images differ in what they are meant to, and in nothing else.
                    key = (recipe.seed, split, draw)
                    items.append(
                        Item(
                            id=f"{split}-{stem}",
                            case=f"{split}-draw-{draw:04d}",
                            base=one.id,
                            group=one.group,
                            split=split,
                            modality=Modality.CT,
                            steps=_steps(recipe, noise, streak, key),
                            stem=f"{split}/{stem}",
                            facts=FrozenDict({"noise_level": noise, "streak_level": streak}),
                        )
                    )
    return items


def _steps(recipe: LdctFactorial, noise: int, streak: int, key: tuple[int, str, int]) -> tuple[Step, ...]:
    steps = []
    for level, (name, parameter), settings in ((noise, DOSE, recipe.dose), (streak, VIEWS, recipe.views)):
        if level:
            fixed: dict[str, JsonValue] = {parameter: settings[level]}
            seed = seed_of(*key, name)
            steps.append(Step(degradation=name, severity=level / 4, seed=seed, settings=FrozenDict(fixed)))
    return tuple(steps)


def make(maker: Maker, item: Item) -> tuple[Image, dict[str, JsonValue]]:
    """Return one image in HU: first the noise of the dose, then the views that are left of that scan."""
    return maker.degraded(item.base, item.steps).replace(voi=Window.from_bounds(*CT_WINDOW_HU)), {}


def levels(recipe: LdctFactorial, history: Sequence[Applied]) -> tuple[int, int]:
    """Return noise and streak level of what was made, from its parameters.

    Raises
    ------
    ValueError
        If it is not of this design.
    """
    found = {applied.degradation: applied.parameters for applied in history}
    if found.keys() - {DOSE[0], VIEWS[0]} or len(found) != len(history):
        raise ValueError("the image was made with other degradations than dose and views")
    noise = recipe.dose.index(found[DOSE[0]][DOSE[1]]) if DOSE[0] in found else 0
    streak = recipe.views.index(found[VIEWS[0]][VIEWS[1]]) if VIEWS[0] in found else 0
    return noise, streak


def publish(
    recipe: LdctFactorial, made: Sequence[tuple[Item, Done]], base_of: Mapping[str, str], folder: Path
) -> list[Record]:
    """Write ``train.json`` and ``test.json`` and return the records."""
    records = [
        record_of(item, done, base_of, scores={"overall": proxy(*levels(recipe, done.history))}) for item, done in made
    ]
    for split in SPLITS:
        write_json(folder / f"{split}.json", scores_of(records, split))
    write_json(folder / "scrutiq.json", stated())
    return records


def scores_of(records: Sequence[Record], split: str) -> dict[str, float]:
    """Return the published form of the scores of a split: by the name of the file."""
    return {one.files["target"].rsplit("/", 1)[-1]: one.scores["overall"] for one in records if one.split == split}


def verify(recipe: LdctFactorial, records: Sequence[Record], folder: Path, complete: bool) -> list[str]:
    """Return what is not as the recipe and the parameters say."""
    problems = []
    cells: Counter[tuple[str | None, int, int]] = Counter()
    for one in records:
        try:
            noise, streak = levels(recipe, one.applied)
        except ValueError:
            problems.append(f"{one.id}: what was made is not of the recipe's design.")
            continue
        cells[one.split, noise, streak] += 1
        if one.scores != {"overall": proxy(noise, streak)}:
            problems.append(f"{one.id}: the score is not the proxy of what was made.")
    if complete:
        if len(records) != recipe.images:
            problems.append(f"there are {len(records)} images, not {recipe.images}.")
        problems += [
            f"the sixteen cells of {split} are not of one size."
            for split in SPLITS
            if len({cells[split, n, s] for n in range(4) for s in range(4)}) > 1
        ]
    for split in SPLITS:
        try:
            written = json.loads((folder / f"{split}.json").read_text("utf-8"))
        except (OSError, ValueError):
            written = None
        if written != scores_of(records, split):
            problems.append(f"{split}.json does not say what the manifest says.")
    return problems
