"""``pairs``: series of one base with one fault that grows, for learning to rank.

The draw of a series is one: from image to image only the strength changes. ``pairs.csv`` lists every pair of a series,
the better image first or second by chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from scrutiq.core import FrozenDict, Image, UsageError
from scrutiq.datasets.build.journal import Done
from scrutiq.datasets.build.kinds.common import record_of
from scrutiq.datasets.build.making import Maker, degraded
from scrutiq.datasets.build.plan import Item, Step, apportion, rng_of, rounds, seed_of
from scrutiq.datasets.build.recipe import Pairs
from scrutiq.datasets.build.sources import Sources
from scrutiq.datasets.build.tables import read_table, write_csv
from scrutiq.datasets.record import Record

__all__ = ["COLUMNS", "make", "plan", "publish", "rows_of", "verify"]

SPLITS = ("train", "test")
COLUMNS = (
    "first",
    "second",
    "better",
    "degradation",
    "severity_first",
    "severity_second",
    "modality",
    "split",
    "group",
)


def plan(recipe: Pairs, sources: Sources) -> list[Item]:
    """Return the images, series by series; modalities and degradations take turns."""
    share = {"train": 1 - recipe.test, "test": recipe.test}
    per_modality = apportion(recipe.series, dict.fromkeys(recipe.modalities, 1.0))
    items: list[Item] = []
    for modality in recipe.modalities:
        divided = sources.split(modality, share, recipe.seed)
        for split, count in apportion(per_modality[modality], share).items():
            rng = rng_of(recipe.seed, split, modality.value)
            fitting = sources.fit(divided[split], recipe.exclude)
            faults = sorted({name for names in fitting.values() for name in names})
            if not faults:
                raise UsageError(f"no degradation of {modality.value} can be made in its base images.")
            bases = rounds(divided[split], count, rng)
            for number, (one, name) in enumerate(zip(bases, rounds(faults, count, rng), strict=True)):
                if name not in fitting[one.id]:
                    name = fitting[one.id][number % len(fitting[one.id])]
                case = f"{split}-{modality.value.lower()}-{number:04d}"
                seed = seed_of(recipe.seed, case)  # one for the series: one fault that grows
                for place, severity in enumerate(recipe.severities):
                    steps = (Step(degradation=name, severity=severity, seed=seed),) if severity else ()
                    items.append(
                        Item(
                            id=f"{case}-{place}",
                            case=case,
                            base=one.id,
                            group=one.group,
                            split=split,
                            modality=modality,
                            steps=steps,
                            stem=f"images/{split}/{case}-{place}",
                            facts=FrozenDict({"case": case, "degradation": name, "severity": severity}),
                        )
                    )
    return items


def make(maker: Maker, item: Item) -> tuple[Image, dict[str, JsonValue]]:
    """Return one image, in stored values."""
    return degraded(maker.base(item.base), item.steps), {}


def publish(recipe: Pairs, made: Sequence[tuple[Item, Done]], base_of: Mapping[str, str], folder: Path) -> list[Record]:
    """Write ``pairs.csv`` and return the records."""
    records = [record_of(item, done, base_of) for item, done in made]
    write_csv(folder / "pairs.csv", rows_of(recipe, records), COLUMNS)
    return records


def rows_of(recipe: Pairs, records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return every pair of each series: which of two images was made less severe."""
    cases: dict[Any, list[Record]] = {}
    for record in records:
        cases.setdefault(record.extra["case"], []).append(record)
    rows = []
    for case, found in cases.items():
        rng = rng_of(recipe.seed, case, "order")
        for pair in combinations(found, 2):
            first, second = pair if rng.random() < 0.5 else pair[::-1]
            level = [one.applied[-1].severity if one.applied else 0.0 for one in (first, second)]
            rows.append(
                {
                    "first": first.files["target"],
                    "second": second.files["target"],
                    "better": "first" if level[0] < level[1] else "second",
                    "degradation": first.extra["degradation"],
                    "severity_first": level[0],
                    "severity_second": level[1],
                    "modality": first.modality.value,
                    "split": first.split,
                    "group": first.group,
                }
            )
    return rows


def verify(recipe: Pairs, records: Sequence[Record], folder: Path, complete: bool) -> list[str]:
    """Return what is not as the recipe and the parameters say."""
    problems = []
    for one in records:
        made = [(applied.degradation, applied.severity) for applied in one.applied]
        wanted = [(one.extra["degradation"], one.extra["severity"])] if one.extra["severity"] else []
        if made != wanted:
            problems.append(f"{one.id}: what was made is not what its series asks for.")
    wanted_images = recipe.series * len(recipe.severities)
    if complete and len(records) != wanted_images:
        problems.append(f"there are {len(records)} images, not {wanted_images}.")
    try:
        written = read_table(folder / "pairs.csv")
    except (OSError, ValueError):
        written = []
    if written != [{key: str(row[key]) for key in COLUMNS} for row in rows_of(recipe, records)]:
        problems.append("pairs.csv does not say what the manifest says.")
    return problems
