"""Builders of data sets: a recipe says what; every image, label and question follows from what was made.

`build` makes a data set, `info` says what it holds, `check` verifies it. Importing this package loads none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrutiq.datasets.build.building import Built, build
    from scrutiq.datasets.build.card import info
    from scrutiq.datasets.build.checking import Checked, check
    from scrutiq.datasets.build.recipe import Recipe, load, names

__all__ = ["Built", "Checked", "Recipe", "build", "check", "info", "load", "names"]

_HOMES = {
    "Built": "building",
    "Checked": "checking",
    "Recipe": "recipe",
    "build": "building",
    "check": "checking",
    "info": "card",
    "load": "recipe",
    "names": "recipe",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
