"""The shape of a line: its text without the digits, and the numbers and times that stand in it.

Lines of one shape report the same, but for the numbers whose value decides and those that the report quotes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from detector.formats.patterns import build_pattern
from detector.logs.codes import CODES, IBC_EXIT_RANGE, WARNING_BAND
from detector.logs.parse.gateway_matchers import IB_PORTS
from detector.logs.parse.records import NUMBERED_LEVELS

# A date, a time of day or a number.
_NUMBER: Final = build_pattern(
    r"\d{4}[-/.]\d\d[-/.]\d\d(?!\d)|\d\d:\d\d:\d\d(?:[.,:]\d{2,9})?(?!\d)|\d+", re.ASCII
)
# Numbers whose value decides what a line reports: codes, exit codes, ports, levels, HTTP's 429, errno, small
# counts.
_DECISIVE: Final = frozenset(
    str(number)
    for number in (
        *range(32), *CODES, *WARNING_BAND, *IBC_EXIT_RANGE, *(code % 256 for code in IBC_EXIT_RANGE),
        *IB_PORTS, *NUMBERED_LEVELS, 429,
    )
)  # fmt: skip
_ID: Final = build_pattern(rb"(?<![A-Za-z7])[A-Fa-f7-]{8,}+(?![A-Za-z])")
_CODE_LONG: Final = build_pattern(rb"(?<!7)7{3,5}(?!7)")
_ENDS: Final = tuple(str(number) for number in range(41, 60) if str(number) not in _DECISIVE)
_ONE_DIGIT: Final = bytes(ord("7") if chr(code) in "0123456789" else code for code in range(256))
_SEVENS: Final = str.maketrans("0123456789", "7" * 10)


LONGEST_MASKED: Final = 1000
"""The number of characters of a line that its mask has."""


def mask_digits(line: str) -> bytes:
    """Return the shape of a line, cut: its bytes with every digit the same; far faster than a pattern."""
    return line[:LONGEST_MASKED].encode("utf-8", "surrogatepass").translate(_ONE_DIGIT)


def mask_ids(masked: bytes) -> bytes:
    """Return the shape with each id of 8 and more hexadecimal digits as a 7."""
    return _ID.sub(b"7", masked)


def find_spans(line: str) -> tuple[tuple[int, int], ...]:
    """Return where the numbers and times of a line stand: the same places in every line of its shape."""
    return tuple(hit.span() for hit in _NUMBER.finditer(line))


def find_code_spans(masked: bytes) -> tuple[tuple[int, int], ...]:
    """Return where the numbers stand that are as long as a code."""
    return tuple(hit.span() for hit in _CODE_LONG.finditer(masked))


def build_signature(numbers: Sequence[str]) -> tuple[str | int, ...]:
    """Return what decides between lines of one shape: a number's value, or which of the others it equals."""
    if _DECISIVE.isdisjoint(numbers) and len(set(numbers)) == len(numbers):
        return ()  # by far the commonest
    ranks: dict[str, int] = {}
    return tuple(
        number if number in _DECISIVE else ranks.setdefault(number, len(ranks)) for number in numbers
    )


def build_stand_ins(numbers: Sequence[str]) -> dict[str, str] | None:
    """Return a text that decides nothing for each number that does not, or None where they are too many.

    It is as long as its number, and different for different numbers.
    """
    others = [number for number in dict.fromkeys(numbers) if number not in _DECISIVE]
    if len(others) > len(_ENDS):
        return None
    return {number: number[:-2].translate(_SEVENS) + end for number, end in zip(others, _ENDS, strict=False)}


def replace_numbers(text: str, replacements: dict[str, str]) -> str:
    """Return the text with these of its numbers and times replaced."""
    return _NUMBER.sub(lambda hit: replacements.get(hit[0], hit[0]), text)


def split_stand_ins(text: str, indices: Mapping[str, int]) -> tuple[str | int, ...]:
    """Return the text as parts: each stand-in as the index of its number, and what stands between them."""
    parts: list[str | int] = []
    end = 0
    for hit in _NUMBER.finditer(text):
        if hit[0] in indices:
            parts += [text[end : hit.start()], indices[hit[0]]]
            end = hit.end()
    return (*parts, text[end:])


def join_parts(parts: tuple[str | int, ...], numbers: Sequence[str]) -> str:
    """Return the text of these parts with a line's own numbers."""
    if len(parts) == 1:
        return str(parts[0])
    return "".join([part if isinstance(part, str) else numbers[part] for part in parts])
