"""Images that are none of what Scrutiq judges: photographs, screenshots, ultrasound, radiographs, wrong modalities.

``outliers.yaml`` beside this module is the table: where each set lies, its licence, and whether it serves the fit of
the domain check, its validation or its test. A set belongs to one part, so no source is in two. What is not installed
is left out, and `missing` names it. Images in the wrong role, a fundus photograph said to be CT, are those of
`scrutiq.datasets.bases`.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from scrutiq.core import Image, Modality, Noun
from scrutiq.datasets.bases import data_folder, middle

__all__ = ["KINDS", "Outlier", "OutlierSet", "claimed", "cut_out", "missing", "outlier_sets", "outliers", "varied"]

Levels = npt.NDArray[np.uint8]

#: The kinds that the table holds. XA and fundus are drawn: of the real ones hardly any may be fitted on. MR is real.
KINDS = ("photograph", "screenshot", "ultrasound", "radiograph", "pattern", "MR", "XA", "fundus")
#: Longest side, pixels, that a picture is reduced to when it is read: more is not looked at.
_LONGEST = 1600
#: Size of the window in which a page is rendered, pixels.
_WINDOW = (1280, 900)


class OutlierSet(Noun):
    """One set of the table.

    Parameters
    ----------
    name : str
    kind : str
        One of `KINDS`.
    where : {"data", "python", "debian", "drawn", "page"}
    package : str, optional
        What has to be installed.
    files : tuple of str
    excluded : tuple of str
        ``except`` in the file.
    limit : int
        Most files that are taken, evenly spaced in the order of their names; 0 for all.
    part : {"fit", "validation", "test"}
    group : str
        ``file``, ``set``, or a pattern whose groups, in the path, name the source.
    frames : int
        Of a cine.
    licence, attribution : str
    shipped_weights : bool
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    kind: Literal["photograph", "screenshot", "ultrasound", "radiograph", "pattern", "MR", "XA", "fundus"]
    where: Literal["data", "python", "debian", "drawn", "page"]
    package: str | None = None
    files: Annotated[tuple[str, ...], Field(min_length=1)]
    excluded: Annotated[tuple[str, ...], Field(alias="except")] = ()
    limit: Annotated[int, Field(ge=0)] = 0
    part: Literal["fit", "validation", "test"]
    group: str
    frames: Annotated[int, Field(ge=1)] = 1
    licence: str
    shipped_weights: bool
    attribution: str


@dataclass(frozen=True)
class Outlier:
    """One picture, decoded when it is read.

    Attributes
    ----------
    kind : str
    source : str
        What a split keeps together, as ``set/source``.
    part : str
    shipped_weights : bool
    where : OutlierSet
    path : Path, optional
        None for a drawn one.
    index : int
        Its seed, or which of its frames, from 0.
    """

    kind: str
    source: str
    part: str
    shipped_weights: bool
    where: OutlierSet
    path: Path | None
    index: int = 0

    def read(self) -> Levels:
        """Return display levels, uint8, shape (H, W) or (H, W, 3), at most 1600 pixels on a side.

        Raises
        ------
        InputError
            If the file cannot be read.
        """
        if self.path is None:
            from scrutiq.datasets.drawings import draw

            return draw(self.where.files[0].split()[0], self.index)
        if self.where.where == "page":
            return _page(self.path)
        from scrutiq.imaging import find_cases, read, render

        if self.where.frames == 1 and self.path.suffix != ".zip":
            return _small(render(read(self.path, frame=0)))
        found = [case for case in find_cases([self.path]) if case.error is None]
        place = middle(len(found), min(self.where.frames, len(found)))[self.index]
        image = next(iter(found[place].load().images.values())) if len(found) > 1 else read(self.path, frame=0)
        return _small(render(image))


def outliers(
    part: str | None = None,
    *,
    shipped_weights_only: bool = False,
    data: str | os.PathLike[str] | None = None,
) -> Iterator[Outlier]:
    """Yield the pictures that are at hand, in the order of the table.

    Parameters
    ----------
    part : {"fit", "validation", "test"}, optional
    shipped_weights_only : bool
        Only what weights that are shipped may be fitted on.
    data : path, optional
        The data folder; see `scrutiq.datasets.bases.data_folder`.
    """
    for one in outlier_sets():
        if (part is None or one.part == part) and (one.shipped_weights or not shipped_weights_only):
            yield from _of(one, data)


def missing(data: str | os.PathLike[str] | None = None) -> tuple[OutlierSet, ...]:
    """Return the sets of which nothing is at hand."""
    return tuple(one for one in outlier_sets() if next(_of(one, data), None) is None)


@lru_cache(maxsize=1)
def outlier_sets() -> tuple[OutlierSet, ...]:
    """Return the table."""
    import yaml

    text = resources.files("scrutiq.datasets").joinpath("outliers.yaml").read_text("utf-8")
    return tuple(OutlierSet.model_validate(entry) for entry in yaml.safe_load(text))


def claimed(levels: Levels, modality: Modality) -> Image:
    """Return display levels as an image that is said to be of ``modality``."""
    from scrutiq.imaging import from_array
    from scrutiq.imaging.options import Given

    image = from_array(levels, given=Given(modality=modality))
    assert isinstance(image, Image)
    return image


def varied(
    levels: Levels, rng: np.random.Generator, *, grey: bool = False, turn: bool = False, least: float = 0.45
) -> Levels:
    """Return another look at a picture: a part of it, at another size, from 200 to 1500 pixels, perhaps mirrored.

    Parameters
    ----------
    levels : ndarray of uint8, shape (H, W) or (H, W, 3)
    rng : Generator
    grey : bool
        Its luma, one plane.
    turn : bool
        Whether it may be turned by quarter turns and upside down: not for what has an up and a down.
    least : float
        Of its sides, that a part of it holds.
    """
    from PIL import Image as Picture

    height, width = levels.shape[:2]
    share = float(rng.choice([1.0, rng.uniform(least, 1.0)]))
    rows, columns = max(32, round(height * share)), max(32, round(width * share))
    top, left = (int(rng.integers(0, max(1, full - part + 1))) for full, part in ((height, rows), (width, columns)))
    part = levels[top : top + rows, left : left + columns]
    if grey and part.ndim == 3:
        part = np.round(part @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    longest = max(part.shape[:2])
    target = float(np.clip(np.exp(rng.uniform(np.log(200), np.log(1500))), 200, max(1.3 * longest, 224)))
    if abs(target / longest - 1) > 0.05 and rng.random() < 0.75:
        size = [max(32, round(side * target / longest)) for side in part.shape[:2]]
        filters = (Picture.Resampling.BILINEAR, Picture.Resampling.BICUBIC, Picture.Resampling.LANCZOS)
        chosen = filters[int(rng.integers(3))]
        part = np.asarray(Picture.fromarray(part).resize((size[1], size[0]), chosen))
    if rng.random() < 0.5:
        part = part[:, ::-1]
    if turn:
        part = np.rot90(part, int(rng.integers(4)))
    return np.ascontiguousarray(part)


def cut_out(levels: Levels, rng: np.random.Generator) -> Levels:
    """Return a round or angular part of a picture on an even ground, as an object would lie on a table."""
    height, width = levels.shape[:2]
    rows, columns = np.mgrid[:height, :width].astype(float)
    y, x = rows / height * 2 - 1 - rng.uniform(-0.2, 0.2), columns / width * 2 - 1 - rng.uniform(-0.2, 0.2)
    power = float(rng.choice([2.0, 2.0, 4.0, 1.2]))
    inside = np.abs(y / rng.uniform(0.4, 0.9)) ** power + np.abs(x / rng.uniform(0.4, 0.9)) ** power < 1
    ground = (0, 0, 255, int(rng.integers(256)))[int(rng.integers(4))]
    return np.where(inside[..., None] if levels.ndim == 3 else inside, levels, np.uint8(ground))


def _roots(one: OutlierSet, data: str | os.PathLike[str] | None) -> Iterator[Path]:
    beside = os.environ.get("SCRUTIQ_OUTLIERS")
    if one.where == "data":
        yield data_folder(data)
    elif one.where == "python":
        found = importlib.util.find_spec(one.files[0].split("/", 1)[0])
        places = [] if found is None else list(found.submodule_search_locations or [])
        yield from (Path(place).parent for place in places)
        if beside:
            yield Path(beside) / "pypi"
    else:
        yield Path("/")
        if beside:
            yield Path(beside) / "debian"


def _of(one: OutlierSet, data: str | os.PathLike[str] | None) -> Iterator[Outlier]:
    if one.where == "drawn":
        first, last = (int(number) for number in one.files[0].split()[1].split("-"))
        for seed in range(first, last + 1):
            yield Outlier(one.kind, f"{one.name}/{seed}", one.part, one.shipped_weights, one, None, seed)
        return
    if one.where == "page" and _chromium() is None:
        return
    for root in _roots(one, data):
        paths = sorted({path for glob in one.files for path in root.glob(glob) if path.is_file()})
        out = {path for glob in one.excluded for path in root.glob(glob)}
        paths = [path for path in paths if path not in out]
        if one.limit and len(paths) > one.limit:
            paths = [paths[index] for index in np.linspace(0, len(paths) - 1, one.limit).round().astype(int)]
        if paths:
            for path in paths:
                source = f"{one.name}/{_source(one, path.relative_to(root).as_posix())}"
                for frame in range(_frames(one, path)):
                    yield Outlier(one.kind, source, one.part, one.shipped_weights, one, path, frame)
            return


def _source(one: OutlierSet, path: str) -> str:
    if one.group == "file":
        return path.rsplit("/", 1)[-1]
    if one.group == "set":
        return "all"
    found = re.search(one.group, path)
    return "other" if found is None else "-".join(found.groups())


def _frames(one: OutlierSet, path: Path) -> int:
    if one.frames == 1:
        return 1
    from scrutiq.imaging import find_cases

    return min(one.frames, sum(case.error is None for case in find_cases([path])))


def _small(levels: Levels) -> Levels:
    if max(levels.shape[:2]) <= _LONGEST:
        return levels
    from PIL import Image as Picture

    picture = Picture.fromarray(levels)
    picture.thumbnail((_LONGEST, _LONGEST), Picture.Resampling.LANCZOS)
    return np.asarray(picture)


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _page(path: Path) -> Levels:
    """Return an HTML file as Chromium shows it, with no network."""
    from PIL import Image as Picture

    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "page.png"
        command = [str(_chromium()), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--hide-scrollbars", f"--user-data-dir={folder}/profile"]
        command += [f"--window-size={_WINDOW[0]},{_WINDOW[1]}", f"--screenshot={shot}", path.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        return np.asarray(Picture.open(shot).convert("RGB"))
