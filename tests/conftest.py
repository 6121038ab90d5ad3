"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(os.environ.get("SCRUTIQ_SHARED", Path(__file__).parents[2] / "shared")) / "data"

#: What may be absent even where SCRUTIQ_NO_SKIP is set (`make test ALL=1`): a pattern of the skip's reason, and why.
EXPECTED_SKIPS = {
    r"the real data are not at ": "they are too large, and some not free enough, to come with the repository",
}


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real images and ratings; the test skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"the real data are not at {SHARED}; set SCRUTIQ_SHARED to the folder that holds data/")
    return SHARED


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Chromium's executable. As root it needs ``--no-sandbox``; give each run its own ``--user-data-dir``."""
    for name in (os.environ.get("SCRUTIQ_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"):
        if name and (found := shutil.which(name)):
            return Path(found)
    pytest.skip("Chromium is not installed: run scripts/debian-packages.sh, or set SCRUTIQ_CHROMIUM to its path")


@pytest.fixture(autouse=True)
def _private_salt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test hashes identifiers with the same salt and leaves the user's own alone."""
    monkeypatch.setenv("SCRUTIQ_SALT", "test-salt-of-the-test-suite")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261122)


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure, unless it is expected."""
    if not report.skipped or hasattr(report, "wasxfail") or os.environ.get("SCRUTIQ_NO_SKIP", "0") in ("", "0"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if not any(re.match(pattern, reason) for pattern in EXPECTED_SKIPS):
        report.outcome = "failed"
        report.longrepr = f"skipped, which SCRUTIQ_NO_SKIP forbids: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report
