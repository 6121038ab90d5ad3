"""The shipped networks on a real slice: less noise, whole images and tiles alike, and files as they were shipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import scrutiq
from scrutiq.core import Image, InputError, Modality, UsageError
from scrutiq.degradations.ct import denoise_learned as learned
from scrutiq.degradations.ct.denoise_noise import at_dose
from scrutiq.metrics import measure

pytest.importorskip("onnxruntime", reason="the extra simulate is not installed")
pytest.importorskip("numba", reason="the extra simulate is not installed")

DEMO = Path(__file__).parents[3] / "demo" / "images" / "ct" / "slice_1.dcm"


@pytest.fixture(scope="module")
def low() -> Image:
    return part(at_dose(whole(), 0.25, 3))


def whole() -> Image:
    image = scrutiq.read(DEMO)
    assert isinstance(image, Image)
    return image


def part(image: Image) -> Image:
    return image.replace(pixels=image.pixels[150:406, 128:384], valid=None)


def full_dose() -> Image:
    return part(whole())


def noise(image: Image) -> float:
    return measure(image, ["noise_hu"])["noise_hu"].value


def rmse(image: Image) -> float:
    tissue = full_dose().pixels > -200
    return float(np.sqrt(np.mean((image.pixels - full_dose().pixels)[tissue] ** 2)))


def test_red_cnn_takes_noise_away_and_comes_nearer_to_the_full_dose(low: Image) -> None:
    made = learned.red_cnn(low)
    assert noise(made) < 0.6 * noise(low)
    assert rmse(made) < 0.85 * rmse(low)
    assert (made.shape, made.unit, made.spacing) == (low.shape, low.unit, low.spacing)


def test_each_depth_of_map_nn_takes_more_noise_away(low: Image) -> None:
    levels = [noise(low), *(noise(learned.map_nn(low, depth)) for depth in learned.DEPTHS)]
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] < 0.6 * levels[0]
    assert rmse(learned.map_nn(low, 5)) < rmse(learned.map_nn(low, 1)) < rmse(low)


def test_a_depth_is_the_module_that_often(low: Image) -> None:
    seen = low.replace(pixels=np.clip(low.pixels, learned.LEAST_HU, learned.MOST_HU))
    thrice = learned.map_nn(learned.map_nn(learned.map_nn(seen, 1), 1), 1)
    assert np.allclose(thrice.pixels, learned.map_nn(seen, 3).pixels, atol=0.05)


def test_between_two_depths_lies_their_mean(low: Image) -> None:
    one, two = learned.map_nn(low, 1).pixels, learned.map_nn(low, 2).pixels
    assert np.allclose(learned.repeated(low, "map_nn", 1.25).pixels, 0.75 * one + 0.25 * two, atol=0.05)
    assert np.array_equal(learned.repeated(low, "map_nn", 0).pixels, low.pixels)


@pytest.mark.parametrize(("name", "margin"), [("red_cnn", 20), ("map_nn", 8)])
def test_tiles_do_not_show(low: Image, name: str, margin: int) -> None:
    network, stated = learned._shipped(name)
    assert stated == margin
    whole, parts = network(low.pixels), learned.in_tiles(network, low.pixels, margin, tile=100)
    assert np.allclose(whole, parts, atol=0.02)
    # With less overlap they would: the margin is what the network looks at.
    assert np.abs(whole - learned.in_tiles(network, low.pixels, margin // 4, tile=100)).max() > 0.05


def test_what_a_network_does_not_see_stays(low: Image) -> None:
    pixels = low.pixels.copy()
    pixels[:40, :40] = -2000  # the padding about a scan
    valid = np.ones(low.shape, dtype=bool)
    valid[60:70, 60:70] = False
    made = learned.red_cnn(low.replace(pixels=pixels, valid=valid))
    assert made.pixels[:15, :15] == pytest.approx(-2000, abs=30)
    assert np.array_equal(made.pixels[60:70, 60:70], pixels[60:70, 60:70])


def test_weights_that_were_changed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(learned._WEIGHTS, "red_cnn", ("0" * 64, 20))
    learned._shipped.cache_clear()
    with pytest.raises(InputError, match="not those that were shipped"):
        learned._shipped("red_cnn")
    learned._shipped.cache_clear()


def test_what_cannot_be_denoised_is_refused(low: Image) -> None:
    with pytest.raises(UsageError, match="depths 1, 2, 3, 4, 5, not 6"):
        learned.map_nn(low, 6)
    with pytest.raises(UsageError, match="there is no network 'unet'"):
        learned.repeated(low, "unet", 1)
    with pytest.raises(UsageError, match="Hounsfield"):
        learned.red_cnn(Image(pixels=np.zeros((64, 64)), modality=Modality.CT))
    with pytest.raises(UsageError, match="21 x 21"):
        learned.red_cnn(low.replace(pixels=low.pixels[:20], valid=None))
