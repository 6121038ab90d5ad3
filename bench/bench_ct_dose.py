"""Whether simulated CT noise obeys the physics: dose, variance on real slices, spectrum; and streaks by views.

    python bench/bench_ct_dose.py [--data ../shared/data/ct_siim_tcga] [--patients 0] [--seeds 4]

Prints Markdown tables:

* the noise of the full dose in the middle of a water cylinder of 320 mm, and the ratio of the noise at a quarter of the
  dose to that at the full dose without electronic noise (quantum statistics: 2.00);
* real slices, one a patient: the variance that `ct.low_dose` adds at a quarter of the dose, over the theory: the
  variance that the fraction adds to each line integral (`dose.added_variance`), propagated through FBP
  (`fbp_noise.pixel_variance`), at 4,000 pixels of the body;
* the peak of the spectrum of the added noise, over that of the same FBP of a white sinogram: the vertex of the parabola
  through the bins of at least half of the highest power, since the peak is broad and its highest bin is chance;
* the streak index of `ct.sparse_view` at 720, 256, 128 and 64 views.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.ct import dose, scan
from scrutiq.degradations.ct.attenuation import WATER_PER_MM
from scrutiq.degradations.ct.fbp_noise import pixel_variance
from scrutiq.degradations.ct.low_dose import DEGRADATION as LOW_DOSE
from scrutiq.degradations.ct.phantom import Ellipse, rasterise
from scrutiq.degradations.ct.sparse_view import DEGRADATION as SPARSE_VIEW
from scrutiq.imaging import find_cases
from scrutiq.metrics.foreground import foreground
from scrutiq.metrics.nps import power_spectrum

DATA = Path(__file__).parents[2] / "shared/data/ct_siim_tcga"


def water() -> Image:
    pixels = rasterise([Ellipse(0, 0, 160, 160, 0, 1000)], (512, 512), (0.7, 0.7)) - 1000
    return Image(pixels=pixels, modality="CT", unit="HU", spacing=(0.7, 0.7))


def phantom_table() -> None:
    image = water()
    beam = scan.beam_of(image, scan.draw_scan(np.random.default_rng(0), "fan"))
    full = dose.counts(scan.line_integrals(image, beam), beam)
    print("| electronic noise, counts | dose | SD in the middle, HU | over the full dose's |")
    print("| --- | --- | --- | --- |")
    for electronic in (0.0, dose.REFERENCE.electronic):
        setting = dose.Dose(photons=dose.REFERENCE.photons, electronic=electronic)
        base = 0.0
        for fraction in (1.0, 0.5, 0.25, 0.1):
            spread = []
            for seed in range(4):
                rng = np.random.default_rng(seed)
                error = scan.error_in_hu(dose.noise(full * fraction, setting, rng), image, beam)
                spread.append(error[206:306, 206:306].std())
            level = float(np.sqrt(np.mean(np.square(spread))))
            base = base or level
            print(f"| {electronic:g} | {fraction:g} | {level:.2f} | {level / base:.3f} |")


def bases(folder: Path, most: int) -> list[Image]:
    """Return one slice a patient."""
    import pydicom

    patients: dict[str, Path] = {}
    for path in sorted(folder.glob("*.dcm")):
        patients.setdefault(str(pydicom.dcmread(path, stop_before_pixels=True).PatientID), path)
    chosen = list(patients.values())[: most or None]
    return [case.load().target for path in chosen for case in find_cases([path])]


def variance_table(images: list[Image], seeds: int) -> None:
    ratios, peaks = [], []
    for image in images:
        beam_of = LOW_DOSE.draw(image, 0.5, np.random.default_rng(0))
        beam = scan.beam_of(image, beam_of)
        integrals = scan.line_integrals(image, beam)
        variance = dose.added_variance(dose.counts(integrals, beam), 0.25)
        rows, columns = np.nonzero(foreground(image) & (scan.from_isocentre(image) < 0.9 * beam.radius))
        some = np.random.default_rng(0).choice(len(rows), min(4000, len(rows)), replace=False)
        rows, columns = rows[some], columns[some]
        theory = pixel_variance(variance, beam, image.shape, scan.spacing_of(image), rows, columns, scan.KERNEL, 0.5)
        theory *= (1000 / WATER_PER_MM) ** 2
        measured = []
        spectra: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        for seed in range(seeds):
            added = dose.added_noise(integrals, beam, 0.25, np.random.default_rng(seed))
            error = scan.error_in_hu(added, image, beam)
            measured.append(np.var(error[rows, columns] / np.sqrt(theory)))
            white = np.random.default_rng(100 + seed).standard_normal(integrals.shape)
            for kept, noise in zip(spectra, (error, scan.error_in_hu(white, image, beam)), strict=True):
                middle = noise[noise.shape[0] // 2 - 64 :, noise.shape[1] // 2 - 64 :][:128, :128]
                kept += [middle[r : r + 64, c : c + 64] for r in (0, 32, 64) for c in (0, 32, 64)]
        ratios.append(float(np.mean(measured)))
        found = [peak(np.stack(kept), image.spacing) for kept in spectra]
        peaks.append(found[0] / found[1])
    for name, values, limit in (("added variance over theory", ratios, 5), ("peak of the spectrum", peaks, 10)):
        away = 100 * np.abs(np.array(values) - 1)
        print(
            f"| {name} | {len(values)} | {np.median(values):.3f} | {min(values):.3f} to {max(values):.3f} | "
            f"{int((away <= limit).sum())} within {limit} % |"
        )


def peak(regions: np.ndarray, spacing: tuple[float, float]) -> float:
    """Return the frequency at which the noise of the regions has most power."""
    spectrum = power_spectrum(regions - regions.mean(axis=(1, 2), keepdims=True), spacing)
    top = spectrum.power > 0.5 * spectrum.power.max()
    curve = np.polynomial.Polynomial.fit(spectrum.frequency[top], spectrum.power[top], 2)
    return float(curve.deriv().roots()[0])


def streak_table(images: list[Image]) -> None:
    print("| beam | bases | " + " | ".join(f"{v} views" for v in (720, 256, 128, 64)) + " | growing in |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for kind in scan.BEAMS:
        table = []
        for image in images:
            drawn = {**SPARSE_VIEW.draw(image, 0.5, np.random.default_rng(0)), "beam": kind}
            made = [SPARSE_VIEW.apply(image, {**drawn, "kept_views": views}) for views in (720, 256, 128, 64)]
            table.append([SPARSE_VIEW.measurement.compute(one) for one in made])
        values = np.array(table, dtype=float)
        growing = int((np.diff(values, axis=1) > 0).all(axis=1).sum())
        cells = " | ".join(f"{v:.2f}" for v in np.median(values, axis=0))
        print(f"| {kind} | {len(values)} | {cells} | {growing} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--patients", type=int, default=0, help="how many; 0 for all")
    parser.add_argument("--seeds", type=int, default=4)
    options = parser.parse_args()
    phantom_table()
    images = bases(options.data, options.patients)
    print("\n| real slices, a quarter of the dose | slices | median | range | |\n| --- | --- | --- | --- | --- |")
    variance_table(images, options.seeds)
    print()
    streak_table(images)


if __name__ == "__main__":
    main()
