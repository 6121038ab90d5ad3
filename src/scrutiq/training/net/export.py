"""From a trained backbone to its ONNX file."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import torch
from torch import nn

__all__ = ["export_backbone", "parameters"]

OPSET = 17


def export_backbone(backbone: nn.Module, path: Path) -> None:
    """Write a backbone as ONNX, for images of any height and width that are multiples of 16."""
    sides = {2: "height", 3: "width"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that keeps the opset as it is asked for is an older one
        torch.onnx.export(
            backbone.eval(),
            (torch.zeros(1, 3, 64, 96),),
            str(path),
            input_names=["image"],
            output_names=["features", "evidence"],
            dynamic_axes={
                "image": sides,
                "features": {2: "rows", 3: "columns"},
                "evidence": {2: "rows", 3: "columns"},
            },
            opset_version=OPSET,
            dynamo=False,
        )


def parameters(path: Path) -> int:
    """Return how many numbers an ONNX model holds."""
    from onnx import load

    return sum(math.prod(one.dims) for one in load(str(path)).graph.initializer)
