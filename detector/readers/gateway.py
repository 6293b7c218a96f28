"""The `gateway` section: the state of the API port by the kernel's tables and by a handshake.

Shape: `{"host", "port", "listening", "handshake", "server_version", "established", "close_wait"}`, DESIGN
§3, and `error`, why one of these was not seen. A handshake that was not tried is not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.domain.columns import HANDSHAKE
from detector.domain.profile import ReadContext
from detector.domain.section_reading import Reading
from detector.domain.shape import ANY, TIME_KEYS, Key, Need, Shape, build_keys
from detector.formats.strict_json import redact_excerpt

SECTIONS = ("gateway",)
FACTS: Mapping[str, tuple[str, str]] = {
    "port": ("gateway_port", "count"),
    "listening": ("gateway_listening", "flag"),
    "close_wait": ("gateway_close_wait", "count"),
}
_PLAIN = (
    ("established", "count"),
    ("server_version", "count"),
    ("host", "text"),
    ("handshake_at", "time"),
)  # for people, and checked all the same
_NOT_TRIED = "not_tried"
_HIGHEST_PORT = 65_535
_SHAPE = Shape(
    {
        **TIME_KEYS,
        "error": Key("text"),
        **build_keys({"handshake": HANDSHAKE, **dict(_PLAIN)}),
        **{key: Key(kind, fact=fact) for key, (fact, kind) in FACTS.items()},
    },
    envelope=True,
    needs=(
        Need(("listening",), ANY),
        Need(("handshake",), HANDSHAKE),
        *(Need((key,), kind) for key, (_, kind) in FACTS.items() if kind == "count"),
    ),
)


def build_shape(section: str, context: ReadContext, raw: object) -> Shape:
    """Return the known keys of the section."""
    return _SHAPE


def read(raw: Mapping[str, Any], reading: Reading, context: ReadContext) -> None:
    """Read the port's number and state; a port beyond 65535 is none."""
    for key, (fact, kind) in FACTS.items():
        value = reading.read_value(kind, f"gateway.{key}", raw.get(key))
        if key == "port" and value is not None and not 0 < value <= _HIGHEST_PORT:
            reading.add_fault("gateway.port", f"is {value}, not a port")
        elif value is not None:
            reading.values[fact] = value
    handshake = reading.read_value(HANDSHAKE, "gateway.handshake", raw.get("handshake"))
    if handshake not in (None, _NOT_TRIED):
        reading.values["gateway_handshake"] = handshake
    if raw.get("error"):
        reading.add_fault("gateway.error", f"says what was not seen ({redact_excerpt(str(raw['error']))})")
    for key, kind in _PLAIN:
        reading.read_value(kind, f"gateway.{key}", raw.get(key))
