"""What denoisers are worth on patients that no network has seen: error and noise, beside the classical ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.degradations.ct.denoise import DENOISERS, denoise
from scrutiq.degradations.ct.denoise_learned import DEPTHS, LEAST_HU, MOST_HU, load_network
from scrutiq.metrics import measure
from scrutiq.metrics.bootstrap import draw, interval
from scrutiq.metrics.foreground import foreground
from scrutiq.training.pairs import Pair
from scrutiq.training.recipe import Recipe

__all__ = ["denoisers", "figures", "table"]

Float = npt.NDArray[np.float32]
Method = Callable[[Float, float], Float]

#: Resamples of the patients.
RESAMPLES = 2000


def denoisers(recipe: Recipe, folder: Path) -> dict[str, Method]:
    """Return every denoiser by name: ``method(hu, noise)`` of CT numbers and the noise that the image has.

    Classical ones get the measured noise as their strength (the Gaussian filter, one pixel); networks need none.
    """
    methods: dict[str, Method] = {"low dose": lambda hu, noise: hu}
    for kind, one in DENOISERS.items():
        methods[kind] = lambda hu, noise, kind=kind, unit=one.unit: denoise(hu, kind, noise if unit == "HU" else 1.0)  # type: ignore[misc]
    for name, network in recipe.networks.items():
        run = load_network(folder / f"{name}.onnx")
        depths = DEPTHS if network.architecture == "map_nn" else (1,)
        for depth in depths:
            label = f"{name}, depth {depth}" if len(depths) > 1 else name

            def method(hu: Float, noise: float, depth: int = depth, run: Callable[[Float], Float] = run) -> Float:
                for _ in range(depth):
                    hu = run(hu)
                return hu

            methods[label] = method
    return methods


def figures(pairs: Iterable[Pair], methods: dict[str, Method], seed: int) -> dict[str, dict[str, list[float]]]:
    """Return, for each denoiser, the mean over patients with the interval of 95 %, of each figure.

    Parameters
    ----------
    pairs : iterable of Pair
        Of the test.
    methods : dict of str to callable
    seed : int
        Of the bootstrap over patients.

    Returns
    -------
    dict of str to dict of str to list of float
        ``rmse_hu``: from the slice of full dose, in its foreground; ``noise_hu``: the measurement of that name. Each
        is the mean, and the ends of the interval where there are at least two patients.
    """
    seen: dict[str, dict[int, list[tuple[float, float]]]] = {}
    for pair in pairs:
        tissue = foreground(pair.full)
        low = pair.low[0]
        full = np.clip(pair.full.pixels, LEAST_HU, MOST_HU)
        values = np.clip(low.pixels, LEAST_HU, MOST_HU)
        noise = _noise(low)
        for name, made in (("full dose", full), *((n, m(values, noise)) for n, m in methods.items())):
            error = float(np.sqrt(np.mean((made - full)[tissue] ** 2)))
            row = (error, _noise(low.replace(pixels=made)))
            seen.setdefault(name, {}).setdefault(pair.patient, []).append(row)
    return {name: _summary(list(rows.values()), seed) for name, rows in seen.items()}


def _summary(patients: list[list[tuple[float, float]]], seed: int) -> dict[str, list[float]]:
    means = np.array([np.mean(np.array(rows), axis=0) for rows in patients])
    out = {}
    for k, name in enumerate(("rmse_hu", "noise_hu")):
        estimate = float(means[:, k].mean())
        out[name] = [estimate]
        if len(means) > 1:
            counts = draw(len(means), RESAMPLES, np.random.default_rng(seed))
            ends = interval(estimate, counts @ means[:, k] / len(means), len(means), 0.95)
            out[name] += [] if ends is None else list(ends)
    return out


def _noise(image: Image) -> float:
    found = measure(image, ["noise_hu"]).get("noise_hu")
    return float("nan") if found is None else found.value


def table(found: dict[str, dict[str, list[float]]]) -> str:
    """Return the figures as a table in Markdown."""

    def cell(values: list[float]) -> str:
        mean, *ends = values
        return f"{mean:.1f}" + (f" ({ends[0]:.1f} to {ends[1]:.1f})" if ends else "")

    lines = ["| image | RMSE from the full dose, HU | noise, HU |", "| --- | --- | --- |"]
    lines += [f"| {name} | {cell(row['rmse_hu'])} | {cell(row['noise_hu'])} |" for name, row in found.items()]
    return "\n".join(lines)
