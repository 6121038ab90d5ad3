"""``scrutiq assess``."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from scrutiq import api
from scrutiq.cli.app import AssessFormat
from scrutiq.cli.output import emit, plain, stderr, stdout, table
from scrutiq.core import Assessment, MissingExtraError, UsageError
from scrutiq.imaging import parse_spacing, parse_window
from scrutiq.reports.tables import COLUMNS, rows, worst_finding

__all__ = ["judging", "role_of", "run"]

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
    modality: str | None,
    window: str | None,
    spacing: str | None,
    calibration: Path | None,
) -> int:
    """Judge, print, write; return the exit status."""
    if out is None and (resume or format in (AssessFormat.HTML, AssessFormat.PARQUET)):
        option = "--resume" if resume else f"--format {format.value}"
        raise UsageError(f"{option} needs --out DIR.")
    if format is AssessFormat.PARQUET and find_spec("pyarrow") is None:
        raise MissingExtraError("Writing Parquet", "parquet")  # now, rather than after hours of judging
    errors = stderr()
    try:
        with judging(errors) as bar:
            task = bar.add_task("", total=None)
            results = api.assess(
                inputs,
                rubrics,
                assessor,
                roles=dict(map(role_of, roles)),
                modality=modality,
                window=parse_window(window) if window is not None else None,
                spacing=parse_spacing(spacing) if spacing is not None else None,
                calibration=calibration,
                jobs=jobs,
                journal=out / JOURNAL if out is not None else None,
                resume=resume,
                progress=lambda total, _found: bar.update(task, total=total, advance=1),
            )
        report = None
        if out is not None:
            report = results.write(out, show_paths=show_paths, detail=detail, parquet=format is AssessFormat.PARQUET)
    except KeyboardInterrupt:
        kept = "" if out is None else "; what is finished is kept: add --resume to continue"
        errors.print(f"scrutiq: interrupted{kept}.")
        return 130
    if format is AssessFormat.JSON:
        emit(results.to_json(indent=2) + "\n")
    elif format is AssessFormat.CSV:
        emit(_csv(results))
    elif format is AssessFormat.TABLE:
        _table(results)
    _tell(results, errors)
    if report is not None:
        errors.print(f"The report is {plain(str(report))}")
    return 1 if results.count("failed") or not len(results) else 0


def judging(errors: Console) -> Progress:
    """Return the bar that a terminal shows while images are judged."""
    columns = (TextColumn("judging"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)


def role_of(text: str) -> tuple[str, str]:
    """Return the role and the path of ``ROLE=PATH``."""
    role, equals, path = text.partition("=")
    if not equals or not path:
        raise UsageError(f"--role is written ROLE=PATH, for example mask=vessels.png, not {text!r}.")
    return role, path


def _tell(results: api.Results, errors: Console) -> None:
    """Say on stderr what was passed over and what failed, one line each; a broken volume is one line too."""
    for kind, count in results.skipped.items():
        errors.print(f"skipped: {kind} ({count})")
    failed = (one for one in results if one.status == "failed")
    for (path, reason), group in groupby(failed, key=lambda one: (_path(one) or one.case, one.reason)):
        count = len(list(group))
        errors.print(f"failed: {path}{f' ({count} images)' if count > 1 else ''}: {reason}")
    if not len(results):
        errors.print("scrutiq: there is no image to judge.")
    counts = [results.count(status) for status in ("judged", "unjudged", "failed")]
    errors.print("{} judged, {} declined, {} failed".format(*counts))


def _path(assessment: Assessment) -> str:
    return plain(assessment.source.path or "") if assessment.source is not None else ""


def _where(assessment: Assessment) -> str:
    frame = assessment.source.frame if assessment.source is not None else 0
    return _path(assessment) + (f" [{frame}]" if frame else "")


def _csv(results: api.Results) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS["judgements"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(results.assessments))
    return text.getvalue()


def _table(results: api.Results) -> None:
    shown = table("case", "input", "modality", "rubric", "judgement", "worst finding")
    for assessment in results:
        shown.add_row(
            assessment.case,
            _where(assessment),
            assessment.modality.value,
            assessment.rubric or "",
            _judgement(assessment),
            _worst(assessment),
        )
    with stdout() as out:
        out.print(shown)


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
    # A line each where there are few columns; a pipe gets one line a case.
    return ("\n" if sys.stdout.isatty() else "; ").join(parts)


def _worst(assessment: Assessment) -> str:
    worst = worst_finding(assessment)
    if worst is None:
        return ""
    because = []
    if worst.probability is not None:
        because.append(f"probability {worst.probability:.2f}")
    if worst.evidence:
        evidence = worst.evidence[0]
        unit = "" if evidence.unit == "1" else f" {evidence.unit}"
        because.append(f"{evidence.measurement} {evidence.value:.3g}{unit}")
    if worst.disputed:
        because.append("disputed")
    return f"{worst.degradation} {worst.severity} ({', '.join(because)})"
