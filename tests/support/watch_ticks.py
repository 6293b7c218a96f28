"""Run `watch` for so many ticks against a source that fails in turn, and print what it holds, as JSON.

A process of its own: inside of pytest, what the suite itself keeps would count as the program's. Held are the
interpreter's blocks of memory, which no other process changes. The clock jumps an hour both ways, then eight
hours pass in a sleep.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from detector.app.context import AppContext
from detector.app.watch_loop import WatchClocks
from detector.cli import run
from detector.commands import watch
from tests.support.snapshots import NOW

FIRST = 100
_JUMPS_HOURS = {110: 1, 130: -1, 150: 8}


class Sink:
    """A stream that takes everything and keeps nothing."""

    def write(self, data: Any) -> int:
        return len(data)

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return False


class Ticks:
    """The clocks of a run, moved by its waits, and what the process held at the first and the last tick."""

    def __init__(self, folder: Path, count: int) -> None:
        self.path, self.count = folder / "status.json", count
        self.wall_at, self.monotonic_at, self.ticks = NOW, 0.0, 0
        self.held: dict[int, tuple[int, int]] = {}

    def wait(self, seconds: float) -> None:
        self.monotonic_at += seconds
        self.wall_at += timedelta(seconds=seconds)

    def begin(self) -> None:
        """Move the clock where it jumps, and write the source: good, broken or odd every 25th time."""
        self.ticks += 1
        self.wall_at += timedelta(hours=_JUMPS_HOURS.get(self.ticks, 0))
        heartbeat = f"{self.wall_at - timedelta(seconds=5):%Y-%m-%dT%H:%M:%SZ}"
        contents = (
            f'{{"heartbeat_at": "{heartbeat}", "pending_orders": 0}}',
            "[broken",
            '{"heartbeat_at": 3}',
        )
        self.path.write_text(contents[self.ticks % 3 if self.ticks % 25 == 0 else 0])

    def end(self) -> None:
        """Note what the process holds."""
        if self.ticks in (FIRST, self.count):
            gc.collect()
            descriptors = Path("/proc/self/fd")
            count = len(list(descriptors.iterdir())) if descriptors.is_dir() else 0
            self.held[self.ticks] = sys.getallocatedblocks(), count


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ticks = Ticks(Path(folder), count)
        original = watch._Watch.run_tick

        def run_tick(self: Any) -> None:
            ticks.begin()
            original(self)
            ticks.end()

        watch._Watch.run_tick = run_tick  # type: ignore[method-assign]
        watch.WatchClocks = lambda wall: WatchClocks(wall, lambda: ticks.monotonic_at, ticks.wait)  # type: ignore[attr-defined, misc, assignment]
        environ = {"AEGIS_PT_SECTIONS": f"status_v3={ticks.path}", "AEGIS_PT_ARTIFACT": "ledger"}
        stream: Any = Sink()
        app = AppContext(environ, lambda: ticks.wall_at, sys.stdin.buffer, stream, stream)
        code = run(app, ["watch", "--state", f"{folder}/state", "--ticks", str(count)])
        print(json.dumps({"code": code, "ticks": ticks.ticks, "held": ticks.held}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
