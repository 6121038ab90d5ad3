"""Reading a gzip file at any place."""

from __future__ import annotations

import gzip
import io
import zlib

import numpy as np
import pytest

from scrutiq.imaging.gzipped import GzipReader


@pytest.fixture
def content(rng: np.random.Generator) -> bytes:
    """Eight megabytes of which some pack well and some do not."""
    parts = [rng.integers(0, 256, 1 << 20, dtype=np.uint8), np.zeros(1 << 20, np.uint8)]
    return b"".join(parts[i % 2].tobytes() for i in range(8))


@pytest.mark.parametrize("members", [1, 3])
def test_any_place_in_any_order(content: bytes, members: int, rng: np.random.Generator) -> None:
    cut = len(content) // members + 1
    packed = b"".join(gzip.compress(content[i : i + cut], 1) for i in range(0, len(content), cut))
    reader = GzipReader(io.BytesIO(packed + bytes(700)), len(content))
    for start in [*rng.integers(0, len(content), 40).tolist(), 0, len(content) - 5, len(content), len(content) + 9]:
        reader.seek(start)
        assert reader.read(3000) == content[start : start + 3000]
    reader.seek(0)
    assert reader.read(len(content) + 1) == content


@pytest.mark.parametrize("cut", [5, 100_000])
def test_a_file_that_ends_early(content: bytes, cut: int) -> None:
    reader = GzipReader(io.BytesIO(gzip.compress(content)[:cut]), len(content))
    with pytest.raises(EOFError):
        reader.read(len(content))


def test_a_damaged_file(content: bytes) -> None:
    packed = bytearray(gzip.compress(content))
    packed[-6] ^= 1  # of the checksum
    with pytest.raises(zlib.error):
        GzipReader(io.BytesIO(bytes(packed)), len(content)).read(len(content) + 1)
