"""What a worker process does: one item, from its base to the file."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue

from scrutiq.core import Applied, FrozenDict, Image, InputError, ScrutiqError, UsageError
from scrutiq.datasets.bases import BaseImage
from scrutiq.datasets.build.images import encode, sha256, write_bytes
from scrutiq.datasets.build.journal import Done
from scrutiq.datasets.build.plan import Item, Step
from scrutiq.datasets.build.recipe import Recipe
from scrutiq.datasets.build.sources import prepared
from scrutiq.degradations import get

__all__ = ["Maker", "degraded", "design", "lost", "make", "setup"]


def design(recipe: Recipe) -> Any:
    """Return the module of a recipe's design."""
    return import_module(f"scrutiq.datasets.build.kinds.{recipe.kind.replace('-', '_')}")


def degraded(image: Image, steps: tuple[Step, ...]) -> Image:
    """Return the image with each step made, in order."""
    for step in steps:
        entry, rng = get(step.degradation), np.random.default_rng(step.seed)
        if not step.settings:
            image = entry.make(image, step.severity, rng)
            continue
        if (reason := entry.unfit(image)) is not None:
            raise UsageError(reason)
        drawn = entry.draw(image, step.severity, rng)
        if unknown := step.settings.keys() - drawn.keys():
            raise UsageError(f"{step.degradation} has no parameter {sorted(unknown)[0]!r}.")
        parameters = FrozenDict[str, JsonValue]({**drawn, **step.settings})
        image = entry.replay(
            image, Applied(degradation=step.degradation, severity=step.severity, parameters=parameters)
        )
    return image


class Maker:
    """Makes the images of one data set.

    Parameters
    ----------
    recipe : Recipe
    bases : mapping of str to BaseImage
        By id.
    """

    def __init__(self, recipe: Recipe, bases: Mapping[str, BaseImage]) -> None:
        self.recipe = recipe
        self.bases = bases
        self._design = design(recipe)
        self.base = lru_cache(maxsize=4)(self._read)
        self.degraded = lru_cache(maxsize=4)(self._degraded)

    def _read(self, identity: str) -> Image:
        return prepared(self.bases[identity], self.recipe.bases.max_side)

    def _degraded(self, base: str, steps: tuple[Step, ...]) -> Image:
        """Return a base with steps made in order; what several items have in common is made once."""
        return degraded(self.degraded(base, steps[:-1]), steps[-1:]) if steps else self.base(base)

    def image(self, item: Item) -> tuple[Image, dict[str, JsonValue]]:
        """Return the image of an item, and what only its pixels tell."""
        made: tuple[Image, dict[str, JsonValue]] = self._design.make(self, item)
        return made


_state: tuple[Maker, Path] | None = None


def setup(recipe: Recipe, bases: Mapping[str, BaseImage], out: Path) -> None:
    """Get a process ready to `make` items of a data set."""
    global _state
    _state = (Maker(recipe, bases), out)


def make(item: Item) -> Done:
    """Make one image and write its file; what stops it stands in ``error``.

    Raises
    ------
    UsageError
        If the disk is full: going on would only fail the rest.
    """
    assert _state is not None, "setup comes first"
    maker, out = _state
    try:
        image, facts = maker.image(item)
        content, suffix = encode(image, item.form)
        file = item.stem + suffix
        write_bytes(out / file, content)
    except InputError as error:
        return Done(item=item.id, error=error.reason)
    except ScrutiqError as error:
        return Done(item=item.id, error=str(error))
    except MemoryError:
        return Done(item=item.id, error="it does not fit in memory.")
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UsageError("the disk is full; free some space, then add --resume to go on.") from None
        if os.environ.get("SCRUTIQ_DEBUG"):
            traceback.print_exc()
        reason = f"an internal error stopped it ({type(error).__name__}); set SCRUTIQ_DEBUG=1 to see where."
        return Done(item=item.id, error=reason)
    part = image.metadata.get("body_part")
    return Done(
        item=item.id,
        file=file,
        sha256=sha256(content),
        size=len(content),
        shape=image.shape,
        unit=image.unit,
        data_range=image.data_range,
        spacing=image.spacing,
        voi=image.voi,
        region=part if isinstance(part, str) else None,
        history=image.history,
        facts=FrozenDict(facts),
    )


def lost(item: Item) -> Done:
    """Return what is recorded of an item that brought its process down."""
    return Done(item=item.id, error="making it brought the process down (a fault in a library, or no memory left).")
