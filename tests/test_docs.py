"""The documentation: it builds, fetches nothing, and says what the code does."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import typer
import yaml

from scrutiq import rubrics
from scrutiq.cli.app import app
from scrutiq.core import (
    Assessment,
    AssessmentSet,
    Case,
    Comparison,
    Evidence,
    Finding,
    Image,
    Measurement,
    Modality,
    Noun,
    Provenance,
    Role,
    Rubric,
    Sentence,
    Severity,
    Source,
    Window,
)
from scrutiq.metrics.agreement import agree

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def _blocks(*kinds: str) -> Iterator[tuple[str, str]]:
    """Yield the page and the text of every fenced block of these kinds."""
    for page in PAGES:
        for kind, text in re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            if kind in kinds:
                yield str(page.relative_to(ROOT)), text


#: Every call of the command in the pages.
COMMANDS = sorted(
    {
        (page, command[1])
        for page, text in _blocks("", "sh", "bash", "console")
        for line in text.splitlines()
        if (command := re.match(r"(?:\$ )?(?:\.venv/bin/)?scrutiq ([^>]*)", line))
    }
)


#: Pages whose Python runs as it stands, on what is bundled.
RUNNABLE = ["docs/explanation/degradations.md", "docs/how-to/degrade.md"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation, built."""
    pytest.importorskip("mkdocs", reason="the documentation tools are not installed: make docs")
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return out


class TestBuild:
    def test_every_page_is_there(self, site: Path) -> None:
        missing = [
            page for page in DOCS.rglob("*.md") if not (site / page.relative_to(DOCS)).with_suffix(".html").exists()
        ]
        assert missing == []

    def test_nothing_is_fetched_from_elsewhere(self, site: Path) -> None:
        class Loads(HTMLParser):
            found: list[str]

            def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
                given = dict(attributes)
                if tag in ("script", "img", "iframe", "source", "video") or (
                    tag == "link" and given.get("rel") != "canonical"
                ):
                    self.found += [value for key in ("src", "href") if (value := given.get(key))]

        loads = Loads()
        loads.found = []
        for page in site.rglob("*.html"):
            loads.feed(page.read_text("utf-8"))
        assert any(target.endswith(".css") for target in loads.found)
        assert [target for target in loads.found if re.match(r"(\w+:)?//", target)] == []
        styles = "".join(sheet.read_text("utf-8") for sheet in site.rglob("*.css"))
        assert re.findall(r"url\((?:[\"']?)(?:https?:)?//[^)]*", styles) == []


class TestReference:
    def test_the_generated_parts_are_up_to_date(self) -> None:
        command = [sys.executable, str(ROOT / "scripts" / "make_reference.py"), "--check"]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr

    @pytest.mark.parametrize(("page", "line"), COMMANDS)
    def test_every_command_is_one_that_scrutiq_takes(self, page: str, line: str) -> None:
        group = typer.main.get_command(app)
        verb, *rest = shlex.split(line, comments=True)
        command = group.get_command(group.make_context("scrutiq", ["doctor"]), verb)  # type: ignore[attr-defined]
        assert command is not None, f"{page}: there is no verb {verb!r}"
        command.make_context(verb, rest)  # raises where an option or a value is wrong

    def test_there_are_commands(self) -> None:
        assert {line.split()[0] for _, line in COMMANDS} >= {"assess", "rubrics", "agree"}

    @pytest.mark.parametrize("page", RUNNABLE)
    def test_the_python_of_a_page_runs(self, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(ROOT)
        blocks = [text for name, text in _blocks("python") if name == page]
        assert blocks
        names: dict[str, object] = {}
        for text in blocks:
            exec(compile(text, page, "exec"), names)

    def test_every_json_block_is_json(self) -> None:
        blocks = list(_blocks("json"))
        assert blocks
        for _, text in blocks:
            json.loads(text)

    def test_the_example_of_a_run_is_a_valid_run(self) -> None:
        (text,) = [text for _, text in _blocks("json") if '"assessments"' in text]
        AssessmentSet.from_json(text)

    def test_every_rubric_shown_is_valid(self, tmp_path: Path) -> None:
        shown = [text for _, text in _blocks("yaml") if "dimensions:" in text]
        assert shown
        for number, text in enumerate(shown):
            path = tmp_path / f"{number}.yaml"
            path.write_text(text, "utf-8")
            assert rubrics.check(path) == []
            assert yaml.safe_load(text)["name"] == rubrics.load(path).name


def _nouns() -> list[Noun]:
    """Return one of each noun that has a published schema, with its optional parts filled."""
    pixels = np.array([[0.0, np.nan], [1.5, -2.0]], dtype=np.float32)
    source = Source(path="a/b.dcm", frame=2, series="0123456789ab", location=-3.5)
    image = Image(
        pixels=pixels,
        modality=Modality.CT,
        unit="HU",
        spacing=(0.7, 0.7),
        voi=Window(center=40, width=400),
        source=source,
    )
    rubric = rubrics.load("ct-denoising")
    evidence = Evidence(measurement="noise_hu", value=31.2, unit="HU", reference=(None, 16))
    finding = Finding(
        degradation="ct.low_dose", severity=Severity.MILD, value=0.4, region=(0, 0, 1, 2), evidence=(evidence,)
    )
    judgement = rubric.judge(
        "noise",
        6.1,
        interval=(4.9, 7.3),
        coverage=0.9,
        probabilities=rubric.dimension("noise").distribution(6.1, 0.8),
        supervision="readers",
    )
    seen = Finding(degradation="ct.ring", severity=Severity.NONE, value=0.02, probability=0.05)
    assessment = Assessment(
        case="c1",
        source=source,
        modality=Modality.CT,
        status="judged",
        rubric=rubric.name,
        assessor="measured:",
        judgements={"noise": judgement},
        declined={"contrast": "there is no reference"},
        findings=(finding, seen),
        measurements={"noise_hu": Measurement(value=31.2, unit="HU")},
        sentences=(Sentence(text="The noise is 31.2 HU.", measurements=("noise_hu",)),),
        provenance=Provenance(
            assessor="measured:", rubric_hash=rubric.hash, versions={"numpy": "2"}, parameters={"a": 1}
        ),
    )
    return [
        AssessmentSet.of([assessment]),
        assessment,
        judgement,
        finding,
        Comparison(a=assessment, b=assessment, rubric=rubric.name, better="equal"),
        agree([1, 2, 3, 5], [1, 3, 2, 4], clusters=["a", "a", "b", "c"], n_boot=10),
        rubric,
        Case(id="c1", images={Role.TARGET: image}),
        image,
    ]


class TestSchemas:
    def test_each_is_tested(self) -> None:
        published = {path.stem for path in (DOCS / "reference" / "schema").glob("*.json")}
        assert published == {type(noun).__name__ for noun in _nouns()}

    @pytest.mark.parametrize("noun", _nouns(), ids=lambda noun: type(noun).__name__)
    def test_what_is_written_follows_the_published_schema(self, noun: Noun) -> None:
        schema = json.loads((DOCS / "reference" / "schema" / f"{type(noun).__name__}.json").read_text("utf-8"))
        validator = jsonschema.Draft202012Validator
        validator.check_schema(schema)
        document = json.loads(noun.to_json())
        validator(schema).validate(document)
        for broken in (document | {"unknown": 1}, document | {"schema_version": "0"}, {"schema_version": "1"}):
            assert not validator(schema).is_valid(broken)

    def test_every_shipped_rubric_follows_it(self) -> None:
        schema = json.loads((DOCS / "reference" / "schema" / "Rubric.json").read_text("utf-8"))
        for rubric in rubrics.shipped():
            jsonschema.Draft202012Validator(schema).validate(json.loads(rubric.to_json()))
            assert Rubric.from_json(rubric.to_json()) == rubric
