"""The power: the UPS from NUT's `upsd`, reading only, or macOS's own supply from `pmset`.

Network protocol of NUT, TCP 3493: `LIST VAR ups`, without a login; `ERR DATA-STALE` and
`DRIVER-NOT-CONNECTED` are not seen, never mains. `pmset -g batt` was not tried on a Mac.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from detector.collectors.collector import Answer, ConfiguredSource, SourceContext, SourceOption
from detector.formats.errors import DENIED, MISSING, STALE, TOO_LARGE, UNREADABLE, ExternalError
from detector.formats.patterns import build_pattern
from detector.settings import UPS, Settings

OPTIONS = (SourceOption("power", (UPS,), "whether the machine runs on the battery of its UPS"),)
PMSET = "pmset"
_PORT = 3493
_MAX_BYTES = 256 * 1024
_VAR = build_pattern(r'VAR \S+ (\S+) "((?:[^"\\]|\\.)*)"')
_ERRORS = {
    "UNKNOWN-UPS": MISSING,
    "DATA-STALE": STALE,
    "DRIVER-NOT-CONNECTED": STALE,
    "ACCESS-DENIED": DENIED,
}
_KEYS = {"ups.status": "status", "battery.charge": "battery_charge", "battery.runtime": "battery_runtime_sec"}
_SUPPLIES = {"AC Power": "OL", "Battery Power": "OB", "UPS Power": "OB"}
_BATTERY = build_pattern(r"(\d{1,3})%;\s*([A-Za-z ]+);\s*(?:(\d{1,3}):(\d\d) remaining)?")


def build_sources(settings: Settings) -> Iterator[ConfiguredSource]:
    """Yield the UPS, where it is named."""
    if settings[UPS]:
        is_mac = settings[UPS] == PMSET
        location = f"{PMSET} (not tried on a Mac)" if is_mac else settings[UPS]
        yield ConfiguredSource("power", UPS, location, _read_pmset if is_mac else _read_ups)


def _read_ups(context: SourceContext) -> Answer:
    name, _, address = context.settings[UPS].partition("@")
    host, _, port = address.rpartition(":") if re.search(r":\d+$", address) else (address, "", "")
    connection = context.open_connection(host.strip("[]"), int(port or _PORT))
    try:
        connection.write(f"LIST VAR {name}\n".encode())
        data = b""
        while not re.search(rb"^(END LIST VAR|ERR ).*\n", data, re.MULTILINE):
            chunk = connection.read(4096)
            if not chunk:
                raise ExternalError("upsd hung up", reason=UNREADABLE)
            data += chunk
            if len(data) > _MAX_BYTES:
                raise ExternalError("upsd answers with more than a UPS has", reason=TOO_LARGE)
        connection.write(b"LOGOUT\n")
    finally:
        connection.close()
    return Answer(parse_ups_variables(data.decode("utf-8", "replace")), context.clock())


def parse_ups_variables(text: str) -> dict[str, Any]:
    """Read the answer of `LIST VAR`; raises ExternalError where it is an error or names no status."""
    error = re.search(r"^ERR (\S+)", text, re.MULTILINE)
    if error:
        raise ExternalError(f"upsd says {error[1]}", reason=_ERRORS.get(error[1], UNREADABLE))
    values = {match[1]: re.sub(r"\\(.)", r"\1", match[2]) for match in _VAR.finditer(text)}
    if not values.get("ups.status", "").strip():
        raise ExternalError("upsd names no ups.status", reason=UNREADABLE)
    return {key: values[name] for name, key in _KEYS.items() if name in values}


def _read_pmset(context: SourceContext) -> Answer:
    return Answer(parse_pmset(context.run_tool(PMSET, "-g", "batt").output), context.clock())


def parse_pmset(text: str) -> dict[str, Any]:
    """Read `pmset -g batt`; raises ExternalError where it does not say what the machine draws from."""
    source = re.search(r"Now drawing from '([^']+)'", text)
    if source is None or source[1] not in _SUPPLIES:
        raise ExternalError("pmset does not say what the machine draws from", reason=UNREADABLE)
    section: dict[str, Any] = {"status": _SUPPLIES[source[1]]}
    battery = _BATTERY.search(text)
    if battery:
        section["battery_charge"] = int(battery[1])
        if battery[3] and "discharging" in battery[2]:
            section["battery_runtime_sec"] = int(battery[3]) * 3600 + int(battery[4]) * 60
    return section
