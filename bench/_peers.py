"""What other packages take on the same images, each in a virtual environment of its own, and what a command takes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
STUDY = ROOT.parent / "shared/data/ct_denoising_readers"
ENVIRONMENTS = Path(os.environ.get("SCRUTIQ_BENCH_ENVS", Path(tempfile.gettempdir()) / "scrutiq-bench"))
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

#: What is installed, and the code that defines ``prepare`` and ``score``.
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
TIMER = """
import json, sys, time
import numpy as np
try:
    import cv2
    cv2.setNumThreads(int(sys.argv[2]))
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


def timed(python: str, setup: str, images: Path, cores: int = 1) -> float:
    """Return the median seconds an image of a piece of code, in a process of its own that may use so many cores.

    The libraries are told so, and where the system can, the process is kept to them: threads that a package starts
    itself, in spite of what the environment says, win nothing then.
    """
    keep = "import os\nif hasattr(os, 'sched_setaffinity'):\n"
    keep += f"    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:{cores}])\n"
    code = keep + "import numpy as np\n" + setup + TIMER
    threads = {**os.environ, **dict.fromkeys(THREADS, str(cores))}
    command = [python, "-c", code, str(images), str(cores)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=threads)
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


def fifty(folder: Path, count: int = 50) -> np.ndarray:
    """Return 50 decoded images of 512 x 512, uint8, or ``count`` of them."""
    from scrutiq.imaging import read

    files = sorted(folder.rglob("*.png"))
    greys = [read(file, modality="CT").pixels.astype(np.uint8) for file in files[:: max(1, len(files) // count)]]
    return np.stack([g for g in greys if g.shape == (512, 512)][:count])


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
