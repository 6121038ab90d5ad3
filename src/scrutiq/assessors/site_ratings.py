"""From a table of a site's ratings and its images to a `Calibration`: match, judge, fit each dimension."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from scrutiq import __version__, rubrics
from scrutiq.assessors.batch import Batch, Loadable, run
from scrutiq.assessors.calibration import Calibration, Scale, used_roles
from scrutiq.assessors.site_scale import COVERAGE, FOLDS, LEAST, LEAST_GROUPS, LEVEL, WANTED, fit_scale
from scrutiq.core import Assessment, FrozenDict, InputError, Role, Rubric, UsageError
from scrutiq.metrics.tables import ScoreTable, read_scores

__all__ = ["calibrate_cases", "read_ratings"]

Progress = Callable[[int, tuple[Assessment, ...]], None]


def read_ratings(
    path: str | os.PathLike[str],
    *,
    id_column: str | None = None,
    group_column: str | None = None,
    is_manifest: bool = False,
) -> ScoreTable:
    """Read a site's ratings (`scrutiq.metrics.tables.read_scores`).

    Parameters
    ----------
    path : path
    id_column, group_column : str, optional
    is_manifest : bool
        Whether the table also names the images, in the column ``target``, which then stands in for an ``id``.

    Raises
    ------
    InputError
        If it cannot be used, or a group is empty.
    UsageError
        If a named column, or the ``target`` of a manifest, is not there.
    """
    where = os.fspath(path)
    wanted: Sequence[str | None] = [id_column] if id_column is not None or not is_manifest else ["id", "target"]
    for name in wanted:
        try:
            table = read_scores(where, id_column=name, cluster_column=group_column)
            break
        except UsageError:
            if id_column is not None:
                raise
    else:
        raise UsageError(f"{where} has neither a column 'id' nor 'target'; name the images with INPUT.")
    if group_column is not None:
        if table.clusters is None:
            raise UsageError(f"{where} has no column {group_column!r}.")
        if empty := sum(not label.strip() for label in table.clusters):
            raise InputError(f"the group column {group_column!r} is empty in {empty} rows.", where)
    return table


def calibrate_cases(
    cases: Sequence[Loadable],
    roles: Mapping[str, Collection[Role]],
    table: ScoreTable,
    batch: Batch,
    *,
    keep: bool = False,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Calibration:
    """Judge the rated cases and fit the site's scale to their ratings.

    Parameters
    ----------
    cases : sequence of Loadable
        Those without a rating are passed over.
    roles : mapping of str to collection of Role
        By case: what it is made of.
    table : ScoreTable
        Ratings by id, path or file name.
    batch : Batch
        Not calibrated; with one rubric, or none.
    keep, seed
        As in `fit_scale`.
    jobs, progress
        As in `scrutiq.assess`.

    Raises
    ------
    UsageError, InputError
        As `scrutiq.calibrate`.
    """
    if len(batch.rubrics) > 1:
        raise UsageError("a calibration is of one rubric; name one.")
    rows = _match(cases, table.ids)
    if not rows:
        raise InputError(
            "no id of the ratings is an image; an id is a case's, a path as it stands within INPUT, or a file name."
        )
    if len(rows) < LEAST:  # before hours of judging
        raise _too_few(len(rows))
    chosen = [case for case in cases if case.id in rows]
    if progress is None:
        made = run(chosen, batch, jobs=jobs)
    else:
        made = run(chosen, batch, jobs=jobs, progress=lambda found: progress(len(chosen), found))
    judged = [one for one in made if one.status == "judged"]
    if len(judged) < LEAST:
        why = Counter(one.reason for one in made if one.status != "judged").most_common(1)
        raise _too_few(len(judged), f" Most were not judged: {why[0][0]}" if why else "")
    rubric = _one_rubric(judged, batch)
    assessor, model_hash = _one_judge(judged)
    notes = []
    if lost := len(table.ids) - len(rows):
        notes.append(f"{lost} rows of ratings have no image here.")
    if lost := len(made) - len(judged):
        notes.append(f"{lost} rated images were not judged.")
    scales = _scales(judged, rows, table, rubric, keep, seed, notes)
    return Calibration(
        assessor=assessor,
        model_hash=model_hash,
        rubric=rubric.name,
        rubric_hash=rubric.hash,
        roles=_same_roles([roles[one.case] for one in judged], rubric),
        scrutiq=__version__,
        coverage=COVERAGE,
        level=LEVEL,
        folds=FOLDS,
        seed=seed,
        dimensions=FrozenDict(scales),
        notes=tuple(notes),
    )


def _match(cases: Sequence[Loadable], ids: Sequence[str]) -> dict[str, int]:
    """Return the row of each rated case, by its id; what could mean two images is matched to none."""
    by_key: dict[str, list[str]] = {}
    for case in cases:
        path = case.source.path
        for key in {case.id} | (set() if path is None else {path, PurePosixPath(path).name}):
            by_key.setdefault(key, []).append(case.id)
    known = {case.id for case in cases}
    rows: dict[str, int] = {}
    for row, written in enumerate(ids):
        found = [written] if written in known else by_key.get(written, [])
        if len(found) > 1:
            raise InputError(f"the id {written!r} of the ratings could mean {len(found)} images; write their paths.")
        if found and found[0] in rows:
            raise InputError(f"the ids {ids[rows[found[0]]]!r} and {written!r} of the ratings mean the same image.")
        if found:
            rows[found[0]] = row
    return rows


def _scales(
    judged: Sequence[Assessment],
    rows: dict[str, int],
    table: ScoreTable,
    rubric: Rubric,
    keep: bool,
    seed: int,
    notes: list[str],
) -> dict[str, Scale]:
    columns = dict(table.columns)
    if len(columns) == len(rubric.dimensions) == 1:
        columns = {next(iter(rubric.dimensions)): next(iter(columns.values()))}
    rated = [name for name in rubric.dimensions if name in columns]
    if not rated:
        raise UsageError(
            f"no column of the ratings is a dimension of {rubric.name} ({', '.join(rubric.dimensions)}); there "
            f"are {', '.join(columns)}."
        )
    at = [rows[one.case] for one in judged]
    scales: dict[str, Scale] = {}
    fewest = None
    for name in rated:
        scale = rubric.dimension(name)
        scores = np.array([_score(one, name) for one in judged], dtype=np.float64)
        ratings = columns[name][at]
        inside = (ratings >= scale.range[0]) & (ratings <= scale.range[1])
        if lost := int((np.isfinite(ratings) & ~inside).sum()):
            notes.append(f"{name}: {lost} ratings lie outside the scale and count as missing.")
        kept = np.flatnonzero(np.isfinite(scores) & inside)
        groups = None if table.clusters is None else [table.clusters[at[i]] for i in kept]
        n_groups = len(kept) if groups is None else len(set(groups))
        if not np.isfinite(scores).any():
            fewest = f"{judged[0].assessor} does not judge it on such images."
            notes.append(f"{name}: not calibrated: {fewest}")
            continue
        if len(kept) < LEAST or n_groups < LEAST_GROUPS:
            fewest = _fewest(len(kept), n_groups)
            notes.append(f"{name}: not calibrated: {fewest}")
            continue
        scales[name] = fit_scale(_list(scores[kept]), _list(ratings[kept]), scale, groups=groups, keep=keep, seed=seed)
        if len(kept) < WANTED:
            notes.append(f"{name}: {len(kept)} ratings are few; with {WANTED} to 50 the figures mean more.")
        if scales[name].half_width is None:
            notes.append(f"{name}: no interval: {n_groups} groups are too few for {100 * COVERAGE:.0f} %.")
    if not scales:
        raise InputError(f"no dimension can be calibrated: {fewest}")
    return scales


def _score(assessment: Assessment, name: str) -> float:
    judgement = assessment.judgements.get(name)
    return np.nan if judgement is None or judgement.score is None else judgement.score


def _list(values: npt.NDArray[np.float64]) -> list[float]:
    return [float(value) for value in values]


def _fewest(n: int, n_groups: int) -> str:
    if n < LEAST:
        return f"{n} images are both rated and judged, and at least {LEAST} are needed (better {WANTED} to 50)."
    return f"the ratings come from {n_groups} groups, and at least {LEAST_GROUPS} are needed."


def _too_few(n: int, more: str = "") -> InputError:
    return InputError(_fewest(n, n) + more)


def _one_rubric(judged: Sequence[Assessment], batch: Batch) -> Rubric:
    if batch.rubrics:
        return batch.rubrics[0]
    names = sorted({str(one.rubric) for one in judged})
    if len(names) > 1:
        raise UsageError(f"the images follow the rubrics {' and '.join(names)}; name one with --rubric.")
    return rubrics.load(names[0])


def _one_judge(judged: Sequence[Assessment]) -> tuple[str, str | None]:
    judges = sorted({(one.assessor, one.provenance.model_hash) for one in judged}, key=str)
    if len(judges) > 1:
        named = " and ".join(sorted({assessor for assessor, _ in judges}))
        raise UsageError(f"the images were judged by {named}; name one with --assessor.")
    return judges[0]


def _same_roles(had: Sequence[Collection[Role]], rubric: Rubric) -> tuple[Role, ...]:
    """Return the roles that the rubric uses and that the cases have beside the target, the same in all."""
    used = {used_roles(rubric, roles) for roles in had}
    if len(used) > 1:
        raise UsageError("some rated images come with a reference (or another role) and some without; rate one kind.")
    return used.pop()
