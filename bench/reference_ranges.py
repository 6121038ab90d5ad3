"""Percentiles of every measurement on the real images of each modality: what the thresholds of ``measured:`` rest on.

    python bench/reference_ranges.py [--data ../shared/data] [--most 40]

Prints one Markdown table a set: the measurement, how many images have a value, its 5th, 50th, 90th and 95th percentile
and its largest value. ``src/scrutiq/assessors/measured/rules.yaml`` quotes them.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from scrutiq.assessors.measured.derived import derive
from scrutiq.core import InputError
from scrutiq.imaging import Given, find_cases
from scrutiq.metrics import Context, measure

#: Title, folder or folders, and modality where the files do not say.
SETS = (
    ("CT, clinical slices of TCIA", ("ct_siim_tcga",), None),
    ("MR, T1-weighted", ("mri_t1_defaced", "mri_contrast_t1"), None),
    ("Coronary angiography", ("xa_coronary/images",), "XA"),
    ("Fundus, good photographs", ("fundus_hrf", "fundus_drive_chase", "skimage_cc0/retina.jpg"), "fundus"),
    ("Endoscopy, sharp gastroscopy frames", ("endoscopy_gastroscopy",), "endoscopy"),
    ("Endoscopy, EAD frames with artefacts", ("endoscopy_ead2019/annotationImages_and_labels",), "endoscopy"),
    ("Histopathology, H&E", ("histo_monuseg", "histo_tiles"), "histopathology"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared/data")
    parser.add_argument("--most", type=int, default=40, help="images a set, evenly taken")
    args = parser.parse_args()
    for title, folders, modality in SETS:
        cases = list(find_cases([args.data / f for f in folders], given=Given.of(modality=modality)))
        cases = cases[:: max(1, len(cases) // args.most)]
        values: dict[str, list[float]] = defaultdict(list)
        count = 0
        for ref in cases:
            try:
                case = ref.load()
            except InputError:
                continue
            count += 1
            context = Context(case.target)
            for name, found in {**measure(context), **derive(case, context)}.items():
                values[name].append(found.value)
        print(f"\n**{title}**, {count} images\n")
        print("| measurement | n | 5 % | 50 % | 90 % | 95 % | largest |\n| --- | --- | --- | --- | --- | --- | --- |")
        for name, found in values.items():
            shown = " | ".join(f"{v:.3g}" for v in np.percentile(found, (5, 50, 90, 95, 100)))
            print(f"| {name} | {len(found)} | {shown} |")


if __name__ == "__main__":
    main()
