"""Files that a person names: what is none ends at its deadline, and a pipe that is written is read."""

from __future__ import annotations

import os
import threading
import time

import pytest

from detector.clients.local_file import read_file
from tests.support.loopback import PATIENCE_SEC
from tests.support.program import answer


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_a_file_is_read_with_the_time_of_its_last_change(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    os.utime(path, (0, 1_000))
    read = read_file(path, 2)
    assert (read.data, read.modified_at and read.modified_at.timestamp()) == (b"ab", 1_000)


def test_a_pipe_without_a_writer_ends_at_the_deadline(pipe):
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        read_file(pipe, 10, 0.2)
    assert time.monotonic() - started < PATIENCE_SEC


def test_a_writer_that_never_ends_is_left_at_the_deadline(pipe):
    keeper = os.open(pipe, os.O_RDWR)
    os.write(keeper, b"half")
    with pytest.raises(TimeoutError):
        read_file(pipe, 10, 0.2)
    os.close(keeper)


def test_a_pipe_is_read_to_its_end_however_late_its_writer_comes(pipe):
    def write() -> None:
        time.sleep(0.2)
        pipe.write_bytes(b"x" * 200_000)

    writer = threading.Thread(target=write)
    writer.start()
    assert len(read_file(pipe, 1_000_000, 20).data) == 200_000
    writer.join()


def test_a_device_has_no_end_and_a_folder_is_no_file(tmp_path):
    assert len(read_file("/dev/zero", 1000).data) == 1000
    assert read_file("/dev/null", 1000).data == b""
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path, 10)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("run", "--snapshot", "PIPE"), id="a snapshot"),
        pytest.param(("detect", "--env-file", "PIPE"), id="an env file"),
        pytest.param(
            ("gaps", "--created-after", "2026-06-01T00:00:00Z", "--runs", "PIPE"), id="a list of runs"
        ),
        pytest.param(("replay", "PIPE"), id="a recording"),
        pytest.param(("profile", "check", "PIPE"), id="a profile"),
        pytest.param(("schema", "snapshot", "--check", "PIPE"), id="a document"),
    ],
)
def test_a_command_does_not_wait_for_a_pipe_for_ever(words, pipe, monkeypatch):
    monkeypatch.setattr("detector.clients.local_file._PIPE_SEC", 0.2)
    monkeypatch.setattr(read_file, "__defaults__", (0.2,))
    done = answer(*(str(pipe) if word == "PIPE" else word for word in words))
    assert done.code == 2
    assert "came to no end in time" in done.err


def test_a_report_says_that_a_pipe_is_left_out(pipe, monkeypatch):
    monkeypatch.setattr(read_file, "__defaults__", (0.2,))
    assert "is left out: it is no file" in answer("report", str(pipe)).out.decode()
