"""The `gateway` section: the state of the API port by the kernel's tables and a probe.

Shape: `{"host", "port", "listening", "handshake", "server_version", "established", "close_wait"}`, DESIGN
§3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.domain.profile import ReadContext
from detector.domain.section_reading import Reading

SECTIONS = ("gateway",)


def read(raw: Mapping[str, Any], reading: Reading, context: ReadContext) -> None:
    """Read the port's number, which is different for paper and live accounts."""
    port = reading.read_value("count", "gateway.port", raw.get("port"))
    if port is not None:
        reading.values["gateway_port"] = port
