"""The contract of ``scrutiq assess``: what goes where, and with which exit status."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image as Pillow

from scrutiq.core import AssessmentSet

SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "schema" / "AssessmentSet.json"


def _grey(path: Path, seed: int = 0, size: int = 96) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    smooth = np.add.outer(np.arange(size), np.arange(size)) / size * 50 + 60
    noisy = smooth + np.random.default_rng(seed).normal(0, 5, (size, size))
    Pillow.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(path)
    return path


def test_json_is_one_document_by_the_schema_and_nothing_else(spawn, tiles):
    process = spawn("assess", tiles, "--format", "json")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    document = json.loads(out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert AssessmentSet.from_json(out).to_json(indent=2) + "\n" == out
    assert document["schema_version"] == "1"
    assert [one["status"] for one in document["assessments"]] == ["judged", "judged"]
    assert "2 judged, 0 declined, 0 failed" in err
    assert "skipped: files that are not images (1)" in err


def test_every_judgement_has_its_evidence(run, demo):
    document = run("assess", demo / "images" / "ct", "--format", "json").json
    for one in document["assessments"]:
        assert one["rubric"] == "ldct"
        judgement = one["judgements"]["overall"]
        assert judgement["interval"][0] <= judgement["score"] <= judgement["interval"][1]
        assert one["text"]
        assert one["measurements"]["noise_hu"]["unit"] == "HU"
        for finding in one["findings"]:
            for evidence in finding["evidence"]:
                assert one["measurements"][evidence["measurement"]]["value"] == evidence["value"]


def test_table_has_one_line_a_case(run, demo):
    found = run("assess", demo / "images" / "mr", demo / "images" / "histopathology")
    assert found.status == 0
    lines = found.out.splitlines()
    assert lines[0].split() == ["case", "input", "modality", "rubric", "judgement", "worst", "finding"]
    judged, declined, failed = map(int, re.findall(r"\d+(?= \w+(?:, |$))", found.error_lines[-1]))
    assert len(lines) == 1 + judged + declined
    assert (judged > 5, failed) == (True, 0)
    assert all(line.startswith("c-") for line in lines[1:])
    assert "spine_t2s.nii.gz [3]" in found.out


def test_csv_says_the_same_as_json(run, tiles):
    table = list(csv.DictReader(io.StringIO(run("assess", tiles, "--format", "csv").out)))
    document = run("assess", tiles, "--format", "json").json
    expected = [
        (one["case"], one["source"]["path"], name, judgement["score"])
        for one in document["assessments"]
        for name, judgement in one["judgements"].items()
    ]
    judged = [row for row in table if row["outcome"] == "judged"]
    assert [(r["case"], r["path"], r["dimension"], float(r["score"])) for r in judged] == expected


@pytest.mark.parametrize("format", ["html", "parquet"])
def test_formats_that_are_files_need_out(run, tiles, tmp_path, format):
    refused = run("assess", tiles, "--format", format)
    assert (refused.status, refused.out) == (2, "")
    assert refused.error_lines == [f"scrutiq: --format {format} needs --out DIR."]
    done = run("assess", tiles, "--format", format, "--out", tmp_path / "out")
    assert (done.status, done.out) == (0, "")
    assert (tmp_path / "out" / ("report.html" if format == "html" else "judgements.parquet")).stat().st_size > 1000


def test_parquet_holds_the_rows_of_the_csv_file(run, tiles, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    run("assess", tiles, "--format", "parquet", "--out", tmp_path / "out")
    rows = pq.read_table(tmp_path / "out" / "judgements.parquet").to_pylist()
    with (tmp_path / "out" / "judgements.csv").open(newline="") as file:
        assert [row["score"] and f"{row['score']!r}" for row in rows] == [
            r["score"] or None for r in csv.DictReader(file)
        ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--rubric", "medk"], "Did you mean 'medq'?"),
        (["--rubric", "none.yaml"], "the file cannot be read"),
        (["--assessor", "oracle:"], "there is no assessor 'oracle:'"),
        (["--assessor", "oracle"], "write SCHEME:MODEL"),
        (["--assessor", "measured:big"], "takes no model"),
        (["--modality", "PET"], "the modality is one of CT, MR,"),
        (["--role", "masks=x.png"], "a role is one of reference, mask, contrast, other"),
        (["--role", "mask"], "--role is written ROLE=PATH"),
        (["--role", "mask=none.png"], "there is no file or folder for the role 'mask'"),
        (["--role", "target=none.png"], "a role is one of"),
        (["--window", "wide"], "a window is CENTRE,WIDTH"),
        (["--window", ""], "a window is CENTRE,WIDTH"),
        (["--spacing", "-1"], "a spacing is written MM"),
        (["--resume"], "--resume needs --out DIR."),
    ],
)
def test_a_wrong_call_is_one_sentence_and_status_2(run, tiles, words, sentence):
    refused = run("assess", tiles, *words)
    assert (refused.status, refused.out) == (2, "")
    assert len(refused.error_lines) == 1
    assert refused.err.startswith("scrutiq: ")
    assert sentence in refused.err


@pytest.mark.parametrize("words", [["--colour"], ["--jobs", "0"], ["--jobs", "many"], ["--format", "pdf"]])
def test_what_the_parser_refuses_is_status_2_without_a_traceback(spawn, tiles, words):
    process = spawn("assess", tiles, *words)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert words[0] in err
    assert "Traceback" not in err


def test_an_out_that_cannot_be_a_folder_is_status_2(run, tiles, tmp_path):
    (tmp_path / "taken").write_text("")
    refused = run("assess", tiles, "--out", tmp_path / "taken")
    assert (refused.status, refused.out) == (2, "")
    assert refused.error_lines == [f"scrutiq: File exists: {tmp_path / 'taken'}."]


def test_a_missing_file_fails_and_the_others_are_judged(run, tiles):
    found = run("assess", tiles / "none.png", tiles / "tile_1.jpg", "--format", "json")
    assert found.status == 1
    assert [(one["status"], one["reason"]) for one in found.json["assessments"]] == [
        ("failed", "there is no such file."),
        ("judged", None),
    ]
    assert "failed: none.png: there is no such file." in found.error_lines


def test_no_image_at_all_is_said(run, tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    found = run("assess", tmp_path, "--format", "json")
    assert found.status == 1
    assert found.json["assessments"] == []
    assert "scrutiq: there is no image to judge." in found.error_lines


def test_paths_are_on_stdout_and_in_files_only_when_asked_for(run, tiles, tmp_path):
    names = ["sub/tile_1.jpg", "tile_2.jpg"]
    (tiles / "sub").mkdir()
    (tiles / "tile_1.jpg").rename(tiles / "sub" / "tile_1.jpg")
    out = tmp_path / "out"
    words = ["assess", tiles, "--format", "json", "--out", out]
    shown = run(*words).json["assessments"]
    assert sorted(one["source"]["path"] for one in shown) == names
    for file in out.iterdir():
        content = file.read_bytes()
        assert not any(part in content for part in (b"tile_1", b"tile_2", b"sub/")), file.name
    stored = json.loads((out / "assessments.json").read_text())["assessments"]
    assert [one["source"]["path"] for one in stored] == [None, None]
    assert [one["case"] for one in stored] == [one["case"] for one in shown]

    run(*words, "--show-paths")
    for name in ("assessments.json", "judgements.csv", "report.html"):
        content = (out / name).read_text()
        assert all(path in content for path in names), name


def test_several_rubrics_give_several_assessments_a_case(run, demo):
    found = run(
        "assess", demo / "images/ct/slice_1.dcm", "-r", "ldct", "-r", "ct-iqa", "-r", "ldct", "--format", "json"
    )
    assert [one["rubric"] for one in found.json["assessments"]] == ["ldct", "ct-iqa"]
    assert len({one["case"] for one in found.json["assessments"]}) == 1


def test_a_rubric_of_ones_own(run, tiles, tmp_path, demo):
    from scrutiq import rubrics

    text = Path(rubrics.__file__).with_name("medq.yaml").read_text()
    own = tmp_path / "ours.yaml"
    own.write_text(text.replace("name: medq", "name: ours", 1))
    found = run("assess", tiles / "tile_1.jpg", "--rubric", own, "--format", "json", "--out", tmp_path / "out")
    assert found.status == 0
    assert found.json["assessments"][0]["rubric"] == "ours"
    twin = tmp_path / "twin.yaml"
    twin.write_text(own.read_text().replace("title:", "title: Other,", 1))
    refused = run("assess", tiles / "tile_1.jpg", "--rubric", own, "--rubric", twin)
    assert refused.error_lines == ["scrutiq: two rubrics have the same name; rename one in its file."]


def test_default_rubrics_follow_the_modality(run, tmp_path, write_ct):
    write_ct("in/ct.dcm")
    _grey(tmp_path / "in/xa/frame.png")
    _grey(tmp_path / "in/eye/eye.png")
    (tmp_path / "in/xa/scrutiq.json").write_text('{"modality": "XA"}')
    (tmp_path / "in/eye/scrutiq.json").write_text('{"modality": "fundus"}')
    shown = run("assess", tmp_path / "in", "--format", "json").json["assessments"]
    assert {one["source"]["path"]: one["rubric"] for one in shown} == {
        "ct.dcm": "ldct",
        "eye/eye.png": "medq",
        "xa/frame.png": "medq",
    }


def test_angiography_with_mask_and_contrast_takes_its_own_rubric(run, tmp_path):
    for name in ("frame", "mask", "contrast"):
        _grey(tmp_path / f"{name}.png")
    words = ["assess", tmp_path / "frame.png", "--modality", "XA", "--format", "json"]
    roles = ["--role", f"mask={tmp_path / 'mask.png'}", "--role", f"contrast={tmp_path / 'contrast.png'}"]
    assert run(*words, *roles).json["assessments"][0]["rubric"] == "angio"
    (declined,) = run(*words, *roles[:2], "--rubric", "angio").json["assessments"]
    assert declined["status"] == "unjudged"
    assert "needs an image in the role contrast" in declined["reason"]


def test_an_unknown_modality_is_declined_with_the_reason(run, tmp_path):
    found = run("assess", _grey(tmp_path / "a.png"), "--format", "json")
    (one,) = found.json["assessments"]
    assert found.status == 0
    assert (one["status"], one["modality"], one["rubric"], one["judgements"]) == ("unjudged", "unknown", "medq", {})
    assert "--modality" in one["reason"]
    (one,) = run("assess", tmp_path / "a.png", "--modality", "Endoscopy", "--format", "json").json["assessments"]
    assert (one["status"], one["modality"]) == ("judged", "endoscopy")


def test_a_manifest_names_its_cases(run, tiles, tmp_path):
    for name in ("a", "b"):
        shutil.copy(tiles / "tile_2.jpg", tmp_path / f"{name}.jpg")
    table = tmp_path / "cases.csv"
    table.write_text("id,target,modality\nfirst,a.jpg,endoscopy\nsecond,b.jpg,histopathology\nthird,c.jpg,MR\n")
    found = run("assess", table, "--format", "json")
    assert found.status == 1
    rows = [(one["case"], one["source"]["path"], one["modality"], one["status"]) for one in found.json["assessments"]]
    assert rows == [
        ("first", "a.jpg", "endoscopy", "judged"),
        ("second", "b.jpg", "histopathology", "judged"),
        ("third", "c.jpg", "unknown", "failed"),
    ]


def test_a_path_with_control_characters_stays_on_its_line(run, tmp_path):
    odd = tmp_path / "od\x1b[31md\n:smile:[bold].png"
    odd.write_text("not an image")
    found = run("assess", odd)
    assert r"failed: od\x1b[31md\n:smile:[bold].png: the content" in found.err
    assert "\x1b" not in found.out + found.err
    assert len(found.out.splitlines()) == 2


def test_output_is_utf_8_whatever_the_locale(spawn, tmp_path, monkeypatch):
    _grey(tmp_path / "größe µ.png")
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    process = spawn("assess", tmp_path, "--format", "json", "--modality", "MR", text=False)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert json.loads(out.decode("utf-8"))["assessments"][0]["source"]["path"] == "größe µ.png"
