"""Degradations: make it by its physics, measure it in physical units, name it as a reader would.

One module a degradation, grouped by modality; everything else (data sets, questions, evidence, the documentation) is
derived from these entries. Importing this package loads none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrutiq.degradations.registry import degradations, get, make, names, replay, words
    from scrutiq.degradations.spec import Degradation, VolumeDegradation, Words
    from scrutiq.degradations.thresholds import Thresholds

_HOMES = {
    "Degradation": "spec",
    "Thresholds": "thresholds",
    "VolumeDegradation": "spec",
    "Words": "spec",
    "degradations": "registry",
    "get": "registry",
    "make": "registry",
    "names": "registry",
    "replay": "registry",
    "words": "registry",
}

__all__ = [
    "Degradation",
    "Thresholds",
    "VolumeDegradation",
    "Words",
    "degradations",
    "get",
    "make",
    "names",
    "replay",
    "words",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
