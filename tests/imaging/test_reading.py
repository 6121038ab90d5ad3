"""`read`: one path, one image or one volume."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from scrutiq.core import Image, InputError, Modality, UsageError, Window
from scrutiq.imaging import Frames, read


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    np.save(tmp_path / "v.npy", np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
    return tmp_path / "v.npy"


def test_one_image(tmp_path: Path) -> None:
    Pillow.new("L", (8, 6), 7).save(tmp_path / "a.png")
    image = read(tmp_path / "a.png", modality="ct", window=(40, 400), spacing=0.5)
    assert isinstance(image, Image)
    assert (image.modality, image.voi, image.spacing) == (Modality.CT, Window.from_bounds(-160, 240), (0.5, 0.5))
    assert image.source.path == "a.png"
    assert isinstance(read(str(tmp_path)), Image)


def test_a_volume_and_one_of_its_frames(volume: Path) -> None:
    frames = read(volume)
    assert isinstance(frames, Frames)
    assert [image.pixels[0, 0] for image in frames] == [0, 20, 40]
    assert read(volume, frame=1) == frames[1]
    assert read(volume, frame=-1) == frames[2]
    with pytest.raises(IndexError):
        read(volume, frame=3)


def test_several_series_are_refused(volume: Path) -> None:
    Pillow.new("L", (8, 6)).save(volume.with_name("a.png"))
    with pytest.raises(InputError, match="2 images or series"):
        read(volume.parent)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "none.png")
    with pytest.raises(InputError, match="no image"):
        read(tmp_path)
    with pytest.raises(UsageError):
        read(tmp_path, modality="PET")


def test_importing_the_package_loads_no_decoder() -> None:
    code = (
        "import sys, scrutiq.imaging as i; i.read, i.find_cases, i.Given;"
        "print([m for m in ('pydicom', 'nibabel', 'tifffile', 'PIL', 'scipy', 'skimage') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
