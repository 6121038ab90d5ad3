"""The Python of the how-to page runs, block after block, on sets in the layouts that it names."""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from scrutiq.datasets.published import SETS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "load-datasets.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
DEMO = ROOT / "demo" / "images" / "ct" / "slice_1.dcm"


def _run(blocks: list[str]) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for text in blocks:
        exec(compile(text, "load-datasets.md", "exec"), names)
    return names


def test_each_set_is_named_on_the_page() -> None:
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE, re.MULTILINE) == list(SETS)


def test_the_blocks_on_sets_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train = tmp_path / "LDCTIQAC2023" / "LDCTIQAG2023_train"
    (train / "image").mkdir(parents=True)
    tifffile.imwrite(train / "image" / "0000.tif", np.zeros((8, 8), np.float32))
    (train / "train.json").write_text(json.dumps({"0000.tif": 2.2}), "utf-8")

    mine = tmp_path / "my-set"
    mine.mkdir()
    for number in range(5):
        shutil.copy(DEMO, mine / f"{number}.dcm")
    rows = "".join(f"{number}.dcm,{number / 2},p{number}\n" for number in range(5))
    (mine / "scores.csv").write_text("file,mos,patient\n" + rows, "utf-8")

    photograph = base64.b64encode((ROOT / "demo" / "images" / "fundus" / "retina.jpg").read_bytes()).decode()
    medq = tmp_path / "MedQ-Bench"
    medq.mkdir()
    head = "index\timage\tquestion\tA\tB\tanswer\n"
    (medq / "medqbench_QA_dev.tsv").write_text(f"{head}0\t{photograph}\tIs it noisy?\tYes\tNo\tA\n", "utf-8")

    monkeypatch.chdir(tmp_path)
    names = _run([block for block in BLOCKS if "bases(" not in block])
    assert capsys.readouterr().out.splitlines()[0] == "1 ldct train-0000 train 2.2"
    assert names["mine"].records[1].scores == {"overall": 0.5}
    assert sorted(names["fold"].values()) == ["test", "train", "train", "train", "train"]


@pytest.mark.shared
def test_the_block_on_bases_runs(
    shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCRUTIQ_SHARED", str(shared.parent))
    _run([block for block in BLOCKS if "bases(" in block])
    assert capsys.readouterr().out == "ct_siim_tcga CC BY 3.0 (The Cancer Imaging Archive) 39 29\n"
