"""Draw the pictures of README and docs from the demo's report: make demo, then python scripts/make_pictures.py.

Needs Chromium (scripts/debian-packages.sh) and the development tools.
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "demo-report/report.html"
ASSETS = ROOT / "docs/assets"
CHROMIUM = "/usr/bin/chromium"


def save(page: Page, name: str, selector: str, height: int) -> None:
    """Save the top of an element, in few colours so that the file stays small."""
    box = page.locator(selector).bounding_box()
    assert box is not None
    clip = {"x": box["x"] - 8, "y": box["y"] - 8, "width": box["width"] + 16, "height": min(height, box["height"] + 16)}
    shot = Image.open(io.BytesIO(page.screenshot(clip=clip, full_page=True)))
    shot.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(ASSETS / name, optimize=True)
    print(ASSETS / name, shot.size)


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1180, "height": 900}, color_scheme="light")
        page.goto(REPORT.as_uri())
        page.wait_for_load_state("networkidle")
        cases = page.locator("article")
        print(cases.count(), "cases")
        save(page, "case.png", "article >> nth=1", 1180)
        browser.close()


if __name__ == "__main__":
    main()
