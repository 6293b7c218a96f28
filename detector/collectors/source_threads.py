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

from detector.collectors.collector import Answer, ConfiguredSource
from detector.collectors.source_context import SourceEnvironment, build_source_context
from detector.formats.errors import TIMEOUT, UNREADABLE, ExternalError
from detector.formats.redaction import redact_text
from detector.formats.strict_json import to_one_line
from detector.formats.times import format_time
from detector.settings import COLLECT_TIMEOUT_SEC, SOURCE_TIMEOUT_SEC, Settings, list_secrets

_GRACE_SEC = 0.25  # for a source to say itself what it waited for
_MAX_DETAIL = 300


@dataclass(frozen=True, slots=True)
class SourceResult:
    """How one source answered: its section where it did, and its entry in `sources`."""

    source: ConfiguredSource
    elapsed_ms: int
    answer: Answer | None = None
    reason: str | None = None
    detail: str | None = None

    @property
    def entry(self) -> dict[str, Any]:
        """The source's entry in the `sources` section."""
        entry: dict[str, Any] = {"state": "failed" if self.answer is None else "ok"}
        if self.answer is not None:
            entry["as_of"] = format_time(self.answer.as_of)
        if self.reason is not None:
            entry["reason"] = self.reason
        if self.detail is not None:
            entry["detail"] = self.detail
        return {**entry, "elapsed_ms": self.elapsed_ms}


def collect_in_parallel(
    sources: Sequence[ConfiguredSource], settings: Settings, environment: SourceEnvironment
) -> Iterator[SourceResult]:
    """Yield every source as it answers, and those that did not at the end; nothing is raised."""
    started = time.monotonic()
    seconds = min(settings[SOURCE_TIMEOUT_SEC], settings[COLLECT_TIMEOUT_SEC])
    answers: SimpleQueue[SourceResult] = SimpleQueue()
    for source in sources:
        Thread(target=_run_source, args=(source, settings, environment, answers), daemon=True).start()
    waiting = {source.name: source for source in sources}
    while waiting:
        remaining = started + seconds + _GRACE_SEC - time.monotonic()
        try:
            result = answers.get(timeout=max(0.0, remaining))
        except Empty:
            break
        del waiting[result.source.name]
        yield result
    for source in waiting.values():
        yield _build_failure(
            source, started, ExternalError(f"no answer within {seconds:g} s", reason=TIMEOUT), settings
        )


def _run_source(
    source: ConfiguredSource,
    settings: Settings,
    environment: SourceEnvironment,
    answers: SimpleQueue[SourceResult],
) -> None:
    started = time.monotonic()
    try:
        answer = source.read(build_source_context(settings, environment))
        result = SourceResult(source, _compute_elapsed_ms(started), answer, detail=answer.note)
    except ExternalError as error:
        result = _build_failure(source, started, error, settings)
    except Exception as error:  # noqa: BLE001 - the one place where a broken collector becomes data
        failure = ExternalError(f"the collector itself failed ({type(error).__name__})", reason=UNREADABLE)
        result = _build_failure(source, started, failure, settings)
    answers.put(result)


def _build_failure(
    source: ConfiguredSource, started: float, error: ExternalError, settings: Settings
) -> SourceResult:
    message = to_one_line(redact_text(str(error), list_secrets(settings)))
    detail = message if len(message) <= _MAX_DETAIL else message[: _MAX_DETAIL - 1] + "…"
    return SourceResult(source, _compute_elapsed_ms(started), None, error.reason, detail)


def _compute_elapsed_ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
