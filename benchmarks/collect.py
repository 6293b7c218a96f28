"""The collection: slow sources side by side, as whole processes and as very many sources."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from detector.collectors.collector import Answer, ConfiguredSource, SourceContext
from detector.collectors.run_sources import collect_in_parallel
from detector.settings import STATUS_URL, resolve_settings

SLOW_SEC, ROUNDS = 1.0, 5
GOAL_SEC, GOAL_RATIO = 1.3, 1.1
FEW, MANY = 5, 20


class _Slow(BaseHTTPRequestHandler):
    """Answers every GET after a while, with facts or with a list as the path says."""

    def do_GET(self) -> None:
        """Answer."""
        time.sleep(SLOW_SEC)
        body = b"[]" if "containers" in self.path else b'{"pending_orders": 0, "positions": []}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 64


@contextmanager
def _slow_server() -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), _Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def run() -> None:
    """Print the whole process with five sources of 1 s, and what twenty take against five."""
    with _slow_server() as url:
        five = _process(
            {
                "AEGIS_PT_STATUS_URL": f"{url}/status",
                "AEGIS_PT_BOT_STATUS_URL": f"{url}/bot",
                "AEGIS_PT_STANDBY_DOCKER_URL": url,
                "AEGIS_PT_SECTIONS": f"broker={url}/broker,stores={url}/stores",
            }
        )
        none = _process({})
        few, many = _together(url, FEW), _together(url, MANY)
    print(
        f"collect, {FEW} sources of {SLOW_SEC:g} s: {five - none:.2f} s more than without any source "
        f"({five:.2f} s and {none:.2f} s as whole processes, median of {ROUNDS}; goal: at most {GOAL_SEC} s)"
    )
    print(
        f"{FEW} sources of {SLOW_SEC:g} s in {few:.3f} s, {MANY} in {many:.3f} s: ratio {many / few:.3f} "
        f"(goal: at most {GOAL_RATIO})"
    )


def _process(settings: Mapping[str, str]) -> float:
    words = [sys.executable, "-m", "detector", "collect", "--quiet"]
    environ = {"PATH": os.defpath, **settings}
    return _median(partial(subprocess.run, words, env=environ, stdout=subprocess.DEVNULL, check=True))


def _together(url: str, count: int) -> float:
    def read(ask: SourceContext) -> Answer:
        return Answer(ask.get_page(f"{url}/status").body.decode(), ask.clock())

    sources = [ConfiguredSource(f"source {number}", STATUS_URL, url, read) for number in range(count)]
    world = SourceContext(resolve_settings(), {}, lambda: datetime.now(UTC))

    def once() -> None:
        found = list(collect_in_parallel(sources, world))
        assert all(one.answer is not None for one in found)

    return _median(once)


def _median(once: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        once()
        times.append(time.perf_counter() - began)
    return statistics.median(times)
