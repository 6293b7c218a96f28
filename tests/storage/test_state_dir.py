"""The memory in a folder: the newest that can be used, a few generations, one run at a time."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from msgspec.structs import replace

from detector.formats.errors import ExternalError
from detector.readers.previous import ExpectedMemory
from detector.render.document import build_artifact_document
from detector.storage.state_dir import KEPT, StateDir, encode_runtime, list_earlier_names
from tests.support.snapshots import NOW, ROOT, evaluated, healthy, later

RUNTIME = "aegis-pt-core"
EXPECTED = ExpectedMemory(RUNTIME, NOW, {})


def text(generation: int, seconds: float = 0, runtime: str = RUNTIME) -> str:
    report = replace(evaluated(later(healthy(), seconds)), generation=generation, runtime=runtime)
    return json.dumps(build_artifact_document(report, with_snapshot=False))


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir() if not path.name.startswith(".lock-"))


@pytest.fixture
def folder(tmp_path):
    return StateDir(tmp_path / "state")


@pytest.fixture
def used(folder):
    """A folder with three generations."""
    with folder.lock(RUNTIME, 0):
        for number in (1, 2, 3):
            folder.store(text(number, number), RUNTIME, number)
    return folder


def test_a_folder_that_is_not_there_is_a_first_run(folder):
    assert (folder.find(EXPECTED).memory.kept, folder.find(EXPECTED).memory.before.lost) == (False, None)


def test_an_empty_folder_is_a_first_run(folder):
    with folder.lock(RUNTIME, 0):
        assert folder.find(EXPECTED).memory.before.lost is None


def test_what_is_stored_is_found(used):
    assert used.find(EXPECTED).memory.generation == 3


def test_a_few_generations_are_kept(folder):
    with folder.lock(RUNTIME, 0):
        for number in range(1, 12):
            folder.store(text(number, number), RUNTIME, number)
    assert names(folder) == [f"memory-aegis-pt-core-{number:08d}.json" for number in range(12 - KEPT, 12)]


def test_only_this_user_can_read_the_folder(used):
    assert used.path.stat().st_mode & 0o077 == 0


def test_a_broken_newest_leads_to_the_one_before(used):
    (used.path / "memory-aegis-pt-core-00000003.json").write_text("{")
    found = used.find(EXPECTED)
    assert (found.memory.generation, "memory-aegis-pt-core-00000003.json" in str(found.note)) == (2, True)
    assert "memory-aegis-pt-core-00000003.json" in str(found.memory.before.lost), "what it owed is lost"
    assert found.unavailable is None


def test_a_broken_one_that_is_older_than_one_that_can_be_used_is_no_loss(used):
    (used.path / "memory-aegis-pt-core-00000002.json").write_text("{")
    found = used.find(EXPECTED)
    assert (found.memory.generation, found.note, found.memory.before.lost) == (3, None, None)


def test_none_usable_is_lost_memory_with_the_reason(used):
    for path in used.path.glob("memory-*"):
        path.write_text("{")
    found = used.find(EXPECTED)
    assert "memory-aegis-pt-core-00000003.json: line 1" in str(found.memory.before.lost)
    assert "and 2 more before it" in str(found.memory.before.lost)


def test_after_lost_memory_the_new_first_generation_is_found_and_the_bad_ones_are_kept_aside(used):
    for path in used.path.glob("memory-*"):
        path.write_text("{")
    used.store(text(1), RUNTIME, 1)
    assert used.find(EXPECTED).memory.generation == 1
    assert names(used) == [
        "memory-aegis-pt-core-00000001.json",
        "memory-aegis-pt-core-00000001.json.bad",
        "memory-aegis-pt-core-00000002.json.bad",
        "memory-aegis-pt-core-00000003.json.bad",
    ]


def test_a_folder_that_cannot_be_read_is_lost_memory(tmp_path):
    place = tmp_path / "file"
    place.write_text("")
    assert "cannot be read" in str(StateDir(place).find(EXPECTED).memory.before.lost)


def test_what_a_killed_run_left_half_written_is_swept_away(used):
    (used.path / ".memory-aegis-pt-core-00000004.json.123.tmp").write_text("{")
    used.store(text(4), RUNTIME, 4)
    assert not list(used.path.glob("*.tmp"))


def test_a_disk_that_takes_nothing_leaves_every_older_one(used, monkeypatch):
    before = {name: (used.path / name).read_bytes() for name in names(used)}

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        used.store(text(4), RUNTIME, 4)
    assert {name: (used.path / name).read_bytes() for name in names(used)} == before


HOLDS = """
import sys, time
from pathlib import Path
from detector.storage.state_dir import StateDir
with StateDir(Path(sys.argv[1])).lock("aegis-pt-core", 5):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def another_run(folder):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_run_waits_and_then_gives_up(folder, another_run):
    with pytest.raises(ExternalError, match="another run of this runtime holds"), folder.lock(RUNTIME, 0.15):
        pass


def test_a_second_run_goes_on_as_soon_as_the_first_ended(folder, another_run):
    another_run.stdin.close()
    with folder.lock(RUNTIME, 5):
        pass


def test_a_killed_run_holds_nothing(folder, another_run):
    another_run.kill()
    with folder.lock(RUNTIME, 5):
        pass


@pytest.mark.parametrize("other", ["b", "aegis-pt-core-2", "a/../b", "x" * 300])
def test_a_run_of_another_runtime_does_not_wait(folder, another_run, other):
    with folder.lock(other, 0) as fault:
        assert fault is None
        folder.store(text(1, 1, other), other, 1)


def test_what_another_runtime_writes_at_this_moment_is_left_alone(used):
    writing = used.path / ".memory-aegis-pt-core-2-00000004.json.123.tmp"
    writing.write_text("{")
    used.store(text(4), RUNTIME, 4)
    assert writing.exists()


def test_a_run_that_could_not_store_is_no_excuse_for_another_runtime(used, monkeypatch):
    with used.lock("b", 0):
        used.store(text(1, 1, "b"), "b", 1)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        used.store(text(4, 9), RUNTIME, 4)
    looked = {
        name: used.find(ExpectedMemory(name, NOW, {})).memory.before.looked_at for name in (RUNTIME, "b")
    }
    assert (looked[RUNTIME] is None, looked["b"]) == (False, None)


def test_a_folder_that_was_copied_without_its_lock_tells_of_no_run_that_could_not_store(used):
    """As `cp -r` of a move to another machine: the time of the new lock file is that of the copy."""
    lock, copied_at = used.path / f".lock-{RUNTIME}", NOW + timedelta(days=1)
    lock.unlink(missing_ok=True)
    with used.lock(RUNTIME, 0):
        os.utime(lock, ns=(123, int(copied_at.timestamp()) * 10**9 + 4_000_000))
        assert used.find(ExpectedMemory(RUNTIME, NOW, {})).memory.before.looked_at is None


# --- a folder that cannot be held keeps no alert back ---------------------------------------------------


def test_a_place_that_cannot_be_made_is_named_and_the_run_goes_on(tmp_path):
    (tmp_path / "file").write_text("")
    with StateDir(tmp_path / "file" / "state").lock(RUNTIME, 0) as fault:
        assert "file" in str(fault)


def test_a_disk_that_takes_nothing_is_named_and_still_read(used, monkeypatch):
    really_open = os.open

    def read_only(path: str, flags: int, *rest: int) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(30, "Read-only file system")
        return really_open(path, flags, *rest)

    monkeypatch.setattr(os, "open", read_only)
    with used.lock(RUNTIME, 0) as fault:
        assert "Read-only file system" in str(fault)
        assert used.find(EXPECTED).memory.generation == 3


def test_a_file_system_without_locks_is_named(used, monkeypatch):
    def no_locks(*given: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with used.lock(RUNTIME, 0) as fault:
        assert "No locks available" in str(fault)


def test_a_folder_that_is_held_has_no_fault(folder):
    with folder.lock(RUNTIME, 0) as fault:
        assert fault is None


# --- another runtime's memory ---------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["b", "aegis-pt-core-00000001", "a/../b", "a:b", "x" * 300])
def test_two_runtimes_share_a_folder_and_neither_touches_the_others_memory(used, other):
    before = {name: (used.path / name).read_bytes() for name in names(used)}
    expected = ExpectedMemory(other, NOW, {})
    assert used.find(expected).memory.before.lost is None
    for number in range(1, KEPT + 3):
        used.store(text(number, number, other), other, number)
    assert used.find(expected).memory.generation == KEPT + 2
    assert used.find(EXPECTED).memory.generation == 3
    assert {name: (used.path / name).read_bytes() for name in before} == before


LONG = "東京取引所自動売買システム"  # nine letters each in a file's name


@pytest.mark.parametrize("names", [(f"{LONG}一号", f"{LONG}二号"), ("x" * 300, "x" * 301)], ids=str)
def test_two_long_names_are_two_runtimes(folder, names):
    assert len({encode_runtime(name) for name in names}) == 2
    assert all(len(encode_runtime(name)) == 100 for name in names)
    for number, name in enumerate(names, 1):
        folder.path.mkdir(exist_ok=True)
        folder.store(text(number, number, name), name, number)
    assert [folder.find(ExpectedMemory(name, NOW, {})).memory.generation for name in names] == [1, 2]


def test_a_memory_under_the_name_of_an_older_version_is_found_and_replaced(folder):
    folder.path.mkdir()
    long, other = f"{LONG}一号", f"{LONG}二号"
    earlier = next(iter(list_earlier_names(long)))
    assert list_earlier_names(other) == (earlier,)
    (folder.path / f"memory-{earlier}-00000003.json").write_text(text(3, 3, long))
    (folder.path / f"memory-{earlier}-00000004.json").write_text(text(4, 4, other))
    assert folder.find(ExpectedMemory(long, NOW, {})).memory.generation == 3
    assert folder.find(ExpectedMemory(other, NOW, {})).memory.generation == 4
    folder.store(text(4, 5, long), long, 4)
    assert folder.find(ExpectedMemory(long, NOW, {})).memory.generation == 4


# --- what could not be read this time ----------------------------------------------------------------------


def test_what_can_never_be_read_is_broken_and_put_aside(used):
    (used.path / "memory-aegis-pt-core-00000004.json").mkdir()
    found = used.find(EXPECTED)
    assert (found.memory.generation, found.unavailable) == (3, None)
    assert "Is a directory" in str(found.memory.before.lost)
    used.store(text(4, 4), "aegis-pt-core", 4)
    again = used.find(EXPECTED)
    assert (again.memory.generation, again.memory.before.lost) == (4, None)


def test_an_older_file_that_cannot_be_read_hinders_nothing(used):
    path = used.path / "memory-aegis-pt-core-00000002.json"
    path.unlink()
    path.mkdir()
    found = used.find(EXPECTED)
    assert (found.memory.generation, found.unavailable, found.note) == (3, None, None)
