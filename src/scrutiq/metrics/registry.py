"""Measure an image by the names of `MEASURES`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from scrutiq.core import Image, Measurement, UsageError
from scrutiq.metrics.catalogue import MEASURES
from scrutiq.metrics.context import Context, context_of
from scrutiq.metrics.spec import PIXEL_UNIT, Map, Measure
from scrutiq.metrics.undefined import Undefined

__all__ = ["MEASURES", "PIXEL_UNIT", "Measure", "measure", "measure_map", "why_not"]


def measure(image: Image | Context, names: Iterable[str] | None = None) -> dict[str, Measurement]:
    """Measure an image.

    Parameters
    ----------
    image : Image or Context
        A `Context` keeps what the measurements share, for a later call of `why_not` or `measure_map`.
    names : iterable of str, optional
        All of `MEASURES` but the baselines when omitted.

    Returns
    -------
    dict of str to Measurement
        A measurement without a value is absent; `why_not` gives the reason.

    Raises
    ------
    UsageError
        If there is no measurement of such a name.
    """
    context = context_of(image)
    found = {}
    for entry in _entries(names):
        value = entry.compute(context)
        if value is not None:
            found[entry.name] = Measurement(value=value, unit=entry.unit_of(context.image))
    return found


def why_not(image: Image | Context, names: Iterable[str] | None = None) -> dict[str, str]:
    """Return, for each measurement that has no value on an image, the reason as one sentence."""
    context = context_of(image)
    results = {entry.name: entry.result(context) for entry in _entries(names)}
    return {name: str(result) for name, result in results.items() if isinstance(result, Undefined)}


def measure_map(image: Image | Context, name: str) -> Map:
    """Return where in an image a measurement is how large.

    Parameters
    ----------
    image : Image or Context
    name : str
        One of those in `MEASURES` with a ``map``.

    Returns
    -------
    ndarray of float32, shape (H, W)
        In the measurement's unit, or its ``map_unit``; NaN where undefined.

    Raises
    ------
    UsageError
        If there is no such measurement, or it has no map.
    """
    (entry,) = _entries([name])
    if entry.map is None:
        have = ", ".join(m.name for m in MEASURES.values() if m.map is not None)
        raise UsageError(f"{name!r} has no map; these have one: {have}.")
    context = context_of(image)
    nothing = np.full(context.image.shape, np.nan, dtype=np.float32)
    if entry.applies(context) is not None:
        return nothing
    try:
        return entry.map(context)
    except Undefined:
        return nothing


def _entries(names: Iterable[str] | None) -> list[Measure]:
    if names is None:
        return [entry for entry in MEASURES.values() if not entry.baseline]
    names = list(names)
    if unknown := [name for name in names if name not in MEASURES]:
        raise UsageError(f"there is no measurement {unknown[0]!r}: {', '.join(MEASURES)}.")
    return [MEASURES[name] for name in names]
