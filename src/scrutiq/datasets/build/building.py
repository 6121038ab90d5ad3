"""`build`: from a recipe to a data set on disk."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import yaml

from scrutiq.core import MissingExtraError, Modality, UsageError
from scrutiq.core.locking import alone
from scrutiq.datasets.bases import BaseImage
from scrutiq.datasets.build.card import write_card
from scrutiq.datasets.build.images import write_bytes
from scrutiq.datasets.build.journal import Done, Journal
from scrutiq.datasets.build.making import design, lost, make, setup
from scrutiq.datasets.build.plan import Item
from scrutiq.datasets.build.processes import work
from scrutiq.datasets.build.recipe import Recipe, load
from scrutiq.datasets.build.sources import Sources
from scrutiq.datasets.manifests import write_records

__all__ = ["JOURNAL", "MANIFEST", "PLAN", "RECIPE", "Built", "Made", "build", "fingerprint", "planned"]

MANIFEST = "manifest.parquet"
JOURNAL = "journal.jsonl"
RECIPE = "recipe.yaml"
PLAN = "plan.jsonl"

#: Bytes of an image of a megapixel, about: float32, and a compressed picture of 8 bits.
_STORED, _DISPLAY = 4.2e6, 1.5e6

Made = tuple[Item, Done]


@dataclass(frozen=True)
class Built:
    """What a build came to.

    Attributes
    ----------
    out : Path
    images : int
        That are there.
    records : int
        Of the manifest.
    failed : dict of str to str
        Images that could not be made, by id, each with the reason.
    """

    out: Path
    images: int
    records: int
    failed: dict[str, str]


def build(
    recipe: str | os.PathLike[str] | Recipe,
    out: str | os.PathLike[str],
    *,
    data: str | os.PathLike[str] | None = None,
    jobs: int = 1,
    resume: bool = False,
    progress: Callable[[int, int, Done], None] | None = None,
) -> Built:
    """Build the data set of a recipe.

    The same recipe and bases give the same files, whatever ``jobs`` is and however often the build was interrupted. An
    image that cannot be made is recorded with its reason, and the rest is done.

    Parameters
    ----------
    recipe : str, path or Recipe
        The name of a shipped recipe, or the path of a YAML file.
    out : path
        A folder that is empty or does not exist; with ``resume``, that of an interrupted build.
    data : path, optional
        The folder of the bases; see `scrutiq.datasets.data_folder`.
    jobs : int
        Worker processes, each with one thread. A script that calls this needs ``if __name__ == "__main__"``.
    resume : bool
        Go on where an interrupted build stopped. Images that failed are tried again.
    progress : callable, optional
        Called with (images done, images in all, what became of this one); also for those that were there already.

    Returns
    -------
    Built

    Raises
    ------
    UsageError
        If the recipe is not valid, there are no bases, the folder is in use or holds something else, the disk is too
        small, or ``resume`` finds the data set of another recipe.
    MissingExtraError
        If what writes the manifest or makes a degradation is not installed.
    """
    if jobs < 1:
        raise UsageError(f"--jobs is at least 1, not {jobs}.")
    if find_spec("pyarrow") is None:
        raise MissingExtraError("Building a data set", "parquet")  # now, rather than after hours of work
    wanted = load(recipe) if isinstance(recipe, str | os.PathLike) else recipe
    sources = Sources(wanted.bases, None if data is None else Path(data), jobs)
    folder = Path(out)
    _check_folder(folder, resume)
    items = (_plan_of(wanted, sources, folder) if resume else None) or planned(wanted, sources)
    with alone(folder, "build"):
        journal = Journal(folder / JOURNAL, fingerprint(wanted, items))
        done = journal.read() if resume else {}
        if not resume:
            journal.start()
        done = {name: one for name, one in done.items() if one.error is None and _is_there(folder, one)}
        todo = [item for item in items if item.id not in done]
        _check_space(folder, todo)
        write_bytes(folder / RECIPE, _yaml(wanted))
        write_bytes(folder / PLAN, b"".join(item.model_dump_json().encode() + b"\n" for item in items))
        for count, one in enumerate(list(done.values()), start=1):
            if progress is not None:
                progress(count, len(items), one)
        bases = {one.id: one for modality in {item.modality for item in items} for one in sources.of(modality)}
        named = {name for item in items for name in (item.base, *item.others.values())}
        given = (wanted, {name: one for name, one in bases.items() if name in named}, folder.absolute())
        for one in work(_by_base(todo), make, jobs=jobs, setup=setup, given=given, lost=lost):
            journal.add(one)
            done[one.item] = one
            if progress is not None:
                progress(len(done), len(items), one)
        return _finish(wanted, items, done, bases, folder)


def _plan_of(recipe: Recipe, sources: Sources, folder: Path) -> list[Item] | None:
    """Return the plan that an interrupted build of this recipe left, where its bases are still there."""
    try:
        if load(folder / RECIPE).hash != recipe.hash:
            return None
        items = [Item.model_validate_json(line) for line in (folder / PLAN).read_text("utf-8").splitlines()]
    except (UsageError, OSError, ValueError):
        return None
    there = {one.id: one.group for modality in {item.modality for item in items} for one in sources.of(modality)}
    return items if all(there.get(item.base) == item.group for item in items) else None


def planned(recipe: Recipe, sources: Sources) -> list[Item]:
    """Return every image of a data set, in the order of the manifest."""
    items: list[Item] = design(recipe).plan(recipe, sources)
    if len({item.id for item in items}) != len(items):
        raise AssertionError("two items have one id")
    return items


def fingerprint(recipe: Recipe, items: Sequence[Item]) -> str:
    """Return the hash of everything that the images of a data set follow from, except the versions of libraries."""
    from scrutiq import __version__

    digest = hashlib.sha256(f"{__version__}\0{recipe.hash}".encode())
    for item in items:
        digest.update(json.dumps(item.model_dump(mode="json"), sort_keys=True).encode())
    return digest.hexdigest()


def _finish(
    recipe: Recipe, items: Sequence[Item], done: dict[str, Done], bases: dict[str, BaseImage], folder: Path
) -> Built:
    """Write what is made of the images: manifest, published layout, data card."""
    made: list[Made] = [(item, done[item.id]) for item in items if done[item.id].error is None]
    failed = {item.id: str(done[item.id].error) for item in items if done[item.id].error is not None}
    records = design(recipe).publish(recipe, made, {one.id: one.base for one in bases.values()}, folder)
    write_records(folder / MANIFEST, records)
    write_card(recipe, items, made, failed, bases, records, folder)
    return Built(folder, len(made), len(records), failed)


def _by_base(items: Sequence[Item]) -> list[Item]:
    """Return the items with those of one base together, so that a process decodes it once."""
    order = {name: number for number, name in enumerate(dict.fromkeys(item.base for item in items))}
    return sorted(items, key=lambda item: order[item.base])


def _is_there(folder: Path, one: Done) -> bool:
    path = folder / str(one.file)
    return path.is_file() and path.stat().st_size == one.size


def _check_folder(folder: Path, resume: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError("--out names a file; name a folder.")
    if resume or not folder.is_dir() or not any(folder.iterdir()):
        return
    if (folder / JOURNAL).exists():
        raise UsageError("--out holds a data set already; add --resume to go on with it, or name another folder.")
    raise UsageError("--out is not empty; name a folder that is, or one that does not exist.")


def _check_space(folder: Path, todo: Sequence[Item]) -> None:
    stored = {Modality.CT: 0.26, Modality.MR: 0.26, Modality.XA: 0.26}  # megapixels
    need = sum(stored.get(item.modality, 1.0) * (_STORED if item.form == "stored" else _DISPLAY) for item in todo)
    free = shutil.disk_usage(folder).free
    if need > free:
        raise UsageError(
            f"the data set needs about {need / 1e9:.1f} GB and --out has {free / 1e9:.1f} GB left; free some space, "
            "name a folder elsewhere, or ask for fewer images."
        )


def _yaml(recipe: Recipe) -> bytes:
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110).encode()
