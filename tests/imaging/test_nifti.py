"""NIfTI: orientation against nibabel's canonical one, scaling, units, privacy, memory."""

from __future__ import annotations

import gzip
import itertools
import pickle
import tracemalloc
from pathlib import Path

import nibabel
import numpy as np
import pytest

from scrutiq.core import GREY, InputError, Modality
from scrutiq.imaging import FileRef, find_cases
from scrutiq.imaging.gzipped import GzipReader
from scrutiq.imaging.nifti import NiftiFile

#: A slice in R, A, S order as a radiologist sees it: transposed, both axes turned round.
ORIENTATIONS = list(itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)))


def volume(path: Path) -> NiftiFile:
    return NiftiFile(FileRef(path))


def write(path: Path, data: np.ndarray, affine: np.ndarray | None = None, **header: object) -> Path:
    image = nibabel.Nifti1Image(data, np.eye(4) if affine is None else affine)
    for key, value in header.items():
        image.header[key] = value
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize(("axes", "flips"), ORIENTATIONS)
def test_slices_are_those_of_the_canonical_volume(
    tmp_path: Path, rng: np.random.Generator, axes: tuple[int, ...], flips: tuple[int, ...], ending: str
) -> None:
    data = rng.integers(-500, 500, (4, 5, 6, 2)).astype(np.int16)
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, flip, size) in enumerate(zip(axes, flips, (1.0, 1.5, 2.5), strict=True)):
        affine[world, axis] = flip * size
    affine[:3, 3] = 10, 20, 30
    path = write(tmp_path / f"a{ending}", data, affine)
    canonical = nibabel.as_closest_canonical(nibabel.load(path))
    expected, sizes = canonical.get_fdata(dtype=np.float32), canonical.header.get_zooms()
    across = axes[2]  # the thickest axis
    row, column = [axis for axis in (2, 1, 0) if axis != across]
    found = volume(path)
    assert len(found) == 2 * expected.shape[across]
    for index, image in enumerate(found):
        time, position = divmod(index, expected.shape[across])
        plane = np.take(expected[..., time], position, axis=across)
        assert np.array_equal(image.pixels, plane.T[::-1, ::-1])
        assert image.spacing == pytest.approx((sizes[row], sizes[column]))
        centre = (np.array(expected.shape[:3]) - 1) / 2
        centre[across] = position
        assert image.source.location == pytest.approx((canonical.affine @ [*centre, 1])[across])


@pytest.mark.parametrize(
    ("shape", "sizes", "stated", "count"),
    [
        ((4, 5, 6), (1, 1, 3), 0, 6),
        ((4, 5, 6), (3, 1, 1), 0, 4),
        ((4, 5, 6), (1, 1, 1), 0, 6),
        ((4, 5, 6), (3, 1, 1), 2, 5),
        ((4, 1, 6), (1, 1, 3), 0, 1),
        ((4, 5), (1, 1), 0, 1),
    ],
)
def test_the_slice_axis(
    tmp_path: Path, shape: tuple[int, ...], sizes: tuple[float, ...], stated: int, count: int
) -> None:
    affine = np.diag([*sizes, 1.0] if len(sizes) == 3 else [*sizes, 1.0, 1.0])
    path = write(tmp_path / "a.nii", np.zeros(shape, np.int16), affine, dim_info=stated << 4)
    assert len(volume(path)) == count


def test_values_are_scaled_and_nothing_is_guessed(tmp_path: Path, rng: np.random.Generator) -> None:
    stored = rng.integers(0, 256, (5, 6, 3)).astype(np.uint8)
    path = tmp_path / "a.nii"
    image = nibabel.Nifti1Image(stored, np.diag([1, 1, 2, 1]))
    image.header.set_slope_inter(2, -1024)
    image.header["cal_min"], image.header["cal_max"] = -160, 240
    # nibabel writes data so that scaling gives it back; the stored bytes are wanted here.
    content = bytearray(image.to_bytes())
    content[112:120] = np.array([2, -1024], "<f4").tobytes()
    content[-stored.size :] = stored.tobytes(order="F")
    path.write_bytes(content)
    first = volume(path)[0]
    assert np.array_equal(first.pixels, stored[:, :, 0].astype(np.float32).T[::-1, ::-1] * 2 - 1024)
    assert first.data_range == (-1024, 255 * 2 - 1024)
    assert first.voi is not None
    assert first.voi.bounds == (-160, 240)  # type: ignore[union-attr]
    assert (first.unit, first.modality) == (GREY, Modality.UNKNOWN)


@pytest.mark.parametrize(("units", "factor"), [(0, 1), (1, 1000), (2, 1), (3, 0.001)])
def test_units_of_length(tmp_path: Path, units: int, factor: float) -> None:
    path = write(tmp_path / "a.nii", np.zeros((4, 5, 6), np.int16), np.diag([2, 3, 4, 1]), xyzt_units=units)
    assert volume(path)[0].spacing == pytest.approx((3 * factor, 2 * factor))
    assert volume(path)[1].source.location == pytest.approx(4 * factor)


def test_wide_integers_and_floats_state_no_range(tmp_path: Path) -> None:
    for dtype in (np.int16, np.uint16, np.int32, np.float32):
        assert volume(write(tmp_path / "a.nii", np.ones((3, 3, 3), dtype)))[0].data_range is None


def test_free_text_never_comes_out(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.nii", np.ones((3, 3, 3), np.int16), descrip=b"Roe^Jane", aux_file=b"Roe^Jane", intent_name=b"Roe"
    )
    image = nibabel.load(path)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"Roe^Jane"))
    nibabel.save(image, tmp_path / "b.nii")
    for name in ("a.nii", "b.nii"):
        first = volume(tmp_path / name)[0]
        assert first.pixels.max() == 1
        assert "Roe" not in first.to_json()


def test_rgb_and_complex(tmp_path: Path, rng: np.random.Generator) -> None:
    rgb = np.zeros((4, 5, 6), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    for name in "RGB":
        rgb[name] = rng.integers(0, 256, rgb.shape)
    image = volume(write(tmp_path / "a.nii", rgb, np.diag([1, 1, 2, 1])))[2]
    assert np.array_equal(image.pixels[:, :, 1], rgb["G"][:, :, 2].T[::-1, ::-1])
    with pytest.raises(InputError, match="complex"):
        volume(write(tmp_path / "b.nii", np.zeros((3, 3, 3), np.complex64)))


def test_nifti_2(tmp_path: Path) -> None:
    data = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    nibabel.save(nibabel.Nifti2Image(data, np.eye(4)), tmp_path / "a.nii.gz")
    assert np.array_equal(volume(tmp_path / "a.nii.gz")[4].pixels, data[:, :, 4].T[::-1, ::-1])


def test_it_pickles_without_pixels_and_reads_backwards(tmp_path: Path, rng: np.random.Generator) -> None:
    data = rng.random((30, 31, 20)).astype(np.float32)
    first = volume(write(tmp_path / "a.nii.gz", data))
    forward = [image.pixels for image in first]
    copy = pickle.loads(pickle.dumps(first))
    assert len(pickle.dumps(first)) < 5000
    for index in reversed(range(20)):
        assert np.array_equal(copy[index].pixels, forward[index])


@pytest.mark.parametrize("step", [2, -2])
def test_a_packed_volume_is_unpacked_once_and_never_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    data = np.zeros((256, 256, 200), np.int16) + np.arange(200, dtype=np.int16)  # 26 MB
    path = write(tmp_path / "a.nii.gz", data, np.diag([1, 1, step, 1]))
    unpacked: list[int] = []
    plain = GzipReader._inflate

    def counting(self: GzipReader, limit: int) -> bytes:
        data = plain(self, limit)
        unpacked.append(len(data))
        return data

    monkeypatch.setattr(GzipReader, "_inflate", counting)
    found = volume(path)
    tracemalloc.start()
    seen = [found.image(index).pixels[0, 0] for index in range(len(found))]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == list(range(200) if step > 0 else reversed(range(200)))
    # Backwards: once to the end, and then each slice from the place before it, at most 1 MB (8 slices) away.
    assert sum(unpacked) <= data.nbytes * (1.01 if step > 0 else 8)
    assert peak < 8e6


def test_claims_beyond_the_file_are_refused_at_once(tmp_path: Path) -> None:
    for ending in (".nii", ".nii.gz"):
        content = bytearray(nibabel.Nifti1Image(np.zeros((8, 8, 8), np.int16), np.eye(4)).to_bytes())
        content[40:56] = np.array([3, 1024, 1024, 1024, 1, 1, 1, 1], "<i2").tobytes()
        path = tmp_path / f"a{ending}"
        path.write_bytes(gzip.compress(bytes(content)) if ending == ".nii.gz" else bytes(content))
        with pytest.raises(InputError, match="more voxels than the file can hold"):
            volume(path)


@pytest.mark.parametrize("shape", [(1, 1, 4000, 10), (7, 9, 50, 50), (8, 8, 1000, 101)])
def test_more_images_than_any_volume_has_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = write(tmp_path / "a.nii.gz", np.zeros(shape, np.uint8))
    (case,) = find_cases([path])
    assert case.error is not None
    assert f"{int(np.prod(shape[2:])):,} images" in case.error.reason


def test_two_file_nifti_is_refused(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Pair(np.zeros((3, 3, 3), np.int16), np.eye(4)), tmp_path / "a.img")
    with pytest.raises(InputError, match=r"\.hdr"):
        volume(tmp_path / "a.hdr")


@pytest.mark.shared
def test_real_volumes_agree_with_nibabel(shared: Path) -> None:
    for path in sorted(shared.glob("mri_*/*.nii.gz")):
        found = volume(path)
        canonical = nibabel.as_closest_canonical(nibabel.load(path)).get_fdata(dtype=np.float32)
        flat = [axis for axis in range(3) if canonical.shape[axis] * int(np.prod(canonical.shape[3:])) == len(found)]
        index = len(found) // 2
        matches = []
        for across in flat:
            time, position = divmod(index, canonical.shape[across])
            plane = np.take(canonical[..., time] if canonical.ndim == 4 else canonical, position, axis=across)
            expected = plane.T[::-1, ::-1]
            matches.append(
                expected.shape == found[index].shape and np.allclose(found[index].pixels, expected, rtol=1e-5)
            )
        assert any(matches), path.name
