"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(os.environ.get("SCRUTIQ_SHARED", Path(__file__).parents[2] / "shared")) / "data"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real images and ratings; the test skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"the real data are not at {SHARED}; set SCRUTIQ_SHARED to the folder that holds data/")
    return SHARED


@pytest.fixture(autouse=True)
def _private_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test hashes identifiers with the same salt and leaves the user's own alone."""
    monkeypatch.setenv("SCRUTIQ_SALT", "test-salt")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261122)
