"""``calibrate``, and ``assess --calibration``, on the reader study of the demo: 12 ratings of one site."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path

import pytest

import scrutiq
from scrutiq.assessors.calibration import Calibration, read_calibration
from scrutiq.core import InputError, UsageError

WORDS = ("--rubric", "ct-denoising", "--assessor", "measured:")


@pytest.fixture
def study(demo: Path) -> Path:
    return demo / "reader-study"


@pytest.fixture
def ratings(study: Path, tmp_path: Path) -> Path:
    """Ratings of a site that sees everything four points more smoothed than the readers did; groups are pairs."""
    path = tmp_path / "ratings.csv"
    with (study / "readers.csv").open(newline="") as file, path.open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(["id", "noise", "patient"])
        for number, row in enumerate(csv.DictReader(file)):
            table.writerow([row["id"], max(float(row["noise"]) - 4, 1), f"p{number // 2}"])
    return path


@pytest.fixture
def site(run, study, ratings, tmp_path) -> Path:
    path = tmp_path / "site.json"
    found = run("calibrate", study / "cases.csv", "--scores", ratings, "--out", path, *WORDS, "--keep")
    assert found.status == 0, found.err
    return path


def test_it_writes_a_file_and_says_what_it_gains(run, study, ratings, tmp_path):
    words = ("calibrate", study / "cases.csv", "--scores", ratings, *WORDS)
    shown = run(*words, "--out", tmp_path / "site.json")
    assert shown.status == 0, shown.err
    assert shown.out.startswith("noise: 12 ratings, measured: on ct-denoising\n")
    for label in ("MAE ", "RMSE ", "SROCC ", "PLCC ", "MAE falls by "):
        assert any(line.startswith(label) for line in shown.out.splitlines())
    assert "scrutiq: noise: 12 ratings are few; with 20 to 50 the figures mean more." in shown.err
    found = read_calibration(tmp_path / "site.json")
    assert (found.assessor, found.rubric, found.model_hash, found.roles) == ("measured:", "ct-denoising", None, ())
    assert found.dimensions.keys() == {"noise"}
    as_json = run(*words, "--out", tmp_path / "again.json", "--format", "json")
    assert Calibration.from_json(as_json.out) == found
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "site.json").read_bytes()
    assert "wgan" not in (tmp_path / "site.json").read_text()


def test_groups_are_read_and_few_of_them_give_no_interval(run, study, ratings, tmp_path):
    words = ("calibrate", study / "cases.csv", "--scores", ratings, "--out", tmp_path / "site.json", *WORDS)
    found = run(*words, "--group", "patient")
    assert found.out.startswith("noise: 12 ratings in 6 groups, ")
    assert "noise: no interval: 6 groups are too few for 90 %." in found.err
    assert read_calibration(tmp_path / "site.json").dimensions["noise"].half_width is None


def test_assess_applies_it(run, study, site):
    plain = run("assess", study / "cases.csv", *WORDS, "--format", "json").json["assessments"]
    found = run("assess", study / "cases.csv", "--calibration", site, "--format", "json")  # its assessor and rubric
    assert found.status == 0, found.err
    scale = read_calibration(site).dimensions["noise"]
    dimension = scrutiq.Rubric.from_json(_rubric()).dimension("noise")
    for before, after in zip(plain, found.json["assessments"], strict=True):
        old, new = before["judgements"]["noise"], after["judgements"]["noise"]
        assert new["score"] == scale.map(old["score"], dimension)
        assert new["level"] == dimension.level(new["score"]).word
        assert new["quality"] == dimension.quality(new["score"])
        assert new["coverage"] == 0.9
        assert sum(new["probabilities"].values()) == pytest.approx(1)
        assert any(note.startswith("site-calibrated: scores mapped for noise") for note in after["notes"])
        assert after["provenance"]["parameters"]["calibration"] == hashlib.sha256(site.read_bytes()).hexdigest()
        assert after["findings"] == before["findings"]
    assert any(
        a["judgements"]["noise"]["score"] != b["judgements"]["noise"]["score"]
        for a, b in zip(plain, found.json["assessments"], strict=True)
    )


def test_two_processes_say_the_same(run, study, site):
    words = ("assess", study / "cases.csv", "--calibration", site, "--format", "csv")
    assert run(*words).out == run(*words, "--jobs", "2").out


def test_the_report_says_it(run, study, site, tmp_path):
    found = run("assess", study / "ct.png", "--calibration", site, "--out", tmp_path / "out")
    assert found.status == 0, found.err
    assert "site-calibrated: scores mapped for noise" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_a_run_is_not_resumed_with_another_calibration(run, study, site, tmp_path):
    words = ("assess", study / "ct.png", *WORDS, "--out", tmp_path / "out")
    assert run(*words, "--calibration", site).status == 0
    again = run(*words, "--calibration", site, "--resume")
    assert again.status == 0
    other = tmp_path / "other.json"
    found = read_calibration(site)
    found.model_copy(update={"seed": 7}).write(other)
    for more in ((), ("--calibration", other)):
        refused = run(*words, *more, "--resume")
        assert (refused.status, len(refused.error_lines)) == (2, 1)
        assert "another assessor, rubric, role, option" in refused.err


def test_a_table_can_name_its_images(run, study, ratings, tmp_path):
    for path in study.iterdir():
        shutil.copy(path, tmp_path / path.name)
    rows = ratings.read_text().splitlines()
    named = [f"{rows[0]},target"] + [f"{row},{row.split(',')[0]}.png" for row in rows[1:]]
    (tmp_path / "both.csv").write_text("\n".join(named))
    found = run("calibrate", "--scores", tmp_path / "both.csv", "--out", tmp_path / "a.json", *WORDS)
    assert found.status == 0, found.err
    by_id = run("calibrate", study / "cases.csv", "--scores", ratings, "--out", tmp_path / "b.json", *WORDS)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes(), by_id.err


def test_a_folder_is_matched_by_file_name_and_the_rest_is_not_judged(run, study, ratings, tmp_path):
    rows = ratings.read_text().splitlines()
    by_file = [rows[0]] + [row.replace(",", ".png,", 1) for row in rows[1:]] + ["elsewhere.png,3,p"]
    (tmp_path / "files.csv").write_text("\n".join(by_file))
    found = run("calibrate", study, "--scores", tmp_path / "files.csv", "--out", tmp_path / "a.json", *WORDS)
    assert found.status == 0, found.err
    assert found.out.startswith("noise: 12 ratings,")
    assert "1 rows of ratings have no image here." in found.err


def test_from_python(study, ratings, site, tmp_path):
    found = scrutiq.calibrate(ratings, study / "cases.csv", "ct-denoising", "measured:", keep=True)
    assert found == read_calibration(site)
    results = scrutiq.assess(study / "ct.png", calibration=found)
    assert results[0].notes[-1].startswith("site-calibrated")
    assert results.batch.fingerprint != scrutiq.assess(study / "ct.png", "ct-denoising", "measured:").batch.fingerprint


def test_what_it_was_not_fitted_for_is_refused(study, site, tmp_path):
    for words, sentence in [
        ({"rubric": "ldct"}, "on the rubric ct-denoising, not on ldct"),
        ({"rubric": ["ct-denoising", "ldct"]}, "of one rubric"),
    ]:
        with pytest.raises(UsageError, match=sentence):
            scrutiq.assess(study / "ct.png", calibration=site, **words)
    own = read_calibration(site)
    with pytest.raises(UsageError, match="rubric of your own, mine"):
        scrutiq.assess(study / "ct.png", calibration=own.model_copy(update={"rubric": "mine"}))
    with pytest.raises(UsageError, match="scores of net:away, not of measured:"):
        scrutiq.assess(study / "ct.png", None, "measured:", calibration=own.model_copy(update={"assessor": "net:away"}))
    with pytest.raises(UsageError, match="name its weights"):
        scrutiq.assess(study / "ct.png", calibration=own.model_copy(update={"assessor": "net:away"}))
    with pytest.raises(InputError, match="cannot be read"):
        scrutiq.assess(study / "ct.png", calibration=tmp_path / "none.json")
    declined = scrutiq.assess(study / "ct.png", calibration=site, roles={"reference": study / "ndct.png"})
    assert (declined[0].status, "this one comes with reference" in str(declined[0].reason)) == ("unjudged", True)


def test_each_refusal_is_one_clear_sentence(run, study, ratings, tmp_path):
    rows = ratings.read_text().splitlines()
    for name, lines in {
        "few.csv": rows[:10],
        "words.csv": ["id,noise", *(f"{row.split(',')[0]},good" for row in rows[1:])],
        "strange.csv": [rows[0], *(f"x{row}" for row in rows[1:])],
        "column.csv": ["id,loudness,patient", *rows[1:]],
        "outside.csv": ["id,noise", *(f"{row.split(',')[0]},50" for row in rows[1:])],
        "twice.csv": [*rows, f"{rows[1].split(',')[0]}.png,3,p0"],
    }.items():
        (tmp_path / name).write_text("\n".join(lines))
    out, cases = tmp_path / "site.json", study / "cases.csv"
    for words, status, sentence in [
        (
            (cases, "--scores", tmp_path / "few.csv"),
            1,
            "9 images are both rated and judged, and at least 10",
        ),
        ((cases, "--scores", tmp_path / "words.csv"), 1, "no column of numbers"),
        ((cases, "--scores", tmp_path / "strange.csv"), 1, "no id of the ratings is an image"),
        ((cases, "--scores", tmp_path / "column.csv"), 2, "no column of the ratings is a dimension of ct-denoising"),
        ((cases, "--scores", tmp_path / "outside.csv"), 1, "no dimension can be calibrated: 0 images"),
        ((cases, "--scores", tmp_path / "twice.csv"), 1, "mean the same image"),
        ((cases, "--scores", tmp_path / "none.csv"), 1, "cannot be read"),
        ((cases, "--scores", ratings, "--group", "ward"), 2, "has no column 'ward'"),
        ((cases, "--scores", ratings, "--id", "name"), 2, "there is no id column 'name'"),
        (("--scores", ratings), 1, "has no column 'target'"),
    ]:
        found = run("calibrate", *words, "--out", out, *WORDS)
        assert (found.status, found.out, out.exists()) == (status, "", False), found.err
        assert len(found.error_lines) == 1
        assert sentence in found.err
    assert "would replace" in run("calibrate", cases, "--scores", ratings, "--out", ratings, *WORDS).err
    assert "does not exist" in run("calibrate", cases, "--scores", ratings, "--out", tmp_path / "no" / "a.json").err


def _rubric() -> str:
    from scrutiq import rubrics

    return json.dumps(json.loads(rubrics.load("ct-denoising").to_json()))


def test_what_the_rated_cases_came_with_is_recorded(study, ratings, tmp_path):
    lines = ["id,target,reference"]
    with ratings.open(newline="") as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    lines += [f"{one},{study / one}.png,{study / 'ndct.png'}" for one in ids]
    (tmp_path / "all.csv").write_text("\n".join(lines))
    found = scrutiq.calibrate(ratings, tmp_path / "all.csv", "ct-denoising", "measured:", modality="CT")
    assert found.roles == ("reference",)
    (tmp_path / "half.csv").write_text("\n".join([*lines[:6], *(line.rsplit(",", 1)[0] + "," for line in lines[6:])]))
    with pytest.raises(UsageError, match="some without; rate one kind"):
        scrutiq.calibrate(ratings, tmp_path / "half.csv", "ct-denoising", "measured:", modality="CT")


def test_images_that_follow_two_rubrics_need_one_named(study, demo, tmp_path):
    lines = ["id,target,modality,frame,overall", f"ct,{demo / 'images/ct/slice_1.dcm'},,0,3"]
    lines += [f"mr{n},{path},MR,,2" for n, path in enumerate(sorted(study.glob("*.png"))[:12])]
    (tmp_path / "both.csv").write_text("\n".join(lines))
    with pytest.raises(UsageError, match="the rubrics ldct and medq; name one"):
        scrutiq.calibrate(tmp_path / "both.csv", None, None, "measured:")


def test_images_that_are_not_judged_are_no_ratings(study, ratings):
    with pytest.raises(InputError, match=r"^0 images .* Most were not judged: .*Hounsfield"):
        scrutiq.calibrate(ratings, study / "cases.csv", "ldct", "measured:")
