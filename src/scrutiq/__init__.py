"""Scrutiq judges medical images as a radiologist would, and shows the measurements behind every claim.

>>> import scrutiq
>>> results = scrutiq.assess("study/", rubric="ct-denoising")  # doctest: +SKIP

Everything here is loaded when first used: ``import scrutiq`` alone costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from scrutiq.api import Results, agree, assess, calibrate, compare, degradation, degrade
    from scrutiq.core import Assessment, Case, Finding, Image, Judgement, Rubric
    from scrutiq.imaging import read, write

_HOMES = {
    "Results": "scrutiq.api",
    "agree": "scrutiq.api",
    "assess": "scrutiq.api",
    "calibrate": "scrutiq.api",
    "compare": "scrutiq.api",
    "degradation": "scrutiq.api",
    "degrade": "scrutiq.api",
    "read": "scrutiq.imaging",
    "write": "scrutiq.imaging",
    "Assessment": "scrutiq.core",
    "Case": "scrutiq.core",
    "Finding": "scrutiq.core",
    "Image": "scrutiq.core",
    "Judgement": "scrutiq.core",
    "Rubric": "scrutiq.core",
}

__all__ = [
    "Assessment",
    "Case",
    "Finding",
    "Image",
    "Judgement",
    "Results",
    "Rubric",
    "__version__",
    "agree",
    "assess",
    "calibrate",
    "compare",
    "degradation",
    "degrade",
    "read",
    "write",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'scrutiq' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
