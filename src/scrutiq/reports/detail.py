"""What the report says of one case in full."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from markupsafe import Markup

from scrutiq.core import (
    Assessment,
    Case,
    Evidence,
    EvidenceMap,
    Finding,
    Image,
    Judgement,
    Rubric,
    ScrutiqError,
    Severity,
)
from scrutiq.core.rubric import Dimension
from scrutiq.reports import figures
from scrutiq.reports.measures import described, title
from scrutiq.reports.numbers import interval, number
from scrutiq.reports.pictures import (
    MapPicture,
    Picture,
    Region,
    describe_display,
    displayed,
    map_picture,
    picture,
    reading_window,
    worst_region,
    zoom,
)
from scrutiq.reports.run import ReportRun

__all__ = [
    "Block",
    "CaseView",
    "EvidenceView",
    "FindingView",
    "Images",
    "JudgementRow",
    "MeasurementRow",
    "SentenceView",
    "case_view",
]

Bounds = tuple[float | None, float | None]

_ORDER = {Severity.SEVERE: 0, Severity.MILD: 1, Severity.NONE: 2}


@dataclass(frozen=True)
class MeasurementRow:
    """A measurement, numbered within its case; sentences and findings link to ``id``.

    ``described``: whether the report says in a section of its own what it is.
    """

    id: str
    number: int
    name: str
    title: str | None
    described: bool
    value: str
    unit: str
    reference: str | None
    verdict: str | None
    chart: Markup | None


@dataclass(frozen=True)
class SentenceView:
    """A sentence of the written report and the measurements it rests on."""

    text: str
    rows: tuple[MeasurementRow, ...]


@dataclass(frozen=True)
class JudgementRow:
    """A dimension as judged, or the reason why it was not."""

    dimension: Dimension
    judgement: Judgement | None
    criterion: str | None
    reason: str | None


@dataclass(frozen=True)
class Block:
    """One rubric's part of a case; ``repeats`` names an earlier rubric whose report is the same word for word."""

    assessment: Assessment
    rubric: Rubric
    judgements: tuple[JudgementRow, ...]
    sentences: tuple[SentenceView, ...]
    repeats: str | None


@dataclass(frozen=True)
class EvidenceView:
    """A measurement that backs a finding, against that finding's own reference range."""

    row: MeasurementRow
    value: str
    unit: str
    reference: str | None
    verdict: str | None


@dataclass(frozen=True)
class FindingView:
    """A finding, with its evidence."""

    finding: Finding
    evidence: tuple[EvidenceView, ...]

    @property
    def bare(self) -> bool:
        """Whether there is nothing to tell but that it was not seen."""
        return self.finding.severity is Severity.NONE and not self.evidence


@dataclass(frozen=True)
class Images:
    """The pictures of a case, and the facts of its image."""

    main: Picture
    display: str
    embedding: str
    box: Region | None
    zoom: Picture | None
    zoom_of: str | None
    map: MapPicture | None
    shape: tuple[int, int]
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CaseView:
    """A case in full."""

    id: str
    number: int
    case: str
    path: str | None
    modality: str
    quality: float | None
    images: Images | None
    blocks: tuple[Block, ...]
    findings: tuple[FindingView, ...]
    measurements: tuple[MeasurementRow, ...]
    assessments: tuple[Assessment, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)


def case_view(run: ReportRun, case: str, assessments: list[Assessment], id: str, number: int) -> CaseView:
    """Build the section of one case: the image is loaded once, whatever the number of rubrics."""
    judged = [a for a in assessments if a.rubric is not None]
    findings = _distinct([f for a in judged for f in a.findings])
    rows, lookup = _measurements(judged, findings, id)
    images, metadata = _images(run, case, judged, findings)
    blocks: list[Block] = []
    for assessment, table in zip(judged, lookup, strict=True):
        blocks.append(_block(assessment, run.rubrics[str(assessment.rubric)], table, blocks))
    known = {row.name: row for table in lookup for row in table.values()}
    source = next((a.source for a in assessments if a.source is not None), None)
    return CaseView(
        id=id,
        number=number,
        case=case,
        path=None if source is None else source.path,
        modality=assessments[0].modality.value,
        quality=min((a.quality for a in judged if a.quality is not None), default=None),
        images=images,
        blocks=tuple(blocks),
        findings=tuple(FindingView(f, tuple(_cite(e, known[e.measurement]) for e in f.evidence)) for f in findings),
        measurements=tuple(rows),
        assessments=tuple(assessments),
        metadata=metadata,
    )


def _distinct(findings: list[Finding]) -> list[Finding]:
    kept: list[Finding] = []
    for finding in findings:
        if finding not in kept:
            kept.append(finding)
    return sorted(kept, key=lambda f: (_ORDER[f.severity], -f.value))


def _measurements(
    assessments: list[Assessment], findings: list[Finding], id: str
) -> tuple[list[MeasurementRow], list[dict[str, MeasurementRow]]]:
    """Return the distinct measurements of a case, and for each assessment its rows by name."""
    references = _references(findings)
    known = described(assessments)
    rows: dict[tuple[str, float, str], MeasurementRow] = {}
    lookup = []
    for assessment in assessments:
        mine = {}
        for name, measurement in assessment.measurements.items():
            key = (name, measurement.value, measurement.unit)
            if key not in rows:
                place = len(rows) + 1
                reference = references.get(name)
                chart = None if reference is None else figures.range_bar(measurement.value, reference)
                rows[key] = MeasurementRow(
                    f"{id}-m{place}",
                    place,
                    name,
                    title(name, known),
                    name in known,
                    number(measurement.value),
                    measurement.unit,
                    _reference(reference),
                    _verdict(measurement.value, reference),
                    chart,
                )
            mine[name] = rows[key]
        lookup.append(mine)
    return list(rows.values()), lookup


def _cite(evidence: Evidence, row: MeasurementRow) -> EvidenceView:
    reference = evidence.reference
    return EvidenceView(
        row, number(evidence.value), evidence.unit, _reference(reference), _verdict(evidence.value, reference)
    )


def _references(findings: list[Finding]) -> dict[str, Bounds]:
    """Return for each measurement the range in which no finding objects to it: where its references overlap."""
    ranges: dict[str, Bounds] = {}
    for evidence in (e for f in findings for e in f.evidence):
        if evidence.reference is None:
            continue
        low, high = ranges.get(evidence.measurement, (None, None))
        lows = [v for v in (low, evidence.reference[0]) if v is not None]
        highs = [v for v in (high, evidence.reference[1]) if v is not None]
        ranges[evidence.measurement] = (max(lows, default=None), min(highs, default=None))
    return {name: r for name, r in ranges.items() if r[0] is None or r[1] is None or r[0] <= r[1]}


def _reference(reference: Bounds | None) -> str | None:
    if reference is None or reference == (None, None):
        return None
    low, high = reference
    if low is None:
        return f"\u2264\u2009{number(high)}" if high is not None else None
    return f"\u2265\u2009{number(low)}" if high is None else interval(number(low), number(high))


def _verdict(value: float, reference: Bounds | None) -> str | None:
    if reference is None or reference == (None, None):
        return None
    low, high = reference
    if low is not None and value < low:
        return "below"
    return "above" if high is not None and value > high else "within"


def _block(assessment: Assessment, rubric: Rubric, rows: Mapping[str, MeasurementRow], before: list[Block]) -> Block:
    judgements = []
    for name, dimension in rubric.dimensions.items():
        judgement = assessment.judgements.get(name)
        criterion = None
        if judgement is not None and judgement.score is not None and judgement.level is not None:
            criterion = dimension.named(judgement.level).criterion
        reason = None if judgement is not None else assessment.declined.get(name) or assessment.reason
        judgements.append(JudgementRow(dimension, judgement, criterion, reason))
    sentences = tuple(
        SentenceView(s.text, tuple(sorted({rows[name] for name in s.measurements}, key=lambda row: row.number)))
        for s in assessment.sentences
    )
    # The same words on the same measurements are printed once.
    same = next((b.rubric.name for b in before if b.sentences == sentences and b.repeats is None), None)
    return Block(assessment, rubric, tuple(judgements), sentences, same)


def _images(
    run: ReportRun, case: str, assessments: list[Assessment], findings: list[Finding]
) -> tuple[Images | None, dict[str, str]]:
    try:
        loaded = run.load(case)
    except (ScrutiqError, OSError, KeyError):
        return None, {}
    image = loaded.target
    chosen = reading_window(image, [run.rubrics[str(a.rubric)] for a in assessments])
    pixels = displayed(image, chosen)
    evidence = _evidence(run, loaded, assessments)
    main = picture(pixels, image.spacing)
    box = worst_region(image.shape, findings, evidence)
    placed = any(f.region is not None and f.severity is not Severity.NONE for f in findings)
    images = Images(
        main=main,
        display=describe_display(image, chosen),
        embedding=_embedding(main, image.shape),
        box=box,
        zoom=None if box is None else zoom(pixels, box, image.spacing),
        zoom_of=None if box is None else ("most severe finding" if placed else "highest mean of the map"),
        map=None if evidence is None else map_picture(evidence, main),
        shape=image.shape,
        facts=tuple(_facts(image)),
    )
    return images, {name: _text(value) for name, value in image.metadata.items()}


def _evidence(run: ReportRun, case: Case, assessments: list[Assessment]) -> EvidenceMap | None:
    """Return the map of the first assessment that has one."""
    for assessment in assessments:
        if assessment.status == "judged":
            try:
                evidence = run.evidence(case, assessment)
            except ScrutiqError:
                continue
            if evidence is not None:
                return evidence
    return None


def _embedding(embedded: Picture, shape: tuple[int, int]) -> str:
    if embedded.reduced > 1:
        return (
            f"averaged down from {shape[1]}\u2009\u00d7\u2009{shape[0]} to "
            f"{embedded.width}\u2009\u00d7\u2009{embedded.height} pixels"
        )
    text = f"{shape[1]}\u2009\u00d7\u2009{shape[0]} pixels, native resolution"
    return text + (", shown enlarged" if embedded.pixelated else "")


def _facts(image: Image) -> list[tuple[str, str]]:
    height, width = image.shape
    facts = [("Size", f"{width}\u2009\u00d7\u2009{height} pixels" + (", colour" if image.is_colour else ""))]
    if image.spacing is not None:
        row, column = image.spacing
        facts.append(("Pixel spacing", f"{number(column)}\u2009\u00d7\u2009{number(row)} mm"))
        facts.append(("Field of view", f"{number(column * width)}\u2009\u00d7\u2009{number(row * height)} mm"))
    else:
        facts.append(("Pixel spacing", "not stated"))
    facts.append(("Value", image.unit + ("" if image.is_calibrated else " (uncalibrated)")))
    if image.data_range is not None:
        facts.append(("Range of the format", interval(*map(number, image.data_range))))
    if image.valid is not None and not image.valid.all():
        facts.append(("Pixels without image", f"{100 * float(1 - image.valid.mean()):.1f} %"))
    source = image.source
    if source.series is not None:
        facts.append(("Series (salted hash)", source.series))
        facts.append(("Slice or frame index", str(source.frame)))
    if source.location is not None:
        facts.append(("Slice location", f"{number(source.location)} mm"))
    return facts


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(_text(v) for v in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, float) else str(value)
