"""What the verbs write: documents and tables on stdout, the rest on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

__all__ = ["emit", "plain", "stderr", "stdout", "table"]

#: Columns of a table that goes to a pipe or a file: each row stays on one line.
WIDE = 1_000_000


def emit(text: str) -> None:
    """Write to stdout; a reader that has seen enough (``| head -1``) does not change the exit status."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def stdout() -> Iterator[Console]:
    """Yield a console whose output goes to stdout when the block ends: as wide as the terminal, else unlimited."""
    width = None if sys.stdout.isatty() else WIDE
    console = Console(markup=False, emoji=False, highlight=False, width=width)
    with console.capture() as captured:
        yield console
    emit("".join(f"{line.rstrip(' ')}\n" for line in captured.get().splitlines()))


def stderr() -> Console:
    """Return a console for stderr. It does not break lines."""
    return Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)


def table(*titles: str) -> Table:
    """Return an empty table without lines."""
    empty = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        empty.add_column(title, overflow="fold")
    return empty


def plain(text: str) -> str:
    """Return text without control characters: a file name may hold a line break or a terminal's escape sequence."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
