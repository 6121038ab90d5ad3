"""`check`: whether a data set is what its recipe says, from the bytes of its files to what its texts give away."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scrutiq.core import InputError, ScrutiqError, UsageError
from scrutiq.datasets.build.building import JOURNAL, MANIFEST, PLAN, RECIPE
from scrutiq.datasets.build.card import CARD, info
from scrutiq.datasets.build.images import decode, encode, sha256
from scrutiq.datasets.build.leak import find_leaks
from scrutiq.datasets.build.making import Maker, design
from scrutiq.datasets.build.plan import Item, rng_of
from scrutiq.datasets.build.processes import one_thread
from scrutiq.datasets.build.recipe import Recipe, load
from scrutiq.datasets.build.sources import Sources
from scrutiq.datasets.manifests import read_records
from scrutiq.datasets.record import Record

__all__ = ["Checked", "check"]

#: How far the pixels of a replayed image may be from the stored ones, as a share of their range.
TOLERANCE = 1e-4
#: A whole level may differ where a value lay half-way between two: in so many of the pixels.
_HALF_WAY = 1e-3
#: Problems of one sort that are listed; the rest is counted.
_LISTED = 5
_IMAGES = (".png", ".tif")


@dataclass
class Checked:
    """What a check found.

    Attributes
    ----------
    problems : list of str
        One sentence each; empty where the data set is what its recipe says.
    notes : list of str
        What was checked and with what result, and what could not be checked.
    """

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.problems

    def several(self, problems: Sequence[str]) -> None:
        """Add problems of one sort."""
        self.problems += problems[:_LISTED]
        if len(problems) > _LISTED:
            self.problems.append(f"... and {len(problems) - _LISTED} more of this sort.")


def check(
    out: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    replay: int = 12,
    progress: Callable[[str], None] | None = None,
) -> Checked:
    """Verify a data set that was built.

    Files are there and unchanged; labels and images join one to one; no patient or source is in two splits; counts are
    those of the recipe; scores, answers and texts follow from what was made; a sample of images is made again and gives
    the stored pixels; the published tables can be read and say the same; the texts of questions do not give the answer
    away.

    Parameters
    ----------
    out : path
    data : path, optional
        The folder of the bases; where there is none, no image is made again, and a note says so.
    replay : int
        Images that are made again.
    progress : callable, optional
        Called with what is being checked.

    Raises
    ------
    InputError
        If the folder holds no finished data set.
    """
    folder = Path(out)
    card = info(folder)
    recipe = load(folder / RECIPE)
    records = read_records(folder / MANIFEST)
    found = Checked()
    steps: list[tuple[str, Callable[[], None]]] = [
        ("recipe and card", lambda: _card(found, recipe, card, records)),
        ("files", lambda: _files(found, folder, records)),
        ("splits", lambda: _splits(found, records)),
        ("labels", lambda: found.several(design(recipe).verify(recipe, records, folder, not card["failed"]))),
        ("published layout", lambda: _published(found, recipe, folder, records)),
        ("replay", lambda: _replay(found, recipe, folder, records, data, replay)),
    ]
    if any(record.question is not None for record in records):
        steps.append(("texts", lambda: _texts(found, records)))
    for name, step in steps:
        if progress is not None:
            progress(name)
        step()
    return found


def _card(found: Checked, recipe: Recipe, card: dict[str, Any], records: Sequence[Record]) -> None:
    if card.get("recipe_hash") != recipe.hash:
        found.problems.append(f"{RECIPE} is not the recipe that {CARD} names.")
    if card.get("records") != len(records):
        found.problems.append(f"{CARD} counts {card.get('records')} records, {MANIFEST} holds {len(records)}.")
    if failed := card.get("failed"):
        found.notes.append(f"{len(failed)} of {card['planned']} planned images could not be made.")


def _files(found: Checked, folder: Path, records: Sequence[Record]) -> None:
    hashes: dict[str, str] = {}
    problems = []
    for record in records:
        stated = record.extra.get("sha256")
        for role, file in record.files.items():
            digest = stated.get(role) if isinstance(stated, dict) else None
            if not isinstance(digest, str):
                problems.append(f"{record.id}: no hash of its {role} is recorded.")
            elif hashes.setdefault(file, digest) != digest:
                problems.append(f"{file} has two different hashes in the manifest.")
    for file, digest in hashes.items():
        path = folder / file
        if not path.is_file():
            problems.append(f"{file} is missing.")
        elif sha256(path.read_bytes()) != digest:
            problems.append(f"{file} was changed since it was made.")
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in _IMAGES}
    problems += [f"{file} belongs to no record." for file in sorted(there - hashes.keys() - _spare(folder))]
    found.several(problems)
    found.notes.append(f"{len(hashes)} files are there, each with the bytes that were made.")


def _spare(folder: Path) -> set[str]:
    """Return files of items that have no record, because a partner of theirs could not be made."""
    try:
        lines = (folder / JOURNAL).read_text("utf-8").splitlines()[1:]
        return {str(json.loads(line).get("file")) for line in lines}
    except (OSError, ValueError):
        return set()


def _splits(found: Checked, records: Sequence[Record]) -> None:
    for what in ("group", "base image"):
        splits: dict[Any, set[Any]] = defaultdict(set)
        for record in records:
            splits[record.group if what == "group" else record.extra.get("base_image")].add(record.split)
        found.several(
            [
                f"the {what} {name} is in {' and '.join(sorted(map(str, of)))}."
                for name, of in splits.items()
                if len(of) > 1 or name is None
            ]
        )
    counts = Counter(record.split for record in records)
    found.notes.append("records by split: " + ", ".join(f"{name} {n}" for name, n in sorted(counts.items(), key=str)))


def _published(found: Checked, recipe: Recipe, folder: Path, records: Sequence[Record]) -> None:
    from scrutiq.datasets.published import load as load_published

    name = {"ldct-factorial": "ldct-iqa", "ct-iqa": "ct-iqa", "medq-style": "medq-bench", "angio-triplets": "cas-3k"}
    if recipe.kind not in name:
        return
    try:
        loaded = load_published(name[recipe.kind], folder)
    except (InputError, UsageError) as error:
        found.problems.append(f"the published layout cannot be read: {error}")
        return
    if len(loaded) != len(records):
        found.problems.append(f"the published layout holds {len(loaded)} records, the manifest {len(records)}.")
    found.notes.append(f"the published layout is read as {name[recipe.kind]}: {len(loaded)} records.")


def _replay(
    found: Checked,
    recipe: Recipe,
    folder: Path,
    records: Sequence[Record],
    data: str | os.PathLike[str] | None,
    count: int,
) -> None:
    """Make a sample of the images again, each in the way in which it was planned."""
    try:
        items = [Item.model_validate(json.loads(line)) for line in (folder / PLAN).read_text("utf-8").splitlines()]
    except (OSError, ValueError):
        found.problems.append(f"{PLAN} is missing or damaged, so no image can be made again.")
        return
    files = {file.rsplit(".", 1)[0]: file for record in records for file in record.files.values()}
    applied = {record.files["target"]: record.applied for record in records if "better" not in record.extra}
    items = [item for item in items if item.stem in files]
    try:
        sources = Sources(recipe.bases, None if data is None else Path(data))
        bases = {one.id: one for modality in {item.modality for item in items} for one in sources.of(modality)}
    except UsageError as error:
        found.notes.append(f"no image was made again: {error}")
        return
    sample = [items[i] for i in sorted(rng_of(recipe.seed, "check").permutation(len(items))[:count])]
    maker = Maker(recipe, bases)
    problems, worst, done = [], 0.0, 0
    for item in sample:
        if item.base not in bases:
            problems.append(f"{item.id}: its base {item.base} is not in the data folder.")
            continue
        try:
            with one_thread():
                image, _ = maker.image(item)
        except ScrutiqError as error:
            problems.append(f"{item.id} cannot be made again: {error}")
            continue
        file = files[item.stem]
        if file in applied and image.history != applied[file]:
            problems.append(f"{item.id}: the manifest records other parameters than were drawn.")
        content, _ = encode(image, item.form)
        try:
            difference = distance(decode(content), decode((folder / file).read_bytes()))
        except Exception:  # a damaged file is reported by its hash
            problems.append(f"{file} cannot be decoded.")
            continue
        worst, done = max(worst, difference), done + 1
        if difference > TOLERANCE:
            problems.append(f"{item.id}: made again, it differs by {difference:.2g} of its range.")
    found.several(problems)
    found.notes.append(f"{done} images were made again; the largest difference is {worst:.2g} of the range.")


def distance(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """Return the largest difference of two images as a share of their range.

    Of images in whole levels, a difference of one level in at most one of a thousand pixels counts as none: a value
    half-way between two levels falls on either side by rounding.
    """
    if one.shape != other.shape or one.dtype != other.dtype:
        return float("inf")
    apart = np.abs(one.astype(np.float64) - other.astype(np.float64))
    if one.dtype.kind == "u":
        if apart.max() <= 1 and (apart > 0).mean() <= _HALF_WAY:
            return 0.0
        return float(apart.max() / np.iinfo(one.dtype).max)
    finite = np.isfinite(other)
    if (finite != np.isfinite(one)).any():
        return float("inf")
    if not finite.any():
        return 0.0
    return float(apart[finite].max() / max(float(np.ptp(other[finite])), 1e-12))


def _texts(found: Checked, records: Sequence[Record]) -> None:
    """Train on the questions of dev, ask those of test."""
    asked = [record for record in records if record.question is not None and record.question.answer is not None]
    halves = [[r.question for r in asked if r.split == split and r.question is not None] for split in ("dev", "test")]
    if not all(halves):
        found.notes.append("the questions are not in dev and test, so their texts were not put to the test.")
        return
    for leak in find_leaks(*halves):
        found.notes.append(f"{leak}.")
        if leak.leaks:
            found.problems.append(f"the texts give answers away: {leak}.")
