"""One process at a time writes to a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from scrutiq.core import UsageError
from scrutiq.core.locking import alone


def test_a_second_run_into_one_folder_is_refused(tmp_path: Path) -> None:
    with alone(tmp_path, "run"), pytest.raises(UsageError, match="another run is writing"), alone(tmp_path, "run"):
        pass
    with alone(tmp_path / "new", "build"):
        assert (tmp_path / "new").is_dir()
    with alone(tmp_path, "run"):
        pass
