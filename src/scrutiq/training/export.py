"""From a trained network to the file that is shipped."""

from __future__ import annotations

import copy
import hashlib
import warnings
from pathlib import Path

import torch
from torch import nn

from scrutiq.models.denoisers import Hounsfield, MapNN

__all__ = ["as_convolutions", "export"]


def export(network: nn.Module, path: Path, opset: int) -> str:
    """Write a network on `normalised` values as an ONNX file that takes and gives HU, of any height and width.

    Parameters
    ----------
    network : torch.nn.Module
        Of MAP-NN only the module is written, once: who uses it applies it as often as the depth says.
    path : Path
    opset : int

    Returns
    -------
    str
        SHA-256 of the file.
    """
    one = network.module if isinstance(network, MapNN) else network
    whole = as_convolutions(Hounsfield(one)).eval()
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


def as_convolutions(network: nn.Module) -> nn.Module:
    """Return a copy of a network with each deconvolution as the convolution that does the same, which runs faster.

    A deconvolution of stride 1 is a convolution of the padded input with the mirrored filters.
    """
    copied = copy.deepcopy(network)
    for name, module in list(copied.named_modules()):
        if isinstance(module, nn.ConvTranspose2d):
            side = int(module.kernel_size[0])
            same = nn.Conv2d(module.in_channels, module.out_channels, side, padding=side - 1)
            with torch.no_grad():
                same.weight.copy_(module.weight.flip(2, 3).transpose(0, 1))
                assert same.bias is not None
                assert module.bias is not None
                same.bias.copy_(module.bias)
            parent, _, last = name.rpartition(".")
            setattr(copied.get_submodule(parent), last, same)
    return copied
