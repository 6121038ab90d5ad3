"""A maker of small DICOM files whose every value is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from scrutiq.imaging.fileref import FileRef

MakeDicom = Callable[..., FileRef]


@pytest.fixture
def make_dicom(tmp_path: Path) -> MakeDicom:
    """Return a function (pixels, name=..., syntax=..., drop=..., **elements) that writes a file and returns it.

    Rows, columns, samples and bits follow from the array; any element can be overruled by keyword, or dropped.
    """

    def make(
        pixels: np.ndarray | None = None,
        *,
        name: str = "image.dcm",
        syntax: str = ExplicitVRLittleEndian,
        frames: list[bytes] | None = None,
        multiframe: bool = False,
        drop: tuple[str, ...] = (),
        **elements: Any,
    ) -> FileRef:
        pixels = np.arange(12, dtype=np.uint16).reshape(3, 4) if pixels is None else pixels
        dataset = Dataset()
        dataset.SOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = generate_uid()
        dataset.SeriesInstanceUID = "1.2.3.4"
        dataset.Modality = "CT"
        shape = pixels.shape[1:] if multiframe else pixels.shape
        if multiframe:
            dataset.NumberOfFrames = pixels.shape[0]
        dataset.Rows, dataset.Columns = shape[:2]
        dataset.SamplesPerPixel = 3 if len(shape) == 3 else 1
        dataset.PhotometricInterpretation = "RGB" if len(shape) == 3 else "MONOCHROME2"
        if len(shape) == 3:
            dataset.PlanarConfiguration = 0
        bits = 8 * pixels.dtype.itemsize
        dataset.BitsAllocated = bits
        big = syntax == "1.2.840.10008.1.2.2"
        if pixels.dtype.kind == "f":
            keyword = "FloatPixelData" if bits == 32 else "DoubleFloatPixelData"
        else:
            dataset.BitsStored, dataset.HighBit = bits, bits - 1
            dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
            keyword = "PixelData"
        for element, value in elements.items():
            setattr(dataset, element, value)
        content = np.ascontiguousarray(pixels).astype(pixels.dtype.newbyteorder(">" if big else "<")).tobytes()
        if frames is not None:
            content = encapsulate(frames)
        setattr(dataset, keyword, content + b"\0" * (len(content) % 2))
        if keyword == "PixelData":
            dataset["PixelData"].VR = "OB" if frames is not None or bits == 8 else "OW"
        for element in drop:
            delattr(dataset, element)
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", CTImageStorage)
        dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset.save_as(path, enforce_file_format=True)
        return FileRef(path)

    return make
