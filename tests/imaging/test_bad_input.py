"""Whatever the file, the outcome is an image or one clear sentence that names nobody."""

from __future__ import annotations

import gzip
import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pydicom.data
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from scrutiq.core import Image, InputError
from scrutiq.imaging import find_cases

NAME = "Roe^Jane_1957"
TEST_FILES = Path(pydicom.data.__file__).parent / "test_files"


def outcomes(path: Path) -> list[Image | str]:
    found: list[Image | str] = []
    for case in find_cases([path]):
        assert NAME not in case.id
        try:
            found.append(case.load().target)
            continue
        except InputError as refused:
            error = refused
        assert NAME not in error.reason
        assert str(path.parent) not in error.reason
        assert error.reason.endswith(".")
        assert "\n" not in error.reason
        assert NAME in (error.path or "")
        found.append(error.reason)
    return found


def sound() -> dict[str, bytes]:
    """Return one small sound file of each format, by its ending."""
    grey = (np.arange(4000) % 251).reshape(50, 80).astype(np.uint8)
    files = {".dcm": (TEST_FILES / "CT_small.dcm").read_bytes()}
    for ending, name in ((".png", "PNG"), (".jpg", "JPEG"), (".bmp", "BMP"), (".webp", "WEBP"), (".gif", "GIF")):
        stream = io.BytesIO()
        Pillow.fromarray(grey).save(stream, name)
        files[ending] = stream.getvalue()
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.stack([grey, grey]), photometric="minisblack", compression="zlib")
    files[".tif"] = stream.getvalue()
    files[".nii"] = nibabel.Nifti1Image(grey.astype(np.int16)[:, :, None], np.eye(4)).to_bytes()
    files[".nii.gz"] = gzip.compress(files[".nii"])
    stream = io.BytesIO()
    np.save(stream, grey)
    files[".npy"] = stream.getvalue()
    return files


SOUND = sound()


@pytest.mark.parametrize("ending", SOUND)
def test_sound_files_are_images_whatever_their_ending(tmp_path: Path, ending: str) -> None:
    for name in (f"{NAME}{ending}", NAME, f"{NAME}.png", f"{NAME}.dcm"):
        (tmp_path / name).write_bytes(SOUND[ending])
        assert all(isinstance(one, Image) for one in outcomes(tmp_path / name)), name


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("ending", SOUND)
def test_truncated(tmp_path: Path, ending: str, share: float) -> None:
    path = tmp_path / f"{NAME}{ending}"
    path.write_bytes(SOUND[ending][: int(len(SOUND[ending]) * share)])
    found = outcomes(path)
    assert found
    assert any(isinstance(one, str) for one in found)


@pytest.mark.parametrize("ending", [*SOUND, ".npz", ".zip", ""])
@pytest.mark.parametrize("content", [b"", b"Just a text.\n" * 200, b"\0" * 5000, b"PK\3\4", b"\x1f\x8b"])
def test_not_what_the_name_says(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"{NAME}{ending}"
    path.write_bytes(content)
    (reason,) = outcomes(path)
    assert isinstance(reason, str)
    if not content:
        assert "empty" in reason


def test_paths_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.png").symlink_to(tmp_path / "nowhere")
    for path, words in ((tmp_path / f"{NAME}.png", "link leads nowhere"), (tmp_path / f"{NAME}.tif", "no such file")):
        (reason,) = outcomes(path)
        assert isinstance(reason, str)
        assert words in reason


@pytest.mark.parametrize("ending", SOUND)
def test_a_file_that_vanishes_before_it_is_read(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"{NAME}{ending}"
    path.write_bytes(SOUND[ending])
    case = next(iter(find_cases([path])))
    path.unlink()
    with pytest.raises(InputError, match="not there") as caught:
        case.load()
    assert NAME not in caught.value.reason


def test_a_file_that_shrinks_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / f"{NAME}.npy"
    np.save(path, np.zeros((500, 500)))
    case = next(iter(find_cases([path])))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError):
        case.load()


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"{NAME}.png"
    path.write_bytes(SOUND[".png"])
    path.chmod(0)
    if os.geteuid() == 0:  # permissions do not bind the superuser

        def refuse(*_: object) -> None:
            raise PermissionError

        monkeypatch.setattr(Path, "open", refuse)
    (reason,) = outcomes(path)
    assert isinstance(reason, str)
    assert "permission" in reason


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / NAME).mkdir()

    def refuse(_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "scandir", refuse)
    (case,) = find_cases([tmp_path / NAME])
    assert case.error is not None
    assert "permissions" in case.error.reason


def bomb(width: int, height: int) -> bytes:
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


@pytest.mark.parametrize("size", [(10_001, 10_001), (100_000, 100_000), (2**31 - 1, 2**31 - 1)])
def test_claims_of_too_many_pixels(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / f"{NAME}.png"
    path.write_bytes(bomb(*size))
    (reason,) = outcomes(path)
    assert isinstance(reason, str)
    assert "claims" in reason


def test_claims_of_two_gigabytes_cost_nothing(tmp_path: Path) -> None:
    nifti = bytearray(SOUND[".nii"])
    nifti[40:56] = np.array([3, 1024, 1024, 1024, 1, 1, 1, 1], "<i2").tobytes()
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (512, 1024, 1024)})
    one = io.BytesIO()
    tifffile.imwrite(one, np.zeros((50, 80), np.uint8), compression="zlib")
    tiff = bytearray(one.getvalue())
    with tifffile.TiffFile(io.BytesIO(one.getvalue())) as file:
        for tag in ("ImageWidth", "ImageLength", "RowsPerStrip"):
            at = file.pages.first.tags[tag].valueoffset
            tiff[at : at + 2] = (9999).to_bytes(2, "little")
    claims = {
        ".nii": nifti,
        ".nii.gz": gzip.compress(nifti),
        ".npy": stream.getvalue(),
        ".tif": tiff,
        ".png": bomb(9999, 9999),
    }
    for ending, content in claims.items():
        (tmp_path / f"{NAME}{ending}").write_bytes(bytes(content[:2048]))
    code = (
        "import resource, sys; from scrutiq.imaging import find_cases; from scrutiq.core import InputError\n"
        "import PIL.Image, tifffile, nibabel, numpy\n"
        "used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = used()\n"
        "for case in find_cases([sys.argv[1]]):\n"
        "    try: case.load(); print('read')\n"
        "    except InputError as error: print('refused')\n"
        "print(used() - before)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    *found, grown = run.stdout.split()
    assert set(found) == {"refused"}
    assert len(found) >= 5
    assert int(grown) < 300


def test_nan_and_infinity_are_marked(tmp_path: Path) -> None:
    values = np.array([[1.0, np.nan], [np.inf, 1e300]])
    np.save(tmp_path / f"{NAME}.npy", values)
    tifffile.imwrite(tmp_path / f"{NAME}.tif", values)
    for ending in (".npy", ".tif"):
        (image,) = outcomes(tmp_path / f"{NAME}{ending}")
        assert isinstance(image, Image)
        assert image.valid is not None
        assert image.valid.tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (40, 40)])
def test_tiny_and_constant_images(tmp_path: Path, shape: tuple[int, int]) -> None:
    pixels = np.full(shape, 9, np.uint8)
    Pillow.fromarray(pixels).save(tmp_path / f"{NAME}.png")
    tifffile.imwrite(tmp_path / f"{NAME}.tif", pixels)
    np.save(tmp_path / f"{NAME}.npy", pixels)
    nibabel.save(nibabel.Nifti1Image(pixels, np.eye(4)), tmp_path / f"{NAME}.nii.gz")
    for ending in (".png", ".tif", ".npy", ".nii.gz"):
        (image,) = outcomes(tmp_path / f"{NAME}{ending}")
        assert isinstance(image, Image)
        assert sorted(image.shape) == sorted(shape)
        assert (image.pixels == 9).all()


@pytest.mark.parametrize("ending", [".png", ".tif", ".nii", ".nii.gz", ".npy", ".jpg"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_give_an_image_or_a_sentence(tmp_path: Path, ending: str, data: st.DataObject) -> None:
    content = bytearray(SOUND[ending])
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / f"{NAME}{ending}"
    path.write_bytes(bytes(content))
    outcomes(path)


@pytest.mark.shared
def test_every_shared_image_is_found_and_read(shared: Path) -> None:
    found = find_cases([shared])
    cases = list(found)
    assert len(cases) > 3000
    assert len({case.id for case in cases}) == len(cases)
    assert [case.source.path for case in cases if case.error is not None] == []
    for case in cases[:: max(1, len(cases) // 300)]:
        assert case.load().target.source.series == case.source.series
