"""Reads all configured sources in parallel: each with its clients, its credentials and its own deadline."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from detector.clients.fan_out import ParallelRun
from detector.collectors.collector import Answer, ConfiguredSource, SourceContext
from detector.formats.errors import TIMEOUT, UNREADABLE, ExternalError
from detector.formats.redaction import redact_text
from detector.formats.strict_json import to_one_line
from detector.formats.times import format_time
from detector.settings import (
    AWS_ACCOUNT,
    AWS_AMBIENT,
    AWS_PROFILE,
    AWS_REGION,
    BOT_STATUS_TOKEN,
    BOT_STATUS_URL,
    COLLECT_TIMEOUT_SEC,
    SOURCE_TIMEOUT_SEC,
    STATUS_TOKEN,
    STATUS_URL,
    STATUS_USER,
    Settings,
    encode_basic_auth,
    list_secrets,
)

if TYPE_CHECKING:
    from detector.clients.aws import Aws
    from detector.clients.connection import Connection, NetworkPolicy
    from detector.clients.http_client import Origin, Page
    from detector.clients.process import ProcessResult

_MAX_DETAIL = 300
# The sources that this process reads now. One that hangs for ever, as a file of a network share that is gone,
# would otherwise cost a long-lived process one more thread at every tick.
_READING: set[tuple[str, str]] = set()
_TOOL_FOLDERS = ("/usr/bin", "/bin", "/usr/sbin", "/sbin")


class SourceEnvironment(Struct, frozen=True):
    """The process's environment and clock.

    `logs_since` and `logs_missed` come from the previous artifact (see SourceContext).
    """

    environ: Mapping[str, str]
    clock: Callable[[], datetime]
    logs_since: datetime | None = None
    logs_missed: bool = False


def build_source_context(settings: Settings, environment: SourceEnvironment) -> SourceContext:
    """Return the context of one source; its deadline begins at its first request."""
    clients = _Clients(settings, environment)
    return SourceContext(
        settings,
        environment.clock,
        clients.get,
        clients.open_aws,
        clients.open_network,
        clients.open_connection,
        clients.run_tool,
        environment.environ,
        environment.logs_since,
        environment.logs_missed,
    )


class _Clients:
    """The clients of one source, created when they are used: a file source loads no library for them."""

    def __init__(self, settings: Settings, environment: SourceEnvironment) -> None:
        self._settings = settings
        self._environment = environment

    def open_network(self) -> NetworkPolicy:
        """Return how this source may connect; its deadline is the same for all its connections."""
        return self._network

    @cached_property
    def _network(self) -> NetworkPolicy:
        from detector.clients.connection import Deadline, build_network_policy

        seconds = min(self._settings[SOURCE_TIMEOUT_SEC], self._settings[COLLECT_TIMEOUT_SEC])
        return build_network_policy(self._settings, self._environment.environ, Deadline(seconds))

    def get(self, url: str, *args: Any, **kwargs: Any) -> Page:
        """Read one page."""
        from detector.clients.http_client import HttpClient

        client = HttpClient(self._network, self._environment.clock, _build_credentials(self._settings))
        return client.get(url, *args, **kwargs)

    def open_connection(self, host: str, port: int, seconds: float = math.inf) -> Connection:
        """Return a connection; its deadline is the source's, or `seconds` where that is sooner."""
        from detector.clients.connection import Deadline

        deadline = Deadline(min(seconds, self._network.deadline.get_remaining()))
        return replace(self._network, deadline=deadline).open_connection(host, port)

    def run_tool(self, *command: str) -> ProcessResult:
        """Run a tool of this machine; launchd and cron have a PATH without the folders of such tools."""
        from detector.clients.process import run_program

        folders = [self._environment.environ.get("PATH", ""), *_TOOL_FOLDERS]
        environ = {**self._environment.environ, "PATH": ":".join(filter(None, folders))}
        seconds = max(0.1, self._network.deadline.get_remaining())
        return run_program(command, Path("/"), environ, seconds, LC_ALL="C", LANG="C", TZ="UTC")

    def open_aws(self) -> Aws:
        """Return the AWS client of this source."""
        from detector.clients.aws import Aws, AwsIdentity

        settings = self._settings
        identity = AwsIdentity(
            profile=settings[AWS_PROFILE],
            ambient=settings[AWS_AMBIENT] == "1",
            region=settings[AWS_REGION],
            account=settings[AWS_ACCOUNT],
        )
        return Aws(self._network, identity)


def _build_credentials(settings: Settings) -> dict[Origin, str]:
    """Return the `Authorization` header of each origin that has one; it is sent to that origin only."""
    from detector.clients.http_client import parse_origin

    credentials: dict[Origin, str] = {}
    if settings[BOT_STATUS_URL] and settings[BOT_STATUS_TOKEN]:
        credentials[parse_origin(settings[BOT_STATUS_URL])] = f"Bearer {settings[BOT_STATUS_TOKEN]}"
    if settings[STATUS_URL] and settings[STATUS_TOKEN]:
        credentials[parse_origin(settings[STATUS_URL])] = f"Bearer {settings[STATUS_TOKEN]}"
    elif settings[STATUS_URL] and settings[STATUS_USER]:
        credentials[parse_origin(settings[STATUS_URL])] = f"Basic {encode_basic_auth(settings)}"
    return credentials


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
    sources: Sequence[ConfiguredSource], settings: Settings, environment: SourceEnvironment
) -> Iterator[SourceResult]:
    """Yield the result of each source as it answers, then a failure for each that did not; raises nothing."""
    started = time.monotonic()
    seconds = min(settings[SOURCE_TIMEOUT_SEC], settings[COLLECT_TIMEOUT_SEC])
    by_name = {source.name: source for source in sources if _get_key(source) not in _READING}
    for source in sources:
        if source.name not in by_name:
            hanging = ExternalError(
                "its last reading has not come back, so that none is begun", reason=TIMEOUT
            )
            yield _build_failure(source, started, hanging, settings)
    tasks = {name: partial(_read_source, source, settings, environment) for name, source in by_name.items()}
    for name, result in ParallelRun(tasks, lambda: started + seconds - time.monotonic()):
        late = ExternalError(f"no answer within {seconds:g} s", reason=TIMEOUT)
        yield result or _build_failure(by_name[name], started, late, settings)


def _read_source(
    source: ConfiguredSource, settings: Settings, environment: SourceEnvironment
) -> SourceResult:
    started = time.monotonic()
    _READING.add(_get_key(source))
    try:
        answer = source.read(build_source_context(settings, environment))
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
