"""Local runtime: the machine runs on mains, not on the battery of its UPS."""

from __future__ import annotations

from detector.domain.facts import EXPOSURE_FACTS, Facts, known
from detector.domain.rule import (
    CRITICAL,
    NOW,
    STATE,
    WARNING,
    Finding,
    Lasts,
    Limits,
    RuleResults,
    falls_below,
    rule,
)
from detector.formats.numbers import format_count
from detector.formats.times import format_duration, format_exactly
from detector.settings import UPS_RUNTIME_SEC

_BATTERY = ("OB", "FSD")  # upsd(8): on battery, forced shutdown
_URGENT = ("LB", "FSD")


@rule(
    STATE,
    "warning; critical with positions open or unknown, or with the battery nearly empty",
    sees=["power_status"],
    severity_inputs=[
        "battery_charge",
        "battery_runtime_sec",
        *EXPOSURE_FACTS,
    ],
    limits=[falls_below(UPS_RUNTIME_SEC)],
    escalates=Lasts(observations=NOW.observations, at=CRITICAL),
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The UPS runs on its battery."""
    status = known(facts.power_status)
    if not any(state in status for state in _BATTERY):
        return
    left = facts.battery_runtime_sec
    is_short = left is not None and limits.is_broken(UPS_RUNTIME_SEC, left)
    is_low = is_short or any(state in status for state in _URGENT)
    yield Finding(
        CRITICAL if is_low or facts.exposure != 0 else WARNING,
        f"The UPS is on battery{' and nearly empty' if is_low else ''}{_describe_battery(facts)},"
        f" with {_describe_exposure(facts.exposure)}"
        f" (critical below {format_exactly(limits[UPS_RUNTIME_SEC])} of runtime).",
        observed=left,
        limit=UPS_RUNTIME_SEC if is_short else None,
        facts=("power_status",),
    )


def _describe_battery(facts: Facts) -> str:
    parts = []
    if facts.battery_charge is not None:
        parts.append(f"{facts.battery_charge:g} %")
    if facts.battery_runtime_sec is not None:
        parts.append(f"{format_duration(facts.battery_runtime_sec)} left")
    return f" ({', '.join(parts)})" if parts else ""


def _describe_exposure(count: int | None) -> str:
    return "an unknown number of open positions" if count is None else format_count(count, "open position")
