"""A recipe from end to end in its short form, and that an interrupted run goes on as if it had not been."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from scrutiq.core import InputError, UsageError
from scrutiq.training import Recipe, load_recipe, train

torch = pytest.importorskip("torch", reason="the extra train is not installed")
pytest.importorskip("onnxruntime", reason="the extra simulate is not installed")
pytest.importorskip("numba", reason="the extra simulate is not installed")

from scrutiq.training.evaluate import figures, table  # noqa: E402
from scrutiq.training.export import as_convolutions, export  # noqa: E402
from scrutiq.training.loop import build, fit  # noqa: E402
from scrutiq.training.losses import edge_incoherence, gradient_penalty  # noqa: E402
from scrutiq.training.pairs import Pair, patches, simulate, split_by_patient  # noqa: E402
from scrutiq.training.recipe import Network  # noqa: E402

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "demo" / "images" / "ct"
RECIPE = ROOT / "src" / "scrutiq" / "training" / "recipes" / "ct_denoisers.yaml"
SMALL = Network(architecture="map_nn", width=4, depth=2, steps=6, batch=2, patch=32, bfloat16=0.5, edge=1)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe(RECIPE)


@pytest.fixture(scope="module")
def pairs(recipe: Recipe) -> list[Pair]:
    data = recipe.shortened().data
    split = split_by_patient(DEMO, data, recipe.seed)
    return list(simulate(split.train, split, data, recipe.seed))


def weights(network: torch.nn.Module) -> list[np.ndarray]:
    return [p.detach().numpy().copy() for p in network.parameters()]


def test_the_short_run_writes_files_that_are_what_it_says(recipe: Recipe, tmp_path: Path) -> None:
    lines: list[str] = []
    document = train(recipe, DEMO, tmp_path, short=True, log=lines.append)
    assert json.loads((tmp_path / "run.json").read_text()) == document
    for name, network in document["networks"].items():
        raw = (tmp_path / f"{name}.onnx").read_bytes()
        assert hashlib.sha256(raw).hexdigest() == network["sha256"]
        assert network["history"][-1]["step"] == 4
    assert document["patients"] == {"train": 1, "validation": 0, "test": 1}
    listed = [name for files in document["files"].values() for name in files]
    assert sorted(listed) == ["slice_1.dcm", "slice_2.dcm"]
    found = document["figures"]
    assert found["full dose"]["rmse_hu"] == [0]
    assert {"low dose", "bm3d", "red_cnn", "map_nn, depth 1", "map_nn, depth 5"} < set(found)
    assert (tmp_path / "figures.md").read_text().count("\n") == len(found) + 2
    # Run again, it finds the work done.
    again: list[str] = []
    assert train(recipe, DEMO, tmp_path, short=True, log=again.append)["figures"] == found
    assert any("going on from step 4" in line for line in again)
    other = Recipe.model_validate(recipe.model_dump() | {"seed": 1})
    changed = other.model_copy(update={"networks": {"red_cnn": SMALL}})
    with pytest.raises(UsageError, match="another recipe"):
        train(changed, DEMO, tmp_path, short=True, log=again.append)


@pytest.mark.parametrize("adversarial", [0, 1])
def test_an_interrupted_run_ends_as_one_that_was_not(pairs: list[Pair], tmp_path: Path, adversarial: float) -> None:
    network = SMALL.model_copy(update={"adversarial": adversarial, "critic_width": 2, "critic_steps": 1})
    whole, _ = fit(network, 5, pairs, pairs, tmp_path / "whole", lambda line: None)
    fit(network, 5, pairs, pairs, tmp_path / "parts", lambda line: None, stop_after=2)
    resumed, history = fit(network, 5, pairs, pairs, tmp_path / "parts", lambda line: None)
    assert all(np.array_equal(a, b) for a, b in zip(weights(whole), weights(resumed), strict=True))
    assert [row["step"] for row in history] == [2, 6]
    other, _ = fit(network, 6, pairs, pairs, tmp_path / "other", lambda line: None)
    assert any(not np.array_equal(a, b) for a, b in zip(weights(whole), weights(other), strict=True))


def test_a_network_learns(pairs: list[Pair], tmp_path: Path) -> None:
    flat = pairs[0].full.replace(pixels=np.full((128, 128), 40.0), valid=None)
    grainy = flat.replace(pixels=40 + np.random.default_rng(0).normal(0, 100, flat.shape))
    easy = [Pair("flat", 0, flat, (grainy,))]
    network = Network(architecture="red_cnn", width=6, steps=100, batch=2, patch=24, learning_rate=1e-2)
    _, history = fit(network, 0, easy, easy, tmp_path / "run", lambda line: None)
    assert history[-1]["denoised_hu"] < 0.9 * history[-1]["low_hu"]


def test_no_patient_is_on_two_sides(shared: Path, recipe: Recipe) -> None:
    from pydicom import dcmread

    split = split_by_patient(shared / recipe.data.folder, recipe.data, recipe.seed)
    owners = [
        {str(dcmread(p, stop_before_pixels=True).PatientID) for p in files}
        for files in (split.train, split.validation, split.test)
    ]
    assert all(owners)
    assert sum(map(len, owners)) == len(owners[0] | owners[1] | owners[2])
    assert len(split.train) + len(split.validation) + len(split.test) == len(split.patients)


def test_patches_hold_the_same_place_of_both_doses(pairs: list[Pair]) -> None:
    low, full = patches(pairs, 32, 8, np.random.default_rng(0))
    assert low.shape == full.shape == (8, 1, 32, 32)
    assert 1 < np.std(low - full) < 60
    for a, b in zip(low, full, strict=True):
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.5


def test_edge_incoherence_is_that_of_a_known_ramp() -> None:
    ramp = torch.arange(16.0).expand(1, 1, 16, 16)
    # The Sobel kernel over 8 gives the slope; a ramp of slope 3 differs from none by 9.
    assert float(edge_incoherence(3 * ramp, 0 * ramp)) == pytest.approx(9)
    assert float(edge_incoherence(ramp + 5, ramp)) == pytest.approx(0)


def test_the_gradient_penalty_is_nothing_for_a_critic_of_unit_slope() -> None:
    class Sum(torch.nn.Module):
        def __init__(self, slope: float) -> None:
            super().__init__()
            self.slope = slope

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return self.slope * image.flatten(1).sum(dim=1)

    real, made = torch.rand(3, 1, 8, 8), torch.rand(3, 1, 8, 8)
    assert float(gradient_penalty(Sum(1 / 8), real, made)) == pytest.approx(0, abs=1e-6)
    assert float(gradient_penalty(Sum(3 / 8), real, made)) == pytest.approx(10 * 4, rel=1e-4)


@pytest.mark.parametrize("architecture", ["red_cnn", "map_nn"])
def test_what_is_exported_computes_what_the_network_does(architecture: str, tmp_path: Path) -> None:
    from scrutiq.degradations.ct.denoise_learned import load_network
    from scrutiq.models.denoisers import Hounsfield, MapNN

    torch.manual_seed(3)
    network = build(SMALL.model_copy(update={"architecture": architecture, "depth": 1}))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, 0, 0.15)
    digest = export(network, tmp_path / "one.onnx", 17)
    assert hashlib.sha256((tmp_path / "one.onnx").read_bytes()).hexdigest() == digest
    one = network.module if isinstance(network, MapNN) else network
    hu = np.random.default_rng(0).normal(40, 60, (50, 71)).astype(np.float32)
    with torch.no_grad():
        expected = Hounsfield(one)(torch.from_numpy(hu)[None, None])[0, 0].numpy()
    assert np.ptp(expected) > 20
    assert np.allclose(load_network(tmp_path / "one.onnx")(hu), expected, rtol=1e-4, atol=0.02)
    assert not any(isinstance(m, torch.nn.ConvTranspose2d) for m in as_convolutions(one).modules())


def test_figures_are_means_over_patients(pairs: list[Pair]) -> None:
    first = pairs[0]
    second = Pair(first.file, first.patient + 1, first.full, first.low)
    off = {"shifted": lambda hu, noise: hu * 0 + first.full.pixels.clip(-1024, 3071) + np.float32(7)}
    found = figures([first, first, second], off, 0)
    assert found["shifted"]["rmse_hu"] == pytest.approx([7, 7, 7], abs=1e-3)
    assert "| shifted | 7.0 (7.0 to 7.0) |" in table(found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: [", "not valid YAML"),
        ("name: x", "not a recipe"),
        ("name: x\nseed: 1\ndata: {folder: a, licence: b, dose: 2, train: 0.5, validation: 0}\n", "data.dose"),
    ],
)
def test_a_recipe_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_recipe(path)
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(tmp_path / "none.yaml")


def test_images_that_are_not_there_are_missed(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images to train on"):
        train(recipe, tmp_path / "none", tmp_path)
    with pytest.raises(InputError, match="at least two patients"):
        train(recipe, tmp_path, tmp_path, log=lambda line: None)
