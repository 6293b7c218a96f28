"""The settings in force: declared defaults, the layers' values, and their faults."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import unquote_plus

from msgspec import Struct, field

from detector.formats.errors import InputError
from detector.formats.patterns import build_pattern
from detector.formats.similar_names import measure_edit_distance
from detector.settings.delivery_settings import ACK_FROM, PAGERDUTY_TOKEN, SLACK_TOKEN, TELEGRAM_TOKEN
from detector.settings.limit_settings import CUSHION_CRITICAL, CUSHION_WARN
from detector.settings.runtime_settings import (
    BOT_STATUS_TOKEN,
    BOT_STATUS_URL,
    FLEX_QUERY,
    FLEX_TOKEN,
    GATEWAY_HANDSHAKE,
    GATEWAY_PORT,
    HIGH_EXIT_ATTEMPT_CRITICAL,
    HIGH_EXIT_ATTEMPT_WARN,
    PENDING_ORDER_CRITICAL,
    PENDING_ORDER_WARN,
    SECTIONS_FROM,
    STATUS_PASSWORD,
    STATUS_TOKEN,
    STATUS_URL,
    STATUS_USER,
)
from detector.settings.setting import DECLARED, PREFIX, Setting

T = TypeVar("T")
_TYPO = 2  # letters in which a misspelt name differs from the real one
_SECRET_LETTERS = 8  # a shorter value in an address is a word such as `json`
_MAX_TEXT = 60  # letters of a value in a message; a longer one is not cut: half a secret looks like none
_QUOTED = build_pattern(r"""(["'])((?:(?!\1).)*)\1(?:\s+#.*)?""")

_ORDERED_LIMITS = (
    (PENDING_ORDER_WARN, PENDING_ORDER_CRITICAL),
    (HIGH_EXIT_ATTEMPT_WARN, HIGH_EXIT_ATTEMPT_CRITICAL),
    (CUSHION_CRITICAL, CUSHION_WARN),
)
# What a setting does nothing without, and of AEGIS_PT_ACK_FROM the token with which each kind is asked.
_NEEDED: tuple[tuple[Setting[str], Setting[str]], ...] = (
    (STATUS_TOKEN, STATUS_URL),
    (STATUS_USER, STATUS_URL),
    (STATUS_PASSWORD, STATUS_USER),
    (BOT_STATUS_TOKEN, BOT_STATUS_URL),
    (GATEWAY_HANDSHAKE, GATEWAY_PORT),
    (FLEX_QUERY, FLEX_TOKEN),
)
_ACK_TOKENS = {"slack": SLACK_TOKEN, "telegram": TELEGRAM_TOKEN, "pagerduty": PAGERDUTY_TOKEN}


class Settings(Struct, frozen=True, eq=False):
    """The settings in force: a value per declared setting, and where each came from.

    `files` holds the parsed content of the files that settings name, by setting; the app reads them. `doubts`
    are warnings: names of the environment that resemble a setting's and are none, limits without use.
    """

    values: Mapping[str, Any]
    origins: Mapping[str, str]
    files: Mapping[str, Any] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    def __getitem__(self, setting: Setting[T]) -> T:
        value: T = self.values.get(setting.name, setting.default)
        return value


def has_any_source(settings: Settings) -> bool:
    """Return whether a setting that switches a source on, or off for good, is set."""
    return any(settings[setting] for setting in DECLARED.values() if setting.source)


@lru_cache(maxsize=16)  # the settings of a process hardly change, and a replay asks at every snapshot
def list_secrets(settings: Settings) -> tuple[str, ...]:
    """Return the texts that no output may show: values of secret settings and in queries of addresses."""
    secrets = [
        text
        for setting in DECLARED.values()
        if setting.secret
        for text in _iter_secret_texts(settings[setting])
    ]
    texts = [value for value in settings.values.values() if isinstance(value, str)]
    for text in (*texts, *settings[SECTIONS_FROM]):
        for pair in text.partition("?")[2].partition("#")[0].split("&"):
            value = pair.partition("=")[2]
            secrets += [form for form in (value, unquote_plus(value)) if len(form) >= _SECRET_LETTERS]
    if settings[STATUS_PASSWORD]:
        secrets.append(encode_basic_auth(settings))
    return tuple(dict.fromkeys(text for text in secrets if text))


def _iter_secret_texts(value: Any) -> Iterator[str]:
    """Yield the texts of a secret value; of an address its path too, which is a webhook's secret."""
    for text in value if isinstance(value, tuple) else (str(value),):
        yield text
        path = text.partition("://")[2].partition("/")[2].strip("/")
        if len(path) >= _SECRET_LETTERS:
            yield path


def encode_basic_auth(settings: Settings) -> str:
    """Return user and password of the dashboard as they travel (RFC 7617)."""
    from base64 import b64encode  # noqa: PLC0415 - few runs need it

    return b64encode(f"{settings[STATUS_USER]}:{settings[STATUS_PASSWORD]}".encode()).decode()


def resolve_settings(*layers: tuple[str, Mapping[str, str]]) -> Settings:
    """Read the settings out of `layers` of (origin, names and texts), the later one winning.

    Raises InputError with every fault at once: a value that cannot be used, a warning limit above
    its critical one, a name one or two letters away from a real one. Other `AEGIS_PT_*` names belong
    to the bot and are left alone.
    """
    misspelt = [fault for origin, texts in layers for fault in _find_misspelt(origin, texts)]
    values, origins, faults = _read_layers(DECLARED, layers)
    unordered = _find_unordered(values, {name for name, _ in faults})
    _raise_faults([*misspelt, *(text for _, text in faults), *unordered])
    return Settings(values, origins)


def add_settings(
    settings: Settings, added: Iterable[Setting[Any]], *layers: tuple[str, Mapping[str, str]]
) -> Settings:
    """Return the settings with those that a profile declares; raises InputError with every fault."""
    values, origins, faults = _read_layers({setting.name: setting for setting in added}, layers)
    _raise_faults([text for _, text in faults])
    return Settings({**settings.values, **values}, {**settings.origins, **origins}, settings.files)


def _read_layers(
    declared: Mapping[str, Setting[Any]], layers: Iterable[tuple[str, Mapping[str, str]]]
) -> tuple[dict[str, Any], dict[str, str], list[tuple[str, str]]]:
    """Return the value and the origin of each setting, and the names and faults of unusable values."""
    values = {name: setting.default for name, setting in declared.items()}
    origins = dict.fromkeys(declared, "default")
    faults = []
    for origin, texts in layers:
        for name in declared.keys() & texts.keys():
            origins[name] = origin
            try:
                values[name] = declared[name].parse(texts[name].strip())
            except ValueError as error:
                value = _describe_value(declared[name], texts[name])
                faults.append((name, f"{name} ({origin}): {value} {error}"))
    return values, origins, faults


def _raise_faults(faults: Iterable[str]) -> None:
    if lines := sorted(faults):
        raise InputError(*lines)


def parse_env_file(text: str, origin: str) -> dict[str, str]:
    """Read `NAME=value` lines: comments, blank lines, `export` and quotes as a shell knows them.

    Raises InputError that names every line that cannot be read.
    """
    values: dict[str, str] = {}
    faults: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip().removeprefix("export ").strip()
        if not bare or bare.startswith("#"):
            continue
        name, equals, value = bare.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name.strip()):
            faults.append(f"{origin} line {number}: expected NAME=value")
        elif name.strip() in values:
            faults.append(f"{origin} line {number}: {name.strip()} is set twice")
        else:
            values[name.strip()] = _strip_quotes(value)
    if faults:
        raise InputError(*faults)
    return values


def _strip_quotes(value: str) -> str:
    quoted = _QUOTED.fullmatch(value.strip())
    return quoted[2] if quoted else re.sub(r"\s+#.*$", "", value).strip()


def _describe_value(setting: Setting[Any], text: str) -> str:
    if setting.secret:
        return "the value"
    return repr(text) if len(text) <= _MAX_TEXT else f"a text of {len(text)} letters"


def _find_unordered(values: Mapping[str, Any], unusable: set[str]) -> Iterator[str]:
    for warn, critical in _ORDERED_LIMITS:
        if unusable.isdisjoint((warn.name, critical.name)) and values[warn.name] > values[critical.name]:
            yield f"{warn.name} ({values[warn.name]}) is above {critical.name} ({values[critical.name]})"


def _find_misspelt(origin: str, texts: Mapping[str, str]) -> Iterator[str]:
    for name in texts:
        if name not in DECLARED:
            similar = next(
                (declared for declared in DECLARED if measure_edit_distance(name, declared, _TYPO) <= _TYPO),
                None,
            )
            if similar:
                yield f"{name} ({origin}): unknown setting; did you mean {similar}?"


def find_unknown(
    origin: str, texts: Mapping[str, str], known: Collection[str] = DECLARED.keys()
) -> Iterator[str]:
    """Yield a fault for each `AEGIS_PT_*` name of this program's own file that is no known setting.

    Those that are nearly one are reported by `resolve_settings`.
    """
    told = set(_find_misspelt(origin, texts))
    for name in texts:
        is_told = any(fault.startswith(f"{name} ") for fault in told)
        plain = normalize_name(name)
        short = PREFIX + plain.removeprefix(_SHORT_PREFIX)
        if name not in known and not is_told and (plain.startswith(PREFIX) or short in known):
            resembled = short if short in known else _find_resembled(plain)
            yield f"{name} ({origin}): unknown setting" + (
                f"; did you mean {resembled}?" if resembled else ""
            )


_SHORT_PREFIX = "AEGIS_"


def normalize_name(name: str) -> str:
    """Return a name as a setting would be written: in capitals, with underscores."""
    return name.upper().replace("-", "_").replace(".", "_")


def find_doubts(names: Collection[str]) -> Iterator[str]:
    """Yield one warning for the names that resemble a setting's: they may be the bot's, or meant for us."""
    plain = {name: normalize_name(name) for name in sorted(set(names))}
    resembled = {name: _find_resembled(text) for name, text in plain.items() if text.startswith(PREFIX)}
    # The prefix without its PT is another program's, unless what follows is a setting's name to the letter.
    short = {name: PREFIX + text.removeprefix(_SHORT_PREFIX) for name, text in plain.items()}
    resembled |= {name: meant for name, meant in short.items() if name not in resembled and meant in DECLARED}
    pairs = [f"{name} ({setting}?)" for name, setting in resembled.items() if setting]
    if pairs:
        is_are = "is no setting" if len(pairs) == 1 else "are no settings"
        yield f"{', '.join(pairs)} {is_are} of this program, and nothing here reads what resembles one."


def find_senseless(settings: Settings) -> Iterator[str]:
    """Yield one warning for each limit that is set so far out that what it watches is watched no more."""
    for name, setting in DECLARED.items():
        value, origin = settings[setting], settings.origins.get(name)
        if setting.sensible is None or setting.sensible[0] <= value <= setting.sensible[1]:
            continue
        least, most = (f"{bound:,}".replace(",", " ") for bound in setting.sensible)
        bound = f"above {most}" if value > setting.sensible[1] else f"below {least}"
        yield (
            f"{name}={value} ({origin}) is {bound} ({setting.unit}), beyond which the limit has no use:"
            f' "{setting.help}"'
        )


def find_idle(settings: Settings) -> Iterator[str]:
    """Yield one warning for each setting that does nothing, because another one is not set."""
    for setting, needed in _NEEDED:
        if settings[setting] not in ("", "0") and not settings[needed]:
            yield f"{setting.name} does nothing: {needed.name} is not set."
    senders: tuple[str, ...] = settings[ACK_FROM]
    for kind, token in _ACK_TOKENS.items():
        if any(f"={kind}:" in sender for sender in senders) and not settings[token]:
            yield f"{ACK_FROM.name}: nobody's answer in {kind} is read: {token.name} is not set."


@lru_cache(maxsize=256)
def _find_resembled(name: str) -> str | None:
    """Return the setting that the name begins with, or that is nearer than a third of its letters."""
    begun = [declared for declared in DECLARED if name.startswith(declared)]
    if begun:
        return max(begun, key=len)
    limit = (len(name.removeprefix(PREFIX)) - 1) // 3
    distances = {declared: measure_edit_distance(name, declared, limit) for declared in DECLARED}
    nearest = min(distances, key=lambda declared: distances[declared])
    return nearest if distances[nearest] <= limit else None
