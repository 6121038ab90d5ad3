"""Batches of cases that load slowly, wrongly, or bring their process down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from scrutiq import rubrics
from scrutiq.assessors import Batch, choose, run
from scrutiq.core import Assessment, UsageError

#: In a module of its own, so that a worker process can import it.
HELPERS = r'''
import os, signal, time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scrutiq.core import Case, Image, InputError, Modality, Role, Source


@dataclass(frozen=True)
class Probe:
    """A case that writes down each time it is loaded, and then behaves as it is told."""

    id: str
    log: Path
    act: str = "image"
    series: str | None = None
    version: int = 0

    @property
    def source(self):
        return Source(path=f"{self.id}.png", series=self.series)

    @property
    def stamp(self):
        return f"{self.act} {self.version}"

    def load(self):
        with self.log.open("a") as log:
            log.write(self.id + "\n")
        if self.act == "refuse":
            raise InputError("it is broken.", "ZZDOE.png")
        if self.act == "error":
            raise KeyError("ZZDOE")
        if self.act == "memory":
            raise MemoryError
        if self.act == "exit":
            os._exit(7)
        if self.act == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.act == "slow":
            time.sleep(0.5)
        rng = np.random.default_rng(int(self.id.strip("abcdefghijklmnopqrstuvwxyz") or 0))
        pixels = rng.normal(100, 10, (64, 64)) + np.linspace(0, 100, 64)
        return Case(id=self.id, images={Role.TARGET: Image(pixels=pixels, modality=Modality.MR)})


class Breaking:
    uri = "breaking:"

    def assess(self, case, rubrics):
        raise ValueError("ZZDOE")

    def evidence_map(self, case, assessment):
        return None


def open_breaking(uri):
    return Breaking()
'''

Make = Callable[..., Any]


@pytest.fixture
def helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    folder = tmp_path / "helpers"
    folder.mkdir()
    (folder / "batch_helpers.py").write_text(HELPERS)
    monkeypatch.syspath_prepend(folder)
    sys.modules.pop("batch_helpers", None)
    import batch_helpers

    return batch_helpers


@pytest.fixture
def probe(helpers: ModuleType, tmp_path: Path) -> Make:
    return lambda id, act="image", **more: helpers.Probe(id, tmp_path / "log", act, **more)


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[], list[str]]:
    return lambda: (tmp_path / "log").read_text().split() if (tmp_path / "log").exists() else []


BATCH = Batch("measured:", (rubrics.load("medq"),))


def _without_time(found: list[Assessment]) -> list[dict[str, Any]]:
    documents = [json.loads(one.to_json()) for one in found]
    for document in documents:
        assert document["provenance"].pop("time")
    return documents


def test_the_order_is_that_of_the_cases_and_jobs_change_nothing(probe):
    cases = [
        probe("0", "slow"),
        *(probe(f"{n}", series="s" if n < 12 else None) for n in range(1, 16)),
        probe("16", "refuse"),
    ]
    one, three = run(cases, BATCH), run(cases, BATCH, jobs=3)
    assert [found.case for found in three] == [case.id for case in cases]
    assert _without_time(one) == _without_time(three)
    assert [found.source for found in three] == [case.source for case in cases]


def test_several_rubrics_follow_each_other_within_a_case(probe):
    batch = Batch("measured:", (rubrics.load("medq"), rubrics.load("ldct")))
    found = run([probe("1"), probe("2")], batch)
    assert [(one.case, one.rubric) for one in found] == [("1", "medq"), ("1", "ldct"), ("2", "medq"), ("2", "ldct")]


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_cannot_be_read_fails_alone_and_tells_nothing_of_the_file(probe, jobs):
    cases = [probe("1"), probe("2", "refuse"), probe("3", "error"), probe("4", "memory"), probe("5")]
    found = run(cases, BATCH, jobs=jobs)
    assert [one.status != "failed" for one in found] == [True, False, False, False, True]
    assert [one.reason for one in found[1:4]] == [
        "it is broken.",
        "an internal error stopped it (KeyError); set SCRUTIQ_DEBUG=1 to see where.",
        "it does not fit in memory.",
    ]
    assert "ZZDOE" not in "".join(one.to_json() for one in found)


def test_an_assessor_that_breaks_fails_the_case(helpers, probe, monkeypatch):
    monkeypatch.setitem(choose.SCHEMES, "breaking", "batch_helpers:open_breaking")
    (found,) = run([probe("1")], Batch("breaking:"))
    assert (found.status, found.modality) == ("failed", "MR")
    assert "(ValueError)" in found.reason
    assert "ZZDOE" not in found.to_json()


def test_a_case_that_brings_its_process_down_fails_alone(probe):
    cases = [probe(f"{n}", series="one volume") for n in range(6)]
    cases[2] = probe("2", "exit", series="one volume")
    cases += [probe("6"), probe("7", "killed")]
    found = run(cases, BATCH, jobs=2)
    assert [one.case for one in found] == [case.id for case in cases]
    assert [one.case for one in found if one.status == "failed"] == ["2", "7"]
    assert all("brought the process down" in one.reason for one in found if one.status == "failed")


def test_progress_is_told_of_each_case_once(probe, tmp_path):
    told: list[str] = []
    cases = [probe(f"{n}") for n in range(5)]
    run(cases[:2], BATCH, journal=tmp_path / "journal")
    for jobs in (1, 2):
        told.clear()
        run(
            cases,
            BATCH,
            jobs=jobs,
            journal=tmp_path / "journal",
            resume=True,
            progress=lambda found: told.extend(one.case for one in found),
        )
        assert sorted(told) == [case.id for case in cases]


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupted_run_judges_nothing_twice(probe, loaded, tmp_path, jobs):
    cases = [probe(f"{n}") for n in range(12)]
    journal = tmp_path / "journal"
    seen = []

    def interrupt(found: Any) -> None:
        seen.append(found)
        if len(seen) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(cases, BATCH, jobs=jobs, journal=journal, progress=interrupt)
    finished = {json.loads(line)["case"] for line in journal.read_text().splitlines()[1:]}
    assert len(finished) == 4
    first = loaded()
    (tmp_path / "log").unlink()
    resumed = run(cases, BATCH, jobs=jobs, journal=journal, resume=True)
    assert set(loaded()) == {case.id for case in cases} - finished
    assert len(first) < len(cases)
    assert _without_time(resumed) == _without_time(run(cases, BATCH))


def test_resume_judges_changed_and_failed_cases_again_and_forgets_removed_ones(probe, loaded, tmp_path):
    journal = tmp_path / "journal"
    run([probe("1"), probe("2"), probe("3", "refuse"), probe("4")], BATCH, journal=journal)
    (tmp_path / "log").unlink()
    found = run(
        [probe("1"), probe("2", version=1), probe("3", "refuse"), probe("5")], BATCH, journal=journal, resume=True
    )
    assert loaded() == ["2", "3", "5"]
    assert [one.case for one in found] == ["1", "2", "3", "5"]
    assert [json.loads(line)["case"] for line in journal.read_text().splitlines()[1:]] == ["1", "2", "3", "5"]


def test_the_journal_holds_no_path(probe, tmp_path):
    run([probe("1"), probe("2", "refuse")], BATCH, journal=tmp_path / "new" / "journal")
    assert ".png" not in (tmp_path / "new" / "journal").read_text()


def test_a_journal_of_another_batch_is_refused_and_left_alone(probe, tmp_path):
    journal = tmp_path / "journal"
    run([probe("1")], BATCH, journal=journal)
    before = journal.read_bytes()
    for other in (
        Batch("measured:"),
        Batch("measured:", (rubrics.load("ldct"),)),
        Batch("measured:", BATCH.rubrics, "x"),
    ):
        assert other.fingerprint != BATCH.fingerprint
        with pytest.raises(UsageError, match="another assessor, rubric, role, option or version"):
            run([probe("1")], other, journal=journal, resume=True)
    assert journal.read_bytes() == before


def test_a_wrong_call_is_refused_before_anything_is_loaded(probe, loaded):
    with pytest.raises(UsageError, match="at least 1"):
        run([probe("1")], BATCH, jobs=0)
    with pytest.raises(UsageError, match="no assessor 'oracle:'"):
        run([probe("1")], Batch("oracle:"))
    assert loaded() == []


def test_no_cases_are_no_work():
    assert run([], BATCH, jobs=4) == []


def test_the_environment_is_left_as_it_was(probe, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    run([probe("1"), probe("2")], BATCH, jobs=2)
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert "MKL_NUM_THREADS" not in os.environ


def test_a_script_without_a_main_guard_is_told_so(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import numpy as np, scrutiq\n"
        "images = [np.random.default_rng(0).normal(size=(64, 64))] * 3\n"
        "print(scrutiq.assess(images, modality='MR', jobs=2).count('failed'))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "only under if __name__ == '__main__'." in done.stderr
    script.write_text(
        "import numpy as np, scrutiq\nif __name__ == '__main__':\n"
        + "".join(f"    {line}\n" for line in script.read_text().splitlines()[1:])
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "0\n")
