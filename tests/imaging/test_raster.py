"""Plain pictures: what is kept, what is dropped, what is refused."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from scrutiq.core import GREY, Image, InputError, Modality
from scrutiq.imaging import FileRef
from scrutiq.imaging.png16 import read_png16
from scrutiq.imaging.raster import RasterFile


def load(path: Path) -> Image:
    return RasterFile(FileRef(path))[0]


def saved(path: Path, picture: Pillow.Image, **options: object) -> Image:
    picture.save(path, **options)
    return load(path)


@pytest.mark.parametrize("ending", [".png", ".bmp", ".webp", ".gif"])
def test_grey_pixels_are_kept_exactly(tmp_path: Path, rng: np.random.Generator, ending: str) -> None:
    pixels = rng.integers(0, 256, (31, 47), dtype=np.uint8)
    image = saved(
        tmp_path / f"a{ending}", Pillow.fromarray(pixels), **({"lossless": True} if ending == ".webp" else {})
    )
    assert np.array_equal(image.grey().round(), pixels)
    assert (image.data_range, image.unit, image.spacing, image.voi) == ((0, 255), GREY, None, None)
    assert image.modality is Modality.UNKNOWN
    assert image.source.series is None


def test_16_bit_grey_png(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 65536, (9, 12)).astype(np.uint16)
    image = saved(tmp_path / "a.png", Pillow.fromarray(pixels))
    assert np.array_equal(image.pixels, pixels)
    assert image.data_range == (0, 65535)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colour_keeps_rgb_and_drops_alpha(tmp_path: Path, rng: np.random.Generator, mode: str) -> None:
    pixels = rng.integers(0, 256, (8, 9, len(mode)), dtype=np.uint8)
    image = saved(tmp_path / "a.png", Pillow.fromarray(pixels))
    assert np.array_equal(image.pixels, pixels[:, :, :3])


def test_grey_with_alpha_is_grey(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (8, 9, 2), dtype=np.uint8)
    image = saved(tmp_path / "a.png", Pillow.fromarray(pixels, "LA"))
    assert np.array_equal(image.pixels, pixels[:, :, 0])


def test_palette_is_expanded_and_a_grey_palette_gives_grey(tmp_path: Path, rng: np.random.Generator) -> None:
    indices = rng.integers(0, 4, (10, 11), dtype=np.uint8)
    picture = Pillow.fromarray(indices, "P")
    colours = [(0, 0, 0), (200, 10, 10), (0, 90, 0), (1, 2, 3)]
    picture.putpalette([value for colour in colours for value in colour])
    assert np.array_equal(saved(tmp_path / "c.png", picture).pixels, np.array(colours)[indices])
    picture.putpalette([value for grey in (0, 80, 160, 255) for value in (grey,) * 3])
    assert np.array_equal(saved(tmp_path / "g.png", picture).pixels, np.array([0, 80, 160, 255])[indices])


def test_one_bit_is_black_and_white(tmp_path: Path, rng: np.random.Generator) -> None:
    bits = rng.random((7, 13)) > 0.5
    image = saved(tmp_path / "a.png", Pillow.fromarray(bits))
    assert np.array_equal(image.pixels, bits * 255)
    assert image.data_range == (0, 255)


def test_orientation_and_text_are_not_used(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    exif = Pillow.Exif()
    exif[274], exif[270], exif[315] = 6, "Roe^Jane", "Roe^Jane"
    text = PngInfo()
    text.add_text("PatientName", "Roe^Jane")
    image = saved(tmp_path / "a.png", Pillow.fromarray(pixels), exif=exif, pnginfo=text, dpi=(300, 300))
    assert np.array_equal(image.pixels, pixels)
    assert image.spacing is None
    assert "Roe" not in image.to_json()


def test_jpeg_is_what_pillow_decodes(tmp_path: Path, rng: np.random.Generator) -> None:
    smooth = Pillow.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((64, 48))
    image = saved(tmp_path / "a.jpg", smooth)
    assert np.array_equal(image.pixels, np.asarray(Pillow.open(tmp_path / "a.jpg")))


def test_cmyk_and_animations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="CMYK"):
        saved(tmp_path / "a.jpg", Pillow.new("CMYK", (8, 8)))
    frames = [Pillow.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    with pytest.raises(InputError, match="animation"):
        saved(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])


def png(colour: int, interlace: int, pixels: np.ndarray, kinds: list[int]) -> bytes:
    """Write a 16-bit PNG by the words of the specification, one byte at a time."""
    passes = [(0, 0, 1, 1)]
    if interlace:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    step, lines, number = 2 * pixels.shape[2], bytearray(), 0
    for top, left, down, right in passes:
        part = pixels[top::down, left::right]
        if part.size == 0:
            continue
        above = bytes(part.shape[1] * step)
        for row in part.astype(">u2"):
            plain, kind = row.tobytes(), kinds[number % len(kinds)]
            number += 1
            lines.append(kind)
            for i, value in enumerate(plain):
                a, b = (plain[i - step] if i >= step else 0), above[i]
                c = above[i - step] if i >= step else 0
                p = a + b - c
                nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
                lines.append((value - (0, a, b, (a + b) // 2, nearest)[kind]) % 256)
            above = plain
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, colour, 0, 0, interlace)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(lines))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


@pytest.mark.parametrize("interlace", [0, 1])
@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (17, 13)])
def test_16_bit_colour_png_keeps_all_bits(
    tmp_path: Path, rng: np.random.Generator, shape: tuple[int, int], colour: int, channels: int, interlace: int
) -> None:
    pixels = rng.integers(0, 65536, (*shape, channels)).astype(np.uint16)
    data = png(colour, interlace, pixels, [4, 1, 3, 0, 2])
    (tmp_path / "a.png").write_bytes(data)
    image = load(tmp_path / "a.png")
    assert np.array_equal(image.pixels, pixels[:, :, 0] if channels == 2 else pixels[:, :, :3])
    assert image.data_range == (0, 65535)
    # Pillow keeps the high byte of each sample.
    reduced = np.asarray(Pillow.open(io.BytesIO(data)))[:, :, :3]
    assert channels == 2 or np.array_equal(reduced, pixels[:, :, :3] >> 8)


def test_damaged_16_bit_colour_png_is_refused(rng: np.random.Generator) -> None:
    data = png(2, 0, rng.integers(0, 65536, (9, 9, 3)).astype(np.uint16), [1])
    for damaged in (data[:60], data[:-30], data[:50] + b"\0" + data[51:]):
        with pytest.raises(InputError, match="damaged"):
            read_png16(damaged)
