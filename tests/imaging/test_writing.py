"""What is written reads back as it was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import scrutiq
from scrutiq.core import Applied, Image, Modality, UsageError, Window
from scrutiq.imaging import write


def _ct(rng: np.random.Generator) -> Image:
    return Image(
        pixels=rng.normal(0, 300, (40, 50)),
        modality=Modality.CT,
        unit="HU",
        spacing=(0.7, 0.8),
        data_range=(-1024, 3071),
        voi=Window(center=40, width=400),
        history=(Applied(degradation="any.jpeg", severity=0.5, parameters={"phase": [1, 2]}),),
    )


@pytest.mark.parametrize("ending", [".tif", ".npy"])
def test_ct_keeps_its_unit_and_every_bit(tmp_path: Path, rng: np.random.Generator, ending: str) -> None:
    image = _ct(rng)
    back = scrutiq.read(write(image, tmp_path / f"a{ending}"), frame=0)
    assert np.array_equal(back.pixels, image.pixels)
    assert (back.modality, back.unit, back.spacing) == (Modality.CT, "HU", (0.7, 0.8))
    assert back.data_range == (-1024, 3071)
    assert back.voi == image.voi


def test_what_was_applied_stands_beside_it(tmp_path: Path, rng: np.random.Generator) -> None:
    image = _ct(rng)
    write(image, tmp_path / "a.tif")
    document = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert [Applied.model_validate(one) for one in document["history"]] == list(image.history)


def test_colour_of_8_bits_stays_so(tmp_path: Path, rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (20, 30, 3))
    image = Image(pixels=pixels, modality=Modality.FUNDUS, data_range=(0, 255))
    for ending in (".tif", ".png"):
        back = scrutiq.read(write(image, tmp_path / f"a{ending}"), frame=0)
        assert np.array_equal(back.pixels, pixels)
        assert (back.modality, back.data_range) == (Modality.FUNDUS, (0, 255))


def test_a_picture_of_a_window_claims_no_hounsfield_units(tmp_path: Path, rng: np.random.Generator) -> None:
    back = scrutiq.read(write(_ct(rng), tmp_path / "a.png"), frame=0)
    assert (back.modality, back.unit, back.data_range) == (Modality.CT, "grey level", (0, 255))
    assert back.pixels.min() == 0
    assert back.pixels.max() == 255


def test_a_volume_is_written_in_pages(tmp_path: Path, rng: np.random.Generator) -> None:
    images = [_ct(rng) for _ in range(3)]
    back = scrutiq.read(write(images, tmp_path / "v.tif"))
    assert [np.array_equal(a.pixels, b.pixels) for a, b in zip(back, images, strict=True)] == [True] * 3


def test_endings_that_lose_are_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    with pytest.raises(UsageError, match=r"not as \.jpg"):
        write(_ct(rng), tmp_path / "a.jpg")
    with pytest.raises(UsageError, match="a PNG holds one image"):
        write([_ct(rng), _ct(rng)], tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_nothing_half_written_is_left(tmp_path: Path, rng: np.random.Generator) -> None:
    write(_ct(rng), tmp_path / "a.tif", sidecar=False)
    write(_ct(rng), tmp_path / "a.tif", sidecar=False)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]
