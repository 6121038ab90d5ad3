"""The networks by their papers: layers, shortcuts, sizes, and what an untrained one gives."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra train is not installed")

from scrutiq.models.denoisers import (  # noqa: E402
    OFFSET,
    SCALE,
    ConveyingEncoderDecoder,
    Critic,
    Hounsfield,
    MapNN,
    RedCNN,
    normalised,
)


def count(network: object) -> int:
    return sum(p.numel() for p in network.parameters())  # type: ignore[attr-defined]


def test_red_cnn_of_the_paper_has_its_number_of_weights() -> None:
    # Ten layers of 5 x 5: two of 1 to 96 channels (or back), eight of 96 to 96; and their biases.
    assert count(RedCNN()) == 2 * 96 * 25 + 8 * 96 * 96 * 25 + 9 * 96 + 1
    assert len(RedCNN().encoder) == len(RedCNN().decoder) == 5


def test_a_module_of_map_nn_has_its_number_of_weights() -> None:
    layers = 2 * 32 * 9 + 6 * 32 * 32 * 9 + 7 * 32 + 1
    assert count(ConveyingEncoderDecoder(32)) == layers + 3 * (64 * 32 + 32)
    assert count(MapNN(32, 5)) == count(MapNN(32, 1)), "the modules share their weights"


@pytest.mark.parametrize("network", [RedCNN(4), ConveyingEncoderDecoder(4), MapNN(4, 2)])
@pytest.mark.parametrize("shape", [(21, 21), (40, 64), (33, 27)])
def test_the_output_has_the_size_of_the_input(network: object, shape: tuple[int, int]) -> None:
    image = torch.rand(2, 1, *shape)
    assert network(image).shape == image.shape  # type: ignore[operator]


@pytest.mark.parametrize("network", [RedCNN(8), ConveyingEncoderDecoder(8)])
def test_an_untrained_network_gives_about_what_it_is_given(network: object) -> None:
    image = torch.rand(1, 1, 48, 48)
    with torch.no_grad():
        assert float((network(image) - image).abs().max()) < 0.05  # type: ignore[operator]


def test_the_depth_is_how_often_the_module_is_applied() -> None:
    torch.manual_seed(0)
    network, image = MapNN(4, 3), torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        expected = network.module(network.module(network.module(image)))
        assert torch.equal(network(image), expected)


def test_ct_numbers_go_in_and_come_out() -> None:
    assert OFFSET == -1024
    assert float(normalised(torch.tensor(-24.0))) == pytest.approx(1)
    hu = torch.full((1, 1, 32, 32), 40.0)
    identity = Hounsfield(torch.nn.Identity())
    assert torch.allclose(identity(hu), hu, atol=1e-3)
    assert SCALE == 1000


def test_the_critic_gives_one_number_a_patch() -> None:
    for side in (32, 64, 40):
        assert Critic(2, side, 8)(torch.rand(3, 1, side, side)).shape == (3, 1)


def test_no_output_lies_below_the_least_ct_number() -> None:
    torch.manual_seed(1)
    with torch.no_grad():
        made = Hounsfield(RedCNN(4))(torch.full((1, 1, 32, 32), -3000.0))
    assert np.isclose(float(made.min()), -1024)
