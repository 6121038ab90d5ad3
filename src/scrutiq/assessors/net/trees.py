"""`Trees`: boosted trees in an ONNX file, run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

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
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def __call__(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the raw outputs, float32, shape (T,), of values, float32, shape (F,), NaN where missing."""
        (raw,) = self._session.run(None, {"values": values[None]})
        found: npt.NDArray[np.float32] = raw[0]
        return found
