"""Every setting of the detector, once: name, default, unit, help; and how they are read and refused."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import unquote_plus, urlsplit

T = TypeVar("T")
PREFIX = "AEGIS_PT_"
_TYPO = 2  # letters in which a misspelt name differs from the real one
_LARGEST = 1_000_000_000
_SHORTEST_TIMEOUT, _LONGEST_TIMEOUT = 0.1, 600
_SECRET_LETTERS = 8  # a shorter value in an address is a word such as `json`
_SHOWN = 60  # letters of a value in a message; a longer one is not cut: half a secret looks like none
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_INTEGER = re.compile(r"[0-9]+", re.ASCII)
_QUOTED = re.compile(r"""(["'])((?:(?!\1).)*)\1(?:\s+#.*)?""")


class SettingsError(ValueError):
    """One or more settings cannot be used; `faults` holds one sentence each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, eq=False)
class Setting(Generic[T]):
    """One declared setting: `parse` turns its text into a value or raises ValueError with what is wrong.

    A `source` is switched on by it: without it nothing is collected.
    """

    name: str
    default: T
    unit: str
    help: str
    parse: Callable[[str], T]
    secret: bool = False
    source: bool = False

    def __repr__(self) -> str:
        return self.name


DECLARED: dict[str, Setting[Any]] = {}


def _declare(
    name: str, default: T, unit: str, help_: str, parse: Callable[[str], T], **more: bool
) -> Setting[T]:
    setting = Setting(PREFIX + name, default, unit, help_, parse, **more)
    DECLARED[setting.name] = setting
    return setting


def _between(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not _INTEGER.fullmatch(text):
            raise ValueError("is not a whole number")
        if len(text) > len(str(_LARGEST)) or not least <= int(text) <= most:
            raise ValueError(f"must be from {least} to {most}")
        return int(text)

    return parse


def _seconds(text: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        raise ValueError("is not a number of seconds (0 or more)")
    if float(text) > _LARGEST:
        raise ValueError(f"must be at most {_LARGEST}")
    value = float(text)
    return int(value) if value.is_integer() else value


def _text(text: str) -> str:
    if not text:
        raise ValueError("is empty")
    return text


def _optional(text: str) -> str:
    return text


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _url(*schemes: str) -> Callable[[str], str]:
    """Return the reader of an address with one of these schemes; one that holds a password is refused."""

    def parse(text: str) -> str:
        if not text:
            return text
        fault = _fault_of_url(text, schemes)
        if fault:
            raise ValueError(fault)
        return text

    return parse


def _fault_of_url(text: str, schemes: tuple[str, ...]) -> str | None:
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return "is not an address"
    if parts.scheme not in schemes:
        return f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}"
    if not text.isascii() or not text.isprintable() or " " in text:
        return "has a character that an address cannot have"
    if "@" in parts.netloc:
        return "holds a user or a password; they have settings of their own"
    if parts.scheme == "unix":
        return None if parts.path.startswith("/") and not parts.netloc else "names no absolute path"
    return None if named else "names no host"


def _token(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError("has a character that a header cannot carry")
    return text


def _sections(text: str) -> tuple[str, ...]:
    entries = _names(text)
    for entry in entries:
        name, equals, place = (part.strip() for part in entry.partition("="))
        if not equals or not name or not place:
            raise ValueError("is not a list of section=place")
        fault = _fault_of_url(place, ("http", "https")) if "://" in place else None
        if fault:
            raise ValueError(f"has a place for {name!r} that {fault}")
    return entries


def _aws_account(text: str) -> str:
    if text and not re.fullmatch(r"[0-9]{12}", text, re.ASCII):
        raise ValueError("is not 12 digits")
    return text


def _timeout(text: str) -> int | float:
    value = _seconds(text)
    if not _SHORTEST_TIMEOUT <= value <= _LONGEST_TIMEOUT:
        raise ValueError(f"must be from {_SHORTEST_TIMEOUT} to {_LONGEST_TIMEOUT}")
    return value


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return parse


def _count(name: str, default: int, help_: str, least: int = 1, most: int = _LARGEST) -> Setting[int]:
    return _declare(name, default, "count", help_, _between(least, most))


def _sec(name: str, default: int, help_: str) -> Setting[float]:
    return _declare(name, default, "seconds", help_, _seconds)


# The seven of the runbook: names and defaults to the letter.
HEARTBEAT_STALE_SEC = _sec(
    "HEARTBEAT_STALE_SEC", 300, "Critical heartbeat-stale threshold during market hours."
)
PENDING_ORDER_WARN = _count("PENDING_ORDER_WARN", 2, "Warn when pending orders reach this count.")
PENDING_ORDER_CRITICAL = _count("PENDING_ORDER_CRITICAL", 3, "Critical pending-order buildup threshold.")
MARKET_DATA_10197_WARN = _count(
    "MARKET_DATA_10197_WARN", 10, "Warn on sustained market-data 10197 after open grace."
)
HIGH_EXIT_ATTEMPT_WARN = _count(
    "HIGH_EXIT_ATTEMPT_WARN", 12, "Warn when an open position's exit attempts reach this count."
)
HIGH_EXIT_ATTEMPT_CRITICAL = _count(
    "HIGH_EXIT_ATTEMPT_CRITICAL", 20, "Critical high-exit-attempt threshold, before market-order escalation."
)
OPEN_GRACE_MINUTE = _declare(
    "OPEN_GRACE_MINUTE",
    35,
    "minutes after 09:00 ET",
    "The market is past open grace from this minute: 35 is 09:35 ET.",
    _between(30, 89),
)

# What is watched.
RUNTIME = _declare("RUNTIME", "aegis-pt-core", "name", "Name of the watched runtime, in signatures.", _text)
PROFILE = _declare("PROFILE", "aegis", "name or path", "Where each fact is found in the payloads.", _text)
ECS_SERVICE = _declare(
    "ECS_SERVICE", "aegis-pt-core", "name", "The ECS service that runs the runtime.", _text
)
EXPECTED_TASKS = _count("EXPECTED_TASKS", 1, "Tasks that should run: one primary.", least=0)
TRADER_CONTAINER = _declare(
    "TRADER_CONTAINER", "lt-ibkr-trader", "name", "The container that makes a task a runtime task.", _text
)
GATEWAY_CONTAINER = _declare(
    "GATEWAY_CONTAINER", "ibkr-gateway", "name", "The container of the IBKR gateway.", _text
)
STANDBY_PATTERN = _declare(
    "STANDBY_PATTERN", "aegis-lt-ibkr-*", "glob", "Standby containers that must stay exited.", _text
)
REQUIRED: Setting[tuple[str, ...]] = _declare(
    "REQUIRED", ("heartbeat_at",), "facts", "Facts that a collected status must carry, by comma.", _names
)
IBKR_REGION = _declare(
    "IBKR_REGION",
    "america",
    "region",
    "Home region of the account: america, europe or asia.",
    _one_of("america", "europe", "asia"),
)
MARKET_CLOSURES = _declare(
    "MARKET_CLOSURES", "", "path", "TOML file of market closures announced at short notice.", _optional
)

# Where it looks. A source is off until its own setting is set; a setting that vanishes retires nothing.
STATUS_URL = _declare(
    "STATUS_URL", "", "URL", "The dashboard's status payload.", _url("http", "https"), source=True
)
STATUS_TOKEN = _declare("STATUS_TOKEN", "", "token", "Bearer token for the dashboard.", _token, secret=True)
STATUS_USER = _declare("STATUS_USER", "", "name", "User for the dashboard's basic auth.", _optional)
STATUS_PASSWORD = _declare(
    "STATUS_PASSWORD", "", "password", "Password for the dashboard's basic auth.", _optional, secret=True
)
BOT_STATUS_URL = _declare(
    "BOT_STATUS_URL", "", "URL", "The bot's own status payload.", _url("http", "https"), source=True
)
BOT_STATUS_TOKEN = _declare(
    "BOT_STATUS_TOKEN",
    "",
    "token",
    "Bearer token for the bot's status, where its host is not the dashboard's.",
    _token,
    secret=True,
)
STATUS_AS_OF: Setting[tuple[str, ...]] = _declare(
    "STATUS_AS_OF",
    ("as_of", "generated_at", "ts", "timestamp"),
    "keys",
    "Keys at the top of a status payload that say when it was made, by comma; the first that is there counts.",
    _names,
)
ECS_CLUSTER = _declare("ECS_CLUSTER", "", "name", "The ECS cluster of the runtime.", _optional, source=True)
LOG_GROUP = _declare(
    "LOG_GROUP", "", "name", "The CloudWatch log group of the runtime.", _optional, source=True
)
AWS_REGION = _declare("AWS_REGION", "", "name", "Region of the cluster and the log group.", _optional)
AWS_PROFILE = _declare(
    "AWS_PROFILE", "", "name", "Profile of the AWS configuration that is read with.", _optional
)
AWS_AMBIENT = _declare(
    "AWS_AMBIENT",
    "0",
    "0 or 1",
    "1 takes the credentials of the environment, such as those of a workflow's OIDC.",
    _one_of("0", "1"),
)
AWS_ACCOUNT = _declare(
    "AWS_ACCOUNT",
    "",
    "12 digits",
    "The AWS account; with the credentials of another one nothing is read.",
    _aws_account,
    secret=True,
)
STANDBY_DOCKER_URL = _declare(
    "STANDBY_DOCKER_URL",
    "",
    "URL",
    "The standby host's Docker Engine API: tcp://, http://, https:// or unix:///path.",
    _url("tcp", "http", "https", "unix"),
    source=True,
)
SECTIONS_FROM: Setting[tuple[str, ...]] = _declare(
    "SECTIONS",
    (),
    "section=place",
    "Sections that are read from a file or a URL, by comma.",
    _sections,
    source=True,
)
SOURCES_OFF: Setting[tuple[str, ...]] = _declare(
    "SOURCES_OFF",
    (),
    "sections",
    "Sections that are switched off for good, by comma: what was raised from them alone is retired.",
    _names,
    source=True,
)
SOURCE_TIMEOUT_SEC: Setting[float] = _declare(
    "SOURCE_TIMEOUT_SEC", 10, "seconds", "A source must have answered in whole by then.", _timeout
)
COLLECT_TIMEOUT_SEC: Setting[float] = _declare(
    "COLLECT_TIMEOUT_SEC", 60, "seconds", "All sources together must have answered by then.", _timeout
)
CA_FILE = _declare(
    "CA_FILE", "", "path", "PEM file of further authorities that certificates may come from.", _optional
)

# Limits of the rules.
DEPLOY_GRACE_SEC = _sec("DEPLOY_GRACE_SEC", 600, "A replacement of the task is under way for this long.")
START_GRACE_SEC = _sec("START_GRACE_SEC", 240, "A task's containers may take this long to become healthy.")
RESTART_WINDOW_SEC = _sec("RESTART_WINDOW_SEC", 3600, "Window in which restarts are counted.")
RESTART_CRITICAL = _count("RESTART_CRITICAL", 3, "Stops or starts within the window that make a loop.")
CLOCK_SKEW_SEC = _sec("CLOCK_SKEW_SEC", 120, "A time further in the future than this is not believed.")
PENDING_ORDER_STALE_SEC = _sec("PENDING_ORDER_STALE_SEC", 300, "A working order older than this is stale.")
PENDING_EXIT_PERSIST_SEC = _sec(
    "PENDING_EXIT_PERSIST_SEC", 480, "Pending exits become critical once they lasted this long."
)
MARKET_DATA_DEGRADED_SEC = _sec(
    "MARKET_DATA_DEGRADED_SEC", 900, "A market-data status other than ok is listed once it lasted this long."
)
RECONCILE_PROOF_SEC = _sec(
    "RECONCILE_PROOF_SEC",
    1800,
    "A start, a reconnect or a close must be followed by a proof of reconciliation within this.",
)
SEVERE_LOG_CRITICAL = _count(
    "SEVERE_LOG_CRITICAL", 5, "FATAL, CRITICAL or SEVERE log lines within 600 s that make a burst."
)
SOURCE_STALE_SEC = _sec("SOURCE_STALE_SEC", 300, "A section whose as_of is older than this is not seen.")
ESCALATE_AFTER_SEC = _sec(
    "ESCALATE_AFTER_SEC", 480, "A condition that does not clear by itself escalates once it lasted this long."
)

# The memory.
GAP_SEC = _sec("GAP_SEC", 1500, "A longer time between two runs is a gap: nobody looked.")
REOPEN_WITHIN_SEC = _sec(
    "REOPEN_WITHIN_SEC", 7200, "A condition that returns within this time continues its episode."
)
ESCALATION_REMIND_SEC = _sec(
    "ESCALATION_REMIND_SEC", 3600, "First reminder of what escalates; doubles up to a day; 0 is off."
)
REMIND_AFTER_SEC = _sec("REMIND_AFTER_SEC", 0, "First reminder of everything else; 0 is off.")
MUTES = _declare("MUTES", "", "path", "TOML file of mutes, each with an end and a reason.", _optional)
ARTIFACT = _declare(
    "ARTIFACT",
    "full",
    "full or ledger",
    "What an artifact holds: ledger leaves the redacted snapshot out (for public repositories).",
    _one_of("full", "ledger"),
)

# Presentation.
ENV_FILE = _declare("ENV_FILE", "", "path", "A file of settings; the environment wins over it.", _optional)
DISPLAY_ZONES: Setting[tuple[str, ...]] = _declare(
    "DISPLAY_ZONES",
    ("UTC", "America/New_York", "Asia/Tokyo"),
    "zones",
    "Zones in which times are shown to people.",
    _names,
)

_ORDERED = (
    (PENDING_ORDER_WARN, PENDING_ORDER_CRITICAL),
    (HIGH_EXIT_ATTEMPT_WARN, HIGH_EXIT_ATTEMPT_CRITICAL),
)


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """The settings in force: a value per declared setting, and where each came from.

    `files` holds the parsed content of the files that settings name, by setting; the door reads them.
    """

    values: Mapping[str, Any]
    origins: Mapping[str, str]
    files: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, setting: Setting[T]) -> T:
        value: T = self.values[setting.name]
        return value


def any_source(settings: Settings) -> bool:
    """Return whether a setting that switches a source on, or off for good, is set."""
    return any(settings[setting] for setting in DECLARED.values() if setting.source)


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Return what no output may show: the values of secret settings, and those in the query of an address."""
    found = [str(settings[setting]) for setting in DECLARED.values() if setting.secret]
    texts = [value for value in settings.values.values() if isinstance(value, str)]
    for text in (*texts, *settings[SECTIONS_FROM]):
        for pair in text.partition("?")[2].partition("#")[0].split("&"):
            value = pair.partition("=")[2]
            found += [one for one in (value, unquote_plus(value)) if len(one) >= _SECRET_LETTERS]
    if settings[STATUS_PASSWORD]:
        found.append(basic_auth(settings))
    return tuple(dict.fromkeys(text for text in found if text))


def basic_auth(settings: Settings) -> str:
    """Return user and password of the dashboard as they travel (RFC 7617)."""
    return b64encode(f"{settings[STATUS_USER]}:{settings[STATUS_PASSWORD]}".encode()).decode()


def resolve(*layers: tuple[str, Mapping[str, str]]) -> Settings:
    """Read the settings out of `layers` of (origin, names and texts), the later one winning.

    Raises SettingsError with every fault at once: a value that cannot be used, a warning limit above
    its critical one, a name one or two letters away from a real one. Other `AEGIS_PT_*` names belong
    to the bot and are left alone.
    """
    faults: list[str] = []
    unusable: set[str] = set()
    values: dict[str, Any] = {name: setting.default for name, setting in DECLARED.items()}
    origins = dict.fromkeys(DECLARED, "default")
    for origin, texts in layers:
        faults += _misspelt(origin, texts)
        for name in DECLARED.keys() & texts.keys():
            origins[name] = origin
            try:
                values[name] = DECLARED[name].parse(texts[name].strip())
            except ValueError as error:
                unusable.add(name)
                faults.append(f"{name} ({origin}): {_shown(DECLARED[name], texts[name])} {error}")
    faults += _out_of_order(values, unusable)
    if faults:
        raise SettingsError(sorted(faults))
    return Settings(values, origins)


def parse_env_file(text: str, origin: str) -> dict[str, str]:
    """Read `NAME=value` lines: comments, blank lines, `export` and quotes as a shell knows them.

    Raises SettingsError that names every line that cannot be read.
    """
    found: dict[str, str] = {}
    faults: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip().removeprefix("export ").strip()
        if not bare or bare.startswith("#"):
            continue
        name, equals, value = bare.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name.strip()):
            faults.append(f"{origin} line {number}: expected NAME=value")
        elif name.strip() in found:
            faults.append(f"{origin} line {number}: {name.strip()} is set twice")
        else:
            found[name.strip()] = _unquoted(value)
    if faults:
        raise SettingsError(faults)
    return found


def _unquoted(value: str) -> str:
    quoted = _QUOTED.fullmatch(value.strip())
    return quoted[2] if quoted else re.sub(r"\s+#.*$", "", value).strip()


def _shown(setting: Setting[Any], text: str) -> str:
    if setting.secret:
        return "the value"
    return repr(text) if len(text) <= _SHOWN else f"a text of {len(text)} letters"


def _out_of_order(values: Mapping[str, Any], unusable: set[str]) -> Iterator[str]:
    for warn, critical in _ORDERED:
        if unusable.isdisjoint((warn.name, critical.name)) and values[warn.name] > values[critical.name]:
            yield f"{warn.name} ({values[warn.name]}) is above {critical.name} ({values[critical.name]})"


def _misspelt(origin: str, texts: Mapping[str, str]) -> Iterator[str]:
    for name in texts:
        if name not in DECLARED:
            near = next((known for known in DECLARED if edits(name, known, _TYPO) <= _TYPO), None)
            if near:
                yield f"{name} ({origin}): unknown setting; did you mean {near}?"


def edits(one: str, other: str, most: int) -> int:
    """Return the Levenshtein distance of two names, or `most + 1` as soon as it must be larger."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    row = list(range(len(other) + 1))
    for index, letter in enumerate(one, 1):
        above, row = row, [index]
        for column, wanted in enumerate(other, 1):
            row.append(min(above[column] + 1, row[-1] + 1, above[column - 1] + (letter != wanted)))
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)
