"""The designs: what each makes, on real images (synthetic ones of angiography), and that `check` agrees."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from scrutiq import rubrics
from scrutiq.core import Applied, Image, Modality, UsageError
from scrutiq.datasets import load as load_published
from scrutiq.datasets import read_records
from scrutiq.datasets.build import build, check
from scrutiq.datasets.build.building import MANIFEST
from scrutiq.datasets.build.kinds import angio_triplets, ct_iqa, ldct_factorial
from scrutiq.datasets.build.recipe import load
from scrutiq.imaging import read

from .conftest import PAIRS, write_recipe

LDCT = {
    "kind": "ldct-factorial",
    "name": "tiny-ldct",
    "title": "A small factorial",
    "description": "For the tests.",
    "seed": 3,
    "images": 32,
    "test": 0.5,
    "bases": {"max_side": 128},
}
CT_IQA = {
    "kind": "ct-iqa",
    "name": "tiny-ct-iqa",
    "title": "A small set of eight qualities",
    "description": "For the tests.",
    "seed": 5,
    "slices": 2,
    "test": 0.5,
}
ANGIO = {
    "kind": "angio-triplets",
    "name": "tiny-angio",
    "title": "A small set of triplets",
    "description": "For the tests.",
    "seed": 2,
    "images": 8,
    "flaws": {"xa.quantum_mottle": ["oq"], "xa.vessel_breaks": ["vmc"]},
    "test": 0.5,
}


@pytest.fixture(scope="module")
def ldct(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ldct")
    recipe = write_recipe(folder / "recipe.yaml", LDCT)
    assert build(recipe, folder / "out", data=data, jobs=2).failed == {}
    return folder / "out"


@pytest.fixture(scope="module")
def angio(angio_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("angio-out")
    recipe = write_recipe(folder / "recipe.yaml", ANGIO)
    assert build(recipe, folder / "out", data=angio_data, jobs=2).failed == {}
    return folder / "out"


class TestLdctFactorial:
    def test_the_proxy_is_that_of_the_design(self) -> None:
        assert [[ldct_factorial.proxy(n, s) for s in range(4)] for n in range(4)] == [
            [4, 3, 2, 1],
            [3, 2.25, 1.5, 0.75],
            [2, 1.5, 1, 0.5],
            [1, 0.75, 0.5, 0.25],
        ]

    def test_every_patient_gives_the_whole_factorial(self, ldct: Path) -> None:
        records = read_records(ldct / MANIFEST)
        cells = Counter((r.split, r.group, r.extra["noise_level"], r.extra["streak_level"]) for r in records)
        assert len(cells) == 32
        assert set(cells.values()) == {1}
        assert len({(r.split, r.group) for r in records}) == 2
        doses = {a.parameters["dose_fraction"] for r in records for a in r.applied if a.degradation == "ct.low_dose"}
        views = {a.parameters["kept_views"] for r in records for a in r.applied if a.degradation == "ct.sparse_view"}
        assert doses == {0.5, 0.25, 0.1}
        assert views == {256, 128, 64}

    def test_images_are_further_from_the_base_the_worse_the_proxy(self, ldct: Path) -> None:
        for split in ("train", "test"):
            records = [r for r in read_records(ldct / MANIFEST) if r.split == split]
            of = {(r.extra["noise_level"], r.extra["streak_level"]): r for r in records}
            clean = read(ldct / of[0, 0].files["target"]).pixels
            away = {
                key: float(np.sqrt(np.mean((read(ldct / r.files["target"]).pixels - clean) ** 2)))
                for key, r in of.items()
            }
            for level in range(3):
                assert away[level + 1, 0] > away[level, 0]
                assert away[0, level + 1] > away[0, level]

    def test_the_files_are_in_hu_and_say_so(self, ldct: Path) -> None:
        image = read(ldct / "train" / "0000.tif")
        assert (image.unit, image.modality) == ("HU", Modality.CT)
        assert image.pixels.min() < -900
        assert (ldct / "train" / "0000.tif").read_bytes()[:4] == b"II*\x00"

    def test_the_layout_is_that_of_the_challenge(self, ldct: Path) -> None:
        loaded = load_published("ldct-iqa", ldct)
        assert Counter(r.split for r in loaded) == {"train": 16, "test": 16}
        scores = json.loads((ldct / "train.json").read_text("utf-8"))
        assert scores["0000.tif"] == 4
        assert sorted(scores.values())[0] == 0.25

    def test_the_check_passes_and_finds_a_swapped_score(self, ldct: Path, data: Path, tmp_path: Path) -> None:
        found = check(ldct, data=data, replay=4)
        assert found.problems == []
        copy = Path(shutil.copytree(ldct, tmp_path / "copy"))
        scores = json.loads((copy / "test.json").read_text("utf-8"))
        scores["0000.tif"], scores["0015.tif"] = scores["0015.tif"], scores["0000.tif"]
        (copy / "test.json").write_text(json.dumps(scores), "utf-8")
        assert check(copy, data=tmp_path).problems == ["test.json does not say what the manifest says."]


class TestCtIqa:
    def test_the_plan_has_eight_qualities_of_every_slice(self, data: Path, tmp_path: Path) -> None:
        from scrutiq.datasets.build.building import planned
        from scrutiq.datasets.build.sources import Sources

        recipe = load(write_recipe(tmp_path / "recipe.yaml", CT_IQA | {"slices": 4}))
        items = planned(recipe, Sources(recipe.bases, data))
        assert Counter(item.facts["quality"] for item in items) == dict.fromkeys(ct_iqa.QUALITIES, 4)
        lesions = {item.case for item in items for step in item.steps if step.degradation == ct_iqa.LESION}
        assert len(lesions) == 2
        assert len({(item.split, item.group) for item in items}) == 2
        for case in {item.case for item in items}:
            seeds = {step.seed for item in items if item.case == case for step in item.steps}
            assert len(seeds) == 1  # one scan, one noise, one lesion

    @pytest.mark.parametrize(
        ("facts", "expected"),
        [
            ({"rmse_hu": 0, "gmsd": 0}, {"noise": 1, "structures": 1, "lesion": None, "confidence": 1}),
            (
                {"rmse_hu": 30, "gmsd": 0.05, "noise_to_contrast": 2},
                {"noise": 4, "structures": 3, "lesion": 4, "confidence": 4},
            ),
            (
                {"rmse_hu": 10, "gmsd": 0.02, "noise_to_contrast": 0.1},
                {"noise": 2, "structures": 1, "lesion": 1, "confidence": 1},
            ),
            ({"rmse_hu": 10, "gmsd": 0.02}, {"noise": 2, "structures": 1, "lesion": None, "confidence": 2}),
        ],
    )
    def test_the_scores_follow_the_stated_rule(self, facts: dict[str, float], expected: dict[str, Any]) -> None:
        assert ct_iqa.scores(facts) == expected
        caption = rubrics.load("ct-iqa").write_caption(ct_iqa.scores(facts))
        assert rubrics.load("ct-iqa").read_caption(caption) == expected

    def test_what_is_measured_of_a_lesion_is_what_was_put_there(self) -> None:
        y, x = np.indices((200, 200))
        disc = np.hypot(y - 100, x - 100) <= 10
        rng = np.random.default_rng(3)
        lesion = Applied(
            degradation=ct_iqa.LESION,
            severity=0.8,
            parameters={"center": [100, 100], "diameter_mm": 20.0, "contrast_hu": 40.0},
        )
        pixels = 50 + 40.0 * disc
        before = Image(pixels=pixels, modality=Modality.CT, unit="HU", spacing=(1, 1), history=(lesion,))
        noisy = before.replace(pixels=pixels + rng.normal(0, 20, pixels.shape))
        facts = ct_iqa.measured(noisy, before)
        assert facts["noise_to_contrast"] == pytest.approx(0.5, rel=0.1)
        assert facts["rmse_hu"] == pytest.approx(20, rel=0.05)
        gone = before.replace(pixels=np.full(pixels.shape, 50.0))
        assert ct_iqa.measured(gone, before)["noise_to_contrast"] == 99

    def test_a_set_is_built_and_checked(self, data: Path, tmp_path: Path) -> None:
        recipe = write_recipe(tmp_path / "recipe.yaml", CT_IQA)
        out = tmp_path / "out"
        built = build(recipe, out, data=data, jobs=2)
        assert built.failed == {}
        assert check(out, data=data, replay=4).problems == []
        records = load_published("ct-iqa", out).records
        assert len(records) == 16
        mean = {
            quality: np.mean([r.scores["noise"] for r in records if r.extra["quality"] == quality])
            for quality in ct_iqa.QUALITIES
        }
        assert mean["NDCT"] == 1
        assert mean["LDCT"] > mean["RED-CNN"]


class TestPairs:
    def test_a_series_is_one_fault_that_grows(self, data: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        build(write_recipe(tmp_path / "recipe.yaml", PAIRS | {"series": 4}), out, data=data, jobs=2)
        assert check(out, data=data, replay=4).problems == []
        records = read_records(out / MANIFEST)
        assert len(records) == 12
        for case in {r.extra["case"] for r in records}:
            series = [r for r in records if r.extra["case"] == case]
            assert [r.applied[0].severity if r.applied else 0 for r in series] == [0, 0.5, 1]
            first, middle, last = (np.asarray(Pillow.open(out / r.files["target"]), np.float64) for r in series)
            assert 0 < np.abs(middle - first).mean() < np.abs(last - first).mean()
        with (out / "pairs.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 4 * 3
        for row in rows:
            milder = float(row["severity_first"]) < float(row["severity_second"])
            assert row["better"] == ("first" if milder else "second")

    def test_a_changed_order_is_found(self, data: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        build(write_recipe(tmp_path / "recipe.yaml", PAIRS | {"series": 2}), out, data=data, jobs=1)
        table = out / "pairs.csv"
        text = table.read_text("utf-8")
        old = "first,any" if ",first,any" in text else "first,endoscopy"
        assert old in text
        table.write_text(text.replace(old, old.replace("first", "second"), 1), "utf-8")
        assert check(out, data=tmp_path).problems == ["pairs.csv does not say what the manifest says."]


class TestAngioTriplets:
    def test_the_check_passes(self, angio: Path, angio_data: Path) -> None:
        assert check(angio, data=angio_data, replay=6).problems == []

    def test_the_layout_is_read_as_cas_3k(self, angio: Path) -> None:
        loaded = load_published("cas-3k", angio)
        assert len(loaded) == 8
        assert loaded.rubric == "angio"
        for record in loaded:
            assert record.files.keys() == {"target", "mask", "contrast"}

    def test_the_generated_image_stands_on_the_mask_and_shows_the_vessels(self, angio: Path) -> None:
        record = next(r for r in read_records(angio / MANIFEST) if not r.applied)
        mask, contrast, made = (
            read(angio / record.files[role]).pixels.astype(float) for role in ("mask", "contrast", "target")
        )
        vessels = mask - contrast > 25
        assert vessels.sum() > 100
        # Darker than the mask about where the vessels are, though not exactly there.
        from scipy import ndimage

        near = ndimage.binary_dilation(vessels, iterations=10)
        assert (mask - made)[vessels].mean() > 5
        assert np.abs(mask - made)[~near].mean() < np.abs(mask - made)[vessels].mean()

    def test_the_deformation_is_as_large_as_stated_and_smooth(self) -> None:
        x = np.indices((256, 256), dtype=np.float64)[1]
        ramp = Image(pixels=x, modality=Modality.XA)
        moved = angio_triplets.deformed(ramp, 6.0, seed=4).pixels.astype(float) - x
        inner = moved[8:-8, 8:-8]
        assert 2 < np.abs(inner).max() <= 6.01
        assert np.abs(np.diff(inner, axis=0)).max() < 0.5
        again = angio_triplets.deformed(ramp, 6.0, seed=4)
        assert np.array_equal(again.pixels, angio_triplets.deformed(ramp, 6.0, seed=4).pixels)

    def test_the_scores_fall_by_the_stated_rule(self, tmp_path: Path) -> None:
        recipe = load(write_recipe(tmp_path / "recipe.yaml", ANGIO))
        assert recipe.kind == "angio-triplets"
        breaks = Applied(degradation="xa.vessel_breaks", severity=0.5)
        mottle = Applied(degradation="xa.quantum_mottle", severity=1.0)
        assert angio_triplets.scores(recipe, ()) == {"vmc": 95, "vbd": 95, "oq": 95}
        assert angio_triplets.scores(recipe, (breaks,)) == {"vmc": 52.25, "vbd": 95, "oq": 52.25}
        assert angio_triplets.scores(recipe, (breaks, mottle)) == {"vmc": 52.25, "vbd": 95, "oq": 5.225}

    def test_a_flaw_that_does_not_exist_is_refused(self, angio_data: Path, tmp_path: Path) -> None:
        recipe = write_recipe(tmp_path / "recipe.yaml", ANGIO | {"flaws": {"xa.ghosts": ["oq"]}})
        with pytest.raises(UsageError, match=r"xa\.ghosts is no degradation of XA"):
            build(recipe, tmp_path / "out", data=angio_data)
