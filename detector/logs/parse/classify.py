"""What one line says, from codes and words together; nothing for almost every line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from detector.logs import codes
from detector.logs import events as say
from detector.logs.codes import CodeEntry, explained
from detector.logs.parse.code_formats import codes_of
from detector.logs.parse.line import Text, is_of_a_traceback
from detector.logs.parse.phrases import SPEAKERS as OF_THE_GATEWAY
from detector.logs.parse.phrases import Said, connecting, has_one_of
from detector.logs.parse.phrases_link import link_without_code
from detector.logs.parse.phrases_runtime import SPEAKERS as OF_THE_RUNTIME
from detector.logs.parse.phrases_runtime import is_severe
from detector.logs.parse.vocabulary import CLIENT_ID_USED, DATA_LOST, OTHER_ADDRESS

# One cheap look at the lowered line decides whether it needs more.
# One cheap look at the lowered line decides whether it needs more; one with other letters than ASCII always does.
_SUSPECT_WORDS: Final = (
    "connectivity", "connection", "connected", "link ", "existing session", "in use", " ip", "exit", "login ", "log on",
    "logon failed", "logged on", "factor", "2fa", "ib key", "timeouterror", "timed out", "refused", "econn", "reconcil", "missing",
    "absent", "outcome", "unknown", "unmatched", "engine", "started", "closed", "filled", "fatal", "crit", "severe", "emerg",
    "traceback", "exception in thread", "unhandled exception", "panic", "synchroni", "unrecogni", "duplicate client", '"level":60', '"level": 60',
    "verbind", "connexion", "conexi", "connession", "connettiv", "konnekt",
)  # fmt: skip
_SUSPECT_CODES: Final = tuple(str(code) for code in sorted(set(codes.speaking_codes())))
_FARM_AFTER: Final = re.compile(
    r"(?:\b(?:broken|ok|connected|disconnected|down)\b|farm[^:\n]{0,60}|[^\x00-\x7f])\s{0,2}:\s{0,2}([a-z][a-z0-9]{1,24}(?:\.[a-z0-9]{1,6})?)\b(?!\s?[=:])"
)
_FARM_LIKE: Final = re.compile(
    r"\b([a-z]{0,10}(?:farm|hmds|secdef|usopt|usfuture|future)[a-z]{0,6}(?:\.[a-z]{2,4})?)\b"
)
_NO_FARM: Final = frozenset(
    {"farm", "farms", "data", "the", "hmds", "secdef", "future", "error", "code", "marketdatafarm"}
)
_LIST_ENDS: Final = frozenset(
    {"the", "all", "advanced", "code", "req_id", "reqid", "error", "data", "category", "following"}
)
_FARM_KINDS: Final = {
    2103: "market data",
    2104: "market data",
    2105: "historical data",
    2106: "historical data",
}
_COMMENTS: Final = ("#", "//")
_DATA_LOST_CODE, _DATA_KEPT_CODE = 1101, 1102
_URGENT: Final = re.compile(r"urgent|liquidat")
_DIGITS: Final = re.compile(r"\d[\d.,:]*")


def is_suspect(low: str) -> bool:
    """Whether a lowered line may say anything at all; most lines end here."""
    return has_one_of(_SUSPECT_WORDS, low) or has_one_of(_SUSPECT_CODES, low) or not low.isascii()


def said_by(text: Text) -> list[Said]:
    """Return everything that a line says; where the place of a code proves it, TWS speaks and nobody else."""
    severe, body = is_severe(text), text.body
    if is_of_a_traceback(text):
        return list(connecting(text))
    if body.startswith(_COMMENTS):
        return []
    coded = codes_of(text) if severe or has_one_of(_SUSPECT_CODES, body) else []
    entries = [entry for one in coded if (entry := explained(one.code))]
    said = [thing for entry in entries for thing in _by_code(entry, body)]
    if not any(one.proven for one in coded):
        said += _in_words(text, {thing.kind for thing in said})
    for words, speaker in OF_THE_RUNTIME:
        if has_one_of(words, body):
            said += speaker(text)
    if any(thing.kind == say.BACK for thing in said):
        said.append(Said(say.OWES, note=say.RECONNECT))
    if severe and not said and all(entry.counts_as_severe for entry in entries):
        said.append(Said(say.SEVERE))
    return said


def _in_words(text: Text, kinds: set[str]) -> Iterator[Said]:
    """Yield what a line says without a code, but for what its code says already."""
    if kinds.isdisjoint((say.LOST, say.BACK)):
        for thing in link_without_code(text):
            yield from _recovery(thing, text.body) if thing.kind == say.BACK else (thing,)
    for words, speaker in OF_THE_GATEWAY:
        if has_one_of(words, text.body):
            yield from (thing for thing in speaker(text) if thing.kind not in kinds)


def _by_code(entry: CodeEntry, body: str) -> Iterator[Said]:
    if entry.kind == codes.LINK_LOST:
        yield Said(say.LOST, note=f"TWS {entry.code}")
    elif entry.kind == codes.LINK_RESTORED:
        yield from _restored(entry, body)
    elif entry.kind in (codes.FARM_BROKEN, codes.FARM_OK):
        kind = say.FARM_DOWN if entry.kind == codes.FARM_BROKEN else say.FARM_UP
        yield Said(kind, _farm(entry.code, body), f"TWS {entry.code}")
    elif entry.kind == codes.STREAM_DEAD:
        yield Said(say.STREAM_DEAD, note=f"TWS {entry.code}")
    elif entry.kind == codes.CANNOT_CONNECT:
        yield Said(say.UNREACHED, "code", f"TWS {entry.code}")
    elif entry.kind == codes.DISCLAIMER:
        yield Said(say.DISCLAIMER)
    else:
        yield from _by_code_and_words(entry, body)


def _by_code_and_words(entry: CodeEntry, body: str) -> Iterator[Said]:
    """Yield what a code says only together with its text; the same code is benign with another text."""
    if entry.kind == codes.CONFLICT:
        asks = (hit := CLIENT_ID_USED.search(body)) is not None and body[hit.end() : hit.end() + 1] == "?"
        yield Said(say.CONFLICT, say.ASKING if asks else "client id", f"TWS {entry.code}, client id in use")
    elif entry.code in (162, 10189) and OTHER_ADDRESS.search(body):
        yield Said(say.CONFLICT, "address", f"TWS {entry.code}, a session from a different IP address")
    elif entry.kind == codes.MARGIN and _URGENT.search(body):
        yield Said(say.MARGIN, _DIGITS.sub("#", body)[:200], f"TWS {entry.code}")


def _restored(entry: CodeEntry, body: str) -> Iterator[Said]:
    lost = entry.code == _DATA_LOST_CODE or (
        DATA_LOST.search(body) is not None and entry.code != _DATA_KEPT_CODE
    )
    yield from _recovery(Said(say.BACK, say.DATA_LOST if lost else "", f"TWS {entry.code}"), body)


def _recovery(back: Said, body: str) -> Iterator[Said]:
    """Yield that the link is back, with the farms that the line lists as connected or not."""
    missing = tuple(_listed(body, "not connected"))
    yield replace(back, farms=missing)
    for farm in missing:
        yield Said(say.FARM_DOWN, farm, back.note)
    if "all data farms are connected" in body:
        yield Said(say.FARMS_UP)
    for farm in _listed(body, "are connected"):
        yield Said(say.FARM_UP, farm, back.note)


def _listed(body: str, words: str) -> Iterator[str]:
    """Yield the farms of a list such as `farms are not connected: usfarm; cashhmds.`."""
    _, found, after = body.partition(f"{words}:")
    if found:
        for name in re.findall(r"[a-z_]+[a-z0-9_]*(?:\.[a-z]{2,4})?", after[:1000]):
            if name in _LIST_ENDS:
                return
            yield name


def _farm(code: int, body: str) -> str:
    """Return the farm that a code speaks of, or its kind of data where the line names none."""
    for pattern in (_FARM_AFTER, _FARM_LIKE):
        for hit in pattern.finditer(body):
            if hit[1] not in _NO_FARM:
                return hit[1]
    return f"{_FARM_KINDS.get(code, 'security definition')} farm"
