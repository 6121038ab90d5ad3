"""Finding cases: folders, series, archives, manifests, roles, ids."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pydicom.data
import pytest
import tifffile
from PIL import Image as Pillow
from pydicom.uid import generate_uid

from scrutiq import assess
from scrutiq.core import HU, Modality, Role, UsageError, Window
from scrutiq.imaging import CaseRef, Given, find_cases

TEST_FILES = Path(pydicom.data.__file__).parent / "test_files"


def find(*inputs: Path, **options: object) -> list[CaseRef]:
    return list(find_cases(inputs, **options))  # type: ignore[arg-type]


def paths(cases: Sequence[CaseRef]) -> list[str | None]:
    return [case.source.path for case in cases]


def picture(path: Path, level: int = 7) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(np.full((6, 8), level, np.uint8)).save(path)
    return path


def slices(folder: Path, count: int = 3, **changes: object) -> list[Path]:
    """Write a CT series whose file names run against its positions."""
    folder.mkdir(parents=True, exist_ok=True)
    series = changes.pop("SeriesInstanceUID", generate_uid())
    written = []
    for index in range(count):
        dataset = pydicom.dcmread(TEST_FILES / "CT_small.dcm")
        dataset.SeriesInstanceUID = series
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.ImagePositionPatient = [0, 0, 10 - 2.5 * index]
        dataset.InstanceNumber = index + 1
        for keyword, value in changes.items():
            setattr(dataset, keyword, value)
        written.append(folder / f"slice{index + 1}.dcm")
        dataset.save_as(written[-1])
    return written


def test_a_mixed_folder(tmp_path: Path) -> None:
    for name in ("b10.png", "b2.png", "sub/c.png", ".hidden.png", "__MACOSX/d.png"):
        picture(tmp_path / name)
    picture(tmp_path / "no_ending.png").rename(tmp_path / "no_ending")
    for name in ("README.md", "LICENSE", "ratings.csv", "scrutiq.json", "c.json", "sub/weights.npz"):
        (tmp_path / name).write_text("{}")
    np.savez(tmp_path / "sub" / "weights.npz", a=np.zeros((4, 4)))
    (tmp_path / "x.dcm").mkdir()
    found = find_cases([tmp_path])
    cases = list(found)
    assert paths(cases) == ["b2.png", "b10.png", "no_ending", "sub/c.png"]
    assert found.skipped == {"files that are not images": 6}
    assert all(case.load().target.shape == (6, 8) for case in cases)


def test_ids_are_stable_unique_and_say_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "Roe_Jane_1957"
    for name in ("Roe^Jane.png", "b/Roe^Jane.png"):
        picture(folder / name)
    np.save(folder / "Roe.npy", np.zeros((3, 5, 5)))
    (folder / "Roe.tif").write_bytes(b"II*\0broken")
    cases = find(folder)
    assert [case.id for case in cases] == [case.id for case in find(folder)]
    assert len({case.id for case in cases}) == len(cases) == 6
    assert [case.id[-5:] for case in cases if case.source.path == "Roe.npy"] == ["-0000", "-0001", "-0002"]
    for case in cases:
        assert "roe" not in case.id.lower()
        assert "jane" not in case.id.lower()
        if case.error is not None:
            assert "Roe" not in case.error.reason
    elsewhere = shutil.copytree(folder, tmp_path / "moved")
    assert [case.id for case in find(elsewhere)] == [case.id for case in cases]


def test_the_same_name_in_two_inputs_and_the_same_file_twice(tmp_path: Path) -> None:
    first, second = picture(tmp_path / "a" / "x.png"), picture(tmp_path / "b" / "x.png")
    cases = find(first, second, first)
    assert paths(cases) == ["x.png", "x.png"]
    assert len({case.id for case in cases}) == 2


def test_a_file_named_with_its_folder_and_by_itself_is_found_once(tmp_path: Path) -> None:
    picture(tmp_path / "d" / "sub" / "a.png")
    np.save(tmp_path / "d" / "v.npy", np.zeros((3, 5, 5)))
    (tmp_path / "d" / "bad.tif").write_bytes(b"II*\0broken")
    files = [tmp_path / "d" / name for name in ("sub/a.png", "v.npy", "bad.tif")]
    dotted = tmp_path / "d" / "sub" / ".." / "v.npy"
    for inputs in ([tmp_path / "d", *files, dotted], [*files, dotted, tmp_path / "d"], [*files, *files]):
        cases = find(*inputs)
        assert len(cases) == len({case.id for case in cases}) == 5
    # A slice named before its series is found with a place of its own, and the rest of the stack after it.
    first, *_ = slices(tmp_path / "s", 3)
    for inputs in ([first, tmp_path / "s"], [tmp_path / "s", first]):
        cases = find(*inputs)
        assert len({case.images[Role.TARGET].ref for case in cases}) == len(cases) == 3
        assert len({case.id for case in cases}) == 3


def test_link_loops_end(tmp_path: Path) -> None:
    picture(tmp_path / "a" / "x.png")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    cases = find(tmp_path)
    assert paths(cases) == ["a/gone.png", "a/x.png"]
    assert cases[0].error is not None
    assert "link" in cases[0].error.reason


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    os.mkfifo(tmp_path / "b")
    (case,) = find(tmp_path)
    assert case.error is not None
    assert "regular" in case.error.reason


def test_a_series_is_sorted_by_position(tmp_path: Path) -> None:
    slices(tmp_path / "study", 12)
    cases = find(tmp_path)
    assert paths(cases) == [f"study/slice{i}.dcm" for i in range(12, 0, -1)]
    assert [case.source.frame for case in cases] == list(range(12))
    assert [case.source.location for case in cases] == [10 - 2.5 * i for i in reversed(range(12))]
    assert len({case.source.series for case in cases}) == 1
    target = cases[4].load().target
    assert target.source == cases[4].source
    assert (target.unit, target.modality) == (HU, Modality.CT)


def test_series_are_told_apart(tmp_path: Path) -> None:
    uid = generate_uid()
    slices(tmp_path / "a", 2, SeriesInstanceUID=uid)
    shutil.copytree(tmp_path / "a", tmp_path / "b")  # the same series in another folder
    for name, changes in (("turned", {"ImageOrientationPatient": [0, 1, 0, 0, 0, 1]}), ("other", {})):
        for number, path in enumerate(slices(tmp_path / name, 2, **changes)):
            path.rename(tmp_path / "a" / f"{name}{number}.dcm")
    cases = find(tmp_path)
    assert len(cases) == 8
    groups = [case.source.series for case in cases]
    assert len(set(groups)) == 4
    assert all(groups.count(group) == 2 for group in groups)


def test_rounding_of_the_orientation_splits_no_series(tmp_path: Path) -> None:
    # Both sides of 0.0005, where the third decimal changes.
    tilts = [0.000496, 0.000504, 0.000499, 0.000501]
    for index, path in enumerate(slices(tmp_path, 4)):
        dataset = pydicom.dcmread(path)
        dataset.ImageOrientationPatient = [1, tilts[index], 0, -tilts[index], 1, 0]
        dataset.save_as(path)
    cases = find(tmp_path)
    assert len({case.source.series for case in cases}) == 1
    assert [case.source.frame for case in cases] == [0, 1, 2, 3]


def test_a_multi_frame_file_is_one_series(tmp_path: Path) -> None:
    shutil.copy(TEST_FILES / "examples_ybr_color.dcm", tmp_path / "cine.dcm")
    cases = find(tmp_path)
    assert len(cases) > 1
    assert {case.source.series for case in cases} == {cases[0].load().target.source.series}
    assert [case.load().target.source.frame for case in cases[:3]] == [0, 1, 2]


def test_a_dicomdir_named_and_met(tmp_path: Path) -> None:
    source = TEST_FILES / "dicomdirtests"
    shutil.copytree(source, tmp_path / "disc")
    named = find(tmp_path / "disc" / "DICOMDIR")
    met = find(tmp_path / "disc")
    readable = [case for case in named if case.error is None]
    assert len(readable) > 10
    assert {str(case.images[Role.TARGET].ref) for case in readable} <= {
        str(case.images[Role.TARGET].ref) for case in met if case.error is None
    }
    assert not any("DICOMDIR" in (path or "") for path in paths(met))


def test_a_zip_is_read_in_memory(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    slices(folder / "study", 3)
    picture(folder / "p.png")
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 5, 2), np.int16), np.eye(4)), folder / "v.nii.gz")
    (folder / "p.json").write_text(json.dumps({"modality": "fundus"}))
    (folder / "note.txt").write_text("nothing")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder).as_posix())
        archive.write(folder / "p.png", "../../escape.png")
        archive.write(folder / "p.png", "__MACOSX/p.png")
    before = sorted(tmp_path.rglob("*"))
    for inputs in ((tmp_path / "a.zip",), (tmp_path,)):
        found = find_cases(inputs)
        cases = [case for case in found if (case.source.path or "").startswith("a.zip")]
        assert all(case.load().target.shape for case in cases)
        assert len([c for c in cases if c.images[Role.TARGET].kind == "DICOM"]) == 3
        assert len([c for c in cases if c.images[Role.TARGET].kind == "NIfTI"]) == 2
        (fundus,) = [case for case in cases if case.source.path == "a.zip/p.png"]
        assert fundus.load().target.modality is Modality.FUNDUS
    assert sorted(tmp_path.rglob("*")) == before


def test_zips_that_hold_no_image(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "text")
    (tmp_path / "b.zip").write_bytes(b"PK\3\4 nothing")
    for name, words in (("a.zip", "no image"), ("b.zip", "damaged")):
        (case,) = find(tmp_path / name)
        assert case.error is not None
        assert words in case.error.reason
    assert find(tmp_path) == []


def test_a_zip_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import scrutiq.imaging.fileref as fileref

    monkeypatch.setattr(fileref, "MAX_MEMBER_BYTES", 1 << 16)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", b"\x89PNG\r\n\x1a\n" + bytes(1 << 20))
    (case,) = find(tmp_path / "a.zip")
    with pytest.raises(Exception, match="larger than"):
        case.load()


def test_sidecars_beside_and_above(tmp_path: Path) -> None:
    picture(tmp_path / "s" / "a.png")
    picture(tmp_path / "s" / "t" / "b.png")
    (tmp_path / "s" / "scrutiq.json").write_text(json.dumps({"modality": "CT", "spacing": 2}))
    (tmp_path / "s" / "t" / "b.json").write_text(json.dumps({"spacing": [1, 1.5]}))
    for inputs in ((tmp_path,), (tmp_path / "s",), (tmp_path / "s" / "a.png", tmp_path / "s" / "t" / "b.png")):
        first, second = (case.load().target for case in find(*inputs))
        assert (first.modality, first.spacing) == (Modality.CT, (2, 2))
        assert (second.modality, second.spacing) == (Modality.CT, (1, 1.5))
    asked = find(tmp_path, given=Given(Modality.MR, Window(center=1, width=2), (9, 9)))[0].load().target
    assert (asked.modality, asked.spacing, asked.voi) == (Modality.MR, (9, 9), Window(center=1, width=2))


def test_a_wrong_sidecar_fails_its_images_only(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    picture(tmp_path / "b.png")
    (tmp_path / "a.json").write_text(json.dumps({"window": "Roe^Jane"}))
    bad, good = find(tmp_path)
    assert bad.error is not None
    assert "'window'" in bad.error.reason
    assert "Roe" not in bad.error.reason
    assert good.load().target.shape == (6, 8)


def test_a_manifest(tmp_path: Path) -> None:
    for name in ("t1.png", "t2.png", "m.png"):
        picture(tmp_path / "img" / name)
    np.save(tmp_path / "img" / "v.npy", np.zeros((3, 6, 8), np.uint8))
    table = tmp_path / "cases.csv"
    table.write_text(
        "id,target,mask,modality,window,spacing,frame,ward\n"
        'P/1,img/t1.png,img/m.png,XA,"40,400",0.5,,7\n'
        ",img/t2.png,,,,,,7\n"
        "cine,img/v.npy,,,,,,\n"
        "one,img/v.npy,,,,,2,\n"
        "far,img/v.npy,,,,,3,\n"
        "lost,img/none.png,,,,,,\n"
        "odd,img/t1.png,,PET,,,,\n"
        "cine,img/t1.png,,,,,,\n"
    )
    cases = find(table)
    by_id = {case.id: case for case in cases}
    assert len(by_id) == len(cases) == 10
    first = by_id["P/1"].load()
    assert first.id == "P/1"
    assert (first.target.modality, first.target.spacing) == (Modality.XA, (0.5, 0.5))
    assert first.target.voi == Window.from_bounds(-160, 240)
    assert first.images.keys() == {Role.TARGET, Role.MASK}
    assert cases[0].source.path == "img/t1.png"
    assert cases[1].id.startswith("c-")
    assert [case.id for case in cases[2:5]] == ["cine-0000", "cine-0001", "cine-0002"]
    assert by_id["one"].load().target.source.frame == 2
    for name, words in (("far", "frame 3"), ("lost", "no such file"), ("odd", "row 7.*'modality'")):
        error = (
            by_id[name].error
            if name in by_id
            else next(c.error for c in cases if c.error and "row 7" in c.error.reason)
        )
        assert error is not None
        with pytest.raises(Exception, match=words):
            raise error
    # The user's own words on the command line go before the table.
    assert find(table, given=Given(modality=Modality.MR))[0].load().target.modality is Modality.MR
    # In a folder a table is no input.
    assert len(find(tmp_path)) == 3 + 3


def test_frames_whose_ids_an_earlier_row_has_fail_alone(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    np.save(tmp_path / "v.npy", np.zeros((2, 12, 12), np.uint8))
    (tmp_path / "m.csv").write_text("id,target\nx-0001,a.png\nx,v.npy\ny,a.png\n")
    first, second, third = find(tmp_path / "m.csv")
    assert (first.id, third.id) == ("x-0001", "y")
    assert second.error is not None
    assert "row 2" in second.error.reason
    assert [one.status == "failed" for one in assess(tmp_path / "m.csv")] == [False, True, False]


def test_a_manifest_as_json_lines(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    rows = [{"target": "a.png", "id": 12, "window": [40, 400], "spacing": [1, 2], "x": {}}, {"id": "b"}]
    (tmp_path / "m.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    good, bad = find(tmp_path / "m.jsonl")
    assert good.id == "12"
    assert good.load().target.spacing == (1, 2)
    assert bad.error is not None
    assert "'target' is empty" in bad.error.reason


@pytest.mark.parametrize("content", ["id,image\n1,2\n", "", "\xff\xfe", '{"id": 1}', 'target\n"open', "\0"])
@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".tsv"])
def test_a_table_that_is_no_manifest(tmp_path: Path, content: str, ending: str) -> None:
    (tmp_path / f"m{ending}").write_bytes(content.encode("latin-1"))
    (case,) = find(tmp_path / f"m{ending}")
    assert case.error is not None
    assert case.error.reason.endswith(".")


def test_roles_from_a_file_and_from_a_folder(tmp_path: Path) -> None:
    for name in ("x/a.png", "x/b.png", "y/c.png"):
        picture(tmp_path / "in" / name)
    tifffile.imwrite(tmp_path / "one.tif", np.zeros((6, 8), np.uint8))
    picture(tmp_path / "masks" / "x" / "a.bmp", 1)
    picture(tmp_path / "masks" / "elsewhere" / "c.png", 2)
    cases = find(tmp_path / "in", roles={Role.REFERENCE: tmp_path / "one.tif", Role.MASK: tmp_path / "masks"})
    by_path = {case.source.path: case for case in cases}
    assert by_path["x/a.png"].load().images[Role.MASK].pixels[0, 0] == 1
    assert by_path["y/c.png"].load().images[Role.MASK].pixels[0, 0] == 2
    assert by_path["y/c.png"].load().images[Role.REFERENCE].shape == (6, 8)
    missing = by_path["x/b.png"].error
    assert missing is not None
    assert "role 'mask'" in missing.reason


def test_the_only_image_of_a_folder_goes_with_its_own_name(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        picture(tmp_path / "in" / name)
    picture(tmp_path / "normal" / "a.png", 1)
    roles = {Role.REFERENCE: tmp_path / "normal"}
    for inputs in ((tmp_path / "in",), (tmp_path / "in" / "a.png", tmp_path / "in" / "b.png")):
        paired, alone = find(*inputs, roles=roles)
        assert paired.error is None
        assert alone.error is not None
        assert "no file of the same name" in alone.error.reason
    # With a single target there is no doubt.
    (single,) = find(tmp_path / "in" / "b.png", roles=roles)
    assert single.load().images[Role.REFERENCE].pixels[0, 0] == 1
    slices(tmp_path / "study", 3)
    assert not any(case.error for case in find(tmp_path / "study", roles=roles))
    # A file that is named goes with all of them.
    assert not any(case.error for case in find(tmp_path / "in", roles={Role.REFERENCE: tmp_path / "normal" / "a.png"}))
    (tmp_path / "m.csv").write_text("target,mask\nin/b.png,normal\n")
    (by_row,) = find(tmp_path / "m.csv")
    assert by_row.error is None
    (tmp_path / "m.csv").write_text("target\nin/a.png\nin/b.png\n")
    assert [case.error is None for case in find(tmp_path / "m.csv", roles=roles)] == [True, False]


def test_roles_frame_by_frame(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.zeros((3, 4, 5), np.uint8))
    np.save(tmp_path / "r.npy", np.arange(60, dtype=np.uint8).reshape(3, 4, 5))
    np.save(tmp_path / "two.npy", np.zeros((2, 4, 5), np.uint8))
    cases = find(tmp_path / "t.npy", roles={Role.REFERENCE: tmp_path / "r.npy"})
    assert [case.load().images[Role.REFERENCE].pixels[0, 0] for case in cases] == [0, 20, 40]
    assert all(case.error for case in find(tmp_path / "t.npy", roles={Role.MASK: tmp_path / "two.npy"}))


def test_wrong_roles_are_a_wrong_call(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    for roles in ({Role.TARGET: tmp_path / "a.png"}, {Role.MASK: tmp_path / "none"}):
        with pytest.raises(UsageError):
            find_cases([tmp_path], roles=roles)


def test_cases_travel_to_other_processes(tmp_path: Path) -> None:
    slices(tmp_path, 3)
    case = pickle.loads(pickle.dumps(find(tmp_path)[1]))
    assert len(pickle.dumps(case)) < 3000
    assert case.load().id == case.id


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 5), np.uint8))
    (case,) = find(tmp_path)
    assert case.load().target.pixels.max() == 0
    np.save(tmp_path / "a.npy", np.ones((4, 6), np.uint8))
    assert case.load().target.pixels.max() == 1


def test_a_slice_added_to_a_series_is_judged_anew(tmp_path: Path) -> None:
    slices(tmp_path / "study", 4)
    for path in (tmp_path / "study").iterdir():
        os.utime(path, (1, 1))
    last = tmp_path / "study" / "slice4.dcm"  # the lowest, hence the first of the stack
    last.rename(tmp_path / "aside.dcm")
    before = {case.id: case for case in find(tmp_path / "study")}
    (tmp_path / "aside.dcm").rename(last)
    after = {case.id: case for case in find(tmp_path / "study")}
    assert before.keys() < after.keys()
    for id, case in before.items():
        assert case.images[Role.TARGET].ref != after[id].images[Role.TARGET].ref
        assert case.stamp != after[id].stamp
    assert [case.stamp for case in find(tmp_path / "study")] == [case.stamp for case in after.values()]


def test_members_of_one_archive_have_stamps_of_their_own(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("1.png", "2.png"):
            archive.write(picture(tmp_path / name), name)
    assert len({case.stamp for case in find(tmp_path / "a.zip")}) == 2


def test_a_large_folder_is_scanned_by_headers_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import scrutiq.imaging.raster as raster

    picture(tmp_path / "0.png")
    for index in range(1, 500):
        os.link(tmp_path / "0.png", tmp_path / f"{index}.png")

    def decoded(*_: object) -> None:
        raise AssertionError("a picture was decoded")

    monkeypatch.setattr(raster.RasterFile, "image", decoded)
    assert len(find(tmp_path)) == 500
