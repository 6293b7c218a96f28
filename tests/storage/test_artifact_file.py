"""The artifact on disk: the old one or the new one at any instant, and every way in which it can be bad."""

from __future__ import annotations

import json
import os
import random
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from detector.formats.errors import InputError
from detector.storage import artifact_file
from tests.support.merge_patch import apply_patch
from tests.support.program import Answer, answer
from tests.support.snapshots import ROOT, healthy

FIRING = apply_patch(healthy(), {"status_v3": {"pending_orders": 2, "unknown_fills": 1}})
NAMES = ["pending_orders_high", "unknown_fill"]


def detect(document: dict[str, Any], *words: str, **environ: str) -> Answer:
    """Detect in process, a day after every snapshot here was taken, unless the words have another time."""
    clock = () if "--now" in words else ("--now", "2026-06-03T15:00:00Z")
    return answer(*words, *clock, stdin=document, environ=environ)


def run_process(document: object, *words: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "detector", *words],
        input=json.dumps(document).encode(),
        capture_output=True,
        cwd=ROOT,
        env={**clean_environ(), **more},
        check=False,
        timeout=600,
    )


def clean_environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AEGIS")}


def told(done: Answer | subprocess.CompletedProcess[bytes]) -> list[str]:
    printed = done.out if isinstance(done, Answer) else done.stdout
    return sorted(event["type"] for event in json.loads(printed)["new_events"])


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    path = tmp_path / "last.json"
    done = detect(FIRING, "--artifact", str(path))
    assert (done.code, told(done)) == (0, NAMES)
    return path


def test_what_a_run_writes_the_next_one_reads(artifact):
    again = run_process(FIRING, "--previous", str(artifact), "--artifact", str(artifact))
    assert (again.returncode, told(again)) == (0, [])
    assert json.loads(artifact.read_text())["generation"] == 2


def test_a_file_that_does_not_exist_is_a_first_run_and_said(tmp_path):
    done = detect(FIRING, "--previous", str(tmp_path / "none.json"))
    assert told(done) == NAMES
    assert "this is a first run" in done.err


def test_both_a_file_and_a_section_are_refused(artifact):
    done = detect({**FIRING, "previous": {"events": []}}, "--previous", str(artifact))
    assert (done.code, done.out) == (2, b"")


def test_the_previous_stdout_is_delivered_time_unknown(tmp_path):
    first = detect(FIRING)
    (tmp_path / "stdout.json").write_bytes(first.out)
    assert told(detect(FIRING, "--previous", str(tmp_path / "stdout.json"))) == []
    worse = apply_patch(FIRING, {"status_v3": {"pending_orders": 3}})
    assert told(detect(worse, "--previous", str(tmp_path / "stdout.json"))) == ["pending_orders_high"]


def test_the_previous_report_is_a_memory_too(tmp_path):
    (tmp_path / "report.json").write_bytes(detect(FIRING, "--report").out)
    assert told(detect(FIRING, "--previous", str(tmp_path / "report.json"))) == []


LOST = sorted([*NAMES, "memory_lost"])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'"text"',
        b"{",
        b"\xff\xfe",
        b"\x00" * 100,
        b'{"events": 3}',
        b'{"events": [1]}',
    ],
    ids=["empty", "list", "null", "no events", "text", "cut", "UTF-16", "zeros", "events 3", "events [1]"],
)
def test_a_file_that_is_no_memory_is_a_lost_one(tmp_path, content):
    path = tmp_path / "last.json"
    path.write_bytes(content)
    done = detect(FIRING, "--previous", str(path), "--artifact", str(path))
    assert (done.code, told(done)) == (0, LOST)
    assert (tmp_path / "last.json.bad").read_bytes() == content
    assert told(detect(FIRING, "--previous", str(path))) == []


def test_a_bad_file_never_replaces_another_bad_one(tmp_path):
    (tmp_path / "last.json").write_bytes(b"second")
    (tmp_path / "last.json.bad").write_bytes(b"first")
    detect(FIRING, "--previous", str(tmp_path / "last.json"), "--artifact", str(tmp_path / "last.json"))
    assert (tmp_path / "last.json.bad").read_bytes() == b"first"


def test_a_directory_is_a_lost_memory(tmp_path):
    done = detect(FIRING, "--previous", str(tmp_path))
    assert (done.code, told(done)) == (0, LOST)


def test_a_huge_file_is_a_lost_memory(tmp_path):
    path = tmp_path / "last.json"
    with path.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    done = detect(FIRING, "--previous", str(path))
    assert (done.code, told(done)) == (0, LOST)
    assert b"over 16 MiB" in done.out


def test_an_unreadable_file_is_a_lost_memory(tmp_path):
    (tmp_path / "last.json").symlink_to(tmp_path / "last.json")
    done = detect(FIRING, "--previous", str(tmp_path / "last.json"))
    assert (done.code, told(done)) == (0, LOST)


def test_a_link_is_not_followed_and_nothing_behind_it_is_copied(artifact, tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(artifact)
    done = detect(FIRING, "--previous", str(link), "--artifact", str(link))
    assert (done.code, told(done)) == (0, LOST)
    assert b"links are not followed" in done.out
    assert not link.is_symlink(), "what it writes is a file of its own"
    assert not (tmp_path / "link.json.bad").exists()
    assert json.loads(artifact.read_text())["generation"] == 1


def test_a_pipe_that_nobody_writes_is_a_lost_memory_and_no_wait(tmp_path):
    os.mkfifo(tmp_path / "last.json")
    done = detect(FIRING, "--previous", str(tmp_path / "last.json"))
    assert (done.code, told(done)) == (0, LOST)


def test_a_stream_that_the_caller_opened_is_read(artifact):
    words = [sys.executable, "-m", "detector", "--previous", "/dev/fd/3"]
    command = f"exec 3< <(sleep 0.2; cat {artifact}); exec {' '.join(words)}"
    done = subprocess.run(
        ["bash", "-c", command], input=json.dumps(FIRING).encode(), capture_output=True, cwd=ROOT,
        env=clean_environ(), check=False, timeout=600,
    )  # fmt: skip
    assert (done.returncode, told(done)) == (0, [])


def test_every_file_that_is_written_is_its_owners_alone(tmp_path):
    path = tmp_path / "last.json"
    path.write_bytes(b"broken")
    path.chmod(0o644)
    before = os.umask(0)
    try:
        detect(FIRING, "--previous", str(path), "--artifact", str(path))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_put_in_the_way_of_the_temporary_one_is_not_written_through(tmp_path):
    target = tmp_path / "victim"
    target.write_text("mine")
    (tmp_path / f".last.json.{os.getpid()}.tmp").symlink_to(target)
    artifact_file.write_atomically(tmp_path / "last.json", "text")
    assert (target.read_text(), (tmp_path / "last.json").read_text()) == ("mine", "text")


def test_a_disk_that_is_full_says_so_and_leaves_the_old_file(artifact):
    """The kernel refuses to let the file grow beyond a few bytes, as a full disk does."""
    before = artifact.read_bytes()
    code = (
        "import resource, runpy, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512));"
        f"sys.argv = ['detector', '--artifact', {str(artifact)!r}];"
        "runpy.run_module('detector', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], input=json.dumps(FIRING).encode(), capture_output=True, cwd=ROOT,
        env=clean_environ(), check=False, timeout=600,
    )  # fmt: skip
    assert (done.returncode, told(done)) == (3, NAMES)
    assert b"could not be written" in done.stderr
    assert artifact.read_bytes() == before
    assert [entry.name for entry in artifact.parent.iterdir()] == [artifact.name]


def test_an_older_schema_version_is_delivered_time_unknown(tmp_path):
    events = json.loads(detect(FIRING).out)["events"]
    (tmp_path / "last.json").write_text(json.dumps({"schema_version": 0, "events": events}))
    assert told(detect(FIRING, "--previous", str(tmp_path / "last.json"))) == []


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"runtime": "another"}, {"schema_version": True}])
def test_a_memory_of_something_else_is_a_lost_one(artifact, change):
    from detector.formats.serialize import compute_checksum

    body = {**json.loads(artifact.read_text()), **change}
    artifact.write_text(json.dumps({**body, "checksum": compute_checksum(body)}))
    assert told(detect(FIRING, "--previous", str(artifact))) == LOST


def test_every_truncation_and_every_flipped_bit_is_a_lost_memory(artifact):
    """In process: the artifact cut at every byte, and 2,000 random bit flips."""
    whole = artifact.read_bytes()
    chance = random.Random(7)
    flips = [flipped(whole, chance) for _ in range(2000)]
    bad = [whole[:length] for length in range(len(whole) - 2)] + [data for data in flips if data != whole]
    survived = [data for data in bad if not is_lost(data)]
    # A flip may leave the same document, in white space or in the case of an escape; then nothing was lost.
    assert all(json.loads(data) == json.loads(whole) for data in survived)
    assert len(survived) < len(flips) // 4


def flipped(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << chance.randrange(8))]) + data[place + 1 :]


def is_lost(data: bytes) -> bool:
    from detector.formats.strict_json import parse_document
    from detector.readers.previous import ExpectedMemory, read_previous
    from tests.support.snapshots import NOW

    try:
        return not read_previous(parse_document(data), ExpectedMemory("aegis-pt-core", NOW, {})).kept
    except InputError:
        return True


def test_when_it_cannot_be_written_the_alert_is_still_printed(tmp_path):
    done = detect(FIRING, "--artifact", str(tmp_path / "no folder" / "last.json"))
    assert (done.code, told(done)) == (3, NAMES)
    assert "could not be written" in done.err


def test_an_older_snapshot_is_evaluated_and_does_not_go_back(artifact):
    before = artifact.read_bytes()
    older = {**FIRING, "taken_at": "2026-06-02T14:59:59Z"}
    done = detect(
        older, "--previous", str(artifact), "--artifact", str(artifact), "--now", "2026-06-02T15:00:00Z"
    )
    assert done.code == 0
    assert "older than the memory" in done.err
    assert artifact.read_bytes() == before


def test_a_memory_from_the_future_does_not_block(artifact):
    older = {**FIRING, "taken_at": "2026-06-02T14:00:00Z"}
    words = ("--previous", str(artifact), "--artifact", str(artifact))
    done = detect(older, *words, "--now", "2026-06-02T14:57:59Z")
    assert "lies in the future" in done.err
    assert json.loads(artifact.read_text())["taken_at"] == "2026-06-02T14:00:00Z"


def test_the_same_snapshot_and_memory_give_the_same_bytes_under_any_hash_seed(artifact, tmp_path):
    shuffled = reversed_keys(FIRING)
    made = []
    for seed, document in (("0", FIRING), ("1", FIRING), ("2", shuffled)):
        path = tmp_path / f"{seed}.json"
        done = run_process(
            {**document, "taken_at": "2026-06-02T15:05:00Z"},
            "--previous", str(artifact), "--artifact", str(path),
            PYTHONHASHSEED=seed,
        )  # fmt: skip
        made.append((done.stdout, path.read_bytes()))
    assert made[0] == made[1] == made[2]


def reversed_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_keys(item) for key, item in reversed(value.items())}
    return [reversed_keys(item) for item in value] if isinstance(value, list) else value


KILLER = """
import os, signal, sys
from pathlib import Path
from typing import Any
from detector.storage import artifact_file
at, path = sys.argv[1], Path(sys.argv[2])
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
real = {"fsync": os.fsync, "replace": Path.replace, "open": os.open, "fdopen": os.fdopen}
if at == "open":
    os.open = lambda *a, **k: die()
if at == "half":
    class Half:
        def __init__(self, f): self.f = f
        def __enter__(self): return self
        def __exit__(self, *a): pass
        def write(self, text): self.f.write(text[: len(text) // 2]); self.f.flush(); die()
    os.fdopen = lambda *a, **k: Half(real["fdopen"](*a, **k))
if at == "fsync":
    os.fsync = die
if at == "rename":
    Path.replace = die
if at == "folder":
    count = []
    def second(fd):
        count.append(fd)
        return die() if len(count) == 2 else real["fsync"](fd)
    os.fsync = second
artifact_file.write_atomically(path, '{"new": true}' * 1000)
"""


@pytest.mark.parametrize("step", ["open", "half", "fsync", "rename", "folder"])
def test_killed_at_any_step_of_the_write_the_file_is_the_old_or_the_new_one(tmp_path, step):
    path = tmp_path / "last.json"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", KILLER, step, str(path)], cwd=ROOT, check=False, timeout=600)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() in ("old", '{"new": true}' * 1000)
    assert (path.read_text() == "old") is (step != "folder")


def test_a_write_that_fails_leaves_no_temporary_file(tmp_path):
    (tmp_path / "last.json").mkdir()
    with pytest.raises(OSError, match="directory"):
        artifact_file.write_atomically(tmp_path / "last.json", "text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.json"]


def test_two_runs_on_the_same_memory_lose_nothing_in_either_order(artifact, tmp_path):
    """Each sees something else; whichever artifact counts next, what the other one told is told or listed."""
    one = apply_patch(healthy(), {"taken_at": "2026-06-02T15:05:00Z", "status_v3": {"pending_orders": 3}})
    two = apply_patch(
        healthy(), {"taken_at": "2026-06-02T15:05:01Z", "status_v3": {"stuck_exits": 1, "pending_exits": 1}}
    )
    both = apply_patch(
        one, {"taken_at": "2026-06-02T15:10:00Z", "status_v3": {"stuck_exits": 1, "pending_exits": 1}}
    )
    heard = set()
    for name, document in (("one", one), ("two", two)):
        done = detect(document, "--previous", str(artifact), "--artifact", str(tmp_path / name))
        heard |= set(told(done))
    for name in ("one", "two"):
        done = detect(both, "--previous", str(tmp_path / name))
        listed = {event["type"] for event in json.loads(done.out)["events"]}
        assert heard - {"heartbeat_stale"} <= listed


def test_a_plugin_line_is_no_receipt_for_it_shows_only_the_worst(tmp_path):
    path = str(tmp_path / "last.json")
    detect(FIRING, "--nagios", "--artifact", path, "--now", "2026-06-02T15:00:00Z")
    assert told(detect({**FIRING, "taken_at": "2026-06-02T15:01:00Z"}, "--previous", path)) == NAMES


def test_the_ledger_alone_leaves_the_snapshot_out(tmp_path):
    path = tmp_path / "last.json"
    detect(FIRING, "--artifact", str(path), AEGIS_PT_ARTIFACT="ledger")
    assert "snapshot" not in json.loads(path.read_text())


def test_a_large_snapshot_is_cut_and_marked(tmp_path):
    path = tmp_path / "last.json"
    large = {**FIRING, "logs": ["x" * 1000] * 2000}
    detect(large, "--artifact", str(path))
    assert path.stat().st_size < 1_500_000
    assert json.loads(path.read_text())["snapshot"]["cut"] == ["logs"]
    assert told(detect(FIRING, "--previous", str(path))) == []
