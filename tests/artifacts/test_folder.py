"""The memory in a folder: the newest that can be used, a few generations, one run at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from detector.artifacts.folder import KEPT, Folder
from detector.model.edge import EdgeError
from detector.readers.previous import Expected
from detector.render.document import artifact_document
from tests.support import NOW, ROOT, evaluated, healthy, later

EXPECTED = Expected("aegis-pt-core", NOW, {})


def text(generation: int, seconds: float = 0) -> str:
    report = replace(evaluated(later(healthy(), seconds)), generation=generation)
    return json.dumps(artifact_document(report, with_snapshot=False))


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.path.iterdir() if path.name != ".lock")


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "state")


@pytest.fixture
def used(folder):
    """A folder with three generations."""
    with folder.locked(0):
        for number in (1, 2, 3):
            folder.store(text(number, number), number)
    return folder


def test_a_folder_that_is_not_there_is_a_first_run(folder):
    assert (folder.find(EXPECTED).memory.kept, folder.find(EXPECTED).memory.before.lost) == (False, None)


def test_an_empty_folder_is_a_first_run(folder):
    with folder.locked(0):
        assert folder.find(EXPECTED).memory.before.lost is None


def test_what_is_stored_is_found(used):
    assert used.find(EXPECTED).memory.generation == 3


def test_a_few_generations_are_kept(folder):
    with folder.locked(0):
        for number in range(1, 12):
            folder.store(text(number, number), number)
    assert names(folder) == [f"memory-{number:08d}.json" for number in range(12 - KEPT, 12)]


def test_only_this_user_can_read_the_folder(used):
    assert used.path.stat().st_mode & 0o077 == 0


def test_a_broken_newest_leads_to_the_one_before(used):
    (used.path / "memory-00000003.json").write_text("{")
    found = used.find(EXPECTED)
    assert (found.memory.generation, "memory-00000003.json" in str(found.said)) == (2, True)


def test_none_usable_is_lost_memory_with_the_reason(used):
    for path in used.path.glob("memory-*"):
        path.write_text("{")
    found = used.find(EXPECTED)
    assert "memory-00000003.json: line 1" in str(found.memory.before.lost)
    assert "and 2 more before it" in str(found.memory.before.lost)


def test_after_lost_memory_the_new_first_generation_is_found_and_the_bad_ones_are_kept_aside(used):
    for path in used.path.glob("memory-*"):
        path.write_text("{")
    used.store(text(1), 1)
    assert used.find(EXPECTED).memory.generation == 1
    assert names(used) == [
        "memory-00000001.json",
        "memory-00000001.json.bad",
        "memory-00000002.json.bad",
        "memory-00000003.json.bad",
    ]


def test_a_folder_that_cannot_be_read_is_lost_memory(tmp_path):
    place = tmp_path / "file"
    place.write_text("")
    assert "cannot be read" in str(Folder(place).find(EXPECTED).memory.before.lost)


def test_what_a_killed_run_left_half_written_is_swept_away(used):
    (used.path / ".memory-00000004.json.123.tmp").write_text("{")
    used.store(text(4), 4)
    assert not list(used.path.glob("*.tmp"))


def test_a_disk_that_takes_nothing_leaves_every_older_one(used, monkeypatch):
    before = {name: (used.path / name).read_bytes() for name in names(used)}

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        used.store(text(4), 4)
    assert {name: (used.path / name).read_bytes() for name in names(used)} == before


HOLDS = """
import sys, time
from pathlib import Path
from detector.artifacts.folder import Folder
with Folder(Path(sys.argv[1])).locked(5):
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
    with pytest.raises(EdgeError, match="another run holds"), folder.locked(0.15):
        pass


def test_a_second_run_goes_on_as_soon_as_the_first_ended(folder, another_run):
    another_run.stdin.close()
    with folder.locked(5):
        pass


def test_a_killed_run_holds_nothing(folder, another_run):
    another_run.kill()
    with folder.locked(5):
        pass


def test_a_place_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeError, match="file"), Folder(tmp_path / "file" / "state").locked(0):
        pass
