"""A volume streams: its slices are not all in memory at once."""

from __future__ import annotations

import os
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


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kB on Linux only")
def test_memory_does_not_grow_with_the_number_of_slices(spawn, series, tmp_path):
    peak = {}
    for count, folder in series.items():
        out = tmp_path / f"out{count}"
        with (tmp_path / "shown").open("w") as shown:
            words = ("assess", folder, "--out", out, "--detail", "5", "--format", "html")
            process = spawn(*words, stdout=shown, stderr=shown)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, (tmp_path / "shown").read_text()
        assert len((out / "journal.jsonl").read_text().splitlines()) == 1 + count
        peak[count] = usage.ru_maxrss / 1024
    # One slice is 1 MiB as float32.
    assert peak[MANY] - peak[FEW] < (MANY - FEW) / 2
    assert peak[MANY] < 600
