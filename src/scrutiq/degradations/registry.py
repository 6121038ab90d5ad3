"""Find a degradation by its name: ``words.yaml`` of a folder lists what it holds, a module is imported when needed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

import numpy as np
from pydantic import ValidationError

from scrutiq.core import Image, Modality, UsageError
from scrutiq.core.shipped import shipped_yaml
from scrutiq.degradations.spec import Degradation, VolumeDegradation, Words

__all__ = ["degradations", "get", "names", "replay", "words"]

#: The folders, in the order of every list.
FOLDERS = ("ct", "mr", "xa", "fundus", "endoscopy", "histopathology", "any")


def names(modality: Modality | str | None = None) -> tuple[str, ...]:
    """Return the names of all degradations, or of those that can befall images of a modality, in a fixed order.

    Parameters
    ----------
    modality : Modality or str, optional
    """
    listed = tuple(_blocks())
    if modality is None:
        return listed
    wanted = str(Modality(modality)).lower()
    if wanted not in FOLDERS:
        return ()
    return tuple(name for name in listed if name.partition(".")[0] in (wanted, "any"))


def words(name: str) -> Words:
    """Return how a degradation is spoken of, without importing what makes it."""
    return _blocks()[_known(name)]


def get(name: str) -> Degradation:
    """Return a degradation.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    return _load(_known(name))


def degradations(modality: Modality | str | None = None) -> tuple[Degradation, ...]:
    """Return the degradations of `names`, loaded."""
    return tuple(get(name) for name in names(modality))


def replay(image: Image, original: Image) -> Image:
    """Apply to ``original`` everything that the ``history`` of ``image`` records, in order."""
    for applied in image.history[len(original.history) :]:
        original = get(applied.degradation).replay(original, applied)
    return original


def make(image: Image, name: str, severity: float, seed: int) -> Image:
    """Make a degradation from a seed; see `Degradation.make`."""
    return get(name).make(image, severity, np.random.default_rng(seed))


def _known(name: str) -> str:
    if name not in _blocks():
        close = difflib.get_close_matches(name, list(_blocks()), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise UsageError(f"there is no degradation {name!r}.{hint} `scrutiq degradations` lists them.")
    return name


@cache
def _load(name: str) -> Degradation:
    folder, _, module = name.partition(".")
    entry = import_module(f"scrutiq.degradations.{folder}.{module}").DEGRADATION
    assert isinstance(entry, Degradation)
    if entry.name != name:
        raise AssertionError(f"{folder}/{module}.py calls itself {entry.name}")
    assert isinstance(entry, VolumeDegradation) == entry.volume
    return entry


@cache
def _blocks() -> Mapping[str, Words]:
    found: dict[str, Words] = {}
    for folder in FOLDERS:
        for module, block in (shipped_yaml("scrutiq.degradations", folder, "words.yaml") or {}).items():
            try:
                found[f"{folder}.{module}"] = Words.model_validate(block)
            except ValidationError as error:
                raise AssertionError(f"{folder}/words.yaml, {module}: {error}") from None
    return MappingProxyType(found)
