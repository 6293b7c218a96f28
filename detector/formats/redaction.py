"""Redaction of a snapshot: account ids become aliases that keep their kind, secrets become a placeholder.

It runs over the whole snapshot before anything is compared, so that no text that leaves this program holds a
secret. The same document gives the same aliases: they are numbered in the order of the ids.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

from msgspec import json

from detector.formats.patterns import build_pattern

# A line end that JSON escaped is a letter too: what follows it begins a word.
_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"
# Account ids as seen in public logs: U1234567, DU1234567, DUN264991, F/DF (advisor), I; paper starts with D.
# A digest or a UUID, as of a commit, a task or a delivery, may begin like an advisor's id in small letters.
_DIGEST = r"(?-i:[0-9a-f]{12,}+(?![A-Za-z0-9])|[0-9a-f]{8}-[0-9a-f]{4}-)"
ACCOUNT = build_pattern(_START + rf"(?!{_DIGEST})(?:D[UFI][A-Z]?|[UFI])\d{{5,9}}(?!\d)", re.IGNORECASE)
_HIDING = (
    r"passw|passphrase|pwd|secret|token|api[_-]?key|routing[_-]?key|integration[_-]?key"
    r"|user[_-]?key|access[_-]?key|account[_-]?key|private[_-]?key|credential|authorization"
    r"|x-amz-signature"
)
_OWNING = r"account|owner"
_HIDING_SIGNS = tuple(
    b"passw passphrase pwd secret token api_key api-key apikey routing integration user_key user-key userkey"
    b" access_key access-key accesskey account_key account-key accountkey"
    b" private_key private-key privatekey credential authorization"
    b" x-amz-signature".split()
)
_KEY_SIGNS = tuple(
    b"sk- k_live_ k_test_ aiza ya77. sg. npm_ pypi- _v7_ shp hf_ tk_ age-secret xkeysib dp.pt. key- lin_api_"
    b" glsa_ hvs. nrak- whsec_ gocspx-".split()
)


_OPENED = build_pattern(r"\\{0,15}\"|'")


class _Secret(NamedTuple):
    """One kind of secret; a text that holds one has a sign in its mask, and the shape where there is one."""

    signs: tuple[bytes, ...]
    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str] = "[redacted]"
    shape: re.Pattern[bytes] | None = None


def _redact_value(hit: re.Match[str]) -> str:
    """Return a name with its value hidden; what was JSON stays JSON, of which a log line's level is read."""
    name, mark, separator, value, _ = hit.groups()
    opened = _OPENED.match(value)
    if opened is None:
        quote = closing = mark if ":" in separator else ""
    else:
        quote = opened[0]
        closing = quote if value.endswith(quote, opened.end()) else ""
    return f"{name}{mark}{separator}{quote}[redacted]{closing}"


# No pattern may read a character more than a few times, whatever 16 MiB hold: a repeat is bounded, or
# possessive where its beginning cannot be its middle.
_SECRETS: tuple[_Secret, ...] = (
    _Secret(
        (b"-----begin",),
        build_pattern(
            r"-----BEGIN [A-Z ]{0,40}(?:PRIVATE KEY|CERTIFICATE)(?: BLOCK)?-----[^-]*+"
            r"(?:-----END [A-Z ]{0,60}-----)?"
        ),
    ),
    _Secret(
        (b"hooks.slack",), build_pattern(r"(?i)\b(hooks\.slack(?:-gov)?\.com/)[\w/+-]+"), r"\1[redacted]"
    ),
    _Secret(
        (b"discord",),
        build_pattern(r"(?i)\b(discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/)[\w/+-]+"),
        r"\1[redacted]",
    ),
    _Secret(
        (b"hc-ping.com/", b"pagerduty.com/integration/"),
        build_pattern(r"(?i)\b(hc-ping\.com/|events\.pagerduty\.com/integration/)[\w/+-]+"),
        r"\1[redacted]",
    ),
    _Secret(
        # The address of an incoming webhook is its secret: Teams, Mattermost, Rocket.Chat and their kin.
        (b"/hook", b"/webhook", b"logic.azure"),
        build_pattern(
            r"(?i)((?:/(?:incoming-?)?(?:web)?hooks?|/webhookb2|logic\.azure\.com(?::\d{1,5})?/workflows)/)"
            r"(?!\[redacted)[\w@/+-]{16,}"
        ),
        r"\1[redacted]",
    ),
    _Secret((b"777777:",), build_pattern(r"(?<![\w:])(?:bot)?\d{6,12}:[\w-]{30,60}(?![\w-])")),
    _Secret(
        (b"?", b"&"),
        build_pattern(r"(?i)([?&](?:t|sig|key|k|auth|user|signature|code)=)(?!\[redacted)[^\s&\"'<>]+"),
        r"\1[redacted]",
    ),
    _Secret(
        _KEY_SIGNS,
        build_pattern(
            _START + r"(?:sk-[\w-]{16,}|[srp]k_(?:live|test)_\w{10,}|AIza[\w-]{30,}|ya29\.[\w-]{16,}"
            r"|SG\.[\w-]{16,}\.[\w-]{16,}|npm_\w{30,}|pypi-[\w-]{16,}|do[opr]_v1_\w{32,}"
            r"|shp(?:at|ca|pa|ss)_\w{20,}"
            r"|hf_\w{20,}|tk_\w{20,}|AGE-SECRET-KEY-\w{20,}|xkeysib-[\w-]{16,}|dp\.pt\.\w{20,}"
            r"|key-[0-9a-f]{32}"
            r"|lin_api_\w{20,}|glsa_\w{20,}|hvs\.[\w-]{20,}|NRAK-\w{16,}|whsec_[\w+/=-]{16,}"
            r"|GOCSPX-[\w-]{16,})"
        ),
    ),
    _Secret((b"sk",), build_pattern(_START + r"SK[0-9a-f]{32}"), shape=build_pattern(rb"sk[7a-f]{32}")),
    _Secret(
        (b"pass", b"pwd", b"secret", b"pw"),
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
    _Secret(
        (b"@",),
        # A password may hold spaces and @. Digits before a path are a port, and so are those before several
        # words where the scheme is a browser's: `http://localhost:8080 refused by ann@host`.
        build_pattern(
            r"(?i)(?<=://)(?:[^\s/\"'<>:@]*+:(?!\d{1,5}(?:[\s/]|$))[^/\"'<>\r\n]{1,200}"
            r"|(?<!http://)(?<!https://)(?<!ws://)(?<!wss://)"
            r"[^\s/\"'<>:@]*+:\d{1,5}[^\S\r\n][^/\"'<>\r\n]{1,200}"
            r"|[^\s/\"'<>:@]*+:\d{1,5}[^\S\r\n]{1,8}+[^\s/\"'<>@]{1,200}"
            r"|[^\s/\"'<>]+)(?=@)"
        ),
    ),
    _Secret(
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat", b"glpat"),
        build_pattern(_START + r"(?:gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,})"),
    ),
    _Secret((b"xox", b"xapp-", b"tskey"), build_pattern(_START + r"(?:xox[a-z]|xapp|tskey)-[\w-]{8,}")),
    _Secret((b"akia", b"asia"), build_pattern(_START + r"(?:AKIA|ASIA)[A-Z0-9]{12,}\b")),
    _Secret(
        (b"eyj",),
        build_pattern(
            r"(?:(?<![\w-])|(?<=(?<![\w-])-)|(?<=(?<![\w-])--)|(?<=\\[nrt]))"
            r"eyJ[\w-]{8,}+\.[\w-]{8,}+\.[\w-]*+"
        ),
    ),
    _Secret(
        (b"authorization",),
        build_pattern(
            r"(?i)(authorization[\\\"']{0,16}+\s{0,8}+[=:]\s{0,8}+)(?![\\\"'\[{])"
            r"(?!(?:null|true|false|-?\d[\d.e+-]{0,40}+)\s{0,4}(?:[,}\]\\]|\Z))[^\r\n\"',;}\\]+"
        ),
        r"\1[redacted]",
    ),
    _Secret(
        (b"bearer", b"basic"),
        build_pattern(r"(?i)\b(bearer|basic)\s{1,8}(?!\[redacted)[\w.~+/=-]{8,}"),
        r"\1 [redacted]",
    ),
    _Secret(
        _HIDING_SIGNS,
        # `name = value`, `"name": "value"`, also with its quotes escaped; not the code of an exception.
        build_pattern(
            rf"(?i)((?:{_HIDING})(?:(?!exception|error)[\w-]){{0,40}})([\\\"']{{0,16}}+)"
            r"(\s{0,8}+[=:]\s{0,8}+)(?!\\{0,15}[\"']?\[redacted)"
            # Of a quotation with escaped quotes each escape in it is so too: a backslash, a quote, a letter.
            r"(\"[^\"\\]*+(?:\\.[^\"\\]*+)*+\"?"
            r"|(\\{1,15})\"(?:[^\"\\]|\5\5\\\\|\5\\\5\"|\5\\(?=[^\"\\])|(?!\5\")\\++\"?)*+(?:\5\")?|'[^']*+'?"
            r"|\[(?:[^\[\]\r\n]|\[[^\[\]\r\n]*+\])*+\]?|\{(?:[^{}\r\n]|\{[^{}\r\n]*+\})*+\}?"
            r"|[^\s&\"',;}\]]+)"
        ),
        _redact_value,
    ),
    _Secret((b"@",), build_pattern(r"(?<![\w.+-])[\w.+-]++@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"), "[e-mail]"),
    _Secret(
        (b"7" * 12,), build_pattern(r"(arn:aws[\w-]*+:[\w-]*+:[\w-]*+:)\d{12}(?!\d)"), r"\1[aws-account]"
    ),
    _Secret(
        # As the console shows it.
        (b"7777-7777-7777",),
        build_pattern(r"(?<![\w-])\d{4}-\d{4}-\d{4}(?![\w-])"),
        "[aws-account]",
    ),
    _Secret(
        (b".dkr.ecr.", b".signin.aws."),
        build_pattern(r"(?<!\d)\d{12}(?=\.(?:dkr\.ecr|signin\.aws)\.)"),
        "[aws-account]",
    ),
    _Secret(
        (b"7" * 12,),
        build_pattern(rf"(?i)((?:{_OWNING})[\W_]{{0,6}}(?:id[\W_]{{0,4}})?)\d{{12}}(?!\d)"),
        r"\1[aws-account]",
    ),
)
_ACCOUNT_MASK = build_pattern(rb"(?:(?<![a-z7])|(?<=\\[nrt]))(?:d[ufi][a-z]?|[ufi])7{5,9}(?!7)")
_ACCOUNT_SIGNS = tuple(f"{letter}77777".encode() for letter in "abcdefghijklmnopqrstuvwxyz")
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
_SECRET_KEY = build_pattern(rf"(?i){_HIDING}")
_OWNER_KEY = build_pattern(rf"(?i){_OWNING}")
_AWS_ACCOUNT = build_pattern(r"\d{12}")
_DIGIT_GAP = build_pattern(r"(?<=\d)[ -](?=\d)")  # AWS shows an account as 1234-5678-9012
_AWS_DIGITS = 12
_NUMBERS = (int, float, bool, type(None))


def redact(value: Any, secrets: Iterable[str] = ()) -> Any:
    """Return the JSON value with account ids aliased and secrets replaced, keys as well as values.

    `secrets` are values known to be secret (of settings); they are replaced wherever they stand.
    """
    long_secrets = tuple(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)
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


def _find_suspects(value: Any, secrets: Sequence[str]) -> set[str]:
    """Return the texts that can hold an account or a secret, and the keys whose value can be one.

    Texts that differ in their digits only are searched once, and so are values that do.
    """
    encoded = _encode(value)
    mask = None if encoded is None else encoded.lower().translate(_MASKED)
    indices = None if mask is None else _SUSPECTS.get(mask)
    held = [secret for secret in secrets if encoded is None or _can_hold(encoded, secret)]
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
    masks = [_mask(text) for text in texts]
    suspicious = _find_suspicious(dict.fromkeys(masks))
    return tuple(
        index
        for index, (text, mask) in enumerate(zip(texts, masks, strict=True))
        if mask in suspicious or (index >= first_key and _is_owner_key(text))
    )


def _encode(value: Any) -> bytes | None:
    """Return the JSON of a value, by whose mask the masks of all its texts are known; else None."""
    try:
        text = json.encode(value)
    except (TypeError, ValueError, RecursionError):
        return None
    is_short = len(text) <= _LONGEST_VALUE
    return text if is_short and (text.isascii() or not _FOLDED.search(text.decode())) else None


def _can_hold(text: bytes, secret: str) -> bool:
    encoded = _encode(secret)
    return encoded is None or encoded[1:-1] in text


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
        signs = [sign for sign in _ACCOUNT_SIGNS if sign in together]
        if rows or signs:
            yield from (mask for mask in group if _list_rows(mask, rows) or _has_account(mask, signs))


def _has_account(mask: bytes, signs: Iterable[bytes]) -> bool:
    """Whether a text of that mask can hold an account; the signs are searched first, far faster."""
    for sign in signs:
        if sign in mask:
            return _ACCOUNT_MASK.search(mask) is not None
    return False


def _list_rows(mask: bytes, rows: Iterable[_Secret] = _SECRETS) -> list[_Secret]:
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
    has_any = mask is None or _has_account(mask, _ACCOUNT_SIGNS)
    return tuple(match.upper() for match in ACCOUNT.findall(text)) if has_any else ()


_list_short = lru_cache(maxsize=1024)(_list_new)


def _redact_secrets(text: str, secrets: tuple[str, ...]) -> str:
    return (_redact_short if len(text) <= _LONGEST_REMEMBERED else _redact_new)(text, secrets)


def _redact_new(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    for _ in range(_MAX_PASSES):  # what is hidden ends a word, behind which another secret can begin
        before, mask = text, _mask(text)
        for row in _SECRETS if mask is None else _list_rows(mask):
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
    return _SECRET_KEY.search(key) is not None


@lru_cache(maxsize=4096)
def _is_owner_key(key: str) -> bool:
    return _OWNER_KEY.search(key) is not None


def _is_secret_row(row: Mapping[str, Any]) -> bool:
    """Whether it is a row such as `{"name": "DB_PASSWORD", "value": …}`, as AWS lists an environment."""
    return any(key.lower() == "name" and _SECRET_KEY.search(str(name)) for key, name in row.items())
