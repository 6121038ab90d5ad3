"""The whole recipe, made as short as it can be: every step is taken, nothing is learnt."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from scrutiq.assessors import open_assessor  # noqa: E402
from scrutiq.assessors.net.network import load  # noqa: E402
from scrutiq.core import Case, InputError, Role  # noqa: E402
from scrutiq.degradations import get  # noqa: E402
from scrutiq.imaging import read  # noqa: E402
from scrutiq.rubrics import load as rubric  # noqa: E402
from scrutiq.training.net import load_net_recipe, train_net  # noqa: E402

RECIPE = Path(str(resources.files("scrutiq.training"))) / "recipes" / "net_base.yaml"
DEMO = Path(__file__).parents[3] / "demo"

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def run(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train_net(load_net_recipe(RECIPE), shared, out, jobs=2, short=True, log=lambda line: None)
    return out


def test_the_run_tells_its_split_and_its_figures(run: Path) -> None:
    document = json.loads((run / "run.json").read_text("utf-8"))
    assert document["short"]
    assert document["samples"] == len((run / "samples" / "samples.jsonl").read_text("utf-8").splitlines())
    for parts in document["split"].values():
        groups = [group for part in parts.values() for group in part]
        assert len(groups) == len(set(groups))
    assert set(document["figures"]["alone"]["kinds"]) == {"CT", "MR", "histopathology"}
    assert document["figures"]["bytes"] < 12e6


def test_the_weights_judge_with_and_without_a_reference(run: Path) -> None:
    network = load(run / "weights")
    (path,) = sorted((DEMO / "images" / "ct").glob("*.dcm"))[:1]
    target = read(path, frame=0)
    noisy = get("ct.low_dose").make(target, 0.8, np.random.default_rng(1))
    alone = network.predict(Case(id="a", images={Role.TARGET: noisy}))
    compared = network.predict(Case(id="b", images={Role.TARGET: noisy, Role.REFERENCE: target}))
    for said in (alone, compared):
        assert set(said.scores) == {"ldct", "ct-denoising"}
        for name, dimensions in said.scores.items():
            for dimension, one in dimensions.items():
                low, high = rubric(name).dimension(dimension).range
                assert low <= one.interval[0] <= one.score <= one.interval[1] <= high
        assert said.evidence.shape == target.shape
        assert "ct.inserted_lesion" not in said.kinds
        assert all(0 <= k.probability <= 1 and 0 <= k.severity <= 1 for k in said.kinds.values())
    assert alone.scores["ct-denoising"] != compared.scores["ct-denoising"]


def test_the_assessor_opens_the_folder_and_refuses_a_changed_file(run: Path, tmp_path: Path) -> None:
    image = read(DEMO / "images/histopathology/tile_1.jpg", modality="histopathology", frame=0)
    (found,) = open_assessor(f"net:{run / 'weights'}").assess(Case(id="a", images={"target": image}), [rubric("medq")])
    assert found.status in ("judged", "unjudged")
    assert found.provenance.model_hash == load(run / "weights").card.hash
    folder = tmp_path / "weights"
    folder.mkdir()
    for file in (run / "weights").iterdir():
        content = file.read_bytes()
        (folder / file.name).write_bytes(content + b"\0" if file.name == "heads_ct.onnx" else content)
    with pytest.raises(InputError, match=r"not the one that was trained"):
        load(folder)
