"""Training of the weights of `net:`: samples, backbone, heads, calibration, and what they are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scrutiq.core import MissingExtraError
from scrutiq.training.net.recipe import NetRecipe, is_net_recipe, load_net_recipe

if TYPE_CHECKING:
    from scrutiq.training.net.run import train_net as train_net

__all__ = ["NetRecipe", "is_net_recipe", "load_net_recipe", "train_net"]


def __getattr__(name: str) -> Any:
    if name == "train_net":  # needs torch
        try:
            from scrutiq.training.net.run import train_net
        except ImportError as error:
            if isinstance(error, MissingExtraError) or error.name in ("torch", "onnx", "onnxscript"):
                raise MissingExtraError("Training", "train") from None
            raise
        return train_net
    raise AttributeError(name)
