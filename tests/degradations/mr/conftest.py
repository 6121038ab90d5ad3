"""A phantom: an ellipse of tissue with three inserts, in air."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from scrutiq.core import Image, Modality


def ellipse(shape: tuple[int, int], centre: tuple[float, float], axes: tuple[float, float]) -> np.ndarray:
    """Return where an ellipse is; centre and half axes as shares of the sides."""
    y, x = np.indices(shape)
    return ((y / shape[0] - centre[0]) / axes[0]) ** 2 + ((x / shape[1] - centre[1]) / axes[1]) ** 2 <= 1


def phantom(shape: tuple[int, int] = (128, 128)) -> np.ndarray:
    values = 100.0 * ellipse(shape, (0.5, 0.5), (0.34, 0.28))
    values[ellipse(shape, (0.42, 0.42), (0.06, 0.05))] = 160
    values[ellipse(shape, (0.6, 0.55), (0.08, 0.08))] = 60
    return values


@pytest.fixture
def make_ellipse() -> Callable[..., np.ndarray]:
    return ellipse


@pytest.fixture
def make_phantom() -> Callable[..., np.ndarray]:
    return phantom


@pytest.fixture
def image() -> Image:
    noise = np.abs(np.random.default_rng(7).normal(0, 1, (128, 128)))
    return Image(pixels=phantom() + noise, modality=Modality.MR, spacing=(1.0, 1.0))
