"""Score files: what is read, how files are joined, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scrutiq.core import Assessment, AssessmentSet, InputError, Judgement, Provenance, UsageError
from scrutiq.metrics.agreement import agree
from scrutiq.metrics.tables import agree_files, read_scores


@pytest.fixture
def write(tmp_path: Path):
    def write(name: str, content: object) -> Path:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


def assessment(case: str, rubric: str, scores: dict[str, float | None], status: str = "judged") -> Assessment:
    return Assessment(
        case=case,
        status=status,
        reason=None if status == "judged" else "the reason",
        rubric=rubric,
        assessor="measured:",
        judgements={
            name: Judgement(score=score, quality=None if score is None else 0.5, level=None)
            for name, score in scores.items()
        },
        provenance=Provenance(assessor="measured:"),
    )


SAME = {"a": 1.5, "b": 2.0, "c": float("nan")}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("s.csv", "id,score\na,1.5\nb,2\nc,\n"),
        ("s.csv", "\ufeffid,score\r\na,1.5\r\nb, 2\r\n\r\nc,n/a\r\n"),
        ("s.csv", "id;score\na;1,5\nb;2\nc;-\n"),
        ("s.tsv", "id\tscore\na\t1.5\nb\t2\nc\tinf\n"),
        ("s.csv", "score,ID\n1.5,a\n2,b\n,c\n"),
        ("s.csv", 'reader,score,Image\n"x, y",1.5,a\nz,2,b\nz,,c\n'),
        ("s.json", {"a": 1.5, "b": 2, "c": None}),
        ("s.json", {"a": {"score": 1.5}, "b": {"score": 2}, "c": {}}),
        ("s.json", [{"id": "a", "score": 1.5}, {"id": "b", "score": 2}, {"id": "c", "score": "none"}]),
        ("s.jsonl", '{"id": "a", "score": 1.5}\n{"id": "b", "score": 2}\n\n{"id": "c", "score": null}\n'),
        ("s.json", '{"a": 1.5, "b": "2", "c": NaN}'),
    ],
)
def test_every_form_reads_the_same(write, name: str, content: object) -> None:
    table = read_scores(write(name, content))
    assert table.ids == ("a", "b", "c")
    assert list(table.columns) == ["score"]
    assert table.columns["score"] == pytest.approx(list(SAME.values()), nan_ok=True)
    assert table.clusters is None


def test_ids_are_kept_letter_by_letter(write) -> None:
    table = read_scores(write("s.csv", 'id,score\n007,1\n7,2\n"a ",3\na,4\nÄ/b.png,5\n'))
    assert table.ids == ("007", "7", "a ", "a", "Ä/b.png")
    assert read_scores(write("n.json", [{"id": 7, "x": 1}, {"id": 8, "x": 2}])).ids == ("7", "8")


def test_columns_of_numbers_are_found_and_others_can_be_named(write) -> None:
    path = write("s.csv", "case,method,noise,contrast,patient\na,LDCT,1,,p1\nb,NDCT,2,typo,p1\nc,LDCT,x,3,p2\n")
    table = read_scores(path, cluster_column="patient")
    assert list(table.columns) == ["noise", "contrast"]
    assert table.clusters == ("p1", "p1", "p2")
    assert np.isnan(table.columns["noise"][2])
    assert list(read_scores(path, columns=["contrast"]).columns) == ["contrast"]
    assert np.isnan(read_scores(path, columns=["method"]).columns["method"]).all()
    with pytest.raises(UsageError, match="no column 'sharpness'; its columns are 'case', 'method'"):
        read_scores(path, columns=["sharpness"])
    with pytest.raises(UsageError, match="no id column 'slice'"):
        read_scores(path, id_column="slice")


def test_the_document_of_assess(write) -> None:
    one = AssessmentSet.of(
        [
            assessment("a", "ct-iqa", {"noise": 2.0, "lesion": None}),
            assessment("b", "ct-iqa", {}, status="unjudged"),
            assessment("c", "ct-iqa", {"noise": 3.0, "lesion": 1.0}),
        ]
    )
    table = read_scores(write("one.json", one.to_json()))
    assert table.ids == ("a", "b", "c")
    assert table.columns["noise"] == pytest.approx([2, np.nan, 3], nan_ok=True)
    assert table.columns["lesion"] == pytest.approx([np.nan, np.nan, 1], nan_ok=True)

    two = AssessmentSet.of([*one.assessments, assessment("a", "ldct", {"quality": 4.0})])
    table = read_scores(write("two.json", two.to_json()))
    assert list(table.columns) == ["ct-iqa/noise", "ct-iqa/lesion", "ldct/quality"]
    assert table.columns["ldct/quality"] == pytest.approx([4, np.nan, np.nan], nan_ok=True)

    lines = "\n".join(a.model_dump_json() for a in one.assessments)
    assert read_scores(write("one.jsonl", lines)).ids == ("a", "b", "c")
    twice = AssessmentSet.of([one.assessments[0], one.assessments[0]])
    with pytest.raises(InputError, match="'a' is assessed twice"):
        read_scores(write("twice.json", twice.to_json()))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("s.csv", "", "holds no scores"),
        ("s.csv", "id,score\n", "holds no scores"),
        ("s.json", [], "holds no scores"),
        ("s.json", {}, "holds no scores"),
        ("s.csv", "id,score\na,1\nb,2\na,3\n", "'a' is there more than once"),
        ("s.json", '{"a": 1, "b": 2, "a": 3}', "'a' is there more than once"),
        ("s.csv", "id,score\na,1\n,2\n", "empty in row 2"),
        ("s.csv", "id,score,score\na,1,2\n", "two columns are named 'score'"),
        ("s.csv", "id,score\na,1,2\n", "line 2 has 3 cells and the header 2"),
        ("s.csv", "a,1\nb,2\n", "first line holds a score"),
        ("s.csv", "id,word\na,good\nb,bad\n", "no column of numbers"),
        ("s.csv", 'id,score\n"a,1\n', "cannot be used as CSV"),
        ("s.json", "{", "cannot be used as JSON"),
        ("s.json", "3", "not a list of objects"),
        ("s.json", [1, 2], "not a list of objects"),
        ("s.json", {"rubrics": []}, "neither a table of scores"),
        ("s.json", {"assessments": [{"id": 1}]}, "not those of 'scrutiq assess'"),
        ("s.json", {"assessments": [3]}, "not those of 'scrutiq assess'"),
        ("s.jsonl", '{"id": "a", "x": 1}\nnonsense\n', "cannot be used as JSONL"),
        ("s.json", "[" * 100_000, "cannot be used as JSON"),
        ("s.xlsx", "PK", "read from .csv, .tsv, .json and .jsonl"),
    ],
)
def test_refused_in_one_sentence(write, name: str, content: object, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        read_scores(write(name, content))
    assert "\n" not in caught.value.reason
    assert name not in caught.value.reason


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_scores(tmp_path / "absent.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_scores(tmp_path / "folder.csv")
    (tmp_path / "latin.csv").write_bytes(b"id,score\n\xe4,1\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_scores(tmp_path / "latin.csv")


def test_joined_by_id_whatever_the_order(write) -> None:
    pred = write("p.csv", "id,prediction\nd,4\na,1\nb,2.5\nx,9\nc,3\ne,oops\n")
    truth = write("t.json", {"a": 1, "b": 2, "c": 4, "d": 3, "e": 5, "f": 6, "g": 7})
    result = agree_files(pred, truth)
    assert list(result) == ["score"]  # one column on each side is compared whatever the names
    found = result["score"]
    assert (found.n, found.missing, found.unmatched) == (4, 1, 3)
    assert (found.unmatched_pred, found.unmatched_truth) == (("x",), ("f", "g"))
    expected = agree([1, 2.5, 3, 4], [1, 2, 4, 3])
    assert (found.plcc, found.krocc, found.rmse, found.ci) == (
        expected.plcc,
        expected.krocc,
        expected.rmse,
        expected.ci,
    )


def test_several_columns_are_matched_by_name(write, rng: np.random.Generator) -> None:
    values = rng.normal(size=(30, 3))
    pred = write(
        "p.json", [{"id": str(i), "noise": a, "contrast": b, "extra": c} for i, (a, b, c) in enumerate(values)]
    )
    truth = write(
        "t.csv",
        "id,contrast,noise,patient\n" + "".join(f"{i},{b},{a + 0.1},{i // 5}\n" for i, (a, b, _) in enumerate(values)),
    )
    result = agree_files(pred, truth, cluster_column="patient")
    assert list(result) == ["contrast", "noise"]
    assert result["noise"].rmse == pytest.approx(0.1)
    assert result["noise"].n_clusters == 6
    assert list(agree_files(pred, truth, columns=["noise"])) == ["noise"]
    crossed = agree_files(pred, truth, columns=["extra=noise", "noise"], n_boot=0)
    assert list(crossed) == ["extra=noise", "noise=noise"]
    assert crossed["noise=noise"].plcc == pytest.approx(1)
    with pytest.raises(UsageError, match="cluster column 'hospital'"):
        agree_files(pred, truth, cluster_column="hospital")


def test_id_columns_may_differ(write) -> None:
    pred = write("p.csv", "id,slice,score\n0,a,1\n1,b,2\n2,c,3\n")
    truth = write("t.csv", "file,score\na,1\nb,2\nc,3\n")
    assert agree_files(pred, truth, id_column="slice=file", n_boot=0)["score"].n == 3


def test_what_cannot_be_joined(write) -> None:
    pred = write("p.csv", "id,noise,sharpness\na,1,2\n")
    with pytest.raises(UsageError, match=r"'noise', 'sharpness', the truth 'mos'; name the columns as PRED=TRUTH"):
        agree_files(pred, write("t.csv", "id,mos\na,1\n"))
    with pytest.raises(InputError, match="no id of the predictions is an id of the truth"):
        agree_files(pred, write("u.csv", "id,noise\na.png,1\n"))
    with pytest.raises(InputError, match="'patient' is empty for 1 of the matched ids"):
        agree_files(pred, write("v.csv", "id,noise,patient\na,1,\n"), cluster_column="patient")


@pytest.mark.shared
def test_real_ratings(shared: Path, tmp_path: Path) -> None:
    ratings = shared / "ct_denoising_readers" / "ratings.csv"
    with pytest.raises(InputError, match=r"more than once; .*average readers first"):
        read_scores(ratings)
    scores = json.loads((shared / "text_vlm_ct_iqa" / "testData.json").read_text())
    (tmp_path / "p.json").write_text(json.dumps({case: 2 * score + 1 for case, score in scores.items()}))
    found = agree_files(tmp_path / "p.json", shared / "text_vlm_ct_iqa" / "testData.json", n_boot=100)["score"]
    assert found.n == len(scores)
    assert (found.plcc, found.srocc, found.krocc) == pytest.approx((1, 1, 1))
