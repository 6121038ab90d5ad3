"""What a file does not say about its image: from the user, a manifest or a sidecar file, never from the pixels.

Who is believed, first to last:

1. the user's own words on the command line (``--modality``, ``--window``, ``--spacing``);
2. the row of a manifest;
3. what the image file states (a DICOM header, a NIfTI header);
4. the sidecar ``slice.json`` beside ``slice.png``;
5. ``scrutiq.json`` in the same folder, then in the folders above it; the nearest wins, key by key.

A sidecar is a JSON object with any of these keys:

``modality``
    ``"CT"``, ``"MR"``, ``"XA"``, ``"fundus"``, ``"endoscopy"``, ``"histopathology"``, ``"DX"``, ``"US"``, ``"other"``.
``window``
    ``[center, width]`` of the display, in the unit of the image.
``spacing``
    Distance between pixel centres in mm: one number, or ``[row, column]``.
``rescale``
    ``{"slope": 1, "intercept": -1024}``: from the stored values to ``unit``. Grey images only.
``unit``
    ``"HU"`` (with ``rescale``, so that nobody calls grey levels HU by accident) or ``"grey level"``.
``data_range``
    ``[low, high]`` of the stored values, before ``rescale``: ``[0, 4095]`` for 12 bits kept in a 16-bit file.
``metadata``
    Technical numbers by the names of `scrutiq.imaging.technical`, and ``body_part``, a term of PS3.16 Annex L
    (``"HEAD"``, ``"ABDOMEN"``).

``rescale``, ``unit`` and ``data_range`` do not act on DICOM, which states its own. A JSON file beside an image that has
none of these keys belongs to another program (BIDS, LabelMe) and is left alone.
"""

from __future__ import annotations

import difflib
import json
import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from scrutiq.core import GREY, HU, FrozenDict, Image, InputError, Modality, Noun, UsageError, Window
from scrutiq.imaging.decoding import as_float32
from scrutiq.imaging.display import parse_window

__all__ = ["Given", "Sidecar", "apply", "parse_modality", "parse_spacing", "read_sidecar"]

#: A sidecar holds a few lines.
MAX_SIDECAR_BYTES = 1 << 20
#: mm between pixel centres: the same bounds as for a DICOM header.
MIN_SPACING, MAX_SPACING = 1e-6, 1e3


@dataclass(frozen=True)
class Given:
    """What the user states about every image of a call.

    Parameters
    ----------
    modality : Modality, optional
    window : Window, optional
        Display only. Colour images take no window.
    spacing : tuple of float, optional
        (row, column) distance between pixel centres, mm.
    """

    modality: Modality | None = None
    window: Window | None = None
    spacing: tuple[float, float] | None = None

    @classmethod
    def parse(cls, modality: str | None = None, window: str | None = None, spacing: str | None = None) -> Given:
        """Read the texts of the command line: ``"CT"``, ``"40,400"``, ``"0.7"`` or ``"0.7,0.7"``.

        Raises
        ------
        UsageError
            If one of them cannot be read.
        """
        return cls(
            None if modality is None else parse_modality(modality),
            None if window is None else parse_window(window),
            None if spacing is None else parse_spacing(spacing),
        )

    @classmethod
    def of(
        cls,
        *,
        modality: Modality | str | None = None,
        window: Window | tuple[float, float] | None = None,
        spacing: float | tuple[float, float] | None = None,
    ) -> Given:
        """Check the values of the Python interface: a window as (center, width), a spacing as mm or (row, column).

        Raises
        ------
        UsageError
            If one of them is not valid.
        """
        if modality is not None:
            modality = parse_modality(str(modality))
        if window is not None and not isinstance(window, Window):
            window = parse_window(_text(window))
        if spacing is not None:
            spacing = parse_spacing(_text(spacing))
        return cls(modality, window, spacing)

    def over(self, other: Given) -> Given:
        """Return this, with ``other`` where this says nothing."""
        return Given(self.modality or other.modality, self.window or other.window, self.spacing or other.spacing)


def _text(numbers: object) -> str:
    return ",".join(str(one) for one in (numbers if isinstance(numbers, tuple | list) else (numbers,)))


def parse_modality(text: str) -> Modality:
    """Read a modality, whatever its case.

    Raises
    ------
    UsageError
    """
    known = [m for m in Modality if m is not Modality.UNKNOWN]
    for modality in known:
        if modality.value.casefold() == text.strip().casefold():
            return modality
    raise UsageError(f"the modality is one of {', '.join(known)}.")


def parse_spacing(text: str) -> tuple[float, float]:
    """Read a spacing, "mm" or "row,column".

    Raises
    ------
    UsageError
    """
    numbers = _numbers(text)
    if len(numbers) not in (1, 2) or min(numbers) < MIN_SPACING or max(numbers) > MAX_SPACING:
        raise UsageError(
            "a spacing is written MM or ROW,COLUMN, in mm, from 0.000001 to 1000, for example 0.7 or 0.7,0.8."
        )
    return (numbers[0], numbers[-1])


def _numbers(text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return []
    return numbers if all(math.isfinite(n) for n in numbers) else []


class _Rescale(Noun):
    slope: float
    intercept: float

    @field_validator("slope")
    @classmethod
    def _not_zero(cls, value: float) -> float:
        if value == 0:
            raise ValueError("zero")
        return value


def _allowed(value: Any) -> Any:
    from scrutiq.imaging.technical import BODY_PARTS, UNITS

    if isinstance(value, dict):
        numbers = {name: one for name, one in value.items() if name != "body_part"}
        if not numbers.keys() <= UNITS.keys() or value.get("body_part", "HEAD") not in BODY_PARTS:
            raise ValueError("unknown name")
        if any(isinstance(one, str) for one in numbers.values()):
            raise ValueError("not a number")
    return value


def _pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int | float) and not isinstance(value, bool) else value


_Millimetres = Annotated[float, Field(ge=MIN_SPACING, le=MAX_SPACING)]


class Sidecar(Noun):
    """The content of a sidecar file; see `scrutiq.imaging.options` for its keys."""

    modality: Modality | None = None
    window: tuple[float, Annotated[float, Field(ge=1)]] | None = None
    spacing: Annotated[tuple[_Millimetres, _Millimetres] | None, BeforeValidator(_pair)] = None
    rescale: _Rescale | None = None
    unit: Literal["HU", "grey level"] | None = None
    data_range: tuple[float, float] | None = None
    metadata: Annotated[FrozenDict[str, float | str], BeforeValidator(_allowed)] = FrozenDict()

    @field_validator("data_range")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] >= value[1]:
            raise ValueError("order")
        return value

    @model_validator(mode="after")
    def _calibrated(self) -> Sidecar:
        if self.unit == HU and self.rescale is None:
            raise ValueError("unit")
        return self

    def over(self, other: Sidecar) -> Sidecar:
        """Return this, with ``other`` where this says nothing; ``unit`` and ``rescale`` go together."""
        mine = {name: getattr(self, name) for name in self.model_fields_set}
        theirs = {name: getattr(other, name) for name in other.model_fields_set}
        if {"unit", "rescale"} & mine.keys():
            theirs = {name: value for name, value in theirs.items() if name not in ("unit", "rescale")}
        merged = {**theirs, **mine}
        merged["metadata"] = FrozenDict({**other.metadata, **self.metadata})
        return Sidecar(**merged)


_OVERFLOW = (
    "the sidecar's 'rescale' gives values too large or too close together to be held; check slope and intercept."
)
_HINTS = {
    "modality": f"one of {', '.join(m for m in Modality if m is not Modality.UNKNOWN)}",
    "window": "[center, width] with a width of at least 1",
    "spacing": "one number or [row, column], in mm, from 0.000001 to 1000",
    "rescale": '{"slope": ..., "intercept": ...} with a slope other than zero',
    "unit": '"grey level", or "HU" together with "rescale"',
    "data_range": "[low, high] of the stored values",
    "metadata": "an object of technical names and numbers, or body_part and a term such as HEAD",
}


def read_sidecar(content: bytes, *, strict: bool) -> Sidecar | None:
    """Read a sidecar.

    Parameters
    ----------
    content : bytes
        UTF-8 JSON.
    strict : bool
        Whether every key must be known (``scrutiq.json``). Else a file without any known key is not a sidecar, and keys
        of other programs are left alone, unless one looks like a slip of the pen.

    Returns
    -------
    Sidecar or None
        None where the file is not a sidecar.

    Raises
    ------
    InputError
        Naming the key that is wrong, without its value.
    """
    name = "scrutiq.json" if strict else "the sidecar file"
    if len(content) > MAX_SIDECAR_BYTES:
        if not strict:
            return None
        raise InputError(f"{name} is larger than 1 MB.")
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise InputError(f"{name} is not valid JSON.") from None
    if not isinstance(document, dict):
        if not strict:
            return None
        raise InputError(f"{name} is not a JSON object.")
    known = set(Sidecar.model_fields)
    for key in document.keys() - known:
        # Other programs write CamelCase; a lower-case near miss is meant for us.
        near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.8) if key.islower() else []
        if near:
            raise InputError(f"{name} has an unknown key; did you mean '{near[0]}'?")
        if strict:
            raise InputError(f"{name} has an unknown key; it may have {', '.join(sorted(known))}.")
    document = {key: value for key, value in document.items() if key in known}
    if not document:
        return Sidecar() if strict else None
    if document.get("modality") == Modality.UNKNOWN:
        del document["modality"]
    try:
        return Sidecar.model_validate(document)
    except ValidationError as error:
        where = error.errors(include_input=False, include_url=False)[0]["loc"]
        key = str(where[0]) if where else "unit"
        raise InputError(f"{name}: '{key}' is not valid; write {_HINTS[key]}.") from None


def apply(image: Image, given: Given, sidecar: Sidecar | None, *, states_values: bool) -> Image:
    """Return an image with what its file does not say.

    Parameters
    ----------
    image : Image
        As the reader of its format gave it.
    given : Given
        Overrides the file.
    sidecar : Sidecar, optional
        Fills the file's gaps.
    states_values : bool
        Whether the format says what its values mean (DICOM). ``rescale``, ``unit`` and ``data_range`` are then ignored.

    Raises
    ------
    InputError
        If what is stated contradicts itself.
    """
    extra = sidecar or Sidecar()
    changes: dict[str, Any] = {} if states_values or image.is_colour else _rescaled(image, extra)
    stated = None if image.modality is Modality.UNKNOWN else image.modality
    _put(changes, image, "modality", given.modality or stated or extra.modality)
    _put(changes, image, "spacing", given.spacing or image.spacing or extra.spacing)
    if not image.is_colour:
        shown = None if extra.window is None else Window(center=extra.window[0], width=extra.window[1])
        _put(changes, image, "voi", given.window or changes.get("voi", image.voi) or shown)
    if extra.metadata:
        _put(changes, image, "metadata", FrozenDict({**extra.metadata, **image.metadata}))
    if not changes:
        return image
    try:
        return image.replace(**changes)
    except ValueError:
        raise InputError(
            f"the unit {changes.get('unit', image.unit)} does not fit the modality "
            f"{changes.get('modality', image.modality)}."
        ) from None


def _put(changes: dict[str, Any], image: Image, name: str, value: Any) -> None:
    if value is not None and value != changes.get(name, getattr(image, name)):
        changes[name] = value


def _rescaled(image: Image, extra: Sidecar) -> dict[str, Any]:
    """Return what ``data_range`` and ``rescale`` change, a window that the file itself states included."""
    changes: dict[str, Any] = {}
    data_range = extra.data_range or image.data_range
    if extra.rescale is not None:
        slope, intercept = extra.rescale.slope, extra.rescale.intercept
        pixels = changes["pixels"] = as_float32(image.pixels, slope, intercept)
        if not np.array_equal(np.isfinite(pixels), np.isfinite(image.pixels)):
            raise InputError(_OVERFLOW)
        changes["unit"] = extra.unit or GREY
        if data_range is not None:
            data_range = _mapped(data_range, slope, intercept)
        if isinstance(image.voi, Window):
            changes["voi"] = Window.from_bounds(*_mapped(image.voi.bounds, slope, intercept))
    _put(changes, image, "data_range", data_range)
    return changes


def _mapped(ends: tuple[float, float], slope: float, intercept: float) -> tuple[float, float]:
    low, high = sorted(end * slope + intercept for end in ends)
    if not (math.isfinite(high - low) and low < high):
        raise InputError(_OVERFLOW)
    return (low, high)
