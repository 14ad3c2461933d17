"""Files are written whole or not at all, and what fails is said in a sentence."""

import errno
import json
import os
import resource
import signal
from pathlib import Path

import pytest

from acmnet.files.file_access import (
    PART,
    FileError,
    os_error_sentence,
    part_name,
    refuse_unwritable,
    short_file_name,
    write_json,
    written_whole,
)
from acmnet.limits import LONGEST_NAME_BYTES


def test_a_real_write_that_fails_half_way(tmp_path):
    """A limit on the size of files stands for the full disk: the kernel says no."""
    path = tmp_path / "x.json"
    write_json(path, [1])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(
            FileError, match=r"x\.json could not be written: File too l"
        ):
            write_json(path, list(range(100_000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert json.loads(path.read_text()) == [1]
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_is_no_file(tmp_path):
    (tmp_path / "x").mkdir()
    for write in (refuse_unwritable, lambda path: write_json(path, 1)):
        with pytest.raises(
            FileError, match="x could not be written: it is a directory"
        ):
            write(tmp_path / "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o555)
    for write in (refuse_unwritable, lambda path: write_json(path, 1)):
        with pytest.raises(
            FileError, match="Permission denied; name a folder that you"
        ):
            write(tmp_path / "new" / "x")
    tmp_path.chmod(0o755)


def test_asking_leaves_nothing_behind(tmp_path):
    refuse_unwritable(None, tmp_path / "a" / "b" / "c.json", tmp_path / "d.json")
    assert list(tmp_path.iterdir()) == []


def test_a_probe_that_another_process_tidies_away_was_written(tmp_path, monkeypatch):
    # torchrun starts several: the first tidies the run while a second probes it
    touch = Path.touch

    def tidied(self, *args, **kwargs):
        touch(self, *args, **kwargs)
        self.unlink()

    monkeypatch.setattr(Path, "touch", tidied)
    refuse_unwritable(tmp_path / "log.jsonl")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 255, "ä" * 127, "x" * 240 + ".json", "a.npy"])
def test_temporary_names_fit_and_never_meet(tmp_path, name):
    """A name near 255 bytes overflowed; one number on two hosts met."""
    path = tmp_path / name
    parts = {part_name(path) for _ in range(100)}
    assert len(parts) == 100
    for part in parts:
        assert len(os.fsencode(part.name)) <= LONGEST_NAME_BYTES
        assert PART.fullmatch(part.name)[1] == short_file_name(name)
    write_json(path, name)
    assert json.loads(path.read_text()) == name
    assert list(tmp_path.iterdir()) == [path]


def test_names_that_are_shortened_differ():
    assert short_file_name("a" * 250) != short_file_name("a" * 251)
    assert short_file_name("a" * 250 + ".npy").endswith(".npy")


def test_a_name_that_is_too_long_is_said(tmp_path):
    with pytest.raises(FileError, match="a name may have 255 bytes; give it a shorter"):
        write_json(tmp_path / ("x" * 256), 1)


def test_a_folder_whose_name_is_too_long_is_said(tmp_path):
    for write in (refuse_unwritable, lambda path: write_json(path, 1)):
        with pytest.raises(FileError, match="may have 255 bytes; give it a shorter"):
            write(tmp_path / ("x" * 256) / "y.json")


def test_an_error_about_another_file_stays_one(tmp_path):
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "x"):
        (tmp_path / "another").read_text()


def test_files_get_ordinary_permissions(tmp_path):
    mask = os.umask(0o027)
    try:
        write_json(tmp_path / "x", 1)
    finally:
        os.umask(mask)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


def test_what_the_system_says_becomes_a_sentence():
    fault = PermissionError(errno.EACCES, "Permission denied", "/x/y")
    assert os_error_sentence(fault) == (
        "/x/y could not be used: Permission denied; check its path and permissions"
    )
    full = OSError(errno.ENOSPC, "No space left on device")
    assert os_error_sentence(full).startswith("No space left on device; check the disk")
    assert os_error_sentence(FileError("a sentence", full)) == "a sentence"
    assert FileError("a sentence", full).errno == errno.ENOSPC
