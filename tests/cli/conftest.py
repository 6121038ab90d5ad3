"""Runs the real command, in this process where the process does not matter, and makes small real inputs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from skimage.data import shepp_logan_phantom
from skimage.transform import resize

from scrutiq.cli import main

DEMO = Path(__file__).parents[2] / "demo"
COMMAND = [sys.executable, "-c", "from scrutiq.cli import main; main()"]


@dataclass(frozen=True)
class Ran:
    """What a call of the command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error_lines(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.strip()]


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that calls the command's own entry point in this process."""

    def call(*words: str | os.PathLike[str]) -> Ran:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["scrutiq", *map(os.fspath, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        code = stopped.value.code
        captured = capsys.readouterr()
        return Ran(code if isinstance(code, int) else 0 if code is None else 1, captured.out, captured.err)

    return call


@pytest.fixture
def spawn() -> Callable[..., subprocess.Popen[str]]:
    """Return a function that starts the command as a process of its own."""

    def start(*words: str | os.PathLike[str], **options: Any) -> subprocess.Popen[str]:
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        return subprocess.Popen([*COMMAND, *map(os.fspath, words)], **options)

    return start


@pytest.fixture
def demo() -> Path:
    return DEMO


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """Two small histopathology tiles in a folder that says what they are."""
    return Path(shutil.copytree(DEMO / "images" / "histopathology", tmp_path / "tiles"))


@pytest.fixture
def write_ct(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a synthetic CT slice, a noisy phantom in HU, as DICOM."""
    phantom = resize(shepp_logan_phantom(), (192, 192))

    def write(
        name: str, *, noise: float = 20, seed: int = 0, syntax: str = ExplicitVRLittleEndian, **more: Any
    ) -> Path:
        rng = np.random.default_rng(seed)
        values = np.where(phantom > 0, phantom * 300 - 20, -1000) + rng.normal(0, noise, phantom.shape)
        dataset = ct_header(name, syntax)
        dataset.Rows, dataset.Columns = phantom.shape
        dataset.PixelData = (values + 1024).clip(0, 4095).astype("<u2").tobytes()
        for element, value in more.items():
            setattr(dataset, element, value)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        dataset.save_as(path, enforce_file_format=True)
        return path

    return write


def ct_header(series: str, syntax: str = ExplicitVRLittleEndian) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = CTImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[series])
    dataset.Modality = "CT"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 1, -1024, "HU"
    dataset.PixelSpacing = [1.0, 1.0]
    dataset.WindowCenter, dataset.WindowWidth = 40, 400
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


@pytest.fixture
def timeless() -> Callable[[Path], dict[str, bytes]]:
    """Return a function that reads the files of a run's folder with the times of judging taken out."""

    def read(folder: Path) -> dict[str, bytes]:
        time = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|\+00:00| UTC)?")
        return {path.name: time.sub(b"TIME", path.read_bytes()) for path in sorted(folder.iterdir())}

    return read


@pytest.fixture
def judged_at() -> Callable[[Path], dict[str, Sequence[str]]]:
    """Return a function that reads from a journal when each finished case was judged."""

    def read(journal: Path) -> dict[str, Sequence[str]]:
        entries = [json.loads(line) for line in journal.read_text("utf-8").splitlines()[1:] if line.endswith("}")]
        return {entry["case"]: [one["provenance"]["time"] for one in entry["assessments"]] for entry in entries}

    return read
