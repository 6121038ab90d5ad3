"""``compare``, ``agree``, ``rubrics``, ``doctor``, and what every verb has in common."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image as Pillow

from scrutiq import __version__, rubrics
from scrutiq.core import Comparison, Rubric

SCHEMAS = Path(__file__).parents[2] / "docs" / "reference" / "schema"


def _schema(name: str) -> dict[str, object]:
    return json.loads((SCHEMAS / f"{name}.json").read_text())


@pytest.fixture
def study(demo: Path) -> Path:
    return demo / "reader-study"


# compare


def test_compare_names_the_better_image_and_why(run, demo):
    quiet, noisy = demo / "images/ct/slice_1.dcm", demo / "images/ct/slice_2.dcm"
    found = run("compare", quiet, noisy)
    assert (found.status, found.err) == (0, "")
    assert found.out.splitlines()[0] == "A is the better image on this rubric."
    assert " HU in A, " in found.out
    assert run("compare", noisy, quiet).out.splitlines()[0] == "B is the better image on this rubric."


def test_compare_of_an_image_with_itself_is_equal(run, demo):
    tile = demo / "images/histopathology/tile_1.jpg"
    found = run("compare", tile, tile, "--format", "json").json
    assert found["better"] == "equal"
    assert {row["difference"] for row in found["dimensions"].values()} == {0}


def test_compare_declines_with_the_reason(run, tmp_path):
    path = tmp_path / "a.png"
    Pillow.fromarray(np.zeros((64, 64), np.uint8)).save(path)
    found = run("compare", path, path, "--modality", "MR")
    assert found.status == 0
    assert "cannot be compared on medq" in found.out
    assert "constant" in found.out
    assert run("compare", path, path, "--modality", "MR", "--format", "json").json["better"] is None


def test_compare_json_is_one_document_by_the_schema(run, demo):
    found = run(
        "compare", demo / "images/ct/slice_1.dcm", demo / "images/ct/slice_2.dcm", "-r", "ct-iqa", "--format", "json"
    )
    jsonschema.validate(found.json, _schema("Comparison"))
    assert Comparison.from_json(found.out).rubric == "ct-iqa"


def test_compare_refuses_what_it_cannot_compare(run, demo, study):
    tile = demo / "images/histopathology/tile_1.jpg"
    for words, status, sentence in [
        ((tile, study), 2, "compare takes two single images; B holds 14."),
        ((tile, study / "ct.png"), 2, "A follows the rubric medq, B ldct; name one with --rubric."),
        ((tile, tile.with_name("none.jpg")), 1, f"{tile.with_name('none.jpg')}: there is no such file."),
        ((tile, tile, "-r", "nothing"), 2, "'nothing' is neither a shipped rubric"),
    ]:
        found = run("compare", *words)
        assert (found.status, found.out, len(found.error_lines)) == (status, "", 1)
        assert found.err.startswith(f"scrutiq: {sentence}")


# agree


@pytest.fixture
def scores(run, study, tmp_path) -> Path:
    words = ("--rubric", "ct-denoising", "--assessor", "measured:", "--format", "json")
    found = run("assess", study / "cases.csv", *words)
    assert found.status == 0
    path = tmp_path / "scores.json"
    path.write_text(found.out)
    return path


def test_measured_noise_agrees_with_the_readers_of_the_demo(run, scores, study):
    found = run("agree", scores, study / "readers.csv", "--format", "json")
    assert found.status == 0
    jsonschema.validate(found.json, _schema("Agreement"))
    assert found.json["n"] == 12
    assert found.json["unmatched"] == 2
    assert found.json["srocc"] > 0.8
    low, high = found.json["ci"]["srocc"]
    assert low <= found.json["srocc"] <= high
    assert found.json["overall"] == pytest.approx(sum(found.json[key] for key in ("plcc", "srocc", "krocc")))


def test_agree_table_says_the_same(run, scores, study):
    document = run("agree", scores, study / "readers.csv", "--format", "json").json
    lines = run("agree", scores, study / "readers.csv").out.splitlines()
    assert lines[0] == "noise: 12 pairs, 2 ids without a partner"
    (row,) = [line.split() for line in lines if line.startswith("SROCC")]
    assert row[1] == f"{document['srocc']:.4f}"
    assert row[2:] == [f"{document['ci']['srocc'][0]:.4f}", "to", f"{document['ci']['srocc'][1]:.4f}"]


def test_agree_takes_the_files_that_assess_writes(run, study, tmp_path):
    words = ("assess", study / "cases.csv", "--rubric", "ct-denoising", "--out", tmp_path / "out", "--format", "json")
    (tmp_path / "stdout.json").write_text(run(*words).out)
    found = [
        run("agree", path, study / "readers.csv", "--format", "json").json["srocc"]
        for path in (tmp_path / "stdout.json", tmp_path / "out" / "assessments.json")
    ]
    assert found[0] == found[1] > 0.8


def test_agree_on_several_columns_is_a_mapping(run, tmp_path):
    (tmp_path / "a.csv").write_text("id,x,y\n" + "".join(f"{i},{i},{-i}\n" for i in range(8)))
    (tmp_path / "b.csv").write_text("id,x,y\n" + "".join(f"{i},{i},{i}\n" for i in range(8)))
    found = run("agree", tmp_path / "a.csv", tmp_path / "b.csv", "--format", "json").json
    assert {name: one["srocc"] for name, one in found.items()} == {"x": 1.0, "y": -1.0}
    only = run("agree", tmp_path / "a.csv", tmp_path / "b.csv", "--format", "json", "--column", "y").json
    assert only["srocc"] == -1.0


def test_agree_refuses_what_it_cannot_use(run, study, tmp_path):
    (tmp_path / "words.csv").write_text("id,noise\nct,loud\n")
    readers = study / "readers.csv"
    for words in [
        (tmp_path / "none.csv", readers),
        (tmp_path / "words.csv", readers),
        (study / "cases.csv", readers),
        (study / "ct.png", readers),
        (readers, readers, "--column", "sharpness"),
        (readers, readers, "--cluster", "patient"),
        (readers, readers, "--id", "name"),
    ]:
        found = run("agree", *words)
        assert found.status in (1, 2)
        assert (found.out, len(found.error_lines)) == ("", 1), found.err
        assert found.err.startswith("scrutiq: ")


# rubrics


def test_rubrics_lists_what_is_shipped(run):
    lines = run("rubrics").out.splitlines()
    assert tuple(line.split()[0] for line in lines[1:]) == rubrics.names()
    documents = run("rubrics", "--format", "json").json
    assert [Rubric.from_json(json.dumps(one)) for one in documents] == list(rubrics.shipped())


@pytest.mark.parametrize("name", rubrics.names())
def test_rubrics_shows_one(run, name):
    rubric = rubrics.load(name)
    shown = run("rubrics", name).out
    assert shown.startswith(f"{name}: {rubric.title}")
    for dimension in rubric.dimensions.values():
        assert all(level.word in shown for level in dimension.levels)
    (document,) = run("rubrics", name, "--format", "json").json
    jsonschema.validate(document, _schema("Rubric"))


def test_rubrics_checks_a_file(run, tmp_path):
    text = Path(rubrics.__file__).with_name("medq.yaml").read_text()
    own = tmp_path / "own.yaml"
    own.write_text(text)
    assert run("rubrics", own).status == 0
    own.write_text(text.replace("modalities:", "modalitys:", 1).replace("better: higher", "better: upwards", 1))
    found = run("rubrics", own)
    assert (found.status, found.out) == (2, "")
    assert len(found.error_lines) >= 2
    assert all(line.startswith(f"{own}: line ") for line in found.error_lines)
    assert "modalitys is not a key that Scrutiq knows; did you mean 'modalities'?" in found.err
    own.write_text("a: [1")
    assert "it is not YAML" in run("rubrics", own).err
    assert run("rubrics", "medk").error_lines[0].endswith("Did you mean 'medq'?")


# doctor, and the rest


def test_doctor_says_what_is_installed(run):
    found = run("doctor")
    assert found.status == 0
    assert f"Scrutiq {__version__}" in found.out
    document = run("doctor", "--format", "json").json
    assert document["scrutiq"] == __version__
    assert document["packages"]["pydicom"] == metadata.version("pydicom")
    assert document["schema_version"] == "1"
    assert "pylibjpeg-rle" not in document["packages"]  # RLE is decoded by pydicom itself
    assert document["transfer_syntaxes"]["RLE Lossless"] is True
    assert document["transfer_syntaxes"]["JPEG 2000 Image Compression (Lossless Only)"] is True
    for name, version in document["packages"].items():
        assert name in found.out
        assert version in found.out
    assert (document["weights"][0]["uri"], document["weights"][0]["shipped"]) == ("net:base", True)
    assert f"weights net:base: {document['weights'][0]['state']}" in found.out


def test_doctor_says_what_is_wrong_with_weights_and_their_notice(run, tmp_path, monkeypatch):
    card = {
        "version": "1",
        "modalities": ["CT"],
        "degradations": [],
        "kind_scale": {},
        "rubrics": {},
        "domain": {"threshold": 1, "modalities": ["CT"], "kinds": ["CT"], "statistics": 0},
        "data": [],
        "licences": [],
        "recipe_hash": "",
    }
    for name, files in (("own", {}), ("broken", {"backbone.onnx": "0" * 64})):
        (tmp_path / "weights" / name).mkdir(parents=True)
        other = {**card, "name": name, "files": files, "notice": f"Of {name}."}
        (tmp_path / "weights" / name / "model.json").write_text(json.dumps(other))
    monkeypatch.chdir(tmp_path)
    found = run("doctor")
    assert found.status == 0, "only what ships has to be whole"
    assert "weights net:weights/own: as trained, own " in found.out
    assert "notice, to be accepted with 'net:weights/own?notice=accepted': Of own." in found.out
    assert "weights net:weights/broken: a file of the weights is missing" in found.out


def test_doctor_asks_for_the_codec_that_is_used(run, monkeypatch):
    from pydicom.pixels.decoders.base import Decoder

    # pillow and gdcm decode JPEG 2000 too, and are not used for it.
    monkeypatch.setattr(Decoder, "available_plugins", property(lambda self: ("gdcm", "pillow")))
    syntaxes = run("doctor", "--format", "json").json["transfer_syntaxes"]
    assert syntaxes["JPEG 2000 Image Compression"] is False
    assert syntaxes["JPEG-LS Lossless Image Compression"] is True
    assert syntaxes["Explicit VR Big Endian"] is True


def test_version(run):
    assert run("--version").out == f"scrutiq {__version__}\n"


@pytest.mark.parametrize("verb", [[], ["assess"], ["compare"], ["rubrics"], ["agree"], ["doctor"]])
def test_help_of_each_verb(run, verb):
    found = run(*verb, "-h")
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith("Usage: ")
    assert found.out == run(*verb, "--help").out


def test_help_is_quick(spawn):
    heavy = "{'torch', 'pandas', 'scipy', 'skimage', 'pydicom', 'matplotlib', 'numpy'} & sys.modules.keys()"
    code = f"import sys\nfrom scrutiq.cli import main\ntry:\n main()\nfinally:\n print({heavy}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, "assess", "-h"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stderr == "set()\n"


@pytest.mark.parametrize("verb", ["rubrics", "doctor", "assess"])
def test_a_reader_that_leaves_early_is_no_error(spawn, tiles, verb):
    words = {"assess": [tiles, "--format", "json"]}.get(verb, [])
    process = spawn(verb, *words)
    assert process.stdout is not None
    process.stdout.close()  # as `| true` does
    assert process.stderr is not None
    errors = process.stderr.read()
    assert process.wait(timeout=60) == 0
    assert "Broken" not in errors
    assert "Traceback" not in errors
