"""Random fields, light, displacement and planes across a volume, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from scrutiq.core import Image, Modality, Source, UsageError, Window
from scrutiq.degradations.tools import (
    displace,
    display_width,
    from_unit,
    geometric,
    reformat,
    smooth_noise,
    to_linear,
    to_srgb,
    to_unit,
)


def test_geometric_steps_are_equal_ratios() -> None:
    values = [geometric(2, 32, s) for s in (0, 0.25, 0.5, 0.75, 1)]
    assert values == pytest.approx([2, 4, 8, 16, 32])


@pytest.mark.parametrize("sigma", [0, 1.5, 8])
def test_a_random_field_is_normal_and_the_seed_s_own(sigma: float) -> None:
    field = smooth_noise((80, 90), sigma, 7)
    assert field.mean() == pytest.approx(0, abs=1e-12)
    assert field.std() == pytest.approx(1)
    assert np.array_equal(field, smooth_noise((80, 90), sigma, 7))
    assert not np.array_equal(field, smooth_noise((80, 90), sigma, 8))
    neighbours = float((field[:, 1:] * field[:, :-1]).mean())
    assert neighbours == pytest.approx(np.exp(-1 / (4 * sigma**2)) if sigma else 0, abs=0.05)


def test_light_and_code_are_inverse_and_meet_the_standard() -> None:
    coded = np.linspace(0, 1, 256)
    assert np.allclose(to_srgb(to_linear(coded)), coded, atol=1e-6)
    assert float(to_linear(np.array(0.5))) == pytest.approx(0.21404, abs=1e-5)  # IEC 61966-2-1
    assert to_srgb(np.array([-1.0, 2.0])).tolist() == pytest.approx([0, 1])


def test_displacement_takes_from_where_it_says() -> None:
    pixels = np.arange(30, dtype=float).reshape(5, 6)
    one = np.ones((5, 6))
    assert np.array_equal(displace(pixels, one, 0 * one)[:-1], pixels[1:])
    assert np.array_equal(displace(pixels, 0 * one, 2 * one)[:, :-2], pixels[:, 2:])
    colour = np.stack([pixels, 2 * pixels, 3 * pixels], axis=2)
    assert np.array_equal(displace(colour, one, 0 * one)[:-1], colour[1:])
    assert displace(pixels, one, 0 * one)[-1].tolist() == pixels[-1].tolist()  # the edge is repeated


def test_the_unit_scale_needs_a_known_range() -> None:
    image = Image(pixels=np.array([[0, 51], [255, 102]]), data_range=(0, 255))
    assert to_unit(image).ravel().tolist() == [0, 0.2, 1, 0.4]
    assert np.array_equal(from_unit(image, to_unit(image)).pixels, image.pixels)
    with pytest.raises(UsageError, match="data range is known"):
        to_unit(Image(pixels=np.zeros((2, 2))))


def test_the_display_width_is_stated_before_it_is_taken_from_tissue(rng: np.random.Generator) -> None:
    pixels = np.where(np.arange(64)[:, None] > 20, rng.uniform(100, 300, (64, 64)), 0)
    hu = Image(pixels=pixels, modality=Modality.CT, unit="HU")
    assert display_width(hu) == 400
    assert display_width(hu.replace(voi=Window(center=40, width=351))) == 350
    assert display_width(Image(pixels=pixels, data_range=(0, 255))) == 255
    assert 100 < display_width(Image(pixels=pixels, modality=Modality.MR)) < 200


def test_the_plane_across_a_volume_knows_its_spacing() -> None:
    volume = [
        Image(pixels=np.full((4, 6), k), spacing=(0.5, 0.7), source=Source(frame=k, location=3.0 * k)) for k in range(5)
    ]
    plane = reformat(volume)
    assert plane.pixels[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert (plane.shape, plane.spacing) == ((5, 6), (3.0, 0.7))
    unknown = [one.replace(source=Source()) for one in volume]
    assert reformat(unknown).spacing is None
    stated = [one.replace(metadata={"slice_thickness": 2.5}) for one in unknown]
    assert reformat(stated).spacing == (2.5, 0.7)
