"""Broken inputs among good ones: one sentence each, status ``failed`` or ``unjudged``, the others judged."""

from __future__ import annotations

import os
import re
import shutil
import struct
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow
from pydicom.uid import BasicTextSRStorage

import scrutiq
from scrutiq.core import AssessmentSet

DICOM_GOOD, PNG_GOOD = "a_good.dcm", "z_good.png"


def _half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.fixture
def folder(tmp_path, write_ct, rng) -> Path:
    """Every fault of its own kind, between two good images."""
    top = tmp_path / "in"
    noise = rng.normal(100, 20, (96, 96)).astype(np.float32)
    write_ct(f"in/{DICOM_GOOD}")
    Pillow.fromarray(noise.clip(0, 255).astype(np.uint8)).save(top / PNG_GOOD)

    _half(write_ct("in/cut.dcm"))
    shutil.copy(top / PNG_GOOD, top / "cut.png")
    tifffile.imwrite(top / "cut.tif", noise)
    nibabel.save(nibabel.Nifti1Image(np.repeat(noise[..., None], 4, 2), np.eye(4)), top / "cut.nii.gz")
    nibabel.save(nibabel.Nifti1Image(np.repeat(noise[..., None], 4, 2), np.eye(4)), top / "cut_flat.nii")
    for name in ("cut.png", "cut.tif", "cut.nii.gz", "cut_flat.nii"):
        _half(top / name)
    (top / "words.dcm").write_text("Dear colleague, please find attached the images.\n" * 20)
    (top / "words.png").write_text("not an image")
    (top / "empty.dcm").write_bytes(b"")
    (top / "empty.png").write_bytes(b"")
    write_ct("in/report.dcm", SOPClassUID=BasicTextSRStorage, Modality="SR")
    _drop_pixels(top / "report.dcm")
    write_ct("in/claim.dcm", Rows=32768, Columns=32768, PixelData=b"\0" * 1024)
    header = struct.pack(">IIBBBBB", 46340, 46340, 8, 0, 0, 0, 0)
    body = zlib.compress(b"\0" * 100000)[:1500]
    (top / "claim.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")
    )
    (top / "link.png").symlink_to(top / "nowhere.png")
    os.mkfifo(top / "pipe.png")
    return top


def _drop_pixels(path: Path) -> None:
    import pydicom

    dataset = pydicom.dcmread(path)
    for element in ("PixelData", "Rows", "Columns"):
        delattr(dataset, element)
    dataset.save_as(path)


BROKEN = {
    "cut.dcm": "early|fewer|shorter|needs|bytes",
    "cut.png": "end early",
    "cut.tif": "end early",
    "cut.nii.gz": "early|damaged",
    "cut_flat.nii": "more voxels than the file can hold",
    "words.dcm": "not a DICOM file",
    "words.png": "not a PNG",
    "empty.dcm": "empty",
    "empty.png": "empty",
    "report.dcm": "no pixel|no image|holds no",
    "claim.dcm": "pixels|bytes|large",
    "claim.png": "large|pixels|early|damaged",
    "link.png": "leads nowhere",
    "pipe.png": "regular file",
}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_each_broken_file_fails_with_one_sentence_and_the_rest_is_judged(spawn, folder, jobs):
    words = ("--modality", "CT", "--rubric", "medq", "--assessor", "measured:", "--format", "json", "--jobs", jobs)
    process = spawn("assess", folder, *words)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 1
    assert "Traceback" not in err
    found = {one["source"]["path"]: one for one in AssessmentSet.from_json(out).model_dump()["assessments"]}
    assert found.keys() == BROKEN.keys() | {DICOM_GOOD, PNG_GOOD}
    for name in (DICOM_GOOD, PNG_GOOD):
        assert found[name]["status"] == "judged", name
    for name, words in BROKEN.items():
        one = found[name]
        assert (one["status"], one["judgements"]) == ("failed", {}), name
        assert re.search(words, one["reason"]), (name, one["reason"])
        assert "internal error" not in one["reason"]
        assert one["reason"].endswith(".")
        assert "\n" not in one["reason"]
        assert name not in one["reason"]
        lines = [line for line in err.splitlines() if line.startswith(f"failed: {name}")]
        assert len(lines) == 1, lines
        assert lines[0].endswith(f": {one['reason']}")


def test_nothing_confident_is_said_of_degenerate_images(run, tmp_path, rng):
    noise = rng.normal(100, 20, (96, 96)).astype(np.float32)
    half = noise.copy()
    half[:60] = np.nan
    images = {
        "nan.tif": np.full((96, 96), np.nan, np.float32),
        "inf.tif": np.full((96, 96), np.inf, np.float32),
        "mostly_nan.tif": half,
        "constant.tif": np.full((96, 96), 7, np.float32),
        "huge.tif": np.full((96, 96), 3e38, np.float32),
        "one.tif": np.ones((1, 1), np.float32),
        "line.tif": noise[:1],
        "small.tif": noise[:8, :8],
    }
    for name, pixels in images.items():
        tifffile.imwrite(tmp_path / name, pixels)
    words = ["--modality", "CT", "-r", "medq", "-r", "ct-iqa", "-r", "ct-denoising", "-r", "ldct"]
    found = run("assess", tmp_path, *words, "--format", "json")
    shown = found.json["assessments"]
    assert {one["source"]["path"] for one in shown} == images.keys()
    for one in shown:
        assert one["status"] in ("unjudged", "failed"), one["source"]["path"]
        assert one["reason"]
        assert one["judgements"] == {}
    assert found.status == (1 if any(one["status"] == "failed" for one in shown) else 0)


def test_a_file_that_vanishes_mid_run_fails_alone(folder):
    paths = sorted(folder.glob("*_good.*"))

    def remove_the_next(total: int, done: object) -> None:
        paths[-1].unlink(missing_ok=True)

    results = scrutiq.assess(paths, "medq", "measured:", modality="CT", progress=remove_the_next)
    assert [one.status for one in results] == ["judged", "failed"]
    assert results[1].reason == "the file is not there; it may have been moved or deleted."


def test_a_file_that_changes_mid_run_is_read_as_it_is_or_fails(tmp_path, write_ct):
    paths = [write_ct("a.dcm"), write_ct("b.dcm")]
    results = scrutiq.assess(paths, "medq", "measured:", progress=lambda *_: paths[-1].write_bytes(b"gone"))
    assert [one.status for one in results] == ["judged", "failed"]
    assert "internal" not in results[1].reason


def test_a_report_of_files_that_are_gone_is_still_written(tmp_path, write_ct):
    paths = [write_ct("a.dcm"), write_ct("b.dcm")]
    results = scrutiq.assess(paths)
    for path in paths:
        path.unlink()
    page = results.report(tmp_path / "report.html").read_text()
    assert all(one.case in page for one in results)
