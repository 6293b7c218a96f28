"""How alike two names are: the known name that somebody may have meant, and which key misspells it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache

from detector.formats.patterns import build_pattern

# Measures of difflib: `pending_order` is similar to `pending_orders`, `orders` is not similar to `trades`.
SIMILAR, ALIKE, FAINTLY_ALIKE, ANY = 0.75, 0.6, 0.5, 0.0
_LONGEST_COMPARED = 200
_NEAR_PART, _MOST_MEANT = 0.85, 4
_LONG, _MOST_EDITS = 8, 2  # from so many letters on, so many edits are still the same name
_LONGEST_KEY = 60
_SHORTEST = 3  # letters of a name that one edit does not make another one, as with `to`
_SHORT_PART = 4  # two edits in so short a part make another word of it: `ask_price` is no `avg_price`
_LONG_NUMBER = 4  # digits: a message code, as in `market_data_10197_recent`
_NEGATIONS = ("un", "not", "no", "non", "dis")
_FEWEST_PARTS = 2  # of a name in other people's payloads that stands whole in a longer one
# Parts that make another fact of a name: a limit of it, its time, an earlier value, a statistic, why.
_OTHER_MEANINGS = frozenset([
    "max", "min", "limit", "limits", "threshold", "cap", "warn", "warning", "critical", "allowed",
    "expected", "target", "prev", "previous", "last", "next", "first", "old", "yesterday", "history",
    "id", "ids", "at", "ts", "time", "times", "date", "since", "until", "for", "age", "sec", "secs",
    "seconds", "ms", "interval", "timeout", "reason", "reasons", "text", "message", "msg", "source",
    "sources", "type", "kind", "by", "avg", "mean", "median", "rate", "pct", "ratio", "price", "pnl",
    "enabled", "disabled", "un", "not", "no", "non", "known", "closed",
])  # fmt: skip
_OF_TIME = frozenset(
    ["last", "at", "ts", "time", "date", "since", "age", "min", "sec", "secs", "seconds", "ms"]
)
_PARTS = build_pattern(r"[^a-z0-9]+")
_CAPITAL = build_pattern(r"(?<=[a-z0-9])(?=[A-Z])")


@lru_cache(maxsize=8192)
def normalize_key(key: str) -> str:
    """Return a name in lower case without punctuation, as keys are compared: `putcall` for `Put/Call`."""
    return _PARTS.sub("", key.lower())


def find_nearest_name(name: str, known: Iterable[str], least: float = SIMILAR) -> str | None:
    """Return the known name that is most like the name, in any case; None where none is `least` alike."""
    from difflib import get_close_matches  # noqa: PLC0415 - only a fault pays for it

    by_lower_case = {known_name.lower(): known_name for known_name in known}
    matches = get_close_matches(name[:_LONGEST_COMPARED].lower(), by_lower_case, n=1, cutoff=least)
    return by_lower_case[matches[0]] if matches else None


def describe_nearest_name(name: str, known: Iterable[str], listed_by: str = "") -> str:
    """Return the end of a sentence about an unknown name: the nearest, a longer one, or those with its word.

    Where none is near, it is the command that lists them, else all names.
    """
    names = list(known)
    begun = (known_name for known_name in names if name and known_name.startswith(name.lower()))
    nearest = find_nearest_name(name, names) or next(begun, None)
    if nearest:
        return f"did you mean {nearest}?"
    parts = {part for known_name in names for part in known_name.lower().split("_")}
    part = find_nearest_name(name, parts, _NEAR_PART)
    if part:
        meant = [known_name for known_name in names if part in known_name.lower().split("_")]
        return f"did you mean {', '.join(meant[:_MOST_MEANT])}?"
    return f"`{listed_by}` lists them" if listed_by else f"there are: {', '.join(names)}"


def measure_edit_distance(left: str, right: str, limit: int) -> int:
    """Return the edits between two names, or `limit + 1` as soon as there must be more.

    An edit inserts, deletes or replaces a letter, or swaps two neighbours (optimal string alignment).
    """
    if abs(len(left) - len(right)) > limit or len(set(left) ^ set(right)) > 2 * limit:
        return limit + 1
    above: list[int] = []
    row = list(range(len(right) + 1))
    for index, letter in enumerate(left, 1):
        older, above, row = above, row, [index]
        for column, other in enumerate(right, 1):
            edits = min(above[column] + 1, row[-1] + 1, above[column - 1] + (letter != other))
            is_swap = index > 1 and column > 1 and letter == right[column - 2] and left[index - 2] == other
            row.append(min(edits, older[column - 2] + 1) if is_swap else edits)
        if min(row) > limit + 1:
            return limit + 1
    return min(row[-1], limit + 1)


@lru_cache(maxsize=8192)
def is_nearly(key: str, known: str, *, strict: bool = True) -> bool:
    """Return whether `key` is probably a misspelling of the known name.

    From 8 letters on two edits are allowed (a swap of neighbours is one edit), below only case,
    separators, a plural s and a swap. A name that differs in a digit or by a negating prefix is another
    name. Where nobody else writes keys, `strict=False` allows one edit from 3 letters on.
    """
    if key == known or max(len(key), len(known)) > _LONGEST_KEY:
        return False
    mine, theirs = key.lower(), known.lower()
    plain_mine, plain_theirs = normalize_key(key), normalize_key(known)
    if plain_mine == plain_theirs:
        return True
    if _has_other_digits(mine, theirs) or _is_negation(plain_mine, plain_theirs):
        return False
    edits = measure_edit_distance(mine, theirs, _MOST_EDITS)
    if measure_edit_distance(plain_mine, plain_theirs, 1) <= 1:
        edits = 1
    if len(known) >= _LONG:
        return edits <= _MOST_EDITS and not (edits > 1 and _has_other_part(mine, theirs))
    if f"{plain_mine}s" == plain_theirs or f"{plain_theirs}s" == plain_mine:
        return True
    is_swap = sorted(plain_mine) == sorted(plain_theirs)
    return edits == 1 and (is_swap or (not strict and len(known) >= _SHORTEST))


def is_mistyped(key: str, known: str) -> bool:
    """Return whether a short key is the known name but for one edit.

    It may be another word (`model`), so that its value must say that it is meant.
    """
    return len(known) >= _SHORT_PART and is_nearly(key, known, strict=False)


@lru_cache(maxsize=8192)
def is_wrapped(key: str, known: str, *, strict: bool = True) -> bool:
    """Return whether the known name stands whole in a longer key: `cur_stuck_exits`, `stuck_exits_value`.

    A part that makes another fact of it (`stuck_exits_limit`) and a digit do not count; nor, where others
    write keys too (`strict`), a name of a single part.
    """
    mine, theirs = split_parts(key), split_parts(known)
    more = len(mine) - len(theirs)
    if len(known) < _SHORT_PART or more < 1 or (strict and len(theirs) < _FEWEST_PARTS):
        return False
    extra = mine[:more] if mine[more:] == theirs else mine[len(theirs) :]
    is_whole = theirs in (mine[more:], mine[: len(theirs)])
    return is_whole and all(part.isalpha() and part not in _OTHER_MEANINGS for part in extra)


def has_all_parts(key: str, words: Collection[str], of_time: bool) -> bool:
    """Return whether a key holds all these words, and no part by which it means a limit or another fact.

    `of_time`: the words are those of a time, to which a unit or a word of time belongs.
    """
    parts = split_parts(key)
    others = _OTHER_MEANINGS - _OF_TIME if of_time else _OTHER_MEANINGS
    return all(any(word in part for part in parts) for word in words) and others.isdisjoint(parts)


@lru_cache(maxsize=8192)
def is_other_fact_of(key: str, known: str) -> bool:
    """Return whether a key is a known name negated, with a digit, or with parts that mean another fact."""
    mine, theirs = split_parts(key), split_parts(known)
    if _is_negation("".join(mine), "".join(theirs)):
        return True
    plain = [part for part in (part.strip("0123456789") for part in mine) if part]
    extra = [part for part in mine if part.strip("0123456789") not in theirs]
    is_whole = theirs in (plain[: len(theirs)], plain[-len(theirs) :])
    return (
        mine != theirs and is_whole and all(not part.isalpha() or part in _OTHER_MEANINGS for part in extra)
    )


def split_parts(name: str) -> list[str]:
    """Return the parts of a name in lower case; in camel case a capital begins one."""
    spaced = _CAPITAL.sub("_", name[:_LONGEST_KEY])
    return [part for part in _PARTS.split(spaced.lower()) if part]


def _has_other_digits(first: str, second: str) -> bool:
    """Return whether the numbers in the two differ; one of many digits may be mistyped."""
    mine, theirs = _get_digits(first), _get_digits(second)
    is_long = min(len(mine), len(theirs)) >= _LONG_NUMBER
    is_other_digit = len(mine) == len(theirs) and sorted(mine) != sorted(theirs)
    is_mistyped = is_long and not is_other_digit and measure_edit_distance(mine, theirs, 1) <= 1
    return mine != theirs and not is_mistyped


def _get_digits(name: str) -> str:
    return "".join(letter for letter in name if letter.isdigit())


def _is_negation(first: str, second: str) -> bool:
    long, short = (first, second) if len(first) > len(second) else (second, first)
    return any(long == prefix + short for prefix in _NEGATIONS)


def _has_other_part(first: str, second: str) -> bool:
    """Return whether a short part of the name is another word in the two: `_id` and `_ts`."""
    mine, theirs = _PARTS.split(first), _PARTS.split(second)
    if len(mine) != len(theirs):
        return False
    return any(
        max(len(left), len(right)) <= _SHORT_PART and measure_edit_distance(left, right, 2) > 1
        for left, right in zip(mine, theirs, strict=True)
    )
