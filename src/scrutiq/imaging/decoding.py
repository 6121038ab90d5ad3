"""What every decoder needs: any failure inside a codec becomes one `InputError`, and pixels become float32."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq.core import InputError
from scrutiq.imaging.fileref import FileRef
from scrutiq.imaging.privacy import salted_hash

__all__ = ["as_float32", "decoding", "integer_range", "series_of"]


@contextmanager
def decoding(ref: FileRef, reason: str) -> Iterator[None]:
    """Turn whatever a codec raises on bad bytes into one `InputError`, and keep its warnings to ourselves.

    Codecs raise almost anything on hostile input (``struct.error``, ``KeyError``, ``SyntaxError``, ...), and their
    messages and warnings can quote the file, so neither is passed on.

    Parameters
    ----------
    ref : FileRef
    reason : str
        The sentence for a failure that has none of its own.
    """
    codec_log = logging.getLogger("tifffile")
    was_silent = codec_log.disabled
    codec_log.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError as error:
        raise InputError(error.reason, error.path or str(ref)) from None
    except MemoryError:
        raise InputError("there is not enough memory to decode it.", str(ref)) from None
    except Exception:
        raise InputError(reason, str(ref)) from None
    finally:
        codec_log.disabled = was_silent


def as_float32(array: npt.NDArray[Any], slope: float = 1.0, intercept: float = 0.0) -> npt.NDArray[np.float32]:
    """Return ``array * slope + intercept`` as float32, computed in float64; what overflows becomes infinite."""
    with np.errstate(all="ignore"):
        if slope == 1 and intercept == 0:
            return array.astype(np.float32)
        return (array * np.float64(slope) + np.float64(intercept)).astype(np.float32)


def integer_range(bits: int, signed: bool) -> tuple[float, float] | None:
    """Return the lowest and highest number of an integer format; None beyond 32 bits, which no detector fills."""
    if not 1 <= bits <= 32:
        return None
    return (-float(1 << (bits - 1)), float((1 << (bits - 1)) - 1)) if signed else (0.0, float((1 << bits) - 1))


def series_of(ref: FileRef) -> str:
    """Return the salted hash that the images of one file share."""
    return salted_hash(f"{os.path.abspath(ref.path)}\0{ref.member or ''}")
