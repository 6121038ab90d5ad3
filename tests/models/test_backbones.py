from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from scrutiq.assessors.net.embedding import Backbone  # noqa: E402
from scrutiq.assessors.net.planes import planes, thumbnail  # noqa: E402
from scrutiq.models.backbones import STRIDE, Convolutional, Transformer, pooled  # noqa: E402
from scrutiq.training.net.export import export_backbone  # noqa: E402


def _networks() -> list[Convolutional | Transformer]:
    torch.manual_seed(3)
    return [Convolutional((8, 12, 16, 20), (1, 0, 1, 1)).eval(), Transformer((32,), (2,)).eval()]


@pytest.mark.parametrize("index", [0, 1])
def test_features_have_a_cell_for_each_stride_and_do_not_depend_on_the_batch(index: int) -> None:
    network = _networks()[index]
    images = torch.rand(3, 3, 96, 64)
    with torch.no_grad():
        features, evidence = network(images)
        alone, _ = network(images[1:2])
    assert features.shape == (3, network.channels, 96 // STRIDE, 64 // STRIDE)
    assert evidence.shape == (3, 1, 6, 4)
    torch.testing.assert_close(features[1:2], alone, atol=1e-5, rtol=1e-4)


def test_pooling_is_mean_spread_and_a_mean_that_evidence_weights() -> None:
    features = torch.tensor([[[[1.0, 3.0], [5.0, 7.0]]]])
    evidence = torch.tensor([[[[0.0, 0.0], [0.0, 50.0]]]])
    mean, spread, weighted = pooled(features, evidence)[0]
    assert mean == 4
    assert spread == pytest.approx(np.log(np.std([1, 3, 5, 7])))
    assert weighted == pytest.approx(7)


@pytest.mark.parametrize("index", [0, 1])
def test_the_onnx_file_gives_what_torch_gives(index: int, tmp_path: Path, rng: np.random.Generator) -> None:
    network = _networks()[index]
    export_backbone(network, tmp_path / "backbone.onnx")
    shown = rng.integers(0, 256, (80, 112)).astype(np.uint8)
    found = Backbone(tmp_path / "backbone.onnx").embed(shown)
    with torch.no_grad():
        parts = [
            pooled(*network(torch.from_numpy(planes(image))[None]))[0].numpy() for image in (shown, thumbnail(shown))
        ]
        _, logits = network(torch.from_numpy(planes(shown))[None])
    np.testing.assert_allclose(found.vector, np.concatenate(parts), atol=2e-4, rtol=1e-3)
    np.testing.assert_allclose(found.evidence, logits.sigmoid()[0, 0].numpy(), atol=1e-4)


def test_a_large_image_is_worked_on_in_strips_that_hardly_show(tmp_path: Path, rng: np.random.Generator) -> None:
    network = _networks()[0]
    export_backbone(network, tmp_path / "backbone.onnx")
    backbone = Backbone(tmp_path / "backbone.onnx")
    shown = rng.integers(0, 256, (1000, 1500)).astype(np.uint8)
    with torch.no_grad():
        edge = np.pad(shown, ((0, -1000 % STRIDE), (0, -1500 % STRIDE)), mode="edge")
        _, whole = network(torch.from_numpy(planes(edge))[None])
    found = backbone.embed(shown).evidence
    assert found.shape == (63, 94)
    np.testing.assert_allclose(found, whole.sigmoid()[0, 0].numpy(), atol=1e-4)
