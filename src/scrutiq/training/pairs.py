"""Pairs of CT slices to train a denoiser on: as they came, and with the noise of a fraction of the dose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image, InputError
from scrutiq.degradations.ct.denoise_learned import LEAST_HU, MOST_HU
from scrutiq.degradations.ct.denoise_noise import at_dose
from scrutiq.imaging import read
from scrutiq.metrics import measure
from scrutiq.metrics.foreground import AIR_TO_TISSUE_HU
from scrutiq.training.recipe import Data

__all__ = ["Pair", "Split", "patches", "simulate", "split_by_patient"]

Float = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Split:
    """Files by what they are for; no patient is in two of them.

    Attributes
    ----------
    train, validation, test : tuple of Path
    patients : dict of Path to int
        Of every file, the number of its patient in this split; patients have no other name here.
    """

    train: tuple[Path, ...]
    validation: tuple[Path, ...]
    test: tuple[Path, ...]
    patients: dict[Path, int]


@dataclass(frozen=True)
class Pair:
    """A slice of full dose and what it is at a fraction of the dose.

    Attributes
    ----------
    file : str
        Name of the file.
    patient : int
        Number in the split.
    full : Image
    low : tuple of Image
        One a realisation of the noise.
    """

    file: str
    patient: int
    full: Image
    low: tuple[Image, ...]


def split_by_patient(folder: Path, data: Data, seed: int) -> Split:
    """Split the DICOM slices of a folder by PatientID, after those that are too noisy have been left out.

    Parameters
    ----------
    folder : Path
    data : Data
    seed : int

    Raises
    ------
    InputError
        If fewer than two patients are left.
    """
    from pydicom import dcmread

    owners: dict[Path, str] = {}
    for path in sorted(folder.glob("*.dcm")):
        noise = measure(_slice(path), ["noise_hu"]).get("noise_hu")
        if noise is not None and noise.value <= data.noise_at_most:
            owners[path] = str(dcmread(path, stop_before_pixels=True, specific_tags=["PatientID"]).PatientID)
    patients = sorted(set(owners.values()))
    if len(patients) < 2:
        raise InputError("a split by patient needs DICOM slices in HU of at least two patients.", str(folder))
    order = np.random.default_rng(seed).permutation(len(patients))
    first = min(max(1, round(data.train * len(patients))), len(patients) - 1)
    second = min(first + round(data.validation * len(patients)), len(patients) - 1)
    number = {patients[k]: int(place) for place, k in enumerate(order)}
    placed = {path: number[owner] for path, owner in owners.items()}
    return Split(
        tuple(p for p, n in placed.items() if n < first),
        tuple(p for p, n in placed.items() if first <= n < second),
        tuple(p for p, n in placed.items() if n >= second),
        placed,
    )


def simulate(files: Iterable[Path], split: Split, data: Data, seed: int) -> Iterator[Pair]:
    """Make the pairs of some files of a split; the noise of a file depends on the seed and its place in the split."""
    every = sorted(split.patients)
    for path in files:
        image = _slice(path)
        seeds = np.random.default_rng([seed, every.index(path)]).integers(2**32, size=data.realisations)
        low = tuple(at_dose(image, data.dose, int(s)) for s in seeds)
        yield Pair(path.name, split.patients[path], image, low)


def patches(
    pairs: Sequence[Pair], side: int, count: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Draw patches of low and of full dose from within the bodies, turned and mirrored at random.

    Parameters
    ----------
    pairs : sequence of Pair
    side : int
        Pixels.
    count : int
    rng : numpy.random.Generator

    Returns
    -------
    low, full : ndarray of float32, shape (count, 1, side, side)
        HU.
    """
    out = np.empty((2, count, 1, side, side), np.float32)
    for k in range(count):
        pair = pairs[int(rng.integers(len(pairs)))]
        low = pair.low[int(rng.integers(len(pair.low)))].pixels
        full = pair.full.pixels
        for _ in range(20):  # air teaches nothing
            y, x = (int(rng.integers(n - side + 1)) for n in full.shape)
            if (full[y : y + side, x : x + side] > AIR_TO_TISSUE_HU).mean() > 0.3:
                break
        turn, mirror = int(rng.integers(4)), bool(rng.integers(2))
        for place, source in enumerate((low, full)):
            patch = np.rot90(source[y : y + side, x : x + side], turn)
            out[place, k, 0] = patch[:, ::-1] if mirror else patch
    np.clip(out, LEAST_HU, MOST_HU, out=out)
    return out[0], out[1]


def _slice(path: Path) -> Image:
    image = read(path)
    if not isinstance(image, Image):
        raise InputError("training takes files of one slice each.", str(path))
    return image
