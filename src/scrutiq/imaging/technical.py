"""The allow-list of technical facts that leave a DICOM header.

Nothing else does. A person's name can stand in any element, by mistake or on purpose, so no text is passed on as it
is: a coded word leaves only if it is a defined term on the list below, a number only if it is a plausible value of
its quantity (which also keeps out record numbers and dates), and free text (descriptions, comments, model and station
names) never.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import UID

from scrutiq.core import InputError
from scrutiq.imaging.dicom_pixels import numbers, text

__all__ = ["BODY_PARTS", "TECHNICAL_KEYWORDS", "UNITS", "technical"]

Value = str | int | float | bool | tuple[str | float, ...]


@dataclass(frozen=True)
class _Number:
    """A quantity: where it stands (the first that is present), its unit, its plausible range, its factor."""

    keywords: tuple[str, ...]
    unit: str
    low: float
    high: float
    several: bool = False


_NUMBERS: dict[str, _Number] = {
    # X-ray
    "kvp": _Number(("KVP",), "kV", 5, 500),
    "tube_current": _Number(("XRayTubeCurrentInmA", "XRayTubeCurrent"), "mA", 0, 5000),
    "exposure_time": _Number(("ExposureTimeInms", "ExposureTime"), "ms", 0, 1e6),
    "exposure": _Number(("ExposureInmAs", "Exposure"), "mAs", 0, 1e5),
    "focal_spot": _Number(("FocalSpots",), "mm", 0.01, 10, several=True),
    "source_detector_distance": _Number(("DistanceSourceToDetector",), "mm", 50, 5000),
    "source_patient_distance": _Number(("DistanceSourceToPatient",), "mm", 50, 5000),
    "magnification": _Number(("EstimatedRadiographicMagnificationFactor",), "1", 0.5, 20),
    # CT
    "ctdi_vol": _Number(("CTDIvol",), "mGy", 0, 2000),
    "pitch": _Number(("SpiralPitchFactor",), "1", 0.01, 10),
    "reconstruction_diameter": _Number(("ReconstructionDiameter",), "mm", 1, 2000),
    "collection_diameter": _Number(("DataCollectionDiameter",), "mm", 1, 2000),
    "gantry_tilt": _Number(("GantryDetectorTilt",), "degree", -90, 90),
    "single_collimation": _Number(("SingleCollimationWidth",), "mm", 0.01, 400),
    "total_collimation": _Number(("TotalCollimationWidth",), "mm", 0.01, 400),
    # MR
    "echo_time": _Number(("EffectiveEchoTime", "EchoTime"), "ms", 0, 1e4),
    "repetition_time": _Number(("RepetitionTime",), "ms", 0, 1e5),
    "inversion_time": _Number(("InversionTimes", "InversionTime"), "ms", 0, 1e5),
    "flip_angle": _Number(("FlipAngle",), "degree", 0, 360),
    "field_strength": _Number(("MagneticFieldStrength",), "T", 0.001, 30),
    "imaging_frequency": _Number(("ImagingFrequency",), "MHz", 0.1, 2000),
    "pixel_bandwidth": _Number(("PixelBandwidth",), "Hz/pixel", 0, 1e5),
    "echo_train_length": _Number(("EchoTrainLength",), "1", 0, 2000),
    "averages": _Number(("NumberOfAverages",), "1", 0, 2000),
    "phase_encoding_steps": _Number(("NumberOfPhaseEncodingSteps",), "1", 1, 1e4),
    "percent_sampling": _Number(("PercentSampling",), "%", 0, 1000),
    "percent_phase_field_of_view": _Number(("PercentPhaseFieldOfView",), "%", 0, 1000),
    "parallel_factor": _Number(("ParallelReductionFactorInPlane",), "1", 0, 100),
    "acquisition_matrix": _Number(("AcquisitionMatrix",), "pixel", 0, 8192, several=True),
    # Geometry and time
    "slice_thickness": _Number(("SliceThickness",), "mm", 0.001, 500),
    "slice_spacing": _Number(("SpacingBetweenSlices",), "mm", -500, 500),
    "frame_rate": _Number(("RecommendedDisplayFrameRate", "CineRate"), "1/s", 0, 1000),
    "frame_time": _Number(("FrameTime",), "ms", 0.01, 1e5),
    "lossy_ratio": _Number(("LossyImageCompressionRatio",), "1", 1, 10000, several=True),
    "bits_stored": _Number(("BitsStored",), "bit", 1, 64),
    "bits_allocated": _Number(("BitsAllocated",), "bit", 1, 64),
}

#: Unit of each number of the metadata ("1" where it has none).
UNITS: dict[str, str] = {name: entry.unit for name, entry in _NUMBERS.items()}

_YES_NO = frozenset({"YES", "NO"})


def _words(listed: str) -> frozenset[str]:
    return frozenset(word.strip() for word in listed.split(","))


#: Coded words: where they stand, and the defined terms (PS3.3, the module of each attribute) that may leave.
_CODES: dict[str, tuple[tuple[str, ...], frozenset[str]]] = {
    "image_type": (
        ("FrameType", "ImageType"),
        _words(
            "ORIGINAL, DERIVED, PRIMARY, SECONDARY, AXIAL, LOCALIZER, MIXED, SINGLE PLANE, SINGLE A, SINGLE B, "
            "BIPLANE A, BIPLANE B, STEREO A, STEREO B, MAGNITUDE, PHASE, PHASE MAP, REAL, IMAGINARY, M, P, R, I, ND, "
            "NORM, DIS2D, DIS3D, FM, FFE, SE, IR, M_SE, M_FFE, M_IR, R_SE, R_FFE, P_FFE, MPR, MIP, MINIP, PROJECTION, "
            "PROJECTION IMAGE, MAX_IP, MIN_IP, VOLUME, VOLUME_RENDER, SURFACE_RENDER, NONE, REFORMATTED, RESAMPLED, "
            "AVERAGE, ADDITION, SUBTRACTION, FILTERED, MEDIAN, STATIC, DYNAMIC, GATED, GATED TOMO, RECON TOMO, "
            "RECON GATED TOMO, TOMO, WHOLE BODY, EMISSION, TRANSMISSION, EPI, DIFFUSION, ADC, FA, TRACEW, PERFUSION, "
            "T1, T2, T2_STAR, T1_MAP, T2_MAP, ANGIO, ANGIO_TIME, CINE, TOF, FLAIR, THUMBNAIL, OVERVIEW, LABEL, "
            "CT_SOM5 SPI, CT_SOM5 SEQ, CT_SOM5 TOP, CT_SOM7 SPI, CT_SOM7 SEQ, CT_SOM7 TOP, CT_SOM8 SPI, SPI, "
            "MONOENERGETIC, VMI, WATER, FAT, IN_PHASE, OUT_PHASE, OPP_PHASE, COLOR, MONOCHROME, RETINAL, FLUORESCEIN, "
            "ABDOMEN, CARDIAC, OTHER"
        ),
    ),
    "photometric": (
        ("PhotometricInterpretation",),
        _words("MONOCHROME1, MONOCHROME2, PALETTE COLOR, RGB, YBR_FULL, YBR_FULL_422, YBR_RCT, YBR_ICT"),
    ),
    # PS3.16 Annex L, the terms of CID 4 and of the veterinary-free part of its table
    "body_part": (
        ("BodyPartExamined",),
        _words(
            "ABDOMEN, ABDOMENPELVIS, ADRENAL, ANKLE, AORTA, ARM, ARTERY, AXILLA, BACK, BILEDUCT, BLADDER, BONE, BRAIN, "
            "BREAST, BRONCHUS, CALCANEUS, CAROTID, CEREBELLUM, CHEST, CHESTABDOMEN, CHESTABDPELVIS, CLAVICLE, COCCYX, "
            "COLON, CORNEA, CORONARYARTERY, CSPINE, CTSPINE, DUODENUM, EAR, ELBOW, ESOPHAGUS, EXTREMITY, EYE, EYELID, "
            "FACE, FEMUR, FINGER, FOOT, FOREARM, GALLBLADDER, GENITALIA, HAND, HEAD, HEADNECK, HEART, HIP, HUMERUS, "
            "IAC, ILEUM, ILIUM, INTESTINE, JAW, JEJUNUM, JOINT, KIDNEY, KNEE, LARYNX, LEG, LIVER, LSPINE, LSSPINE, "
            "LUNG, MANDIBLE, MAXILLA, MEDIASTINUM, MOUTH, MUSCLE, NECK, NECKCHEST, NECKCHESTABDOMEN, "
            "NECKCHESTABDPELV, NOSE, ORBIT, OVARY, PANCREAS, PAROTID, PATELLA, PELVIS, PENIS, PHARYNX, PLACENTA, "
            "PROSTATE, RECTUM, RETINA, RIB, SCALP, SCAPULA, SCROTUM, SHOULDER, SINUS, SKIN, SKULL, SPINE, SPLEEN, "
            "SSPINE, STERNUM, STOMACH, TESTIS, THIGH, THYROID, TIBIA, TIBIAFIBULA, TLSPINE, TMJ, TOE, TONGUE, "
            "TRACHEA, TSPINE, ULNA, URETER, URETHRA, UTERUS, VAGINA, VULVA, WHOLEBODY, WRIST, ZYGOMA"
        ),
    ),
    "scanning_sequence": (("ScanningSequence",), _words("SE, IR, GR, EP, RM")),
    "sequence_variant": (("SequenceVariant",), _words("SK, MTC, SS, TRSS, SP, MP, OSP, NONE")),
    "echo_pulse_sequence": (("EchoPulseSequence",), _words("SPIN, GRADIENT, BOTH")),
    "acquisition_dimension": (("MRAcquisitionType",), _words("1D, 2D, 3D")),
    "acquisition_type": (
        ("AcquisitionType",),
        _words("SEQUENCED, SPIRAL, CONSTANT_ANGLE, STATIONARY, FREE"),
    ),
    "phase_encoding_direction": (
        ("InPlanePhaseEncodingDirection",),
        _words("ROW, COL, COLUMN, OTHER"),
    ),
    "filter": (
        ("FilterType",),
        _words("WEDGE, BUTTERFLY, STRIP, MULTIPLE, FLAT, NONE, STANDARD, HEAD, BODY, LARGE, SMALL"),
    ),
    "view": (("ViewPosition",), _words("AP, PA, LL, RL, RLD, LLD, RLO, LLO, CC, MLO, ML, LM, LMO, XCCL")),
    "quantity": (("RescaleType",), _words("HU, OD, MGML, Z_EFF, ED, EDW, HU_MOD, PCT")),
    "lossy_method": (
        ("LossyImageCompressionMethod",),
        _words("ISO_10918_1, ISO_14495_1, ISO_15444_1, ISO_15444_15, ISO_13818_2, ISO_14496_10, ISO_23008_2"),
    ),
}

#: Terms that a body part may have.
BODY_PARTS = _CODES["body_part"][1]

#: Reconstruction kernels by vendor. Whole-string patterns without room for a name.
_KERNEL = re.compile(
    r"""
      (?:[BHUCSTDIJ]|A[BHU]|Br|Bl|Bv|Bf|Bp|Hr|Hc|Hp|Hv|Hf|Ub|Ur|Sa|Sd|Qr|Qv|Tp|Tr|Vb)\d{2}[dfhmsuv]?  # Siemens
    | \d{1,3}\s\.\d{1,3}\.A[BHU]\d{2}                                                               # Siemens, older
    | (?:FC|FL)\d{2}(?:-H)?                                                                         # Canon, Toshiba
    | [A-FL] | E[BC] | U[ABC] | Y[A-E] | YUA | XCA | XCB                                            # Philips
    | \d{1,2}                                                                                       # strength, Hitachi
    | STANDARD | STND | SOFT | DETAIL | LUNG | BONE | BONEPLUS | BONE\+ | EDGE | CHST | CHEST | ULTRA
    | SMOOTH | SHARP | MEDIUM | BRAIN | HEAD | BODY | ABDOMEN | SPINE | ANGIO | EAR | NEURO | CARDIAC
    | (?:HD)?\s?(?:STND|BONE|LUNG|DETAIL|EDGE)(?:PLUS)? | EXPERIMENTAL\s?\d?
    """,
    re.VERBOSE | re.IGNORECASE,
)

#: MR sequence names as Siemens writes them; other vendors' are free text.
_SEQUENCE = re.compile(
    r"\*?(?:fl|tfl|tfi|se|tse|tseR|tir|tirB|tirR|spc|spcR|spcir|ep|ep_b|epse|epfid|epir|fi|me|gre|fm_r|h|hR)"
    r"(?:[123]d\d{1,3}|2d1|\d{1,4})?(?:_(?:ns|r|rr|t\d{1,4}|b\d{1,4}|\d{1,3}b\d{1,3}))*"
)

#: Vendors as they begin in Manufacturer (0008,0070), and the name that leaves.
_VENDORS = {
    "SIEMENS": "Siemens",
    "GE": "GE",
    "GENERAL ELECTRIC": "GE",
    "PHILIPS": "Philips",
    "PICKER": "Picker",
    "MARCONI": "Marconi",
    "ELSCINT": "Elscint",
    "ADAC": "ADAC",
    "TOSHIBA": "Toshiba",
    "CANON": "Canon",
    "HITACHI": "Hitachi",
    "FUJI": "Fujifilm",
    "FUJIFILM": "Fujifilm",
    "FUJI PHOTO FILM": "Fujifilm",
    "SHIMADZU": "Shimadzu",
    "SAMSUNG": "Samsung",
    "UIH": "United Imaging",
    "UNITED IMAGING": "United Imaging",
    "SHANGHAI UNITED IMAGING": "United Imaging",
    "NEUSOFT": "Neusoft",
    "MINDRAY": "Mindray",
    "ESAOTE": "Esaote",
    "BRUKER": "Bruker",
    "HYPERFINE": "Hyperfine",
    "VARIAN": "Varian",
    "ELEKTA": "Elekta",
    "ACCURAY": "Accuray",
    "AGFA": "Agfa",
    "KODAK": "Kodak",
    "CARESTREAM": "Carestream",
    "KONICA": "Konica Minolta",
    "HOLOGIC": "Hologic",
    "LORAD": "Lorad",
    "PLANMECA": "Planmeca",
    "ZIEHM": "Ziehm",
    "ACUSON": "Acuson",
    "ATL": "ATL",
    "SONOSITE": "SonoSite",
    "ALOKA": "Aloka",
    "CARL ZEISS": "Zeiss",
    "ZEISS": "Zeiss",
    "TOPCON": "Topcon",
    "HEIDELBERG ENGINEERING": "Heidelberg Engineering",
    "NIDEK": "Nidek",
    "OPTOS": "Optos",
    "OLYMPUS": "Olympus",
    "PENTAX": "Pentax",
    "KARL STORZ": "Karl Storz",
    "LEICA": "Leica",
    "APERIO": "Aperio",
    "HAMAMATSU": "Hamamatsu",
    "3DHISTECH": "3DHistech",
    "VENTANA": "Ventana",
    "ROCHE": "Roche",
}

#: Keywords that `technical` looks at.
TECHNICAL_KEYWORDS: tuple[str, ...] = (
    *(keyword for entry in _NUMBERS.values() for keyword in entry.keywords),
    *(keyword for keywords, _ in _CODES.values() for keyword in keywords),
    "ExposureInuAs",
    "ConvolutionKernel",
    "SequenceName",
    "Manufacturer",
    "BurnedInAnnotation",
    "LossyImageCompression",
    "ContrastBolusAgent",
    "ContrastBolusAgentSequence",
)


def technical(header: Dataset, syntax: UID) -> dict[str, Value]:
    """Return the technical facts of a header.

    Parameters
    ----------
    header : Dataset
        Of one frame (see `scrutiq.imaging.functional_groups`).
    syntax : UID
        Transfer syntax.

    Returns
    -------
    dict
        Names in snake case; numbers in the units of `UNITS`; a tuple where an element has several values. What is
        absent, empty, implausible or not on the list is left out. ``burned_in_annotation`` is always there: "YES",
        "NO" or "unknown".
    """
    facts: dict[str, Value] = {}
    for name, entry in _NUMBERS.items():
        if values := _plausible(header, entry):
            facts[name] = values if len(values) > 1 else values[0]
    if "exposure" not in facts and (values := _plausible(header, _Number(("ExposureInuAs",), "uAs", 0, 1e8))):
        facts["exposure"] = float(values[0]) / 1000
    if "frame_rate" not in facts and isinstance(period := facts.get("frame_time"), (int, float)):
        facts["frame_rate"] = _short(1000 / period)
    for name, (keywords, terms) in _CODES.items():
        for keyword in keywords:
            if words := tuple(word for word in text(header, keyword) if word in terms):
                facts[name] = words if len(words) > 1 else words[0]
                break
    kernel = text(header, "ConvolutionKernel")
    if kernel and all(_KERNEL.fullmatch(word) for word in kernel):
        facts["kernel"] = kernel if len(kernel) > 1 else kernel[0]
    sequence = text(header, "SequenceName")
    if len(sequence) == 1 and len(sequence[0]) <= 16 and _SEQUENCE.fullmatch(sequence[0]):
        facts["sequence_name"] = sequence[0]
    if vendor := _vendor(text(header, "Manufacturer")):
        facts["manufacturer"] = vendor
    burned = text(header, "BurnedInAnnotation")
    facts["burned_in_annotation"] = burned[0] if len(burned) == 1 and burned[0] in _YES_NO else "unknown"
    facts["transfer_syntax"] = syntax.name
    lossy = text(header, "LossyImageCompression")
    if lossy in (("00",), ("01",)):
        facts["lossy"] = lossy == ("01",)
    contrast = _contrast(header)
    if contrast is not None:
        facts["contrast_agent"] = contrast
    return facts


def _plausible(header: Dataset, entry: _Number) -> tuple[float, ...]:
    for keyword in entry.keywords:
        try:
            values = numbers(header, keyword)
        except InputError:
            continue
        if values and (len(values) == 1 or entry.several) and len(values) <= 8:
            return tuple(_short(v) for v in values) if all(entry.low <= v <= entry.high for v in values) else ()
    return ()


def _short(value: float) -> float:
    rounded = float(f"{value:.6g}")
    return int(rounded) if rounded == int(rounded) else rounded


def _vendor(manufacturer: Iterable[str]) -> str | None:
    for name in manufacturer:
        folded = re.sub(r"[^A-Z0-9]+", " ", name.upper()).strip()
        for start, vendor in _VENDORS.items():
            if folded == start or folded.startswith(start + " "):
                return vendor
    return None


def _contrast(header: Dataset) -> bool | None:
    agent = [word.upper() for word in text(header, "ContrastBolusAgent")]
    if agent:
        return not all(word in {"NO", "NONE", "NO CONTRAST", "WITHOUT", "N"} for word in agent)
    try:
        return True if header.get("ContrastBolusAgentSequence") else None
    except Exception:
        return None
