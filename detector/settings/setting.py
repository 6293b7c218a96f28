"""What a setting is, how its text is parsed, and the list of all declared settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from msgspec import Struct

from detector.formats.patterns import build_pattern

T = TypeVar("T")
LARGEST = 1_000_000_000
SESSION, HOUR, DAY = 23_400, 3_600, 86_400  # seconds; the first is the regular session
_SHORTEST_TIMEOUT, _LONGEST_TIMEOUT = 0.1, 600
_NUMBER = build_pattern(r"[0-9]+(\.[0-9]+)?", re.ASCII)
# Of RFC 5321's addresses the ones that people have: dot-atom at a host name.
_ADDRESS = build_pattern(
    r"[\w!#$%&'*+/=?^`{|}~.-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}", re.ASCII
)
_INTEGER = build_pattern(r"[0-9]+", re.ASCII)


def build_int_parser(minimum: int, maximum: int) -> Callable[[str], int]:
    """Return the parser of a whole number from `minimum` to `maximum`."""

    def parse(text: str) -> int:
        if not _INTEGER.fullmatch(text):
            raise ValueError("is not a whole number")
        if len(text) > len(str(LARGEST)) or not minimum <= int(text) <= maximum:
            raise ValueError(f"must be from {minimum} to {maximum}")
        return int(text)

    return parse


def parse_seconds(text: str) -> int | float:
    """Read a number of seconds, 0 or more; raises ValueError."""
    if not _NUMBER.fullmatch(text):
        raise ValueError("is not a number of seconds (0 or more)")
    if float(text) > LARGEST:
        raise ValueError(f"must be at most {LARGEST}")
    value = float(text)
    return int(value) if value.is_integer() else value


def parse_name(text: str) -> str:
    """Read a text that is not empty; raises ValueError."""
    if not text:
        raise ValueError("is empty")
    return text


def parse_aws_name(text: str) -> str:
    """Read a name, or an ARN that ends in it; empty is off; raises ValueError."""
    return parse_name(text.rpartition("/")[2]) if text.startswith("arn:") else text


def parse_names(text: str) -> tuple[str, ...]:
    """Read names, by comma."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def parse_client_ids(text: str) -> tuple[str, ...]:
    """Read API client ids, by comma: whole numbers of 0 or more; raises ValueError."""
    names = parse_names(text)
    faulty = next((name for name in names if not (name.isascii() and name.isdigit())), None)
    if faulty is not None:
        raise ValueError(f"{faulty!r} is no client id, a whole number of 0 or more")
    return tuple(str(int(name)) for name in names)


def parse_share(text: str) -> float:
    """Read a share: a number from 0 to 1; raises ValueError."""
    if not _NUMBER.fullmatch(text) or float(text) > 1:
        raise ValueError("is not a share from 0 to 1")
    return float(text)


_FOREIGN_POSITION = build_pattern(r"(?:[A-Za-z0-9-]+:)?\d+=-?\d+(?:\.\d+)?", re.ASCII)


def parse_foreign_positions(text: str) -> str:
    """Check a list of `account:con_id=quantity`, by comma; the account may be left out; raises ValueError."""
    for entry in parse_names(text):
        if not _FOREIGN_POSITION.fullmatch(entry):
            raise ValueError("is not a list of ACCOUNT:CON_ID=QUANTITY, by comma")
    return text


def build_url_parser(*schemes: str) -> Callable[[str], str]:
    """Return the parser of an address with one of these schemes; an address with a password is refused."""

    def parse(text: str) -> str:
        if not text:
            return text
        fault = find_url_fault(text, schemes)
        if fault:
            raise ValueError(fault)
        return text

    return parse


LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1", "::1")


def find_url_fault(text: str, schemes: tuple[str, ...]) -> str | None:
    """Return what is wrong with an address, or None."""
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and parts.port != 0
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
    return None if has_host else "names no host"


def build_pattern_parser(pattern: str, fault: str) -> Callable[[str], str]:
    """Return the parser of a text that matches the whole pattern; empty is off."""

    def parse(text: str) -> str:
        if text and not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(fault)
        return text

    return parse


parse_token = build_pattern_parser("[ -~]*", "has a character that a header cannot carry")
"""Reads a secret that travels in a header."""


def build_addresses_parser(maximum: int) -> Callable[[str], tuple[str, ...]]:
    """Return the parser of up to `maximum` e-mail addresses, by comma; its errors repeat no value."""

    def parse(text: str) -> tuple[str, ...]:
        entries = parse_names(text)
        for number, entry in enumerate(entries, 1):
            if not _ADDRESS.fullmatch(entry):
                raise ValueError(
                    f"is no plain e-mail address at place {number} (a name, @ and a domain, all ASCII)"
                )
        if len(entries) > maximum:
            raise ValueError(f"names more than {maximum}; use the address of a list")
        if len({address.lower() for address in entries}) < len(entries):
            raise ValueError("names an address twice")
        return entries

    return parse


def parse_sections(text: str) -> tuple[str, ...]:
    """Read entries of section=place, by comma; raises ValueError."""
    entries = parse_names(text)
    for entry in entries:
        name, equals, location = (part.strip() for part in entry.partition("="))
        if not equals or not name or not location:
            raise ValueError("is not a list of section=place")
        fault = find_url_fault(location, ("http", "https")) if "://" in location else None
        if fault:
            raise ValueError(f"has a place for {name!r} that {fault}")
    return entries


SUPERVISORS = ("systemd", "launchd", "pidfile", "command")
_HIGHEST_PORT, _LONGEST_PORT = 65_535, 6
_MOST_RESTARTS = 4
_RESTART = build_pattern(r"([01][0-9]|2[0-3]):[0-5][0-9] [A-Za-z0-9_+/-]+", re.ASCII)


def parse_port(text: str) -> str:
    """Read a TCP port; empty is off; raises ValueError."""
    if text and not (
        _INTEGER.fullmatch(text) and len(text) < _LONGEST_PORT and 0 < int(text) <= _HIGHEST_PORT
    ):
        raise ValueError(f"must be a port from 1 to {_HIGHEST_PORT}")
    return text


def parse_processes(text: str) -> tuple[str, ...]:
    """Read entries of name=supervisor:id, by comma; raises ValueError."""
    entries = parse_names(text)
    for entry in entries:
        name, _, place = (part.strip() for part in entry.partition("="))
        supervisor, _, identifier = place.partition(":")
        if not name or not identifier.strip() or identifier.lstrip().startswith("-"):
            raise ValueError("is not a list of name=supervisor:id")
        if supervisor not in SUPERVISORS:
            raise ValueError(f"has a supervisor for {name!r} that is none of {', '.join(SUPERVISORS)}")
    if len({entry.partition("=")[0].strip() for entry in entries}) < len(entries):
        raise ValueError("names a process twice")
    return entries


def parse_restarts(text: str) -> tuple[str, ...]:
    """Read entries such as 23:45 America/New_York (a local time, its zone), by comma; raises ValueError."""
    entries = tuple(" ".join(entry.split()) for entry in parse_names(text))
    for entry in entries:
        if not _RESTART.fullmatch(entry):
            raise ValueError("is not a list of local times with their zone, such as 23:45 America/New_York")
        parse_zone(entry.partition(" ")[2])
    if len(entries) > _MOST_RESTARTS:  # each is quiet for 300 s: a day of them would hide any outage
        raise ValueError(f"names more than {_MOST_RESTARTS} restarts a day")
    return entries


def parse_zone(text: str) -> str:
    """Read the IANA name of a time zone, such as America/New_York; empty is none. Raises ValueError."""
    try:
        if text:
            ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"names {text!r}, which is not a known time zone") from None
    return text


parse_ups = build_pattern_parser(
    r"pmset|[A-Za-z0-9._-]+@([A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?",
    "is neither ups@host:port nor pmset",
)
"""Reads ups@host or ups@host:port as NUT writes it, or `pmset`."""
parse_aws_account = build_pattern_parser(r"[0-9]{12}", "is not 12 digits")
parse_digits = build_pattern_parser(r"[0-9]+", "is not digits")
"""Reads a number that is a name, such as a query's."""


def parse_address(text: str) -> str:
    """Read host:port, an IPv6 address in brackets; empty is off; raises ValueError."""
    if text:
        fault = find_url_fault(f"tcp://{text}", ("tcp",))
        if fault or "/" in text or urlsplit(f"tcp://{text}").port is None:
            raise ValueError("is not host:port")
    return text


def parse_timeout(text: str) -> int | float:
    """Read a number of seconds that something may take; raises ValueError."""
    value = parse_seconds(text)
    if not _SHORTEST_TIMEOUT <= value <= _LONGEST_TIMEOUT:
        raise ValueError(f"must be from {_SHORTEST_TIMEOUT} to {_LONGEST_TIMEOUT}")
    return value


def build_choice_parser(*choices: str) -> Callable[[str], str]:
    """Return the parser of one of these choices."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return parse


PREFIX = "AEGIS_PT_"


class Setting(Struct, Generic[T], frozen=True, eq=False):
    """One declared setting: `parse` turns its text into a value or raises ValueError with what is wrong.

    A setting with `source` switches a source on. Outside `sensible` a limit reports nothing any more, or
    never stops: such a value is accepted, with a warning.
    """

    name: str
    default: T
    unit: str
    help: str
    parse: Callable[[str], T]
    secret: bool = False
    source: bool = False
    sensible: tuple[float, float] | None = None

    def __repr__(self) -> str:
        return self.name


DECLARED: dict[str, Setting[Any]] = {}


def add_setting(
    name: str, default: T, unit: str, help_: str, parse: Callable[[str], T], **flags: Any
) -> Setting[T]:
    """Declare one setting; `flags` are `secret`, `source` and `sensible`."""
    setting = Setting(PREFIX + name, default, unit, help_, parse, **flags)
    DECLARED[setting.name] = setting
    return setting


def add_text(
    name: str,
    unit: str,
    help_: str,
    parse: Callable[[str], str] = str,
    default: str = "",
    **flags: Any,
) -> Setting[str]:
    """Declare a setting that is a text; without a default it is empty, which is off."""
    return add_setting(name, default, unit, help_, parse, **flags)


def add_token(name: str, help_: str, **flags: Any) -> Setting[str]:
    """Declare a secret that travels in a header."""
    return add_setting(name, "", "token", help_, parse_token, secret=True, **flags)


def add_url(
    name: str, help_: str, default: str = "", schemes: tuple[str, ...] = ("https", "http"), **flags: Any
) -> Setting[str]:
    """Declare a setting that is an address with one of these schemes."""
    return add_setting(name, default, "URL", help_, build_url_parser(*schemes), **flags)


def add_switch(name: str, help_: str) -> Setting[str]:
    """Declare a setting that 1 switches on."""
    return add_setting(name, "0", "0 or 1", help_, build_choice_parser("0", "1"))


def add_names(
    name: str,
    unit: str,
    help_: str,
    parse: Callable[[str], tuple[str, ...]] = parse_names,
    default: tuple[str, ...] = (),
    **flags: Any,
) -> Setting[tuple[str, ...]]:
    """Declare a setting that is a list by comma."""
    return add_setting(name, default, unit, help_, parse, **flags)


def add_count(name: str, default: int, help_: str, minimum: int = 1, most: int = 1_000) -> Setting[int]:
    """Declare a setting that is a count; sensible are up to `most`."""
    parse = build_int_parser(minimum, LARGEST)
    return add_setting(name, default, "count", help_, parse, sensible=(minimum, most))


def add_seconds(
    name: str, default: int, help_: str, least: float = 0, most: float = SESSION
) -> Setting[float]:
    """Declare a setting that is a time in seconds; sensible are `least` to `most`, a session by default."""
    return add_setting(name, default, "seconds", help_, parse_seconds, sensible=(least, most))
