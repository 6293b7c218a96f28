"""Runs the reads of all sources, or the deliveries of all channels, in parallel until one deadline.

Each task ends at its own deadline. A task that cannot, for example a name look-up that hangs, is abandoned:
its thread ends with the program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")
_GRACE_SEC = 0.25  # in which a task that reaches its own deadline can still return its error


def run_in_parallel(
    tasks: Mapping[str, Callable[[], T]], get_remaining: Callable[[], float]
) -> Iterator[tuple[str, T | None]]:
    """Start every task now; return the name and the result of each as it ends, then those that did not end.

    The result of a task that did not end is None. `get_remaining` returns the seconds until the deadline. A
    task must not raise.
    """
    results: SimpleQueue[tuple[str, T]] = SimpleQueue()

    def run(name: str, task: Callable[[], T]) -> None:
        results.put((name, task()))

    for name, task in tasks.items():
        Thread(target=run, args=(name, task), daemon=True).start()
    return _collect_results(results, dict.fromkeys(tasks), get_remaining)


def _collect_results(
    results: SimpleQueue[tuple[str, T]], waiting: dict[str, None], get_remaining: Callable[[], float]
) -> Iterator[tuple[str, T | None]]:
    while waiting:
        try:
            name, result = results.get(timeout=max(0.0, get_remaining() + _GRACE_SEC))
        except Empty:
            break
        del waiting[name]
        yield name, result
    yield from ((name, None) for name in waiting)
