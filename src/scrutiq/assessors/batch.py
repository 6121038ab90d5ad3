"""A batch: many cases judged in order, by several processes, with a journal that survives an interruption."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from scrutiq.assessors.choose import default_rubric, open_assessor
from scrutiq.core import Assessment, Assessor, Case, InputError, Modality, Provenance, Rubric, Source, UsageError
from scrutiq.core.assessment import without_path
from scrutiq.core.locking import alone
from scrutiq.core.noun import FrozenDict

if TYPE_CHECKING:
    from scrutiq.assessors.calibration import Calibration

__all__ = ["Batch", "Loadable", "run"]

#: Neighbouring slices or frames handed to a worker at once. It keeps the file open; more would make Ctrl-C wait longer.
CHUNK = 4

Done = tuple[str, tuple[Assessment, ...]]
P = ParamSpec("P")
R = TypeVar("R")


class Loadable(Protocol):
    """A case that is read when it is judged. It is picklable where ``jobs`` is more than one."""

    @property
    def id(self) -> str: ...

    @property
    def source(self) -> Source: ...

    @property
    def stamp(self) -> str:
        """Hash of what is judged and of what the user says of it; a resumed run judges a case again where it differs.

        A file counts by its size and time of change. Nothing can be read from the hash.
        """
        ...

    def load(self) -> Case:
        """Read the images; raises `InputError`."""
        ...


@dataclass(frozen=True)
class Batch:
    """What is asked of every case of a run.

    Parameters
    ----------
    assessor : str
        URI.
    rubrics : tuple of Rubric
        Empty: the rubric follows from each case (`default_rubric`).
    options : str
        Whatever else changes the result (modality, window, roles, ...), as text; only compared on resume.
    parameters : mapping
        The options in force, as the provenance of every assessment records them; nothing that could identify a
        patient.
    calibration : Calibration, optional
        Of a site, applied to every assessment; its assessor and its rubric are those above (`Calibration.check`).
    """

    assessor: str
    rubrics: tuple[Rubric, ...] = ()
    options: str = ""
    parameters: FrozenDict[str, str | int | float | bool | None] = field(default_factory=FrozenDict)
    calibration: Calibration | None = None

    @property
    def fingerprint(self) -> str:
        """Hash that is equal for two runs whose assessments would be equal."""
        from scrutiq import __version__

        parts = [__version__, self.assessor, self.options, *(rubric.hash for rubric in self.rubrics)]
        if self.calibration is not None:
            parts.append(f"calibration {self.calibration.hash}")
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class _Journal:
    """Finished cases on disk, one JSON line each, written as they finish.

    The first line holds the batch's fingerprint. A line cut short by a crash is dropped, and its case done again.
    Paths are not written.
    """

    path: Path
    batch: Batch
    stamps: Mapping[str, str]

    def read(self) -> dict[str, tuple[Assessment, ...]]:
        """Return the finished cases that need not be done again: those that did not fail and have not changed."""
        if not self.path.exists():
            return {}
        done = {}
        with self.path.open("rb") as file:
            header = _entry(next(file, b""))
            if header is None:
                return {}  # interrupted before the first line was complete
            if header.get("fingerprint") != self.batch.fingerprint:
                raise UsageError(
                    "--resume: this folder holds a run with another assessor, rubric, role, option or version; "
                    "use another --out, or leave --resume out to start anew."
                )
            for line in file:
                entry = _entry(line)
                try:
                    if entry is None or self.stamps[entry["case"]] != entry["stamp"]:
                        continue
                    found = tuple(Assessment.model_validate(one) for one in entry["assessments"])
                except (KeyError, TypeError, ValueError):
                    continue  # not as it was written: judged again
                if all(one.status != "failed" for one in found):
                    done[entry["case"]] = found
        return done

    def add(self, case: str, assessments: tuple[Assessment, ...]) -> None:
        with self.path.open("ab") as file:
            file.write(self._line(case, assessments))

    def write(self, entries: Mapping[str, tuple[Assessment, ...]]) -> None:
        """Write the journal anew; until that is complete, the old one stays."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(json.dumps({"fingerprint": self.batch.fingerprint}).encode() + b"\n")
            for case, assessments in entries.items():
                file.write(self._line(case, assessments))
        os.replace(partial, self.path)

    def _line(self, case: str, assessments: tuple[Assessment, ...]) -> bytes:
        entry = {
            "case": case,
            "stamp": self.stamps[case],
            "assessments": [without_path(one).model_dump(mode="json") for one in assessments],
        }
        return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def run(
    cases: Sequence[Loadable],
    batch: Batch,
    *,
    jobs: int = 1,
    journal: Path | None = None,
    resume: bool = False,
    progress: Callable[[tuple[Assessment, ...]], None] | None = None,
) -> list[Assessment]:
    """Judge every case and return the assessments in the order of ``cases``.

    A case that cannot be read, or on which an assessor breaks, becomes an assessment with status ``failed``; the rest
    is done. The result does not depend on ``jobs``.

    Parameters
    ----------
    cases : sequence of Loadable
        With distinct ids.
    batch : Batch
    jobs : int
        Worker processes; 1 works in this one.
    journal : Path, optional
        File in which finished cases are kept while the run goes on, and after it.
    resume : bool
        Take finished cases from ``journal`` instead of judging them again. Those that failed, or whose file has
        changed, are judged again.
    progress : callable, optional
        Called with the assessments of each case as it finishes, in any order; also for those taken from the journal.

    Raises
    ------
    UsageError
        If the assessor does not exist, the journal is of another batch, or worker processes cannot be started.
    """
    if jobs < 1:
        raise UsageError(f"--jobs is at least 1, not {jobs}.")
    _opened(batch.assessor)  # a wrong URI is a wrong call, not a failed case
    with nullcontext() if journal is None else alone(journal.parent, "run"):
        return _run(cases, batch, jobs, journal, resume, progress)


def _run(
    cases: Sequence[Loadable],
    batch: Batch,
    jobs: int,
    journal: Path | None,
    resume: bool,
    progress: Callable[[tuple[Assessment, ...]], None] | None,
) -> list[Assessment]:
    results: dict[str, tuple[Assessment, ...]] = {}
    kept = None
    if journal is not None:
        kept = _Journal(journal, batch, {case.id: case.stamp for case in cases})
        results = kept.read() if resume else {}
        kept.write(results)
    if progress is not None:
        for found in results.values():
            progress(found)
    todo = [case for case in cases if case.id not in results]
    for case_id, assessments in _here(todo, batch) if jobs == 1 else _in_processes(todo, batch, jobs):
        results[case_id] = assessments
        if kept is not None:
            kept.add(case_id, assessments)
        if progress is not None:
            progress(assessments)
    if kept is not None:
        kept.write({case.id: results[case.id] for case in cases})
    # The journal holds no paths; they are known here.
    return [found.model_copy(update={"source": case.source}) for case in cases for found in results[case.id]]


def _here(cases: Sequence[Loadable], batch: Batch) -> Iterator[Done]:
    for case in cases:
        yield case.id, _judge(case, batch)


def _in_processes(cases: Sequence[Loadable], batch: Batch, jobs: int) -> Iterator[Done]:
    waiting = deque(_chunks(cases))
    while waiting:
        lost: list[list[Loadable]] = []
        broken = False
        with _workers(min(jobs, len(waiting))) as pool:
            running: dict[Future[list[Done]], list[Loadable]] = {}
            try:
                while running or (waiting and not broken):
                    while waiting and not broken and len(running) <= jobs:
                        try:
                            running[_submit(pool, _judge_all, waiting[0], batch)] = waiting[0]
                        except BrokenProcessPool:
                            broken = True
                        else:
                            waiting.popleft()
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        chunk = running.pop(future)
                        try:
                            yield from future.result()
                        except BrokenProcessPool:
                            broken = True
                            lost.append(chunk)
            except KeyboardInterrupt:
                pool.shutdown(cancel_futures=True)
                for future in running:  # what the workers had in hand is finished: keep it
                    if not future.cancelled() and future.exception() is None:
                        yield from future.result()
                raise
        # A process died. Which case brought it down shows when each has a process of its own.
        for case in (case for chunk in lost for case in chunk):
            with _workers(1) as pool:
                try:
                    yield from _submit(pool, _judge_all, [case], batch).result()
                except BrokenProcessPool:
                    reason = "reading or judging it brought the process down (a fault in a decoder, or no memory left)."
                    yield case.id, (_failed(case, batch, reason, Modality.UNKNOWN),)


@contextmanager
def _workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes with one thread each: they are the parallelism, and sums stay the same whatever their number."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    before = {name: os.environ.get(name) for name in threads}
    os.environ.update(threads)
    try:
        with ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_start_worker) as pool:
            try:
                _submit(pool, os.getpid).result()
            except BrokenProcessPool:
                raise UsageError(
                    "worker processes cannot be started: is there memory left? A script asks for more than one job "
                    "only under if __name__ == '__main__'."
                ) from None
            yield pool
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _submit(pool: ProcessPoolExecutor, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
    """Submit, which may start a process: one that does not see Ctrl-C, not even while it starts.

    Ctrl-C is the parent's business: it lets the workers finish what they have in hand.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        return pool.submit(function, *args, **kwargs)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a child inherits it
    try:
        return pool.submit(function, *args, **kwargs)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Leave no orphan behind where the parent is killed."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _chunks(cases: Sequence[Loadable]) -> list[list[Loadable]]:
    chunks: list[list[Loadable]] = []
    for case in cases:
        series = case.source.series
        if series is not None and chunks and len(chunks[-1]) < CHUNK and chunks[-1][-1].source.series == series:
            chunks[-1].append(case)
        else:
            chunks.append([case])
    return chunks


def _judge_all(cases: Sequence[Loadable], batch: Batch) -> list[Done]:
    return [(case.id, _judge(case, batch)) for case in cases]


def _judge(ref: Loadable, batch: Batch) -> tuple[Assessment, ...]:
    modality = Modality.UNKNOWN
    try:
        case = ref.load()
        modality = case.target.modality
        rubrics = batch.rubrics or (default_rubric(case),)
        assessments = _opened(batch.assessor).assess(case, rubrics)
        if (site := batch.calibration) is not None:
            pairs = zip(assessments, rubrics, strict=True)
            assessments = tuple(site.apply(one, rubric, tuple(case.images)) for one, rubric in pairs)
    except InputError as error:
        return (_failed(ref, batch, error.reason, modality),)
    except MemoryError:
        return (_failed(ref, batch, "it does not fit in memory.", modality),)
    except Exception as error:
        # A fault of ours must not cost the rest of the batch. Its text could quote the file: the type does not.
        if os.environ.get("SCRUTIQ_DEBUG"):
            traceback.print_exc()
        reason = f"an internal error stopped it ({type(error).__name__}); set SCRUTIQ_DEBUG=1 to see where."
        return (_failed(ref, batch, reason, modality),)
    now = datetime.now(UTC).replace(microsecond=0)
    made = []
    for one in assessments:
        # What the assessor records of itself stays beside what was asked of the run.
        parameters = FrozenDict({**one.provenance.parameters, **batch.parameters})
        provenance = one.provenance.model_copy(update={"time": now, "parameters": parameters})
        made.append(one.model_copy(update={"source": ref.source, "provenance": provenance}))
    return tuple(made)


@lru_cache(maxsize=2)
def _opened(uri: str) -> Assessor:
    """Return the assessor, with its model loaded once a process."""
    return open_assessor(uri)


def _failed(ref: Loadable, batch: Batch, reason: str, modality: Modality) -> Assessment:
    uri = _opened(batch.assessor).uri  # without the path that a URI can hold
    return Assessment(
        case=ref.id,
        source=ref.source,
        modality=modality,
        status="failed",
        reason=reason,
        rubric=None,
        assessor=uri,
        provenance=Provenance(assessor=uri, time=datetime.now(UTC).replace(microsecond=0)),
    )
