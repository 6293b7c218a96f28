"""Signatures: what a condition is about, never a number, an age, a severity or a wording."""

from __future__ import annotations

_C0_END, _C1_START, _C1_END = 0x20, 0x7F, 0xA0
_LINE_SEPARATORS = (0x2028, 0x2029)


def build_signature(name: str, runtime: str, subject: str | None) -> str:
    """Return `<type>:<runtime>[:<subject>]`; a colon or a control character inside is percent-encoded."""
    parts = [name, runtime] if subject is None else [name, runtime, subject]
    return ":".join(encode_part(part) for part in parts)


def encode_part(part: str) -> str:
    """Percent-encode every colon and control character of a part of a signature."""
    if ":" not in part and part.isprintable():
        return part
    return "".join(
        "".join(f"%{byte:02X}" for byte in letter.encode())
        if letter == ":" or _is_control(letter)
        else letter
        for letter in part
    )


def _is_control(letter: str) -> bool:
    code = ord(letter)
    return code < _C0_END or _C1_START <= code < _C1_END or code in _LINE_SEPARATORS
