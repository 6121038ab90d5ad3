"""Files appear whole or not at all."""

from pathlib import Path

import pytest

from scrutiq.core import UsageError
from scrutiq.reports.files import atomic


def test_the_old_file_stays_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(TypeError), atomic(path) as file:
        file.writelines(["half of the new", None])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_utf8_with_plain_line_ends(tmp_path: Path) -> None:
    with atomic(tmp_path / "a") as file:
        file.write("µ\n−\n")
    assert (tmp_path / "a").read_bytes() == "µ\n−\n".encode()


def test_a_link_is_followed_and_a_folder_or_device_is_refused(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_text("old")
    (tmp_path / "link").symlink_to(real)
    with atomic(tmp_path / "link") as file:
        file.write("new")
    assert real.read_text() == "new"
    assert (tmp_path / "link").is_symlink()
    with pytest.raises(UsageError, match="not a file"), atomic(tmp_path):
        pass
    with pytest.raises(UsageError, match="not a file"), atomic("/dev/null"):
        pass
    assert Path("/dev/null").is_char_device()


def test_what_a_killed_run_left_is_replaced(tmp_path):
    (tmp_path / ".a.partial").symlink_to(tmp_path / "other")
    with atomic(tmp_path / "a") as file:
        file.write("new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "new"
