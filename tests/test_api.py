"""The Python face, used as a script or a notebook would use it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from skimage.data import shepp_logan_phantom
from skimage.transform import resize

import scrutiq
from scrutiq import rubrics
from scrutiq.core import AssessmentSet, Case, Image, Modality, Role, RubricError, ScrutiqError, UsageError, Window

DEMO = Path(__file__).parents[1] / "demo"
TILE = DEMO / "images" / "histopathology" / "tile_1.jpg"


@pytest.fixture
def noisy(rng) -> np.ndarray:
    """A phantom with noise, 0 to 1."""
    phantom = resize(shepp_logan_phantom(), (160, 160))
    return (phantom * 0.6 + 0.2 + rng.normal(0, 0.02, phantom.shape)).clip(0, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
def test_an_array_is_judged_whatever_its_type(noisy, dtype):
    scale = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    (one,) = scrutiq.assess((noisy * scale).astype(dtype), assessor="measured:", modality="MR")
    assert (one.case, one.modality, one.rubric, one.status) == ("image-1", "MR", "medq", "judged")
    assert one.judgements["overall"].score is not None
    assert one.source.path is None


def test_scaling_the_values_changes_no_score(noisy):
    one, other = (scrutiq.assess(noisy * factor, assessor="measured:", modality="MR")[0] for factor in (1.0, 1000.0))
    assert one.judgements["overall"].score == pytest.approx(other.judgements["overall"].score, rel=1e-3)


def test_a_stack_of_arrays_is_a_case_each_and_colour_is_one(noisy):
    stack = np.stack([noisy, noisy, noisy])
    assert [one.case for one in scrutiq.assess(stack, modality="MR")] == [f"image-1-000{n}" for n in range(3)]
    colour = np.stack([noisy] * 3, axis=-1)
    assert [one.case for one in scrutiq.assess(colour, modality="fundus")] == ["image-1"]


def test_many_of_mixed_kinds(noisy):
    image = Image(pixels=noisy, modality=Modality.MR)
    case = Case(id="mine", images={Role.TARGET: image})
    inputs = [noisy, TILE, image, case, str(TILE.with_name("none.jpg"))]
    results = scrutiq.assess(inputs, assessor="measured:", modality="MR")
    assert [one.case for one in results[2:]] == ["image-1", "image-2", "mine"]  # what is given by path comes first
    assert [one.status for one in results] == ["judged", "failed", "judged", "judged", "judged"]
    assert (results.count("judged"), results.count("failed"), results.count("unjudged")) == (4, 1, 0)
    assert (len(results), list(results)) == (5, list(results.assessments))
    assert results[-1] is results.assessments[-1]
    assert results[1:3] == results.assessments[1:3]
    assert results.cases["mine"].load().target.pixels.shape == (160, 160)


def test_what_is_given_holds_for_images_and_cases_too(noisy):
    image = Image(pixels=noisy)
    case = Case(id="mine", images={Role.TARGET: image})
    assert [one.status for one in scrutiq.assess([image, case])] == ["unjudged", "unjudged"]
    results = scrutiq.assess([image, case], modality="XA", spacing=0.5, window=(0.5, 1))
    assert [one.modality for one in results] == ["XA", "XA"]
    assert {results.cases[one.case].load().target.spacing for one in results} == {(0.5, 0.5)}
    window = Window.from_bounds(0, 1)
    assert {results.cases[one.case].load().target.voi for one in results} == {window}


def test_a_path_may_be_text_a_path_a_folder_or_a_manifest():
    one = scrutiq.assess(TILE)[0]
    assert scrutiq.assess(str(TILE))[0].measurements == one.measurements
    folder = scrutiq.assess(TILE.parent)
    assert [found.source.path for found in folder] == ["tile_1.jpg", "tile_2.jpg"]
    assert folder.skipped == {"files that are not images": 1}
    assert folder[0].measurements == one.measurements
    cases = scrutiq.assess(DEMO / "reader-study" / "cases.csv", rubric="ct-denoising")
    assert cases.count("judged") == len(cases) == 14


def test_rubrics_by_name_path_object_or_several(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(Path(rubrics.__file__).with_name("medq.yaml").read_text().replace("name: medq", "name: own", 1))
    for rubric in ("medq", rubrics.load("medq"), own, str(own)):
        (one,) = scrutiq.assess(TILE, rubric)
        assert one.rubric == ("medq" if rubric in ("medq", rubrics.load("medq")) else "own")
    results = scrutiq.assess(TILE, ["medq", own, "ldct"])
    assert [(one.rubric, one.status) for one in results] == [
        ("medq", "judged"),
        ("own", results[1].status),
        ("ldct", "unjudged"),
    ]


def test_the_document_reads_back(noisy, tmp_path):
    results = scrutiq.assess([TILE, noisy], modality="MR")
    assert AssessmentSet.from_json(results.to_json()).assessments == results.assessments
    hidden = json.loads(results.to_json(indent=1, show_paths=False))["assessments"]
    assert [one["source"]["path"] for one in hidden] == [None, None]


def test_the_report_shows_every_case(noisy, tmp_path):
    results = scrutiq.assess([TILE, noisy, np.zeros((64, 64))], modality="MR")
    path = results.report(tmp_path / "report.html")
    page = path.read_text("utf-8")
    assert all(one.case in page for one in results)
    assert "tile_1" not in page
    assert "tile_1" in results.report(tmp_path / "named.html", show_paths=True).read_text("utf-8")
    assert results.write(tmp_path / "out") == tmp_path / "out" / "report.html"
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "assessments.json",
        "judgements.csv",
        "report.html",
    }


def test_jobs_and_a_journal_from_python(noisy, tmp_path):
    inputs = [noisy, noisy * 2, noisy * 3]
    told = []
    journal = tmp_path / "journal.jsonl"
    words = {"assessor": "measured:", "modality": "MR", "journal": journal}
    whole = scrutiq.assess(inputs, jobs=2, progress=lambda n, found: told.append(n), **words)
    assert told == [3, 3, 3]
    times = [one.provenance.time for one in whole]
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:3]))
    changed = [noisy, noisy * 2 + 1, noisy * 3]
    again = scrutiq.assess(changed, resume=True, **words)
    assert again[0].provenance.time == times[0]
    assert again[0].measurements == whole[0].measurements
    assert again[1].measurements != whole[1].measurements  # other pixels under the same id are judged anew


def test_inputs_that_cannot_be_used_come_back_failed():
    results = scrutiq.assess([np.zeros((2, 2, 2, 2, 2)), np.zeros((8, 8), complex), np.zeros((0, 8)), "none.png"])
    assert [one.status for one in results] == ["failed"] * 4
    assert all(one.reason.endswith(".") for one in results)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"inputs": 7}, "give a path, an array, an Image, a Case or many of these, not int."),
        ({"modality": "PET"}, "the modality is one of"),
        ({"window": (1, -1)}, "a window is"),
        ({"window": (1, 2, 3)}, "a window is"),
        ({"spacing": 0}, "a spacing is written"),
        ({"spacing": "wide"}, "a spacing is written"),
        ({"rubric": "medk"}, "Did you mean 'medq'"),
        ({"assessor": "oracle:"}, "there is no assessor"),
        ({"roles": {"masks": "a.png"}}, "a role is one of reference, mask, contrast, other, not 'masks'."),
        ({"roles": {"target": "a.png"}}, "a role is one of"),
        ({"jobs": 0}, "at least 1"),
    ],
)
def test_a_wrong_call_raises_one_error_of_ours(words, sentence):
    with pytest.raises(UsageError) as raised:
        scrutiq.assess(**{"inputs": TILE, **words})
    assert isinstance(raised.value, ScrutiqError)
    assert sentence in str(raised.value)


def test_roles_go_with_paths_only(noisy):
    with pytest.raises(UsageError, match="build a Case"):
        scrutiq.assess(noisy, roles={Role.REFERENCE: TILE})


def test_ids_are_distinct(noisy):
    case = Case(id="same", images={Role.TARGET: Image(pixels=noisy)})
    with pytest.raises(UsageError, match="two cases have the id 'same'"):
        scrutiq.assess([case, case])
    assert len(scrutiq.assess([TILE, TILE])) == 1  # the same file twice is one case


def test_compare_takes_what_assess_takes(noisy, rng):
    worse = noisy + rng.normal(0, 0.05, noisy.shape)
    found = scrutiq.compare(noisy, Image(pixels=worse), assessor="measured:", modality="MR")
    assert found.better == "a"
    assert scrutiq.compare(worse, noisy, assessor="measured:", modality="MR").better == "b"
    assert scrutiq.compare(TILE, TILE).better == "equal"
    with pytest.raises(RubricError):
        scrutiq.compare(noisy, noisy, rubric="medk")
    with pytest.raises(UsageError, match="B holds 3"):
        scrutiq.compare(noisy, np.stack([noisy] * 3))
    with pytest.raises(ScrutiqError):
        scrutiq.compare(noisy, np.zeros((3, 3, 3, 3, 3)))


def test_agree_is_here_too(tmp_path):
    for name, sign in (("a", 1), ("b", -1)):
        (tmp_path / name).with_suffix(".csv").write_text("id,q\n" + "".join(f"{i},{sign * i}\n" for i in range(9)))
    found = scrutiq.agree(tmp_path / "a.csv", tmp_path / "b.csv")
    assert found["q"].srocc == -1


def test_everything_named_at_the_front_door_is_there():
    for name in scrutiq.__all__:
        assert getattr(scrutiq, name) is not None
    assert dir(scrutiq) == sorted(scrutiq.__all__)
    with pytest.raises(AttributeError):
        _ = scrutiq.nothing
