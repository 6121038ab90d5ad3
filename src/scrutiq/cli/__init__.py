"""The command line: one thin module a verb."""

from __future__ import annotations

import sys
from io import TextIOWrapper

__all__ = ["main"]


def main() -> None:
    """Run the ``scrutiq`` command and exit with its status.

    0: all judged, or declined with a reason. 1: some inputs failed, the rest is done. 2: the call itself is wrong.
    130: interrupted; what was finished is kept.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # JSON is UTF-8 whatever the locale; a path may be no text at all
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        from scrutiq.cli.app import app

        app()
    except KeyboardInterrupt:  # while it started; later it is Typer's or the verb's
        sys.exit(130)
    except Exception as error:
        _stop(error)


def _stop(error: Exception) -> None:
    from scrutiq.core.errors import InputError, ScrutiqError  # not before: --help does without

    if isinstance(error, ScrutiqError):
        print(f"scrutiq: {error}", file=sys.stderr)
    elif isinstance(error, OSError):  # reading turns into InputError: this is --out, or a full disk
        print(
            f"scrutiq: {error.strerror or type(error).__name__}: {error.filename or 'while writing'}.", file=sys.stderr
        )
    else:
        raise error
    sys.exit(1 if isinstance(error, InputError) else 2)
