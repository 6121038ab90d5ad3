"""`Trees`: boosted trees in an ONNX file, run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from scrutiq.assessors.net.session import session
from scrutiq.core import Modality

__all__ = ["Trees", "heads_file"]


def heads_file(modality: Modality, compared: bool) -> str:
    """Return the name of the file of a modality's heads, for images alone or beside a reference."""
    return f"heads_{modality.value.lower()}{'_with_reference' if compared else ''}.onnx"


class Trees:
    """The trees of a file: of the values of one image, raw outputs.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._session = session(path)

    def __call__(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the raw outputs, float32, shape (T,), of values, float32, shape (F,), NaN where missing."""
        (raw,) = self._session.run(None, {"values": values[None]})
        found: npt.NDArray[np.float32] = raw[0]
        return found
