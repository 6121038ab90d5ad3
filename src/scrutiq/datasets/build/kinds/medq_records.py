"""What ``medq-style`` publishes, in the tables of MedQ-Bench, and whether it follows from what was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scrutiq.core import Applied, Severity
from scrutiq.datasets.build.journal import Done
from scrutiq.datasets.build.plan import Item
from scrutiq.datasets.build.questions import KINDS, Ask, Shown, answer, options, question
from scrutiq.datasets.build.recipe import MedqStyle
from scrutiq.datasets.build.tables import read_table, write_tsv
from scrutiq.datasets.build.wording import comparison, description, quality_word, region_of
from scrutiq.datasets.build.wording import made as said_of
from scrutiq.datasets.record import Question, Record
from scrutiq.degradations import words

__all__ = ["SPLITS", "publish", "row_of", "verify", "write_tables"]

SPLITS = ("dev", "test")
#: How far the share of modality-specific questions may be from what is asked for, and by how many questions more: they
#: come in whole blocks.
SPECIFIC_WITHIN, SPECIFIC_BLOCKS = 0.03, 12


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
        write_tables([record for record in records if record.split == split], folder, split)
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


def write_tables(records: Sequence[Record], folder: Path, split: str) -> None:
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
