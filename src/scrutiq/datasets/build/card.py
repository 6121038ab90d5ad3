"""The data card: what a data set holds, where it comes from, what it is not, and what may be done with it."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from scrutiq.core import InputError, Severity
from scrutiq.datasets.bases import BaseImage, base
from scrutiq.datasets.build.images import write_bytes
from scrutiq.datasets.build.journal import Done
from scrutiq.datasets.build.plan import Item
from scrutiq.datasets.build.recipe import Recipe
from scrutiq.datasets.record import Record
from scrutiq.degradations import words

__all__ = ["CARD", "info", "write_card"]

CARD = "card.json"
_TEXT = "card.md"
#: Distributions whose version can change a pixel.
_LIBRARIES = ("scrutiq", "numpy", "scipy", "scikit-image", "numba", "onnxruntime", "pillow", "tifffile", "pydicom")

#: What the labels are, by the kind of recipe.
_LABELS = {
    "ldct-factorial": (
        "The score of an image is a proxy, 4 (1 - n)(1 - s), of its noise level n and its streak level s. It is no "
        "radiologist. Whatever is trained on it says `proxy-trained`."
    ),
    "ct-iqa": (
        "Scores and captions follow by a fixed rule from how each image was made; the rule stands in the recipe's "
        "module. They are a proxy, no radiologist. Whatever is trained on them says `proxy-trained`."
    ),
    "medq-style": (
        "Answers, descriptions and comparisons follow from the degradation that was made and its severity; no model "
        "and no reader gave them. Faults that a base has by itself are not asked about as far as their own "
        "measurements show them; of others the answers do not know."
    ),
    "pairs": (
        "Within a series the image that was made less severe is the better one. Between series, or between different "
        "degradations, nothing is said."
    ),
    "angio-triplets": (
        "Scores follow by a fixed rule from the flaws that were made and their severity. They are a proxy, no "
        "radiologist. Whatever is trained on them says `proxy-trained`."
    ),
}


def info(out: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the data card of a data set that was built: what ``card.json`` holds.

    Raises
    ------
    InputError
        If the folder holds no finished data set.
    """
    path = Path(out) / CARD
    try:
        card = json.loads(path.read_text("utf-8"))
    except OSError:
        raise InputError("the folder holds no finished data set; build one, or add --resume.", str(out)) from None
    except ValueError:
        raise InputError("the data card is damaged; build again with --resume.", str(out)) from None
    if not isinstance(card, dict):
        raise InputError("the data card is damaged; build again with --resume.", str(out))
    return card


def write_card(
    recipe: Recipe,
    items: Sequence[Item],
    made: Sequence[tuple[Item, Done]],
    failed: Mapping[str, str],
    bases: Mapping[str, BaseImage],
    records: Sequence[Record],
    folder: Path,
) -> None:
    """Write ``card.json`` and ``card.md``."""
    card = _card(recipe, items, made, failed, bases, records)
    write_bytes(folder / CARD, (json.dumps(card, indent=2, ensure_ascii=False) + "\n").encode())
    write_bytes(folder / _TEXT, _markdown(card).encode())


def _card(
    recipe: Recipe,
    items: Sequence[Item],
    made: Sequence[tuple[Item, Done]],
    failed: Mapping[str, str],
    bases: Mapping[str, BaseImage],
    records: Sequence[Record],
) -> dict[str, Any]:
    used = sorted({bases[name].base for item, _ in made for name in (item.base, *item.others.values())})
    cells: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item, _ in made:
        cells[item.modality.value, item.split].append(item)
    steps = Counter(
        (applied.degradation, Severity.of(applied.severity).value) for _, done in made for applied in done.history
    )
    sets = [_set(name, [bases[item.base] for item, _ in made if bases[item.base].base == name]) for name in used]
    return {
        "name": recipe.name,
        "title": recipe.title,
        "kind": recipe.kind,
        "description": recipe.description,
        "labels": _LABELS[recipe.kind],
        "proxy": recipe.kind in ("ldct-factorial", "ct-iqa", "angio-triplets"),
        "source": "simulated",
        "recipe_hash": recipe.hash,
        "seed": recipe.seed,
        "versions": _versions(),
        "images": len(made),
        "records": len(records),
        "planned": len(items),
        "failed": dict(failed),
        "counts": [
            {
                "modality": modality,
                "split": split,
                "images": len(found),
                "bases": len({item.base for item in found}),
                "groups": len({item.group for item in found}),
                "without_degradation": sum(not item.steps for item in found),
            }
            for (modality, split), found in sorted(cells.items())
        ],
        "degradations": [
            {
                "name": name,
                "term": words(name).term,
                "below_mild": steps[name, "none"],
                "mild": steps[name, "mild"],
                "severe": steps[name, "severe"],
            }
            for name in sorted({name for name, _ in steps})
        ],
        "bases": sets,
        "shipping": _shipping(sets),
    }


def _set(name: str, images: Sequence[BaseImage]) -> dict[str, Any]:
    one = base(name)
    return {
        "name": name,
        "what": one.what,
        "licence": one.licence,
        "in_repository": one.in_repository,
        "shipped_weights": one.shipped_weights,
        "attribution_required": one.attribution_required,
        "attribution": one.attribution,
        "bases": len({image.id for image in images}),
        "images": len(images),
    }


def _shipping(sets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    refused = [one["name"] for one in sets if not one["shipped_weights"]]
    kept = [one["name"] for one in sets if one["in_repository"] != "may be"]
    return {
        "weights": not refused,
        "weights_refused_by": refused,
        "images": not kept,
        "images_refused_by": kept,
        "attribution": [one["attribution"] for one in sets if one["attribution_required"]],
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _markdown(card: Mapping[str, Any]) -> str:
    shipping = card["shipping"]
    weights = (
        "Weights trained on it may be shipped."
        if shipping["weights"]
        else f"Weights trained on it may not be shipped, because of {', '.join(shipping['weights_refused_by'])}."
    )
    images = (
        "The images may be passed on."
        if shipping["images"]
        else f"The images may not be passed on as a whole, because of {', '.join(shipping['images_refused_by'])}."
    )
    parts = [
        f"# {card['title']}",
        card["description"].strip(),
        f"**What the labels are.** {card['labels']}",
        f"**What may be done with it.** {weights} {images}"
        + "".join(f" To be named: {text}" for text in shipping["attribution"]),
        f"{card['images']} images, {card['records']} records, seed {card['seed']}, kind `{card['kind']}`; every image "
        "is simulated or an unchanged base.",
        "## Bases per modality and split\n\n"
        + _table(
            ("modality", "split", "images", "bases", "patients or sources", "without degradation"),
            [
                [row[key] for key in ("modality", "split", "images", "bases", "groups", "without_degradation")]
                for row in card["counts"]
            ],
        ),
        "## Bases and their licences\n\n"
        + _table(
            ("set", "licence", "bases", "images", "shipped weights", "attribution"),
            [
                [
                    f"`{row['name']}`",
                    row["licence"],
                    row["bases"],
                    row["images"],
                    "yes" if row["shipped_weights"] else "no",
                    row["attribution"],
                ]
                for row in card["bases"]
            ],
        ),
        "## Degradations\n\n"
        "How often each was made: below 1/3 of its severity (hardly visible), mild (to 2/3) and severe.\n\n"
        + _table(
            ("degradation", "term", "below mild", "mild", "severe"),
            [
                [f"`{row['name']}`", row["term"], row["below_mild"], row["mild"], row["severe"]]
                for row in card["degradations"]
            ],
        ),
        "## How it was made\n\n"
        f"Recipe hash `{card['recipe_hash'][:16]}`. "
        + ", ".join(f"{k} {v}" for k, v in card["versions"].items())
        + ".",
    ]
    if card["failed"]:
        rows = [[f"`{name}`", reason] for name, reason in card["failed"].items()]
        parts.append("## Images that could not be made\n\n" + _table(("image", "reason"), rows))
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in cells)
