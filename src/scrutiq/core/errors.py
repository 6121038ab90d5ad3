"""Errors that a user may meet, each one clear sentence: what is wrong, where, what to do."""

from __future__ import annotations

from typing import Any

__all__ = [
    "DeclinedError",
    "InputError",
    "MissingExtraError",
    "RubricError",
    "ScrutiqError",
    "UsageError",
]


class ScrutiqError(Exception):
    """Base of every error that Scrutiq raises on purpose."""


class UsageError(ScrutiqError):
    """The call itself is wrong (command line: exit status 2)."""


class RubricError(UsageError):
    """A rubric is not valid, or is asked for something it does not define."""


class InputError(ScrutiqError):
    """One input cannot be used; the rest of a batch goes on.

    Parameters
    ----------
    reason : str
        What is wrong and what to do, as one sentence without the file's name. It must not quote
        anything from the file that could identify a patient.
    path : str, optional
        The file, as the user wrote it. Kept apart from ``reason`` because a file name can identify
        a patient: ``reason`` may be written to a report, ``path`` may not.
    """

    def __init__(self, reason: str, path: str | None = None) -> None:
        super().__init__(reason if path is None else f"{path}: {reason}")
        self.reason = reason
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.reason, self.path))


class DeclinedError(ScrutiqError):
    """An assessor will not judge this case on this rubric; the message is the reason."""


class MissingExtraError(ScrutiqError, ImportError):
    """A feature needs an optional extra that is not installed.

    Parameters
    ----------
    feature : str
        What was asked for, as the subject of the sentence.
    extra : str
        The extra of the ``scrutiq`` distribution that provides it.
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an optional extra: pip install 'scrutiq[{extra}]'.")
        self.feature = feature
        self.extra = extra

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.feature, self.extra))
