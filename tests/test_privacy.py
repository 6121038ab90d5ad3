"""Names planted wherever a name can hide appear in no output file; and nothing is sent anywhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo
from pydicom.datadict import DicomDictionary, keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

import scrutiq

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

COMMAND = [sys.executable, "-c", "from scrutiq.cli import main; main()"]
DEMO = Path(__file__).parents[1] / "demo"
#: Part of every planted value. A number stands in where an element takes only numbers.
TOKEN, NUMBER, UID = "ZZDOE", "8675309", "1.2.826.0.1.8675309"
#: A value of each representation that a name, a number or a date can take.
PLANTED: dict[str, Any] = {
    "AE": f"{TOKEN}AE",
    "AS": "086Y",
    "CS": f"{TOKEN} CS",
    "DA": "18675309",
    "DS": NUMBER,
    "DT": "18670309112233",
    "IS": NUMBER,
    "LO": f"{TOKEN} LO",
    "LT": f"{TOKEN} LT",
    "PN": f"{TOKEN}^PLANTED",
    "SH": f"{TOKEN} SH",
    "ST": f"{TOKEN} ST",
    "TM": "08675309",
    "UC": f"{TOKEN} UC",
    "UI": f"{UID}.1",
    "UR": f"http://{TOKEN}.example",
    "UT": f"{TOKEN} UT",
    "UN": f"{TOKEN} UN".encode(),
    "OB": f"{TOKEN} OB ".encode(),
}


def _slice() -> Dataset:
    """Return a real CT slice without what it says of itself beyond the pixels."""
    dataset = pydicom.dcmread(DEMO / "images" / "ct" / "slice_1.dcm")
    for element in list(dataset):
        if element.tag.group not in (0x0028, 0x7FE0) and element.keyword not in ("SOPClassUID", "Modality"):
            del dataset[element.tag]
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{UID}.2"
    dataset.file_meta.SourceApplicationEntityTitle = f"{TOKEN}AE"
    return dataset


def _plant(dataset: Dataset) -> int:
    """Put a token into every element of the dictionary that can hold one and does not describe the pixels."""
    planted = 0
    for tag, (vr, *_rest) in DicomDictionary.items():
        keyword = keyword_for_tag(tag)
        if tag >> 16 in (0x0000, 0x0002, 0x7FE0, 0x0028) or vr not in PLANTED or not keyword:
            continue
        if vr in ("DS", "IS") or keyword in dataset:
            continue  # exposure and the like are technical numbers, and meant to be shown
        dataset.add_new(tag, vr, PLANTED[vr])
        planted += 1
    block = dataset.private_block(0x0019, f"{TOKEN} CREATOR", create=True)
    block.add_new(0x01, "LO", f"{TOKEN} PRIVATE")
    nested = Dataset()
    nested.PatientName, nested.PatientID = PLANTED["PN"], f"{TOKEN} ID"
    dataset.OtherPatientIDsSequence = Sequence([nested])
    dataset.RequestAttributesSequence = Sequence([nested])
    dataset.PatientAge, dataset.PatientWeight = "086Y", NUMBER
    dataset.add_new((0x6000, 0x1500), "LO", TOKEN)
    return planted


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every place that can hold a name holds one."""
    top = tmp_path_factory.mktemp("in") / f"{TOKEN}^PLANTED"
    folder = top / f"{TOKEN}_folder"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    grey = rng.normal(120, 20, (128, 128)).clip(0, 255).astype(np.uint8)

    dataset = _slice()
    assert _plant(dataset) > 1500
    dataset.save_as(folder / f"{TOKEN}.dcm", enforce_file_format=True)
    invalid = _slice()  # values that break their representation make libraries complain and quote them
    for keyword, value in {
        "StudyDate": TOKEN,
        "PatientAge": TOKEN,
        "KVP": TOKEN,
        "ImageType": [TOKEN, "x" * 200],
    }.items():
        element_vr = {"StudyDate": "DA", "PatientAge": "AS", "KVP": "LO", "ImageType": "CS"}[keyword]
        invalid.add_new(keyword, element_vr, value)
    invalid.SliceThickness, invalid.ConvolutionKernel = "5", TOKEN
    invalid.SeriesInstanceUID = f"{UID}.3"
    invalid.save_as(folder / f"{TOKEN}_invalid.dcm", enforce_file_format=True)
    whole = (folder / f"{TOKEN}.dcm").read_bytes()
    (folder / f"{TOKEN}_cut.dcm").write_bytes(whole[:-5000])
    (folder / f"{TOKEN}_text.dcm").write_text(f"Dear {TOKEN}^PLANTED")

    info = PngInfo()
    for key in ("Title", "Author", "Comment", TOKEN):
        info.add_text(key, f"{TOKEN} text")
        info.add_itxt(f"{key}i", f"{TOKEN} itxt")
    Pillow.fromarray(grey).save(folder / f"{TOKEN}.png", pnginfo=info)
    (folder / f"{TOKEN}.json").write_text(json.dumps({"modality": "MR", "PatientName": f"{TOKEN}^PLANTED"}))
    Pillow.fromarray(grey).save(folder / "bad_sidecar.png")
    (folder / "bad_sidecar.json").write_text(json.dumps({"modality": f"{TOKEN}", "Patient": TOKEN}))
    exif = Pillow.Exif()
    for tag in (0x010E, 0x013B, 0x8298, 0x9C9B, 0x0131, 0x010F, 0x0110):
        exif[tag] = f"{TOKEN} exif"
    Pillow.fromarray(grey).save(folder / "photo.jpg", exif=exif, comment=f"{TOKEN} comment".encode())
    description = f"{TOKEN} description"
    tifffile.imwrite(folder / "page.tif", grey, description=description, software=TOKEN, metadata=None)
    volume = nibabel.Nifti1Image(rng.normal(100, 10, (64, 64, 3)).astype(np.float32), np.eye(4))
    volume.header["descrip"], volume.header["aux_file"], volume.header["intent_name"] = TOKEN, TOKEN, TOKEN
    volume.header["db_name"] = TOKEN
    nibabel.save(volume, folder / f"{TOKEN}.nii.gz")
    np.save(folder / f"{TOKEN}.npy", grey)
    with zipfile.ZipFile(top / f"{TOKEN}.zip", "w") as archive:
        archive.comment = TOKEN.encode()
        archive.write(folder / f"{TOKEN}.png", f"{TOKEN}_inside/{TOKEN}.png")
        archive.write(folder / "photo.jpg", f"{TOKEN}_inside/photo.jpg")
    (top / f"{TOKEN}_cases.csv").write_text(
        f"target,modality,mask,PatientName\n{TOKEN}_folder/photo.jpg,fundus,,{TOKEN}\n{TOKEN}_none.jpg,MR,,{TOKEN}\n"
        f"{TOKEN}_folder/photo.jpg,{TOKEN},,\n{TOKEN}_folder/photo.jpg,MR,{TOKEN}_mask.png,\n"
    )
    return top


@pytest.fixture(scope="module")
def ran(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    out = tmp_path_factory.mktemp("out") / "report"
    words = ["assess", str(planted), str(planted / f"{TOKEN}_cases.csv"), "--out", str(out), "--format", "parquet"]
    words += ["--assessor", "measured:"]  # which judges noise, too
    environment = {**os.environ, "SCRUTIQ_SALT": "test-salt-of-the-test-suite"}
    done = subprocess.run([*COMMAND, *words], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr  # some of the input is broken on purpose
    return out, done


def _judged(out: Path) -> list[dict[str, Any]]:
    return json.loads((out / "assessments.json").read_text())["assessments"]


def _leaks(content: bytes) -> list[bytes]:
    words = [TOKEN, NUMBER, UID, "PLANTED", "18670309", "086Y"]
    return [word.encode() for word in words if word.lower().encode() in content.lower()]


def test_the_planted_input_is_really_used(ran):
    assessments = _judged(ran[0])
    assert sum(one["status"] == "judged" for one in assessments) >= 3
    assert sum(one["status"] == "failed" for one in assessments) >= 5
    assert {one["modality"] for one in assessments} >= {"CT", "MR", "fundus"}
    ct = [one["case"] for one in assessments if one["modality"] == "CT"]
    assert [one["status"] for one in assessments if one["case"] in ct] == ["judged", "judged"]
    page = (ran[0] / "report.html").read_text()
    assert all(page.count(case) > 1 for case in ct)


def test_no_output_file_holds_what_was_planted(ran):
    out, _ = ran
    names = {path.name for path in out.iterdir()}
    assert names >= {"report.html", "assessments.json", "judgements.csv", "judgements.parquet", "journal.jsonl"}
    for path in out.iterdir():
        assert _leaks(path.name.encode()) == []
        assert _leaks(path.read_bytes()) == [], path.name


def test_parquet_holds_nothing_under_its_compression(ran):
    pq = pytest.importorskip("pyarrow.parquet")
    table = pq.read_table(ran[0] / "judgements.parquet")
    assert "path" not in table.column_names
    assert _leaks(repr(table.to_pylist()).encode()) == []


def test_ids_and_reasons_hold_nothing(ran):
    for one in _judged(ran[0]):
        assert re.fullmatch(r"c-[0-9a-f]{12}(-\d{4})?", one["case"])
        assert _leaks((one["reason"] or "").encode()) == []
        assert one["source"]["path"] is None


def test_the_terminal_shows_names_in_paths_only(ran, planted):
    _, done = ran
    lines = done.stdout.splitlines() + done.stderr.splitlines()
    paths = [path.relative_to(planted).as_posix() for path in planted.rglob("*")]
    paths += [f"{TOKEN}_none.jpg", f"{TOKEN}_inside/{TOKEN}.png", f"{TOKEN}_inside/photo.jpg", str(planted)]
    for line in lines:
        for path in sorted(paths, key=len, reverse=True):
            line = line.replace(path, "")
        assert _leaks(line.encode()) == [], line


def test_show_paths_writes_paths_and_nothing_else_of_it(planted, tmp_path, monkeypatch):
    done = subprocess.run(
        [*COMMAND, "assess", planted / f"{TOKEN}_folder", "--out", tmp_path / "out", "--show-paths"],
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 1
    content = (tmp_path / "out" / "assessments.json").read_text()
    assert f"{TOKEN}.png" in content
    for name in (path.name for path in (planted / f"{TOKEN}_folder").iterdir()):
        content = content.replace(name, "")
    assert _leaks(content.encode()) == []


def test_another_salt_gives_other_ids(planted, monkeypatch):
    ids = []
    for salt in ("the first salt of two", "the other salt of two", "the first salt of two"):
        monkeypatch.setenv("SCRUTIQ_SALT", salt)
        (found,) = scrutiq.assess(planted / f"{TOKEN}_folder" / "photo.jpg")
        ids.append(found.case)
    assert ids[0] == ids[2] != ids[1]


GUARD = """
import os, socket, sys
def refuse(event, args):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        address = args[1] if len(args) > 1 else None
        if event != "socket.getaddrinfo" and isinstance(address, (str, bytes)):
            return  # a Unix socket between our own processes
        with open(os.environ["GUARD_LOG"], "a") as log:
            log.write(f"{event} {args[1:]}\\n")
        raise RuntimeError("the network is off")
sys.addaudithook(refuse)
"""


@pytest.mark.network_off
@pytest.mark.parametrize(
    "words",
    [
        ["assess", str(DEMO / "images" / "histopathology"), "--jobs", "2", "--out", "{out}", "--format", "html"],
        ["compare", str(DEMO / "reader-study/ct.png"), str(DEMO / "reader-study/mtd.png")],
        ["doctor"],
        ["rubrics"],
    ],
    ids=lambda words: words[0],
)
def test_no_verb_opens_a_connection(tmp_path, words):
    (tmp_path / "sitecustomize.py").write_text(GUARD)
    log = tmp_path / "log"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "GUARD_LOG": str(log)}
    check = [sys.executable, "-c", "import socket; socket.create_connection(('127.0.0.1', 9))"]
    assert subprocess.run(check, env=environment, capture_output=True).returncode != 0
    assert "socket." in log.read_text()  # the guard works
    log.write_text("")
    words = [word.format(out=tmp_path / "out") for word in words]
    done = subprocess.run([*COMMAND, *words], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert log.read_text() == ""
