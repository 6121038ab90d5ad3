"""``angio-triplets``: mask, contrast and a flawed generated angiography, in the layout that ``cas-3k`` is read in.

As in CAS-IQA (Wang et al., section 3.1), the generated image stands on the frame before the contrast agent, and nothing
in it is pixel-aligned with the contrast image. Here it is made by physics: the attenuation of the contrast medium in
the key frame is added to that of the mask frame (Beer and Lambert), flaws are made in it, and the whole is deformed by
a smooth random field.

The scores are a proxy, on the rubric ``angio``: each dimension starts at 95 and is multiplied by 1 - 0.9 times the
severity of every flaw that counts against it; the overall quality is the product of the factors of all flaws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from scrutiq.core import Applied, FrozenDict, Image, Modality, UsageError
from scrutiq.datasets.bases import BaseImage
from scrutiq.datasets.build.images import fit
from scrutiq.datasets.build.journal import Done
from scrutiq.datasets.build.kinds.common import record_of
from scrutiq.datasets.build.making import Maker, degraded
from scrutiq.datasets.build.plan import Item, Step, apportion, rng_of, rounds, seed_of
from scrutiq.datasets.build.recipe import AngioTriplets
from scrutiq.datasets.build.sources import Sources
from scrutiq.datasets.build.tables import read_table, write_csv, write_json
from scrutiq.datasets.record import Record
from scrutiq.degradations import names
from scrutiq.degradations.tools import displace, smooth_noise

__all__ = ["COLUMNS", "DIMENSIONS", "deformed", "make", "plan", "publish", "rows_of", "scores", "verify"]

SPLITS = ("train", "test")
DIMENSIONS = ("vmc", "vbd", "oq")
COLUMNS = ("generated", "mask", "contrast", "VMC", "VBD", "OQ", "model", "patient", "split")
#: What an image without a flaw scores, and how much of it a flaw of severity 1 takes.
BEST, TAKEN = 95.0, 0.9
#: How many flaws an image has: as often none as one, and half as often two.
_COUNTS = (0, 0, 1, 1, 2)
#: Smoothness of the deformation, as a share of the image's side.
_SMOOTH = 1 / 10


def plan(recipe: AngioTriplets, sources: Sources) -> list[Item]:
    """Return mask and contrast of every key frame that is used, and the generated images."""
    if unknown := [name for name in recipe.flaws if name not in names(Modality.XA)]:
        raise UsageError(f"{unknown[0]} is no degradation of XA; `scrutiq degradations` lists them.")
    share = {"train": 1 - recipe.test, "test": recipe.test}
    divided = sources.split(Modality.XA, share, recipe.seed)
    items: list[Item] = []
    for split, count in apportion(recipe.images, share).items():
        rng = rng_of(recipe.seed, split)
        keys = [one for one in divided[split] if {"mask", "vessels"} <= one.companions.keys()]
        if not keys:
            raise UsageError(
                "no base image of XA is the key frame of a sequence with its first frame and drawn vessels; take the "
                "set xa_coronary."
            )
        drawn = rounds(keys, count, rng)
        used = {one.id for one in drawn}
        items += [
            _item(f"{split}-{one.id}-{role}", one, split, role, (), {})
            for one in keys
            if one.id in used
            for role in ("mask", "contrast")
        ]
        flaws = iter(rounds(sorted(recipe.flaws), 2 * count, rng))
        many = rounds(_COUNTS, count, rng)
        for number, one in enumerate(drawn):
            identity = f"{split}-{number:05d}"
            chosen = dict.fromkeys(next(flaws) for _ in range(many[number]))
            steps = tuple(
                Step(
                    degradation=name,
                    severity=round(float(rng.uniform(0.2, 1.0)), 3),
                    seed=seed_of(recipe.seed, identity, name),
                )
                for name in chosen
            )
            facts: dict[str, JsonValue] = {
                "deformation_px": round(float(rng.uniform(*recipe.deformation)), 3),
                "deformation_seed": seed_of(recipe.seed, identity, "deformation"),
            }
            items.append(_item(identity, one, split, "target", steps, facts))
    return items


def _item(
    identity: str, one: BaseImage, split: str, role: str, steps: tuple[Step, ...], facts: dict[str, JsonValue]
) -> Item:
    fields: Any = {"role": role, "steps": steps, "facts": FrozenDict(facts)}
    return Item(
        id=identity,
        case=identity,
        base=one.id,
        group=one.group,
        split=split,
        modality=Modality.XA,
        stem=f"images/{split}/{'generated' if role == 'target' else role}/{identity}",
        **fields,
    )


def make(maker: Maker, item: Item) -> tuple[Image, dict[str, JsonValue]]:
    """Return the mask, the contrast image, or a generated one."""
    if item.role == "contrast":
        return maker.base(item.base), {}
    one = maker.bases[item.base]
    mask = fit(one.read_mask(), maker.recipe.bases.max_side)
    if item.role == "mask":
        return mask, {}
    contrast = maker.base(item.base)
    vessels = one.read_vessels()
    if not mask.shape == contrast.shape == vessels.shape:
        raise UsageError("mask, contrast and drawn vessels are not of one size; leave this sequence out.")
    image = degraded(composed(mask, contrast, vessels), item.steps)
    return deformed(image, float(str(item.facts["deformation_px"])), int(str(item.facts["deformation_seed"]))), {}


def composed(mask: Image, contrast: Image, vessels: npt.NDArray[np.bool_]) -> Image:
    """Return the mask frame with the contrast medium of the key frame in it: attenuations add."""
    from scrutiq.degradations.xa.beam import attenuation_of, from_attenuation
    from scrutiq.degradations.xa.vessels import find_vessels

    iodine = find_vessels(contrast, vessels).iodine
    return from_attenuation(mask, attenuation_of(mask) + iodine)


def deformed(image: Image, largest: float, seed: int) -> Image:
    """Return the image moved by a smooth random field whose largest displacement is ``largest`` pixels."""
    sigma = min(image.shape) * _SMOOTH
    down, right = (smooth_noise(image.shape, sigma, seed_of(seed, axis)) for axis in ("down", "right"))
    scale = largest / float(np.hypot(down, right).max())
    pixels = displace(image.pixels, down * scale, right * scale, order=1)
    if image.data_range is not None:
        pixels = np.clip(pixels, *image.data_range)
    return image.replace(pixels=pixels)


def scores(recipe: AngioTriplets, history: Sequence[Applied]) -> dict[str, float]:
    """Return the proxy scores of what was made, 0 to 100."""
    left = dict.fromkeys(DIMENSIONS, BEST)
    for applied in history:
        against = {*recipe.flaws[applied.degradation], "oq"}
        for name in against:
            left[name] *= 1 - TAKEN * applied.severity
    return {name: round(value, 3) for name, value in left.items()}


def publish(
    recipe: AngioTriplets, made: Sequence[tuple[Item, Done]], base_of: Mapping[str, str], folder: Path
) -> list[Record]:
    """Write ``cas_3k.csv`` and return one record a generated image."""
    beside = {(item.split, item.base, item.role): done for item, done in made if item.role != "target"}
    records = []
    for item, done in made:
        others = {role: beside.get((item.split, item.base, role)) for role in ("mask", "contrast")}
        if item.role != "target" or any(other is None for other in others.values()):
            continue
        found = {role: other for role, other in others.items() if other is not None}
        records.append(
            record_of(
                item,
                done,
                base_of,
                files={role: other.file for role, other in found.items()},
                scores=scores(recipe, done.history),
                extra={"sha256": {"target": done.sha256, **{role: other.sha256 for role, other in found.items()}}},
            )
        )
    write_csv(folder / "cas_3k.csv", rows_of(records), COLUMNS)
    write_json(folder / "scrutiq.json", {"modality": "XA"})
    return records


def rows_of(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the rows of ``cas_3k.csv``."""
    return [
        {
            "generated": one.files["target"],
            "mask": one.files["mask"],
            "contrast": one.files["contrast"],
            **{name.upper(): one.scores[name] for name in DIMENSIONS},
            "model": "+".join(applied.degradation for applied in one.applied) or "none",
            "patient": one.group,
            "split": one.split,
        }
        for one in records
    ]


def verify(recipe: AngioTriplets, records: Sequence[Record], folder: Path, complete: bool) -> list[str]:
    """Return what is not as the recipe and the parameters say."""
    problems = []
    low, high = recipe.deformation
    for one in records:
        if one.scores != scores(recipe, one.applied):
            problems.append(f"{one.id}: the scores are not the proxy of what was made.")
        if not low - 1e-3 <= float(str(one.extra["deformation_px"])) <= high + 1e-3:
            problems.append(f"{one.id}: the deformation is not within {low:g} and {high:g} pixels.")
    if complete and len(records) != recipe.images:
        problems.append(f"there are {len(records)} generated images, not {recipe.images}.")
    try:
        written = read_table(folder / "cas_3k.csv")
    except (OSError, ValueError):
        written = []
    if written != [{key: str(row[key]) for key in COLUMNS} for row in rows_of(records)]:
        problems.append("cas_3k.csv does not say what the manifest says.")
    return problems
