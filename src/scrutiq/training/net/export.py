"""From trained modules to the ONNX files of a folder of weights."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

from scrutiq.training.net.heads import Heads

__all__ = ["export_backbone", "export_heads"]

OPSET = 17


def export_backbone(backbone: nn.Module, path: Path) -> None:
    """Write a backbone as ONNX, for images of any height and width that are multiples of 16."""
    sides = {2: "height", 3: "width"}
    _export(
        backbone.eval(),
        (torch.zeros(1, 3, 64, 96),),
        path,
        ["image"],
        ["features", "evidence"],
        {"image": sides, "features": {2: "rows", 3: "columns"}, "evidence": {2: "rows", 3: "columns"}},
    )


def export_heads(heads: Heads, path: Path) -> None:
    """Write the heads as ONNX, for one embedding."""
    vector = torch.zeros(1, heads.size)
    example = (vector, vector.clone(), torch.zeros(1, 1), torch.zeros(1, heads.modalities))
    _export(
        heads.eval(), example, path, ["vector", "difference", "given", "modality"], ["kind", "severity", "proxy"], {}
    )


def _export(
    module: nn.Module,
    example: tuple[torch.Tensor, ...],
    path: Path,
    inputs: list[str],
    outputs: list[str],
    axes: dict[str, dict[int, str]],
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that keeps the opset as it is asked for is an older one
        torch.onnx.export(
            module,
            example,
            str(path),
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
