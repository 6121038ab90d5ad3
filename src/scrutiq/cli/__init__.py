"""The command line: one thin module a verb."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the ``scrutiq`` command and exit with its status.

    0: all judged, or declined with a reason. 1: some inputs failed, the rest is done. 2: the call itself is wrong.
    130: interrupted; what was finished is kept.
    """
    from scrutiq.cli.app import app
    from scrutiq.core.errors import InputError, MissingExtraError, ScrutiqError

    try:
        app()
    except (InputError, MissingExtraError) as error:
        print(f"scrutiq: {error}", file=sys.stderr)
        sys.exit(1 if isinstance(error, InputError) else 2)
    except ScrutiqError as error:
        print(f"scrutiq: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("scrutiq: interrupted.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
