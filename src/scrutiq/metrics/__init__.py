"""Physical measurements, image metrics with and without a reference, and agreement statistics.

Each name is imported when it is first used, so that this package costs nothing until then.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrutiq.metrics.context import Context
    from scrutiq.metrics.reference import FULL_REFERENCE, FullReference, compare, fit_intensity
    from scrutiq.metrics.registry import MEASURES, Measure, measure, measure_map, why_not
    from scrutiq.metrics.undefined import Undefined

_HOMES = {
    "FULL_REFERENCE": "reference",
    "MEASURES": "registry",
    "Context": "context",
    "FullReference": "reference",
    "Measure": "registry",
    "Undefined": "undefined",
    "compare": "reference",
    "fit_intensity": "reference",
    "measure": "registry",
    "measure_map": "registry",
    "why_not": "registry",
}

__all__ = [
    "FULL_REFERENCE",
    "MEASURES",
    "Context",
    "FullReference",
    "Measure",
    "Undefined",
    "compare",
    "fit_intensity",
    "measure",
    "measure_map",
    "why_not",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
