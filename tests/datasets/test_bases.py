"""The table of bases agrees with the page on licences, and the real files with the table."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from scrutiq.core import HU, Modality, UsageError
from scrutiq.datasets import split
from scrutiq.datasets.bases import Base, base, bases, data_folder, middle

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "data-and-licences.md"
ROWS = {
    cells[0].replace("`", ""): cells[1:]
    for line in PAGE.read_text("utf-8").split("## The sets")[1].split("## Traps")[0].splitlines()
    if line.startswith("| `") and (cells := [cell.strip() for cell in line.strip("|").split("|")])
}
WITH_IMAGES = [one.name for one in bases() if one.kind == "images"]


class TestLicences:
    def test_the_page_was_read(self) -> None:
        assert len(ROWS) >= 24

    def test_each_set_of_the_page_is_in_the_table_and_no_other(self) -> None:
        assert {one.listed for one in bases()} == ROWS.keys()

    @pytest.mark.parametrize("one", bases(), ids=lambda one: one.name)
    def test_the_row_says_the_same(self, one: Base) -> None:
        what, licence, repository, shipped = ROWS[one.listed]
        assert (one.what, one.licence, one.in_repository) == (what, licence, repository)
        words = "yes" if one.shipped_weights else "no"
        assert words + (", with attribution" if one.attribution_required else "") == shipped

    @pytest.mark.parametrize("one", bases(), ids=lambda one: one.name)
    def test_no_refusing_licence_trains_shipped_weights(self, one: Base) -> None:
        refused = re.search(r"none stated|not stated|NC|research use", one.licence)
        assert one.shipped_weights == (refused is None)
        assert (one.in_repository == "no") == (refused is not None)

    def test_names_are_unique(self) -> None:
        names = [one.name for one in bases()]
        assert len(set(names)) == len(names)


class TestQueries:
    def test_by_modality(self) -> None:
        assert {one.name for one in bases("CT")} == {"ct_denoising_readers", "ct_siim_tcga", "text_vlm_ct_iqa"}

    def test_clean_ones_that_shipped_weights_may_use(self) -> None:
        found = {one.name for one in bases(shipped_weights_only=True, clean_only=True)}
        assert found == {
            "ct_siim_tcga",
            "histo_tiles",
            "mri_spine_nifti",
            "mri_t1_defaced",
            "radiograph_chest",
            "skimage_retina",
        }

    def test_an_unknown_name_is_told_the_known_ones(self) -> None:
        with pytest.raises(UsageError, match="there is no base 'nothing'; the bases are ct_denoising_readers"):
            base("nothing")

    def test_a_set_without_images_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="ratings_sureal holds ratings, no images"):
            list(base("ratings_sureal").images(tmp_path))


class TestDataFolder:
    def test_it_is_found_through_the_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "data").mkdir()
        monkeypatch.setenv("SCRUTIQ_SHARED", str(tmp_path))
        assert data_folder() == tmp_path / "data"

    def test_a_given_one_wins(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SCRUTIQ_SHARED", "/nowhere")
        assert data_folder(tmp_path) == tmp_path

    def test_else_it_is_beside_the_checkout(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SCRUTIQ_SHARED", raising=False)
        (tmp_path / "shared" / "data").mkdir(parents=True)
        (tmp_path / "checkout").mkdir()
        monkeypatch.chdir(tmp_path / "checkout")
        assert data_folder().is_dir()
        monkeypatch.chdir(tmp_path)
        with pytest.raises(UsageError, match=r"no folder of base images at .*; name one, or set SCRUTIQ_SHARED"):
            data_folder()

    def test_a_set_that_is_absent_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="the set ct_siim_tcga is not in"):
            list(base("ct_siim_tcga").images(tmp_path))


class TestMiddle:
    def test_they_are_the_centres_of_equal_parts_of_the_middle_half(self) -> None:
        # Of 120 slices the middle half is 30 to 90, whose thirds are centred on 40, 60, 80.
        assert middle(120, 3) == [40, 60, 80]

    def test_few_slices_give_few(self) -> None:
        assert middle(1, 3) == [0]
        assert middle(0, 3) == []


#: Set: images, of them clean, groups.
COUNTS = {
    "ct_denoising_readers": (280, 0, 20),
    "ct_siim_tcga": (48, 39, 35),
    "dicom_compressed_pairs": (34, 0, 14),
    "endoscopy_ead2019": (5, 0, 1),
    "endoscopy_edd2020": (3, 2, 3),
    "endoscopy_gastroscopy": (6, 6, 4),
    "fundus_drive_chase": (18, 18, 13),
    "fundus_hrf": (8, 8, 8),
    "fundus_eyeq200": (900, 0, 692),
    "histo_monuseg": (8, 8, 8),
    "histo_tiles": (12, 10, 5),
    "mri_contrast_t1": (10, 9, 1),
    "mri_nifti": (24, 12, 7),
    "mri_spine_nifti": (21, 3, 1),
    "mri_t1_defaced": (25, 21, 1),
    "radiograph_chest": (4, 4, 4),
    "skimage_retina": (1, 1, 1),
    "skimage_ihc": (1, 0, 1),
    "xa_coronary": (534, 45, 9),
    "xa_phantom_cines": (6, 6, 1),
}


@pytest.mark.shared
class TestRealFiles:
    def test_every_set_of_images_is_counted(self) -> None:
        assert COUNTS.keys() == set(WITH_IMAGES)

    @pytest.mark.parametrize("name", WITH_IMAGES)
    def test_counts_and_ids(self, name: str, shared: Path) -> None:
        everything = list(base(name).images(shared, clean=False))
        clean = list(base(name).images(shared))
        assert (len(everything), len(clean), len({one.group for one in everything})) == COUNTS[name]
        assert len({one.id for one in everything}) == len(everything)
        assert {one.id for one in clean} <= {one.id for one in everything}
        assert base(name).has_clean_images == bool(clean)
        for one in everything:
            assert re.fullmatch(r"[A-Za-z0-9_-]+", one.id)
            assert one.group.startswith(f"{name}/")

    @pytest.mark.parametrize("name", [one.name for one in bases(clean_only=True)])
    def test_a_clean_image_is_read_with_its_modality_and_some_content(self, name: str, shared: Path) -> None:
        *_, last = base(name).images(shared)
        image = last.read()
        assert image.modality is base(name).modality
        assert min(image.shape) >= 128
        assert float(np.std(image.grey())) > 0
        colour = image.modality in (Modality.FUNDUS, Modality.ENDOSCOPY, Modality.HISTOPATHOLOGY)
        assert image.is_colour == colour
        assert (image.unit == HU) == (image.modality is Modality.CT)
        assert (image.spacing is not None) == (image.modality in (Modality.CT, Modality.MR))

    def test_no_patient_of_the_ct_slices_is_in_two_groups_nor_named(self, shared: Path) -> None:
        from pydicom import dcmread

        of: dict[str, str] = {}
        for one in base("ct_siim_tcga").images(shared, clean=False):
            patient = str(dcmread(shared / one.file, stop_before_pixels=True).PatientID)
            assert of.setdefault(patient, one.group) == one.group
            assert patient not in one.id + one.group
        assert len(set(of.values())) == len(of)

    def test_both_eyes_of_a_patient_stay_together(self, shared: Path) -> None:
        groups: dict[str, set[str]] = {}
        for one in base("fundus_drive_chase").images(shared):
            if "Image_" in one.file:
                groups.setdefault(one.id[:-1], set()).add(one.group)
        assert len(groups) == 5
        assert all(len(found) == 1 for found in groups.values())

    def test_groups_do_not_depend_on_the_users_salt(self, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = [one.group for one in base("ct_siim_tcga").images(shared)]
        monkeypatch.setenv("SCRUTIQ_SALT", "another-salt-of-this-test")
        assert [one.group for one in base("ct_siim_tcga").images(shared)] == before

    def test_slices_are_of_the_first_volume_and_in_the_middle(self, shared: Path) -> None:
        frames = [one.frame for one in base("mri_nifti").images(shared, clean=False) if "pcasl" in one.file]
        assert frames == middle(20, 3)  # 20 slices, 10 volumes
        frames = [one.frame for one in base("mri_nifti").images(shared) if "chris_PD" in one.file]
        assert frames == middle(54, 3)

    def test_the_key_frame_has_contrast_where_the_vessels_are_and_the_mask_has_little(self, shared: Path) -> None:
        from scipy import ndimage

        kept = []
        for one in base("xa_coronary").images(shared):
            vessels = one.read_vessels()
            outside = (~ndimage.binary_dilation(vessels, iterations=3)).astype(np.float32)
            weight = ndimage.gaussian_filter(outside, 6)
            near = vessels & (weight > 0.05)
            depths = []
            for image in (one.read(), one.read_mask()):
                around = ndimage.gaussian_filter(image.grey() * outside, 6)[near] / weight[near]
                depths.append(float(np.mean(around - image.grey()[near])))
            assert depths[0] > 0  # vessels are darker than what is around them
            kept.append(depths[1] / depths[0])
        # Not none: the catheter, and leads that the drawing takes for vessels, are in both frames.
        assert len(kept) == 45
        assert np.median(kept) < 1 / 3
        assert np.mean(np.array(kept) < 0.75) > 0.9

    def test_only_a_key_frame_has_companions(self, shared: Path) -> None:
        first = next(base("xa_coronary").images(shared, clean=False))
        with pytest.raises(UsageError, match="it is no key frame of a sequence"):
            first.read_mask()

    def test_a_split_parts_no_patient(self, shared: Path) -> None:
        images = list(base("ct_siim_tcga").images(shared))
        of = split((one.group for one in images), {"train": 0.8, "test": 0.2}, seed=1)
        patients = {name: {one.group for one in images if of[one.group] == name} for name in ("train", "test")}
        assert not patients["train"] & patients["test"]
        assert len(patients["test"]) == round(0.2 * len(of))
