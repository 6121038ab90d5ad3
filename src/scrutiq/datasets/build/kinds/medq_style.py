"""``medq-style``: questions, descriptions and comparisons in the layout of MedQ-Bench.

Liu et al., MedQ-Bench: Evaluating and Exploring Medical Image Quality Assessment Abilities in MLLMs, section 2 and
appendix A. Answers follow from what was made; no model writes or answers anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import JsonValue
from scipy import ndimage

from scrutiq.core import HU, FrozenDict, Image, Modality, Severity, UsageError, Window
from scrutiq.datasets.bases import BaseImage
from scrutiq.datasets.build.dealing import deal
from scrutiq.datasets.build.kinds.medq_records import SPLITS, publish, verify
from scrutiq.datasets.build.making import Maker, degraded
from scrutiq.datasets.build.plan import Item, Step, apportion, rng_of, rounds, seed_of
from scrutiq.datasets.build.questions import Shown
from scrutiq.datasets.build.recipe import MedqStyle
from scrutiq.datasets.build.sources import Sources
from scrutiq.datasets.build.wording import confusable
from scrutiq.metrics.foreground import foreground

__all__ = ["make", "plan", "publish", "shown_as", "verify"]

#: Severities that are made: well inside mild (1/3 to 2/3) and severe (beyond 2/3).
MILD, SEVERE = (0.42, 0.62), (0.75, 1.0)
#: Of the two images of a fine-grained comparison: visible in both, and a subtle step apart.
FINE, STEP = (0.45, 0.75), 0.25
#: Sets of CT slices of the trunk, whose headers name the examination and not what the slice shows; and the share of
#: lung in the body from which a slice is one of the chest.
TRUNK, LUNG = ("ct_siim_tcga",), 0.06
#: How many bases at least are shown as free of degradation.
LEAST = 4
#: Soft tissue, as the abdominal window of IQAGPT, section 2.1.
CT_WINDOW = Window.from_bounds(-160, 240)


def plan(recipe: MedqStyle, sources: Sources) -> list[Item]:
    """Return the images of the questions, split by split and modality by modality, then those of the comparisons."""
    share = {split: 1 / len(SPLITS) for split in SPLITS}
    divided = {m: sources.split(m, share, recipe.seed) for m in recipe.modalities}
    found = sources.flaws([one for modality in recipe.modalities for one in sources.of(modality)])
    # What is not asked about (an inserted lesion) is no fault of a base either.
    flaws = {name: tuple(flaw for flaw in of if flaw not in recipe.exclude) for name, of in found.items()}
    items: list[Item] = []
    for split in SPLITS:
        per_cell = recipe.images // (len(SPLITS) * len(recipe.modalities))
        cells: list[Item] = []
        for number, modality in enumerate(recipe.modalities):
            counts = _counts(recipe, per_cell, number)
            cells += _cell(recipe, sources, split, modality, divided[modality][split], counts, flaws)
        asked = deal([_planned(item) for item in cells], recipe.specific, recipe.seed, split)
        items += [
            item.model_copy(
                update={"facts": FrozenDict({**item.facts, "questions": [a.to_json() for a in asked[item.id]]})}
            )
            for item in cells
        ]
        items += _comparisons(recipe, sources, split, {m: divided[m][split] for m in recipe.modalities})
    return items


def _counts(recipe: MedqStyle, per_cell: int, number: int) -> dict[Severity, int]:
    """Return how many images of each severity a cell has: the counts of all cells together follow the shares."""
    shares = {Severity.NONE: recipe.none, Severity.MILD: recipe.mild, Severity.SEVERE: recipe.severe}
    so_far, before = apportion((number + 1) * per_cell, shares), apportion(number * per_cell, shares)
    return {level: so_far[level] - before[level] for level in shares}


def _cell(
    recipe: MedqStyle,
    sources: Sources,
    split: str,
    modality: Modality,
    images: Sequence[BaseImage],
    counts: dict[Severity, int],
    flaws: Mapping[str, tuple[str, ...]],
) -> list[Item]:
    """Return the images of one modality in one split."""
    rng = rng_of(recipe.seed, split, modality.value, "cell")
    fitting = sources.fit(images, recipe.exclude)
    faults = sorted({name for one in images for name in fitting[one.id]})
    if not faults:
        raise UsageError(f"no degradation of {modality.value} can be made in its base images.")
    # The severe images and as many of the mild ones show the same faults: how-questions need both.
    severe = rounds(faults, counts[Severity.SEVERE], rng)
    shared = severe[: counts[Severity.MILD]]
    mild = [*shared, *rounds(faults, counts[Severity.MILD] - len(shared), rng)]
    wanted: list[tuple[Severity, str | None]] = [
        *[(Severity.NONE, None)] * counts[Severity.NONE],
        *[(Severity.MILD, name) for name in mild],
        *[(Severity.SEVERE, name) for name in severe],
    ]
    # What is shown as free of degradation is made from the bases with the fewest faults of their own.
    best = sorted(images, key=lambda b: len(flaws[b.id]))
    most = max(len(flaws[best[0].id]), len(flaws[best[min(LEAST, len(best)) - 1].id]))
    clean = [b for b in images if len(flaws[b.id]) <= most]
    turn = {level: _Turn(clean if level is Severity.NONE else images, rng) for level in Severity}
    items = []
    for number, (level, name) in enumerate(wanted):
        one = turn[level].next(
            lambda b, name=name: name is None or name in fitting[b.id],  # type: ignore[misc]
            lambda b, name=name: name is None or not any(confusable(name, flaw) for flaw in flaws[b.id]),  # type: ignore[misc]
        )
        identity = f"{split}-{modality.value.lower()}-{number:05d}"
        steps: tuple[Step, ...] = ()
        if name is not None:
            low, high = MILD if level is Severity.MILD else SEVERE
            severity = round(float(rng.uniform(low, high)), 3)
            steps = (Step(degradation=name, severity=severity, seed=seed_of(recipe.seed, identity)),)
        facts: dict[str, JsonValue] = {"base_flaws": list(flaws[one.id])}
        items.append(_item(identity, identity, one, split, modality, steps, facts))
    return items


class _Turn:
    """Lets bases take turns; one that does not fit is passed over and keeps its place."""

    def __init__(self, images: Sequence[BaseImage], rng: np.random.Generator) -> None:
        self._queue = [images[i] for i in rng.permutation(len(images))]

    def next(self, fits: Callable[[BaseImage], bool], better: Callable[[BaseImage], bool]) -> BaseImage:
        """Return the next that fits, one that fits better where there is one, and put it at the end."""
        fitting = [one for one in self._queue if fits(one)]
        chosen: BaseImage = next((one for one in fitting if better(one)), fitting[0])
        self._queue.remove(chosen)
        self._queue.append(chosen)
        return chosen


def _comparisons(
    recipe: MedqStyle, sources: Sources, split: str, images: dict[Modality, list[BaseImage]]
) -> list[Item]:
    """Return the two images of each comparison of a split."""
    rng = rng_of(recipe.seed, split, "comparisons")
    count = recipe.pairs // len(SPLITS)
    fine = apportion(count, {True: recipe.fine, False: 1 - recipe.fine})[True]
    grains = rng.permutation(np.arange(count) < fine)
    first_better = rng.permutation(np.arange(count) % 2 == 0)
    turn = {m: iter(rounds(images[m], count, rng)) for m in images}
    fitting = {m: sources.fit(images[m], recipe.exclude) for m in images}
    faults = {m: iter(rounds(sorted({n for v in fitting[m].values() for n in v}), 2 * count, rng)) for m in images}
    items: list[Item] = []
    for number in range(count):
        modality = recipe.modalities[number % len(recipe.modalities)]
        one = next(turn[modality])
        name = next((n for n in faults[modality] if n in fitting[modality][one.id]), fitting[modality][one.id][0])
        if grains[number]:
            low = float(rng.uniform(*FINE))
            levels = (round(low, 3), round(low + STEP, 3))
        else:
            levels = (0.0, round(float(rng.uniform(*SEVERE)), 3))
        case = f"{split}-pair-{number:05d}"
        for letter, severity in zip("ab", levels if first_better[number] else levels[::-1], strict=True):
            # One seed for both: the same fault, grown.
            step = Step(degradation=name, severity=severity, seed=seed_of(recipe.seed, case)) if severity else None
            items.append(_item(f"{case}-{letter}", case, one, split, modality, () if step is None else (step,), {}))
    return items


def _item(
    identity: str,
    case: str,
    one: BaseImage,
    split: str,
    modality: Modality,
    steps: tuple[Step, ...],
    facts: Mapping[str, JsonValue],
) -> Item:
    return Item(
        id=identity,
        case=case,
        base=one.id,
        group=one.group,
        split=split,
        modality=modality,
        steps=steps,
        stem=f"images/{split}/{identity}",
        form="display",
        facts=FrozenDict(facts),
    )


def _planned(item: Item) -> Shown:
    step = item.steps[-1] if item.steps else None
    severity = Severity.NONE if step is None else Severity.of(step.severity)
    flaws: Any = item.facts.get("base_flaws", [])
    return Shown(item.id, item.modality, None if step is None else step.degradation, severity, tuple(flaws))


def shown_as(image: Image) -> Image:
    """Return a base with the window through which it and all that is made from it is shown.

    CT in soft tissue; MR and others without a window of their own from black at the 1st to white at the 99.5th
    percentile of what is not background. It is fixed before anything is made, so that degraded images are comparable.
    """
    if image.unit == HU:
        return image.replace(voi=CT_WINDOW)
    if image.is_colour or image.voi is not None or (image.data_range is not None and image.data_range[1] <= 255):
        return image
    tissue = foreground(image)
    values = image.pixels[tissue if tissue.any() else np.ones(image.shape, dtype=bool)]
    low, high = (float(v) for v in np.percentile(values[np.isfinite(values)], (1, 99.5)))
    return image.replace(voi=Window.from_bounds(min(low, 0.0) if low < 0 else 0.0, max(high, low + 1e-6)))


def make(maker: Maker, item: Item) -> tuple[Image, dict[str, JsonValue]]:
    """Return one image as it is shown."""
    base = maker.base(item.base)
    facts: dict[str, JsonValue] = {}
    if maker.bases[item.base].base in TRUNK:
        facts["region"] = "LUNGS" if lung_share(base) > LUNG else "NO_LUNGS"
    return degraded(shown_as(base), item.steps), facts


def lung_share(image: Image) -> float:
    """Return the share of the body that has the CT numbers of aerated lung, -950 to -600 HU."""
    labels, count = ndimage.label(ndimage.binary_opening(image.pixels > -400, iterations=2))
    if count == 0:
        return 0.0
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    body = ndimage.binary_fill_holes(labels == sizes.argmax())  # without the table and its cushion
    return float(((image.pixels > -950) & (image.pixels < -600) & body).sum() / max(int(body.sum()), 1))
