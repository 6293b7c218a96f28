"""The `power` section: the UPS in NUT's words (Network UPS Tools, `ups.status`, `battery.*`).

Shape: `{"status": "OB LB", "battery_charge": 42, "battery_runtime_sec": 600}`, DESIGN §3; NUT writes every
value as text, so that a number may be text too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.domain.columns import UPS_STATUS
from detector.domain.profile import ReadContext
from detector.domain.section_reading import Reading
from detector.domain.shape import ANY, TIME_KEYS, Key, Need, Shape

SECTIONS = ("power",)
_SUPPLIES = ("OL", "OB", "FSD")  # upsd(8): on line, on battery, forced shutdown
_SHAPE = Shape(
    {
        **TIME_KEYS,
        "status": Key(UPS_STATUS, fact="power_status"),
        "battery_charge": Key("number", fact="battery_charge"),
        "battery_runtime_sec": Key("number", fact="battery_runtime_sec"),
    },
    envelope=True,
    needs=(
        Need(("status",), ANY),
        Need(("battery_charge",), "number"),
        Need(("battery_runtime_sec",), "number"),
    ),
)


def build_shape(section: str, context: ReadContext, raw: object) -> Shape:
    """Return the known keys of the section."""
    return _SHAPE


def read(raw: Mapping[str, Any], reading: Reading, context: ReadContext) -> None:
    """Read the status words in upper case, and what the battery still holds."""
    reading.is_export = True
    status = reading.read_value("text", "power.status", raw.get("status"))
    words = [reading.read_value(UPS_STATUS, "power.status", word) for word in (status or "").split()]
    if any(word in words for word in _SUPPLIES):
        reading.values["power_status"] = tuple(filter(None, words))
    elif status and all(words):
        reading.add_fault("power.status", f"says neither OL nor OB ({' '.join(words)})")
    for key in ("battery_charge", "battery_runtime_sec"):
        value = reading.read_value("number", f"power.{key}", raw.get(key))
        if value is not None and value < 0:
            reading.add_fault(f"power.{key}", f"is {value:g}, not a number of 0 or more")
        elif value is not None:
            reading.values[key] = value
