"""Images in and out: DICOM, NIfTI, TIFF, PNG, JPEG, BMP, WebP, GIF and NumPy; what files leave unsaid; display.

`read` takes one path, `find_cases` takes everything else; `write` writes TIFF, PNG and NumPy. Importing this package
loads no decoder: each comes with the first file that needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrutiq.imaging.array import from_array
    from scrutiq.imaging.caseref import CaseRef
    from scrutiq.imaging.display import display_range, parse_window, render
    from scrutiq.imaging.fileref import FileRef
    from scrutiq.imaging.find import Found, find_cases
    from scrutiq.imaging.frames import Frames
    from scrutiq.imaging.options import Given, parse_modality, parse_spacing
    from scrutiq.imaging.privacy import salted_hash
    from scrutiq.imaging.reading import read
    from scrutiq.imaging.writing import write

__all__ = [
    "CaseRef",
    "FileRef",
    "Found",
    "Frames",
    "Given",
    "display_range",
    "find_cases",
    "from_array",
    "parse_modality",
    "parse_spacing",
    "parse_window",
    "read",
    "render",
    "salted_hash",
    "write",
]

_HOMES = {
    "CaseRef": "caseref",
    "FileRef": "fileref",
    "Found": "find",
    "Frames": "frames",
    "Given": "options",
    "display_range": "display",
    "find_cases": "find",
    "from_array": "array",
    "parse_modality": "options",
    "parse_spacing": "options",
    "parse_window": "display",
    "read": "reading",
    "render": "display",
    "salted_hash": "privacy",
    "write": "writing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
