"""All sources side by side, each in a thread of its own: the whole takes the slowest plus little.

A source ends at its deadline by itself. One that cannot, such as a name look-up that hangs, is left behind; its
thread ends with the program.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from detector.collectors._clients import World, asked
from detector.collectors._source import Answer, Source
from detector.formats.edge_error import TIMEOUT, UNREADABLE, EdgeError
from detector.formats.redaction import redacted_text
from detector.formats.strict_json import one_line
from detector.formats.times import text_of
from detector.settings import COLLECT_TIMEOUT_SEC, SOURCE_TIMEOUT_SEC, Settings, list_secrets

_GRACE_SEC = 0.25  # for a source to say itself what it waited for
_LONGEST_DETAIL = 300


@dataclass(frozen=True, slots=True)
class Collected:
    """How one source answered: its section where it did, and its entry in `sources`."""

    source: Source
    elapsed_ms: int
    answer: Answer | None = None
    reason: str | None = None
    detail: str | None = None

    @property
    def entry(self) -> dict[str, Any]:
        """The source's entry in the `sources` section."""
        entry: dict[str, Any] = {"state": "failed" if self.answer is None else "ok"}
        if self.answer is not None:
            entry["as_of"] = text_of(self.answer.as_of)
        if self.reason is not None:
            entry["reason"] = self.reason
        if self.detail is not None:
            entry["detail"] = self.detail
        return {**entry, "elapsed_ms": self.elapsed_ms}


def side_by_side(sources: Sequence[Source], settings: Settings, world: World) -> Iterator[Collected]:
    """Yield every source as it answers, and those that did not at the end; nothing is raised."""
    began = time.monotonic()
    seconds = min(settings[SOURCE_TIMEOUT_SEC], settings[COLLECT_TIMEOUT_SEC])
    answers: SimpleQueue[Collected] = SimpleQueue()
    for source in sources:
        Thread(target=_answer, args=(source, settings, world, answers), daemon=True).start()
    waiting = {source.name: source for source in sources}
    while waiting:
        left = began + seconds + _GRACE_SEC - time.monotonic()
        try:
            found = answers.get(timeout=max(0.0, left))
        except Empty:
            break
        del waiting[found.source.name]
        yield found
    for source in waiting.values():
        yield _failed(source, began, EdgeError(f"no answer within {seconds:g} s", reason=TIMEOUT), settings)


def _answer(source: Source, settings: Settings, world: World, answers: SimpleQueue[Collected]) -> None:
    began = time.monotonic()
    try:
        answer = source.read(asked(settings, world))
        found = Collected(source, _since(began), answer, detail=answer.note)
    except EdgeError as error:
        found = _failed(source, began, error, settings)
    except Exception as error:  # noqa: BLE001 - the one place where a broken collector becomes data
        broken = EdgeError(f"the collector itself failed ({type(error).__name__})", reason=UNREADABLE)
        found = _failed(source, began, broken, settings)
    answers.put(found)


def _failed(source: Source, began: float, error: EdgeError, settings: Settings) -> Collected:
    said = one_line(redacted_text(str(error), list_secrets(settings)))
    detail = said if len(said) <= _LONGEST_DETAIL else said[: _LONGEST_DETAIL - 1] + "…"
    return Collected(source, _since(began), None, error.reason, detail)


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
