"""Learned denoisers of CT slices: RED-CNN, and MAP-NN of one to five depths, run by ONNX Runtime.

The weights in ``data`` were trained by ``python -m scrutiq.training`` on simulated pairs of a quarter of the dose;
`docs/explanation/model-cards/ct-denoisers.md` is their model card.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq.core import HU, Image, InputError, MissingExtraError, UsageError

__all__ = ["DEPTHS", "LEAST_HU", "MOST_HU", "in_tiles", "load_network", "map_nn", "red_cnn", "repeated"]

Float = npt.NDArray[np.float32]
Network = Callable[[Float], Float]

#: How often the module of MAP-NN may be applied.
DEPTHS = (1, 2, 3, 4, 5)
#: The numbers that a network sees: what lies below is the padding of a scan, above is metal.
LEAST_HU, MOST_HU = -1024.0, 3071.0
#: SHA-256 of the weights, and how far a pixel of the output looks into the input, pixels.
_WEIGHTS = {
    "red_cnn": ("e6f788ffa3d55b0fd5dd44089f4cafa66cd66046b4c7382ba05d8f99cdb7332d", 20),
    "map_nn": ("9ddb0b47e528e9866d0dd5bbbc2a2729b7fed342a21349984e4fa0f5e24e5504", 8),
}
#: Side of the tiles in which an image larger than one is worked on, pixels.
_TILE = 512
#: RED-CNN takes off ten pixels on every side before it adds them again.
_LEAST_SIDE = 21


def red_cnn(image: Image) -> Image:
    """Return a CT slice denoised by RED-CNN.

    Parameters
    ----------
    image : Image
        In HU, at least 21 x 21.

    Returns
    -------
    Image

    Raises
    ------
    UsageError
        If the image is not in HU, or too small.
    MissingExtraError
        If ONNX Runtime is not installed.

    References
    ----------
    H. Chen et al., IEEE Trans. Med. Imaging 36 (2017), 2524-2535.
    """
    return repeated(image, "red_cnn", 1)


def map_nn(image: Image, depth: int) -> Image:
    """Return a CT slice denoised by MAP-NN of a depth: the same module that often.

    Parameters
    ----------
    image : Image
        In HU, at least 21 x 21.
    depth : int
        One of `DEPTHS`.

    Returns
    -------
    Image

    Raises
    ------
    UsageError
        If the image is not in HU, or too small, or there is no such depth.
    MissingExtraError
        If ONNX Runtime is not installed.

    References
    ----------
    H. Shan et al., Nat. Mach. Intell. 1 (2019), 269-276.
    """
    if depth not in DEPTHS:
        raise UsageError(f"MAP-NN has the depths {', '.join(map(str, DEPTHS))}, not {depth}.")
    return repeated(image, "map_nn", depth)


def repeated(image: Image, name: str, times: float) -> Image:
    """Return a CT slice to which a network was applied again and again.

    Parameters
    ----------
    image : Image
        In HU, at least 21 x 21.
    name : {"red_cnn", "map_nn"}
        Of MAP-NN, its module.
    times : float
        At least 0. What lies between two whole numbers is the mean of the two images, by their distance.

    Returns
    -------
    Image

    Raises
    ------
    UsageError
        If there is no such network, or the image is not in HU, or too small.
    MissingExtraError
        If ONNX Runtime is not installed.
    """
    if name not in _WEIGHTS:
        raise UsageError(f"there is no network {name!r}; there are {', '.join(_WEIGHTS)}.")
    if image.unit != HU or image.is_colour:
        raise UsageError(f"a learned denoiser of CT takes Hounsfield units; this image is in {image.unit}.")
    if min(image.shape) < _LEAST_SIDE:
        raise UsageError(f"a learned denoiser takes an image of at least {_LEAST_SIDE} x {_LEAST_SIDE} pixels.")
    network, margin = _shipped(name)
    seen = np.clip(np.nan_to_num(image.pixels, nan=LEAST_HU), LEAST_HU, MOST_HU)
    made = seen
    for _ in range(floor(times)):
        made = in_tiles(network, made, margin)
    if (rest := np.float32(times - floor(times))) > 0:
        made = made + rest * (in_tiles(network, made, margin) - made)
    changed = image.pixels + (made - seen)  # what a network does not see stays as it is
    return image.replace(pixels=changed if image.valid is None else np.where(image.valid, changed, image.pixels))


def load_network(path: Path) -> Network:
    """Return a function from CT numbers to CT numbers, both (H, W) float32, that runs an ONNX file of one thread.

    Raises
    ------
    MissingExtraError
        If ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError("A learned denoiser", "simulate") from None

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # images are worked on in parallel, not their parts
    options.log_severity_level = 3
    session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(hu: Float) -> Float:
        (out,) = session.run(None, {"hu": np.ascontiguousarray(hu, dtype=np.float32)[None, None]})
        return np.asarray(out[0, 0], dtype=np.float32)

    return run


def in_tiles(network: Network, hu: npt.NDArray[np.floating], margin: int, tile: int = _TILE) -> Float:
    """Return a network's output on an image of any size, with no more memory than a tile needs.

    Parameters
    ----------
    network : callable
        From (h, w) to (h, w).
    hu : ndarray, shape (H, W)
    margin : int
        How far a pixel of the output looks, pixels: tiles overlap by that much, so that none shows.
    tile : int
        Side, pixels; more than the margin on both sides takes.

    Returns
    -------
    ndarray of float32, shape (H, W)
    """
    values = np.asarray(hu, dtype=np.float32)
    if max(values.shape) <= tile:
        return network(values)
    out = np.empty_like(values)
    core = tile - 2 * margin
    for top in range(0, values.shape[0], core):
        for left in range(0, values.shape[1], core):
            before_y, before_x = max(0, top - margin), max(0, left - margin)
            part = values[before_y : top + core + margin, before_x : left + core + margin]
            made = network(part)[top - before_y :, left - before_x :][:core, :core]
            out[top : top + core, left : left + core] = made
    return out


@lru_cache(maxsize=2)
def _shipped(name: str) -> tuple[Network, int]:
    """Return a shipped network and its margin, after its file has been checked."""
    digest, margin = _WEIGHTS[name]
    with resources.as_file(resources.files("scrutiq.degradations.ct") / "data" / f"{name}.onnx") as path:
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise InputError("the weights are not those that were shipped: install Scrutiq again.", f"{name}.onnx")
        return load_network(path), margin
