"""DICOM images: one file (`DicomFile`), or the slices of one series in their order in space (`DicomSeries`).

Pixels are stored values after the modality transform (rescale or Modality LUT). Windows, VOI tables and MONOCHROME1
are noted for display and change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.dataset import Dataset

from scrutiq.core import GREY, HU, Image, InputError, Modality, Source, VoiLut, Window
from scrutiq.imaging.dicom_header import (
    HEADER_KEYWORDS,
    PARALLEL,
    DicomHeader,
    Vector,
    is_localizer,
    modality_of,
    read_plane,
    summarise,
)
from scrutiq.imaging.dicom_pixels import PIXEL_KEYWORDS, Layout, decode, integer, number, numbers, read_layout, text
from scrutiq.imaging.dicom_stream import Opened, guarded, opened, tags
from scrutiq.imaging.fileref import FileRef
from scrutiq.imaging.frames import Frames
from scrutiq.imaging.functional_groups import GROUPS, frame_header
from scrutiq.imaging.lookup_tables import PALETTE_KEYWORDS, read_palette, read_table
from scrutiq.imaging.technical import TECHNICAL_KEYWORDS, technical

__all__ = ["DicomFile", "DicomSeries"]

_TAGS = sorted(
    set(
        tags(
            (
                *HEADER_KEYWORDS,
                *PIXEL_KEYWORDS,
                *PALETTE_KEYWORDS,
                *TECHNICAL_KEYWORDS,
                *GROUPS,
                "RescaleSlope",
                "RescaleIntercept",
                "RescaleType",
                "ModalityLUTSequence",
                "VOILUTSequence",
                "WindowCenter",
                "WindowWidth",
                "VOILUTFunction",
                "MultienergyCTAcquisition",
                "Units",
                "PixelPaddingValue",
                "PixelPaddingRangeLimit",
                "FloatPixelPaddingValue",
                "FloatPixelPaddingRangeLimit",
                "DoubleFloatPixelPaddingValue",
                "DoubleFloatPixelPaddingRangeLimit",
                "PixelSpacing",
                "ImagerPixelSpacing",
                "PixelSpacingCalibrationType",
                "SequenceOfUltrasoundRegions",
            )
        )
    )
)

#: Rescale Type (0028,1054), defined terms of PS3.3 C.11.1.1.2 that name a quantity, and the unit that they mean.
_RESCALE_UNITS = {
    "OD": "10^-3 OD",
    "MGML": "mg/ml",
    "Z_EFF": "effective atomic number",
    "ED": "10^23 electrons/ml",
    "EDW": "electron density relative to water",
    "HU_MOD": "modified HU",
    "PCT": "%",
}
#: Units (0054,1001) of PET, PS3.3 C.8.9.1.1.3.
_PET_UNITS = {"BQML": "Bq/ml", "CNTS": "counts", "CPS": "counts/s", "PCNT": "%", "GML": "g/ml", "CM2ML": "cm2/ml"}
_CT_CLASSES = {
    uid.CTImageStorage,
    uid.EnhancedCTImageStorage,
    uid.LegacyConvertedEnhancedCTImageStorage,
    "",
}


class DicomFile(Frames):
    """The frames of one DICOM file, in the order in which the file stores them.

    Parameters
    ----------
    ref : FileRef
    path : str, optional
        What ``Image.source.path`` shall say.

    Raises
    ------
    InputError
        If the file is damaged, holds no image, or claims more pixels than it can hold.
    """

    def __init__(self, ref: FileRef, path: str | None = None) -> None:
        self._ref = ref
        self._path = path
        self._kept: tuple[Opened, Layout] | None = None
        with guarded(ref, "header"), opened(ref, _TAGS) as file:
            self._header, layout = _check(ref, file)
            self._length = layout.frames
            self._keep(file, layout)

    @property
    def header(self) -> DicomHeader:
        """The summary that `read_header` gives."""
        return self._header

    def __len__(self) -> int:
        return self._length

    def image(self, index: int) -> Image:
        source = {"frame": index, "path": self._path, "series": self._header.series}
        if self._kept is None:
            with guarded(self._ref, "header"), opened(self._ref, _TAGS) as file:
                _, layout = _check(self._ref, file)
                self._keep(file, layout)
                return _image(self._ref, file, layout, index, source)
        file, layout = self._kept
        with guarded(self._ref, "pixels"), self._ref.open() as stream:
            return _image(self._ref, replace(file, stream=stream), layout, index, source)

    def sources(self) -> list[Source]:
        """Return where the frames stand, from the header alone; ``frame`` is the index in the file.

        In order along the normal where all frames lie in parallel planes and state distinct locations
        (PS3.3 C.7.6.2.1.1, C.7.6.16.2.3, C.7.6.16.2.4); else in the order of the file.
        """
        with guarded(self._ref, "header"):
            if self._kept is not None:
                return _sources(self._kept[0].dataset, len(self), self._header.series)
            with opened(self._ref, _TAGS, header_only=True) as file:
                return _sources(file.dataset, len(self), self._header.series)

    def _keep(self, file: Opened, layout: Layout) -> None:
        # A header of many frames is long: it is parsed once. (A deflated file must be inflated for each frame anyway.)
        if layout.frames > 1 and layout.syntax != uid.DeflatedExplicitVRLittleEndian:
            self._kept = (file, layout)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}


class DicomSeries(Frames):
    """The slices of one series, in order along the normal of their plane, one file each.

    Parameters
    ----------
    headers : sequence of DicomHeader
        Of single-frame files of one stack: see `DicomHeader.stacks_with`.
    paths : sequence of str, optional
        What ``Image.source.path`` shall say, one for each header.

    Notes
    -----
    The order is the projection of Image Position (Patient) onto the normal of Image Orientation (Patient)
    (PS3.3 C.7.6.2.1.1), then Instance Number. Where a slice lacks its position, Instance Number alone; where that is
    missing too, the order given. File names never count.
    """

    def __init__(self, headers: Sequence[DicomHeader], paths: Sequence[str] | None = None) -> None:
        if not headers or not all(header.stacks_with(headers[0]) for header in headers):
            raise ValueError("a series is made of the headers of one series")
        if any(header.frames != 1 for header in headers):
            raise ValueError("a multi-frame file is a series of its own: DicomFile")
        if paths is not None and len(paths) != len(headers):
            raise ValueError("there is one path for each header")
        normal: Vector | None = headers[0].normal
        locations = [header.location(normal) for header in headers]
        placed = all(location is not None for location in locations)

        def key(i: int) -> tuple[float, float, int]:
            instance = headers[i].instance
            # A thousandth of a millimetre: slices at one place (echoes, phases) differ in the last digits only.
            return (round(locations[i] or 0.0, 3) if placed else 0.0, float("inf") if instance is None else instance, i)

        order = sorted(range(len(headers)), key=key)
        self._headers = [headers[i] for i in order]
        self._locations = [locations[i] for i in order]
        self._paths = None if paths is None else [paths[i] for i in order]

    @property
    def headers(self) -> list[DicomHeader]:
        """The headers, in order."""
        return list(self._headers)

    def __len__(self) -> int:
        return len(self._headers)

    def image(self, index: int) -> Image:
        header = self._headers[index]
        source = {
            "frame": index,
            "path": None if self._paths is None else self._paths[index],
            "series": header.series,
            "location": self._locations[index],
        }
        with guarded(header.ref, "header"), opened(header.ref, _TAGS) as file:
            _, layout = _check(header.ref, file)
            if layout.frames != 1:
                raise InputError("the file has changed since the series was listed.")
            return _image(header.ref, file, layout, 0, source)


def _check(ref: FileRef, file: Opened) -> tuple[DicomHeader, Layout]:
    header = summarise(ref, file)
    if header.reason is not None:
        raise InputError(header.reason)
    return header, read_layout(file)


def _image(ref: FileRef, file: Opened, layout: Layout, index: int, source: dict[str, Any]) -> Image:
    header = frame_header(file.dataset, index)
    modality = modality_of(header)
    with guarded(ref, "pixels"):
        stored = decode(file, layout, index)
    data_range: tuple[float, float] | None
    if layout.photometric == "PALETTE COLOR":
        palette = read_palette(header, layout.signed)
        stored = palette.apply(stored)
        data_range = (0, (1 << palette.bits) - 1)
    else:
        data_range = layout.stored_range
    if stored.ndim == 3:
        pixels, valid, unit, voi = _float32(stored), None, GREY, None
    else:
        valid = _valid(header, stored, layout)
        pixels, data_range = _modality_transform(header, stored, data_range)
        unit = _unit(header, modality)
        voi = _voi(header, data_range)
    facts = technical(header, layout.syntax)
    spacing, plane = _spacing(header)
    if plane is not None:
        facts["spacing_plane"] = plane
    if "location" not in source:
        source = {**source, "location": _location(header)}
    return Image(
        pixels=pixels,
        modality=modality,
        unit=unit,
        spacing=spacing,
        data_range=data_range,
        voi=voi,
        inverted=layout.photometric == "MONOCHROME1",
        valid=valid,
        metadata=facts,
        source=Source(**source),
    )


def _float32(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    return values.astype(np.float32)


def _valid(header: Dataset, stored: npt.NDArray[Any], layout: Layout) -> npt.NDArray[np.bool_] | None:
    """Return False where pixels are padding (PS3.3 C.7.5.1.1.2), None where none are."""
    kind = "" if not layout.floating else "Float" if stored.dtype == np.float32 else "DoubleFloat"
    value = number(header, f"{kind}PixelPaddingValue")
    if value is None:
        return None
    limit = number(header, f"{kind}PixelPaddingRangeLimit")
    ends = [value, value if limit is None else limit]
    if not layout.floating:
        # US or SS by Pixel Representation; files with the other one mean the same bits.
        size = 8 * stored.dtype.itemsize if not layout.shift else 16
        ends = [end - (1 << size) if layout.signed and end >= 1 << (size - 1) else end for end in ends]
        ends = [end + (1 << size) if not layout.signed and end < 0 else end for end in ends]
    padding = (stored >= min(ends)) & (stored <= max(ends))
    return ~padding if padding.any() else None


def _modality_transform(
    header: Dataset, stored: npt.NDArray[Any], stored_range: tuple[float, float] | None
) -> tuple[npt.NDArray[np.float32], tuple[float, float] | None]:
    """Apply the Modality LUT or the rescale (PS3.3 C.11.1), to the values and to the range that they can have."""
    table = header.get("ModalityLUTSequence")
    if table and stored_range is not None:
        lut = read_table(table[0], *stored_range)
        return _float32(lut.apply(stored)), (0, (1 << lut.bits) - 1)
    slope, intercept = number(header, "RescaleSlope"), number(header, "RescaleIntercept")
    if slope is None or intercept is None or (slope, intercept) == (1, 0):
        return _float32(stored), stored_range
    if slope == 0:
        raise InputError("the rescale slope is zero, which leaves nothing of the image.")
    if slope == 1 and stored.dtype.itemsize <= 2 and intercept == int(intercept) and abs(intercept) < 1 << 23:
        pixels = _float32(stored)  # float32 holds these sums exactly
        pixels += np.float32(intercept)
    else:
        pixels = _float32(stored * np.float64(slope) + intercept)
    if not np.isfinite(slope * 1e9) or not np.isfinite(pixels).any():
        raise InputError("the rescale slope and intercept leave no finite value.")
    if stored_range is None:
        return pixels, None
    ends = (stored_range[0] * slope + intercept, stored_range[1] * slope + intercept)
    return pixels, (min(ends), max(ends))


def _unit(header: Dataset, modality: Modality) -> str:
    """Return the unit of the values after the modality transform.

    Hounsfield units need a CT that is no localizer and that says so: Rescale Type HU, or a CT image with a rescale and
    no Rescale Type, which "is required if the Rescale Type is not HU" or the acquisition is multi-energy
    (PS3.3 C.8.2.1). That rule binds CT image objects only, so a secondary capture must state HU itself. The module
    asks for HU of axial images alone; a localizer is a projection, and no CT number.
    """
    stated = text(header, "RescaleType")
    rescaled = not header.get("ModalityLUTSequence") and None not in (
        number(header, "RescaleSlope"),
        number(header, "RescaleIntercept"),
    )
    if modality is Modality.CT and rescaled and not is_localizer(header):
        if stated:
            return HU if stated == ("HU",) else _RESCALE_UNITS.get(stated[0], GREY)
        by_rule = (text(header, "SOPClassUID") or ("",))[0] in _CT_CLASSES
        return HU if by_rule and text(header, "MultienergyCTAcquisition") != ("YES",) else GREY
    if stated:
        return _RESCALE_UNITS.get(stated[0], GREY)
    if text(header, "Modality") == ("PT",):
        return _PET_UNITS.get((text(header, "Units") or ("",))[0], GREY)
    return GREY


def _voi(header: Dataset, data_range: tuple[float, float] | None) -> Window | VoiLut | None:
    """Return the first VOI LUT, else the first window; None where there is none or it is not valid (display only).

    The two are alternatives (PS3.3 C.11.2.1); where a file has both, the table, which is made for that image.
    """
    try:
        tables = header.get("VOILUTSequence")
        if tables and data_range is not None:
            lut = read_table(tables[0], *data_range)
            return VoiLut(first=lut.first, bits=lut.bits, entries=tuple(lut.entries.tolist()))
        centers, widths = numbers(header, "WindowCenter"), numbers(header, "WindowWidth")
        if centers is None or widths is None:
            return None
        if data_range is not None:
            # Far from every value that the pixels can have, it is no window but some other number.
            span = data_range[1] - data_range[0]
            if abs(centers[0] - sum(data_range) / 2) > 4 * span or widths[0] > 16 * span:
                return None
        function = (text(header, "VOILUTFunction") or ("LINEAR",))[0]
        return Window.model_validate({"center": centers[0], "width": widths[0], "function": function})
    except (InputError, ValueError):
        return None


def _sources(dataset: Dataset, count: int, series: str) -> list[Source]:
    sources, normals = [], []
    for index in range(count):
        try:
            header = frame_header(dataset, index)
        except InputError:  # decoding this frame will say why
            header = Dataset()
        sources.append(Source(frame=index, series=series, location=_location(header)))
        normals.append(read_plane(header)[1])
    places = [round(source.location, 3) for source in sources if source.location is not None]
    if len(set(places)) == count and np.ptp(np.array(normals, dtype=np.float64), axis=0).max() <= PARALLEL:
        sources.sort(key=lambda source: source.location or 0.0)
    return sources


def _location(header: Dataset) -> float | None:
    origin, normal = read_plane(header)
    if origin is None or normal is None:
        return None
    return sum(a * b for a, b in zip(origin, normal, strict=True))


def _spacing(header: Dataset) -> tuple[tuple[float, float] | None, str | None]:
    """Return the (row, column) spacing in mm and the plane it holds in: "patient" or "detector".

    In this order: Pixel Spacing (0028,0030), at the top or in the functional groups, unless it only repeats Imager
    Pixel Spacing without a Pixel Spacing Calibration Type (0028,0A02), which says that nobody corrected it for the
    magnification (PS3.3 10.7.1.3). Imager Pixel Spacing (0018,1164), which holds at the detector, divided by the
    Estimated Radiographic Magnification Factor (0018,1114) where the file states one, which carries it to the patient
    (PS3.3 C.8.7.5, C.8.19.2). The ultrasound regions (0018,6011), where every one is in centimetres in both directions
    and all agree within 0.1 %. Else none.
    """
    imager = _pair(header, "ImagerPixelSpacing")
    pair = _pair(header, "PixelSpacing")
    if pair is not None and (pair != imager or text(header, "PixelSpacingCalibrationType")):
        return pair, "patient"
    if imager is not None:
        try:
            factor = number(header, "EstimatedRadiographicMagnificationFactor")
        except InputError:
            factor = None
        if factor is not None and 0.5 <= factor <= 20:
            return (imager[0] / factor, imager[1] / factor), "patient"
        return imager, "detector"
    try:
        regions = [_region_spacing(region) for region in header.get("SequenceOfUltrasoundRegions") or ()]
    except InputError:
        return None, None
    if not regions or regions[0] is None:
        return None, None
    first = regions[0]
    for other in regions:
        if other is None or any(abs(a - b) > 1e-3 * b for a, b in zip(other, first, strict=True)):
            return None, None
    return first, "patient"


def _region_spacing(region: Dataset) -> tuple[float, float] | None:
    """Return the spacing of one ultrasound region, mm; None unless both axes are centimetres (PS3.3 C.8.5.5.1.15)."""
    centimetres = 3
    units = (integer(region, "PhysicalUnitsXDirection"), integer(region, "PhysicalUnitsYDirection"))
    steps = (number(region, "PhysicalDeltaY"), number(region, "PhysicalDeltaX"))
    if units != (centimetres, centimetres) or not all(step is not None and 1e-7 < abs(step) < 1e2 for step in steps):
        return None
    return (abs(steps[0] or 0) * 10, abs(steps[1] or 0) * 10)


def _pair(header: Dataset, keyword: str) -> tuple[float, float] | None:
    try:
        values = numbers(header, keyword)
    except InputError:
        return None
    if values is None or len(values) != 2 or not all(1e-6 < value < 1e3 for value in values):
        return None
    return (values[0], values[1])
