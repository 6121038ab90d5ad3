"""What the designs share: records of single images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scrutiq.datasets.build.journal import Done
from scrutiq.datasets.build.plan import Item
from scrutiq.datasets.record import Record

__all__ = ["CT_WINDOW_HU", "record_of", "stated"]

#: Abdominal window of IQAGPT, section 2.1.
CT_WINDOW_HU = (-160.0, 240.0)


def record_of(item: Item, done: Done, base_of: Mapping[str, str], **fields: Any) -> Record:
    """Return the record of one image; ``extra`` and ``files`` among the fields add to what stands there anyway."""
    files = {"target": done.file, **fields.pop("files", {})}
    extra = {
        "sha256": {"target": done.sha256},
        "base_image": item.base,
        "source": "simulated",
        "spacing": None if done.spacing is None else list(done.spacing),
        "unit": done.unit,
        **item.facts,
        **done.facts,
        **fields.pop("extra", {}),
    }
    common = {
        "id": item.id,
        "modality": item.modality,
        "split": item.split,
        "group": item.group,
        "base": base_of[item.base],
        "applied": done.history,
    }
    return Record(**{**common, **fields, "files": files, "extra": extra})


def stated(window: tuple[float, float] = CT_WINDOW_HU) -> dict[str, Any]:
    """Return the sidecar that tells every reader what a folder of CT images in HU holds."""
    low, high = window
    return {
        "modality": "CT",
        "unit": "HU",
        "rescale": {"slope": 1, "intercept": 0},
        "window": [(low + high) / 2, high - low],
    }
