"""``scrutiq calibrate``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scrutiq import api
from scrutiq.assessors.calibration import Calibration, Figures
from scrutiq.cli.app import TextFormat
from scrutiq.cli.assess import judging, role_of
from scrutiq.cli.output import emit, plain, stderr, stdout, table
from scrutiq.core import UsageError
from scrutiq.imaging import parse_spacing, parse_window

__all__ = ["run"]


def run(
    *,
    ratings: Path,
    out: Path,
    inputs: Sequence[str],
    rubric: str | None,
    assessor: str | None,
    roles: Sequence[str],
    id_column: str | None,
    group_column: str | None,
    keep: bool,
    seed: int,
    jobs: int,
    modality: str | None,
    window: str | None,
    spacing: str | None,
    format: TextFormat,
) -> None:
    """Judge the rated images, fit, write the file, print what it gains."""
    if out.resolve() == ratings.resolve():
        raise UsageError("--out would replace the ratings; name another file.")
    if not out.parent.is_dir():  # now, rather than after the judging
        raise UsageError(f"the folder of --out does not exist: {out.parent}.")
    errors = stderr()
    with judging(errors) as bar:
        task = bar.add_task("", total=None)
        found = api.calibrate(
            ratings,
            inputs or None,
            rubric,
            assessor,
            id_column=id_column,
            group_column=group_column,
            keep=keep,
            seed=seed,
            roles=dict(map(role_of, roles)),
            modality=modality,
            window=parse_window(window) if window is not None else None,
            spacing=parse_spacing(spacing) if spacing is not None else None,
            jobs=jobs,
            progress=lambda total, _found: bar.update(task, total=total, advance=1),
        )
    found.write(out)
    if format is TextFormat.JSON:
        emit(found.to_json(indent=2) + "\n")
    else:
        _show(found)
    for note in found.notes:
        errors.print(f"scrutiq: {note}")
    errors.print(f"The calibration is {plain(str(out))}")


def _show(found: Calibration) -> None:
    with stdout() as text:
        for name, scale in found.dimensions.items():
            groups = "" if scale.n_groups == scale.n else f" in {scale.n_groups} groups"
            text.print(f"{name}: {scale.n} ratings{groups}, {found.assessor} on {found.rubric}")
            shown = table("", "before", "95 % interval", "after, cross-validated", "95 % interval")
            for label in ("mae", "rmse", "srocc", "plcc"):
                shown.add_row(label.upper(), *_cells(scale.before, label), *_cells(scale.after, label))
            text.print(shown)
            ends = "" if scale.gain_ci is None else f" (95 % interval {scale.gain_ci[0]:.3f} to {scale.gain_ci[1]:.3f})"
            text.print(f"MAE falls by {scale.gain:.3f}{ends}. {scale.verdict}")
            low, high = scale.knots[0][0], scale.knots[-1][0]  # the ends of the scale, where the map is cut
            points = ", ".join(f"{x:.2f} -> {min(max(y, low), high):.2f}" for x, y in scale.knots)
            width = "none" if scale.half_width is None else f"+- {scale.half_width:.2f}"
            text.print(f"fitted: {scale.fitted}; applied: {scale.applied} ({points})")
            text.print(f"{100 * found.coverage:.0f} % interval: {width}")


def _cells(figures: Figures, name: str) -> tuple[str, str]:
    value, ends = getattr(figures, name), figures.ci[name]
    return (
        "undefined" if value is None else f"{value:.3f}",
        "" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}",
    )
