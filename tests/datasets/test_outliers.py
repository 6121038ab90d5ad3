"""The table of outliers: licences, parts that share no source, and pictures that can be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scrutiq.core import Modality, UsageError
from scrutiq.datasets.drawings import DRAWINGS, draw
from scrutiq.datasets.outliers import (
    Outlier,
    OutlierSet,
    claimed,
    cut_out,
    missing,
    outlier_sets,
    outliers,
    varied,
)
from scrutiq.imaging import render


def test_every_set_states_its_licence_and_what_is_fitted_may_be_shipped() -> None:
    sets = outlier_sets()
    assert len({one.name for one in sets}) == len(sets)
    for one in sets:
        assert one.licence
        assert one.attribution or one.where == "drawn"
        if one.part != "test":
            assert one.shipped_weights, one.name
        if "not stated" in one.licence or "none stated" in one.licence or "GPL" in one.licence or "SA" in one.licence:
            assert not one.shipped_weights, one.name


def test_the_four_kinds_are_fitted_and_are_tested_on_real_pictures_only() -> None:
    for kind in ("photograph", "screenshot", "ultrasound", "radiograph"):
        parts = {one.part for one in outlier_sets() if one.kind == kind}
        assert parts == {"fit", "validation", "test"}
        assert all(one.where != "drawn" for one in outlier_sets() if one.kind == kind and one.part == "test")


def test_parts_share_no_source_and_no_file(shared: Path) -> None:
    sources: dict[str, set[str]] = {}
    files: dict[str, set[object]] = {}
    for one in outliers(data=shared):
        sources.setdefault(one.part, set()).add(one.source)
        files.setdefault(one.part, set()).add(one.path or (one.kind, one.index))
    parts = sorted(sources)
    for index, part in enumerate(parts):
        for other in parts[index + 1 :]:
            assert not sources[part] & sources[other]
            assert not files[part] & files[other]


def test_what_is_at_hand_is_listed_and_the_rest_is_missing(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SCRUTIQ_OUTLIERS", raising=False)
    found = {one.where.name for one in outliers(data=shared)}
    assert {"skimage_photographs", "pydicom_ultrasound", "chest_fit", "drawn_screens"} <= found
    assert {one.name for one in missing(data=shared)} == {one.name for one in outlier_sets()} - found
    fitted = list(outliers("fit", data=shared, shipped_weights_only=True))
    assert all(one.part == "fit" and one.shipped_weights for one in fitted)


def test_a_folder_of_unpacked_packages_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image as Picture

    place = tmp_path / "debian" / "usr" / "share" / "backgrounds" / "mate" / "nature"
    place.mkdir(parents=True)
    Picture.new("RGB", (3000, 40), (10, 200, 30)).save(place / "Leaf.jpg")
    monkeypatch.setenv("SCRUTIQ_OUTLIERS", str(tmp_path))
    found = [one for one in outliers("test", data=tmp_path) if one.where.name == "mate_nature"]
    if Path("/usr/share/backgrounds/mate/nature").is_dir():
        pytest.fail("the package mate-backgrounds is installed, which this test does not expect")
    assert [one.source for one in found] == ["mate_nature/Leaf.jpg"]
    assert found[0].read().shape == (21, 1600, 3)


@pytest.mark.parametrize("kind", sorted(DRAWINGS))
def test_a_drawing_is_the_same_for_a_seed_and_another_for_another(kind: str) -> None:
    first = draw(kind, 3)
    assert first.dtype == np.uint8
    assert min(first.shape[:2]) >= 200
    assert np.array_equal(first, draw(kind, 3))
    other = draw(kind, 4)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_drawings_look_like_what_they_stand_for() -> None:
    retina = draw("fundus", 1).astype(float)
    assert retina[..., 0].mean() > retina[..., 2].mean()  # red outweighs blue
    beams = draw("ultrasound", 5)
    assert (beams[:4] < 10).mean() > 0.8  # the corners outside the sector are black
    page = draw("screen", 0)
    _, counts = np.unique(page.reshape(-1, *page.shape[2:]), axis=0, return_counts=True)
    assert counts.max() / counts.sum() > 0.4  # one ground behind the text


def test_an_unknown_drawing_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing is drawn by the name 'cartoon'"):
        draw("cartoon", 1)


def test_a_claim_is_the_modality_and_the_levels_are_shown_as_they_are(rng: np.random.Generator) -> None:
    levels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    image = claimed(levels, Modality.CT)
    assert image.modality is Modality.CT
    assert not image.is_calibrated
    assert np.array_equal(render(image), levels)


def test_variants_are_parts_of_other_sizes(rng: np.random.Generator) -> None:
    levels = rng.integers(0, 256, (900, 600, 3), dtype=np.uint8)
    sizes = set()
    for _ in range(40):
        made = varied(levels, rng, grey=True, turn=True)
        assert made.ndim == 2
        assert made.dtype == np.uint8
        assert max(made.shape) <= 1500
        sizes.add(made.shape)
    assert len(sizes) > 20
    assert varied(levels, rng).ndim == 3


def test_a_cut_out_keeps_the_inside_on_an_even_ground(rng: np.random.Generator) -> None:
    levels = rng.integers(1, 255, (80, 120), dtype=np.uint8)
    for _ in range(10):
        made = cut_out(levels, rng)
        changed = made != levels
        assert 0.05 < changed.mean() < 0.95
        assert len(np.unique(made[changed])) == 1


@pytest.mark.browser
def test_a_page_is_rendered_as_a_reader_sees_it(chromium: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<body style='margin:0;background:#fff'><div style='background:#c00;height:450px'></div></body>")
    entry = OutlierSet.model_validate(
        {"name": "pages", "kind": "screenshot", "where": "page", "files": ["*.html"], "part": "test", "group": "file",
         "licence": "MIT", "shipped_weights": False, "attribution": "x"}
    )  # fmt: skip
    shown = Outlier("screenshot", "pages/page", "test", False, entry, page).read()
    assert shown.shape == (900, 1280, 3)
    assert shown[100, 600].tolist() == [204, 0, 0]
    assert shown[700, 600].tolist() == [255, 255, 255]
