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
    from scrutiq.core.errors import InputError, ScrutiqError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # JSON is UTF-8 whatever the locale; a path may be no text at all
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        from scrutiq.cli.app import app

        app()
    except InputError as error:
        _stop(str(error), 1)
    except ScrutiqError as error:
        _stop(str(error), 2)
    except KeyboardInterrupt:  # while it started; later it is Typer's or the verb's
        sys.exit(130)
    except OSError as error:  # reading turns into InputError: this is --out, or a full disk
        _stop(f"{error.strerror or type(error).__name__}: {error.filename or 'while writing'}.", 2)


def _stop(message: str, status: int) -> None:
    print(f"scrutiq: {message}", file=sys.stderr)
    sys.exit(status)
