"""A batch: many cases judged in order, by several processes, with a journal that survives an interruption."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from scrutiq.assessors.choose import default_rubric, open_assessor
from scrutiq.core import Assessment, Case, InputError, Modality, Provenance, Rubric, Source, UsageError
from scrutiq.core.assessment import without_path

__all__ = ["Batch", "Loadable", "run"]

#: Cases handed to a worker at once: frames of one file stay together, so that the file is opened once.
CHUNK = 16


class Loadable(Protocol):
    """A case that is read when it is judged. It is picklable where ``jobs`` is more than one."""

    @property
    def id(self) -> str: ...

    @property
    def source(self) -> Source: ...

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
        Whatever else changes the result (given modality, window, ...), as text; only compared on resume.
    """

    assessor: str
    rubrics: tuple[Rubric, ...] = ()
    options: str = ""

    @property
    def fingerprint(self) -> str:
        """Hash that is equal for two runs whose assessments would be equal."""
        from scrutiq import __version__

        parts = [__version__, self.assessor, self.options, *(rubric.hash for rubric in self.rubrics)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass
class _Journal:
    """Finished cases on disk, one JSON line each, written as they finish.

    The first line holds the batch's fingerprint. A line cut short by a crash is dropped, and its case done again.
    Paths are not written.
    """

    path: Path
    batch: Batch
    done: dict[str, tuple[Assessment, ...]] = field(default_factory=dict)

    def open(self, resume: bool) -> None:
        if resume and self.path.exists():
            self._read()
        self.rewrite(self.done)

    def _read(self) -> None:
        lines = self.path.read_bytes().split(b"\n")
        try:
            header = json.loads(lines[0])
        except ValueError:
            return  # interrupted before the first line was complete
        if header.get("fingerprint") != self.batch.fingerprint:
            raise UsageError(
                "--resume: this folder holds a run with another assessor, rubric, option or version; "
                "use another --out, or leave --resume out to start anew."
            )
        for line in lines[1:]:
            try:
                entry = json.loads(line)
                self.done[entry["case"]] = tuple(Assessment.model_validate(a) for a in entry["assessments"])
            except (ValueError, KeyError, TypeError):
                continue

    def add(self, case: str, assessments: tuple[Assessment, ...]) -> None:
        self.done[case] = assessments
        with self.path.open("ab") as file:
            file.write(_line(case, assessments))

    def rewrite(self, entries: dict[str, tuple[Assessment, ...]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(json.dumps({"fingerprint": self.batch.fingerprint}).encode() + b"\n")
            for case, assessments in entries.items():
                file.write(_line(case, assessments))
        os.replace(partial, self.path)


def _line(case: str, assessments: tuple[Assessment, ...]) -> bytes:
    entry = {"case": case, "assessments": [without_path(a).model_dump(mode="json") for a in assessments]}
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


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
        Take finished cases from ``journal`` instead of judging them again.
    progress : callable, optional
        Called with the assessments of each case as it finishes, in any order; also for those taken from the journal.

    Raises
    ------
    UsageError
        If the assessor does not exist, or the journal is of another batch.
    """
    if jobs < 1:
        raise UsageError(f"--jobs is at least 1, not {jobs}.")
    open_assessor(batch.assessor)  # a wrong URI is a wrong call, not a failed case
    kept = _Journal(journal, batch) if journal is not None else None
    if kept is not None:
        kept.open(resume)
    results = dict(kept.done) if kept is not None else {}
    todo = [case for case in cases if case.id not in results]
    if progress is not None:
        for case in cases:
            if case.id in results:
                progress(results[case.id])
    finished = _here(todo, batch) if jobs == 1 else _in_processes(todo, batch, jobs)
    for case_id, assessments in finished:
        results[case_id] = assessments
        if kept is not None:
            kept.add(case_id, assessments)
        if progress is not None:
            progress(assessments)
    ordered = {case.id: results[case.id] for case in cases}
    if kept is not None:
        kept.rewrite(ordered)
    sources = {case.id: case.source for case in cases}
    return [a.model_copy(update={"source": sources[case]}) for case, found in ordered.items() for a in found]


def _here(cases: Sequence[Loadable], batch: Batch) -> Iterator[tuple[str, tuple[Assessment, ...]]]:
    for case in cases:
        yield case.id, _judge(case, batch)


def _in_processes(cases: Sequence[Loadable], batch: Batch, jobs: int) -> Iterator[tuple[str, tuple[Assessment, ...]]]:
    waiting = _chunks(cases)
    # One thread a worker: the processes are the parallelism, and sums stay the same whatever their number.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    before = {name: os.environ.get(name) for name in threads}
    os.environ.update(threads)
    try:
        while waiting:
            crashed: list[list[Loadable]] = []
            with _pool(jobs) as pool:
                running: dict[Future[Any], list[Loadable]] = {}
                try:
                    while waiting or running:
                        while waiting and len(running) < 2 * jobs and not crashed:
                            chunk = waiting.pop(0)
                            running[pool.submit(_judge_all, chunk, batch)] = chunk
                        if not running:
                            break
                        ready, _ = wait(running, return_when=FIRST_COMPLETED)
                        for future in ready:
                            chunk = running.pop(future)
                            try:
                                yield from future.result()
                            except BrokenProcessPool:
                                crashed.append(chunk)
                except BrokenProcessPool:  # noticed while submitting
                    crashed.extend(running.values())
                    crashed.append(chunk)
                except KeyboardInterrupt:
                    pool.shutdown(wait=True, cancel_futures=True)
                    for future in running:  # what the workers had in hand is finished: keep it
                        if future.done() and not future.cancelled() and future.exception() is None:
                            yield from future.result()
                    raise
            for chunk in crashed:
                yield from _one_by_one(chunk, batch)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _pool(jobs: int) -> ProcessPoolExecutor:
    # Workers leave Ctrl-C to the parent, which lets them finish what they have in hand.
    return ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    )


def _one_by_one(chunk: Sequence[Loadable], batch: Batch) -> Iterator[tuple[str, tuple[Assessment, ...]]]:
    """Judge cases each in a process of its own, to learn which of them brings a process down."""
    for case in chunk:
        with _pool(1) as pool:
            try:
                yield from pool.submit(_judge_all, [case], batch).result()
            except BrokenProcessPool:
                reason = "reading or judging it brought the process down (a fault in a decoder, or no memory left)."
                yield case.id, (_failed(case, batch, reason),)


def _chunks(cases: Sequence[Loadable]) -> list[list[Loadable]]:
    chunks: list[list[Loadable]] = []
    for case in cases:
        same = chunks and chunks[-1][-1].source.series == case.source.series and len(chunks[-1]) < CHUNK
        if same:
            chunks[-1].append(case)
        else:
            chunks.append([case])
    return chunks


def _judge_all(cases: Sequence[Loadable], batch: Batch) -> list[tuple[str, tuple[Assessment, ...]]]:
    return [(case.id, _judge(case, batch)) for case in cases]


def _judge(ref: Loadable, batch: Batch) -> tuple[Assessment, ...]:
    try:
        case = ref.load()
    except InputError as error:
        return (_failed(ref, batch, error.reason),)
    except MemoryError:
        return (_failed(ref, batch, "it does not fit in memory."),)
    try:
        chosen = batch.rubrics or (default_rubric(case),)
        assessments = open_assessor(batch.assessor).assess(case, chosen)
    except Exception as error:
        # A fault of ours must not cost the rest of the batch. Its text could quote the file: the type does not.
        if os.environ.get("SCRUTIQ_DEBUG"):
            traceback.print_exc()
        reason = f"judging it failed with an internal error ({type(error).__name__}); set SCRUTIQ_DEBUG=1 to see where."
        return (_failed(ref, batch, reason, case.target.modality),)
    now = datetime.now(UTC).replace(microsecond=0)
    return tuple(
        a.model_copy(update={"source": ref.source, "provenance": a.provenance.model_copy(update={"time": now})})
        for a in assessments
    )


def _failed(ref: Loadable, batch: Batch, reason: str, modality: Modality = Modality.UNKNOWN) -> Assessment:
    return Assessment(
        case=ref.id,
        source=ref.source,
        modality=modality,
        status="failed",
        reason=reason,
        rubric=None,
        assessor=batch.assessor,
        provenance=Provenance(assessor=batch.assessor, time=datetime.now(UTC).replace(microsecond=0)),
    )
