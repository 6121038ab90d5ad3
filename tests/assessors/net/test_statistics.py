"""The statistics of an image: each says what its name says, and none fails."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrutiq.assessors.net.statistics import STATISTICS, statistics

Planes = npt.NDArray[np.float32]


def of(planes: npt.NDArray[np.floating]) -> dict[str, float]:
    colour = np.repeat(planes[None], 3, axis=0) if planes.ndim == 2 else planes
    return dict(zip(STATISTICS, statistics(colour.astype(np.float32)).tolist(), strict=True))


def disc(side: int = 128, radius: float = 0.6) -> Planes:
    y, x = np.mgrid[:side, :side] / side * 2 - 1
    return np.where(np.hypot(y, x) < radius, 0.7, 0.0).astype(np.float32)


def test_colour_is_counted_and_its_hue_is_told() -> None:
    red = np.zeros((3, 64, 64), dtype=np.float32)
    red[0, :16] = 1
    found = of(red)
    assert found["coloured_0"] == pytest.approx(0.25)
    assert found["coloured_2"] == pytest.approx(0.25)  # mean chroma
    assert found["hue_0"] == pytest.approx(0.5)  # the root of the share of red
    assert all(found[f"hue_{i}"] == 0 for i in (1, 2, 3, 4))
    assert of(disc())["coloured_0"] == 0


def test_the_share_of_black_and_white_is_of_exactly_these() -> None:
    image = np.full((100, 100), 0.5)
    image[:9] = 0
    image[-4:] = 1
    found = of(image)
    assert found["extremes_0"] == pytest.approx(0.3)
    assert found["extremes_2"] == pytest.approx(0.2)


def test_the_background_is_what_the_border_reaches() -> None:
    found = of(disc())
    assert found["border_0"] == 0
    assert found["border_2"] == 1
    # All that is no disc, as a circle is convex: each pixel of it is reached along a row or a column.
    assert found["background_4"] == pytest.approx(1 - np.pi * 0.36 / 4, abs=0.01)
    with_hole = disc()
    with_hole[60:70, 60:70] = 0
    assert of(with_hole)["background_5"] == pytest.approx(100 / 128**2, abs=1e-4)


def test_symmetry_is_of_left_and_right_and_of_top_and_bottom() -> None:
    image = np.tile(np.abs(np.linspace(-1, 1, 96)), (96, 1)) * np.linspace(0, 1, 96)[:, None]
    found = of(image)
    assert found["symmetry_0"] == pytest.approx(1, abs=0.01)
    assert found["symmetry_1"] < 0.5


def test_lines_of_a_table_are_seen_and_those_of_noise_are_not(rng: np.random.Generator) -> None:
    table = np.ones((200, 200))
    table[::20] = 0
    noise = rng.random((200, 200))
    assert of(table)["lines_0"] > 0.95
    assert of(table)["edges_1"] > 0.9
    assert of(noise)["edges_1"] < 0.5
    assert of(table)["flat_0"] > of(noise)["flat_0"]


def test_noise_is_finer_than_a_slope(rng: np.random.Generator) -> None:
    slope = np.tile(np.linspace(0.2, 0.8, 256), (256, 1))
    noisy = slope + rng.normal(0, 0.05, slope.shape)
    assert of(noisy)["grain_0"] > of(slope)["grain_0"] + 1
    assert of(noisy)["detail_0"] > of(noisy)["detail_3"]


def test_patterns_do_not_change_when_the_image_is_turned(rng: np.random.Generator) -> None:
    image = rng.random((96, 96))
    names = [name for name in STATISTICS if name.startswith("pattern")]
    straight, turned = of(image), of(np.rot90(image).copy())
    assert [straight[name] for name in names] == pytest.approx([turned[name] for name in names], abs=1e-6)


def test_a_flat_image_has_one_pattern() -> None:
    found = of(np.full((64, 64), 0.4))
    assert found["pattern_fine_0"] == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(8, 90), st.integers(8, 90), st.sampled_from([0.0, 0.5, 1.0, -1.0]))
def test_it_is_finite_and_the_same_twice_for_any_size(height: int, width: int, value: float) -> None:
    rng = np.random.default_rng([height, width])
    planes = np.full((3, height, width), value, dtype=np.float32)
    if value < 0:
        planes = rng.random((3, height, width), dtype=np.float32)
    found = statistics(planes)
    assert found.shape == (len(STATISTICS),)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert np.array_equal(found, statistics(planes))
