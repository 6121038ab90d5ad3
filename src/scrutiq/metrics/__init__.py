"""Physical measurements, image metrics with and without a reference, and agreement statistics.

Each name is imported when it is first used, so that this package costs nothing until then.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrutiq.metrics.context import Context
    from scrutiq.metrics.registry import MEASURES, Measure, measure, measure_map, why_not
    from scrutiq.metrics.undefined import Undefined

_HOMES = {
    "MEASURES": "registry",
    "Context": "context",
    "Measure": "registry",
    "Undefined": "undefined",
    "measure": "registry",
    "measure_map": "registry",
    "why_not": "registry",
}

__all__ = ["MEASURES", "Context", "Measure", "Undefined", "measure", "measure_map", "why_not"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
