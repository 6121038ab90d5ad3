"""NumPy arrays, in memory and as ``.npy`` files."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy

from scrutiq.core import GREY, Image, InputError, Modality, Source
from scrutiq.imaging.decoding import as_float32, decoding, integer_range, series_of
from scrutiq.imaging.fileref import FileRef
from scrutiq.imaging.frames import Frames
from scrutiq.imaging.limits import check_frames, check_pixels
from scrutiq.imaging.options import Given

__all__ = ["ArrayFile", "ArrayFrames", "from_array"]

_DAMAGED = "the NumPy file ends early or is damaged; save it again with numpy.save."


def from_array(
    array: npt.ArrayLike,
    *,
    given: Given | None = None,
    unit: str = GREY,
    data_range: tuple[float, float] | None = None,
) -> Image | ArrayFrames:
    """Make images of an array.

    Parameters
    ----------
    array : array_like of bool, int or float
        (H, W), (H, W, 1) or (H, W, 3) makes one image; (N, H, W), (N, H, W, 1) or (N, H, W, 3) makes N. A last axis of
        3 is always RGB, of 1 always dropped, of 4 refused (drop the alpha channel, or move the axis).
    given : Given, optional
        Modality, window and spacing.
    unit : str
        ``"HU"`` if the values are CT numbers (the modality must then be CT), else grey levels or what they are.
    data_range : tuple of float, optional
        Lowest and highest value that the format can hold. By default the range of the integer type, None for floating
        point and for 64-bit integers. It is never taken from the values.

    Returns
    -------
    Image or ArrayFrames

    Raises
    ------
    InputError
        If the array has another shape or type.
    ValueError
        If the unit and the modality, or the ends of ``data_range``, do not fit together.
    """
    values = np.asarray(array)
    frames = ArrayFrames(values, given or Given(), unit, data_range or _range(values.dtype))
    return frames if frames.is_volume else frames[0]


class ArrayFrames(Frames):
    """The images of an array (see `from_array`), converted to float32 when asked for."""

    def __init__(
        self, values: npt.NDArray[Any], given: Given, unit: str, data_range: tuple[float, float] | None
    ) -> None:
        _check_dtype(values.dtype)
        self.is_volume, shape = _layout(values.shape)
        self._values = values.reshape(shape)
        self._given = given
        self._unit = unit
        self._data_range = data_range

    def __len__(self) -> int:
        return len(self._values)

    def image(self, index: int) -> Image:
        pixels = as_float32(self._values[index])
        return Image(
            pixels=pixels,
            modality=self._given.modality or Modality.UNKNOWN,
            unit=self._unit,
            spacing=self._given.spacing,
            data_range=self._data_range,
            voi=self._given.window if pixels.ndim == 2 else None,
            source=Source(frame=index),
        )


class ArrayFile(Frames):
    """The images of a ``.npy`` file, mapped into memory and never loaded whole.

    Parameters
    ----------
    ref : FileRef

    Raises
    ------
    InputError
        If it is damaged, holds Python objects or complex numbers, or has a shape that `from_array` refuses.

    Notes
    -----
    ``.npz`` archives are refused: they hold several named arrays, and which one is the image is not for us to guess.
    """

    def __init__(self, ref: FileRef) -> None:
        self.ref = ref
        self._values: npt.NDArray[Any] | None = None
        with decoding(ref, _DAMAGED):
            self._read_header()
        self._series = series_of(ref) if len(self) > 1 else None

    def __len__(self) -> int:
        return self._layout[0]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_values": None}

    def source(self, index: int) -> Source:
        """Return where an image stands."""
        return Source(frame=index, series=self._series)

    def image(self, index: int) -> Image:
        with decoding(self.ref, _DAMAGED):
            if self._values is None:
                self._values = self._map()
            pixels = as_float32(self._values[index])
            return Image(pixels=pixels, unit=GREY, data_range=_range(self._dtype), source=self.source(index))
        raise AssertionError("unreachable")

    def _read_header(self) -> None:
        with self.ref.open(sequential=True) as stream:
            magic = stream.read(8)
            if not magic:
                raise InputError("the file is empty.")
            if magic.startswith(b"PK"):
                raise InputError("an .npz archive holds several arrays; save the image alone with numpy.save.")
            if magic[:6] != b"\x93NUMPY":
                raise InputError("the content is not a NumPy array, whatever the name says.")
            # Version 3 differs in field names only, and an image has no fields.
            readers = {1: npy.read_array_header_1_0, 2: npy.read_array_header_2_0}
            if magic[6] not in readers:
                raise InputError("this version of the NumPy format is not supported; save it again with numpy.save.")
            shape, by_column, dtype = readers[magic[6]](stream)
            self._offset = stream.tell()
        _check_dtype(dtype)
        self._dtype, self._shape, self._order = dtype, shape, "F" if by_column else "C"
        _, self._layout = _layout(shape)
        if self._offset + math.prod(shape) * dtype.itemsize > self.ref.size:
            raise InputError(_DAMAGED)

    def _map(self) -> npt.NDArray[Any]:
        count = math.prod(self._shape)
        if self.ref.member is None:
            flat: Any = np.memmap(self.ref.path, self._dtype, "r", self._offset, (count,))
        else:
            with self.ref.open() as stream:
                flat = np.frombuffer(stream.read(), self._dtype, count, self._offset)
        # The second reshape adds or drops axes of length one only, so it copies nothing in either order.
        values: npt.NDArray[Any] = flat.reshape(self._shape, order=self._order).reshape(self._layout)
        return values


def _layout(shape: tuple[int, ...]) -> tuple[bool, tuple[int, ...]]:
    """Return whether a shape is that of several images, and the same as (N, H, W) or (N, H, W, 3)."""
    if len(shape) in (3, 4) and shape[-1] == 4:
        raise InputError("the last axis has length 4; drop the alpha channel, or move the axis of the slices first.")
    if len(shape) in (3, 4) and shape[-1] in (1, 3):
        images, channels = shape[:-1], (shape[-1:] if shape[-1] == 3 else ())
    else:
        images, channels = shape, ()
    if len(images) not in (2, 3):
        raise InputError("an image has the axes (H, W) or (H, W, 3), several have (N, H, W) or (N, H, W, 3).")
    volume = len(images) == 3
    count = images[0] if volume else 1
    check_pixels(images[-2], images[-1])
    if count < 1:
        raise InputError("the array holds no images.")
    check_frames(count, images[-2], images[-1])
    return volume, (count, *images[-2:], *channels)


def _check_dtype(dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise InputError("its values are not real numbers of up to 64 bits.")


def _range(dtype: np.dtype[Any]) -> tuple[float, float] | None:
    if dtype.kind == "b":
        return (0.0, 1.0)
    return integer_range(8 * dtype.itemsize, dtype.kind == "i") if dtype.kind in "iu" else None
