"""Speed and memory: ``measured:`` against ``brisque`` 0.2.0 and ``pypiqe``, the command's start, jobs, a long CT.

    python bench/bench_measured.py [--images FOLDER] [--slices 1000] [--skip-peers]

Every figure is of this run on this machine. The peers run in virtual environments of their own, made in a temporary
folder on first use, on the same 50 decoded images of 512 x 512 (8 bit), one thread each; a figure is the median over
the images of the time for one image, after a warm-up. The long CT is a real slice written many times, each with its own
position and UIDs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = Path(os.environ.get("SCRUTIQ_BENCH_ENVS", Path(tempfile.gettempdir()) / "scrutiq-bench"))
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

PEERS = {
    "brisque 0.2.0": (
        ["brisque==0.2.0", "numpy<2.4", "opencv-python-headless"],
        "from brisque import BRISQUE\nprepare = lambda g: np.dstack([g] * 3)\nscore = BRISQUE(url=False).score\n",
    ),
    "pypiqe 1.2": (
        ["pypiqe==1.2", "opencv-python-headless"],
        "from pypiqe import piqe\nprepare = lambda g: g\nscore = lambda g: piqe(g)[0]\n",
    ),
}
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
TIMER = """
import json, sys, time
import numpy as np
try:
    import cv2
    cv2.setNumThreads(1)
except ImportError:
    pass
images = [prepare(g) for g in np.load(sys.argv[1])["images"]]
score(images[0])
seconds = []
for image in images:
    start = time.perf_counter()
    score(image)
    seconds.append(time.perf_counter() - start)
print(json.dumps(seconds))
"""


def timed(python: str, setup: str, images: Path) -> float:
    """Return the median seconds an image of a piece of code, in a process of its own."""
    code = "import numpy as np\n" + setup + TIMER
    done = subprocess.run(
        [python, "-c", code, str(images)], capture_output=True, text=True, check=True, env={**os.environ, **ONE_THREAD}
    )
    return statistics.median(json.loads(done.stdout.splitlines()[-1]))


def environment(name: str, requirements: list[str]) -> str:
    """Return the Python of a peer's own virtual environment, made when it is missing."""
    folder = ENVIRONMENTS / name.split()[0]
    python = folder / "bin/python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *requirements], check=True)
        (folder / "ready").touch()
    return str(python)


def fifty(folder: Path) -> np.ndarray:
    """Return 50 decoded images of 512 x 512, uint8."""
    from scrutiq.imaging import read

    files = sorted(folder.rglob("*.png"))
    greys = [read(file, modality="CT").pixels.astype(np.uint8) for file in files[:: max(1, len(files) // 50)]]
    return np.stack([g for g in greys if g.shape == (512, 512)][:50])


def peak(command: list[str]) -> tuple[float, float]:
    """Return seconds and peak resident memory, MiB, of a command (the largest process of its tree)."""
    code = (
        "import resource, subprocess, sys, time; start = time.perf_counter();"
        "status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode;"
        "assert status == 0, status;"
        "print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    seconds, memory = (float(part) for part in done.stdout.split())
    return seconds, memory


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
    shared = ROOT.parent / "shared/data/ct_denoising_readers"
    parser.add_argument("--images", type=Path, default=shared if shared.exists() else ROOT / "demo/reader-study")
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
