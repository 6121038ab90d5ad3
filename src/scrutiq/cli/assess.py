"""``scrutiq assess``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from scrutiq import api
from scrutiq.cli.app import AssessFormat, GivenModality
from scrutiq.core import Assessment, Role, UsageError
from scrutiq.imaging import parse_spacing, parse_window
from scrutiq.reports import write_csv

__all__ = ["run"]

JOURNAL = "journal.jsonl"


def run(
    *,
    inputs: Sequence[str],
    rubrics: Sequence[str],
    assessor: str | None,
    roles: Sequence[str],
    out: Path | None,
    format: AssessFormat,
    jobs: int,
    resume: bool,
    show_paths: bool,
    detail: int,
    modality: GivenModality | None,
    window: str | None,
    spacing: str | None,
) -> int:
    """Judge, print, write; return the exit status."""
    if out is None and (resume or format in (AssessFormat.HTML, AssessFormat.PARQUET)):
        option = "--resume" if resume else f"--format {format.value}"
        raise UsageError(f"{option} needs --out DIR.")
    errors = Console(stderr=True, highlight=False)
    bar = Progress(
        TextColumn("judging"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=errors, transient=True
    )
    with bar:
        task = bar.add_task("", total=None)
        try:
            results = api.assess(
                inputs,
                list(rubrics),
                assessor,
                roles=dict(_role(text) for text in roles),
                modality=modality.value if modality else None,
                window=parse_window(window) if window else None,
                spacing=parse_spacing(spacing) if spacing else None,
                jobs=jobs,
                journal=out / JOURNAL if out is not None else None,
                resume=resume,
                progress=lambda total, _found: bar.update(task, total=total, advance=1),
            )
        except KeyboardInterrupt:
            bar.stop()
            if out is not None:
                errors.print("scrutiq: interrupted; add --resume to continue with what is finished.", soft_wrap=True)
            raise
    _tell(results, errors)
    if out is not None:
        errors.print("writing the report ...") if errors.is_terminal else None
        report = results.write(out, show_paths=show_paths, detail=detail, parquet=format is AssessFormat.PARQUET)
        errors.print(f"The report is {report}", soft_wrap=True)
    if format is AssessFormat.JSON:
        sys.stdout.write(results.to_json(indent=2) + "\n")
    elif format is AssessFormat.CSV:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "judgements.csv"
            write_csv(results.assessments, path, show_paths=True)
            sys.stdout.write(path.read_text("utf-8"))
    elif format is AssessFormat.TABLE:
        _table(results)
    return 1 if results.count("failed") else 0


def _role(text: str) -> tuple[Role, str]:
    name, equals, path = text.partition("=")
    choices = [role for role in Role if role is not Role.TARGET]
    if not equals or name not in choices:
        raise UsageError(f"--role {text!r}: write ROLE=PATH, where ROLE is {', '.join(choices)}.")
    return Role(name), path


def _tell(results: api.Results, errors: Console) -> None:
    """Say on stderr what was passed over and what failed, one line each."""
    for kind, count in results.skipped.items():
        errors.print(f"skipped {count} {kind}", soft_wrap=True)
    for assessment in results:
        if assessment.status == "failed":
            errors.print(f"failed: {_where(assessment)}: {assessment.reason}", soft_wrap=True, markup=False)
    judged, declined, failed = (results.count(status) for status in ("judged", "unjudged", "failed"))
    errors.print(f"{judged} judged, {declined} declined, {failed} failed")


def _where(assessment: Assessment) -> str:
    source = assessment.source
    if source is None or source.path is None:
        return assessment.case
    return source.path + (f" [{source.frame}]" if source.frame else "")


def _table(results: api.Results) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("case", "input", "modality", "rubric", "judgement", "worst finding"):
        table.add_column(title, overflow="fold")
    for assessment in results:
        table.add_row(
            assessment.case,
            _where(assessment) if assessment.source and assessment.source.path else "",
            assessment.modality.value,
            assessment.rubric or "",
            _judgement(assessment),
            _worst(assessment),
        )
    # A pipe gets whole lines, a terminal its own width.
    Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 240).print(table)


def _judgement(assessment: Assessment) -> str:
    if assessment.status != "judged":
        return f"{assessment.status}: {assessment.reason}"
    parts = []
    for name, judgement in assessment.judgements.items():
        if judgement.score is None:
            parts.append(f"{name}: {judgement.level}")
            continue
        interval = "" if judgement.interval is None else f" [{judgement.interval[0]:.2g}, {judgement.interval[1]:.2g}]"
        parts.append(f"{name} {judgement.score:.2f}{interval} {judgement.level}")
    return "; ".join(parts)


def _worst(assessment: Assessment) -> str:
    found = [finding for finding in assessment.findings if finding.severity != "none"]
    if not found:
        return ""
    worst = max(found, key=lambda finding: finding.value)
    evidence = worst.evidence[0]
    return f"{worst.degradation} {worst.severity} ({evidence.measurement} {evidence.value:.3g} {evidence.unit})"
