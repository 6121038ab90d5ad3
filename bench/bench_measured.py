"""Speed and memory: ``measured:`` against ``brisque`` 0.2.0 and ``pypiqe``, the command's start, jobs, a long CT.

    python bench/bench_measured.py [--images FOLDER] [--slices 1000] [--skip-peers]

Every figure is of this run on this machine. The peers run in virtual environments of their own, made in a temporary
folder on first use, on the same 50 decoded images of 512 x 512 (8 bit), one thread each; a figure is the median over
the images of the time for one image, after a warm-up. The long CT is a real slice written many times, each with its own
position and UIDs.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from _peers import PEERS, ROOT, STUDY, environment, fifty, peak, timed

OURS = """
from scrutiq import rubrics
from scrutiq.assessors import open_assessor
from scrutiq.core import Case, Image
judge, rubric = open_assessor("measured:"), (rubrics.load("ct-denoising"),)
prepare = lambda g: Case(id="a", images={"target": Image(pixels=g, modality="CT", data_range=(0, 255))})
score = lambda case: judge.assess(case, rubric)
"""
NOISE = """
from scrutiq.core import Image
from scrutiq.metrics import measure
prepare = lambda g: Image(pixels=g, modality="CT", data_range=(0, 255))
score = lambda image: measure(image, ["noise"])
"""


def long_ct(folder: Path, slices: int) -> None:
    """Write a CT series of many slices: a real one, repeated with its own position."""
    import pydicom
    from pydicom.uid import generate_uid

    dataset = pydicom.dcmread(ROOT / "demo/images/ct/slice_1.dcm")
    series = generate_uid()
    folder.mkdir()
    for index in range(slices):
        dataset.SeriesInstanceUID = series
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.ImagePositionPatient = [-200, -200, 1.5 * ((index * 367) % slices)]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.InstanceNumber = index + 1
        dataset.save_as(folder / f"{index:04d}.dcm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, default=STUDY if STUDY.exists() else ROOT / "demo/reader-study")
    parser.add_argument("--slices", type=int, default=1000)
    parser.add_argument("--skip-peers", action="store_true")
    args = parser.parse_args()
    scrutiq = str(Path(sys.executable).with_name("scrutiq"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        greys = fifty(args.images)
        np.savez(folder / "images.npz", images=greys)
        print(f"\n{len(greys)} images of 512 x 512, one thread, median ms an image\n")
        print("| what | ms | measured: over it |\n| --- | --- | --- |")
        own = timed(sys.executable, OURS, folder / "images.npz")
        print(f"| measured: (all measurements, findings, judgement, text) | {1000 * own:.0f} | 1.00 |")
        noise = timed(sys.executable, NOISE, folder / "images.npz")
        print(f"| its noise measurement alone | {1000 * noise:.1f} | {own / noise:.2f} |")
        for label, (requirements, setup) in {} if args.skip_peers else PEERS.items():
            seconds = timed(environment(label, requirements), setup, folder / "images.npz")
            print(f"| {label} | {1000 * seconds:.0f} | {own / seconds:.2f} |")

        runs = [peak([scrutiq, "--help"])[0] for _ in range(7)]
        print(f"\n`scrutiq --help`: median {statistics.median(runs):.2f} s of 7, first {runs[0]:.2f} s")
        start = [float(_import(module)) for module in ("numpy", "scrutiq, numpy")]
        print(f"`import scrutiq` over `import numpy`: {1000 * (start[1] - start[0]):.0f} ms")

        long_ct(folder / "long", args.slices)
        for jobs in (1, 2):
            command = [
                scrutiq,
                "assess",
                str(folder / "long"),
                "--out",
                str(folder / f"out{jobs}"),
                "--jobs",
                str(jobs),
            ]
            seconds, memory = peak(command)
            print(
                f"{args.slices} CT slices, {jobs} job(s): {seconds:.0f} s ({args.slices / seconds:.1f} slices/s), "
                f"peak memory of the largest process {memory:.0f} MiB"
            )
        shutil.rmtree(folder / "long")


def _import(modules: str) -> str:
    code = f"import time; t = time.perf_counter(); import {modules}; print(time.perf_counter() - t)"
    values = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(7)
    ]
    return str(statistics.median(values))


if __name__ == "__main__":
    main()
