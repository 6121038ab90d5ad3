"""The real images that a data set is made from: found by the table of bases, divided by patient or source."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from scrutiq.core import Image, InputError, Modality, UsageError
from scrutiq.datasets.bases import BaseImage, base, bases, data_folder
from scrutiq.datasets.build.images import fit
from scrutiq.datasets.build.processes import work
from scrutiq.datasets.build.recipe import BaseChoice
from scrutiq.datasets.splits import split
from scrutiq.degradations import get, names
from scrutiq.metrics import Context

__all__ = ["FLAW", "Sources", "planar", "prepared"]

#: Severity by its own measurement from which a base counts as having a fault by itself: half-way through mild, for the
#: bases differ.
FLAW = 0.5


class Sources:
    """The clean images that a recipe may use.

    Parameters
    ----------
    choice : BaseChoice
    data : path, optional
        The data folder; see `scrutiq.datasets.data_folder`.
    jobs : int
        Processes that look at the images.
    """

    def __init__(self, choice: BaseChoice, data: Path | None = None, jobs: int = 1) -> None:
        self.choice = choice
        self.jobs = jobs
        self.folder = data_folder(data).absolute()
        for name in choice.sets or ():
            base(name)  # refuses a name that is not in the table
        self._found: dict[Modality, tuple[BaseImage, ...]] = {}
        self._fitting: dict[str, tuple[str, ...]] = {}

    def of(self, modality: Modality) -> tuple[BaseImage, ...]:
        """Return the images of a modality, in the order of the table.

        Raises
        ------
        UsageError
            If there are none.
        """
        if modality not in self._found:
            sets = [
                one
                for one in bases(modality, self.choice.shippable, clean_only=True)
                if self.choice.sets is None or one.name in self.choice.sets
            ]
            found: list[BaseImage] = []
            for one in sets:
                if any(path.is_file() for glob in one.files for path in self.folder.glob(glob)):
                    found += one.images(self.folder)
            if not found:
                named = ", ".join(one.name for one in sets) or "none that the recipe allows"
                raise UsageError(
                    f"no base images of {modality.value} are in {self.folder}; put there one of the sets of the table "
                    f"of bases ({named}), name another data folder, or leave the modality out of the recipe."
                )
            self._found[modality] = tuple(found)
        return self._found[modality]

    def split(self, modality: Modality, fractions: Mapping[str, float], seed: int) -> dict[str, list[BaseImage]]:
        """Return the images of each split; all images of a patient or source are in one.

        Raises
        ------
        UsageError
            If there are fewer patients or sources than splits.
        """
        images = self.of(modality)
        groups = {one.group for one in images}
        if len(groups) < len(fractions):
            raise UsageError(
                f"the base images of {modality.value} come from {len(groups)} patient or source, and "
                f"{' and '.join(fractions)} need one each at least; add bases, or leave the modality out of the recipe."
            )
        of = split(groups, fractions, seed)
        divided: dict[str, list[BaseImage]] = defaultdict(list)
        for one in images:
            divided[of[one.group]].append(one)
        return {name: divided[name] for name in fractions}

    def fit(self, images: Sequence[BaseImage], exclude: Sequence[str] = ()) -> dict[str, tuple[str, ...]]:
        """Return which degradations can be made in each image, by the image's id.

        The first image of each set that can be read is looked at; the images of a set are of one kind.
        """
        return {
            one.id: tuple(
                name
                for name in self._fit(one)
                if name not in exclude and f"{str(one.modality).lower()}:{name}" not in exclude
            )
            for one in images
        }

    def flaws(self, images: Sequence[BaseImage]) -> dict[str, tuple[str, ...]]:
        """Return the degradations that each image has by itself, by its id: what their own measurements show.

        A fault counts from `FLAW` of its severity. One whose measurement is no evidence is not looked for, and one that
        is found in more than half of a set is a trait of the set, which its thresholds were not made for.
        """
        tasks = [(one, self.choice.max_side) for one in images]
        found = dict(work(tasks, _flaws, jobs=self.jobs, setup=_nothing, given=(), lost=lambda task: (task[0].id, ())))
        sizes = Counter(one.base for one in images)
        often = Counter((one.base, name) for one in images for name in found[one.id])
        return {
            one.id: tuple(name for name in found[one.id] if 2 * often[one.base, name] <= max(sizes[one.base], 2))
            for one in images
        }

    def _fit(self, wanted: BaseImage) -> tuple[str, ...]:
        if wanted.base not in self._fitting:
            for one in (wanted, *(o for found in self._found.values() for o in found if o.base == wanted.base)):
                try:
                    image = prepared(one, self.choice.max_side)
                except InputError:
                    continue  # it is recorded as failed when it is made
                fitting = tuple(name for name in planar(image.modality) if get(name).unfit(image) is None)
                self._fitting[wanted.base] = fitting
                break
            else:
                self._fitting[wanted.base] = ()
        return self._fitting[wanted.base]


def prepared(one: BaseImage, max_side: int) -> Image:
    """Return a base as it enters a data set: decoded, and averaged in blocks where it is larger than asked for."""
    return fit(one.read(), max_side)


@cache
def planar(modality: Modality) -> tuple[str, ...]:
    """Return the degradations of single images of a modality."""
    return tuple(name for name in names(modality) if not get(name).volume)


def _nothing() -> None:
    """A process needs nothing to look at images."""


def _flaws(task: tuple[BaseImage, int]) -> tuple[str, tuple[str, ...]]:
    one, max_side = task
    try:
        image = prepared(one, max_side)
    except InputError:
        return one.id, ()
    context = Context(image)
    found = []
    for name in planar(image.modality):
        entry = get(name)
        if entry.exception is None and (finding := entry.find(context)) is not None and finding.value >= FLAW:
            found.append(name)
    return one.id, tuple(found)
