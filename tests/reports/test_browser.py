"""The report in a real browser: quiet, offline, sortable, legible, within the width of a telephone, and on paper."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scrutiq.reports import ReportRun, write_html

pytestmark = pytest.mark.browser

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]

#: The lowest contrast (WCAG 2.2, 1.4.3) of any text on its background, with the text: large text counts 4.5 / 3 more.
CONTRAST = """() => {
  const parse = (c) => { const v = c.match(/[\\d.]+/g).map(Number); return v.length > 3 ? v : [...v, 1]; };
  const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => { v /= 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (node) => { for (; node; node = node.parentElement) {
    const c = parse(getComputedStyle(node).backgroundColor); if (c[3] > 0.99) return c; } return [255, 255, 255, 1]; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let worst = [99, ""]; let count = 0;
  while (walker.nextNode()) {
    const node = walker.currentNode, box = node.parentElement;
    if (!node.data.trim() || !box.checkVisibility() || ["SCRIPT", "STYLE"].includes(box.tagName)) continue;
    const style = getComputedStyle(box), [a, b] = [light(parse(style.color)), light(behind(box))].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    const ratio = (a + 0.05) / (b + 0.05) * (large ? 1.5 : 1); count += 1;
    if (ratio < worst[0]) worst = [ratio, `${box.className}: ${node.data.trim().slice(0, 40)}`];
  }
  return [...worst, count];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def report(mixed_run: ReportRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("browser") / "report.html"
    write_html(mixed_run, path)
    return path


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    with browser.new_context(viewport={"width": 1400, "height": 900}) as context:
        yield opened(context, report)


def opened(context: Any, report: Path) -> Any:
    """Open the report; the page's attribute ``trouble`` collects errors, console messages and requests."""
    page = context.new_page()
    page.trouble = []
    page.on("console", lambda message: page.trouble.append(message.text))
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith("data:") else page.trouble.append(request.url))
    page.on("dialog", lambda dialog: (page.trouble.append("dialog"), dialog.dismiss()))
    page.goto(report.as_uri())
    return page


def test_nothing_is_requested_and_nothing_complains(page: Any, report: Path) -> None:
    page.wait_for_load_state("networkidle")
    assert page.trouble == [report.as_uri()]
    broken = "[...document.images].filter((image) => !image.complete || !image.naturalWidth).length"
    assert page.evaluate(broken) == 0


def test_the_policy_stops_a_script_that_got_in(page: Any) -> None:
    page.evaluate(
        "() => document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = 1' }))"
    )
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in line for line in page.trouble)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 768, 390, 320])
def test_it_fits_and_is_legible(browser: Any, report: Path, theme: str, width: int) -> None:
    with browser.new_context(viewport={"width": width, "height": 844}, color_scheme=theme) as context:
        page = opened(context, report)
        page.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        ratio, where, count = page.evaluate(CONTRAST)
        assert count > 500
        assert ratio >= 4.5, where


def test_the_theme_can_be_chosen_and_is_kept(browser: Any, report: Path) -> None:
    shade = "getComputedStyle(document.body).backgroundColor"
    with browser.new_context(color_scheme="dark") as context:
        page = opened(context, report)
        dark = page.evaluate(shade)
        page.get_by_role("button", name="Use light colours").click()
        assert page.evaluate(shade) != dark
        page.reload()
        assert page.evaluate(shade) != dark
        page.get_by_role("button", name="Use dark colours").click()
        assert page.evaluate(shade) == dark


def column(page: Any, index: int) -> list[str]:
    values: list[str] = page.evaluate(
        """(index) => [...document.querySelector('table[data-sortable]').tBodies[0].rows]
        .map((row) => row.cells[index].dataset.v)""",
        index,
    )
    return values


def test_sorting_by_keyboard(page: Any) -> None:
    table = page.locator("table[data-sortable]").first
    before = column(page, 3)
    button = table.get_by_role("button", name="Image noise and structural fidelity")
    button.focus()
    page.keyboard.press("Enter")
    assert column(page, 3) == sorted(before, key=lambda v: (v == "", float(v or 0)))
    head = button.locator("xpath=..")
    assert head.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert column(page, 3) == sorted(before, key=lambda v: (v == "", -float(v or 0)))
    assert head.get_attribute("aria-sort") == "descending"
    assert table.locator("th[aria-sort]").count() == 1


def test_rows_that_were_declined_stay_last(page: Any) -> None:
    """A declined row spans its dimensions by one cell; sorting by a later column still finds its value."""
    table = page.locator("table[data-sortable]").first
    assert table.locator("tbody tr").first.get_attribute("data-status") == "unjudged"
    for title in ("Quality", "Visibility of small structures"):
        for _ in range(2):
            table.get_by_role("button", name=title).click()
            assert table.locator("tbody tr").last.get_attribute("data-status") == "unjudged"
    table.get_by_role("button", name="Status").click()
    table.get_by_role("button", name="Status").click()
    assert table.locator("tbody tr").first.get_attribute("data-status") == "unjudged", "descending: unjudged, judged"
    assert page.trouble[1:] == []


def test_filtering(page: Any) -> None:
    rows = page.locator("table[data-sortable] tbody tr")
    total = rows.count()
    count = page.locator("output")
    assert count.text_content() == f"{total} rows"
    page.get_by_role("searchbox", name="Find").fill("volume-0003")
    shown = page.locator("table[data-sortable] tbody tr:visible")
    assert shown.count() == 2  # on two rubrics
    assert count.text_content() == f"2 of {total} rows"
    page.get_by_role("searchbox", name="Find").fill("")
    page.get_by_label("Status").select_option("declined")
    assert shown.count() == 2
    page.get_by_label("Status").select_option("all")
    page.get_by_label("Worst finding").select_option("severe")
    assert 0 < shown.count() < total
    page.get_by_role("searchbox", name="Find").fill("no such thing")
    assert shown.count() == 0
    assert page.locator(".nothing:visible").count() == page.locator("table[data-sortable]").count()


def test_a_sentence_lights_its_measurements(page: Any) -> None:
    sentence = page.locator(".sentence").first
    sentence.hover()
    lit = page.locator("tr.lit")
    ids = [row.get_attribute("id") for row in lit.all()]
    assert ids == (sentence.get_attribute("data-rows") or "").split()
    assert "Rests on: noise " in (page.locator(".readout").first.text_content() or "")
    page.locator(".sentence").nth(1).locator("a").first.focus()
    assert [row.get_attribute("id") for row in lit.all()] != ids
    link = sentence.locator("a").first
    link.click()
    assert page.evaluate("document.querySelector('tr:target').id") == ids[0]


def test_the_map_can_be_laid_over_the_image_and_a_place_is_marked_in_both(page: Any) -> None:
    pictures = page.locator(".pictures").first
    pictures.get_by_role("button", name="Lay over the image").click()
    over, under = pictures.locator(".laid").bounding_box(), pictures.locator(".main img").first.bounding_box()
    assert over == under
    pictures.get_by_role("button", name="Lay over the image").click()
    assert pictures.locator(".laid").count() == 0
    pictures.locator(".main .fit").hover()
    assert pictures.locator(".map .cross").count() == 1


def test_pictures_keep_their_shape(page: Any) -> None:
    shapes = page.evaluate(
        """() => [...document.querySelectorAll('.main .fit')].map((fit) => {
          const box = fit.getBoundingClientRect();
          return [box.width / box.height, Number(getComputedStyle(fit).getPropertyValue('--r')), box.width, box.height];
        })"""
    )
    assert len(shapes) > 15
    for seen, wanted, width, height in shapes:
        assert width >= 4 and height >= 1  # noqa: PT018
        if min(width, height) > 20:
            assert seen == pytest.approx(wanted, rel=0.02)


def test_it_prints_in_light_colours_with_each_case_on_a_new_page(
    browser: Any, report: Path, tmp_path: Path, mixed_run: ReportRun
) -> None:
    with browser.new_context(color_scheme="dark") as context:
        page = opened(context, report)
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.locator("button:visible").count() == 0
        page.emulate_media(media=None)
        page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
    if shutil.which("pdftotext") is None:
        pytest.skip("needs pdftotext of poppler-utils to look at the pages")
    command = ["pdftotext", tmp_path / "report.pdf", "-"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pages = text.split("\f")
    starts = [i for i, words in enumerate(pages) if "On the scale" in words and "quality" in words.lower()]
    assert len(starts) >= len(mixed_run.choose(60)) - 1
    assert "Rubric, SHA-256" in text, "what is folded on screen is open on paper"
    assert not any("Lay over the image" in words for words in pages)


def test_a_thousand_rows_sort_and_filter_in_time(browser: Any, volume_run: ReportRun, tmp_path: Path) -> None:
    write_html(volume_run, tmp_path / "volume.html", detail=8)
    with browser.new_context(viewport={"width": 1400, "height": 900}) as context:
        page = opened(context, tmp_path / "volume.html")
        took = page.evaluate(
            """() => { const start = performance.now();
            document.querySelector('th.quality button').click(); document.body.getBoundingClientRect();
            const find = document.querySelector('[data-filter=text]'); find.value = 'volume-09';
            find.dispatchEvent(new Event('input')); document.body.getBoundingClientRect();
            return performance.now() - start; }"""
        )
        assert page.locator("table[data-sortable] tbody tr:visible").count() == 100
        assert took < 2000, "milliseconds"
        page.get_by_role("searchbox", name="Find").fill("")
        assert page.locator("output").text_content() == "1000 rows"
        rows = page.locator("table[data-sortable] tbody tr:visible")
        assert rows.count() == 300
        page.get_by_role("button", name="Show 300 more of 700").click()
        assert rows.count() == 600
        page.locator(".dot").first.click()
        assert page.evaluate("location.hash").startswith("#case-")
