"""The answer to a close order, for a person and for a button."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from detector.domain.instrument import format_quantity, normalize
from detector.formats.times import text_of, whole
from detector.reconciliation.close_check.order import CloseOrder, CloseVerdict
from detector.reconciliation.freshness import DataAge, describe_age
from detector.reconciliation.repair_plan.trade_claims import TradeClaim

_SHOWN = ("symbol", "con_id", "sec_type", "expiry", "strike", "right")
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked, and what the answer rests on: the broker's age and its limit, what is said of the trade."""

    close: CloseOrder
    age: DataAge
    limit_sec: float
    setting: str
    trade: str | None = None
    said: tuple[TradeClaim, ...] = ()


def number(quantity: Decimal | None) -> int | float | None:
    """Return a quantity as JSON writes it."""
    if quantity is None:
        return None
    return int(quantity) if quantity == quantity.to_integral_value() else float(quantity)


def verdict_document(verdict: CloseVerdict, asked: Asked) -> dict[str, Any]:
    """Return the answer as one object; its `verdict` is the only word that may send the order."""
    instrument = normalize(asked.close.instrument)
    shown = {part: getattr(instrument, part) for part in _SHOWN}
    return {
        "verdict": verdict.decision,
        "reason": verdict.reason,
        "summary": verdict.summary,
        "instrument": {"name": asked.close.name, **{k: v for k, v in shown.items() if v is not None}},
        "side": verdict.side or asked.close.side,
        "quantity": number(asked.close.quantity),
        "broker": {
            "account": asked.close.account,
            "position": number(verdict.position),
            "working": number(verdict.working),
            "working_exits": list(verdict.exits),
        },
        "as_of": None if asked.age.as_of is None else text_of(asked.age.as_of),
        "age_sec": None if asked.age.seconds is None else whole(asked.age.seconds),
        "limit_sec": whole(asked.limit_sec),
        "setting": asked.setting,
        "trade": None
        if asked.trade is None
        else {"name": asked.trade, "said": [one.text for one in asked.said]},
    }


def verdict_lines(verdict: CloseVerdict, asked: Asked) -> Iterator[str]:
    """Yield the answer for a person: the word and why, then what it rests on."""
    yield f"{verdict.decision.replace('_', ' ')}: {verdict.summary}"
    yield f"{_INDENT}broker: {_broker(verdict, asked)}"
    if asked.trade is not None:
        known = "; ".join(one.text for one in asked.said)
        yield f"{_INDENT}{asked.trade}: {known or 'no place that was read knows it'}"
        yield from (f"{_INDENT}{line}" for line in _disagreements(verdict, asked))


def _broker(verdict: CloseVerdict, asked: Asked) -> str:
    if asked.age.as_of is None or asked.age.seconds is None:
        return "not read, or not known when"
    held = "position not told" if verdict.position is None else f"position {format_quantity(verdict.position)}"
    when = describe_age(asked.age.seconds, asked.limit_sec)
    return f"{held}, as of {text_of(asked.age.as_of)}, {when}"


def _disagreements(verdict: CloseVerdict, asked: Asked) -> Iterator[str]:
    """Yield every place that says something else than the broker; the broker decides all the same."""
    if verdict.position is None:
        return
    at_broker = "flat" if not verdict.position else format_quantity(verdict.position)
    for one in asked.said:
        if one.is_open is not None and one.is_open != bool(verdict.position):
            yield f"{one.origin} calls it {'open' if one.is_open else 'closed'} and the broker shows {at_broker}: the broker decides."
