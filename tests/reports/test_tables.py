"""JSON, CSV and Parquet hold the same, and no path."""

import csv
import json
from pathlib import Path

import jsonschema
import pytest
from pyarrow import parquet

from scrutiq.core import AssessmentSet, MissingExtraError
from scrutiq.reports import ReportRun, write_csv, write_json, write_parquet
from scrutiq.reports.tables import COLUMNS, Table


def test_json_reads_back_and_follows_the_schema(mixed_run: ReportRun, tmp_path: Path) -> None:
    write_json(mixed_run.assessments, tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text()
    assert "DOE" not in text
    jsonschema.validate(json.loads(text), AssessmentSet.model_json_schema(mode="serialization"))
    assert AssessmentSet.from_json(text) == AssessmentSet.of(mixed_run.assessments).without_paths()
    write_json(mixed_run.assessments, tmp_path / "b.json", show_paths=True)
    assert AssessmentSet.from_json((tmp_path / "b.json").read_text()) == AssessmentSet.of(mixed_run.assessments)


@pytest.mark.parametrize("table", ["judgements", "measurements"])
@pytest.mark.parametrize("show_paths", [False, True])
def test_csv_and_parquet_hold_the_same(mixed_run: ReportRun, tmp_path: Path, table: Table, show_paths: bool) -> None:
    write_csv(mixed_run.assessments, tmp_path / "a.csv", table=table, show_paths=show_paths)
    write_parquet(mixed_run.assessments, tmp_path / "a.parquet", table=table, show_paths=show_paths)
    with (tmp_path / "a.csv").open(newline="") as file:
        from_csv = list(csv.DictReader(file))
    from_parquet = parquet.read_table(tmp_path / "a.parquet").to_pylist()
    assert list(from_csv[0]) == [c for c in COLUMNS[table] if show_paths or c != "path"]
    for mine, theirs in zip(from_csv, from_parquet, strict=True):
        assert {k: COLUMNS[table][k](v) if v != "" else None for k, v in mine.items()} == theirs
    assert ("DOE" in (tmp_path / "a.csv").read_text()) == show_paths


def test_each_case_rubric_and_dimension_is_one_row(mixed_run: ReportRun, tmp_path: Path) -> None:
    write_csv(mixed_run.assessments, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        found = [(row["case"], row["rubric"], row["dimension"], row["outcome"]) for row in csv.DictReader(file)]
    assert (
        len(set(found)) == len(found) == sum(max(1, len(a.judgements) + len(a.declined)) for a in mixed_run.assessments)
    )
    assert ("volume-0000", "ct-iqa", "lesion", "not applicable") in found
    assert ("broken-1", "", "", "") in found


def test_equal_input_gives_equal_bytes(mixed_run: ReportRun, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_parquet(mixed_run.assessments, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_parquet_names_its_extra(mixed_run: ReportRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"scrutiq\[parquet\]"):
        write_parquet(mixed_run.assessments, tmp_path / "a.parquet")
