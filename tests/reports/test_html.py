"""The HTML report: structure, links, escaping, privacy, and the same bytes for the same input."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from scrutiq.core import Case
from scrutiq.reports import ReportRun, write_html

VOID = {"meta", "link", "img", "input", "br", "rect", "path", "circle", "wbr"}


class Page(HTMLParser):
    """Elements with their attributes; fails on a tag that is closed wrongly."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        wanted = {("class" if k == "class_" else k): v for k, v in attributes.items()}
        return [
            a for t, a in self.elements if t == tag and all(v in (a.get(k) or "").split() for k, v in wanted.items())
        ]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def written(run: ReportRun, path: Path, **options: object) -> str:
    write_html(run, path, **options)  # type: ignore[arg-type]
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(mixed_run: ReportRun, tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(mixed_run, tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_equal_input_gives_equal_bytes(mixed_run: ReportRun, tmp_path: Path, text: str) -> None:
    assert written(mixed_run, tmp_path / "again.html") == text


def test_nothing_is_asked_for_from_outside(text: str, page: Page) -> None:
    for tag, attributes in page.elements:
        for name in ("src", "href", "action", "srcset", "poster", "data", "xlink:href", "formaction"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (tag, name, value)
        assert "url(" not in (attributes.get("style") or "")
    style = text[text.index("<style>") : text.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"] or ""
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "script-src 'sha256-" in policy


def test_ids_are_unique_and_every_link_arrives(page: Page) -> None:
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(set(ids)) == len(ids)
    targets = [(a.get("href") or "")[1:] for a in page.all("a")]
    assert len(targets) > 100
    assert set(targets) <= set(ids)


def test_each_sentence_is_linked_to_its_measurements(page: Page, mixed_run: ReportRun) -> None:
    rows = {a["id"] for a in page.all("tr") if "id" in a}
    cited = [(a["data-rows"] or "").split() for a in page.all("span", class_="sentence")]
    assert cited
    assert all(set(ids) <= rows for ids in cited)
    # Every distinct report of a case stands there once, each sentence with as many links as it cites measurements.
    expected = sorted(
        len(set(s.measurements))
        for case, assessments in mixed_run.by_case().items()
        for sentences in dict.fromkeys(a.sentences for a in assessments if a.status == "judged")
        for s in sentences
    )
    assert sorted(map(len, cited)) == expected


def test_hostile_text_is_shown_and_not_run(text: str, page: Page) -> None:
    assert len(page.all("script")) == 1
    assert len(page.all("style")) == 1
    assert not page.all("img", src="x")
    assert "<script>alert" not in text
    assert "This is not an image <img src=x onerror=alert(1)>." in page.text
    assert "<script>alert(1)</script>\"'&</style>" in page.text
    assert all(not name.startswith("on") for _, attributes in page.elements for name in attributes)


def test_paths_are_shown_only_when_asked_for(text: str, mixed_run: ReportRun, tmp_path: Path) -> None:
    words = re.sub(r"data:image/\w+;base64,[\w+/=]+", "", text)  # in which any three letters may occur
    assert "DOE" not in words
    assert "JANE" not in words
    shown = written(mixed_run, tmp_path / "paths.html", show_paths=True)
    assert "DOE^JANE/scan/0003.dcm" in shown
    assert "/somewhere/" not in shown, "an error's path is never shown"


def test_judged_declined_and_failed_are_counted_and_listed(page: Page, mixed_run: ReportRun) -> None:
    assert f"Cases {len(mixed_run.by_case())} " in page.text
    assert "Failed 3 " in page.text
    assert "failed 2 cases The file ends before its pixels do; copy it again." in page.text
    assert "declined 1 case The rubric angio needs a mask." in page.text
    assert "The image could not be read again" in page.text


def test_pictures_and_tables_are_named(page: Page) -> None:
    assert all("alt" in a for a in page.all("img"))
    assert all(a.get("alt") for a in page.all("img") if "thumb" not in (a.get("class") or ""))
    tables = [tag for tag, _ in page.elements if tag in ("table", "caption")]
    assert tables.count("table") == tables.count("caption")
    assert all(a.get("scope") for a in page.all("th"))
    assert all(a.get("aria-label") or a.get("aria-hidden") for a in page.all("svg"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels)), "no heading level is skipped"


def test_an_image_is_embedded_once_whatever_the_number_of_rubrics(page: Page, mixed_run: ReportRun) -> None:
    assert len(page.all("figure", class_="main")) == len(mixed_run.choose(60)) - 1  # the camera is gone
    assert len(page.all("article")) == len(mixed_run.choose(60))


def test_only_the_chosen_cases_are_in_full(mixed_run: ReportRun, tmp_path: Path) -> None:
    page = Page(written(mixed_run, tmp_path / "few.html", detail=3))
    assert len(page.all("article")) == 3
    assert "3 cases of" in page.text
    assert "run Scrutiq on that image alone" in page.text
    rows = [a for a in page.all("tr") if "data-words" in a]
    assert len(rows) == sum(a.rubric is not None for a in mixed_run.assessments)
    assert Page(written(mixed_run, tmp_path / "none.html", detail=0)).all("article") == []


@pytest.mark.parametrize("count", [0, 4])
def test_a_run_without_any_judged_case(count: int, tmp_path: Path, make_failed: list[object]) -> None:
    run = ReportRun(make_failed[:count], {}, lambda case: {}[case], lambda case, assessment: None)  # type: ignore[arg-type]
    page = Page(written(run, tmp_path / "empty.html"))
    assert page.all("article") == []
    assert ("No case was judged" if count else "The run holds no case") in page.text


def test_a_volume_of_a_thousand_slices(volume_run: ReportRun, tmp_path: Path) -> None:
    text = written(volume_run, tmp_path / "volume.html", detail=12)
    page = Page(text)
    assert len(page.all("svg", class_="lines")) == 3, "each dimension that has scores"
    assert len(page.all("a", class_="dot")) == 12 * 3
    assert "1000 of 1000 slices scored" in text
    assert len(text) < 8e6


def test_a_gap_in_a_volume_breaks_the_line(long_volume: list[Case]) -> None:
    from scrutiq import rubrics
    from scrutiq.reports.figures import profile

    rubric = rubrics.load("ldct")
    judged = [rubric.judge("overall", 2.0, interval=(1, 3))] * 3
    chart = profile(
        range(7),
        [*judged, None, *judged],
        rubric.dimensions["overall"],
        label="x",
        place=str,
        points={},
        title=str,
    )
    assert chart.count('class="line"') == 2


def test_what_a_network_says_is_told_from_what_was_measured(network_run: ReportRun, tmp_path: Path) -> None:
    page = Page(written(network_run, tmp_path / "net.html"))
    assert "90 %: 2.20–3.80" in page.text
    assert "fair 7 %, good 78 %, excellent 15 %" in page.text.replace("\u2009", " ")
    assert "proxy-trained" in page.text
    assert "Disputed between the network and the measurement." in page.text
    assert "network: present with probability 0.81; rings_hu 1.2 HU" in page.text
    assert "Looked for by the network and not seen: metal ct.metal (0.03)" in page.text
    assert "As the network sees them." in page.text
    assert "Limits:" not in page.text
    targets = {(a.get("href") or "")[1:] for a in page.all("a")}
    assert "measure-rings_hu" in targets
    assert targets <= {a["id"] for _, a in page.elements if "id" in a}
