"""The `gateway` section: the state of the API port by the kernel's tables and a probe.

Shape: `{"host", "port", "listening", "handshake", "server_version", "established", "close_wait"}`, DESIGN
§3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.domain.profile import ReadContext
from detector.domain.section_reading import Reading
from detector.domain.shape import Shape, build_keys

SECTIONS = ("gateway",)
FACTS: Mapping[str, tuple[str, str]] = {
    "port": ("gateway_port", "count"),
    "listening": ("gateway_listening", "flag"),
}
HANDSHAKES = ("ok", "silent", "refused")
_NOT_TRIED = "not_tried"
_SHAPE = Shape(
    build_keys(
        {
            "as_of": "time",
            "host": "text",
            "port": "count",
            "listening": "flag",
            "handshake": "text",
            "server_version": "count",
            "established": "count",
            "close_wait": "count",
        }
    ),
    envelope=True,
    times=("as_of",),
)


def build_shape(context: ReadContext, raw: object) -> Shape:
    """Return the known keys of the section."""
    return _SHAPE


def read(raw: Mapping[str, Any], reading: Reading, context: ReadContext) -> None:
    """Read the port's number and state; a handshake that was not tried is not seen."""
    for key, (fact, kind) in FACTS.items():
        value = reading.read_value(kind, f"gateway.{key}", raw.get(key))
        if value is not None:
            reading.values[fact] = value
    handshake = reading.read_value("text", "gateway.handshake", raw.get("handshake"))
    if handshake in HANDSHAKES:
        reading.values["gateway_handshake"] = handshake
    elif handshake not in (None, _NOT_TRIED):
        reading.add_fault("gateway.handshake", f"is none of {', '.join((*HANDSHAKES, _NOT_TRIED))}")
