"""`read`: one path to one image, or to the images of one volume."""

from __future__ import annotations

import os
from pathlib import Path
from typing import overload

from scrutiq.core import Image, InputError, Modality, Window
from scrutiq.imaging.caseref import CaseVolume
from scrutiq.imaging.find import find_cases
from scrutiq.imaging.frames import Frames
from scrutiq.imaging.options import Given

__all__ = ["read"]


@overload
def read(
    path: str | os.PathLike[str],
    *,
    modality: Modality | str | None = None,
    window: Window | tuple[float, float] | None = None,
    spacing: float | tuple[float, float] | None = None,
    frame: int,
) -> Image: ...
@overload
def read(
    path: str | os.PathLike[str],
    *,
    modality: Modality | str | None = None,
    window: Window | tuple[float, float] | None = None,
    spacing: float | tuple[float, float] | None = None,
    frame: int | None = None,
) -> Image | Frames: ...
def read(
    path: str | os.PathLike[str],
    *,
    modality: Modality | str | None = None,
    window: Window | tuple[float, float] | None = None,
    spacing: float | tuple[float, float] | None = None,
    frame: int | None = None,
) -> Image | Frames:
    """Read an image, a volume or a cine: DICOM, NIfTI, TIFF, PNG, JPEG, BMP, WebP, GIF, NumPy, or a zip of one.

    Parameters
    ----------
    path : path
        A file, or a folder that holds the slices of one series.
    modality : Modality or str, optional
    window : Window or (center, width), optional
        Display only.
    spacing : float or (row, column), optional
        mm. These three override what the file says; see `scrutiq.imaging.options` for sidecar files.
    frame : int, optional
        Zero-based frame, page or slice; negative from the end.

    Returns
    -------
    Image or Frames
        An `Image` where ``frame`` is given or there is only one; else a sequence of images, each decoded when it is
        asked for.

    Raises
    ------
    InputError
        If it cannot be read, or holds several series (use `find_cases`, or name one of them).
    IndexError
        If there is no such frame.
    UsageError
        If an option is not valid.
    """
    cases = tuple(find_cases([Path(path)], given=Given.of(modality=modality, window=window, spacing=spacing)))
    if not cases:
        raise InputError("the folder holds no image.", str(path))
    # A file or series that cannot be read is one case.
    units = {case.source.series or case.id for case in cases}
    if len(units) > 1:
        raise InputError(
            f"there are {len(units)} images or series here; name one of them, or use find_cases.", str(path)
        )
    if cases[0].error is not None:
        raise cases[0].error
    if frame is not None:  # as the file counts, which may be another order than that in space
        return CaseVolume(tuple(sorted(cases, key=lambda case: case.source.frame)))[frame]
    volume = CaseVolume(cases)
    return volume[0] if len(volume) == 1 else volume
