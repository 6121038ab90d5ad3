"""What discovery needs of a DICOM file, without its pixels: is it an image, of which series, at which place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import sqrt

from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.filereader import dcmread
from pydicom.uid import UID

from scrutiq.core import InputError, Modality
from scrutiq.imaging.dicom_pixels import frame_count, integer, numbers, text
from scrutiq.imaging.dicom_stream import Opened, guarded, opened, tags
from scrutiq.imaging.fileref import FileRef
from scrutiq.imaging.functional_groups import GROUPS, frame_header
from scrutiq.imaging.privacy import salted_hash

__all__ = [
    "HEADER_KEYWORDS",
    "PARALLEL",
    "DicomHeader",
    "Vector",
    "dicomdir_members",
    "is_localizer",
    "modality_of",
    "read_header",
    "read_plane",
    "summarise",
]

Vector = tuple[float, float, float]

HEADER_KEYWORDS = (
    "ImageType",
    "SOPClassUID",
    "SOPInstanceUID",
    "Modality",
    "SeriesInstanceUID",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "TotalPixelMatrixColumns",
    "TotalPixelMatrixRows",
)
_HEADER_TAGS = tags(HEADER_KEYWORDS)
_GROUP_TAGS = tags(GROUPS)

#: Planes whose direction cosines differ by no more than this are parallel; writers round them to a few digits.
PARALLEL = 1e-3

#: A position further from the patient's origin than this (mm) is no position.
_FARTHEST = 1e5

_MODALITIES = {
    "CT": Modality.CT,
    "MR": Modality.MR,
    "XA": Modality.XA,
    "RF": Modality.XA,
    "CR": Modality.DX,
    "DX": Modality.DX,
    "MG": Modality.DX,
    "RG": Modality.DX,
    "PX": Modality.DX,
    "IO": Modality.DX,
    "US": Modality.US,
    "OP": Modality.FUNDUS,
    "ES": Modality.ENDOSCOPY,
    "SM": Modality.HISTOPATHOLOGY,
    "GM": Modality.HISTOPATHOLOGY,
    # Other, and secondary captures that say no more: what is on the image is not known.
    "OT": Modality.UNKNOWN,
    "SC": Modality.UNKNOWN,
}


@dataclass(frozen=True)
class DicomHeader:
    """One DICOM file, as discovery sees it. Small, and free of anything that identifies.

    Parameters
    ----------
    ref : FileRef
    modality : Modality
    rows, columns, frames : int
        As the header claims; zero where it says nothing.
    series : str
        Salted hash of Series Instance UID and size; localizers apart; a multi-frame file, or one without a series,
        alone. See `stacks_with`.
    instance : int or None
        Instance Number.
    origin, normal : tuple of float, optional
        Image Position (Patient), mm, and the unit normal of the image plane, in patient coordinates; None where
        the file does not say. Of a multi-frame file None.
    orientation : tuple of float, optional
        Image Orientation (Patient), the six direction cosines, where there is a normal.
    reason : str or None
        Why this is no image that can be read (a report, a directory, a tile level), one sentence; None where it is.
    """

    ref: FileRef = field(repr=False)
    modality: Modality
    rows: int
    columns: int
    frames: int
    series: str
    instance: int | None = field(repr=False)
    origin: Vector | None = field(repr=False)
    normal: Vector | None = field(repr=False)
    orientation: tuple[float, ...] | None = field(repr=False)
    reason: str | None

    def stacks_with(self, first: DicomHeader) -> bool:
        """Tell whether a file is a slice of the stack that another one begins: same series, same orientation."""
        if self.series != first.series or (self.orientation is None) != (first.orientation is None):
            return False
        pairs = zip(self.orientation or (), first.orientation or (), strict=True)
        return all(abs(a - b) <= PARALLEL for a, b in pairs)

    def location(self, normal: Vector | None = None) -> float | None:
        """Return the position along ``normal`` (the image's own when omitted), mm; None where it is not known."""
        along = normal or self.normal
        if self.origin is None or along is None:
            return None
        return sum(a * b for a, b in zip(self.origin, along, strict=True))


def read_header(ref: FileRef) -> DicomHeader:
    """Read what discovery needs of a DICOM file; its pixels are not touched.

    Raises
    ------
    InputError
        If it is not a DICOM file, or is damaged. A sound DICOM file that holds no image is no error: see ``reason``.
    """
    with guarded(ref, "header"):
        with opened(ref, _HEADER_TAGS, header_only=True) as file:
            header = summarise(ref, file)
            grouped = any(tag in file.seen for tag in _GROUP_TAGS)
        if header.reason is None and header.frames == 1 and grouped:
            # An enhanced object of one frame: a slice like any other, whose place stands in the functional groups.
            with opened(ref, [*_HEADER_TAGS, *_GROUP_TAGS], header_only=True) as file:
                return summarise(ref, file)
        return header


def summarise(ref: FileRef, file: Opened) -> DicomHeader:
    """Return the summary of an open file."""
    dataset = file.dataset
    reason = _why_no_image(file)
    frames = 1 if reason else frame_count(dataset)
    rows = 0 if reason else integer(dataset, "Rows") or 0
    columns = 0 if reason else integer(dataset, "Columns") or 0
    header = frame_header(dataset, 0) if frames == 1 else dataset
    origin, normal = read_plane(header) if frames == 1 else (None, None)
    try:
        instance = integer(dataset, "InstanceNumber")
    except InputError:
        instance = None
    key = [_uid(dataset, "SeriesInstanceUID")]
    if frames > 1 or not key[0]:
        key += [_uid(dataset, "SOPInstanceUID") or str(ref)]
    orientation = numbers(header, "ImageOrientationPatient") if normal else None
    key += [str(rows), str(columns), "localizer" if is_localizer(dataset) else ""]
    return DicomHeader(
        ref=ref,
        modality=modality_of(dataset),
        rows=rows,
        columns=columns,
        frames=frames,
        series=salted_hash("|".join(key)),
        instance=instance,
        origin=origin,
        normal=normal,
        orientation=orientation,
        reason=reason,
    )


def read_plane(header: Dataset) -> tuple[Vector | None, Vector | None]:
    """Return the origin and the unit normal of an image plane (PS3.3 C.7.6.2.1.1), each None where it is not stated."""
    try:
        position = numbers(header, "ImagePositionPatient")
        orientation = numbers(header, "ImageOrientationPatient")
    except InputError:
        return None, None
    origin = None
    if position is not None and len(position) == 3 and max(map(abs, position)) < _FARTHEST:
        origin = (position[0], position[1], position[2])
    if orientation is None or len(orientation) != 6:
        return origin, None
    a, b, c, d, e, f = orientation
    cross = (b * f - c * e, c * d - a * f, a * e - b * d)
    length = sqrt(sum(part * part for part in cross))
    if not 0.5 < length < 2:  # two unit vectors at a right angle give 1
        return origin, None
    return origin, (cross[0] / length, cross[1] / length, cross[2] / length)


def modality_of(dataset: Dataset) -> Modality:
    """Return the modality that a header states (Modality (0008,0060)), UNKNOWN where it states none."""
    stated = text(dataset, "Modality")
    if not stated:
        return Modality.UNKNOWN
    return _MODALITIES.get(stated[0].upper(), Modality.OTHER)


def is_localizer(dataset: Dataset) -> bool:
    """Tell whether an image is a localizer (Image Type value 3, PS3.3 C.8.2.1.1.1 and C.8.3.1.1.1)."""
    return "LOCALIZER" in text(dataset, "ImageType")


def dicomdir_members(ref: FileRef) -> list[str]:
    """Return the files that a DICOMDIR names, in its order, relative to its folder, with "/" between the parts.

    Parameters
    ----------
    ref : FileRef

    Raises
    ------
    InputError
        If it is not a DICOMDIR (PS3.10 section 8.6), or names a file outside its folder.
    """
    with guarded(ref, "directory"):
        with ref.open() as stream:
            dataset = dcmread(stream, specific_tags=["DirectoryRecordSequence"])
        records = dataset.get("DirectoryRecordSequence")
        if records is None:
            raise InputError("this is not a DICOMDIR: it holds no directory records.")
        members = []
        for record in records:
            parts = text(record, "ReferencedFileID")
            if not parts:
                continue
            if any(part in (".", "..") or "/" in part or "\\" in part or "\0" in part for part in parts):
                raise InputError("the DICOMDIR names a file outside its own folder; it is not followed.")
            members.append("/".join(parts))
        return members


def _why_no_image(file: Opened) -> str | None:
    kind = _uid(file.dataset, "SOPClassUID")
    if kind == uid.MediaStorageDirectoryStorage or 0x00041220 in file.seen:
        return "this is a DICOM directory (DICOMDIR), not an image."
    if file.pixels is None:
        if not file.complete:
            return "the file ends in the middle of its header; it is truncated."
        name = UID(kind).name if kind else ""
        known = name if name != kind and name.endswith("Storage") else ""
        return (
            f"the DICOM file holds no image (it is a {known} object)." if known else "the DICOM file holds no pixels."
        )
    return _why_not_whole_slide(file.dataset)


def _why_not_whole_slide(dataset: Dataset) -> str | None:
    if _uid(dataset, "SOPClassUID") != uid.VLWholeSlideMicroscopyImageStorage:
        return None
    if "LABEL" in text(dataset, "ImageType"):
        return "this is the photograph of a slide's label, which can name a patient; it is not read."
    total = (integer(dataset, "TotalPixelMatrixRows"), integer(dataset, "TotalPixelMatrixColumns"))
    tile = (integer(dataset, "Rows"), integer(dataset, "Columns"))
    if total != (None, None) and total != tile:
        return "this is a tiled level of a whole-slide image; only its thumbnail and overview are read."
    return None


def _uid(dataset: Dataset, keyword: str) -> str:
    return next(_uids(dataset, keyword), "")


def _uids(dataset: Dataset, keyword: str) -> Iterator[str]:
    yield from text(dataset, keyword)
