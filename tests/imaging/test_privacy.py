"""Identifiers leave as salted hashes only, and the salt stays the user's."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from scrutiq.core import UsageError
from scrutiq.imaging import find_cases, privacy
from scrutiq.imaging.privacy import salted_hash


@pytest.fixture
def no_salt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv("SCRUTIQ_SALT", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    privacy._user_salt.cache_clear()
    return tmp_path / "scrutiq" / "salt"


def test_known_value() -> None:
    # Checked against an independent implementation.
    command = ["openssl", "dgst", "-sha256", "-hmac", "test-salt-of-the-test-suite"]
    try:
        output = subprocess.run(command, input=b"1.2.3", capture_output=True, check=True).stdout.decode()
    except FileNotFoundError:
        pytest.skip("no openssl here")
    expected = output.split()[-1]
    assert salted_hash("1.2.3", 64) == expected
    assert salted_hash("1.2.3") == expected[:12]


def test_salt_changes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    first = salted_hash("1.2.3")
    monkeypatch.setenv("SCRUTIQ_SALT", "another salt of some length")
    assert salted_hash("1.2.3") != first


def test_a_salt_that_could_be_guessed_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("id,target\n1,a.dcm\n")
    monkeypatch.setenv("SCRUTIQ_SALT", "fifteen letters")
    with pytest.raises(UsageError, match=r"16 characters.*long random") as caught:
        salted_hash("1.2.3")
    assert "fifteen" not in str(caught.value)
    with pytest.raises(UsageError, match="SCRUTIQ_SALT"):
        find_cases([tmp_path / "m.csv"])
    monkeypatch.setenv("SCRUTIQ_SALT", "sixteen letters.")
    assert len(salted_hash("1.2.3")) == 12


@pytest.mark.parametrize("length", [0, 7, 65])
def test_length_has_limits(length: int) -> None:
    with pytest.raises(ValueError, match="digits"):
        salted_hash("x", length)


def test_salt_file_is_private_and_kept(no_salt: Path) -> None:
    first = salted_hash("x")
    assert len(no_salt.read_bytes()) == 32
    assert stat.S_IMODE(no_salt.stat().st_mode) == 0o600
    assert [p.name for p in no_salt.parent.iterdir()] == ["salt"]
    privacy._user_salt.cache_clear()
    assert salted_hash("x") == first


def test_two_first_runs_at_once_agree(no_salt: Path) -> None:
    code = "from scrutiq.imaging.privacy import salted_hash; print(salted_hash('x'))"
    runs = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(4)]
    assert len({run.communicate()[0] for run in runs}) == 1


def test_unwritable_home_warns_once(
    no_salt: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = no_salt.parents[1] / "file"
    blocked.write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(blocked))
    assert salted_hash("x") == salted_hash("x")
    assert capsys.readouterr().err.count("SCRUTIQ_SALT") == 1


def test_short_salt_file_is_not_used(no_salt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    no_salt.parent.mkdir()
    no_salt.write_bytes(b"")
    salted_hash("x")
    assert "SCRUTIQ_SALT" in capsys.readouterr().err
    assert os.path.getsize(no_salt) == 0
