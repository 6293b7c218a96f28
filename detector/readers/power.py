"""The `power` section: the UPS in NUT's words (Network UPS Tools, `ups.status`, `battery.*`).

Shape: `{"status": "OB LB", "battery_charge": 42, "battery_runtime_sec": 600}`, DESIGN §3; NUT writes every
value as text, so that a number may be text too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.domain.profile import ReadContext
from detector.domain.section_reading import Reading
from detector.domain.shape import ANY, TIME_KEYS, Key, Need, Shape
from detector.formats.strict_json import redact_excerpt

SECTIONS = ("power",)
# Network UPS Tools, developer guide: "Status data" of new drivers.
_WORDS = frozenset([
    "OL", "OB", "LB", "HB", "RB", "CHRG", "DISCHRG", "BYPASS", "CAL", "OFF", "OVER", "TRIM", "BOOST", "FSD",
    "ALARM", "ECO", "TEST", "WAIT", "OVERHEAT",
])  # fmt: skip
_SHAPE = Shape(
    {
        **TIME_KEYS,
        "status": Key("text", fact="power_status"),
        "battery_charge": Key("number", fact="battery_charge"),
        "battery_runtime_sec": Key("number", fact="battery_runtime_sec"),
    },
    envelope=True,
    needs=(Need(("status",), ANY),),
)


def build_shape(section: str, context: ReadContext, raw: object) -> Shape:
    """Return the known keys of the section."""
    return _SHAPE


def read(raw: Mapping[str, Any], reading: Reading, context: ReadContext) -> None:
    """Read the status words in upper case, and what the battery still holds."""
    reading.is_export = True
    status = reading.read_value("text", "power.status", raw.get("status"))
    if status is not None and status.strip() and _WORDS.isdisjoint(status.upper().split()):
        reading.add_fault("power.status", f"is {redact_excerpt(status)}, which is no state of NUT")
    elif status is not None:
        reading.values["power_status"] = tuple(status.upper().split())
    for key in ("battery_charge", "battery_runtime_sec"):
        value = reading.read_value("number", f"power.{key}", raw.get(key))
        if value is not None and value < 0:
            reading.add_fault(f"power.{key}", f"is {value:g}, not a number of 0 or more")
        elif value is not None:
            reading.values[key] = value
