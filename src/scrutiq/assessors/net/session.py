"""How the files of weights are run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["session"]


def session(path: Path) -> Any:
    """Return a model, ready to run on one thread: images are worked on in parallel, not their parts."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Without the arena, memory of one large image is given back.
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
