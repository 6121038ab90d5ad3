"""Salted hashes: a name that is the same for the same user every time, and says nothing to anyone else."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import sys
from functools import lru_cache
from pathlib import Path

from scrutiq.core import UsageError

__all__ = ["salted_hash"]

#: Characters of a salt. A UID has little that is secret: with a salt that can be guessed, its hash can be looked up.
_SHORTEST = 16


def salted_hash(text: str, length: int = 12) -> str:
    """Return the HMAC-SHA256 of a text under the user's salt, cut to ``length`` hexadecimal digits.

    The salt is the environment variable ``SCRUTIQ_SALT`` where set (give all machines of one study the same), else a
    random one kept in the user's configuration folder, readable by that user only. Where that folder cannot be
    written, the salt lasts as long as the process, and a warning on stderr says so.

    Parameters
    ----------
    text : str
        An identifier: a UID, a path, a name.
    length : int
        Digits to keep, 8 to 64. Twelve (48 bits) make a chance collision among 10,000 series a one in five million
        event.

    Returns
    -------
    str
        Lower-case hexadecimal.

    Raises
    ------
    UsageError
        If ``SCRUTIQ_SALT`` is shorter than 16 characters.
    """
    if not 8 <= length <= 64:
        raise ValueError(f"a hash has 8 to 64 digits, not {length}")
    return hmac.new(_salt(), text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:length]


def _salt() -> bytes:
    given = os.environ.get("SCRUTIQ_SALT")
    if not given:
        return _user_salt(_salt_file())
    if len(given) < _SHORTEST:
        raise UsageError(
            f"SCRUTIQ_SALT is shorter than {_SHORTEST} characters, so that it could be guessed; "
            "set a long random one, or unset it."
        )
    return given.encode("utf-8", "surrogateescape")


def _salt_file() -> Path | None:
    base = os.environ.get("XDG_CONFIG_HOME")
    if base and os.path.isabs(base):
        return Path(base, "scrutiq", "salt")
    try:
        return Path.home() / ".config" / "scrutiq" / "salt"
    except RuntimeError:  # no home folder at all
        return None


@lru_cache(maxsize=4)
def _user_salt(path: Path | None) -> bytes:
    if path is not None:
        try:
            return _read_or_create(path)
        except OSError:
            pass
    print(
        "scrutiq: no folder to keep the salt of hashed identifiers in; hashes will differ in the next run. "
        "Set SCRUTIQ_SALT to keep them.",
        file=sys.stderr,
    )
    return secrets.token_bytes(32)


def _read_or_create(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    salt = secrets.token_bytes(32)
    # Written aside and linked into place: two first runs at once agree on one salt, and none reads half of it.
    draft = path.with_name(f"salt.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(salt)
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            except OSError:  # a file system without hard links
                os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    kept = path.read_bytes()
    if len(kept) < _SHORTEST:
        raise OSError("the salt file is too short to hide anything")
    return kept
