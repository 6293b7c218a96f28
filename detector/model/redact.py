"""Redaction at the waist: account ids become aliases that keep their kind, secrets become a word.

It runs over the whole snapshot before anything is compared, so that a name that leaves this program
never was a secret. The same document gives the same aliases: they are numbered in the order of the ids.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

# Account ids as seen in public logs: U1234567, DU1234567, DUN264991, F/DF (advisor), I; paper starts with D.
ACCOUNT = re.compile(r"(?<![A-Za-z0-9])(?:D[UFI][A-Z]?|[UFI])\d{5,9}(?!\d)", re.IGNORECASE)
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(https?://hooks\.slack\.com/)[\w/+-]+"), r"\1[redacted]"),
    (re.compile(r"(?<=://)[^\s/@\"'<>]+(?=@)"), "[redacted]"),
    (re.compile(r"\b(?:gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,})"), "[redacted]"),
    (re.compile(r"\bxox[a-z]-[\w-]{8,}|\bxapp-[\w-]{8,}|\btskey-[\w-]{8,}"), "[redacted]"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"), "[redacted]"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), "[redacted]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 [redacted]"),
    (
        re.compile(
            r"(?i)([\w-]*(?:password|passwd|secret|token|api[_-]?key|x-amz-signature|credential)[\w-]*"
            r"[\"']?\s*[=:]\s*[\"']?)(?!\[redacted)[^\s&\"',;}\]]+"
        ),
        r"\1[redacted]",
    ),
    (re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"), "[e-mail]"),
    (re.compile(r"(arn:aws[\w-]*:[\w-]*:[\w-]*:)\d{12}(?=:)"), r"\1[aws-account]"),
    (re.compile(r"\b\d{12}(?=\.dkr\.ecr\.)"), "[aws-account]"),
    (re.compile(r"(?i)(\baccount\W{0,6}(?:id\W{0,4})?)\d{12}\b"), r"\1[aws-account]"),
)
_SHORTEST_SECRET = 4
_SECRET_KEY = re.compile(r"(?i)password|passwd|secret|token|api[_-]?key|authorization|credential")
# One cheap look decides whether a string needs the patterns above at all.
_SUSPECT = re.compile(
    r"(?i)@|://|gh[pousr]_|github_pat|glpat|xox|xapp-|tskey|AKIA|ASIA|eyJ|bearer|basic|passw|secret|token"
    r"|api[_-]?key|signature|credential|arn:aws|\d{12}"
)


def redacted(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Return the JSON value with account ids aliased and secrets replaced, keys as well as values.

    `secrets` are values known to be secret (of settings); they are replaced wherever they stand.
    """
    known = tuple(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)
    texts: list[str] = []
    _collect(value, texts)
    aliases = _aliases(texts)
    if not aliases and not known and not any(_SUSPECT.search(text) for text in texts):
        return value
    return _mapped(value, lambda text: _clean(text, aliases, known))


def redacted_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Return one text redacted by itself, for messages and exception texts."""
    return str(redacted(text, secrets))


def account_kind(alias: str) -> str | None:
    """Return `paper` or `live` for an alias that `redacted` made, else None."""
    kind = alias.partition("-")[0]
    return kind if kind in ("paper", "live") else None


def _collect(value: Any, texts: list[str]) -> None:
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            texts.append(key)
            if not isinstance(item, bool | int | float):
                _collect(item, texts)
    elif isinstance(value, list):
        for item in value:
            _collect(item, texts)


def _aliases(texts: Iterable[str]) -> dict[str, str]:
    found = sorted({match.upper() for text in texts for match in ACCOUNT.findall(text)})
    aliases: dict[str, str] = {}
    for kind in ("paper", "live"):
        of_kind = [account for account in found if account.startswith("D") == (kind == "paper")]
        aliases |= {account: f"{kind}-{number}" for number, account in enumerate(of_kind, 1)}
    return aliases


def _clean(text: str, aliases: dict[str, str], known: tuple[str, ...]) -> str:
    for secret in known:
        text = text.replace(secret, "[redacted]")
    if _SUSPECT.search(text):
        for pattern, put in _SECRETS:
            text = pattern.sub(put, text)
    if aliases:
        text = ACCOUNT.sub(lambda match: aliases.get(match[0].upper(), match[0]), text)
    return text


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    if isinstance(value, dict):
        made: dict[str, Any] = {}
        for key, item in value.items():
            secret = isinstance(item, str) and item and _SECRET_KEY.search(key)
            made[change(key)] = "[redacted]" if secret else _mapped(item, change)
        return made
    return value
