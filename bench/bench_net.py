"""Speed and memory of `net:base` beside ``measured:`` and ``brisque`` 0.2.0, and of the command from a cold start.

    python bench/bench_net.py [--images FOLDER] [--count 50] [--assessor net:base] [--skip-peers]

Every figure is of this run on this machine. All judge the same decoded images of 512 x 512 (8 bit), each in a process
of its own that is kept to one core, then to two (where the machine has them): `net:base` looks and measures at the same
time. A figure is the median over the images of the time for one image, after a warm-up.
``brisque`` runs in a virtual environment of its own, made in a temporary folder on first use. The assessors do all that
they do for a user: judgement, findings, measurements and text.

A cold start is ``scrutiq assess FILE`` in a new process, in turn with a process that only imports ONNX Runtime and the
readers; each is the median of seven, with files in the system's cache. The large image is a colour tile of histology,
mirrored side by side.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from _peers import PEERS, ROOT, STUDY, environment, fifty, peak, timed

PEER = "brisque 0.2.0"
OURS = """
import scrutiq
from scrutiq.core import Image
prepare = lambda g: Image(pixels=g, modality="CT", data_range=(0, 255))
score = lambda image: scrutiq.assess(image, rubric="ct-denoising", assessor={assessor!r})
"""
IMPORTS = "import onnxruntime, pydicom, nibabel, tifffile, PIL.Image, numpy"
#: Asked by the issue: cold start over the imports, and MB.
TIMES, MEMORY = 2.0, 700
TURNS = 7


def large(path: Path, side: int) -> None:
    """Write a colour image of ``side`` x ``side`` pixels: a tile, mirrored side by side."""
    from PIL import Image

    with Image.open(ROOT / "demo/images/histopathology/tile_1.jpg") as tile:
        pixels = np.asarray(tile.convert("RGB"))
    height, width = pixels.shape[:2]
    pixels = np.pad(pixels, [(0, max(0, side - height)), (0, max(0, side - width)), (0, 0)], mode="symmetric")
    Image.fromarray(pixels[:side, :side]).save(path)


def judged(command: list[str]) -> str:
    """Return what became of the one image that a command assesses."""
    done = subprocess.run([*command, "--format", "json"], capture_output=True, text=True)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        return f"no answer, status {done.returncode}"
    one = (found["assessments"] if isinstance(found, dict) else found)[0]
    return f"{one['status']} by {one['assessor']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, default=STUDY if STUDY.exists() else ROOT / "demo/reader-study")
    parser.add_argument("--count", type=int, default=50, help="images of 512 x 512")
    parser.add_argument("--side", type=int, default=4096, help="of the large colour image, pixels")
    parser.add_argument("--assessor", default="net:base")
    parser.add_argument("--skip-peers", action="store_true")
    args = parser.parse_args()
    scrutiq = str(Path(sys.executable).with_name("scrutiq"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _speed(args, folder)
        one, colour = folder / "one.png", folder / "large.png"
        from PIL import Image

        Image.fromarray(np.load(folder / "images.npz")["images"][0]).save(one)
        large(colour, args.side)
        command = [scrutiq, "assess", str(one), "--modality", "CT", "--assessor", args.assessor]
        cold, imports, memory = [], [], []
        for _ in range(TURNS):
            seconds, used = peak(command)
            cold.append(seconds)
            memory.append(used)
            imports.append(peak([sys.executable, "-c", IMPORTS])[0])
        start, base = statistics.median(cold), statistics.median(imports)
        large_command = [*command[:2], str(colour), "--modality", "histopathology", *command[5:]]
        seconds, used = peak(large_command)
        became = [judged(one) for one in (command, large_command)]
    print("\n| command | image | what became of it | s | peak memory, MiB |\n| --- | --- | --- | --- | --- |")
    print(f"| `scrutiq assess`, cold | 512 x 512, grey | {became[0]} | {start:.2f} | {max(memory):.0f} |")
    print(f"| the imports alone | - | - | {base:.2f} | - |")
    print(f"| `scrutiq assess`, cold | {args.side} x {args.side}, colour | {became[1]} | {seconds:.2f} | {used:.0f} |")
    print(
        f"\nThe cold start takes {start / base:.2f} times as long as the imports (asked: {TIMES:.0f}); peak memory on "
        f"512 x 512 is {max(memory) * 1.048576:.0f} MB (asked: below {MEMORY})."
    )


def _speed(args: argparse.Namespace, folder: Path) -> None:
    greys = fifty(args.images, args.count)
    np.savez(folder / "images.npz", images=greys)
    runs = {
        f"`{uri}`": (sys.executable, OURS.format(assessor=uri)) for uri in dict.fromkeys((args.assessor, "measured:"))
    }
    if not args.skip_peers:
        requirements, setup = PEERS[PEER]
        runs[f"`{PEER.split()[0]}` {PEER.split()[1]}"] = (environment(PEER, requirements), setup)
    cores = [n for n in (1, 2) if n <= (os.cpu_count() or 1)]
    print(f"\n{len(greys)} images of 512 x 512; median ms an image, and in brackets `{args.assessor}` over it\n")
    print(f"| what | {' | '.join('one core' if n == 1 else 'two cores' for n in cores)} |")
    print(f"| --- |{' --- |' * len(cores)}", flush=True)
    own: list[float] = []
    for title, (python, setup) in runs.items():
        seconds = [timed(python, setup, folder / "images.npz", n) for n in cores]
        own = own or seconds
        print(f"| {title} | {' | '.join(f'{1000 * s:.0f} ({o / s:.2f})' for s, o in zip(seconds, own, strict=True))} |")


if __name__ == "__main__":
    main()
