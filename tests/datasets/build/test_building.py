"""Building: determinism, interruption, failure, and what is refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from scrutiq.core import UsageError
from scrutiq.datasets import read_records
from scrutiq.datasets.build import build, info
from scrutiq.datasets.build.building import JOURNAL, MANIFEST

from .conftest import DEMO, MEDQ, PAIRS, write_recipe


def hashes(out: Path, *, journal: bool = False) -> dict[str, str]:
    """Return the hash of every file of a data set."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and (journal or path.name != JOURNAL)
    }


def journaled(out: Path) -> list[str]:
    """Return the items of the journal that are whole lines, in their order."""
    path = out / JOURNAL
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[1:-1]
    return [json.loads(line)["item"] for line in lines]


def test_the_same_recipe_gives_the_same_files_whatever_the_jobs(
    medq: Path, medq_recipe: Path, data: Path, tmp_path: Path
) -> None:
    build(medq_recipe, tmp_path / "one", data=data, jobs=1)
    assert hashes(tmp_path / "one") == hashes(medq)


def test_another_seed_gives_other_images(medq: Path, data: Path, tmp_path: Path) -> None:
    other = write_recipe(tmp_path / "other.yaml", MEDQ | {"seed": 8})
    build(other, tmp_path / "other", data=data, jobs=2)
    mine, theirs = hashes(medq), hashes(tmp_path / "other")
    degraded = [r.files["target"] for r in read_records(medq / MANIFEST) if r.applied]
    assert sum(mine[file] == theirs.get(file) for file in degraded) < len(degraded) / 4


def test_a_killed_build_goes_on_without_loss_or_repeat(pairs_recipe: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = (
        "import sys; from scrutiq.datasets.build import build; "
        "build(sys.argv[1], sys.argv[2], data=sys.argv[3], jobs=2, resume=sys.argv[4] == 'resume')"
    )
    kept: dict[str, tuple[int, int]] = {}
    for attempt, enough in enumerate((3, 9)):
        mode = "resume" if attempt else "new"
        command = [sys.executable, "-c", code, str(pairs_recipe), str(out), str(data), mode]
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        while len(journaled(out)) < enough and process.poll() is None:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        finished = journaled(out)
        assert enough <= len(finished) < 18
        assert len(finished) == len(set(finished))
        files = {path.name: path.stat() for path in (out / "images").rglob("*.png") if path.stem in finished}
        assert len(files) == len(finished)
        for name, stat in files.items():  # what was finished before was not made again
            assert kept.setdefault(name, (stat.st_ino, stat.st_mtime_ns)) == (stat.st_ino, stat.st_mtime_ns)
    (out / JOURNAL).write_bytes((out / JOURNAL).read_bytes() + b'{"item": "cut sh')  # killed while it wrote
    build(pairs_recipe, out, data=data, jobs=2, resume=True)
    for name, stamp in kept.items():
        (path,) = (out / "images").rglob(name)
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == stamp
    assert len(journaled(out)) == len(set(journaled(out))) == 18
    build(pairs_recipe, tmp_path / "whole", data=data, jobs=1)
    assert hashes(out) == hashes(tmp_path / "whole")
    assert list(out.rglob("*.partial")) == []


def test_resume_refuses_another_recipe(medq: Path, data: Path, tmp_path: Path) -> None:
    other = write_recipe(tmp_path / "other.yaml", MEDQ | {"seed": 8})
    before = hashes(medq, journal=True)
    with pytest.raises(UsageError, match="another recipe, other bases or another version"):
        build(other, medq, data=data, resume=True)
    assert hashes(medq, journal=True) == before


def test_a_finished_build_resumes_to_itself(copy: Path, medq_recipe: Path, data: Path) -> None:
    before = hashes(copy, journal=True)
    (copy / "card.md").unlink()
    seen: list[tuple[int, int]] = []
    build(medq_recipe, copy, data=data, resume=True, progress=lambda done, total, _: seen.append((done, total)))
    assert seen == [(k, 32) for k in range(1, 33)]
    assert hashes(copy, journal=True) == before


def test_a_file_that_was_lost_is_made_again(copy: Path, medq_recipe: Path, data: Path) -> None:
    before = hashes(copy)
    next((copy / "images").rglob("*.png")).unlink()
    build(medq_recipe, copy, data=data, resume=True)
    assert hashes(copy) == before


def test_a_folder_in_use_is_not_overwritten(medq: Path, medq_recipe: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds a data set already; add --resume"):
        build(medq_recipe, medq, data=data)
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        build(medq_recipe, tmp_path, data=data)


def test_a_base_that_cannot_be_read_costs_its_own_images_only(data: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(data, tmp_path / "data"))
    # The first image of a set is looked at when the plan is made; the second is damaged.
    tile = folder / "histo_tiles" / "Tile_1.jpg"
    tile.write_bytes(tile.read_bytes()[:400])
    recipe = write_recipe(tmp_path / "pairs.yaml", PAIRS | {"modalities": ["histopathology"]})
    built = build(recipe, tmp_path / "out", data=folder, jobs=2)
    assert len(built.failed) == built.images == 9
    assert all(reason.endswith(".") and "Tile" not in reason for reason in built.failed.values())
    card = info(tmp_path / "out")
    assert card["failed"] == built.failed
    assert "Images that could not be made" in (tmp_path / "out" / "card.md").read_text("utf-8")
    shutil.copy(DEMO / "histopathology/tile_1.jpg", tile)  # mended
    assert build(recipe, tmp_path / "out", data=folder, jobs=2, resume=True).failed == {}
    build(recipe, tmp_path / "whole", data=folder, jobs=1)
    assert hashes(tmp_path / "out") == hashes(tmp_path / "whole")


def test_no_bases_says_where_to_put_them(medq_recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no base images of endoscopy .* put there one of the sets"):
        build(medq_recipe, tmp_path / "out", data=tmp_path)
    with pytest.raises(UsageError, match="no folder of base images"):
        build(medq_recipe, tmp_path / "out", data=tmp_path / "nowhere")


def test_one_patient_cannot_be_split(data: Path, tmp_path: Path) -> None:
    (tmp_path / "data" / "histo_tiles").mkdir(parents=True)
    source = data / "histo_tiles" / "Tile_1.jpg"
    (tmp_path / "data" / "histo_tiles" / "Tile_1.jpg").write_bytes(source.read_bytes())
    recipe = write_recipe(tmp_path / "pairs.yaml", PAIRS | {"modalities": ["histopathology"]})
    with pytest.raises(UsageError, match="come from 1 patient or source"):
        build(recipe, tmp_path / "out", data=tmp_path / "data")


def test_a_disk_that_is_too_small_is_refused(
    pairs_recipe: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1))
    with pytest.raises(UsageError, match=r"needs about .* GB and --out has 0\.0 GB left"):
        build(pairs_recipe, tmp_path / "out", data=data)


def test_the_card_says_what_is_there(medq: Path) -> None:
    card = info(medq)
    assert card["images"] == card["planned"] == 32
    assert card["records"] == len(read_records(medq / MANIFEST)) == 24 * 4 + 4
    assert {(row["modality"], row["split"]) for row in card["counts"]} == {
        (modality, split) for modality in ("endoscopy", "histopathology") for split in ("dev", "test")
    }
    assert sum(row["images"] for row in card["counts"]) == 32
    sets = {one["name"]: one for one in card["bases"]}
    assert sets["histo_tiles"]["licence"] == "MIT (repository)"
    assert sets["endoscopy_edd2020"]["shipped_weights"] is False
    assert card["shipping"]["weights"] is False
    assert card["shipping"]["weights_refused_by"] == ["endoscopy_edd2020"]
    text = (medq / "card.md").read_text("utf-8")
    assert "may not be shipped, because of endoscopy_edd2020" in text
    assert "| endoscopy | dev |" in text
