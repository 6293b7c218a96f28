"""A store read while real processes write it.

Nothing torn, nothing written, nobody kept waiting, nothing left behind.
"""

from __future__ import annotations

import hashlib
import os
import socket
import sqlite3
import time
from contextlib import closing

import pytest

from detector.clients.sqlite import MAX_HOLD_SEC, open_store
from detector.formats import errors
from detector.formats.errors import ExternalError
from tests.support.loopback import PATIENCE_SEC
from tests.support.store_writer import (
    ENDS,
    HAMMERS,
    HOLDS,
    IS_CUT_OFF,
    IS_CUT_OFF_IN_A_WRITE,
    LIVES,
    ROWS,
    writing,
    wrote,
)

READS = 200
NASTY = "a store?mode=rwc#x%2e&immutable=1 ü.db"


@pytest.fixture
def store(tmp_path):
    (tmp_path / "box").mkdir()
    return tmp_path / "box" / NASTY


def lies(path):
    """Everything in the store's folder: names, contents, and when each was last written."""
    return {
        one.name: (one.stat().st_mtime_ns, hashlib.sha256(one.read_bytes()).hexdigest())
        for one in path.parent.iterdir()
    }


def quantities(path, seconds=5.0):
    """The contracts that each table tells of, and what each says of being open."""
    with open_store(str(path), seconds) as connection:
        states = connection.execute("SELECT contracts_remaining, is_open FROM position_state").fetchall()
        trades = connection.execute("SELECT contracts, status FROM trades").fetchall()
    assert (len(states), len(trades)) == (ROWS, ROWS)
    return {(count, bool(flag)) for count, flag in states} | {
        (count, word == "OPEN") for count, word in trades
    }


def fault(path, seconds=5.0):
    with pytest.raises(ExternalError) as caught:
        quantities(path, seconds)
    return caught.value


# --- while it is written ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "patience"),
    [
        pytest.param("wal", 0, id="with a log: a writer without any patience never waits"),
        pytest.param("delete", 5, id="with a journal: a writer of ordinary patience gets through"),
    ],
)
def test_a_writer_hammers_it_and_nothing_is_torn_and_no_write_is_lost(mode, patience, store):
    versions: set[tuple[int, bool]] = set()
    reads, until = 0, time.monotonic() + PATIENCE_SEC
    with writing(store, HAMMERS, mode, patience) as writer:
        while (reads < READS or len(versions) < READS // 4) and time.monotonic() < until:
            found = quantities(store)
            assert len(found) == 1, "two tables, or two rows of one, from different moments"
            versions |= found
            reads += 1
    assert (writer["locked"], reads >= READS, len(versions) >= READS // 4) == (0, True, True), writer
    assert writer["longest"] < MAX_HOLD_SEC
    print(f"{mode}: {reads} reads of {len(versions)} versions; {writer}")


def test_a_read_does_not_see_what_is_written_while_it_lasts(store):
    with writing(store, LIVES), open_store(str(store), 5) as connection:
        before = connection.execute("SELECT sum(contracts) FROM trades").fetchone()
        wrote(store, "c.execute('update trades set contracts = 8'); told(ready=True)")
        assert connection.execute("SELECT sum(contracts) FROM trades").fetchone() == before == (7 * ROWS,)
    assert {count for count, _ in quantities(store)} == {0, 8}


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_what_a_living_runtime_wrote_last_is_seen(mode, store):
    with writing(store, LIVES, mode):
        before = lies(store)
        assert {count for count, _ in quantities(store)} == {0, 7}
        assert lies(store) == before


def test_a_writer_that_keeps_it_locked_is_named_and_not_waited_for(store):
    with writing(store, HOLDS, "delete"):
        began = time.monotonic()
        found = fault(store)
        assert (found.reason, found.permanent, time.monotonic() - began < PATIENCE_SEC) == (
            errors.LOCKED,
            False,
            True,
        )


def test_with_a_log_a_writer_that_keeps_it_locked_is_read_past(store):
    with writing(store, HOLDS, "wal"):
        assert {count for count, _ in quantities(store)} == {0}


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_reader_that_dawdles_lets_the_writer_go_on(mode, store):
    """A read is interrupted, so that a writer without a log never waits longer than LONGEST_HOLD_SEC."""
    wrote(store, mode=mode)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n"
    began = time.monotonic()
    with pytest.raises(ExternalError) as caught, open_store(str(store), 0.3) as connection:
        connection.execute(endless).fetchone()
    assert (caught.value.reason, time.monotonic() - began < PATIENCE_SEC) == (errors.TIMEOUT, True)


# --- how it was left ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "mode", "contracts"),
    [
        pytest.param(ENDS, "wal", 0, id="with a log, and everybody went home"),
        pytest.param(IS_CUT_OFF, "wal", 7, id="with a log, and the power went"),
        pytest.param(IS_CUT_OFF_IN_A_WRITE, "wal", 0, id="with a log, and the power went in a write"),
        pytest.param(ENDS, "delete", 0, id="with a journal, and everybody went home"),
        pytest.param(IS_CUT_OFF, "delete", 7, id="with a journal, and the power went"),
    ],
)
def test_it_is_read_as_it_was_left_and_left_as_it_was(script, mode, contracts, store):
    wrote(store, script, mode)
    before = lies(store)
    assert {count for count, _ in quantities(store)} == {0, contracts}
    assert lies(store) == before


def test_what_only_a_writer_may_finish_is_refused_and_left(store):
    wrote(store, IS_CUT_OFF_IN_A_WRITE, "delete")
    before = lies(store)
    assert len(before) == 2, "the journal lies beside it"
    assert fault(store).reason == errors.UNFINISHED
    assert lies(store) == before


@pytest.mark.parametrize("lost", ["-shm", "-wal"])
def test_a_log_without_its_index_or_the_reverse_is_refused_and_left(lost, store):
    wrote(store, IS_CUT_OFF)
    store.with_name(store.name + lost).unlink()
    before = lies(store)
    assert fault(store).reason == errors.UNFINISHED
    assert lies(store) == before


def test_an_empty_log_is_none(store):
    wrote(store)
    store.with_name(store.name + "-wal").touch()
    before = lies(store)
    assert quantities(store)
    assert lies(store) == before


def test_a_writer_that_comes_while_it_lies_at_rest_is_noticed(store):
    """At rest it is read without its log: whoever began one in the meantime makes the reading void."""
    wrote(store)

    def meanwhile():
        with open_store(str(store), 5) as connection:
            connection.execute("SELECT * FROM trades").fetchall()
            wrote(store, "c.execute('update trades set contracts = 8'); told(ready=True)")

    with pytest.raises(ExternalError) as caught:
        meanwhile()
    assert (caught.value.reason, caught.value.permanent) == (errors.LOCKED, False)
    assert {count for count, _ in quantities(store)} == {0, 8}


def test_a_link_is_followed_to_the_store_and_its_log(store, tmp_path):
    link = tmp_path / "link.db"
    link.symlink_to(store)
    with writing(store, LIVES):
        assert {count for count, _ in quantities(link)} == {0, 7}


def test_a_folder_that_cannot_be_written_does_not_matter(store):
    """Not even for a user who could: no file is made, so none is missed."""
    wrote(store)
    store.parent.chmod(0o555)
    try:
        assert quantities(store)
    finally:
        store.parent.chmod(0o755)


# --- what is no store ---------------------------------------------------------------------------------


def page_damaged(path):
    wrote(path)
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("put", "reason"),
    [
        pytest.param(lambda path: None, errors.MISSING, id="nothing there"),
        pytest.param(lambda path: path.mkdir(), errors.UNREADABLE, id="a folder"),
        pytest.param(os.mkfifo, errors.UNREADABLE, id="a pipe that nobody writes into"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), errors.UNREADABLE, id="a device"),
        pytest.param(lambda path: path.symlink_to(path.name), errors.UNREADABLE, id="a link to itself"),
        pytest.param(lambda path: path.touch(), errors.EMPTY, id="an empty file"),
        pytest.param(lambda path: path.write_bytes(b"SQLite"), errors.CORRUPT, id="the beginning of one"),
        pytest.param(lambda path: path.write_text("{}" * 999), errors.CORRUPT, id="another kind of file"),
        pytest.param(lambda path: path.write_bytes(os.urandom(8192)), errors.CORRUPT, id="an encrypted one"),
        pytest.param(page_damaged, errors.CORRUPT, id="a damaged one"),
    ],
)
def test_what_is_no_store_is_named_and_never_made_one(put, reason, store):
    put(store)
    before = sorted(store.parent.iterdir())
    began = time.monotonic()
    assert fault(store).reason == reason
    assert (sorted(store.parent.iterdir()), time.monotonic() - began < PATIENCE_SEC) == (before, True)


@pytest.mark.parametrize("mode", ["wal", "delete"])
@pytest.mark.parametrize("beside", ["-wal", "-journal", "-shm"])
def test_a_pipe_in_place_of_what_lies_beside_it_is_not_waited_for(beside, mode, store):
    with closing(sqlite3.connect(store)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE t (x)")
        connection.commit()
    os.mkfifo(f"{store}{beside}")
    began = time.monotonic()
    assert fault(store).reason == errors.UNREADABLE
    assert time.monotonic() - began < PATIENCE_SEC


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("owner", [(1000, 0), (0, 1000), (0, 0)])
def test_as_root_the_owner_of_a_log_is_left_as_it_was(owner, store):
    with writing(store, LIVES):
        os.chown(store, *owner)
        before = [
            (path.name, path.stat().st_uid, path.stat().st_gid) for path in sorted(store.parent.iterdir())
        ]
        if owner == (0, 0):
            assert quantities(store)
        else:
            assert "would change the owner" in str(fault(store))
        after = [
            (path.name, path.stat().st_uid, path.stat().st_gid) for path in sorted(store.parent.iterdir())
        ]
    assert (after, len(after)) == (before, 3)


def test_a_socket_is_no_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s.db")
        assert fault("s.db").reason == errors.UNREADABLE


def test_a_path_that_nobody_may_read_is_named(store, monkeypatch):
    wrote(store)

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)  # root may read everything
    assert (fault(store).reason, str(fault(store))) == (
        errors.UNREADABLE,
        "it cannot be read: permission denied",
    )


# --- the fences ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trades SET status = 'CLOSED'",
        "INSERT INTO trades (id) VALUES (9999)",
        "DELETE FROM trades",
        "CREATE TABLE mine (a)",
        "CREATE TEMP TABLE mine (a)",
        "DROP TABLE trades",
        "ALTER TABLE trades ADD COLUMN mine",
        "ANALYZE",
        "VACUUM",
        "VACUUM INTO 'copy.db'",
        "ATTACH 'other.db' AS other",
        "DETACH main",
        "PRAGMA query_only = 0",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "PRAGMA user_version = 7",
        "COMMIT",
        "SAVEPOINT mine",
        "SELECT load_extension('x')",
    ],
)
def test_nothing_but_reading_is_allowed(statement, store, monkeypatch):
    monkeypatch.chdir(store.parent)
    wrote(store)
    before = lies(store)
    with pytest.raises(ExternalError), open_store(store.name, 5) as connection:
        connection.execute(statement)
    assert lies(store) == before


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_without_the_second_fence_the_first_one_still_holds(mode, store):
    wrote(store, mode=mode)
    before = lies(store)
    with open_store(str(store), 5) as connection:
        connection.set_authorizer(None)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("UPDATE trades SET contracts = 1")
        connection.execute("PRAGMA query_only = 0")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("UPDATE trades SET contracts = 1")
    assert lies(store) == before
