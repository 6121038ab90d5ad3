"""Every table of docs/explanation/accuracy.md: `net:base` beside what people use and the readers themselves.

    python bench/bench_accuracy.py [--tables readers,fundus,run] [--run DIR] [--data FOLDER] [--jobs 2] [--quick]

* ``readers``: the blind reader study of CT denoisers. What `net:base` says of an image is said by maps that were fitted
  without its set, or without its denoiser.
* ``fundus``: EyeQ's grades of fundus photographs.
* ``run``: the figures of a training run, where ``--run`` names its folder, which
  ``python -m scrutiq.training RECIPE --out DIR`` wrote.

Prints Markdown and writes each table to its place in the page, and the unrounded figures of the first two to a JSON
file beside it. ``--quick`` takes two sets of the study and thirty photographs, shows that the script runs, and leaves
both alone. Where weights are not at hand, the tables say so and have the other judges.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import _accuracy_fundus as fundus
import _accuracy_readers as readers
import _accuracy_run as run
from _accuracy_tables import keep, write

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/explanation/accuracy.md"
FIGURES = PAGE.with_suffix(".json")
TABLES = ("readers", "fundus", "run")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data", help="the data folder")
    parser.add_argument("--tables", default=",".join(TABLES), help="which, separated by commas")
    parser.add_argument("--run", type=Path, help="folder of a training run")
    parser.add_argument("--research", type=Path, default=ROOT / "weights/net_research", help="weights that know fundus")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="two sets, thirty photographs; the page stays as it is")
    args = parser.parse_args()
    asked = args.tables.split(",")
    if unknown := set(asked) - set(TABLES):
        parser.error(f"there is no table {', '.join(sorted(unknown))}; the tables are {', '.join(TABLES)}.")
    if "run" in asked and args.run is None:
        if asked == ["run"]:
            parser.error("the table run needs --run DIR.")
        asked.remove("run")

    for name in asked:
        if name == "readers":
            folder = args.data / "ct_denoising_readers"
            with tempfile.TemporaryDirectory() as kept:
                if args.quick:
                    folder = readers.excerpt(folder, 2, Path(kept))
                text, figures = readers.report(folder, args.jobs)
        elif name == "fundus":
            text, figures = fundus.report(
                args.data / "fundus_eyeq200", args.research, args.jobs, 30 if args.quick else None
            )
        else:
            text, figures = run.report(args.run), None
        print(f"\n## {name}\n\n{text}", flush=True)
        if not args.quick:
            write(PAGE, name, text)
            if figures is not None:
                keep(FIGURES, name, figures)


if __name__ == "__main__":
    main()
