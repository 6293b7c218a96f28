"""The verdict on a close order, as lines for a person and as JSON for a program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

from msgspec import Struct

from detector.domain.gate_report import TruthHeader
from detector.domain.instrument import normalize
from detector.formats.numbers import normalize_number
from detector.formats.times import format_time, format_utc
from detector.reconciliation.close_check.close_order import (
    ALLOW,
    CANNOT_TELL,
    REFUSE,
    CloseDecision,
    CloseOrder,
    CloseVerdict,
)
from detector.reconciliation.freshness import DataAge, describe_age
from detector.reconciliation.position_pairs import describe_held
from detector.reconciliation.repair_plan.trade_claims import TradeClaim
from detector.render.lines import build_header_document, render_header
from detector.settings import TRUTH_MAX_AGE_SEC

_INSTRUMENT_FIELDS = (
    "symbol", "local_symbol", "con_id", "sec_type", "expiry", "strike", "right", "trading_class", "currency",
)  # fmt: skip
_INDENT = "  "


class CloseRequest(Struct, frozen=True):
    """The close order, the age of the broker's data with its limit, and the claims about the trade."""

    close: CloseOrder
    age: DataAge
    header: TruthHeader
    limit_sec: float
    trade: str | None = None
    claims: tuple[TradeClaim, ...] = ()


def to_json_number(quantity: Decimal | None) -> int | float | None:
    """Return a quantity as a JSON number."""
    if quantity is None:
        return None
    return int(quantity) if quantity == quantity.to_integral_value() else float(quantity)


def build_verdict_document(verdict: CloseVerdict, request: CloseRequest) -> dict[str, Any]:
    """Return the verdict as one object; a caller may send the order on its `verdict` alone."""
    instrument = normalize(request.close.instrument)
    fields = {part: getattr(instrument, part) for part in _INSTRUMENT_FIELDS}
    return {
        "verdict": verdict.decision,
        "reason": verdict.reason,
        "summary": verdict.summary,
        "instrument": {"name": request.close.name, **{k: v for k, v in fields.items() if v is not None}},
        "side": verdict.side or request.close.side,
        "quantity": to_json_number(request.close.quantity),
        "broker": {
            "account": request.close.account,
            "position": to_json_number(verdict.position),
            "working": to_json_number(verdict.working),
            "working_exits": list(verdict.exits),
        },
        "as_of": None if request.age.as_of is None else format_time(request.age.as_of),
        "age_sec": None if request.age.seconds is None else normalize_number(request.age.seconds),
        "limit_sec": normalize_number(request.limit_sec),
        "setting": TRUTH_MAX_AGE_SEC.name,
        "header": build_header_document(request.header),
        "trade": None
        if request.trade is None
        else {"name": request.trade, "said": [claim.text for claim in request.claims]},
    }


_FIRST: Mapping[CloseDecision, str] = {
    ALLOW: "send it once, and only before {until}; afterwards ask again.",
    REFUSE: "do not send it, whatever the dashboard shows.",
    CANNOT_TELL: "do not send it from here: look at the broker's own screen, with the account in view, and"
    " decide there.",
}


def render_verdict(verdict: CloseVerdict, request: CloseRequest) -> Iterator[str]:
    """Yield the verdict and its reason, what to do first, then the evidence."""
    yield f"{verdict.decision.replace('_', ' ')}: {verdict.summary}"
    as_of = request.age.as_of
    until = "" if as_of is None else format_utc(as_of + timedelta(seconds=request.limit_sec))
    yield f"{_INDENT}First: {_FIRST[verdict.decision].format(until=until)}"
    yield from (f"{_INDENT}{line}" for line in render_header(request.header))
    yield f"{_INDENT}broker: {_describe_broker(verdict, request)}"
    if request.trade is not None:
        claims = "; ".join(claim.text for claim in request.claims)
        yield f"{_INDENT}{request.trade}: {claims or 'nothing that was read has it'}"
        yield from (f"{_INDENT}{line}" for line in _describe_disagreements(verdict, request))


def _describe_broker(verdict: CloseVerdict, request: CloseRequest) -> str:
    if request.age.as_of is None or request.age.seconds is None:
        return "no reading of a known time"
    position = (
        "position not reported" if verdict.position is None else f"position {describe_held(verdict.position)}"
    )
    when = describe_age(request.age.seconds, request.limit_sec)
    return f"{position}, as of {format_utc(request.age.as_of)}, {when}"


def _describe_disagreements(verdict: CloseVerdict, request: CloseRequest) -> Iterator[str]:
    """Yield a line for each source that contradicts the broker; the broker decides."""
    if verdict.position is None:
        return
    at_broker = describe_held(verdict.position)
    for claim in request.claims:
        if claim.is_open is not None and claim.is_open != bool(verdict.position):
            state = "open" if claim.is_open else "closed"
            yield f"{claim.origin} calls it {state} and the broker shows {at_broker}: the broker decides."
