"""How large an input may be before it is refused, so that a small hostile file cannot take all memory."""

from __future__ import annotations

from scrutiq.core import InputError

__all__ = ["MAX_FRAMES", "MAX_PIXELS", "MAX_VOLUME_BYTES", "check_frames", "check_pixels"]

#: Pixels of one image: 10,000 x 10,000, four times the largest mammogram. As float32 RGB that is 1.2 GB.
MAX_PIXELS = 100_000_000
#: Images of one file: a functional MR of 90 slices and 1,100 time points.
MAX_FRAMES = 100_000
#: Images of one file that are smaller than 8 x 8 pixels. A few hundred bytes, compressed, can claim any number of them,
#: and each would become a case.
_MAX_TINY_FRAMES = 1_000
#: Stored size of a volume that must be held whole (a compressed NIfTI whose slices are not contiguous).
MAX_VOLUME_BYTES = 1 << 30


def check_pixels(rows: int, columns: int) -> None:
    """Refuse an image without pixels, or with more than `MAX_PIXELS`, from what its header claims.

    Raises
    ------
    InputError
    """
    if rows <= 0 or columns <= 0:
        raise InputError("the header states a size of zero; the file holds no image.")
    if rows * columns > MAX_PIXELS:
        raise InputError(
            f"the header claims {rows} x {columns} pixels, more than {MAX_PIXELS // 10**6} million; "
            "cut the image into regions."
        )


def check_frames(count: int, rows: int, columns: int) -> None:
    """Refuse more images of this size than any volume has, from what a header claims.

    Raises
    ------
    InputError
    """
    if count > MAX_FRAMES:
        raise InputError(f"the header claims {count:,} images, more than {MAX_FRAMES:,}; the file is damaged.")
    if count > _MAX_TINY_FRAMES and min(rows, columns) < 8:
        raise InputError(f"the file holds {count:,} images of {rows} x {columns} pixels, too small to be judged.")
