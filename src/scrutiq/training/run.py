"""A recipe from end to end: pairs, networks, files, and what they are worth on patients that were not seen."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from scrutiq.core import InputError, MissingExtraError
from scrutiq.training.recipe import Recipe

__all__ = ["train"]


def train(
    recipe: Recipe,
    data: str | Path,
    out: str | Path,
    *,
    resume: bool = True,
    short: bool = False,
    log: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run a recipe.

    Parameters
    ----------
    recipe : Recipe
    data : path
        The folder that holds the recipe's folder of images, or that folder itself.
    out : path
        Takes the ONNX files, ``run.json`` and ``figures.md``, and the checkpoints.
    resume : bool
        Whether to go on from the checkpoints in ``out``; they are removed first where it is False.
    short : bool
        Whether to run `Recipe.shortened`: every step is taken, nothing is learnt.
    log : callable
        Takes a line of text.

    Returns
    -------
    dict
        What ``run.json`` holds: the recipe, which files and how many patients are in each part of the split, what was
        trained in how many steps with what loss, the SHA-256 of each file, and the figures of the test.

    Raises
    ------
    MissingExtraError
        If torch is not installed.
    InputError
        If the images are not there.
    """
    try:
        import torch
    except ImportError:
        raise MissingExtraError("Training", "train") from None
    from scrutiq.training.evaluate import denoisers, figures, table
    from scrutiq.training.export import export
    from scrutiq.training.loop import fit
    from scrutiq.training.pairs import simulate, split_by_patient

    recipe = recipe.shortened() if short else recipe
    folder = Path(data) / recipe.data.folder
    folder = folder if folder.is_dir() else Path(data)
    if not folder.is_dir():
        raise InputError("there are no images to train on; name the folder of data.", str(data))
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    if not resume:
        for old in out.glob("*.checkpoint"):
            old.unlink()
    torch.use_deterministic_algorithms(True)

    log(f"{recipe.name}: splitting {folder.name} by patient")
    split = split_by_patient(folder, recipe.data, recipe.seed)
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    counts = {part: len({split.patients[p] for p in files}) for part, files in parts.items()}
    log(", ".join(f"{part} {counts[part]} patients, {len(files)} slices" for part, files in parts.items()))
    learn, watch = (list(simulate(files, split, recipe.data, recipe.seed)) for files in (split.train, split.validation))

    networks: dict[str, Any] = {}
    for name, network in recipe.networks.items():
        began = time.monotonic()
        tell = partial(_tell, log, name)
        fitted, history = fit(network, recipe.seed, learn, watch, out / f"{name}.checkpoint", tell)
        digest = export(fitted, out / f"{name}.onnx", recipe.opset)
        minutes = (time.monotonic() - began) / 60
        weights = sum(p.numel() for p in fitted.parameters())
        networks[name] = {"sha256": digest, "parameters": weights, "minutes": round(minutes, 1), "history": history}
        log(f"{name}: {weights} parameters, SHA-256 {digest}")

    # The figures rest on the first realisation of the noise.
    test = simulate(split.test, split, recipe.data.model_copy(update={"realisations": 1}), recipe.seed)
    found = figures(test, denoisers(recipe, out), recipe.seed)
    log(table(found))
    document = {
        "recipe": recipe.model_dump(mode="json"),
        "short": short,
        "patients": counts,
        "files": {part: [p.name for p in files] for part, files in parts.items()},
        "torch": torch.__version__,
        "networks": networks,
        "figures": found,
    }
    (out / "run.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    (out / "figures.md").write_text(table(found) + "\n", "utf-8")
    return document


def _tell(log: Callable[[str], None], name: str, line: str) -> None:
    log(f"{name}: {line}")
