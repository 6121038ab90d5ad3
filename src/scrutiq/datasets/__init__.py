"""Data sets: the table of bases, the record of a labelled image, published sets in their layouts, builders.

`scrutiq.datasets.bases` has the real images that everything is built from, with licences; `split` divides by patient or
source; a `Record` is one labelled image or question, and `load` reads published sets into records. Importing this
package reads no file and loads nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrutiq.datasets.bases import Base, BaseImage, data_folder
    from scrutiq.datasets.dataset import Dataset
    from scrutiq.datasets.manifests import read_records, write_records
    from scrutiq.datasets.published import load
    from scrutiq.datasets.record import Question, Record
    from scrutiq.datasets.splits import split

__all__ = [
    "Base",
    "BaseImage",
    "Dataset",
    "Question",
    "Record",
    "data_folder",
    "load",
    "read_records",
    "split",
    "write_records",
]

_HOMES = {
    "Base": "bases",
    "BaseImage": "bases",
    "Dataset": "dataset",
    "Question": "record",
    "Record": "record",
    "data_folder": "bases",
    "load": "published",
    "read_records": "manifests",
    "split": "splits",
    "write_records": "manifests",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
