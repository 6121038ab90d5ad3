"""`check` finds what is planted, and nothing in a sound data set but what is known to be weak."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from scrutiq.core import InputError
from scrutiq.datasets import Question, Record, read_records, write_records
from scrutiq.datasets.build import check
from scrutiq.datasets.build.building import MANIFEST
from scrutiq.datasets.build.checking import distance
from scrutiq.datasets.build.images import sha256
from scrutiq.datasets.build.kinds.medq_records import write_tables

Change = Callable[[Record], Record]


def problems(out: Path, data: Path | None = None, *, replay: int = 4) -> list[str]:
    return check(out, data=data or out / "no data", replay=replay).problems


def rewrite(out: Path, change: Change) -> None:
    """Change records in manifest and tables alike, as somebody would who knows the layout."""
    records = [change(record) for record in read_records(out / MANIFEST)]
    write_records(out / MANIFEST, records)
    for split in ("dev", "test"):
        write_tables([record for record in records if record.split == split], out, split)


def test_a_sound_data_set_passes(medq: Path, data: Path) -> None:
    found = check(medq, data=data, replay=6)
    assert found.problems == []
    assert found.passed
    assert any(note.startswith("6 images were made again; the largest difference is 0 ") for note in found.notes)
    assert any(note.startswith("all: ") and "chance" in note for note in found.notes)
    assert any("read as medq-bench: 100 records" in note for note in found.notes)


def test_without_the_bases_the_rest_is_checked(medq: Path, tmp_path: Path) -> None:
    found = check(medq, data=tmp_path / "nowhere")
    assert found.passed
    assert any(note.startswith("no image was made again: there is no folder") for note in found.notes)


def test_an_unfinished_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finished data set"):
        check(tmp_path)


def test_an_altered_file_is_found(copy: Path) -> None:
    file = sorted((copy / "images").rglob("*.png"))[3]
    pixels = np.asarray(Pillow.open(file)).copy()
    pixels[0, 0] ^= 1
    Pillow.fromarray(pixels).save(file)
    assert problems(copy) == [f"{file.relative_to(copy).as_posix()} was changed since it was made."]


def test_an_altered_file_with_its_hash_is_found_by_making_it_again(copy: Path, data: Path) -> None:
    degraded = next(r.files["target"] for r in read_records(copy / MANIFEST) if r.applied and r.split == "dev")
    pixels = np.asarray(Pillow.open(copy / degraded)).copy()
    pixels[10:20, 10:20] = 0
    Pillow.fromarray(pixels).save(copy / degraded)
    digest = sha256((copy / degraded).read_bytes())

    def change(record: Record) -> Record:
        known: Any = record.extra["sha256"]
        new = {role: digest if record.files[role] == degraded else known[role] for role in known}
        return record.model_copy(update={"extra": type(record.extra)({**record.extra, "sha256": new})})

    rewrite(copy, change)
    (found,) = problems(copy, data, replay=32)
    assert "made again, it differs by" in found


def test_a_missing_and_a_foreign_file_are_found(copy: Path) -> None:
    first, second = sorted((copy / "images").rglob("*.png"))[:2]
    first.rename(first.with_name("foreign.png"))
    found = problems(copy)
    assert any(text.endswith(f"{first.name} is missing.") for text in found)
    assert any("foreign.png belongs to no record" in text for text in found)
    assert not any(second.name in text for text in found)


def test_a_swapped_answer_is_found(copy: Path) -> None:
    name = next(r.id for r in read_records(copy / MANIFEST) if r.question is not None and r.question.kind == "yes_no")

    def change(record: Record) -> Record:
        if record.id != name:
            return record
        assert record.question is not None
        assert record.question.answer is not None
        swapped = record.question.model_copy(update={"answer": 1 - record.question.answer})
        return record.model_copy(update={"question": swapped})

    rewrite(copy, change)
    assert problems(copy) == [f"{name}: question or answer do not follow from what was made."]


def test_a_swapped_answer_in_the_table_alone_is_found(copy: Path) -> None:
    table = copy / "medqbench_QA_dev.tsv"
    lines = table.read_text("utf-8").split("\n")
    cells = lines[1].split("\t")
    place = lines[0].split("\t").index("answer")
    cells[place] = "B" if cells[place] == "A" else "A"
    table.write_text("\n".join([lines[0], "\t".join(cells), *lines[2:]]), "utf-8")
    assert problems(copy) == ["medqbench_QA_dev.tsv does not say what the manifest says."]


@pytest.mark.parametrize("part", ["description", "pair"])
def test_a_text_that_says_something_else_is_found(copy: Path, part: str) -> None:
    name = next(r.id for r in read_records(copy / MANIFEST) if r.text is not None and part in r.id)

    def change(record: Record) -> Record:
        if record.id != name:
            return record
        return record.model_copy(update={"text": str(record.text).replace("image", "picture", 1)})

    rewrite(copy, change)
    (found,) = problems(copy)
    assert found.startswith(f"{name}: the ")


def test_a_group_in_two_splits_is_found(copy: Path) -> None:
    groups = sorted({str(r.group) for r in read_records(copy / MANIFEST) if r.split == "dev"})

    def change(record: Record) -> Record:
        stray = record.split == "test" and record.id.endswith("-description")
        return record.model_copy(update={"group": groups[0]}) if stray else record

    rewrite(copy, change)
    assert any(text == f"the group {groups[0]} is in dev and test." for text in problems(copy))


def test_a_text_that_gives_the_answer_away_is_found(copy: Path) -> None:
    def change(record: Record) -> Record:
        if record.question is None or record.question.kind != "what" or record.question.answer is None:
            return record
        told = tuple(
            option + " indeed" * (place == record.question.answer)
            for place, option in enumerate(record.question.options)
        )
        question = Question(text=record.question.text, options=told, answer=record.question.answer, kind="what")
        return record.model_copy(update={"question": question})

    rewrite(copy, change)
    found = problems(copy)
    assert any(text.startswith("the texts give answers away: what: 100.0 %") for text in found)
    assert any(text.startswith("the texts give answers away: all: ") for text in found)
    assert not any("yes_no: " in text for text in found)


def test_a_recipe_that_was_changed_afterwards_is_found(copy: Path) -> None:
    recipe = copy / "recipe.yaml"
    recipe.write_text(recipe.read_text("utf-8").replace("seed: 7", "seed: 9"), "utf-8")
    assert "recipe.yaml is not the recipe that card.json names." in problems(copy)


def test_images_that_are_missing_from_the_manifest_are_counted(copy: Path) -> None:
    records = read_records(copy / MANIFEST)
    file = next(record.files["target"] for record in records if record.question is not None)
    kept = [record for record in records if file not in record.files.values()]
    write_records(copy / MANIFEST, kept)
    for split in ("dev", "test"):
        write_tables([record for record in kept if record.split == split], copy, split)
    found = problems(copy)
    assert any("there are 23 images and 4 comparisons, not 24 and 4" in text for text in found)
    assert any(text.startswith("card.json counts 100 records") for text in found)


def test_the_distance_of_two_images() -> None:
    whole = np.full((100, 100), 100, np.uint8)
    rounded = whole.copy()
    rounded[0, 0] += 1
    assert distance(rounded, whole) == 0
    rounded[:2] += 1
    assert distance(rounded, whole) == pytest.approx(2 / 255)
    assert distance(whole, whole.astype(np.float32)) == float("inf")
    real = np.linspace(0, 1000, 100, dtype=np.float32).reshape(10, 10)
    assert distance(real + 0.5, real) == pytest.approx(5e-4, rel=1e-3)


def test_the_journal_is_no_part_of_the_check(copy: Path) -> None:
    lines = (copy / "journal.jsonl").read_text("utf-8").splitlines()
    assert json.loads(lines[0]).keys() == {"fingerprint"}
    (copy / "journal.jsonl").unlink()
    assert problems(copy) == []
