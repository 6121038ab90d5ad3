"""`Image`: pixels in stored physical units, and what is known about them."""

from __future__ import annotations

import base64
import zlib
from enum import StrEnum
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, field_validator, model_validator

from scrutiq.core.applied import Applied
from scrutiq.core.noun import FrozenDict, Noun

__all__ = ["GREY", "HU", "Image", "Modality", "Source", "VoiLut", "Window"]

#: Unit of CT numbers on the Hounsfield scale.
HU = "HU"
#: Unit of anything uncalibrated: a raster's own grey (or colour component) levels.
GREY = "grey level"


class Modality(StrEnum):
    """The kind of image, by the words of the command line.

    ``DX``, ``US`` and ``OTHER`` are read and shown, but no shipped rubric judges them. ``UNKNOWN`` means that
    neither the file nor the user said; it is never guessed from pixel values.
    """

    CT = "CT"
    MR = "MR"
    XA = "XA"
    FUNDUS = "fundus"
    ENDOSCOPY = "endoscopy"
    HISTOPATHOLOGY = "histopathology"
    DX = "DX"
    US = "US"
    OTHER = "other"
    UNKNOWN = "unknown"


class Window(Noun):
    """A value-of-interest window: display only, never measurement.

    Parameters
    ----------
    center, width : float
        In the unit of the image (HU for CT). ``width`` is at least 1 for ``LINEAR``, else positive.
    function : {"LINEAR", "LINEAR_EXACT", "SIGMOID"}
        VOI LUT Function (0028,1056), DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3.
    """

    center: float
    width: float
    function: Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"] = "LINEAR"

    @model_validator(mode="after")
    def _check(self) -> Window:
        if self.function == "LINEAR" and self.width < 1:
            raise ValueError(
                f"the width of a LINEAR window is at least 1, not {self.width:g} (DICOM PS3.3 C.11.2.1.2.1)"
            )
        if self.width <= 0:
            raise ValueError(f"a window's width is positive, not {self.width:g}")
        return self

    @classmethod
    def from_bounds(cls, low: float, high: float) -> Window:
        """Return the LINEAR_EXACT window that runs from black at ``low`` to white at ``high``."""
        return cls(center=(low + high) / 2, width=high - low, function="LINEAR_EXACT")

    @property
    def bounds(self) -> tuple[float, float]:
        """Values at which the display saturates to black and to white (for SIGMOID: the window's nominal edges)."""
        if self.function == "LINEAR":
            return (self.center - 0.5 - (self.width - 1) / 2, self.center - 0.5 + (self.width - 1) / 2)
        return (self.center - self.width / 2, self.center + self.width / 2)


class VoiLut(Noun):
    """A value-of-interest look-up table (VOI LUT Sequence, DICOM PS3.3 C.11.2.1.1).

    Parameters
    ----------
    first : int
        Stored value mapped to the first entry; values below it take the first entry, values past the end the last.
    bits : int
        Bits of an entry, 8 to 16.
    entries : tuple of int
        The table, each in [0, 2**bits - 1].
    """

    first: int
    bits: Annotated[int, Field(ge=8, le=16)]
    entries: Annotated[tuple[int, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check(self) -> VoiLut:
        if min(self.entries) < 0 or max(self.entries) >= 1 << self.bits:
            raise ValueError(f"an entry of the table does not fit in {self.bits} bits")
        return self


class Source(Noun):
    """Where an image came from.

    Parameters
    ----------
    path : str, optional
        Path relative to what the user named. It can identify a patient: it goes to stdout only.
    frame : int
        Zero-based frame, page or slice index within the file or the sorted series.
    series : str, optional
        Salted hash that is equal for the images of one series (volume, cine), and for those only.
    location : float, optional
        Position along the series' normal, mm.
    """

    path: str | None = None
    frame: Annotated[int, Field(ge=0)] = 0
    series: str | None = None
    location: float | None = None


def _pixels(value: Any) -> npt.NDArray[np.float32]:
    if isinstance(value, dict):
        value = _decode(value)
    array = np.asarray(value)
    if array.dtype.kind not in "fiub" or (array.dtype.kind == "f" and array.dtype.itemsize > 8):
        raise ValueError(f"pixels are real numbers, not {array.dtype}")
    if (array.ndim == 3 and array.shape[2] != 3) or array.ndim not in (2, 3):
        raise ValueError(f"pixels have shape (H, W) or (H, W, 3), not {array.shape}")
    if array.size == 0:
        raise ValueError(f"an image has at least one pixel; this one has shape {array.shape}")
    array = np.array(array, dtype=np.float32, order="C", copy=True)
    array.flags.writeable = False
    return array


def _mask(value: Any) -> npt.NDArray[np.bool_] | None:
    if value is None:
        return None
    if isinstance(value, dict):
        value = _decode(value)
    array = np.array(value, dtype=bool, order="C", copy=True)
    array.flags.writeable = False
    return array


def _encode(array: npt.NDArray[Any] | None) -> dict[str, Any] | None:
    if array is None:
        return None
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    return {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "zlib_base64": base64.b64encode(zlib.compress(little.tobytes(), 6)).decode("ascii"),
    }


def _decode(value: dict[str, Any]) -> npt.NDArray[Any]:
    dtype = {"float32": np.dtype("<f4"), "bool": np.dtype(bool)}.get(value.get("dtype", ""))
    if dtype is None:
        raise ValueError("an encoded array is float32 or bool")
    raw = zlib.decompress(base64.b64decode(value["zlib_base64"]))
    return np.frombuffer(raw, dtype=dtype).reshape(value["shape"])


_ARRAY_SCHEMA = {
    "type": "object",
    "properties": {
        "dtype": {"enum": ["float32", "bool"]},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}},
        "zlib_base64": {"type": "string", "description": "little-endian C-order bytes, zlib, then base64"},
    },
    "required": ["dtype", "shape", "zlib_base64"],
}

Pixels = Annotated[
    npt.NDArray[np.float32],
    BeforeValidator(_pixels),
    PlainSerializer(_encode, when_used="json"),
    WithJsonSchema(_ARRAY_SCHEMA),
]
Mask = Annotated[
    npt.NDArray[np.bool_] | None,
    BeforeValidator(_mask),
    PlainSerializer(_encode, when_used="json"),
    WithJsonSchema({"anyOf": [_ARRAY_SCHEMA, {"type": "null"}]}),
]


class Image(Noun):
    """One two-dimensional image in stored physical units.

    Windows, look-up tables and MONOCHROME1 act on display only (`scrutiq.imaging.render`); ``pixels`` are what the
    scanner stored after the modality transform.

    Parameters
    ----------
    pixels : ndarray of float32, shape (H, W) or (H, W, 3)
        Copied and made read-only. Colour is RGB.
    modality : Modality
    unit : str
        Of a pixel value: ``"HU"`` only where the file says so, ``"grey level"`` where nothing is known, else what the
        file states.
    spacing : tuple of float, optional
        (row, column) distance between pixel centres, mm.
    data_range : tuple of float, optional
        Lowest and highest value that the *format* can hold, in ``unit`` (0 and 255 for an 8-bit raster). None for
        floating-point files: it is never taken from the pixel values.
    voi : Window or VoiLut, optional
        How the file, or the user, wants the image displayed.
    inverted : bool
        Whether low values are displayed bright (MONOCHROME1).
    valid : ndarray of bool, shape (H, W), optional
        False where there is no image (pixel padding, NaN, infinity). Non-finite pixels are added to what the caller
        marks; None means that every pixel counts.
    metadata : mapping
        Technical, de-identified facts (kVp, kernel, TE, ...), by the allow-list of `scrutiq.imaging`.
    source : Source, optional
    history : tuple of Applied
        The degradations that Scrutiq itself applied, first to last; empty for an image as it came.

    Raises
    ------
    pydantic.ValidationError
        (a ValueError) If any of the above does not hold.
    """

    pixels: Pixels
    modality: Modality = Modality.UNKNOWN
    unit: Annotated[str, Field(min_length=1)] = GREY
    spacing: tuple[float, float] | None = None
    data_range: tuple[float, float] | None = None
    voi: Window | VoiLut | None = None
    inverted: bool = False
    valid: Mask = None
    metadata: FrozenDict[str, str | int | float | bool | tuple[str | float, ...]] = FrozenDict()
    source: Source = Source()
    history: tuple[Applied, ...] = ()

    @field_validator("spacing")
    @classmethod
    def _positive(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and min(value) <= 0:
            raise ValueError(f"spacing is positive, not {value}")
        return value

    @field_validator("data_range")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and value[0] >= value[1]:
            raise ValueError(f"data_range runs from low to high, not {value}")
        return value

    @model_validator(mode="after")
    def _check(self) -> Image:
        if self.valid is not None and self.valid.shape != self.shape:
            raise ValueError(f"valid has shape {self.valid.shape}, the image {self.shape}")
        if self.unit == HU and self.modality not in (Modality.CT, Modality.XA, Modality.OTHER):
            raise ValueError(f"an {self.modality} image is not on the Hounsfield scale")
        finite = np.isfinite(self.pixels) if self.pixels.ndim == 2 else np.isfinite(self.pixels).all(axis=2)
        if not finite.all():
            valid = finite if self.valid is None else finite & self.valid
            valid.flags.writeable = False
            object.__setattr__(self, "valid", valid)
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return (self.pixels.shape[0], self.pixels.shape[1])

    @property
    def is_colour(self) -> bool:
        return self.pixels.ndim == 3

    @property
    def is_calibrated(self) -> bool:
        """Whether values are on a physical scale that is comparable between scanners (HU)."""
        return self.unit == HU

    def grey(self) -> npt.NDArray[np.float32]:
        """Return the image as shape (H, W) float32: itself, or luma of RGB (ITU-R BT.601: 0.299, 0.587, 0.114)."""
        if not self.is_colour:
            return self.pixels
        return (self.pixels @ np.array([0.299, 0.587, 0.114], dtype=np.float32)).astype(np.float32)

    def replace(self, **changes: Any) -> Image:
        """Return a validated copy with some fields changed."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return Image(**{**fields, **changes})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Image):
            return NotImplemented
        for name in type(self).model_fields:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, np.ndarray) or isinstance(theirs, np.ndarray):
                if mine is None or theirs is None or not np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f"):
                    return False
            elif mine != theirs:
                return False
        return True

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Image({self.modality}, {'x'.join(map(str, self.pixels.shape))}, {self.unit})"

    __str__ = __repr__
