"""How well metrics rank denoised CT slices as three radiologists did: the table of the blind reader study.

    python bench/bench_reader_study.py [--data ../shared/data/ct_denoising_readers]

Prints Markdown. Scored as the study is: the 12 denoisers, anchors (low and normal dose) out, ratings outside the scale
missing, the mean of the valid readers, 10 sets a region. SROCC with a 95 % interval from a bootstrap that draws sets.

Every predictor is turned so that a higher value means "rated higher": less noise for the noise scale (1 too noisy, 7
as normal dose, 14 over-smoothed), better quality for contrast and structure. A negative figure is a wrong sign.
`measured:` sees the target alone; metrics with a reference see the normal-dose image, after the target's intensity was
fitted to it. The denoiser lookup is the mean rating that the same denoiser had in the other sets: it never looks at the
image.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from scrutiq import Image, assess, read
from scrutiq.metrics import FULL_REFERENCE, MEASURES, Context, compare, fit_intensity, measure
from scrutiq.metrics.agreement import agree

ANCHORS = ("LDCT", "NDCT")
SCALES = {"noise": (1, 14), "contrast": (1, 5), "structure": (1, 5)}
TARGET_ONLY = ("noise", "niqe", "brisque", "piqe")
WITH_REFERENCE = ("psnr", "ssim", "ms_ssim", "vif", "gmsd")
TITLES = {"noise": "noise (ours)", "ms_ssim": "MS-SSIM", "measured": "`measured:` noise", "lookup": "denoiser lookup"}

Row = dict[str, float]


def ratings(folder: Path) -> dict[tuple[str, str, str, str], Row]:
    """Return the mean valid rating a scale, by (region, set, method, file)."""
    given: dict[tuple[str, str, str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with (folder / "ratings.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["method"] in ANCHORS:
                continue
            key = (row["region"], row["set"], row["method"], row["file"])
            for scale, (low, high) in SCALES.items():
                if row[scale] and low <= float(row[scale]) <= high:
                    given[key][scale].append(float(row[scale]))
    return {key: {scale: float(np.mean(v)) for scale, v in scales.items()} for key, scales in given.items()}


def predictions(target: Image, normal: Image) -> Row:
    """Return every predictor of one image, turned so that higher means rated higher."""
    context = Context(target)
    found = {
        name: (-m.value if MEASURES[name].direction == "lower is better" else m.value)
        for name, m in measure(context, TARGET_ONLY).items()
    }
    fitted = fit_intensity(target, normal)
    for name, m in compare(fitted, normal, data_range=255, names=WITH_REFERENCE).items():
        found[name] = -m.value if FULL_REFERENCE[name].direction == "lower is better" else m.value
    (assessment,) = assess(target, rubric="ct-denoising", assessor="measured:")
    for scale, judgement in assessment.judgements.items():
        if judgement.score is not None:
            found[f"measured {scale}"] = judgement.score
    return found


def lookup(keys: list[tuple[str, str, str, str]], rated: list[Row]) -> list[Row]:
    """Return, for each image, the mean rating of its denoiser in the other sets of its region."""
    rows = []
    for region, group, method, _ in keys:
        others = [r for k, r in zip(keys, rated, strict=True) if k[0] == region and k[2] == method and k[1] != group]
        rows.append({scale: float(np.mean([r[scale] for r in others if scale in r])) for scale in SCALES})
    return rows


def cell(predicted: list[float], rated: list[float], sets: list[str]) -> str:
    if not np.isfinite(predicted).any():
        return "declined"
    agreement = agree(predicted, rated, clusters=sets)
    low, high = agreement.ci["srocc"] or (float("nan"), float("nan"))
    short = f", n {agreement.n}" if agreement.missing else ""
    return f"{agreement.srocc:.3f} [{low:.2f}, {high:.2f}]{short}"


def table(title: str, keys: list[tuple[str, str, str, str]], rated: list[Row], found: list[Row]) -> str:
    looked_up = lookup(keys, rated)
    sets = [key[1] for key in keys]
    nan = float("nan")
    rows = [("measured", "target")]
    rows += [(name, "target") for name in TARGET_ONLY]
    rows += [(name, "target and normal dose") for name in WITH_REFERENCE]
    rows += [("lookup", "name of the denoiser")]
    lines = [
        f"### {title}: {len(keys)} images, {len(set(sets))} sets",
        "",
        "| predictor | sees | " + " | ".join(SCALES) + " |",
        "| --- | --- | " + " | ".join("---" for _ in SCALES) + " |",
    ]
    for name, sees in rows:
        cells = []
        for scale in SCALES:
            if name == "lookup":
                predicted = [r[scale] for r in looked_up]
            elif name == "measured":
                predicted = [f.get(f"measured {scale}", nan) for f in found]
            else:
                predicted = [f.get(name, nan) for f in found]
            cells.append(cell(predicted, [r.get(scale, nan) for r in rated], sets))
        lines.append(f"| {TITLES.get(name, name.upper())} | {sees} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).resolve().parents[2] / "shared" / "data" / "ct_denoising_readers"
    parser.add_argument("--data", type=Path, default=default, help="folder with ratings.csv, abdomen/ and brain/")
    folder = parser.parse_args().data
    given = ratings(folder)
    for region, title in (("abdomen", "Abdomen"), ("brain", "Head")):
        keys = [key for key in given if key[0] == region]
        found = []
        for key in keys:
            normal = read(folder / Path(key[3]).parent / "ndct.png", modality="CT", frame=0)
            found.append(predictions(read(folder / key[3], modality="CT", frame=0), normal))
        print(table(title, keys, [given[key] for key in keys], found), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
