"""A volume streams: its slices are not all in memory at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from skimage.data import shepp_logan_phantom
from skimage.transform import resize

FEW, MANY, SIDE = 4, 52, 512


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Two synthetic CT series, the second of 48 slices more."""
    phantom = resize(shepp_logan_phantom(), (SIDE, SIDE))
    noise = np.random.default_rng(0).normal(0, 15, (SIDE, 2 * SIDE))
    folders = {}
    for count in (FEW, MANY):
        folder = folders[count] = tmp_path_factory.mktemp(f"series{count}")
        uid = generate_uid()
        for place in range(count):
            values = np.where(phantom > 0, phantom * 300 - 20, -1000) + noise[:, place : place + SIDE]
            dataset = Dataset()
            dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.SeriesInstanceUID = CTImageStorage, generate_uid(), uid
            dataset.Modality, dataset.Rows, dataset.Columns = "CT", SIDE, SIDE
            dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
            dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
            dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 1, 0, "HU"
            dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
            dataset.ImagePositionPatient = [0, 0, 2.5 * place]
            dataset.PixelSpacing = [0.7, 0.7]
            dataset.PixelData = values.astype("<i2").tobytes()
            dataset.file_meta = FileMetaDataset()
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.save_as(folder / f"{generate_uid()}.dcm", enforce_file_format=True)
    return folders


#: Runs the command and says how much memory it took at most. ``ru_maxrss`` would not do: a process starts with that of
#: the one that forked it, here a test runner of any size.
COMMAND = """
import atexit, sys
out = sys.argv.pop(1)
atexit.register(lambda: open(out, "w").write(next(x for x in open("/proc/self/status") if x.startswith("VmHWM"))))
from scrutiq.cli import main
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is there on Linux only")
def test_memory_does_not_grow_with_the_number_of_slices(series, tmp_path):
    peak = {}
    for count, folder in series.items():
        out = tmp_path / f"out{count}"
        words = ("assess", folder, "--out", out, "--detail", "5", "--format", "html")
        command = [sys.executable, "-c", COMMAND, tmp_path / "peak", *words]
        done = subprocess.run(list(map(os.fspath, command)), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert len((out / "journal.jsonl").read_text().splitlines()) == 1 + count
        peak[count] = int((tmp_path / "peak").read_text().split()[1]) / 1024
    # One slice is 1 MiB as float32.
    assert peak[MANY] - peak[FEW] < (MANY - FEW) / 2
    assert 50 < peak[MANY] < 600
