"""``medq-style``: questions, descriptions and comparisons in the layout of MedQ-Bench.

Liu et al., MedQ-Bench: Evaluating and Exploring Medical Image Quality Assessment Abilities in MLLMs, section 2 and
appendix A. Answers follow from what was made; no model writes or answers anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import JsonValue
from scipy import ndimage

from scrutiq.core import HU, Applied, FrozenDict, Image, Modality, Severity, UsageError, Window
from scrutiq.datasets.bases import BaseImage
from scrutiq.datasets.build.journal import Done
from scrutiq.datasets.build.making import Maker, degraded
from scrutiq.datasets.build.plan import Item, Step, apportion, rng_of, rounds, seed_of
from scrutiq.datasets.build.questions import KINDS, Ask, Shown, answer, deal, options, question
from scrutiq.datasets.build.recipe import MedqStyle
from scrutiq.datasets.build.sources import Sources
from scrutiq.datasets.build.tables import read_table, write_tsv
from scrutiq.datasets.build.wording import comparison, confusable, description, quality_word, region_of
from scrutiq.datasets.build.wording import made as said_of
from scrutiq.datasets.record import Question, Record
from scrutiq.degradations import words
from scrutiq.metrics.foreground import foreground

__all__ = ["make", "plan", "publish", "shown_as", "verify"]

SPLITS = ("dev", "test")
#: Severities that are made: well inside mild (1/3 to 2/3) and severe (beyond 2/3).
MILD, SEVERE = (0.42, 0.62), (0.75, 1.0)
#: Of the two images of a fine-grained comparison: visible in both, and a subtle step apart.
FINE, STEP = (0.45, 0.75), 0.25
#: Sets of CT slices of the trunk, whose headers name the examination and not what the slice shows; and the share of
#: lung in the body from which a slice is one of the chest.
TRUNK, LUNG = ("ct_siim_tcga",), 0.06
#: How many bases at least are shown as free of degradation.
LEAST = 4
#: How far the share of modality-specific questions may be from what is asked for, and by how many questions more: they
#: come in whole blocks.
SPECIFIC_WITHIN, SPECIFIC_BLOCKS = 0.03, 12
#: Soft tissue, as the abdominal window of IQAGPT, section 2.1.
CT_WINDOW = Window.from_bounds(-160, 240)


def plan(recipe: MedqStyle, sources: Sources) -> list[Item]:
    """Return the images of the questions, split by split and modality by modality, then those of the comparisons."""
    share = {split: 1 / len(SPLITS) for split in SPLITS}
    divided = {m: sources.split(m, share, recipe.seed) for m in recipe.modalities}
    found = sources.flaws([one for modality in recipe.modalities for one in sources.of(modality)])
    # What is not asked about (an inserted lesion) is no fault of a base either.
    flaws = {name: tuple(flaw for flaw in of if flaw not in recipe.exclude) for name, of in found.items()}
    items: list[Item] = []
    for split in SPLITS:
        per_cell = recipe.images // (len(SPLITS) * len(recipe.modalities))
        cells: list[Item] = []
        for number, modality in enumerate(recipe.modalities):
            counts = _counts(recipe, per_cell, number)
            cells += _cell(recipe, sources, split, modality, divided[modality][split], counts, flaws)
        asked = deal([_planned(item) for item in cells], recipe.specific, recipe.seed, split)
        items += [
            item.model_copy(
                update={"facts": FrozenDict({**item.facts, "questions": [a.to_json() for a in asked[item.id]]})}
            )
            for item in cells
        ]
        items += _comparisons(recipe, sources, split, {m: divided[m][split] for m in recipe.modalities})
    return items


def _counts(recipe: MedqStyle, per_cell: int, number: int) -> dict[Severity, int]:
    """Return how many images of each severity a cell has: the counts of all cells together follow the shares."""
    shares = {Severity.NONE: recipe.none, Severity.MILD: recipe.mild, Severity.SEVERE: recipe.severe}
    so_far, before = apportion((number + 1) * per_cell, shares), apportion(number * per_cell, shares)
    return {level: so_far[level] - before[level] for level in shares}


def _cell(
    recipe: MedqStyle,
    sources: Sources,
    split: str,
    modality: Modality,
    images: Sequence[BaseImage],
    counts: dict[Severity, int],
    flaws: Mapping[str, tuple[str, ...]],
) -> list[Item]:
    """Return the images of one modality in one split."""
    rng = rng_of(recipe.seed, split, modality.value, "cell")
    fitting = sources.fit(images, recipe.exclude)
    faults = sorted({name for one in images for name in fitting[one.id]})
    if not faults:
        raise UsageError(f"no degradation of {modality.value} can be made in its base images.")
    # The severe images and as many of the mild ones show the same faults: how-questions need both.
    severe = rounds(faults, counts[Severity.SEVERE], rng)
    shared = severe[: counts[Severity.MILD]]
    mild = [*shared, *rounds(faults, counts[Severity.MILD] - len(shared), rng)]
    wanted: list[tuple[Severity, str | None]] = [
        *[(Severity.NONE, None)] * counts[Severity.NONE],
        *[(Severity.MILD, name) for name in mild],
        *[(Severity.SEVERE, name) for name in severe],
    ]
    # What is shown as free of degradation is made from the bases with the fewest faults of their own.
    best = sorted(images, key=lambda b: len(flaws[b.id]))
    most = max(len(flaws[best[0].id]), len(flaws[best[min(LEAST, len(best)) - 1].id]))
    clean = [b for b in images if len(flaws[b.id]) <= most]
    turn = {level: _Turn(clean if level is Severity.NONE else images, rng) for level in Severity}
    items = []
    for number, (level, name) in enumerate(wanted):
        one = turn[level].next(
            lambda b, name=name: name is None or name in fitting[b.id],  # type: ignore[misc]
            lambda b, name=name: name is None or not any(confusable(name, flaw) for flaw in flaws[b.id]),  # type: ignore[misc]
        )
        identity = f"{split}-{modality.value.lower()}-{number:05d}"
        steps: tuple[Step, ...] = ()
        if name is not None:
            low, high = MILD if level is Severity.MILD else SEVERE
            severity = round(float(rng.uniform(low, high)), 3)
            steps = (Step(degradation=name, severity=severity, seed=seed_of(recipe.seed, identity)),)
        facts: dict[str, JsonValue] = {"base_flaws": list(flaws[one.id])}
        items.append(_item(identity, identity, one, split, modality, steps, facts))
    return items


class _Turn:
    """Lets bases take turns; one that does not fit is passed over and keeps its place."""

    def __init__(self, images: Sequence[BaseImage], rng: np.random.Generator) -> None:
        self._queue = [images[i] for i in rng.permutation(len(images))]

    def next(self, fits: Callable[[BaseImage], bool], better: Callable[[BaseImage], bool]) -> BaseImage:
        """Return the next that fits, one that fits better where there is one, and put it at the end."""
        fitting = [one for one in self._queue if fits(one)]
        chosen: BaseImage = next((one for one in fitting if better(one)), fitting[0])
        self._queue.remove(chosen)
        self._queue.append(chosen)
        return chosen


def _comparisons(
    recipe: MedqStyle, sources: Sources, split: str, images: dict[Modality, list[BaseImage]]
) -> list[Item]:
    """Return the two images of each comparison of a split."""
    rng = rng_of(recipe.seed, split, "comparisons")
    count = recipe.pairs // len(SPLITS)
    fine = apportion(count, {True: recipe.fine, False: 1 - recipe.fine})[True]
    grains = rng.permutation(np.arange(count) < fine)
    first_better = rng.permutation(np.arange(count) % 2 == 0)
    turn = {m: iter(rounds(images[m], count, rng)) for m in images}
    fitting = {m: sources.fit(images[m], recipe.exclude) for m in images}
    faults = {m: iter(rounds(sorted({n for v in fitting[m].values() for n in v}), 2 * count, rng)) for m in images}
    items: list[Item] = []
    for number in range(count):
        modality = recipe.modalities[number % len(recipe.modalities)]
        one = next(turn[modality])
        name = next((n for n in faults[modality] if n in fitting[modality][one.id]), fitting[modality][one.id][0])
        if grains[number]:
            low = float(rng.uniform(*FINE))
            levels = (round(low, 3), round(low + STEP, 3))
        else:
            levels = (0.0, round(float(rng.uniform(*SEVERE)), 3))
        case = f"{split}-pair-{number:05d}"
        for letter, severity in zip("ab", levels if first_better[number] else levels[::-1], strict=True):
            # One seed for both: the same fault, grown.
            step = Step(degradation=name, severity=severity, seed=seed_of(recipe.seed, case)) if severity else None
            items.append(_item(f"{case}-{letter}", case, one, split, modality, () if step is None else (step,), {}))
    return items


def _item(
    identity: str,
    case: str,
    one: BaseImage,
    split: str,
    modality: Modality,
    steps: tuple[Step, ...],
    facts: Mapping[str, JsonValue],
) -> Item:
    return Item(
        id=identity,
        case=case,
        base=one.id,
        group=one.group,
        split=split,
        modality=modality,
        steps=steps,
        stem=f"images/{split}/{identity}",
        form="display",
        facts=FrozenDict(facts),
    )


def _planned(item: Item) -> Shown:
    step = item.steps[-1] if item.steps else None
    severity = Severity.NONE if step is None else Severity.of(step.severity)
    flaws: Any = item.facts.get("base_flaws", [])
    return Shown(item.id, item.modality, None if step is None else step.degradation, severity, tuple(flaws))


def shown_as(image: Image) -> Image:
    """Return a base with the window through which it and all that is made from it is shown.

    CT in soft tissue; MR and others without a window of their own from black at the 1st to white at the 99.5th
    percentile of what is not background. It is fixed before anything is made, so that degraded images are comparable.
    """
    if image.unit == HU:
        return image.replace(voi=CT_WINDOW)
    if image.is_colour or image.voi is not None or (image.data_range is not None and image.data_range[1] <= 255):
        return image
    tissue = foreground(image)
    values = image.pixels[tissue if tissue.any() else np.ones(image.shape, dtype=bool)]
    low, high = (float(v) for v in np.percentile(values[np.isfinite(values)], (1, 99.5)))
    return image.replace(voi=Window.from_bounds(min(low, 0.0) if low < 0 else 0.0, max(high, low + 1e-6)))


def make(maker: Maker, item: Item) -> tuple[Image, dict[str, JsonValue]]:
    """Return one image as it is shown."""
    base = maker.base(item.base)
    facts: dict[str, JsonValue] = {}
    if maker.bases[item.base].base in TRUNK:
        facts["region"] = "LUNGS" if lung_share(base) > LUNG else "NO_LUNGS"
    return degraded(shown_as(base), item.steps), facts


def lung_share(image: Image) -> float:
    """Return the share of the body that has the CT numbers of aerated lung, -950 to -600 HU."""
    labels, count = ndimage.label(ndimage.binary_opening(image.pixels > -400, iterations=2))
    if count == 0:
        return 0.0
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    body = ndimage.binary_fill_holes(labels == sizes.argmax())  # without the table and its cushion
    return float(((image.pixels > -950) & (image.pixels < -600) & body).sum() / max(int(body.sum()), 1))


def publish(
    recipe: MedqStyle, made: Sequence[tuple[Item, Done]], base_of: Mapping[str, str], folder: Path
) -> list[Record]:
    """Write the tables of MedQ-Bench and return the records: questions, descriptions and comparisons."""
    by_case: dict[str, list[tuple[Item, Done]]] = {}
    for item, done in made:
        by_case.setdefault(item.case, []).append((item, done))
    records: list[Record] = []
    for found in by_case.values():
        if "questions" in found[0][0].facts:
            records += _records_of(recipe, *found[0], base_of)
        elif len(found) == 2:  # a comparison needs both
            records.append(_record_of_pair(recipe, found, base_of))
    for split in SPLITS:
        _tables([record for record in records if record.split == split], folder, split)
    return records


def _records_of(recipe: MedqStyle, item: Item, done: Done, base_of: Mapping[str, str]) -> list[Record]:
    asks: Any = item.facts["questions"]
    common = _common(item, done, base_of)
    records = []
    for entry in asks:
        ask = Ask.from_json(entry)
        extra = {**common["extra"], "scope": "modality-specific" if ask.specific else "general", "ask": entry}
        records.append(
            Record(**{**common, "id": f"{item.id}-{ask.kind}", "extra": extra, "question": asked(ask, item, done)})
        )
    region = _region(item, done, base_of)
    text = description(item.modality, region, done.history, (recipe.seed, item.id))
    return [*records, Record(**{**common, "id": f"{item.id}-description", "text": text})]


def _region(item: Item, done: Done, base_of: Mapping[str, str]) -> str | None:
    seen = done.facts.get("region", done.region)
    return region_of(item.modality, seen, base_of[item.base])


def asked(ask: Ask, item: Item, done: Done) -> Question:
    """Return a question in words, with the answer that follows from what was made."""
    name, severity = said_of(done.history)
    shown = Shown(item.id, item.modality, name, severity)
    return Question(
        text=question(ask, item.modality),
        options=options(ask),
        answer=ask.choices.index(answer(ask, shown)),
        kind=ask.kind,
    )


def _record_of_pair(recipe: MedqStyle, found: Sequence[tuple[Item, Done]], base_of: Mapping[str, str]) -> Record:
    (item, first), (_, second) = found
    text, better, grain = comparison(first.history, second.history, (recipe.seed, item.case))
    common = _common(item, first, base_of)
    extra = {
        **common["extra"],
        "sha256": {"target": first.sha256, "other": second.sha256},
        "grain": grain,
        "better": better,
        "degradation": (first.history or second.history)[-1].degradation,
        "severity": said_of(first.history)[1].value,
        "severity_other": said_of(second.history)[1].value,
        "applied_other": [one.model_dump(mode="json") for one in second.history],
    }
    return Record(
        **{
            **common,
            "id": item.case,
            "files": {"target": first.file, "other": second.file},
            "text": text,
            "extra": extra,
        }
    )


def _common(item: Item, done: Done, base_of: Mapping[str, str]) -> dict[str, Any]:
    name, severity = said_of(done.history)
    return {
        "files": {"target": done.file},
        "modality": item.modality,
        "split": item.split,
        "group": item.group,
        "base": base_of[item.base],
        "applied": done.history,
        "extra": {
            "sha256": {"target": done.sha256},
            "base_image": item.base,
            "source": "simulated",
            "severity": severity.value,
            "degradation": name or "none",
            "attribute": words(name).attribute if name else "none",
            "region": _region(item, done, base_of),
            "base_flaws": item.facts.get("base_flaws"),
        },
    }


_BREAKDOWN = ("modality", "degradation", "attribute", "severity", "source", "base", "group")
QA = ("index", "image_path", "question", "A", "B", "C", "D", "answer", "question_type", "scope", *_BREAKDOWN)
DESCRIPTION = ("index", "image_path", "description", "quality", *_BREAKDOWN)
PAIRED = ("index", "image_path", "description", "better", "grain", "severity_other", *_BREAKDOWN)


def _tables(records: Sequence[Record], folder: Path, split: str) -> None:
    for name, columns, found in _tables_of(records):
        rows = [row_of(one, index) for index, one in enumerate(found)]
        write_tsv(folder / f"medqbench_{name}_{split}.tsv", rows, columns)


def _tables_of(records: Sequence[Record]) -> list[tuple[str, tuple[str, ...], list[Record]]]:
    questions = [one for one in records if one.question is not None]
    pairs = [one for one in records if "better" in one.extra]
    texts = [one for one in records if one.question is None and "better" not in one.extra]
    return [("QA", QA, questions), ("description", DESCRIPTION, texts), ("paired_description", PAIRED, pairs)]


def row_of(record: Record, index: int) -> dict[str, Any]:
    """Return the row of a record in the table that it belongs to."""
    row: dict[str, Any] = {
        **record.extra,
        "index": index,
        "modality": record.modality.value,
        "group": record.group,
        "base": record.base,
        "description": record.text,
    }
    if "better" in record.extra:
        return row | {"image_path": repr([record.files["target"], record.files["other"]])}
    row["image_path"] = record.files["target"]
    if record.question is None:
        return row | {"quality": quality_word(Severity(str(record.extra["severity"])))}
    letters = dict(zip("ABCD", record.question.options, strict=False))
    assert record.question.answer is not None
    return row | {
        "question": record.question.text,
        "answer": "ABCD"[record.question.answer],
        "question_type": record.question.kind,
        **letters,
    }


def verify(recipe: MedqStyle, records: Sequence[Record], folder: Path, complete: bool) -> list[str]:
    """Return what is not as the recipe and the parameters say."""
    problems: list[str] = []
    questions = [one for one in records if one.question is not None]
    pairs = [one for one in records if "better" in one.extra]
    problems += [text for one in questions if (text := _wrong_question(one))]
    problems += [text for one in records if one.text is not None and (text := _wrong_text(recipe, one))]
    kinds = Counter((one.files["target"], one.question.kind) for one in questions if one.question is not None)
    images = {file for file, _ in kinds}
    if set(kinds.values()) - {1} or any((file, kind) not in kinds for file in images for kind in KINDS):
        problems.append("an image has not one question of each kind.")
    shown = {one.files["target"]: one for one in questions}.values()
    if complete:
        problems += _wrong_counts(recipe, list(shown), questions, pairs)
    for split in SPLITS:
        problems += _wrong_tables([one for one in records if one.split == split], folder, split)
    return problems


def _wrong_question(record: Record) -> str | None:
    entry: Any = record.extra["ask"]
    ask, name, severity = Ask.from_json(entry), *said_of(record.applied)
    shown = Shown(record.id, record.modality, name, severity)
    expected = Question(
        text=question(ask, record.modality),
        options=options(ask),
        answer=ask.choices.index(answer(ask, shown)),
        kind=ask.kind,
    )
    return None if record.question == expected else f"{record.id}: question or answer do not follow from what was made."


def _wrong_text(recipe: MedqStyle, record: Record) -> str | None:
    if "better" in record.extra:
        other: Any = record.extra["applied_other"]
        second = [Applied.model_validate(one) for one in other]
        text, better, grain = comparison(record.applied, second, (recipe.seed, record.id))
        if (text, better, grain) != (record.text, record.extra["better"], record.extra["grain"]):
            return f"{record.id}: the comparison does not follow from what was made."
        return None
    region: Any = record.extra["region"]
    identity = record.id.removesuffix("-description")
    text = description(record.modality, region, record.applied, (recipe.seed, identity))
    return None if text == record.text else f"{record.id}: the description does not follow from what was made."


def _wrong_counts(
    recipe: MedqStyle, shown: Sequence[Record], questions: Sequence[Record], pairs: Sequence[Record]
) -> list[str]:
    problems = []
    if len(shown) != recipe.images or len(pairs) != recipe.pairs:
        problems.append(
            f"there are {len(shown)} images and {len(pairs)} comparisons, not {recipe.images} and {recipe.pairs}."
        )
    for split in SPLITS:
        half = [one for one in shown if one.split == split]
        if 2 * len(half) != len(shown):
            problems.append(f"{split} has {len(half)} of {len(shown)} images, not half.")
        counts = Counter(one.extra["severity"] for one in half)
        for level, share in (("none", recipe.none), ("mild", recipe.mild), ("severe", recipe.severe)):
            # A cell of the design holds whole images: half an image a modality is as near as can be.
            if abs(counts[level] - share * len(half)) > 1 + 0.5 * len(recipe.modalities):
                problems.append(f"{split} has {counts[level]} images with {level} degradation, not {share:.1%}.")
    own = [one for one in questions if one.extra["scope"] == "modality-specific"]
    within = SPECIFIC_WITHIN + SPECIFIC_BLOCKS / max(len(questions), 1)
    if questions and abs(len(own) / len(questions) - recipe.specific) > within:
        problems.append(
            f"{len(own) / len(questions):.1%} of the questions are specific to the modality, not {recipe.specific:.1%}."
        )
    fine = sum(one.extra["grain"] == "fine" for one in pairs)
    if pairs and abs(fine - recipe.fine * len(pairs)) > 2:
        problems.append(f"{fine} of {len(pairs)} comparisons are fine-grained, not {recipe.fine:.1%}.")
    first = sum(one.extra["better"] == "first" for one in pairs)
    if abs(2 * first - len(pairs)) > 2:
        problems.append(f"the first image is the better one in {first} of {len(pairs)} comparisons, not in half.")
    return problems


def _wrong_tables(records: Sequence[Record], folder: Path, split: str) -> list[str]:
    problems = []
    for name, columns, found in _tables_of(records):
        path = folder / f"medqbench_{name}_{split}.tsv"
        try:
            rows = read_table(path)
        except (OSError, ValueError):
            problems.append(f"{path.name} is missing or damaged.")
            continue
        expected = [
            {key: str(row[key]) if row.get(key) is not None else "" for key in columns}
            for row in (row_of(one, index) for index, one in enumerate(found))
        ]
        if rows != expected:
            problems.append(f"{path.name} does not say what the manifest says.")
    return problems
