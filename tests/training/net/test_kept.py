from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scrutiq.training.net.kept import digest, kept


def test_it_is_computed_once_and_again_where_it_is_of_something_else(tmp_path: Path) -> None:
    asked = []

    def compute() -> dict[str, np.ndarray]:
        asked.append(1)
        return {"a": np.arange(3), "words": np.array(["x", "yy"])}

    for of, times in (("one", 1), ("one", 1), ("two", 2)):
        found = kept(tmp_path / "kept.npz", of, compute)
        assert found["a"].tolist() == [0, 1, 2]
        assert found["words"].tolist() == ["x", "yy"]
        assert len(found) == 2
        assert len(asked) == times


def test_what_fails_leaves_no_file(tmp_path: Path) -> None:
    def compute() -> dict[str, np.ndarray]:
        raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        kept(tmp_path / "kept.npz", "one", compute)
    assert list(tmp_path.iterdir()) == []


def test_a_digest_keeps_its_parts_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("a", b"b") == digest(b"a", "b")
