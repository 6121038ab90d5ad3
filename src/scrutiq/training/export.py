"""From a trained network to the file that is shipped."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

import torch
from torch import nn

from scrutiq.models.denoisers import Hounsfield

__all__ = ["export"]


def export(network: nn.Module, path: Path, opset: int) -> str:
    """Write a network on `normalised` values as an ONNX file that takes and gives HU, of any height and width.

    Parameters
    ----------
    network : torch.nn.Module
    path : Path
    opset : int

    Returns
    -------
    str
        SHA-256 of the file.
    """
    whole = Hounsfield(network).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that keeps the opset as it is asked for is an older one
        torch.onnx.export(
            whole,
            (torch.zeros(1, 1, 64, 64),),
            str(path),
            input_names=["hu"],
            output_names=["denoised"],
            dynamic_axes={"hu": {2: "height", 3: "width"}, "denoised": {2: "height", 3: "width"}},
            opset_version=opset,
            dynamo=False,
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()
