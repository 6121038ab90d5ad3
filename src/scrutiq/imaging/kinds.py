"""Which reader a file goes to: by its first bytes, and by its name only where these say nothing."""

from __future__ import annotations

import zlib
from enum import StrEnum
from typing import TYPE_CHECKING

from scrutiq.imaging.fileref import FileRef

if TYPE_CHECKING:
    from scrutiq.imaging.frames import Frames

__all__ = ["HEAD_BYTES", "Kind", "kind_by_content", "kind_by_name", "open_frames", "stem"]

#: First bytes that decide: the DICOM mark stands at 128, the NIfTI-1 mark at 344.
HEAD_BYTES = 1024


class Kind(StrEnum):
    """What a file is, or claims to be by its name."""

    DICOM = "DICOM"
    NIFTI = "NIfTI"
    TIFF = "TIFF"
    RASTER = "raster"
    ARRAY = "array"
    ZIP = "zip"


_ENDINGS = {
    ".dcm": Kind.DICOM,
    ".dicom": Kind.DICOM,
    ".ima": Kind.DICOM,
    ".nii": Kind.NIFTI,
    ".nii.gz": Kind.NIFTI,
    ".tif": Kind.TIFF,
    ".tiff": Kind.TIFF,
    ".btf": Kind.TIFF,
    ".png": Kind.RASTER,
    ".jpg": Kind.RASTER,
    ".jpeg": Kind.RASTER,
    ".jpe": Kind.RASTER,
    ".jfif": Kind.RASTER,
    ".bmp": Kind.RASTER,
    ".webp": Kind.RASTER,
    ".gif": Kind.RASTER,
    ".npy": Kind.ARRAY,
    ".npz": Kind.ARRAY,
    ".zip": Kind.ZIP,
}
_MARKS = (
    (b"\x89PNG\r\n\x1a\n", Kind.RASTER),
    (b"\xff\xd8\xff", Kind.RASTER),
    (b"GIF87a", Kind.RASTER),
    (b"GIF89a", Kind.RASTER),
    (b"II*\0", Kind.TIFF),
    (b"MM\0*", Kind.TIFF),
    (b"II+\0", Kind.TIFF),
    (b"MM\0+", Kind.TIFF),
    (b"\x93NUMPY", Kind.ARRAY),
)
#: Sizes of the second header of a BMP, which alone tells it from a text that begins with "BM".
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)


def kind_by_name(name: str) -> Kind | None:
    """Return what a file name claims."""
    lower = name.lower()
    if lower.endswith(".nii.gz"):
        return Kind.NIFTI
    dot = lower.rfind(".")
    return _ENDINGS.get(lower[dot:]) if dot > 0 else None


def kind_by_content(head: bytes, name: str = "") -> Kind | None:
    """Return what the first `HEAD_BYTES` bytes of a file are."""
    from scrutiq.imaging.nifti import is_nifti

    # DICOM first: a file may be DICOM and TIFF at once (PS3.10, section 7.1).
    if head[128:132] == b"DICM":
        return Kind.DICOM
    for mark, kind in _MARKS:
        if head.startswith(mark):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind.RASTER
    if head[:2] == b"BM" and head[6:10] == bytes(4) and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return Kind.RASTER
    if head[:2] == b"\x1f\x8b" and is_nifti(_unpacked(head)):
        return Kind.NIFTI
    if is_nifti(head):
        return Kind.NIFTI
    if head[:4] in (b"PK\3\4", b"PK\5\6"):
        return Kind.ARRAY if name.lower().endswith(".npz") else Kind.ZIP
    from scrutiq.imaging.dicom_stream import is_dicom  # last, and here: only what may be DICOM loads pydicom

    return Kind.DICOM if is_dicom(head, name) else None


def _unpacked(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(head, 348)
    except zlib.error:
        return b""


def stem(name: str) -> str:
    """Return a file name without its ending (``.nii.gz`` is one ending)."""
    if name.lower().endswith(".nii.gz"):
        return name[:-7]
    dot = name.rfind(".")
    return name[:dot] if dot > 0 else name


def open_frames(kind: Kind, ref: FileRef) -> Frames:
    """Open one file with the reader of its kind.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    # Imported when needed: each brings a library of its own.
    if kind is Kind.DICOM:
        from scrutiq.imaging.dicom import DicomFile

        return DicomFile(ref)
    if kind is Kind.NIFTI:
        from scrutiq.imaging.nifti import NiftiFile

        return NiftiFile(ref)
    if kind is Kind.TIFF:
        from scrutiq.imaging.tiff import TiffPages

        return TiffPages(ref)
    if kind is Kind.ARRAY:
        from scrutiq.imaging.array import ArrayFile

        return ArrayFile(ref)
    from scrutiq.imaging.raster import RasterFile

    return RasterFile(ref)
