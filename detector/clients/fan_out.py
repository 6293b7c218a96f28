"""Runs the reads of all sources, or the deliveries of all channels, in parallel until one deadline.

Each task ends at its own deadline. A task that cannot, for example a name look-up that hangs, is abandoned:
its thread ends with the program. Where no thread can be started, tasks run one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")
_GRACE_SEC = 0.25  # in which a task that reaches its own deadline can still return its error


class ParallelRun(Generic[T]):
    """Every task, started now, until one deadline; `waiting` are the names of those that did not end yet.

    Iterating returns the name and the result of each as it ends, then those that did not end, with None.
    `get_remaining` returns the seconds until the deadline. A task must not raise.
    """

    def __init__(self, tasks: Mapping[str, Callable[[], T]], get_remaining: Callable[[], float]) -> None:
        self.waiting = dict.fromkeys(tasks)
        self._results: SimpleQueue[tuple[str, T]] = SimpleQueue()
        self._get_remaining = get_remaining
        for entry in [entry for entry in tasks.items() if not self._start(*entry)]:
            if get_remaining() > 0:
                self._run(*entry)

    def __iter__(self) -> Iterator[tuple[str, T | None]]:
        with suppress(Empty):
            while self.waiting:
                yield self._collect(max(0.0, self._get_remaining() + _GRACE_SEC))
        yield from ((name, None) for name in self.waiting)

    def collect_ended(self) -> Iterator[tuple[str, T]]:
        """Yield the name and the result of each task that has ended by now."""
        with suppress(Empty):
            while self.waiting:
                yield self._collect(0)

    def _start(self, name: str, task: Callable[[], T]) -> bool:
        """Start the task in a thread; return False where a limit of processes or memory allows none."""
        with suppress(RuntimeError):
            Thread(target=self._run, args=(name, task), daemon=True).start()
            return True
        return False

    def _run(self, name: str, task: Callable[[], T]) -> None:
        self._results.put((name, task()))

    def _collect(self, seconds: float) -> tuple[str, T]:
        name, result = self._results.get(timeout=seconds)
        del self.waiting[name]
        return name, result
