"""``net:base`` as it ships, on real images of the demo and on what it must not judge."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import scrutiq
from scrutiq import rubrics
from scrutiq.assessors import open_assessor
from scrutiq.assessors.net import shipped
from scrutiq.assessors.net.card import read_card
from scrutiq.core import Assessment, Case, Image, Modality, UsageError
from scrutiq.degradations import get
from scrutiq.imaging import read

DEMO = Path(__file__).parents[3] / "demo"
NET = open_assessor("net:base")
CARD = read_card(shipped()["base"])


def judge(image: Image, *names: str, **roles: Image) -> tuple[Assessment, ...]:
    case = Case(id="case", images={"target": image, **roles})
    return NET.assess(case, [rubrics.load(name) for name in names])


@pytest.fixture(scope="module")
def tile() -> Image:
    found = read(DEMO / "images/histopathology/tile_1.jpg", modality="histopathology", frame=0)
    assert isinstance(found, Image)
    return found


def test_the_demo_is_judged_by_default() -> None:
    results = scrutiq.assess([DEMO / "images/ct", DEMO / "images/histopathology"])
    assert {one.assessor for one in results} == {"net:base"}
    assert {one.status for one in results} == {"judged"}
    for one in results:
        for judgement in one.judgements.values():
            assert judgement.interval is not None
            assert judgement.supervision == "proxy"
        known = set(CARD.kinds(one.modality)) - set(CARD.silent)
        assert {f.degradation for f in one.findings if f.probability is not None} == known


def test_noise_that_is_added_is_seen_scored_and_measured(ct: Image) -> None:
    rng = np.random.default_rng(5)
    scores, probabilities = [], []
    for severity in (0.0, 0.5, 1.0):
        image = get("ct.low_dose").make(ct, severity, rng)
        (one,) = judge(image, "ldct")
        assert one.status == "judged", one.reason
        scores.append(one.judgements["overall"].score)
        dose = next(f for f in one.findings if f.degradation == "ct.low_dose")
        probabilities.append(dose.probability)
    assert scores == sorted(scores, reverse=True)
    assert probabilities[-1] > max(0.5, probabilities[0])
    assert dose.evidence[0].measurement == "noise_hu"


def test_a_case_gets_the_same_whatever_stands_beside_it(ct: Image, tile: Image) -> None:
    alone = judge(ct, "ldct")
    NET.assess(Case(id="other", images={"target": tile}), [rubrics.load("medq")])
    assert judge(ct, "ldct") == alone
    (first, *_), (second, *_) = judge(ct, "ldct"), judge(ct, "medq", "ldct")[1:]
    assert first.judgements == second.judgements


@pytest.mark.parametrize("shape", [(64, 64), (65, 700), (96, 97, 3), (1500, 90)])
def test_odd_shapes_and_holes_do_not_break_it(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    pixels = rng.uniform(0, 255, shape)
    pixels[3:5, 3:5] = np.nan
    for modality in CARD.modalities:
        for data_range in ((0, 255), None):
            image = Image(pixels=pixels, modality=modality, data_range=data_range)
            for one in judge(image, *rubrics.names()):
                assert one.status in ("judged", "unjudged")


def test_a_photograph_is_declined_whatever_it_is_called() -> None:
    from skimage import data

    for pixels in (data.camera(), data.astronaut(), data.coffee()):
        for modality in (Modality.CT, Modality.MR, Modality.HISTOPATHOLOGY):
            (one,) = judge(Image(pixels=pixels, modality=modality, data_range=(0, 255)), "medq")
            assert (one.status, one.judgements) == ("unjudged", {})
            assert f"does not look like the {modality} images that net:base was trained on" in str(one.reason)


def test_the_map_is_of_the_image_and_in_bounds(ct: Image) -> None:
    (one,) = judge(ct, "ldct")
    seen = NET.evidence_map(Case(id="case", images={"target": ct}), one)
    assert seen is not None
    assert seen.values.shape == ct.shape
    assert 0 <= seen.values.min() <= seen.values.max() <= 1


def test_weights_that_were_changed_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in ("model.json", *CARD.files):
        (folder / name).write_bytes((shipped()["base"] / name).read_bytes())
    assert open_assessor(f"net:{folder}").uri == f"net:{CARD.name}"
    damaged = bytearray((folder / "heads_ct.onnx").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (folder / "heads_ct.onnx").write_bytes(damaged)
    with pytest.raises(UsageError, match=r"heads_ct\.onnx: the file is not the one that was trained"):
        open_assessor(f"net:{folder}")


def test_it_ships_small_and_without_notice() -> None:
    assert sum(file.stat().st_size for file in shipped()["base"].iterdir()) <= 12e6
    assert CARD.notice is None


def test_jobs_change_nothing(tmp_path: Path) -> None:
    inputs = [DEMO / "images/ct", DEMO / "images/histopathology"]
    one, two = (
        [found.model_copy(update={"provenance": None}) for found in scrutiq.assess(inputs, jobs=jobs)]
        for jobs in (1, 2)
    )
    assert one == two


def test_it_runs_without_torch_and_scores_within_the_time(ct: Image) -> None:
    code = (
        "import sys, scrutiq;"
        f"print(scrutiq.assess({os.fspath(DEMO / 'images/ct/slice_1.dcm')!r})[0].assessor);"
        "print([name for name in ('torch', 'onnx', 'matplotlib', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["net:base", "[]"]
    judge(ct, "ldct")
    started = time.process_time()
    judge(ct, "ldct")
    assert time.process_time() - started < 1, "five times what it takes on a slow core"


class TestNotice:
    """Weights with a notice, as a user meets them."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "own"
        folder.mkdir()
        for name in CARD.files:
            (folder / name).symlink_to(shipped()["base"] / name)
        card = CARD.model_copy(update={"name": "own", "notice": "For research on these images only."})
        (folder / "model.json").write_text(card.model_dump_json())
        return folder

    @pytest.fixture
    def scrutiq_(self) -> Callable[..., subprocess.CompletedProcess[str]]:
        def run(*words: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-c", "from scrutiq.cli import main; main()", "assess", *words]
            return subprocess.run(command, capture_output=True, text=True, timeout=120)

        return run

    def test_it_is_printed_and_nothing_is_judged(
        self, folder: Path, scrutiq_: Callable[..., subprocess.CompletedProcess[str]]
    ) -> None:
        refused = scrutiq_(os.fspath(DEMO / "images/ct"), "--assessor", f"net:{folder}")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert len(refused.stderr.splitlines()) == 1
        assert "For research on these images only." in refused.stderr

    def test_accepted_it_holds_for_workers_and_is_recorded_without_the_path(
        self, folder: Path, tmp_path: Path, scrutiq_: Callable[..., subprocess.CompletedProcess[str]]
    ) -> None:
        words = ("--assessor", f"net:{folder}?notice=accepted", "--jobs", "2", "--out", os.fspath(tmp_path / "out"))
        done = scrutiq_(os.fspath(DEMO / "images/ct"), "none.png", *words)
        assert done.returncode == 1, done.stderr
        document = json.loads((tmp_path / "out" / "assessments.json").read_text())
        for one in document["assessments"]:
            assert one["assessor"] == one["provenance"]["assessor"] == "net:own"
            if one["status"] == "judged":
                assert one["provenance"]["parameters"] == {"notice": "accepted"}
        for file in (tmp_path / "out").iterdir():
            assert os.fspath(folder).encode() not in file.read_bytes(), file.name
