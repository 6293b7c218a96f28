"""Reads all configured sources in parallel: each with its clients, its credentials and its own deadline."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from detector.clients.fan_out import ParallelRun
from detector.collectors.collector import Answer, ConfiguredSource, SourceContext
from detector.formats.errors import TIMEOUT, UNREADABLE, ExternalError
from detector.formats.redaction import redact_text
from detector.formats.strict_json import to_one_line
from detector.formats.times import format_time
from detector.settings import (
    COLLECT_TIMEOUT_SEC,
    SOURCE_TIMEOUT_SEC,
    Settings,
    list_secrets,
)

_MAX_DETAIL = 300
# The sources that this process reads now. One that hangs for ever, as a file of a network share that is gone,
# would otherwise cost a long-lived process one more thread at every tick.
_READING: set[tuple[str, str]] = set()


class SourceResult(Struct, frozen=True):
    """The result of one source: its answer or a failure, and its entry in the section `sources`."""

    source: ConfiguredSource
    elapsed_ms: int
    answer: Answer | None = None
    reason: str | None = None
    detail: str | None = None

    @property
    def entry(self) -> dict[str, Any]:
        """The source's entry in the `sources` section."""
        entry: dict[str, Any] = {"state": "failed" if self.answer is None else "ok"}
        if self.answer is not None and self.answer.as_of is not None:
            entry["as_of"] = format_time(self.answer.as_of)
        if self.reason is not None:
            entry["reason"] = self.reason
        if self.detail is not None:
            entry["detail"] = self.detail
        return {**entry, "elapsed_ms": self.elapsed_ms}


def collect_in_parallel(
    sources: Sequence[ConfiguredSource], context: SourceContext
) -> Iterator[SourceResult]:
    """Yield the result of each source as it answers, then a failure for each that did not; raises nothing.

    Each is read with a copy of the context, whose clients and deadline are its own.
    """
    started, settings = time.monotonic(), context.settings
    seconds = min(settings[SOURCE_TIMEOUT_SEC], settings[COLLECT_TIMEOUT_SEC])
    by_name = {source.name: source for source in sources if _get_key(source) not in _READING}
    for source in sources:
        if source.name not in by_name:
            hanging = ExternalError(
                "its last reading has not come back, so that none is begun", reason=TIMEOUT
            )
            yield _build_failure(source, started, hanging, settings)
    tasks = {name: partial(_read_source, source, replace(context)) for name, source in by_name.items()}
    for name, result in ParallelRun(tasks, lambda: started + seconds - time.monotonic()):
        late = ExternalError(f"no answer within {seconds:g} s", reason=TIMEOUT)
        yield result or _build_failure(by_name[name], started, late, settings)


def _read_source(source: ConfiguredSource, context: SourceContext) -> SourceResult:
    started, settings = time.monotonic(), context.settings
    _READING.add(_get_key(source))
    try:
        answer = source.read(context)
        _check_numbers(answer.section)
        return SourceResult(source, _compute_elapsed_ms(started), answer, detail=answer.note)
    except ExternalError as error:
        return _build_failure(source, started, error, settings)
    except Exception as error:  # noqa: BLE001 - the only place where a broken collector becomes data
        failure = ExternalError(f"the collector itself failed ({type(error).__name__})", reason=UNREADABLE)
        return _build_failure(source, started, failure, settings)
    finally:
        _READING.discard(_get_key(source))


def _get_key(source: ConfiguredSource) -> tuple[str, str]:
    return source.name, source.location


def _check_numbers(section: Any) -> None:
    """Raise ExternalError where no document could carry the section: ib_async and botocore read NaN."""
    try:
        json.dumps(section, allow_nan=False)
    except ValueError:
        raise ExternalError("it holds a number that is not finite", reason=UNREADABLE) from None


def _build_failure(
    source: ConfiguredSource, started: float, error: ExternalError, settings: Settings
) -> SourceResult:
    message = to_one_line(redact_text(str(error), list_secrets(settings)))
    detail = message if len(message) <= _MAX_DETAIL else message[: _MAX_DETAIL - 1] + "…"
    return SourceResult(source, _compute_elapsed_ms(started), None, error.reason, detail)


def _compute_elapsed_ms(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
