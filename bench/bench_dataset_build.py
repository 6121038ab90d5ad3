"""How fast a data set is built, and that one that is killed goes on without loss or repeat.

    python bench/bench_dataset_build.py [--images 2000] [--jobs 2] [--kills 5] [--control 48]

Builds ``ldct-factorial`` with so many CT images, kills the build with SIGKILL at random, and resumes it each time.
Proved on the way: every image that the journal called finished before a kill is the same file afterwards (inode and
time of change), and no image is in the journal twice. Proved at the end: a small build that nobody interrupted, of the
first ``--control`` images and with one job, has the same bytes; and `scrutiq dataset check` has nothing to say.
It prints images per second, of one run and over all runs with what the kills cost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
CODE = (
    "import sys; from scrutiq.datasets.build import build; "
    "build(sys.argv[1], sys.argv[2], data=sys.argv[3], jobs=int(sys.argv[4]), resume=sys.argv[5] == 'resume')"
)


def journaled(out: Path) -> list[str]:
    """Return the items that the journal calls finished, in its order."""
    path = out / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")[1:-1] if path.exists() else []
    return [json.loads(line)["item"] for line in lines]


def stamps(out: Path, items: list[str]) -> dict[str, tuple[int, int]]:
    """Return inode and time of change of the file of each finished item."""
    found = {}
    for item in items:
        split, _, number = item.partition("-")
        stat = (out / split / f"{number}.tif").stat()
        found[item] = (stat.st_ino, stat.st_mtime_ns)
    return found


def start(recipe: Path, out: Path, data: Path, jobs: int, resume: bool) -> subprocess.Popen[bytes]:
    mode = "resume" if resume else "new"
    command = [sys.executable, "-c", CODE, str(recipe), str(out), str(data), str(jobs), mode]
    quiet = "ignore:resource_tracker:UserWarning"  # what a killed process leaves is the point of the exercise
    return subprocess.Popen(command, env={**os.environ, "PYTHONWARNINGS": quiet})


def recipe_of(folder: Path, images: int) -> Path:
    """Write the shipped recipe with another number of images."""
    document = yaml.safe_load((ROOT / "src/scrutiq/datasets/recipes/ldct-factorial.yaml").read_text("utf-8"))
    path = folder / f"{images}.yaml"
    path.write_text(yaml.safe_dump(document | {"images": images}), "utf-8")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--images", type=int, default=2000, help="a multiple of 16")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--control", type=int, default=48, help="images of the uninterrupted build, a multiple of 16")
    parser.add_argument("--out", type=Path, help="keep the data set here; by default it is deleted")
    args = parser.parse_args()
    from scrutiq.datasets.build import check

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        out = args.out or folder / "killed"
        recipe = recipe_of(folder, args.images)
        chance = random.Random(0)
        places = sorted(chance.sample(range(1, args.images), args.kills))
        kept: dict[str, tuple[int, int]] = {}
        wall, longest = 0.0, (0, 0.0)
        for number, place in enumerate([*places, args.images]):
            before, began = len(journaled(out)), time.perf_counter()
            process = start(recipe, out, args.data, args.jobs, number > 0)
            first: float | None = None
            while process.poll() is None and (place == args.images or len(journaled(out)) < place):
                time.sleep(0.05)
                if first is None and len(journaled(out)) > before:
                    first = time.perf_counter()
            time.sleep(chance.random() * 0.5)
            last = time.perf_counter()
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            process.wait()
            wall += time.perf_counter() - began
            finished = journaled(out)
            assert len(finished) == len(set(finished)), "an image is in the journal twice"
            assert kept.keys() <= set(finished), "a finished image was lost"
            now = stamps(out, finished)
            assert all(now[item] == stamp for item, stamp in kept.items()), "a finished image was made again"
            made = len(finished) - before
            if first is not None and made > longest[0]:
                longest = (made, last - first)
            kept = now
            end = "killed" if place < args.images else f"ended with status {process.returncode}"
            print(f"run {number + 1}: {made} images, {len(finished)} in all, {end}", flush=True)
        assert len(kept) == args.images, "an image is missing"
        control = folder / "control"
        whole = recipe_of(folder, args.control)
        assert start(whole, control, args.data, 1, False).wait() == 0
        same = [file.relative_to(control) for file in sorted(control.rglob("*.tif"))]
        same = [file for file in same if (out / file).exists()]
        assert all((control / file).read_bytes() == (out / file).read_bytes() for file in same), "bytes differ"
        found = check(out, data=args.data)
        size = sum(path.stat().st_size for path in out.rglob("*.tif")) / 1e9
        print("| images | jobs | kills | images/s, longest run | images/s, all runs with restarts | GB |")
        print("| --- | --- | --- | --- | --- | --- |")
        print(
            f"| {args.images} | {args.jobs} | {args.kills} | {longest[0] / max(longest[1], 1e-9):.2f} | "
            f"{args.images / wall:.2f} | {size:.2f} |"
        )
        print(f"{len(same)} images have the bytes of an uninterrupted build with one job")
        print("check:", "passed" if found.passed else found.problems)
        for note in found.notes:
            print(" ", note)
        if args.out is None:
            shutil.rmtree(out)


if __name__ == "__main__":
    main()
