"""Redaction of a snapshot: account ids become aliases that keep their kind, secrets become a placeholder.

It runs over the whole snapshot before anything is compared, so that no text that leaves this program holds a
secret. The same document gives the same aliases: they are numbered in the order of the ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from msgspec import json

from detector.formats.patterns import build_pattern
from detector.formats.secret_kinds import (
    ACCOUNT,
    ACCOUNT_MASK,
    ACCOUNT_SIGNS,
    OWNER_KEY,
    SECRET_KEY,
    SECRET_KINDS,
    SecretKind,
)

_MASKED = bytes(ord("7") if chr(code).isdecimal() else code for code in range(256))
# Letters that a pattern takes for ASCII ones where case does not count, and digits of other scripts.
_FOLDED = build_pattern(r"[\u0130\u0131\u017f\u212a]|[^\D0-9]")
# Whether a text of that mask can hold an account or a secret, of those that this process searched before.
_SEARCHED: dict[bytes | None, bool] = {}
_MOST_SEARCHED, _LONGEST_REMEMBERED = 8192, 256
# By the masks of values that this process searched before: which of their texts can hold either.
_SUSPECTS: dict[bytes, tuple[int, ...]] = {}
_MOST_VALUES, _LONGEST_VALUE = 256, 16_384
_SHORTEST_SECRET = 4
_TOGETHER, _MAX_PASSES = 256, 8
_AWS_ACCOUNT = build_pattern(r"\d{12}")
_DIGIT_GAP = build_pattern(r"(?<=\d)[ -](?=\d)")  # AWS shows an account as 1234-5678-9012
_AWS_DIGITS = 12
_NUMBERS = (int, float, bool, type(None))


def redact(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Return the JSON value with account ids aliased and secrets replaced, keys as well as values.

    `secrets` are values known to be secret (of settings); they are replaced wherever they stand.
    """
    long_secrets = _list_long(tuple(secrets))
    parts = value if isinstance(value, dict) and not _is_secret_row(value) else {"": value}
    suspects = {key: _find_suspects({key: part}, long_secrets) for key, part in parts.items()}
    hidden = {text: _redact_secrets(text, long_secrets) for texts in suspects.values() for text in texts}
    if not hidden:
        return value
    aliases = _assign_aliases(hidden.values())
    cleared = {
        text: ACCOUNT.sub(lambda match: aliases[match[0].upper()], rest) if aliases else rest
        for text, rest in hidden.items()
    }

    def replace_owner(item: Any) -> str | None:
        """Return what stands for an AWS account: a secret one, in whatever form, differs from others."""
        digits = _DIGIT_GAP.sub("", str(item))
        if digits.isdigit() and digits.zfill(_AWS_DIGITS) in long_secrets:
            return "[redacted]"
        return "[aws-account]" if _AWS_ACCOUNT.fullmatch(digits) else None

    if parts is not value:
        return _replace_texts(value, cleared, replace_owner)
    plain = {key: part for key, part in value.items() if not suspects[key]}
    cleaned = _replace_texts(
        {key: part for key, part in value.items() if suspects[key]}, cleared, replace_owner
    )
    return {**plain, **cleaned} if plain else cleaned


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Return one text redacted by itself, for messages and exception texts."""
    return str(redact(text, secrets))


def get_account_kind(alias: str) -> str | None:
    """Return `paper` or `live` for an alias of `redact`, else None."""
    kind = alias.partition("-")[0]
    return kind if kind in ("paper", "live") else None


def _find_suspects(value: Any, secrets: tuple[str, ...]) -> set[str]:
    """Return the texts that can hold an account or a secret, and the keys whose value can be one.

    Texts that differ in their digits only are searched once, and so are values that do.
    """
    encoded = _encode(value)
    mask = None if encoded is None else encoded.lower().translate(_MASKED)
    indices = None if mask is None else _SUSPECTS.get(mask)
    held = [
        secret for secret, inner in _encode_secrets(secrets) if not (encoded and inner) or inner in encoded
    ]
    if indices == () and not held:
        return set()
    texts: list[str] = []
    keys: list[str] = []
    _collect_texts(value, texts, keys)
    texts += keys
    if indices is None:
        indices = _find_suspicious_texts(texts, len(texts) - len(keys))
        if mask is not None:
            if len(_SUSPECTS) >= _MOST_VALUES:
                _SUSPECTS.clear()
            _SUSPECTS[mask] = indices
    return {texts[index] for index in indices}.union(
        text for secret in held for text in texts if secret in text
    )


def _find_suspicious_texts(texts: Sequence[str], first_key: int) -> tuple[int, ...]:
    """Return the indices of the texts that can hold an account or a secret, and of such keys."""
    masks = {text: _mask(text) for text in dict.fromkeys(texts)}
    suspicious = _find_suspicious(dict.fromkeys(masks.values()))
    return tuple(
        index
        for index, text in enumerate(texts)
        if masks[text] in suspicious or (index >= first_key and _is_owner_key(text))
    )


def _encode(value: Any) -> bytes | None:
    """Return the JSON of a value, by whose mask the masks of all its texts are known; else None."""
    try:
        text = json.encode(value)
    except (TypeError, ValueError, RecursionError):
        return None
    is_short = len(text) <= _LONGEST_VALUE
    return text if is_short and (text.isascii() or not _FOLDED.search(text.decode())) else None


@lru_cache(maxsize=16)
def _list_long(secrets: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)


@lru_cache(maxsize=16)
def _encode_secrets(secrets: tuple[str, ...]) -> tuple[tuple[str, bytes | None], ...]:
    """Return each secret with the bytes that stand for it within the JSON of a text, where that is known."""
    encoded = [_encode(secret) for secret in secrets]
    return tuple((secret, inner and inner[1:-1]) for secret, inner in zip(secrets, encoded, strict=True))


def _find_suspicious(masks: Iterable[bytes | None]) -> set[bytes | None]:
    """Return the masks of texts that can hold an account or a secret; short ones are searched once."""
    new, suspicious = [], set()
    for mask in masks:
        known = _SEARCHED.get(mask)
        if known is None:
            new.append(mask)
        elif known:
            suspicious.add(mask)
    suspicious.update(_list_suspicious(new))
    if len(_SEARCHED) > _MOST_SEARCHED:
        _SEARCHED.clear()
    short = (mask for mask in new if mask is None or len(mask) <= _LONGEST_REMEMBERED)
    _SEARCHED.update((mask, mask in suspicious) for mask in islice(short, _MOST_SEARCHED))
    return suspicious


def _mask(text: str) -> bytes | None:
    """Return the text in lower case, each digit a 7; None where other letters can stand for ASCII ones."""
    if not text.isascii() and _FOLDED.search(text):
        return None
    return text.encode("utf-8", "surrogatepass").lower().translate(_MASKED)


def _list_suspicious(masks: Iterable[bytes | None]) -> Iterator[bytes | None]:
    """Yield the masks of texts that can hold an account or a secret; many are searched together first."""
    known = []
    for mask in masks:
        if mask is None:
            yield None
        else:
            known.append(mask)
    for start in range(0, len(known), _TOGETHER):
        group = known[start : start + _TOGETHER]
        together = b"\n".join(group)
        rows = _list_rows(together)
        signs = [sign for sign in ACCOUNT_SIGNS if sign in together]
        if rows or signs:
            yield from (mask for mask in group if _list_rows(mask, rows) or _has_account(mask, signs))


def _has_account(mask: bytes, signs: Iterable[bytes]) -> bool:
    """Whether a text of that mask can hold an account; the signs are searched first, far faster."""
    for sign in signs:
        if sign in mask:
            return ACCOUNT_MASK.search(mask) is not None
    return False


def _list_rows(mask: bytes, rows: Iterable[SecretKind] = SECRET_KINDS) -> list[SecretKind]:
    """Return the kinds of secrets that a text of that mask can hold."""
    kinds = []
    for row in rows:
        for sign in row.signs:
            if sign in mask:
                if row.shape is None or row.shape.search(mask):
                    kinds.append(row)
                break
    return kinds


def _collect_texts(value: Any, texts: list[str], keys: list[str]) -> None:
    if isinstance(value, str):
        texts.append(value)
    elif isinstance(value, dict):
        keys += value
        for item in value.values():
            if type(item) is str:
                texts.append(item)
            elif not isinstance(item, bool | int | float):
                _collect_texts(item, texts, keys)
    elif isinstance(value, list):
        for item in value:
            _collect_texts(item, texts, keys)


def _assign_aliases(texts: Iterable[str]) -> dict[str, str]:
    accounts = sorted({account for text in texts for account in _list_accounts(text)})
    aliases: dict[str, str] = {}
    for kind in ("paper", "live"):
        of_kind = [account for account in accounts if account.startswith("D") == (kind == "paper")]
        aliases |= {account: f"{kind}-{number}" for number, account in enumerate(of_kind, 1)}
    return aliases


def _list_accounts(text: str) -> tuple[str, ...]:
    return (_list_short if len(text) <= _LONGEST_REMEMBERED else _list_new)(text)


def _list_new(text: str) -> tuple[str, ...]:
    mask = _mask(text)
    has_any = mask is None or _has_account(mask, ACCOUNT_SIGNS)
    return tuple(match.upper() for match in ACCOUNT.findall(text)) if has_any else ()


_list_short = lru_cache(maxsize=1024)(_list_new)


def _redact_secrets(text: str, secrets: tuple[str, ...]) -> str:
    return (_redact_short if len(text) <= _LONGEST_REMEMBERED else _redact_new)(text, secrets)


def _redact_new(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    for _ in range(_MAX_PASSES):  # what is hidden ends a word, behind which another secret can begin
        before, mask = text, _mask(text)
        for row in SECRET_KINDS if mask is None else _list_rows(mask):
            text = row.pattern.sub(row.replacement, text)
        if text == before:
            break
    return text


_redact_short = lru_cache(maxsize=1024)(_redact_new)


def _replace_texts(
    value: Any,
    cleared: Mapping[str, str],
    replace_owner: Callable[[Any], str | None],
    hidden: bool = False,
) -> Any:
    if isinstance(value, str):
        return "[redacted]" if hidden and value else cleared.get(value, value)
    if isinstance(value, list):
        return [_replace_texts(item, cleared, replace_owner, hidden) for item in value]
    if isinstance(value, dict) and not hidden and _has_plain_keys(tuple(value)):
        return {
            cleared.get(key, key): cleared.get(item, item)
            if type(item) is str
            else item
            if type(item) in _NUMBERS
            else _replace_texts(item, cleared, replace_owner)
            for key, item in value.items()
        }
    if isinstance(value, dict):
        row_hides = _is_secret_row(value)
        cleaned: dict[str, Any] = {}
        for key, item in value.items():
            hides = hidden or _is_secret_key(key) or (row_hides and key.lower() == "value")
            owner = replace_owner(item) if _is_owner_key(key) and isinstance(item, str | int) else None
            cleaned[cleared.get(key, key)] = owner or _replace_texts(item, cleared, replace_owner, hides)
        return cleaned
    return value


@lru_cache(maxsize=4096)
def _has_plain_keys(keys: tuple[str, ...]) -> bool:
    """Return whether none of an object's keys decides about a value."""
    is_row = {"name", "value"}.issubset(map(str.lower, keys))
    return not is_row and not any(_is_secret_key(key) or _is_owner_key(key) for key in keys)


@lru_cache(maxsize=4096)
def _is_secret_key(key: str) -> bool:
    return SECRET_KEY.search(key) is not None


@lru_cache(maxsize=4096)
def _is_owner_key(key: str) -> bool:
    return OWNER_KEY.search(key) is not None


def _is_secret_row(row: Mapping[str, Any]) -> bool:
    """Whether it is a row such as `{"name": "DB_PASSWORD", "value": …}`, as AWS lists an environment."""
    return any(key.lower() == "name" and SECRET_KEY.search(str(name)) for key, name in row.items())
