"""Loaders: real small files in the published layouts, the real sets where they are, and what is broken is refused."""

from __future__ import annotations

import base64
import csv
import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from scrutiq import rubrics
from scrutiq.core import InputError, Modality, Role, UsageError
from scrutiq.datasets import load
from scrutiq.datasets.published import SETS
from scrutiq.datasets.published.common import check_join, read_table, wide_cells

Rows = Sequence[Sequence[Any]]


def _png(grey: int = 100, size: int = 16) -> bytes:
    stream = io.BytesIO()
    Pillow.fromarray(np.full((size, size), grey, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def _write(root: Path, files: Iterable[str]) -> None:
    for number, name in enumerate(files):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_png(100 + number))


def _table(path: Path, rows: Rows, delimiter: str = ",", encoding: str = "utf-8") -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))


class TestRegistry:
    @pytest.mark.parametrize("name", SETS)
    def test_each_has_a_loader_that_refuses_an_absent_folder(self, name: str, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="there is no folder"):
            load(name, tmp_path / "absent")

    @pytest.mark.parametrize("name", SETS)
    def test_an_empty_folder_is_refused_in_one_sentence(self, name: str, tmp_path: Path) -> None:
        with pytest.raises((UsageError, InputError)) as caught:
            load(name, tmp_path)
        assert str(caught.value).endswith(".")

    def test_an_unknown_name_is_told_the_known_ones(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="there is no published set 'x'; the sets are ldct-iqa, ct-iqa"):
            load("x", tmp_path)

    def test_an_unknown_option_is_told_the_known_ones(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="medq-bench takes kind, split, not colour"):
            load("medq-bench", tmp_path, colour="red")
        with pytest.raises(UsageError, match="eyeq takes no option, not colour"):
            load("eyeq", tmp_path, colour="red")

    def test_naming_the_sets_loads_none_of_their_modules(self) -> None:
        code = (
            "import sys\nfrom scrutiq.datasets.published import SETS\n"
            "print([m for m in sys.modules if m.startswith('scrutiq.datasets.published.')])"
        )
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


class TestJoin:
    def test_it_says_how_many_and_the_first_few_of_each_kind(self) -> None:
        with pytest.raises(UsageError) as caught:
            check_join("set", ["a", "b", "c", "d", "e", "x", "x"], ["x", "y"])
        assert str(caught.value) == (
            "the labels and files of set do not join one to one: 1 file labelled more than once (x); "
            "5 labels without a file (a, b, c and 2 more); 1 file without a label (y)."
        )

    def test_what_joins_passes(self) -> None:
        check_join("set", ["b", "a"], ["a", "b"])


class TestTables:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_encodings_and_delimiters(self, encoding: str, delimiter: str, tmp_path: Path) -> None:
        _table(tmp_path / "t.csv", [["file", "score"], ["ü.png", "1"]], delimiter, encoding)
        assert read_table(tmp_path / "t.csv") == [{"file": "ü.png", "score": "1"}]

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ("file,score\n\xfc.png,1\n".encode("latin-1"), "not UTF-8"),
            (b"file,file\na,1\n", "two columns are named 'file'"),
            (b"file,score\na,1,2\n", "line 2 has 3 cells and the header 2"),
            (b"file,score\n", "holds no rows"),
            (b"", "the table holds no rows"),
            (b'file,score\n"a"b,1\n', "not a valid table"),
            (b"name,score\na,1\n", "no column 'file'; it has name, score"),
        ],
    )
    def test_what_is_wrong_is_named(self, content: bytes, reason: str, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_bytes(content)
        with pytest.raises(InputError, match=reason):
            read_table(tmp_path / "t.csv", ["file"] if content else [])

    def test_the_limit_of_csv_is_left_as_it_was(self) -> None:
        before = csv.field_size_limit()
        with wide_cells():
            assert csv.field_size_limit() > before
        assert csv.field_size_limit() == before


def _challenge(root: Path, scores: dict[str, float]) -> None:
    (root / "image").mkdir(parents=True)
    for number, name in enumerate(scores):
        tifffile.imwrite(root / "image" / name, np.full((8, 8), number / 10, np.float32))
    (root / "train.json").write_text(json.dumps(scores), "utf-8")


class TestLdctIqa:
    TRAIN = {"0000.tif": 2.2, "0001.tif": 0.0, "0002.tif": 4.0}  # noqa: RUF012

    def _test_set(self, root: Path) -> None:
        document = {}
        for part, names in (("test_0", ["L506_1_1_1", "L506_1_1_2"]), ("test_1", ["S058279_70_1_4"])):
            (root / part).mkdir(parents=True)
            for name in names:
                tifffile.imwrite(root / part / f"{name}.tif", np.zeros((8, 8), np.float32))
            document[f"{part}.mha"] = {"fnames": names, "scores": [1.4] * len(names)}
        (root / "test-ground-truth.json").write_text(json.dumps(document), "utf-8")

    def test_both_parts_as_unpacked(self, tmp_path: Path) -> None:
        _challenge(tmp_path / "LDCTIQAG2023_train", self.TRAIN)
        self._test_set(tmp_path / "LDCTIQAC2023_test")
        found = load("ldct-iqa", tmp_path)
        assert Counter(one.split for one in found) == {"train": 3, "test": 3}
        assert found.rubric == "ldct"
        assert {one.id: one.group for one in found.of_split("test")} == {
            "test-L506_1_1_1": "L506",
            "test-L506_1_1_2": "L506",
            "test-S058279_70_1_4": "S058279",
        }
        second = found.records[1]
        assert (second.id, second.scores, second.group) == ("train-0001", {"overall": 0.0}, None)
        image = found.image(second)
        assert image.modality is Modality.CT
        assert image.pixels[0, 0] == np.float32(0.1)
        assert found.notes[0] == "the images hold a display window mapped to [0, 1], not HU"

    def test_a_set_that_states_its_unit_is_in_it(self, tmp_path: Path) -> None:
        _challenge(tmp_path, self.TRAIN)
        stated = {"modality": "CT", "unit": "HU", "rescale": {"slope": 1, "intercept": 0}}
        (tmp_path / "scrutiq.json").write_text(json.dumps(stated), "utf-8")
        found = load("ldct-iqa", tmp_path)
        assert found.image(found.records[0]).unit == "HU"
        assert not any("HU" in note for note in found.notes)

    def test_one_part_alone_and_names_without_an_ending(self, tmp_path: Path) -> None:
        _challenge(tmp_path, self.TRAIN)
        stems = {name.removesuffix(".tif"): score for name, score in self.TRAIN.items()}
        (tmp_path / "train.json").write_text(json.dumps(stems), "utf-8")
        assert [one.scores["overall"] for one in load("ldct-iqa", tmp_path)] == [2.2, 0.0, 4.0]

    def test_train_and_test_in_one_folder_of_images(self, tmp_path: Path) -> None:
        _challenge(tmp_path, self.TRAIN)
        (tmp_path / "train.json").write_text(json.dumps({"0000.tif": 2.2}), "utf-8")
        (tmp_path / "test.json").write_text(json.dumps({"0001.tif": 1, "0002.tif": 3}), "utf-8")
        assert Counter(one.split for one in load("ldct-iqa", tmp_path)) == {"train": 1, "test": 2}

    def test_a_missing_image_and_one_without_a_score(self, tmp_path: Path) -> None:
        _challenge(tmp_path, self.TRAIN)
        (tmp_path / "image" / "0001.tif").rename(tmp_path / "image" / "0009.tif")
        with pytest.raises(
            UsageError, match=r"1 label without a file \(image/0001.tif\); 1 file without a label \(image/0009.tif\)"
        ):
            load("ldct-iqa", tmp_path)

    @pytest.mark.parametrize("score", [-0.1, 4.1, "good", None, True])
    def test_a_score_off_the_scale(self, score: Any, tmp_path: Path) -> None:
        _challenge(tmp_path, {**self.TRAIN, "0001.tif": score})
        with pytest.raises(InputError, match=r"0001.tif: the score is a number from 0 to 4"):
            load("ldct-iqa", tmp_path)

    def test_a_name_twice_or_one_that_leaves_the_folder(self, tmp_path: Path) -> None:
        _challenge(tmp_path, self.TRAIN)
        (tmp_path / "train.json").write_text('{"0000.tif": 1, "0000.tif": 2}', "utf-8")
        with pytest.raises(InputError, match=r"'0000.tif' is there more than once"):
            load("ldct-iqa", tmp_path)
        (tmp_path / "train.json").write_text('{"0000.tif": 1, "0000": 2}', "utf-8")
        with pytest.raises(InputError, match="'0000' is there more than once"):
            load("ldct-iqa", tmp_path)
        (tmp_path / "train.json").write_text('{"../secret.tif": 1}', "utf-8")
        with pytest.raises(InputError, match="not a name of an image"):
            load("ldct-iqa", tmp_path)

    def test_as_many_names_as_scores(self, tmp_path: Path) -> None:
        self._test_set(tmp_path)
        (tmp_path / "test-ground-truth.json").write_text('{"test_0.mha": {"fnames": ["a"], "scores": []}}', "utf-8")
        with pytest.raises(InputError, match="as many 'fnames' as 'scores'"):
            load("ldct-iqa", tmp_path)


class TestCtIqa:
    HEAD = ["image", "noise", "structures", "lesion", "confidence", "caption", "quality", "patient", "split"]  # noqa: RUF012

    def _make(self, root: Path, rows: Rows) -> None:
        _write(root, [row[0] for row in rows])
        _table(root / "ct_iqa.csv", [self.HEAD, *rows])

    def test_the_papers_example_and_a_case_without_a_lesion(self, tmp_path: Path) -> None:
        caption = rubrics.load("ct-iqa").write_caption({"noise": 4, "structures": 4, "lesion": 2, "confidence": 4})
        self._make(
            tmp_path,
            [
                ["a/1.png", 4, 4, 2, 4, caption, "LDCT", "L067", "train"],
                ["a/2.png", 1, 1, "N/A", 1, "", "NDCT", "L506", "test"],
            ],
        )
        first, second = load("ct-iqa", tmp_path)
        assert first.scores == {"noise": 4, "structures": 4, "lesion": 2, "confidence": 4}
        assert first.text is not None
        assert first.text.startswith("Image noise and structural fidelity: unacceptable for diagnostic interpretation;")
        assert "lesion" not in second.scores
        assert second.text is not None
        assert "no lesion" in second.text
        assert (second.split, second.group, second.extra) == ("test", "L506", {"quality": "NDCT"})

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ([5, 1, 1, 1, ""], "row 1 of ct_iqa.csv: the score is a number from 1 to 4, not '5'"),
            (["N/A", 1, 1, 1, ""], "'noise' is empty, and only 'lesion' may be"),
            ([1, 1, 1, 1, "It is fine."], "does not follow the template"),
        ],
    )
    def test_what_is_wrong_is_named(self, row: list[Any], reason: str, tmp_path: Path) -> None:
        self._make(tmp_path, [["a.png", *row, "", "", ""]])
        with pytest.raises(InputError, match=reason):
            load("ct-iqa", tmp_path)

    def test_a_caption_that_contradicts_the_scores(self, tmp_path: Path) -> None:
        caption = rubrics.load("ct-iqa").write_caption({"noise": 1, "structures": 4, "lesion": 2, "confidence": 4})
        self._make(tmp_path, [["a.png", 4, 4, 2, 4, caption, "", "", ""]])
        with pytest.raises(InputError, match="the caption says other levels than the scores"):
            load("ct-iqa", tmp_path)

    @pytest.mark.parametrize("path", ["../a.png", "/etc/a.png"])
    def test_a_path_that_leaves_the_folder(self, path: str, tmp_path: Path) -> None:
        _table(tmp_path / "ct_iqa.csv", [self.HEAD, [path, 1, 1, 1, 1, "", "", "", ""]])
        with pytest.raises(InputError, match="not a path inside the folder"):
            load("ct-iqa", tmp_path)


class TestCas3k:
    HEAD = ["generated", "mask", "contrast", "VMC", "VBD", "OQ", "model", "patient"]  # noqa: RUF012
    ROWS = [  # noqa: RUF012
        ["generated/cut/1.png", "mask/1.png", "contrast/1.png", 10, 20.5, 30, "CUT", ""],
        ["generated/ilvr/1.png", "mask/1.png", "contrast/1.png", 0, 100, 50, "ILVR", ""],
    ]

    def _make(self, root: Path, rows: Rows, *leave_out: str) -> None:
        _write(root, {str(cell) for row in rows for cell in row[:3]} - set(leave_out))
        _table(root / "cas_3k.csv", [self.HEAD, *rows])

    def test_images_of_one_mask_are_one_group(self, tmp_path: Path) -> None:
        self._make(tmp_path, self.ROWS)
        found = load("cas-3k", tmp_path)
        assert {one.group for one in found} == {"mask/1.png"}
        assert found.records[0].scores == {"vmc": 10, "vbd": 20.5, "oq": 30}
        case = found.case(found.records[1])
        assert case.images.keys() == {Role.TARGET, Role.MASK, Role.CONTRAST}
        assert case.target.modality is Modality.XA
        assert not rubrics.load("angio").missing_roles(tuple(case.images))

    def test_a_mask_that_is_missing(self, tmp_path: Path) -> None:
        self._make(tmp_path, self.ROWS, "mask/1.png")
        with pytest.raises(InputError, match=r"mask and contrast images that are missing: 1 \(mask/1.png\)"):
            load("cas-3k", tmp_path)

    def test_a_generated_image_twice(self, tmp_path: Path) -> None:
        self._make(tmp_path, [self.ROWS[0], self.ROWS[0]])
        with pytest.raises(UsageError, match="1 file labelled more than once"):
            load("cas-3k", tmp_path)

    def test_a_score_off_the_scale(self, tmp_path: Path) -> None:
        self._make(tmp_path, [[*self.ROWS[0][:3], 101, 1, 1, "", ""]])
        with pytest.raises(InputError, match="from 0 to 100, not '101'"):
            load("cas-3k", tmp_path)


_MakeTsv = Callable[..., None]


@pytest.fixture
def tsv(tmp_path: Path) -> _MakeTsv:
    """Return a function that writes a table of MedQ-Bench into the folder."""

    def make(name: str, header: Sequence[str], *rows: Sequence[Any], encoding: str = "utf-8") -> None:
        _table(tmp_path / f"medqbench_{name}.tsv", [header, *rows], "\t", encoding)

    return make


PNG = base64.b64encode(_png(40)).decode()
WIDE = base64.b64encode(_png(90, 700) + b"\0" * 200_000).decode()  # wider than the 131,072 characters of csv
QA = ("index", "image", "question", "A", "B", "C", "D", "answer")


class TestMedqBench:
    def test_questions_with_images_in_the_table(self, tmp_path: Path, tsv: _MakeTsv) -> None:
        tsv(
            "QA_dev",
            (*QA, "modality", "question_type"),
            (1, PNG, 'What is "wrong",\nhere?', "Noise", "Blur", "", "", "B", "CT", "what"),
            (2, "1", "Is it sharp?", "Yes", "No", "", "", 0, "MRI", "yes_no"),
            (3, WIDE, "How?", "a", "b", "c", "d", "", "Ultrasound", "how"),
            encoding="utf-8-sig",
        )
        found = load("medq-bench", tmp_path)
        first, second, third = found.records
        assert first.id == "qa-dev-1"
        assert first.question is not None
        assert (first.question.text, first.question.options) == ('What is "wrong",\nhere?', ("Noise", "Blur"))
        assert (first.question.answer, first.question.kind) == (1, "what")
        assert second.question is not None
        assert second.question.answer == 0
        assert (first.modality, second.modality, third.modality) == (Modality.CT, Modality.MR, Modality.UNKNOWN)
        assert third.extra["modality"] == "Ultrasound"
        assert second.files == first.files  # 64 characters or fewer: the image of another row
        assert second.group == first.group != third.group
        assert found.image(first).pixels[0, 0] == 40
        assert np.array_equal(found.image(second).pixels, found.image(first).pixels)
        assert found.image(third).shape == (700, 700)
        assert found.notes == (
            "records whose modality is not stated in words that Scrutiq knows: 1",
            "questions without a published answer: 1",
        )
        with pytest.raises(UsageError, match="kept inside a table"):
            found.path(first)

    def test_questions_with_images_beside_the_table(self, tmp_path: Path, tsv: _MakeTsv) -> None:
        _write(tmp_path, ["images/a.png", "images/b.png"])
        tsv("QA_test", ("index", "image_path", *QA[2:]), (1, "images/a.png", "?", "x", "y", "", "", "A"))
        found = load("medq-bench", tmp_path)
        assert found.path(found.records[0]).name == "a.png"
        assert found.notes[-1] == "images beside those of the tables that no table names: 1 (images/b.png)"
        assert found.image(found.records[0]).pixels[0, 0] == 100

    def test_an_index_that_refers_forward_or_to_nothing(self, tmp_path: Path, tsv: _MakeTsv) -> None:
        tsv("QA_dev", QA, (1, "2", "?", "x", "y", "", "", "A"), (2, PNG, "?", "x", "y", "", "", "A"))
        first, second = load("medq-bench", tmp_path)
        assert first.files == second.files
        tsv("QA_dev", QA, (1, "2", "?", "x", "y", "", "", "A"), (2, "1", "?", "x", "y", "", "", "A"))
        with pytest.raises(InputError, match="index 1: the image refers to row '2', which holds none"):
            load("medq-bench", tmp_path)

    def test_descriptions_and_their_verdict(self, tmp_path: Path, tsv: _MakeTsv) -> None:
        head = ("index", "image", "description")
        tsv(
            "description_dev",
            head,
            (1, PNG, "Noisy. Overall, the quality of this image is [usable]."),
            (2, PNG, "Overall, the quality of this image is good."),
            (3, PNG, "Whether it is good is not said."),
        )
        tsv("description_test", head, (1, PNG, "Blurred."))
        found = load("medq-bench", tmp_path)
        assert [one.scores for one in found] == [{"overall": 1}, {"overall": 2}, {}, {}]
        assert [one.split for one in found] == ["dev", "dev", "dev", "test"]
        assert rubrics.load("medq").judge("overall", 1).level == "usable"
        assert len(load("medq-bench", tmp_path, split="test")) == 1

    def test_any_index_and_an_option_twice(self, tmp_path: Path, tsv: _MakeTsv) -> None:
        tsv("QA_dev", QA, ("../CT: 1/a #2", PNG, "?", "x", "x", "", "", "1.0"))
        found = load("medq-bench", tmp_path)
        assert found.records[0].id == "qa-dev-../CT: 1/a #2"
        assert found.image(found.records[0]).pixels[0, 0] == 40
        assert "questions with the same option twice: 1" in found.notes

    def test_a_group_that_the_table_states(self, tmp_path: Path, tsv: _MakeTsv) -> None:
        rows = [(number, PNG, "?", "x", "y", "", "", "A", group) for number, group in enumerate(("p1", "p1", ""))]
        tsv("QA_dev", (*QA, "group"), *rows)
        assert [one.group for one in load("medq-bench", tmp_path)] == ["p1", "p1", "medqbench_QA_dev.tsv#2"]

    @pytest.mark.parametrize(
        ("header", "cells"),
        [
            (("image_a", "image_b"), (PNG, base64.b64encode(_png(70)).decode())),
            (("image",), (repr([PNG, base64.b64encode(_png(70)).decode()]),)),
            (("image_path",), ("['images/a.png', 'images/b.png']",)),
        ],
    )
    def test_pairs(self, header: tuple[str, ...], cells: tuple[str, ...], tmp_path: Path, tsv: _MakeTsv) -> None:
        (tmp_path / "images").mkdir()
        (tmp_path / "images" / "a.png").write_bytes(_png(40))
        (tmp_path / "images" / "b.png").write_bytes(_png(70))
        tsv("paired_description_dev", ("index", *header, "description"), (7, *cells, "The first is darker."))
        found = load("medq-bench", tmp_path, kind="paired_description")
        (one,) = found
        assert (one.id, one.text, one.scores) == ("paired_description-dev-7", "The first is darker.", {})
        assert found.image(one).pixels[0, 0] == 40
        assert found.image(one, Role.OTHER).pixels[0, 0] == 70

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ((1, "not base64!" * 9, "?", "x", "y", "", "", "A"), "not valid base64"),
            ((1, base64.b64encode(b"MZ" * 60).decode(), "?", "x", "y", "", "", "A"), "holds no image"),
            ((1, PNG, "?", "x", "y", "", "", "C"), "the answer 'C' is none of the options"),
            ((1, PNG, "?", "x", "y", "", "", 4), "the answer '4' is none of the options"),
            ((1, PNG, "?", "x", "", "z", "", "A"), "an option before C is empty"),
            ((1, PNG, "", "x", "y", "", "", "A"), "at least 1 character"),
            (("", PNG, "?", "x", "y", "", "", "A"), "row 1 has no index"),
            (("1" * 65, PNG, "?", "x", "y", "", "", "A"), "an index of control characters or more than 64"),
            ((1, PNG, "?", "x", "y", "", "", "1_0"), "the answer '1_0' is none of the options"),
            ((1, "", "?", "x", "y", "", "", "A"), "neither an image nor an image_path"),
            ((1, "[__import__('os').getcwd()]", "?", "x", "y", "", "", "A"), "not a valid list"),
        ],
    )
    def test_what_is_wrong_is_named(self, row: tuple[Any, ...], reason: str, tmp_path: Path, tsv: _MakeTsv) -> None:
        tsv("QA_dev", QA, row)
        with pytest.raises(InputError, match=reason):
            load("medq-bench", tmp_path)

    def test_an_index_twice(self, tmp_path: Path, tsv: _MakeTsv) -> None:
        tsv("QA_dev", QA, *[(1, PNG, "?", "x", "y", "", "", "A")] * 2)
        with pytest.raises(InputError, match="the index '1' is there more than once"):
            load("medq-bench", tmp_path)

    def test_another_encoding(self, tmp_path: Path, tsv: _MakeTsv) -> None:
        tsv("QA_dev", QA, (1, PNG, "Für wen?", "x", "y", "", "", "A"), encoding="latin-1")
        with pytest.raises(InputError, match="not UTF-8"):
            load("medq-bench", tmp_path)

    @pytest.mark.parametrize("path", ["../secret.png", "/etc/passwd", "['a.png', '../b.png']"])
    def test_a_path_that_leaves_the_folder(self, path: str, tmp_path: Path, tsv: _MakeTsv) -> None:
        tsv("QA_dev", ("index", "image_path", *QA[2:]), (1, path, "?", "x", "y", "", "", "A"))
        with pytest.raises(InputError, match="not a path inside the folder"):
            load("medq-bench", tmp_path)

    def test_a_link_that_leads_out_of_the_folder_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "secret.png").write_bytes(_png())
        root = tmp_path / "set"
        root.mkdir()
        (root / "a.png").symlink_to(tmp_path / "secret.png")
        _table(root / "t.csv", [["file", "score"], ["a.png", 1]])
        found = load("folder", root)
        with pytest.raises(InputError, match="leads out of its folder"):
            found.image(found.records[0])

    def test_an_image_that_is_missing(self, tmp_path: Path, tsv: _MakeTsv) -> None:
        tsv("QA_dev", ("index", "image_path", *QA[2:]), (1, "a.png", "?", "x", "y", "", "", "A"))
        with pytest.raises(UsageError, match=r"1 label without a file \(a.png\)"):
            load("medq-bench", tmp_path)


class TestVlmCtIqa:
    def _make(self, root: Path, train: Sequence[str], test: dict[str, float]) -> None:
        lines = [
            json.dumps({"image": f"./data/LDCTiqa_png/{name}", "instruction": "Rate.", "output": output})
            for name, output in (line.split("|") for line in train)
        ]
        (root / "train.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
        (root / "val.jsonl").write_text("", "utf-8")
        (root / "testData.json").write_text(json.dumps(test), "utf-8")

    def test_images_are_joined_where_they_are(self, tmp_path: Path) -> None:
        self._make(tmp_path, ["0001.png|Score: 2.2\nReasoning: Noise.\nMore."], {"0002.png": 3})
        assert not load("vlm-ct-iqa", tmp_path).has_images
        _write(tmp_path, ["LDCTiqa_png/0001.png", "LDCTiqa_png/0002.png"])
        found = load("vlm-ct-iqa", tmp_path)
        assert found.has_images
        assert [one.text for one in found] == ["Noise.\nMore.", None]
        assert found.image(found.records[1]).shape == (16, 16)
        (tmp_path / "LDCTiqa_png" / "0002.png").unlink()
        with pytest.raises(UsageError, match=r"1 label without a file \(0002.png\)"):
            load("vlm-ct-iqa", tmp_path)

    @pytest.mark.parametrize("output", ["2.2 because", "Score: 9\nReasoning: x", "Score: x\nReasoning: x"])
    def test_an_output_without_a_score(self, output: str, tmp_path: Path) -> None:
        self._make(tmp_path, [f"0001.png|{output}"], {})
        with pytest.raises(InputError, match=r"line 1 of train.jsonl"):
            load("vlm-ct-iqa", tmp_path)

    def test_an_image_in_two_splits(self, tmp_path: Path) -> None:
        self._make(tmp_path, ["0001.png|Score: 2\nReasoning: x"], {"0001.png": 2})
        with pytest.raises(UsageError, match=r"1 file labelled more than once \(0001.png\)"):
            load("vlm-ct-iqa", tmp_path)


class TestReaders:
    HEAD = ["region", "set", "code", "method", "reader", "noise", "contrast", "structure", "file"]  # noqa: RUF012

    def _make(self, root: Path, rows: Rows) -> None:
        _write(root, {row[-1] for row in rows})
        _table(root / "ratings.csv", [self.HEAD, *rows])

    def test_ratings_off_the_scale_are_missing_and_anchors_are_constants(self, tmp_path: Path) -> None:
        target, low, full = (f"brain/set_01/{name}.png" for name in ("AA", "ldct", "ndct"))
        self._make(
            tmp_path,
            [
                ["brain", 1, "AA", "RED", 1, 9, 4, 13, target],
                ["brain", 1, "AA", "RED", 2, 10, 4, 3, target],
                ["brain", 1, "AA", "RED", 3, 14, 3, "", target],
                ["brain", 1, "LDCT", "LDCT", 1, 1, 1, 1, low],
                ["brain", 1, "NDCT", "NDCT", 1, 10, 5, 5, full],
            ],
        )
        found = load("ct-denoising-readers", tmp_path)
        denoised, lowest, normal = found.records
        assert denoised.scores == {"noise": 11, "contrast": pytest.approx(11 / 3), "structure": 3}
        assert denoised.readers["structure"] == {"2": 3}
        assert found.case(denoised).images.keys() == {Role.TARGET, Role.REFERENCE, Role.OTHER}
        assert lowest.scores == {"noise": 1, "contrast": 1, "structure": 1}
        assert normal.scores == {"noise": 7, "contrast": 5, "structure": 5}
        assert normal.readers == lowest.readers == {}
        assert [one.extra["design_constant"] for one in found] == [False, True, True]
        assert found.notes[0] == "ratings of structure that lie outside the scale or are empty, and count as missing: 2"
        assert found.notes[1].endswith("rows of the table that say otherwise: 1")

    def test_a_reader_twice(self, tmp_path: Path) -> None:
        self._make(tmp_path, [["brain", 1, "AA", "RED", 1, 9, 4, 3, "brain/set_01/AA.png"]] * 2)
        with pytest.raises(InputError, match=r"reader 1 rated brain/set_01/AA.png more than once"):
            load("ct-denoising-readers", tmp_path)


class TestFolder:
    def _make(self, root: Path, rows: Rows, name: str = "scores.csv") -> None:
        _write(root, [str(row[0]) for row in rows[1:]])
        _table(root / name, rows)

    def test_columns_are_discovered(self, tmp_path: Path) -> None:
        self._make(
            tmp_path,
            [
                ["Filename", "MOS", "Patient", "Split", "note"],
                ["a/1.png", 3.5, "p1", "Train", "x"],
                ["2.png", "", "", "", ""],
            ],
        )
        first, second = load("folder", tmp_path)
        assert (first.id, first.scores, first.group, first.split) == ("a-1", {"mos": 3.5}, "p1", "train")
        assert (second.scores, second.group, second.split) == ({}, None, None)

    def test_columns_may_be_given_with_a_rubric(self, tmp_path: Path) -> None:
        self._make(tmp_path, [["f", "Noise", "contrast", "x"], ["1.png", 7, 5, 0]])
        found = load("folder", tmp_path, file="f", rubric="ct-denoising", modality="CT")
        assert found.records[0].scores == {"noise": 7, "contrast": 5}
        assert found.rubric == "ct-denoising"
        assert found.image(found.records[0]).modality is Modality.CT
        _table(tmp_path / "scores.csv", [["f", "Noise", "contrast", "x"], ["1.png", 7, 7, 0]])
        with pytest.raises(InputError, match="the score is a number from 1 to 5, not '7'"):
            load("folder", tmp_path, file="f", rubric="ct-denoising", score="contrast, noise")

    def test_one_score_stands_for_the_only_dimension(self, tmp_path: Path) -> None:
        self._make(tmp_path, [["file", "score"], ["1.png", 3]])
        assert load("folder", tmp_path, rubric="ldct").records[0].scores == {"overall": 3}

    def test_json_lines(self, tmp_path: Path) -> None:
        _write(tmp_path, ["1.png", "2.png"])
        (tmp_path / "t.jsonl").write_text('{"image": "1.png", "score": 1}\n{"image": "2.png", "score": 2.5}\n', "utf-8")
        assert [one.scores for one in load("folder", tmp_path)] == [{"score": 1}, {"score": 2.5}]

    def test_a_column_that_is_not_there(self, tmp_path: Path) -> None:
        self._make(tmp_path, [["x", "score"], ["1.png", 1]])
        with pytest.raises(
            UsageError, match=r"no column .* for the image's path; it has x, score; name one with 'file'"
        ):
            load("folder", tmp_path)
        with pytest.raises(UsageError, match="no column 'y' for the score"):
            load("folder", tmp_path, file="x", score="y")

    def test_a_decimal_comma_where_semicolons_separate(self, tmp_path: Path) -> None:
        _write(tmp_path, ["1.png"])
        _table(tmp_path / "t.csv", [["file", "score"], ["1.png", "3,5"]], ";")
        assert load("folder", tmp_path).records[0].scores == {"score": 3.5}
        _table(tmp_path / "t.csv", [["file", "score"], ["1.png", "3,5"]])  # quoted: thousands, or a slip
        with pytest.raises(InputError, match="the score is a number"):
            load("folder", tmp_path)

    def test_a_file_without_an_ending(self, tmp_path: Path) -> None:
        self._make(tmp_path, [["file", "score"], ["IM0001", 1]])
        found = load("folder", tmp_path)
        assert found.image(found.records[0]).shape == (16, 16)

    def test_two_files_of_one_id(self, tmp_path: Path) -> None:
        self._make(tmp_path, [["file", "score"], ["a/b.png", 1], ["a-b.png", 1]])
        with pytest.raises(UsageError, match=r"two records of .* have the id 'a-b'; rename the file of one"):
            load("folder", tmp_path)

    def test_two_tables(self, tmp_path: Path) -> None:
        self._make(tmp_path, [["file", "score"], ["1.png", 1]])
        (tmp_path / "other.csv").write_text("a,b\n", "utf-8")
        with pytest.raises(UsageError, match="there are 2 tables in the folder; name one with 'table'"):
            load("folder", tmp_path)
        assert len(load("folder", tmp_path, table="scores.csv")) == 1
        with pytest.raises(InputError, match="not a path inside the folder"):
            load("folder", tmp_path, table="../scores.csv")

    @pytest.mark.parametrize("score", ["nan", "inf", "good"])
    def test_a_score_that_is_no_number(self, score: str, tmp_path: Path) -> None:
        self._make(tmp_path, [["file", "score"], ["1.png", score]])
        with pytest.raises(InputError, match=r"row 1 of scores.csv: the score is"):
            load("folder", tmp_path)


@pytest.mark.shared
class TestRealSets:
    def test_the_reader_study(self, shared: Path) -> None:
        found = load("ct-denoising-readers", shared / "ct_denoising_readers")
        assert len(found) == 280
        assert len({one.group for one in found}) == 20
        anchors = [one for one in found if one.extra["design_constant"]]
        assert len(anchors) == 40
        assert Counter(str(one.extra["method"]) for one in found if one not in anchors).keys() == {
            *("RED", "MAP", "WGAN", "ED", "CT", "DU", "Res", "DDPM", "DDIM", "PNDM", "DPM", "MTD"),
        }
        assert (
            found.notes[0] == "ratings of structure that lie outside the scale or are empty, and count as missing: 14"
        )
        assert all(1 <= one.scores["structure"] <= 5 for one in found)
        case = found.case(next(one for one in found if one not in anchors))
        assert case.images.keys() == {Role.TARGET, Role.REFERENCE, Role.OTHER}
        assert case.target.shape == (512, 512)

    def test_eyeq(self, shared: Path) -> None:
        found = load("eyeq", shared / "fundus_eyeq200")
        assert Counter(one.scores["overall"] for one in found) == {0: 300, 1: 300, 2: 300}
        assert len({one.group for one in found}) == 692
        assert found.image(found.records[0]).modality is Modality.FUNDUS

    def test_vlm_ct_iqa(self, shared: Path) -> None:
        found = load("vlm-ct-iqa", shared / "text_vlm_ct_iqa")
        assert Counter(one.split for one in found) == {"train": 800, "val": 100, "test": 100}
        assert not found.has_images
        assert all((one.text is None) == (one.split == "test") for one in found)
        assert found.records[0].scores == {"overall": 2.2}

    def test_a_fundus_photograph_less_and_one_too_many(self, shared: Path, tmp_path: Path) -> None:
        source = shared / "fundus_eyeq200"
        (tmp_path / "images").mkdir()
        rows = list(csv.reader((source / "labels.csv").open(encoding="utf-8")))[:5]
        _table(tmp_path / "labels.csv", rows)
        for row in rows[1:]:
            (tmp_path / "images" / row[0]).write_bytes((source / "images" / row[0]).read_bytes())
        assert len(load("eyeq", tmp_path)) == 4
        (tmp_path / "images" / rows[1][0]).rename(tmp_path / "images" / "new.jpeg")
        with pytest.raises(
            UsageError, match=rf"1 label without a file \(images/{rows[1][0]}\); 1 file without a label"
        ):
            load("eyeq", tmp_path)
