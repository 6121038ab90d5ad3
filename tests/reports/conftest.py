"""Real images, real measurements of them and the assessments that they give, with the edge cases of a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import numpy as np
import pytest
from scipy import ndimage

from scrutiq import rubrics
from scrutiq.core import (
    HU,
    Assessment,
    Case,
    Evidence,
    EvidenceMap,
    Finding,
    FrozenDict,
    Image,
    InputError,
    Measurement,
    Modality,
    Provenance,
    Role,
    Rubric,
    Sentence,
    Severity,
    Source,
)
from scrutiq.reports import ReportRun

REFERENCE = {"noise": (4.0, 16.0), "edge_rise": (None, 1.6), "contrast": (20.0, None)}


def noise_map(image: Image) -> np.ndarray:
    """Local standard deviation of what a median filter removes; NaN where the image is air or nothing."""
    grey = np.nan_to_num(image.grey().astype(np.float64))
    rest = grey - ndimage.median_filter(grey, 5)
    local = np.sqrt(np.maximum(ndimage.uniform_filter(rest**2, 15), 0))
    inside = np.ones(grey.shape, bool)
    if image.is_calibrated:  # the body: the largest part that is not air
        parts, count = ndimage.label(ndimage.binary_opening(grey > -300, iterations=2))
        if count:
            inside = parts == 1 + int(np.argmax(ndimage.sum_labels(parts > 0, parts, range(1, count + 1))))
    inside &= np.ones(grey.shape, bool) if image.valid is None else image.valid
    return np.where(inside, local, np.nan).astype(np.float32)


def measure(image: Image) -> dict[str, Measurement]:
    local = noise_map(image)
    grey = np.nan_to_num(image.grey().astype(np.float64))
    unit = image.unit
    noise = float(np.nanmedian(local)) if np.isfinite(local).any() else 0.0
    slope = float(np.percentile(np.hypot(*(ndimage.sobel(grey, axis) for axis in (0, 1))), 99)) / 8
    values = {
        "noise": (noise, unit),
        "edge_rise": (min(2.0 * float(np.ptp(grey)) / max(slope, 1e-3) / 40, 12.0), "mm" if image.spacing else "pixel"),
        "contrast": (float(np.subtract(*np.percentile(grey, [95, 25]))), unit),
        "noise_peak_frequency": (0.21, "1/mm" if image.spacing else "1/pixel"),
        "clipped_low": (100 * float((grey <= grey.min()).mean()), "%"),
        "blockiness": (0.0004, "1"),
    }
    return {name: Measurement(value=value, unit=u) for name, (value, u) in values.items()}


def assess(case: Case, rubric: Rubric, **changes: object) -> Assessment:
    """Judge a case by simple mappings of real measurements: the shape of an assessment, not its clinical truth."""
    image = case.target
    measured = measure(image)
    strength = float(np.clip(measured["noise"].value / 30, 0, 1))
    judgements = {}
    for i, (name, scale) in enumerate(rubric.dimensions.items()):
        quality = float(np.clip(0.95 - strength * (1 - 0.2 * i), 0.02, 0.98))
        if scale.not_applicable is not None:
            judgements[name] = rubric.judge(name)
            continue
        score = scale.score(quality, "below" if scale.better == "near" else None)
        half = 0.12 * (scale.range[1] - scale.range[0])
        judgements[name] = rubric.judge(name, score, interval=(score - half, score + half))
    severity = Severity.SEVERE if strength > 0.6 else Severity.MILD if strength > 0.3 else Severity.NONE
    local = noise_map(image)
    region = None
    if np.isfinite(local).any() and min(image.shape) > 100:
        row, column = np.unravel_index(int(np.nanargmax(local)), local.shape)
        top, left = (int(np.clip(v - 40, 0, n - 80)) for v, n in zip((row, column), image.shape, strict=True))
        region = (top, left, top + 80, left + 80)
    noise, rise = measured["noise"], measured["edge_rise"]
    fields: dict[str, object] = dict(  # noqa: C408
        case=case.id,
        source=image.source,
        modality=image.modality,
        status="judged",
        rubric=rubric.name,
        assessor="measured:",
        judgements=FrozenDict(judgements),
        findings=(
            Finding(
                degradation="ct.low_dose",
                severity=severity,
                value=strength,
                region=region,
                evidence=(
                    Evidence(measurement="noise", value=noise.value, unit=noise.unit, reference=REFERENCE["noise"]),
                ),
            ),
            Finding(
                degradation="ct.kernel",
                severity=Severity.MILD if rise.value > 1.6 else Severity.NONE,
                value=min(rise.value / 6, 1.0),
                evidence=(
                    Evidence(
                        measurement="edge_rise", value=rise.value, unit=rise.unit, reference=REFERENCE["edge_rise"]
                    ),
                    Evidence(
                        measurement="contrast",
                        value=measured["contrast"].value,
                        unit=measured["contrast"].unit,
                        reference=REFERENCE["contrast"],
                    ),
                ),
            ),
            Finding(
                degradation="ct.blocking",
                severity=Severity.NONE,
                value=0.02,
                evidence=(Evidence(measurement="blockiness", value=0.0004, unit="1", reference=(0, 0.01)),),
            ),
        ),
        measurements=FrozenDict(measured),
        sentences=(
            Sentence(
                text=f"Noise is {noise.value:.1f} {noise.unit} in the body, {'above' if strength > 0.5 else 'near'} "
                "what a normal dose gives.",
                measurements=("noise", "noise_peak_frequency"),
            ),
            Sentence(
                text=f"Edges rise from 10 to 90 % over {rise.value:.1f} {rise.unit}, at a contrast of "
                f"{measured['contrast'].value:.0f} {noise.unit}.",
                measurements=("edge_rise", "contrast"),
            ),
            Sentence(text="Compression leaves no visible blocks.", measurements=("blockiness",)),
            Sentence(text="The lesion was not judged, because no mask marks one."),
        ),
        notes=("Levels rest on thresholds that are not calibrated on this scanner.",),
        provenance=Provenance(
            assessor="measured:",
            rubric_hash=rubric.hash,
            versions=FrozenDict({"scrutiq": "0.1.0", "numpy": np.__version__}),
            parameters=FrozenDict({"jobs": 2}),
            time=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
        ),
    )
    return Assessment(**{**fields, **changes})  # type: ignore[arg-type]


def failed(case: str, reason: str, rubric: str | None = None, status: str = "failed", **more: object) -> Assessment:
    return Assessment(
        case=case,
        status=status,  # type: ignore[arg-type]
        reason=reason,
        rubric=rubric,
        assessor="measured:",
        provenance=Provenance(assessor="measured:"),
        **more,  # type: ignore[arg-type]
    )


def make_case(id: str, pixels: np.ndarray, **fields: object) -> Case:
    return Case(id=id, images=FrozenDict({Role.TARGET: Image(pixels=pixels, **fields)}))


def make_run(
    cases: Iterable[Case],
    names: Mapping[str, tuple[str, ...]] | tuple[str, ...] = ("ct-iqa",),
    *,
    extra: Iterable[Assessment] = (),
    evidence: Callable[[Case, Assessment], EvidenceMap | None] | None = None,
    gone: Iterable[str] = (),
    **fields: object,
) -> ReportRun:
    """Assess cases on rubrics (for all of them, or by case id) and return the run."""
    held = {case.id: case for case in cases}
    lost = set(gone)
    found = []
    for case in held.values():
        mine = names if isinstance(names, tuple) else names[case.id]
        found += [assess(case, rubrics.load(name)) for name in mine]

    def load(id: str) -> Case:
        if id in lost:
            raise InputError("the file is no longer there.", "/somewhere/DOE^JANE.dcm")
        return held[id]

    def default(case: Case, assessment: Assessment) -> EvidenceMap | None:
        return EvidenceMap("local noise", case.target.unit, noise_map(case.target))

    return ReportRun(
        assessments=(*found, *extra),
        rubrics={rubric.name: rubric for rubric in rubrics.shipped()},
        load=load,
        evidence=evidence or default,
        **fields,  # type: ignore[arg-type]
    )


def phantom(shape: tuple[int, int], noise: float, seed: int) -> np.ndarray:
    """A body-like ellipse in HU with real random noise, for volumes where no file holds a thousand slices."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    body = np.where((rows / 0.75) ** 2 + (columns / 0.9) ** 2 < 1, 40.0, -1000.0)
    body[(rows - 0.2) ** 2 + (columns + 0.3) ** 2 < 0.03] = 110.0
    return body + np.where(body > -500, rng.normal(0, noise, shape), 0)


@pytest.fixture(scope="session")
def odd_cases() -> list[Case]:
    """Images whose shape or values are at the edge."""
    rng = np.random.default_rng(3)
    hole = phantom((200, 260), 12, 1).astype(np.float32)
    hole[40:90, 40:90] = np.nan
    return [
        make_case("one-pixel", np.array([[7.0]]), data_range=(0, 255)),
        make_case("very-wide", rng.normal(100, 9, (12, 1400)), data_range=(0, 255)),
        make_case("very-tall", rng.normal(100, 9, (900, 9))),
        make_case("anisotropic", phantom((64, 256), 20, 5), modality=Modality.CT, unit=HU, spacing=(5.0, 0.8)),
        make_case("holes", hole, modality=Modality.CT, unit=HU, spacing=(0.7, 0.7)),
        make_case("constant", np.full((128, 128), 3.0), data_range=(0, 255)),
        make_case("nothing", np.full((90, 90), np.nan)),
        make_case(
            "inverted", rng.normal(1000, 50, (300, 200)), modality=Modality.DX, inverted=True, data_range=(0, 4095)
        ),
        make_case("<script>alert(1)</script>\"'&</style>", rng.normal(100, 9, (80, 80)), data_range=(0, 255)),
        make_case("x" * 200, rng.normal(100, 9, (80, 80)), data_range=(0, 255)),
    ]


@pytest.fixture(scope="session")
def photographs() -> list[Case]:
    from skimage import data

    return [
        make_case("retina", data.retina(), modality=Modality.FUNDUS, data_range=(0, 255)),
        make_case("stain", data.immunohistochemistry(), modality=Modality.HISTOPATHOLOGY, data_range=(0, 255)),
        make_case("camera", data.camera(), data_range=(0, 255)),
    ]


def volume(slices: int, shape: tuple[int, int] = (96, 128), series: str = "5f1c9a77e2") -> list[Case]:
    """A volume whose noise grows in the middle, as in the shoulders or the pelvis."""
    cases = []
    for i in range(slices):
        noise = 8 + 18 * np.exp(-(((i - slices / 2) / (slices / 6)) ** 2))
        pixels = phantom(shape, noise, i)
        source = Source(path=f"DOE^JANE/scan/{i:04}.dcm", frame=i, series=series, location=-120.0 + 1.25 * i)
        cases.append(
            make_case(
                f"volume-{i:04}",
                pixels,
                modality=Modality.CT,
                unit=HU,
                spacing=(0.8, 0.8),
                source=source,
                metadata=FrozenDict({"kVp": 120.0, "kernel": "B30f", "slice thickness mm": 1.25}),
            )
        )
    return cases


@pytest.fixture(scope="session")
def long_volume() -> list[Case]:
    return volume(1000, (40, 48))


@pytest.fixture(scope="session")
def mixed_run(odd_cases: list[Case], photographs: list[Case]) -> ReportRun:
    """A bit of everything."""
    cases = [*volume(9, (160, 200)), *photographs, *odd_cases]
    names = {case.id: ("ct-iqa", "ldct") if case.target.modality is Modality.CT else ("medq",) for case in cases}
    extra = [
        failed("broken-1", "The file ends before its pixels do; copy it again."),
        failed("broken-2", "The file ends before its pixels do; copy it again."),
        failed("text", "This is not an image <img src=x onerror=alert(1)>."),
        failed("no-mask", "The rubric angio needs a mask.", "angio", "unjudged", modality=Modality.XA),
    ]
    run = make_run(
        cases,
        names,
        extra=extra,
        gone=["camera"],
        title="Mixed </title><script>alert(2)</script>",
        command="scrutiq assess",
    )
    # A declined case before the judged ones.
    first = failed("empty-ct", "The image has no valid pixel.", "ct-iqa", "unjudged", modality=Modality.CT)
    return dataclasses.replace(run, assessments=(first, *run.assessments))


@pytest.fixture(scope="session")
def volume_run(long_volume: list[Case]) -> ReportRun:
    """A run on a thousand slices. One slice in fifty is measured; the others take its results."""
    rubric = rubrics.load("ct-iqa")
    found = []
    for i, case in enumerate(long_volume):
        if i % 50 == 0:
            measured = assess(case, rubric)
        found.append(measured.model_copy(update={"case": case.id, "source": case.target.source}))
    held = {case.id: case for case in long_volume}
    return ReportRun(
        found, {"ct-iqa": rubric}, held.__getitem__, lambda case, _: EvidenceMap("noise", HU, noise_map(case.target))
    )


@pytest.fixture
def network_run() -> ReportRun:
    """One case as a network judges it: probabilities, a finding in dispute, one measured, one not seen, a map."""
    case = make_case("seen", phantom((128, 160), 12, 4), modality=Modality.CT, unit=HU, spacing=(0.8, 0.8))
    rubric = rubrics.load("ldct")
    judgement = rubric.judge(
        "overall",
        3.1,
        interval=(2.2, 3.8),
        coverage=0.9,
        probabilities=rubric.dimension("overall").distribution(3.1, 0.4),
        supervision="proxy",
    )
    made = assess(case, rubric)
    noisy = made.findings[0].model_copy(update={"probability": 0.97, "severity": Severity.SEVERE, "disputed": True})
    alone = Finding(degradation="ct.ring", severity=Severity.MILD, value=0.5, probability=0.81)
    absent = Finding(degradation="ct.metal", severity=Severity.NONE, value=0.01, probability=0.03)
    rings = Measurement(value=1.2, unit="HU")
    cited = Evidence(measurement="rings_hu", value=1.2, unit="HU", reference=(None, 4))
    told = made.model_copy(
        update={
            "judgements": FrozenDict({"overall": judgement}),
            "findings": (noisy, alone.model_copy(update={"evidence": (cited,)}), absent),
            "measurements": FrozenDict({**made.measurements, "rings_hu": rings}),
        }
    )
    seen = EvidenceMap("faults", "1", np.full((128, 160), 0.2, np.float32), (0.0, 1.0), "As the network sees them.")
    return ReportRun([told], {"ldct": rubric}, {"seen": case}.__getitem__, lambda case, assessment: seen)


@pytest.fixture
def make_failed() -> list[Assessment]:
    return [failed(f"broken-{i}", "The file is empty; copy it again.") for i in range(4)]
