"""A runtime's store as real processes of its own.

One that hammers it, one that holds it, one that is cut off.

A process of its own, because a lock of SQLite belongs to a process: nothing in the test's process would be
seen.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROWS = 200
_MAKE = f"""
import json, os, sqlite3, sys, time
path, mode, patience = sys.argv[1], sys.argv[2], float(sys.argv[3])
c = sqlite3.connect(path, timeout=patience, isolation_level=None)
assert c.execute("pragma journal_mode=" + mode).fetchone()[0] == mode
c.execute("pragma synchronous=off")
c.execute("create table if not exists position_state (trade_id integer primary key, symbol text, is_open integer,"
          " contracts_remaining integer)")
c.execute("create table if not exists trades (id integer primary key, symbol text, status text, contracts integer)")
if not c.execute("select count(*) from trades").fetchone()[0]:
    c.execute("begin")
    for i in range({ROWS}):
        c.execute("insert into position_state values (?,?,1,0)", (i, "SPY"))
        c.execute("insert into trades values (?,?,'OPEN',0)", (i, "SPY"))
    c.execute("commit")
def told(**what):
    print(json.dumps(what), flush=True)
"""
HAMMERS = """
told(ready=True)
done, locked, longest, turn = 0, 0, 0.0, 0
while not os.path.exists(path + ".stop"):
    turn += 1
    began = time.monotonic()
    try:
        c.execute("begin immediate")
        c.execute("update position_state set contracts_remaining = ?, is_open = ?", (turn, turn % 2))
        c.execute("update trades set contracts = ?, status = ?", (turn, "OPEN" if turn % 2 else "CLOSED"))
        c.execute("commit")
        done += 1
    except sqlite3.OperationalError:
        locked += 1
        if c.in_transaction:
            c.execute("rollback")
    longest = max(longest, time.monotonic() - began)
    if not turn % 50:
        c.execute("pragma wal_checkpoint")
    time.sleep(0.0005)
told(done=done, locked=locked, longest=longest)
"""
HOLDS = """
c.execute("begin exclusive")
c.execute("update trades set contracts = 7")
told(ready=True)
sys.stdin.read()
"""
LIVES = """
c.execute("update trades set contracts = 7")
told(ready=True)
sys.stdin.read()
"""
IS_CUT_OFF = """
c.execute("update trades set contracts = 7")
told(ready=True)
os._exit(9)
"""
IS_CUT_OFF_IN_A_WRITE = """
c.execute("pragma cache_size = 2")
c.execute("pragma cache_spill = 1")
c.execute("begin immediate")
c.execute("update trades set symbol = hex(randomblob(400))")
told(ready=True)
os._exit(9)
"""
ENDS = """
told(ready=True)
"""


def wrote(path: Path, script: str = ENDS, mode: str = "wal") -> None:
    """Let a process make or change the store and end, in whatever way the script ends."""
    done = subprocess.run(
        [*_words(script), str(path), mode, "5"], capture_output=True, text=True, check=False
    )
    assert '"ready"' in done.stdout, done.stderr


@contextmanager
def writing(path: Path, script: str, mode: str = "wal", patience: float = 5) -> Iterator[dict[str, float]]:
    """Let a process write while the block runs.

    Its last line is in what is yielded once the block has ended.
    """
    words = [*_words(script), str(path), mode, str(patience)]
    said: dict[str, float] = {}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"ready": True}
        try:
            yield said
        finally:
            path.with_name(path.name + ".stop").touch()
            last, _ = process.communicate(timeout=600)
            path.with_name(path.name + ".stop").unlink()
            said |= json.loads(last) if last else {}


def _words(script: str) -> list[str]:
    return [sys.executable, "-c", _MAKE + script]
