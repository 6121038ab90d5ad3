"""What every file format gives: images decoded one at a time, so that a volume streams."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import overload

from scrutiq.core import Image, Source

__all__ = ["Frames"]


class Frames(Sequence[Image], ABC):
    """The images of one file, or of one sorted series, decoded when asked for and not kept.

    A subclass reads headers when it is built, and pixels in `image` only. It is cheap to pickle: what it holds is
    names and positions, not pixels.
    """

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def image(self, index: int) -> Image:
        """Decode one image, ``0 <= index < len(self)``.

        Raises
        ------
        InputError
            If it cannot be decoded.
        """

    def source(self, index: int) -> Source:
        """Return where an image stands, as far as the header says; ``path`` is left to the caller."""
        return Source(frame=index)

    @overload
    def __getitem__(self, index: int) -> Image: ...
    @overload
    def __getitem__(self, index: slice) -> list[Image]: ...
    def __getitem__(self, index: int | slice) -> Image | list[Image]:
        if isinstance(index, slice):
            return [self.image(i) for i in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        return self.image(index)

    def __iter__(self) -> Iterator[Image]:
        return (self.image(i) for i in range(len(self)))
