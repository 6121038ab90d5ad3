"""Worker processes: one thread each, no orphan where the parent is killed, and a dead one costs one item only."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from scrutiq.core import UsageError

__all__ = ["one_thread", "work"]

T = TypeVar("T")
R = TypeVar("R")

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def work(
    tasks: Sequence[T],
    function: Callable[[T], R],
    *,
    jobs: int,
    setup: Callable[..., None],
    given: tuple[Any, ...],
    lost: Callable[[T], R],
) -> Iterator[R]:
    """Yield the result of every task, as they finish.

    Always in processes of their own, also where ``jobs`` is 1: with one thread each, sums are the same whatever the
    number of processes.

    Parameters
    ----------
    tasks : sequence
    function : callable
        Of a module, so that another process can import it.
    jobs : int
    setup, given
        ``setup(*given)`` is called once in each process.
    lost : callable
        Gives the result of a task whose process died twice.

    Raises
    ------
    UsageError
        If no process can be started.
    """
    waiting = deque(tasks)
    while waiting:
        suspects: list[T] = []
        with _pool(min(jobs, len(waiting)), setup, given) as pool:
            running: dict[Future[R], T] = {}
            broken = False
            try:
                while running or (waiting and not broken):
                    while waiting and not broken and len(running) < jobs + 1:
                        try:
                            running[_submit(pool, function, waiting[0])] = waiting[0]
                        except BrokenProcessPool:
                            broken = True
                        else:
                            waiting.popleft()
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        task = running.pop(future)
                        try:
                            result = future.result()
                        except BrokenProcessPool:
                            broken = True
                            suspects.append(task)
                        else:
                            yield result
            except KeyboardInterrupt:
                pool.shutdown(cancel_futures=True)
                for future in running:  # what the workers had in hand is finished: keep it
                    if not future.cancelled() and future.exception() is None:
                        yield future.result()
                raise
            except GeneratorExit:
                pool.shutdown(cancel_futures=True)
                raise
        # A process died. Which task brought it down shows when each has a process of its own.
        for task in suspects:
            with _pool(1, setup, given) as pool:
                try:
                    result = _submit(pool, function, task).result()
                except BrokenProcessPool:
                    result = lost(task)
            yield result


@contextmanager
def one_thread() -> Iterator[None]:
    """Let the libraries that a process starts with use one thread each."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _pool(count: int, setup: Callable[..., None], given: tuple[Any, ...]) -> Iterator[ProcessPoolExecutor]:
    with (
        one_thread(),
        ProcessPoolExecutor(count, get_context("spawn"), initializer=_start, initargs=(setup, given)) as pool,
    ):
        try:
            _submit(pool, _ready, None).result()
        except BrokenProcessPool:
            raise UsageError(
                "worker processes cannot be started: is there memory left? A script calls this only under "
                "if __name__ == '__main__'."
            ) from None
        yield pool


def _ready(_: None) -> None:
    """Show that the process runs."""


def _submit(pool: ProcessPoolExecutor, function: Callable[[T], R], task: T) -> Future[R]:
    """Submit, which may start a process: one that does not see Ctrl-C, which is the parent's business."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        return pool.submit(function, task)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a child inherits it
    try:
        return pool.submit(function, task)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(setup: Callable[..., None], given: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    setup(*given)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
