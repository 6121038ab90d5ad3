"""NumPy arrays and files: shapes, types, memory mapping."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from scrutiq.core import GREY, HU, Image, InputError, Modality, Window
from scrutiq.imaging import FileRef, Given, from_array
from scrutiq.imaging.array import ArrayFile, ArrayFrames


@pytest.mark.parametrize(
    ("shape", "count", "pixels"),
    [
        ((5, 6), 1, (5, 6)),
        ((5, 6, 1), 1, (5, 6)),
        ((5, 6, 3), 1, (5, 6, 3)),
        ((7, 5, 6), 7, (5, 6)),
        ((7, 5, 6, 1), 7, (5, 6)),
        ((7, 5, 6, 3), 7, (5, 6, 3)),
        ((1, 5, 6), 1, (5, 6)),
    ],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_shapes(
    tmp_path: Path, rng: np.random.Generator, shape: tuple[int, ...], count: int, pixels: tuple[int, ...], order: str
) -> None:
    array = np.asarray(rng.integers(0, 99, shape, dtype=np.int16), order=order)  # type: ignore[call-overload]
    made = from_array(array)
    images = [made] if isinstance(made, Image) else list(made)
    assert isinstance(made, ArrayFrames) == (array.ndim - (shape[-1] in (1, 3)) == 3)
    np.save(tmp_path / "a.npy", array)
    file = pickle.loads(pickle.dumps(ArrayFile(FileRef(tmp_path / "a.npy"))))
    assert len(images) == len(file) == count
    for index, image in enumerate(images):
        assert np.array_equal(image.pixels, array.reshape(count, *pixels)[index])
        assert np.array_equal(file[index].pixels, image.pixels)
        assert file[index].source.frame == index
    assert (file[0].source.series is None) == (count == 1)


@pytest.mark.parametrize("shape", [(), (5,), (5, 6, 4), (7, 5, 6, 2), (2, 7, 5, 6, 3), (0, 5), (0, 5, 6)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError):
        from_array(np.zeros(shape))


@pytest.mark.parametrize("dtype", ["c8", "O", "U3", "M8[s]", "V4"])
def test_other_types_are_refused(dtype: str) -> None:
    with pytest.raises(InputError, match="real numbers"):
        from_array(np.zeros((3, 3), dtype))


def test_range_follows_the_type_never_the_values() -> None:
    for dtype, expected in [("u1", (0, 255)), ("i2", (-32768, 32767)), ("?", (0, 1)), ("f4", None), ("i8", None)]:
        made = from_array(np.zeros((3, 3), dtype))
        assert isinstance(made, Image)
        assert made.data_range == expected


def test_what_the_user_states() -> None:
    given = Given(Modality.CT, Window(center=40, width=400), (0.7, 0.8))
    image = from_array(np.zeros((3, 3)), given=given, unit=HU, data_range=(-1024, 3071))
    assert isinstance(image, Image)
    assert (image.unit, image.modality, image.spacing, image.voi) == (HU, Modality.CT, (0.7, 0.8), given.window)
    assert image.data_range == (-1024, 3071)
    with pytest.raises(ValueError, match="Hounsfield"):
        from_array(np.zeros((3, 3)), unit=HU)
    plain = from_array(np.zeros((3, 3)))
    assert isinstance(plain, Image)
    assert plain.unit == GREY


def test_pickled_objects_and_archives_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"x": 1}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "b.npz", a=np.zeros((3, 3)))
    with pytest.raises(InputError, match="real numbers"):
        ArrayFile(FileRef(tmp_path / "a.npy"))
    with pytest.raises(InputError, match="npz"):
        ArrayFile(FileRef(tmp_path / "b.npz"))


def test_a_claim_beyond_the_file_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 4), np.uint8))
    content = (tmp_path / "a.npy").read_bytes().replace(b"(4, 4)", b"(9999, 9999)").replace(b"      \n", b"\n", 1)
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(InputError, match="ends early"):
        ArrayFile(FileRef(tmp_path / "a.npy"))
