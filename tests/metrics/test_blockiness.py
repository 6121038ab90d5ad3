"""The grid of JPEG."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.imaging import read
from scrutiq.metrics import Undefined, measure, measure_map
from scrutiq.metrics.blockiness import blockiness, blockiness_map

QUALITIES = (95, 75, 50, 30, 15, 5)


def compressed(pixels: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    return np.asarray(PIL.Image.open(buffer), dtype=np.float32)


def value(pixels: np.ndarray) -> float:
    return blockiness(pixels, np.ones(pixels.shape, bool))


def test_no_grid_is_about_one(rng: np.random.Generator) -> None:
    white = rng.normal(0, 10, (512, 512))
    for pixels in (white, ndimage.gaussian_filter(white, 2), np.add.outer(np.arange(512.0), np.arange(512.0))):
        assert value(pixels) == pytest.approx(1, abs=0.05)


def test_nothing_but_a_grid_is_eight(rng: np.random.Generator) -> None:
    blocks = np.kron(rng.normal(0, 1, (20, 30)), np.ones((8, 8)))
    assert value(blocks) == pytest.approx(8, abs=0.01)


@pytest.mark.parametrize("shift", [(0, 0), (3, 5), (7, 1)])
def test_the_grid_is_found_wherever_it_begins(shift: tuple[int, int]) -> None:
    from skimage import data

    pixels = compressed(data.camera(), 20)
    assert value(pixels[shift[0] :, shift[1] :]) == pytest.approx(value(pixels), rel=0.02)


@pytest.mark.shared
@pytest.mark.parametrize(
    "file",
    ["ct_denoising_readers/abdomen/set_01/ndct.png", "endoscopy_gastroscopy/WLI_GA_1.png", "histo_monuseg"],
)
def test_it_rises_with_real_compression(shared: Path, file: str) -> None:
    path = shared / file
    path = path if path.is_file() else sorted(path.glob("*.png"))[0]
    pixels = read(path, frame=0).grey()
    values = [value(pixels), *(value(compressed(pixels, q)) for q in QUALITIES)]
    assert values[0] == pytest.approx(1, abs=0.05)
    assert values[1:] == sorted(values[1:])
    assert values[-1] > 2


def test_the_map_shows_the_compressed_half(rng: np.random.Generator) -> None:
    from skimage import data

    pixels = data.camera().astype(np.float32)
    pixels[:, 256:] = compressed(pixels, 10)[:, 256:]
    image = Image(pixels=pixels, data_range=(0, 255))
    where = measure_map(image, "blockiness")
    assert where.shape == pixels.shape
    assert np.nanmean(where[:, 290:]) > 1.5 * np.nanmean(where[:, :220])
    assert np.isnan(blockiness_map(pixels, np.arange(512) < np.full((512, 1), 100))[:, 100:]).all()


def test_too_small_or_constant_is_undefined() -> None:
    for pixels in (np.random.default_rng(0).random((31, 200)), np.zeros((64, 64))):
        with pytest.raises(Undefined):
            value(pixels)


def test_a_real_photograph_that_was_compressed_shows_it(shared: Path) -> None:
    found = measure(read(shared / "skimage_cc0/retina.jpg", frame=0), ["blockiness"])
    assert found["blockiness"].value > 1.1
