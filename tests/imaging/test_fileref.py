"""Files on disk and inside archives are opened alike, and refused in one sentence."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import pytest

from scrutiq.core import InputError
from scrutiq.imaging import fileref
from scrutiq.imaging.fileref import FileRef


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(f"folder/{name}", content)
    return path


def test_file_and_member_read_alike(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"0123456789")
    packed = archive(tmp_path / "a.zip", one=b"0123456789")
    for ref in (FileRef(tmp_path / "one"), FileRef(packed, "folder/one")):
        assert ref.name == "one"
        assert ref.size == 10
        assert ref.head(4) == b"0123"
        assert ref.head(99) == b"0123456789"
        for sequential in (False, True):
            with ref.open(sequential=sequential) as stream:
                stream.seek(8)
                assert stream.read() == b"89"
        assert pickle.loads(pickle.dumps(ref)) == ref


@pytest.mark.parametrize("member", [None, "folder/gone"])
def test_missing(tmp_path: Path, member: str | None) -> None:
    path = tmp_path / "gone" if member is None else archive(tmp_path / "a.zip", one=b"1")
    for use in (lambda r: r.open(), lambda r: r.size, lambda r: r.head(3)):
        with pytest.raises(InputError, match="not there") as caught:
            use(FileRef(path, member))
        assert "gone" not in caught.value.reason


def test_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder"):
        FileRef(tmp_path).open()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.dcm")
    with pytest.raises(InputError, match="no regular file"):
        FileRef(tmp_path / "pipe.dcm").open()


def test_a_member_that_is_read_again_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = archive(tmp_path / "a.zip", one=b"1" * 1000)
    unpacked = []
    plain = zipfile.ZipFile.open
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *args, **more: unpacked.append(args) or plain(*args, **more))
    for _ in range(3):
        with FileRef(packed, "folder/one").open() as stream:
            assert stream.read() == b"1" * 1000
    assert len(unpacked) == 1


def test_damaged_archives(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no archive")
    with pytest.raises(InputError, match="damaged"):
        FileRef(tmp_path / "text.zip", "one").open()
    packed = archive(tmp_path / "a.zip", one=bytes(range(256)) * 40)
    content = bytearray(packed.read_bytes())
    content[60:90] = b"\xff" * 30
    packed.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        FileRef(packed, "folder/one").open()
    with pytest.raises(InputError, match="damaged"):
        FileRef(packed, "folder/one").head(99_999)


def test_member_is_refused_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = archive(tmp_path / "bomb.zip", one=bytes(100_000))
    monkeypatch.setattr(fileref, "MAX_MEMBER_BYTES", 1000)
    with pytest.raises(InputError, match="larger"):
        FileRef(packed, "folder/one").open()
