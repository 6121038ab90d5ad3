"""Enhanced multi-frame DICOM as if each frame were a file of its own.

The attributes of a frame stand in its item of the Per-Frame Functional Groups Sequence (5200,9230), else in the
Shared Functional Groups Sequence (5200,9229), else at the top (DICOM PS3.3, C.7.6.16). Each functional group macro is
a sequence of one item, whose attributes carry the names that single-frame objects use.
"""

from __future__ import annotations

from pydicom.dataset import Dataset

from scrutiq.core import InputError

__all__ = ["GROUPS", "frame_header"]

PER_FRAME = "PerFrameFunctionalGroupsSequence"
SHARED = "SharedFunctionalGroupsSequence"
#: The sequences that hold functional groups.
GROUPS = (PER_FRAME, SHARED)

#: Macros whose attributes are used, PS3.3 C.7.6.16.2 and C.8. Others (real world values, referenced images, ...)
#: reuse names in another sense and are left alone.
_MACROS = (
    "PixelMeasuresSequence",
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "FrameVOILUTSequence",
    "PixelValueTransformationSequence",
    "CTImageFrameTypeSequence",
    "CTAcquisitionTypeSequence",
    "CTAcquisitionDetailsSequence",
    "CTTableDynamicsSequence",
    "CTGeometrySequence",
    "CTReconstructionSequence",
    "CTExposureSequence",
    "CTXRayDetailsSequence",
    "MRImageFrameTypeSequence",
    "MRTimingAndRelatedParametersSequence",
    "MRFOVGeometrySequence",
    "MREchoSequence",
    "MRModifierSequence",
    "MRImagingModifierSequence",
    "MRAveragesSequence",
    "XAXRFFrameCharacteristicsSequence",
    "FrameAcquisitionSequence",
    "FramePixelDataPropertiesSequence",
)


def frame_header(dataset: Dataset, index: int) -> Dataset:
    """Return the header of one frame, flat.

    Parameters
    ----------
    dataset : Dataset
        Not changed. Returned as it is where it has no functional groups.
    index : int
        Zero-based frame.

    Raises
    ------
    InputError
        If the file describes some frames but not this one: its values could not be interpreted.
    """
    if not any(keyword in dataset for keyword in GROUPS):
        return dataset
    flat = Dataset()
    implicit, little = dataset.original_encoding
    flat.set_original_encoding(implicit, little)
    flat.update({tag: element for tag, element in dataset._dict.items() if int(tag) >> 16 != 0x5200})
    shared = dataset.get(SHARED)
    if shared:
        _merge(flat, shared[0])
    frames = dataset.get(PER_FRAME)
    if frames:
        if index >= len(frames):
            raise InputError(f"the header describes {len(frames)} frames, but not frame {index}; the file is damaged.")
        _merge(flat, frames[index])
    return flat


def _merge(flat: Dataset, groups: Dataset) -> None:
    for keyword in _MACROS:
        items = groups.get(keyword)
        if items:
            flat.update(dict(items[0].items()))
