"""Records: what they refuse, and that manifests give them back as they were."""

from __future__ import annotations

import builtins
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from scrutiq.core import Applied, InputError, MissingExtraError, Modality, UsageError
from scrutiq.datasets import Question, Record, read_records, write_records

FULL = Record(
    id="ct-0001",
    files={"target": "image/0001.tif", "reference": "image/0000.tif"},
    modality=Modality.CT,
    split="train",
    group="ct_siim_tcga/0123456789ab",
    base="ct_siim_tcga",
    scores={"noise": 6.1, "overall": 0.1 + 0.2},
    readers={"noise": {"1": 6.0, "reader B": 6.2}},
    text="A “quoted” text,\nwith a tab\t, a line separator \u2028 and an umlaut ü.",
    applied=(
        Applied(degradation="ct.low_dose", severity=0.4, parameters={"dose": 0.25, "seed": 7, "views": [1, 2.5]}),
        Applied(degradation="any.jpeg", severity=1.0),
    ),
    question=Question(text="Is there noise?", options=("Yes", "No"), answer=0, kind="yes_no"),
    extra={"scanner": "A", "nested": {"a": [1, None, True]}},
)
BARE = Record(id="bare", files={"target": "x.png"})


class TestRecord:
    @pytest.mark.parametrize(
        "path",
        ["/etc/passwd", "../x.png", "a/../../x.png", "", ".", "C:/x.png", "a\\..\\x.png", "a\0.png", "a\n.png"],
    )
    def test_a_path_that_leaves_the_folder_is_refused(self, path: str) -> None:
        with pytest.raises(ValueError, match="not a path inside the folder"):
            Record(id="a", files={"target": path})

    def test_a_path_is_kept_in_its_shortest_form(self) -> None:
        assert Record(id="a", files={"target": "./a//b.png"}).files["target"] == "a/b.png"

    @pytest.mark.parametrize(
        "fields",
        [
            {"id": ""},
            {"id": "a\nb"},
            {"id": " a"},
            {"files": {}},
            {"files": {"Not A Role": "a"}},
            {"scores": {"noise": float("nan")}},
            {"unknown": 1},
        ],
    )
    def test_what_is_not_valid_is_refused(self, fields: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            Record(**{"id": "a", "files": {"target": "x.png"}, **fields})

    def test_it_cannot_be_changed(self) -> None:
        with pytest.raises(TypeError, match="immutable"):
            FULL.scores["noise"] = 1.0
        with pytest.raises(ValueError, match="frozen"):
            FULL.text = ""  # type: ignore[misc]


class TestQuestion:
    def test_the_answer_is_one_of_the_options(self) -> None:
        with pytest.raises(ValueError, match="the answer is option 3 of 2"):
            Question(text="?", options=("a", "b"), answer=2)


_text = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
_name = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)
_number = st.floats(allow_nan=False, allow_infinity=False)
_records = st.builds(
    Record,
    id=st.from_regex(r"[a-z0-9]{1,9}", fullmatch=True),
    files=st.dictionaries(_name, st.from_regex(r"[a-z0-9]{1,4}(/[a-z0-9]{1,4})?\.png", fullmatch=True), min_size=1),
    modality=st.sampled_from(Modality),
    split=st.none() | _name,
    group=st.none() | st.text(st.characters(blacklist_categories=["Cs"]), min_size=1),
    base=st.none() | _name,
    scores=st.dictionaries(_name, _number),
    readers=st.dictionaries(_name, st.dictionaries(_text, _number, min_size=1)),
    text=st.none() | _text,
    applied=st.lists(
        st.builds(
            Applied,
            degradation=st.just("ct.ring"),
            severity=st.floats(0.01, 1),
            parameters=st.dictionaries(_text, _number | _text | st.booleans() | st.none()),
        ),
        max_size=2,
    ).map(tuple),
    question=st.none() | st.just(FULL.question),
    extra=st.dictionaries(_text, _number | _text | st.booleans() | st.none() | st.lists(st.integers(0, 9))),
)


class TestManifests:
    @pytest.mark.parametrize("ending", [".parquet", ".jsonl"])
    def test_they_come_back_as_they_were(self, ending: str, tmp_path: Path) -> None:
        path = tmp_path / f"m{ending}"
        write_records(path, [FULL, BARE])
        assert read_records(path) == (FULL, BARE)
        assert [found.name for found in tmp_path.iterdir()] == [path.name]

    @settings(max_examples=40, deadline=None)
    @given(st.lists(_records, max_size=4, unique_by=lambda record: record.id))
    def test_any_records_do(self, records: list[Record]) -> None:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            for ending in (".parquet", ".jsonl"):
                path = Path(folder, f"m{ending}")
                write_records(path, records)
                assert read_records(path) == tuple(records)

    def test_parquet_has_plain_columns_for_others_to_read(self, tmp_path: Path) -> None:
        import pyarrow.parquet as pq

        write_records(tmp_path / "m.parquet", [FULL, BARE])
        table = pq.read_table(tmp_path / "m.parquet")
        assert table["file.target"].to_pylist() == ["image/0001.tif", "x.png"]
        assert table["score.noise"].to_pylist() == [6.1, None]
        assert table["question.options"].to_pylist() == [["Yes", "No"], None]

    @pytest.mark.parametrize("ending", [".parquet", ".jsonl"])
    def test_an_id_that_is_there_twice_is_refused_and_nothing_written(self, ending: str, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="'bare' is there more than once"):
            write_records(tmp_path / f"m{ending}", [BARE, BARE])
        assert list(tmp_path.iterdir()) == []

    def test_a_manifest_in_place_survives_a_failed_write(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        write_records(path, [FULL])

        def broken() -> Any:
            yield BARE
            raise RuntimeError("killed")

        with pytest.raises(RuntimeError):
            write_records(path, broken())
        assert read_records(path) == (FULL,)

    def test_bad_lines_are_named_by_number(self, tmp_path: Path) -> None:
        path = tmp_path / "m.jsonl"
        for broken in ("{", '{"schema_version": "0"}', '{"schema_version": "1", "id": "a"}', "[]"):
            path.write_text(BARE.to_json() + "\n" + broken + "\n", "utf-8")
            with pytest.raises(InputError, match="line 2 of the manifest is no record"):
                read_records(path)
        path.write_text(BARE.to_json() + "\n" + BARE.to_json() + "\n", "utf-8")
        with pytest.raises(InputError, match="'bare' is there more than once"):
            read_records(path)
        path.write_bytes(b"\xff\xfe")
        with pytest.raises(InputError, match="not UTF-8"):
            read_records(path)

    def test_other_parquet_is_refused(self, tmp_path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = tmp_path / "m.parquet"
        path.write_bytes(b"PAR1 but no more")
        with pytest.raises(InputError, match="not Parquet, or is damaged"):
            read_records(path)
        pq.write_table(pa.table({"id": ["a"]}), path)
        with pytest.raises(InputError, match="not written by this version"):
            read_records(path)
        with pytest.raises(InputError, match="there is no such manifest"):
            read_records(tmp_path / "absent.parquet")

    def test_without_pyarrow_it_says_what_to_install(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = builtins.__import__

        def without(name: str, *args: Any, **kwargs: Any) -> Any:
            if name.startswith("pyarrow"):
                raise ImportError(name)
            return real(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(MissingExtraError, match=r"scrutiq\[parquet\]"):
            write_records(tmp_path / "m.parquet", [BARE])

    def test_another_ending_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"\.parquet or \.jsonl"):
            write_records(tmp_path / "m.xlsx", [BARE])


class TestLight:
    def test_importing_loads_nothing_heavy(self) -> None:
        code = (
            "import sys, scrutiq.datasets.bases, scrutiq.datasets.record, scrutiq.datasets.manifests\n"
            "print(*{'pyarrow', 'PIL', 'skimage', 'scipy.stats', 'pydicom', 'torch', 'yaml'} & set(sys.modules))"
        )
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == ""
