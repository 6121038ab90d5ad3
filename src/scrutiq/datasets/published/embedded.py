"""Images that are kept as base64 inside a table: found once, decoded one at a time, never all in memory."""

from __future__ import annotations

import base64
import binascii
import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from scrutiq.core import InputError
from scrutiq.datasets.published.common import wide_cells

__all__ = ["Embedded", "read_wide"]

#: An image cell that is no longer names another row: the convention of VLMEvalKit.
MAX_REFERENCE = 64
#: First bytes of PNG, JPEG, GIF, BMP, TIFF and WebP files.
_MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")


def read_wide(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row of a tab-separated table with the offset at which it starts, in bytes.

    Raises
    ------
    InputError
        If it is not a valid UTF-8 table, or a row is longer than the header.
    """
    offset = 0
    start = 0

    def lines() -> Iterator[str]:
        nonlocal offset
        with path.open("rb") as stream:
            for raw in stream:
                offset += len(raw)
                yield raw.decode("utf-8-sig" if offset == len(raw) else "utf-8")

    try:
        with wide_cells():
            reader = csv.reader(lines(), delimiter="\t", strict=True)
            header: list[str] | None = None
            for cells in reader:
                if not any(cells):
                    pass
                elif header is None:
                    header = [cell.strip() for cell in cells]
                    if len(set(header)) < len(header):
                        raise InputError("two columns have one name.", str(path))
                elif len(cells) > len(header):
                    raise InputError(
                        f"line {reader.line_num} has {len(cells)} cells and the header {len(header)}.", str(path)
                    )
                else:
                    yield start, dict(zip(header, cells + [""] * (len(header) - len(cells)), strict=True))
                start = offset
    except csv.Error:
        raise InputError("it is not a valid tab-separated table.", str(path)) from None
    except UnicodeDecodeError:
        raise InputError("it is not UTF-8 text; save it again as UTF-8.", str(path)) from None
    except OSError:
        raise InputError("it cannot be read.", str(path)) from None


def decode(cell: str, where: str) -> bytes:
    """Return the image file that a cell holds.

    Raises
    ------
    InputError
        If it is not base64, or not an image.
    """
    text = cell.strip()
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InputError(f"{where}: the image is not valid base64.") from None
    if not content.startswith(_MAGIC):
        raise InputError(f"{where}: the cell holds no image.")
    return content


class Embedded(Mapping[str, bytes]):
    """The image files inside a set's tables, by their written path (``table.tsv#index``, ``table.tsv#index/1``).

    A file is decoded when it is asked for; an `InputError` says where the table has changed since it was read.

    Attributes
    ----------
    folder : Path
        Where the tables lie.
    places : dict
        By written path: the table, the offset of the row in bytes, the column, and the position within a list.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places: dict[str, tuple[str, int, str, int]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def __contains__(self, written: object) -> bool:
        return written in self.places

    def __getitem__(self, written: str) -> bytes:
        table, offset, column, position = self.places[written]
        with (self.folder / table).open("rb") as stream:
            header = stream.readline().decode("utf-8-sig")
            stream.seek(offset)
            text = io.TextIOWrapper(stream, "utf-8", newline="")
            try:
                with wide_cells():
                    names = next(csv.reader([header], delimiter="\t"))
                    cells = next(csv.reader(text, delimiter="\t", strict=True))
                cell = dict(zip([name.strip() for name in names], cells, strict=False))[column]
                return decode(cells_of(cell)[position], written)
            except (csv.Error, StopIteration, KeyError, IndexError, UnicodeDecodeError):
                raise InputError("the table has changed since it was read.", str(self.folder / table)) from None


def cells_of(cell: str) -> list[str]:
    """Return the parts of a cell that may be a Python list of texts.

    Raises
    ------
    ValueError
        If it looks like a list and is not one of texts.
    """
    text = cell.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return [text] if text else []
    import ast

    try:
        parts = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise ValueError("it is not a valid list") from None
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError("it is not a list of texts")
    return parts
