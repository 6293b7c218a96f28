"""The kinds of secrets and of account ids: the signs by which a text is suspected, and the pattern of each.

Signs are those of a mask: the text in lower case, each of its digits a 7.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

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


class SecretKind(NamedTuple):
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
SECRET_KINDS: tuple[SecretKind, ...] = (
    SecretKind(
        (b"-----begin",),
        build_pattern(
            r"-----BEGIN [A-Z ]{0,40}(?:PRIVATE KEY|CERTIFICATE)(?: BLOCK)?-----[^-]*+"
            r"(?:-----END [A-Z ]{0,60}-----)?"
        ),
    ),
    SecretKind(
        (b"hooks.slack",), build_pattern(r"(?i)\b(hooks\.slack(?:-gov)?\.com/)[\w/+-]+"), r"\1[redacted]"
    ),
    SecretKind(
        (b"discord",),
        build_pattern(r"(?i)\b(discord(?:app)?\.com/api/(?:v\d{1,2}/)?webhooks/)[\w/+-]+"),
        r"\1[redacted]",
    ),
    SecretKind(
        (b"hc-ping.com/", b"pagerduty.com/integration/"),
        build_pattern(r"(?i)\b(hc-ping\.com/|events\.pagerduty\.com/integration/)[\w/+-]+"),
        r"\1[redacted]",
    ),
    SecretKind(
        # The address of an incoming webhook is its secret: Teams, Mattermost, Rocket.Chat and their kin.
        (b"/hook", b"/webhook", b"logic.azure"),
        build_pattern(
            r"(?i)((?:/(?:incoming-?)?(?:web)?hooks?|/webhookb2|logic\.azure\.com(?::\d{1,5})?/workflows)/)"
            r"(?!\[redacted)[\w@/+-]{16,}"
        ),
        r"\1[redacted]",
    ),
    SecretKind((b"777777:",), build_pattern(r"(?<![\w:])(?:bot)?\d{6,12}:[\w-]{30,60}(?![\w-])")),
    SecretKind(
        (b"?", b"&"),
        build_pattern(r"(?i)([?&](?:t|sig|key|k|auth|user|signature|code)=)(?!\[redacted)[^\s&\"'<>]+"),
        r"\1[redacted]",
    ),
    SecretKind(
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
    SecretKind((b"sk",), build_pattern(_START + r"SK[0-9a-f]{32}"), shape=build_pattern(rb"sk[7a-f]{32}")),
    SecretKind(
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
    SecretKind(
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
    SecretKind(
        (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat", b"glpat"),
        build_pattern(_START + r"(?:gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,})"),
    ),
    SecretKind((b"xox", b"xapp-", b"tskey"), build_pattern(_START + r"(?:xox[a-z]|xapp|tskey)-[\w-]{8,}")),
    SecretKind((b"akia", b"asia"), build_pattern(_START + r"(?:AKIA|ASIA)[A-Z0-9]{12,}\b")),
    SecretKind(
        (b"eyj",),
        build_pattern(
            r"(?:(?<![\w-])|(?<=(?<![\w-])-)|(?<=(?<![\w-])--)|(?<=\\[nrt]))"
            r"eyJ[\w-]{8,}+\.[\w-]{8,}+\.[\w-]*+"
        ),
    ),
    SecretKind(
        (b"authorization",),
        build_pattern(
            r"(?i)(authorization[\\\"']{0,16}+\s{0,8}+[=:]\s{0,8}+)(?![\\\"'\[{])"
            r"(?!(?:null|true|false|-?\d[\d.e+-]{0,40}+)\s{0,4}(?:[,}\]\\]|\Z))[^\r\n\"',;}\\]+"
        ),
        r"\1[redacted]",
    ),
    SecretKind(
        (b"bearer", b"basic"),
        build_pattern(r"(?i)\b(bearer|basic)\s{1,8}(?!\[redacted)[\w.~+/=-]{8,}"),
        r"\1 [redacted]",
    ),
    SecretKind(
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
    SecretKind(
        (b"@",), build_pattern(r"(?<![\w.+-])[\w.+-]++@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"), "[e-mail]"
    ),
    SecretKind(
        (b"7" * 12,), build_pattern(r"(arn:aws[\w-]*+:[\w-]*+:[\w-]*+:)\d{12}(?!\d)"), r"\1[aws-account]"
    ),
    SecretKind(
        # As the console shows it.
        (b"7777-7777-7777",),
        build_pattern(r"(?<![\w-])\d{4}-\d{4}-\d{4}(?![\w-])"),
        "[aws-account]",
    ),
    SecretKind(
        (b".dkr.ecr.", b".signin.aws."),
        build_pattern(r"(?<!\d)\d{12}(?=\.(?:dkr\.ecr|signin\.aws)\.)"),
        "[aws-account]",
    ),
    SecretKind(
        (b"7" * 12,),
        build_pattern(rf"(?i)((?:{_OWNING})[\W_]{{0,6}}(?:id[\W_]{{0,4}})?)\d{{12}}(?!\d)"),
        r"\1[aws-account]",
    ),
)
ACCOUNT_MASK = build_pattern(rb"(?:(?<![a-z7])|(?<=\\[nrt]))(?:d[ufi][a-z]?|[ufi])7{5,9}(?!7)")
ACCOUNT_SIGNS = tuple(f"{letter}77777".encode() for letter in "abcdefghijklmnopqrstuvwxyz")
SECRET_KEY = build_pattern(rf"(?i){_HIDING}")
OWNER_KEY = build_pattern(rf"(?i){_OWNING}")
