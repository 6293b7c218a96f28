"""Redaction of a snapshot: account ids become aliases that keep their kind, secrets become a placeholder.

It runs over the whole snapshot before anything is compared, so that no text that leaves this program holds a
secret. The same document gives the same aliases: they are numbered in the order of the ids.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from string import ascii_lowercase
from typing import Any

from detector.formats.patterns import build_pattern

# A line end that JSON escaped is a letter too: what follows it begins a word.
_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"
# Account ids as seen in public logs: U1234567, DU1234567, DUN264991, F/DF (advisor), I; paper starts with D.
ACCOUNT = build_pattern(_START + r"(?:D[UFI][A-Z]?|[UFI])\d{5,9}(?!\d)", re.IGNORECASE)
_HIDING = (
    r"passw|passphrase|pwd|secret|token|api[_-]?key|routing[_-]?key|integration[_-]?key"
    r"|user[_-]?key|access[_-]?key|private[_-]?key|credential|authorization"
    r"|x-amz-signature"
)
_OWNING = r"account|owner"
# No pattern may read a character more than a few times, whatever 16 MiB hold: a repeat is bounded, or
# possessive where its beginning cannot be its middle.
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        build_pattern(
            r"-----BEGIN [A-Z ]{0,40}(?:PRIVATE KEY|CERTIFICATE)(?: BLOCK)?-----[^-]*+"
            r"(?:-----END [A-Z ]{0,60}-----)?"
        ),
        "[redacted]",
    ),
    (build_pattern(r"(?i)\b(hooks\.slack(?:-gov)?\.com/)[\w/+-]+"), r"\1[redacted]"),
    (build_pattern(r"(?i)\b(discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/)[\w/+-]+"), r"\1[redacted]"),
    (build_pattern(r"(?i)\b(hc-ping\.com/|events\.pagerduty\.com/integration/)[\w/+-]+"), r"\1[redacted]"),
    (build_pattern(r"(?<![\w:])(?:bot)?\d{6,12}:[\w-]{30,60}(?![\w-])"), "[redacted]"),
    (
        build_pattern(r"(?i)([?&](?:t|sig|key|k|auth|user|signature|code)=)(?!\[redacted)[^\s&\"'<>]+"),
        r"\1[redacted]",
    ),
    (
        build_pattern(
            _START + r"(?:sk-[\w-]{16,}|[srp]k_(?:live|test)_\w{10,}|AIza[\w-]{30,}|ya29\.[\w-]{16,}"
            r"|SG\.[\w-]{16,}\.[\w-]{16,}|npm_\w{30,}|pypi-[\w-]{16,}|do[opr]_v1_\w{32,}"
            r"|shp(?:at|ca|pa|ss)_\w{20,}"
            r"|hf_\w{20,}|tk_\w{20,}|AGE-SECRET-KEY-\w{20,}|xkeysib-[\w-]{16,}|dp\.pt\.\w{20,}"
            r"|key-[0-9a-f]{32}"
            r"|lin_api_\w{20,}|glsa_\w{20,}|hvs\.[\w-]{20,}|SK[0-9a-f]{32})"
        ),
        "[redacted]",
    ),
    (
        # A password may hold spaces and @: it ends where the line, the quote or the next name begins.
        build_pattern(
            r"(?i)((?<![A-Za-z])(?:(?:passw(?:or)?d|passphrase|passwd|pwd|secret)"
            r"[^\S\r\n]{0,4}+[=:]|pass\s{0,4}+=|pw\s{0,4}+=)"
            r"[^\S\r\n]{0,4}+)"
            r"(?!\[redacted|[\"'\\])"
            r"(?:(?!\s{1,8}[\w.-]{1,40}\s{0,4}[=:])[^\r\n&\"',;}\]]){1,200}"
        ),
        r"\1[redacted]",
    ),
    (
        # A password may hold spaces and @; digits before a space or a path are a port.
        build_pattern(
            r"(?<=://)(?:[^\s/\"'<>:@]*+:(?!\d{1,5}(?:[\s/]|$))[^/\"'<>\r\n]{1,200}|[^\s/\"'<>]+)(?=@)"
        ),
        "[redacted]",
    ),
    (build_pattern(_START + r"(?:gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,})"), "[redacted]"),
    (build_pattern(_START + r"(?:xox[a-z]|xapp|tskey)-[\w-]{8,}"), "[redacted]"),
    (build_pattern(_START + r"(?:AKIA|ASIA)[A-Z0-9]{12,}\b"), "[redacted]"),
    (
        build_pattern(
            r"(?:(?<![\w-])|(?<=(?<![\w-])-)|(?<=(?<![\w-])--)|(?<=\\[nrt]))"
            r"eyJ[\w-]{8,}+\.[\w-]{8,}+\.[\w-]*+"
        ),
        "[redacted]",
    ),
    (
        build_pattern(
            r"(?i)(authorization[\\\"']{0,4}+\s{0,8}+[=:]\s{0,8}+[\\\"']{0,4}+)(?!\[redacted)[^\r\n\"',;}]+"
        ),
        r"\1[redacted]",
    ),
    (build_pattern(r"(?i)\b(bearer|basic)\s{1,8}(?!\[redacted)[\w.~+/=-]{8,}"), r"\1 [redacted]"),
    (
        # `name = value`, `"name": "value"`, also with its quotes escaped; not the code of an exception.
        build_pattern(
            rf"(?i)((?:{_HIDING})(?:(?!exception|error)[\w-]){{0,40}}[\\\"']{{0,4}}+\s{{0,8}}+[=:]\s{{0,8}}+)"
            r"(?!\[redacted)(?:\\{0,4}\"[^\"]*+\"?|'[^']*+'?|[^\s&\"',;}\]]+)"
        ),
        r"\1[redacted]",
    ),
    (build_pattern(r"(?<![\w.+-])[\w.+-]++@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"), "[e-mail]"),
    (build_pattern(r"(arn:aws[\w-]*+:[\w-]*+:[\w-]*+:)\d{12}(?!\d)"), r"\1[aws-account]"),
    (build_pattern(r"(?<!\d)\d{12}(?=\.(?:dkr\.ecr|signin\.aws)\.)"), "[aws-account]"),
    (
        build_pattern(rf"(?i)((?:{_OWNING})[\W_]{{0,6}}(?:id[\W_]{{0,4}})?)\d{{12}}(?!\d)"),
        r"\1[aws-account]",
    ),
)
# Every match of the patterns above, numbers excepted, holds one of these.
_SIGNS = (
    "@", "://", "slack.com", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat", "glpat", "xox", "xapp-",
    "tskey", "akia", "asia", "eyj", "bearer", "basic", "passw", "passphrase", "pwd", "secret", "token",
    "api_key", "api-key", "apikey", "access_key", "access-key", "accesskey", "private_key", "private-key",
    "privatekey", "credential", "authorization", "x-amz-signature", "account", "owner", "-----begin",
    "slack-gov", "discord", "hc-ping", "pagerduty", "routing", "integration", "user_key",
    "user-key", "userkey",
    "?", "&", "pass", "pw", "sk-", "k_live_", "k_test_", "aiza", "ya29.", "sg.", "npm_", "pypi-", "_v1_",
    "shp",
    "hf_", "tk_", "age-secret", "xkeysib", "dp.pt.", "key-", "lin_api_", "glsa_", "hvs.",
)  # fmt: skip
_DIGITS = build_pattern(r"\d{5}")
_NUMBER = build_pattern(r"[dufi][a-z]?\d{5}|\d{12}|\d{6}:[\w-]{30}|sk[0-9a-f]{32}")
_HEX_KEY = build_pattern(r"sk[0-9a-f]{32}")
_ONE_DIGIT = bytes(ord("7") if chr(code).isdecimal() else code for code in range(256))
# What a match of _NUMBER holds where every digit is a 7; found far faster than by the pattern.
_NUMBER_SIGNS = (*(f"{letter}77777".encode() for letter in ascii_lowercase), b"7" * 12, b"777777:")
_SHORTEST_SECRET = 4
_CACHED_LENGTH = 64
_TOGETHER = 256
_SECRET_KEY = build_pattern(rf"(?i){_HIDING}")
_OWNER_KEY = build_pattern(rf"(?i){_OWNING}")
_AWS_ACCOUNT = build_pattern(r"\d{12}")
# One cheap search decides whether a string needs the patterns above at all.
_SUSPECT = build_pattern(
    r"(?i)@|slack\.com|gh[pousr]_|github_pat|glpat|xox|xapp-|tskey|AKIA|ASIA|eyJ|bearer|basic|\d{12}"
    r"|-----BEGIN|slack-gov\.com|discord|hc-ping|pagerduty|\d{6}:[\w-]{30}|[?&]\w{1,9}=|\bpass\s{0,4}="
    r"|\bpw\s{0,4}="
    r"|sk-|k_live_|k_test_|AIza|ya29\.|SG\.|npm_|pypi-|_v1_|shp|hf_|tk_|AGE-SECRET|xkeysib|dp\.pt\.|key-"
    r"|lin_api_|glsa_|hvs\.|SK[0-9a-f]{32}"
    rf"|{_HIDING}|{_OWNING}"
)


def redact(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Return the JSON value with account ids aliased and secrets replaced, keys as well as values.

    `secrets` are values known to be secret (of settings); they are replaced wherever they stand.
    """
    long_secrets = tuple(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)
    suspects = (
        {key: _find_suspects({key: part}) for key, part in value.items()} if isinstance(value, dict) else {}
    )
    suspicious = (
        [text for texts in suspects.values() for text in texts] if suspects else _find_suspects(value)
    )
    if not suspicious and not long_secrets:
        return value
    aliases = _assign_aliases(suspicious)

    def replace_text(text: str) -> str:
        return _redact_string(text, aliases, long_secrets)

    if not isinstance(value, dict) or long_secrets or _is_secret_row(value):
        return _replace_texts(value, replace_text)
    plain = {key: part for key, part in value.items() if not suspects[key]}
    cleaned = _replace_texts({key: part for key, part in value.items() if suspects[key]}, replace_text)
    return {**plain, **cleaned} if plain else cleaned


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Return one text redacted by itself, for messages and exception texts."""
    return str(redact(text, secrets))


def get_account_kind(alias: str) -> str | None:
    """Return `paper` or `live` for an alias of `redact`, else None."""
    kind = alias.partition("-")[0]
    return kind if kind in ("paper", "live") else None


def _find_suspects(value: Any) -> list[str]:
    texts: list[str] = []
    _collect_texts(value, texts)
    return [
        text
        for start in range(0, len(texts), _TOGETHER)
        for text in _list_suspects(texts[start : start + _TOGETHER])
    ]


def _list_suspects(texts: Sequence[str]) -> Iterator[str]:
    """Yield the texts that can hold an account or a secret: all of them are searched at once first."""
    together = "\n".join(dict.fromkeys(texts))
    if together.isascii():
        low = together.lower()
        signs = [sign for sign in _SIGNS if sign in low]
        masked = low.encode().translate(_ONE_DIGIT)
        if signs or any(sign in masked for sign in _NUMBER_SIGNS) or _HEX_KEY.search(low):
            yield from (text for text in texts if not _has_nothing(text, signs))
    else:
        yield from (text for text in texts if not _is_plain(text))


def _collect_texts(value: Any, texts: list[str]) -> None:
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            texts.append(key)
            if type(item) is str:
                texts.append(item)
            elif not isinstance(item, bool | int | float):
                _collect_texts(item, texts)
    elif isinstance(value, list):
        for item in value:
            _collect_texts(item, texts)


def _is_plain(text: str) -> bool:
    """Whether the text can hold neither an account nor a secret; short texts are remembered, they repeat."""
    return _is_plain_cached(text) if len(text) <= _CACHED_LENGTH else _has_nothing(text)


def _has_nothing(text: str, signs: Iterable[str] = _SIGNS) -> bool:
    """Whether neither pattern matches; plain searches first, which are five times faster on log lines.

    `signs` are those that the text can hold.
    """
    if text.isascii():  # beyond ASCII the patterns know letters that lower() does not
        low = text.lower()
        for sign in signs:
            if sign in low:
                return False
        if _DIGITS.search(low) is None or _NUMBER.search(low) is None:
            return True
    return ACCOUNT.search(text) is None and _SUSPECT.search(text) is None


_is_plain_cached = lru_cache(maxsize=4096)(_has_nothing)


def _assign_aliases(texts: Iterable[str]) -> dict[str, str]:
    accounts = sorted({match.upper() for text in texts for match in ACCOUNT.findall(text)})
    aliases: dict[str, str] = {}
    for kind in ("paper", "live"):
        of_kind = [account for account in accounts if account.startswith("D") == (kind == "paper")]
        aliases |= {account: f"{kind}-{number}" for number, account in enumerate(of_kind, 1)}
    return aliases


def _redact_string(text: str, aliases: dict[str, str], secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    if _is_plain(text):
        return text
    if _SUSPECT.search(text):
        for pattern, replacement in _SECRETS:
            text = pattern.sub(replacement, text)
    if aliases:
        text = ACCOUNT.sub(lambda match: aliases.get(match[0].upper(), match[0]), text)
    return text


def _replace_texts(value: Any, replace_text: Callable[[str], str], hidden: bool = False) -> Any:
    if isinstance(value, str):
        return "[redacted]" if hidden and value else replace_text(value)
    if isinstance(value, list):
        return [_replace_texts(item, replace_text, hidden) for item in value]
    if isinstance(value, dict):
        row_hides = _is_secret_row(value)
        cleaned: dict[str, Any] = {}
        for key, item in value.items():
            hides = hidden or _is_secret_key(key) or (row_hides and key.lower() == "value")
            owner = _is_owner_key(key) and _AWS_ACCOUNT.fullmatch(str(item))
            cleaned[replace_text(key)] = (
                "[aws-account]" if owner else _replace_texts(item, replace_text, hides)
            )
        return cleaned
    return value


@lru_cache(maxsize=4096)
def _is_secret_key(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


@lru_cache(maxsize=4096)
def _is_owner_key(key: str) -> bool:
    return _OWNER_KEY.search(key) is not None


def _is_secret_row(row: Mapping[str, Any]) -> bool:
    """Whether it is a row such as `{"name": "DB_PASSWORD", "value": …}`, as AWS lists an environment."""
    return any(key.lower() == "name" and _SECRET_KEY.search(str(name)) for key, name in row.items())
