"""``degradations`` and ``degrade``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import scrutiq
from scrutiq.core import Image
from scrutiq.degradations import names


def test_the_list_names_every_entry(run):
    found = run("degradations")
    assert (found.status, found.err) == (0, "")
    assert [line.split()[0] for line in found.out.splitlines()[1:]] == list(names())


def test_a_modality_narrows_it(run):
    listed = run("degradations", "--modality", "fundus", "--format", "json").json
    assert [entry["name"] for entry in listed] == list(names("fundus"))
    assert all("fundus" in entry["modality"] for entry in listed)


def test_a_modality_without_any_is_one_sentence(run):
    found = run("degradations", "--modality", "US")
    assert (found.status, found.out) == (2, "")
    assert found.error_lines == ["scrutiq: no degradation is made for US images."]


def test_json_has_the_fields_of_the_contract(run):
    for entry in run("degradations", "--format", "json").json:
        assert {"name", "modality", "term", "measurement", "thresholds"} <= entry.keys()
        assert {"mild", "severe"} <= entry["thresholds"].keys()
        assert entry["evidence"] == (entry["exception"] is None)


def test_one_is_shown_with_what_makes_measures_and_names_it(run):
    shown = run("degradations", "any.jpeg").out
    for part in ("make", "measure", "name", "ITU-T T.81", "blockiness", "mosquito noise"):
        assert part in shown


def test_a_slip_of_the_pen_gets_a_hint(run):
    found = run("degradations", "any.jpg")
    assert found.status == 2
    assert found.error_lines == [
        "scrutiq: there is no degradation 'any.jpg'. Did you mean 'any.jpeg'? `scrutiq degradations` lists them."
    ]


def test_degrade_writes_what_python_makes(run, demo: Path, tmp_path: Path):
    slice_, out = demo / "images/ct/slice_1.dcm", tmp_path / "out.tif"
    document = run(
        "degrade", slice_, "--as", "any.jpeg", "--severity", "0.6", "--seed", "1", "--out", out, "--format", "json"
    ).json
    made = scrutiq.degrade(slice_, "any.jpeg", severity=0.6, seed=1)
    assert isinstance(made, Image)
    back = scrutiq.read(out, frame=0)
    assert np.array_equal(back.pixels, made.pixels)
    assert back.unit == "HU"
    assert document["parameters"] == dict(made.history[0].parameters)
    assert document["measurement"]["before"] < document["measurement"]["after"]
    assert json.loads((tmp_path / "out.json").read_text())["history"][0]["degradation"] == "any.jpeg"


def test_no_severity_writes_the_input(run, demo: Path, tmp_path: Path):
    slice_, out = demo / "images/ct/slice_1.dcm", tmp_path / "out.npy"
    assert run("degrade", slice_, "--as", "any.jpeg", "--severity", "0", "--out", out).status == 0
    assert np.array_equal(scrutiq.read(out, frame=0).pixels, scrutiq.read(slice_, frame=0).pixels)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--as", "any.jpeg", "--severity", "2"), "a severity lies between 0 (nothing) and 1 (worst), not at 2."),
        (("--as", "nothing", "--severity", "1"), "there is no degradation 'nothing'."),
        (("--as", "any.jpeg", "--severity", "1", "--frame", "7"), "there is no frame 7 of 1; frames count from 0."),
    ],
)
def test_a_wrong_call_is_one_sentence(run, demo: Path, tmp_path: Path, words, message):
    found = run("degrade", demo / "images/ct/slice_1.dcm", *words, "--out", tmp_path / "out.tif")
    assert found.status == 2
    assert len(found.error_lines) == 1
    assert message in found.error_lines[0]
    assert list(tmp_path.iterdir()) == []


def test_the_input_and_its_sidecar_are_left_alone(run, demo: Path, tmp_path: Path):
    given = tmp_path / "a.npy"
    np.save(given, np.eye(32, dtype=np.float32))
    (tmp_path / "a.json").write_text('{"modality": "MR"}')
    for name, message in (("a.npy", "--out is the input itself"), ("a.tif", "would replace the sidecar of the input")):
        found = run("degrade", given, "--as", "any.jpeg", "--severity", "1", "--out", tmp_path / name)
        assert found.status == 2
        assert message in found.error_lines[0]
    assert (tmp_path / "a.json").read_text() == '{"modality": "MR"}'
    assert not (tmp_path / "a.tif").exists()


def test_a_lossy_ending_is_refused_before_any_work(run, demo: Path, tmp_path: Path):
    found = run(
        "degrade", demo / "images/ct/slice_1.dcm", "--as", "any.jpeg", "--severity", "1", "--out", tmp_path / "a.jpg"
    )
    assert found.status == 2
    assert "ends in .tif" in found.error_lines[0]


def test_a_raster_says_not_what_it_is(run, demo: Path, tmp_path: Path):
    bare = tmp_path / "bare.jpg"
    bare.write_bytes((demo / "images/fundus/retina.jpg").read_bytes())
    found = run("degrade", bare, "--as", "any.jpeg", "--severity", "1", "--out", tmp_path / "a.png")
    assert found.status == 2
    assert "this one is unknown: state its modality." in found.error_lines[0]
    stray = run(
        "degrade",
        demo / "images/mr/spine_t2s.nii.gz",
        "--as",
        "any.jpeg",
        "--severity",
        "1",
        "--out",
        tmp_path / "b.tif",
    )
    assert stray.status == 2
    assert "say which with frame" in stray.error_lines[0]
