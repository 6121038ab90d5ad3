"""TIFF: every sample format and codec that is read, against the arrays that were written."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from scrutiq.core import InputError
from scrutiq.imaging import FileRef
from scrutiq.imaging.tiff import TiffPages

TYPES = ("u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8")


def pages(path: Path) -> TiffPages:
    return TiffPages(FileRef(path))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("layout", [{}, {"rowsperstrip": 13}, {"tile": (32, 16)}, {"bigtiff": True}])
@pytest.mark.parametrize("compression", [None, "zlib", "lzma"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_grey(
    tmp_path: Path, rng: np.random.Generator, dtype: str, layout: dict[str, object], compression: str | None, order: str
) -> None:
    pixels = (rng.random((70, 45)) * 100).astype(dtype)
    predictor = compression is not None and dtype[0] != "f"
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, compression=compression, byteorder=order, predictor=predictor, **layout
    )
    image = pages(tmp_path / "a.tif")[0]
    assert np.array_equal(image.pixels, pixels.astype(np.float32))
    info = None if dtype[0] == "f" else np.iinfo(dtype)
    assert image.data_range == (None if info is None else (info.min, info.max))
    assert image.spacing is None


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (16, 32)])
def test_colour(
    tmp_path: Path, rng: np.random.Generator, dtype: str, planar: str, tile: tuple[int, int] | None
) -> None:
    pixels = (rng.random((50, 37, 3)) * 200).astype(dtype)
    written = pixels if planar == "contig" else np.moveaxis(pixels, 2, 0)
    tifffile.imwrite(tmp_path / "a.tif", written, photometric="rgb", planarconfig=planar, tile=tile, compression="zlib")
    assert np.array_equal(pages(tmp_path / "a.tif")[0].pixels, pixels.astype(np.float32))


def test_alpha_is_dropped(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (9, 8, 4), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    assert np.array_equal(pages(tmp_path / "a.tif")[0].pixels, pixels[:, :, :3])


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "zstd", "tiff_adobe_deflate"])
@pytest.mark.parametrize("kind", ["u1", "u2", "f4", "rgb"])
def test_codecs_of_other_programs(tmp_path: Path, rng: np.random.Generator, compression: str, kind: str) -> None:
    pixels = (rng.random((50, 60, 3) if kind == "rgb" else (50, 60)) * 250).astype("u1" if kind == "rgb" else kind)
    Pillow.fromarray(pixels).save(tmp_path / "a.tif", compression=compression)
    assert np.array_equal(pages(tmp_path / "a.tif")[0].pixels, pixels)


@pytest.mark.parametrize("shape", [(50, 61), (50, 61, 3)])
def test_jpeg_inside_tiff(tmp_path: Path, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    Pillow.fromarray(pixels).save(tmp_path / "a.tif", compression="jpeg")
    assert np.array_equal(pages(tmp_path / "a.tif")[0].pixels, np.asarray(Pillow.open(tmp_path / "a.tif")))


def test_floating_point_predictor() -> None:
    # The order of the bytes by Technical Note 3: of a row the most significant bytes of all words, then the next, ...
    from scrutiq.imaging.tiffcodec import _float_predictor

    values = np.array([[1.5, -2.25, 1e-20], [3e30, 0.0, 7.0]], dtype=np.float32)
    rows = []
    for row in values:
        words = row.astype(">f4").view(np.uint8).reshape(3, 4).T.ravel()
        rows.append(np.diff(words, prepend=np.uint8(0)).astype(np.uint8))
    decoded = _float_predictor(np.array(rows), (2, 3, 1), np.dtype("f4"))
    assert np.array_equal(decoded[:, :, 0], values)


def test_white_is_zero_inverts_the_display_only(tmp_path: Path) -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
    image = pages(tmp_path / "a.tif")[0]
    assert np.array_equal(image.pixels, pixels)
    assert image.inverted


def test_palette(tmp_path: Path, rng: np.random.Generator) -> None:
    colours = rng.integers(0, 256, (3, 256)).astype(np.uint16)
    indices = rng.integers(0, 256, (10, 10), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", indices, photometric="palette", colormap=colours * 257)
    assert np.array_equal(pages(tmp_path / "a.tif")[0].pixels, colours.T[indices])


def test_bilevel(tmp_path: Path, rng: np.random.Generator) -> None:
    bits = rng.random((9, 13)) > 0.5
    Pillow.fromarray(bits).save(tmp_path / "a.tif")
    image = pages(tmp_path / "a.tif")[0]
    assert np.array_equal(image.pixels, bits)
    assert image.data_range == (0, 1)


def test_pages_are_a_series_and_thumbnails_are_not_pages(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (4, 20, 30), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in pixels:
            writer.write(page, photometric="minisblack", resolution=(300, 300), description="Roe^Jane")
            writer.write(page[::2, ::2], photometric="minisblack", subfiletype=1)
    volume = pickle.loads(pickle.dumps(pages(tmp_path / "a.tif")))
    assert len(volume) == 4
    assert np.array_equal([image.pixels for image in volume], pixels)
    assert [image.source.frame for image in volume] == [0, 1, 2, 3]
    assert len({image.source.series for image in volume}) == 1
    assert volume[0].source.series is not None
    assert "Roe" not in volume[1].to_json()


def test_unusual_kinds_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((4, 4), np.complex64))
    tifffile.imwrite(
        tmp_path / "m.tif", np.zeros((5, 8, 8), np.uint8), photometric="minisblack", planarconfig="separate"
    )
    with pytest.raises(InputError, match="not supported"):
        pages(tmp_path / "c.tif")[0]
    with pytest.raises(InputError, match="neither grey nor RGB"):
        pages(tmp_path / "m.tif")[0]


def test_a_bomb_is_refused_without_being_unpacked(tmp_path: Path) -> None:
    # 64 rows are claimed; the strip unpacks to 400 MB.
    import tracemalloc
    import zlib

    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((64, 64), np.uint8), compression="zlib")
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        places = page.tags["StripOffsets"].valueoffset, page.tags["StripByteCounts"].valueoffset
    strip = zlib.compress(bytes(400 << 20), 1)
    data[places[0] : places[0] + 4] = len(data).to_bytes(4, "little")
    data[places[1] : places[1] + 4] = len(strip).to_bytes(4, "little")
    path.write_bytes(bytes(data) + strip)
    tracemalloc.start()
    image = pages(path)[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert image.shape == (64, 64)
    assert peak < 20 << 20
