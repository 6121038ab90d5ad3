"""NIfTI-1 and NIfTI-2, plain or gzip-compressed, one slice at a time.

Only the numbers of the header that describe the pixels are used. ``descrip``, ``aux_file``, ``intent_name``,
``db_name`` and extensions are never read out: they can hold a patient's name.

Source: NIfTI-1 header (R. W. Cox et al., 2004, ``nifti1.h``), NIfTI-2 header (2011, ``nifti2.h``).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from scrutiq.core import GREY, Image, InputError, Source, Window
from scrutiq.imaging.decoding import as_float32, decoding, integer_range, series_of
from scrutiq.imaging.fileref import FileRef
from scrutiq.imaging.frames import Frames
from scrutiq.imaging.gzipped import GzipReader
from scrutiq.imaging.limits import MAX_VOLUME_BYTES, check_frames, check_pixels

__all__ = ["NiftiFile", "is_nifti"]

_DAMAGED = "the NIfTI header is damaged; export the volume again."
_SHORT = "the NIfTI data end early or are damaged; save or transfer the file again."
#: Deflate cannot pack more tightly than this (RFC 1951: 258 bytes in two bits).
_TIGHTEST = 1032
#: xyzt_units, spatial part, to mm. Zero (unknown) is taken for mm, as SPM, FSL, FreeSurfer and ITK do.
_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
#: World direction (index into R, A, S; sign) of increasing row and column on a slice across R, A, S: the patient's
#: right is at the left of an axial and a coronal slice, the front at the left of a sagittal one, as DICOM viewers show.
_DISPLAY = {0: ((2, -1), (1, -1)), 1: ((2, -1), (0, -1)), 2: ((1, -1), (0, -1))}


def is_nifti(head: bytes) -> bool:
    """Whether the first 348 bytes (unpacked) are those of a NIfTI-1 or NIfTI-2 header."""
    return head[344:348] in (b"n+1\0", b"ni1\0") or head[4:12] in (b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n")


class NiftiFile(Frames):
    """The slices of a NIfTI volume along its acquisition axis; of each volume in turn where there are several.

    Parameters
    ----------
    ref : FileRef

    Raises
    ------
    InputError
        If the header is damaged, claims more than the file can hold, or describes no real-valued image.

    Notes
    -----
    The acquisition axis is the header's ``slice_dim`` where it states one; else the only axis with one voxel; else the
    axis with the largest voxels; else (isotropic voxels) the last. A slice is turned and flipped, never resampled, to
    the nearest anatomical directions as a radiologist sees it. ``scl_slope`` and ``scl_inter`` are applied. ``cal_min``
    and ``cal_max`` give the window. ``data_range`` is that of 8-bit voxels, scaled as they are, and None for all
    others: the standard defines no black and white. The unit stays grey level, also for CT: a NIfTI file cannot say
    that it holds HU.
    """

    def __init__(self, ref: FileRef) -> None:
        self.ref = ref
        self._stream: IO[bytes] | GzipReader | None = None
        self._kept: tuple[int, npt.NDArray[Any]] | None = None
        with decoding(ref, _DAMAGED):
            with ref.open(sequential=True) as stream:
                self._packed = stream.read(2) == b"\x1f\x8b"
            with ref.open(sequential=True) as stream:
                source: Any = gzip.GzipFile(fileobj=stream) if self._packed else stream
                try:
                    block = source.read(540)
                except (EOFError, OSError, zlib.error):
                    raise InputError(_SHORT) from None
            self._read(block)
            self._check_size()
        self._series = series_of(ref) if len(self) > 1 else None

    def __len__(self) -> int:
        return self._slices * self._volumes

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_stream": None, "_kept": None}

    def __del__(self) -> None:
        if getattr(self, "_stream", None) is not None:
            self._stream.close()  # type: ignore[union-attr]

    def source(self, index: int) -> Source:
        """Return where a slice stands; ``location`` is along the slice axis, growing to R, A or S, in mm."""
        location = self._location0 + self._step * (index % self._slices)
        return Source(frame=index, series=self._series, location=location if math.isfinite(location) else None)

    def image(self, index: int) -> Image:
        with decoding(self.ref, _SHORT):
            volume, position = divmod(index, self._slices)
            if self._reversed:
                position = self._slices - 1 - position
            stored = self._slice(volume, position)
            # The two in-plane voxel axes, in file order, become rows and columns.
            if self._transposed:
                stored = stored.swapaxes(0, 1)
            stored = stored[:: self._row_sign, :: self._column_sign]
            if stored.dtype.names:
                pixels = as_float32(np.stack([stored[name] for name in ("R", "G", "B")], axis=-1))
            else:
                pixels = as_float32(stored, self._slope, self._intercept)
            return Image(
                pixels=pixels,
                unit=GREY,
                spacing=self._spacing,
                data_range=self._data_range,
                voi=self._window,
                source=self.source(index),
            )
        raise AssertionError("unreachable")

    def _read(self, block: bytes) -> None:
        from nibabel.nifti1 import Nifti1Header
        from nibabel.nifti2 import Nifti2Header

        if not block:
            raise InputError("the file is empty.")
        if not is_nifti(block[:348]):
            raise InputError("the content is not a NIfTI volume, whatever the name says.")
        kind, size = (Nifti1Header, 348) if block[344:347] in (b"n+1", b"ni1") else (Nifti2Header, 540)
        make: Any = kind
        if b"ni" in (block[344:346], block[4:6]):
            raise InputError("the header and the data are in two files (.hdr, .img); save them as one .nii file.")
        if len(block) < size:
            raise InputError(_SHORT)
        order = {struct.pack("<i", size): "<", struct.pack(">i", size): ">"}.get(block[:4])
        if order is None:
            raise InputError(_DAMAGED)
        header = make(block[:size], order, check=False)
        self._set_shape([int(n) for n in header["dim"]])
        self._set_values(header)
        self._set_geometry(header)

    def _set_shape(self, dim: list[int]) -> None:
        if not 2 <= dim[0] <= 7 or min(dim[1 : dim[0] + 1]) < 1:
            raise InputError("the header states no image of two or more dimensions.")
        sizes = dim[1 : dim[0] + 1]
        self._shape = (sizes[0], sizes[1], sizes[2] if len(sizes) > 2 else 1)
        self._volumes = math.prod(sizes[3:])

    def _set_values(self, header: Any) -> None:
        try:
            dtype = header.get_data_dtype()
        except Exception:
            raise InputError("the header states an unknown kind of voxel.") from None
        if dtype.kind == "c":
            raise InputError("its voxels are complex numbers; save the magnitude.")
        if dtype.names and not {"R", "G", "B"} <= set(dtype.names):
            raise InputError("the header states an unknown kind of voxel.")
        if not dtype.names and (dtype.kind not in "iuf" or dtype.itemsize > 8):
            raise InputError("its voxels have an unusual number format; save them as 16-bit integers or 32-bit floats.")
        self._dtype = dtype
        self._offset = int(header["vox_offset"])
        if self._offset < header.sizeof_hdr:
            raise InputError(_DAMAGED)
        slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
        # A slope of zero means that the values are not scaled.
        scaled = not dtype.names and math.isfinite(slope) and slope != 0
        self._slope = slope if scaled else 1.0
        self._intercept = intercept if scaled and math.isfinite(intercept) else 0.0
        # The standard gives no black or white. Bytes fill their type; wider words are mere containers.
        stored = None if dtype.kind == "f" or dtype.itemsize != 1 else integer_range(8, dtype.kind == "i")
        if dtype.names:
            stored = (0.0, 255.0)
        ends = sorted(end * self._slope + self._intercept for end in stored or ())
        usable = ends and math.isfinite(ends[1] - ends[0]) and ends[0] < ends[1]
        self._data_range = (ends[0], ends[1]) if usable else None
        low, high = float(header["cal_min"]), float(header["cal_max"])
        shown = not dtype.names and math.isfinite(high - low) and low < high
        self._window = Window.from_bounds(low, high) if shown else None

    def _set_geometry(self, header: Any) -> None:
        from nibabel.orientations import io_orientation

        scale = _MM.get(int(header["xyzt_units"]) & 7, 1.0)
        zooms = [abs(float(z)) * scale for z in header["pixdim"][1:4]]
        self._axis = _slice_axis(int(header["dim_info"]) >> 4 & 3, self._shape, zooms)
        affine = np.asarray(header.get_best_affine(), dtype=np.float64) * scale
        if not np.isfinite(affine).all() or np.abs(affine).max() > 1e12:
            raise InputError("its orientation is not made of finite numbers; export the volume again.")
        orient: Any = io_orientation
        world, signs = _nearest_axes(orient(affine))
        in_plane = [axis for axis in range(3) if axis != self._axis]
        (row_world, row_sign), (_, column_sign) = _DISPLAY[world[self._axis]]
        self._transposed = world[in_plane[0]] != row_world
        rows, columns = in_plane[::-1] if self._transposed else in_plane
        self._row_sign = int(row_sign * signs[rows])
        self._column_sign = int(column_sign * signs[columns])
        self._reversed = signs[self._axis] < 0
        self._slices = self._shape[self._axis]
        check_pixels(self._shape[rows], self._shape[columns])
        check_frames(self._slices * self._volumes, self._shape[rows], self._shape[columns])
        spacing = (zooms[rows], zooms[columns])
        self._spacing = spacing if all(math.isfinite(z) and z > 0 for z in spacing) else None
        direction = affine[:3, self._axis]
        length = float(np.linalg.norm(direction))
        middle = [(n - 1) / 2 for n in self._shape]
        middle[self._axis] = float(self._slices - 1 if self._reversed else 0)
        towards = direction * (signs[self._axis] / length) if length else np.zeros(3)
        self._location0 = float(towards @ (affine[:3, :3] @ middle + affine[:3, 3]))
        self._step = length

    def _check_size(self) -> None:
        self._end = self._offset + math.prod(self._shape) * self._volumes * self._dtype.itemsize
        held = self.ref.size
        # What a gzip file unpacks to is not known before it is read, but there is a bound.
        if (held * _TIGHTEST if self._packed else held) < self._end:
            raise InputError("the header claims more voxels than the file can hold; save or transfer the file again.")

    def _slice(self, volume: int, position: int) -> npt.NDArray[Any]:
        """Return one stored slice, its two axes in file order."""
        size = math.prod(self._shape) * self._dtype.itemsize
        if self._axis == 2:  # contiguous in the file
            count = self._shape[0] * self._shape[1]
            start = self._offset + volume * size + position * count * self._dtype.itemsize
            return self._values(start, count).reshape(self._shape[:2], order="F")
        if self._kept is None or self._kept[0] != volume:
            if size > MAX_VOLUME_BYTES:
                raise InputError("its slices are not stored one by one and it is larger than 1 GiB; reorient it.")
            self._kept = None
            values = self._values(self._offset + volume * size, math.prod(self._shape))
            self._kept = (volume, values.reshape(self._shape, order="F"))
        plane: npt.NDArray[Any] = np.take(self._kept[1], position, axis=self._axis)
        return plane

    def _values(self, start: int, count: int) -> npt.NDArray[Any]:
        """Read ``count`` voxels. The stream stays open, so that slices read in order are unpacked once."""
        if self._stream is None:
            file = self.ref.open()
            self._stream = GzipReader(file, self._end) if self._packed else file
        stream = self._stream
        try:
            stream.seek(start)
            data = stream.read(count * self._dtype.itemsize)
        except (EOFError, OSError, zlib.error):
            self._stream = None
            raise InputError(_SHORT) from None
        if len(data) < count * self._dtype.itemsize:
            raise InputError(_SHORT)
        return np.frombuffer(data, self._dtype)


def _slice_axis(stated: int, shape: tuple[int, int, int], zooms: list[float]) -> int:
    if stated:
        return stated - 1
    single = [axis for axis in range(3) if shape[axis] == 1]
    if len(single) == 1:
        return single[0]
    if not all(math.isfinite(z) for z in zooms):
        return 2
    # Rounding in the header must not decide between equal voxel sizes.
    largest = [axis for axis in range(3) if zooms[axis] >= max(zooms) * (1 - 1e-3)]
    return largest[0] if len(largest) == 1 else 2


def _nearest_axes(orientation: npt.NDArray[np.float64]) -> tuple[list[int], list[int]]:
    """Return the world axis (0 R, 1 A, 2 S) and the sign of each voxel axis; one without extent takes what is left."""
    world = [-1 if math.isnan(axis) else int(axis) for axis, _ in orientation]
    signs = [1 if math.isnan(sign) else int(sign) for _, sign in orientation]
    left = [axis for axis in range(3) if axis not in world]
    for position, axis in enumerate(world):
        if axis < 0:
            world[position] = position if position in left else left[0]
            left.remove(world[position])
    return world, signs
