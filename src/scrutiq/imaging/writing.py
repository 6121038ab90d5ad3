"""`write`: an image to a file that `read` gives back."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq.core import GREY, HU, Image, Modality, UsageError, Window
from scrutiq.imaging.display import render

__all__ = ["describe", "write"]

#: What can be written; JPEG is not among them, since it would add a degradation of its own.
SUFFIXES = (".tif", ".tiff", ".npy", ".png")


def write(image: Image | Sequence[Image], path: str | os.PathLike[str], *, sidecar: bool = True) -> Path:
    """Write an image, or a volume, to a file; a file of that name is replaced when the new one is complete.

    Parameters
    ----------
    image : Image or sequence of Image
        Several images of one size make the pages of one TIFF, or the first axis of one ``.npy``.
    path : path
        ``.tif`` keeps the stored unit: float32, or 8 bits where every value is one of 8 bits. ``.npy`` holds float32.
        ``.png`` holds 8 bits as displayed (`render`): for an image of 8 bits its own values, rounded.
    sidecar : bool
        Whether to write ``NAME.json`` beside it, which tells a reader the modality, unit, spacing and window, and what
        was applied on purpose (``history``). Nothing in it comes from a file name or identifies a patient.

    Returns
    -------
    Path
        Of the image file.

    Raises
    ------
    UsageError
        If the ending is not one of these, or a PNG is asked to hold several images.
    """
    path = Path(path)
    several = not isinstance(image, Image)
    images: tuple[Image, ...] = tuple(image) if not isinstance(image, Image) else (image,)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            f"an image is written as {', '.join(SUFFIXES)}, not as {path.suffix or 'a file without ending'}."
        )
    if several and suffix == ".png":
        raise UsageError("a PNG holds one image; write a volume as .tif or .npy.")
    first = images[0]
    pixels = np.stack([one.pixels for one in images]) if several else first.pixels
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    if suffix == ".npy":
        with temporary.open("wb") as stream:
            np.save(stream, pixels, allow_pickle=False)
        stored: npt.NDArray[Any] = pixels
    elif suffix == ".png":
        from PIL import Image as Pillow

        stored = render(first)
        Pillow.fromarray(stored).save(temporary, format="PNG")
    else:
        import tifffile

        stored = _as_stored(images, pixels)
        photometric = "rgb" if first.is_colour else "minisblack"
        tifffile.imwrite(temporary, stored, photometric=photometric, metadata=None, software=False)
    temporary.replace(path)
    if sidecar:
        document = describe(first, exact=suffix != ".png")
        path.with_suffix(".json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return path


def describe(image: Image, *, exact: bool = True) -> dict[str, Any]:
    """Return the sidecar of an image (see `scrutiq.imaging.options`), with its ``history``.

    Parameters
    ----------
    image : Image
    exact : bool
        Whether the file holds the values in their unit; a picture of a window does not, and its values are grey levels.
    """
    document: dict[str, Any] = {}
    if image.modality is not Modality.UNKNOWN:
        document["modality"] = image.modality.value
    if image.spacing is not None:
        document["spacing"] = list(image.spacing)
    if exact and isinstance(image.voi, Window) and not image.is_colour:
        document["window"] = [image.voi.center, image.voi.width]
    if exact and image.unit == HU:
        document |= {"unit": HU, "rescale": {"slope": 1, "intercept": 0}}
    if exact and image.data_range is not None and image.unit in (HU, GREY):
        document["data_range"] = list(image.data_range)
    if image.history:
        document["history"] = [applied.model_dump(mode="json") for applied in image.history]
    return document


def _as_stored(images: Sequence[Image], pixels: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    """Return 8-bit values where an image has no others, or is one of colour; else float32."""
    if all(one.data_range == (0, 255) for one in images) and (
        images[0].is_colour or np.array_equal(pixels, np.rint(pixels))
    ):
        return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return pixels
