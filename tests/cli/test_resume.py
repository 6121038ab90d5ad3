"""An interrupted run continues, and ends as if it had never been interrupted."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import nibabel
import pytest

JOURNAL = "journal.jsonl"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A volume of five slices, a tile, and a file that cannot be read."""
    demo = Path(__file__).parents[2] / "demo" / "images"
    top = tmp_path_factory.mktemp("images")
    (top / "tiles").mkdir()
    for name in ("tile_2.jpg", "scrutiq.json"):
        shutil.copy(demo / "histopathology" / name, top / "tiles")
    volume = nibabel.load(demo / "mr" / "spine_t2s.nii.gz")
    nibabel.save(volume.slicer[..., :5], top / "spine.nii.gz")
    (top / "spine.json").write_text('{"modality": "MR"}')
    (top / "words.png").write_text("not an image")
    return top


def _finished(journal: Path) -> int:
    return max(journal.read_bytes().count(b"\n") - 1, 0) if journal.exists() else 0


def _wait_for(journal: Path, count: int, process) -> None:
    end = time.monotonic() + 60
    while _finished(journal) < count and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)


def _backdate(journal: Path) -> set[str]:
    """Give every finished case a time that a second judging could not have; drop a last line that was cut short."""
    header, *lines = journal.read_bytes().split(b"\n")
    kept = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        for one in entry["assessments"]:
            one["provenance"]["time"] = "2001-01-01T00:00:00Z"
        kept.append(entry)
    journal.write_bytes(b"\n".join([header, *(json.dumps(entry).encode() for entry in kept), b""]))
    return {entry["case"] for entry in kept if entry["assessments"][0]["status"] != "failed"}


@pytest.fixture(scope="module")
def uninterrupted(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import subprocess

    out = tmp_path_factory.mktemp("whole") / "out"
    words = [sys.executable, "-c", "from scrutiq.cli import main; main()", "assess", str(images), "--out", str(out)]
    environment = {**os.environ, "SCRUTIQ_SALT": "test-salt-of-the-test-suite"}
    assert subprocess.run(words, env=environment, capture_output=True, timeout=100).returncode == 1
    return out


def test_one_and_two_jobs_give_the_same_bytes(run, images, uninterrupted, tmp_path, timeless):
    assert run("assess", images, "--out", tmp_path / "out", "--jobs", "2").status == 1
    assert timeless(tmp_path / "out") == timeless(uninterrupted)
    assert timeless(uninterrupted).keys() == {JOURNAL, "assessments.json", "judgements.csv", "report.html"}


@pytest.mark.parametrize(("seed", "jobs"), [(1, "1"), (2, "1"), (3, "2"), (4, "2")])
def test_a_killed_run_continues_and_ends_with_the_same_bytes(
    spawn, run, images, uninterrupted, tmp_path, timeless, judged_at, seed, jobs
):
    chance = random.Random(seed)
    out = tmp_path / "out"
    process = spawn("assess", images, "--out", out, "--jobs", jobs)
    _wait_for(out / JOURNAL, chance.randrange(0, 7), process)
    time.sleep(chance.uniform(0, 0.2))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = _backdate(out / JOURNAL) if (out / JOURNAL).exists() else set()

    found = run("assess", images, "--out", out, "--jobs", jobs, "--resume")
    assert found.status == 1
    assert "6 judged, 0 declined, 1 failed" in found.err
    times = judged_at(out / JOURNAL)
    assert {case for case, made in times.items() if made[0].startswith("2001")} == before
    assert timeless(out) == timeless(uninterrupted)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_run_leaves_no_worker_behind(spawn, images, tmp_path):
    process = spawn("assess", images, "--out", tmp_path / "out", "--jobs", "2")
    _wait_for(tmp_path / "out" / JOURNAL, 1, process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) >= 2
    process.send_signal(signal.SIGKILL)
    process.communicate()
    end = time.monotonic() + 20
    while any(_runs(child) for child in children):
        assert time.monotonic() < end, "a worker outlived the run"
        time.sleep(0.05)


def _runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_ends_with_130_and_keeps_what_is_finished(spawn, run, images, uninterrupted, tmp_path, timeless, jobs):
    out = tmp_path / "out"
    process = spawn("assess", images, "--out", out, "--jobs", jobs, "--format", "json", start_new_session=True)
    _wait_for(out / JOURNAL, 2, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    shown, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert shown == ""
    assert errors.splitlines() == ["scrutiq: interrupted; what is finished is kept: add --resume to continue."]
    kept = _backdate(out / JOURNAL)
    assert len(kept) >= 1
    assert run("assess", images, "--out", out, "--resume").status == 1
    assert (out / "assessments.json").read_text().count("2001-01-01") == len(kept)
    assert timeless(out) == timeless(uninterrupted)


def test_without_out_ctrl_c_promises_nothing(spawn, images, tmp_path):
    rows = "\n".join(f"{number},{images}/tiles/tile_2.jpg" for number in range(2000))
    (tmp_path / "cases.csv").write_text(f"id,target\n{rows}\n")
    process = spawn("assess", tmp_path / "cases.csv")
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    shown, errors = process.communicate(timeout=60)
    assert (process.returncode, shown) == (130, "")
    assert errors in ("scrutiq: interrupted.\n", "")  # nothing, where it had not begun to judge


def test_a_finished_run_resumes_at_once(run, images, uninterrupted, tmp_path, timeless):
    out = Path(shutil.copytree(uninterrupted, tmp_path / "out"))
    done = _backdate(out / JOURNAL)
    assert len(done) == 6
    assert run("assess", images, "--out", out, "--resume").status == 1
    assert (out / "assessments.json").read_text().count("2001-01-01") == 6
    assert timeless(out) == timeless(uninterrupted)


def test_without_resume_everything_is_judged_anew(run, images, uninterrupted, tmp_path):
    out = Path(shutil.copytree(uninterrupted, tmp_path / "out"))
    _backdate(out / JOURNAL)
    run("assess", images / "tiles", "--out", out)
    assert "2001-01-01" not in (out / JOURNAL).read_text()


@pytest.mark.parametrize(
    "other",
    [
        ["--rubric", "medq"],
        ["--modality", "CT"],
        ["--window", "40,400"],
        ["--spacing", "0.5"],
        ["--role", "reference={}/tile_1.jpg"],
    ],
)
def test_resume_with_other_settings_is_refused(run, tiles, tmp_path, other):
    out = tmp_path / "out"
    assert run("assess", tiles / "tile_2.jpg", "--out", out).status == 0
    before = (out / JOURNAL).read_bytes()
    refused = run("assess", tiles / "tile_2.jpg", "--out", out, "--resume", *(word.format(tiles) for word in other))
    assert (refused.status, refused.out) == (2, "")
    assert len(refused.error_lines) == 1
    assert refused.err.startswith("scrutiq: --resume: this folder holds a run with another assessor, rubric,")
    assert (out / JOURNAL).read_bytes() == before


@pytest.mark.parametrize("damage", ["cut", "junk", "no header", "header cut", "other json", "empty"])
def test_a_damaged_journal_costs_only_what_it_lost(run, tiles, tmp_path, timeless, damage):
    out = tmp_path / "out"
    run("assess", tiles, "--out", out)
    whole = timeless(out)
    _backdate(out / JOURNAL)
    header, first, second = (out / JOURNAL).read_bytes().splitlines(keepends=True)
    damaged, kept = {
        "cut": (header + first + second[:100], 1),
        "junk": (header + b"\xff\x00junk\n" + first + second, 2),
        "no header": (first + second, None),
        "header cut": (header[:5], 0),
        "other json": (header + b"[1]\n3\n{}\nnull\n" + second, 1),
        "empty": (b"", 0),
    }[damage]
    (out / JOURNAL).write_bytes(damaged)
    found = run("assess", tiles, "--out", out, "--resume")
    if kept is None:
        assert found.status == 2  # not a journal of this run
        return
    assert found.status == 0
    assert (out / JOURNAL).read_text().count("2001-01-01") == kept
    assert timeless(out) == whole


def test_added_files_are_judged_removed_ones_are_gone_and_changed_ones_judged_again(run, tiles, tmp_path, judged_at):
    out = tmp_path / "out"
    shutil.copy(tiles / "tile_1.jpg", tiles / "tile_0.jpg")
    run("assess", tiles, "--out", out)
    _backdate(out / JOURNAL)
    (tiles / "tile_0.jpg").unlink()
    shutil.copy(tiles / "tile_2.jpg", tiles / "tile_3.jpg")
    shutil.copy(tiles / "tile_2.jpg", tiles / "tile_1.jpg")
    found = run("assess", tiles, "--out", out, "--resume", "--format", "json").json["assessments"]
    again = {one["source"]["path"]: not one["provenance"]["time"].startswith("2001") for one in found}
    assert again == {"tile_1.jpg": True, "tile_2.jpg": False, "tile_3.jpg": True}
    assert judged_at(out / JOURNAL).keys() == {one["case"] for one in found}
    scores = {one["source"]["path"]: one["measurements"] for one in found}
    assert scores["tile_1.jpg"] == scores["tile_2.jpg"] == scores["tile_3.jpg"]


def test_what_is_said_of_an_image_counts_too(run, tiles, tmp_path):
    out = tmp_path / "out"
    (tiles / "scrutiq.json").rename(tiles / "hidden.txt")
    run("assess", tiles, "--out", out)
    (tiles / "hidden.txt").rename(tiles / "scrutiq.json")
    found = run("assess", tiles, "--out", out, "--resume", "--format", "json").json["assessments"]
    assert [one["status"] for one in found] == ["judged", "judged"]


def test_what_failed_is_tried_again(run, tiles, tmp_path):
    out = tmp_path / "out"
    cases = tmp_path / "cases.csv"
    cases.write_text(f"id,target,modality\na,{tiles}/later.jpg,histopathology\nb,{tiles}/tile_1.jpg,histopathology\n")
    assert run("assess", cases, "--out", out).status == 1
    _backdate(out / JOURNAL)
    shutil.copy(tiles / "tile_2.jpg", tiles / "later.jpg")
    found = run("assess", cases, "--out", out, "--resume", "--format", "json")
    assert found.status == 0
    assert [one["provenance"]["time"][:4] == "2001" for one in found.json["assessments"]] == [False, True]
