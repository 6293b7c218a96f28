"""Positions: nothing is carried into an exercise, an assignment or a delivery unnoticed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from decimal import Decimal

from msgspec import Struct

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, get_instrument_name, normalize
from detector.domain.instrument_names import FUTURE
from detector.domain.rule import CRITICAL, RTH, STATE, WARNING, Finding, Limits, RuleResults, Undecided, rule
from detector.formats.numbers import format_quantity, to_exact_decimal
from detector.market.hours import load_zone
from detector.market.session_plan import NEW_YORK
from detector.reconciliation.expiry import (
    EXPIRED,
    ContractKey,
    build_contract_key,
    count_sessions_left,
    get_expiry_state,
    is_cash_settled,
    is_last_day_missing,
)
from detector.reconciliation.position_pairs import describe_held

_FROM, _CRITICAL_FROM = time(10), time(15)  # New York
_LAST_HOUR = timedelta(hours=1)
_FUTURE_SESSIONS = 3  # EVENTS: of a future the last three sessions count


class _Holding(Struct, frozen=True):
    """What somebody lists as held: the instrument, the quantity (None: unknown) and whose list it is."""

    instrument: Instrument
    quantity: Decimal | None
    holder: str

    @property
    def is_short(self) -> bool:
        """Whether its quantity is known and below zero."""
        return self.quantity is not None and self.quantity < 0


@rule(
    STATE,
    "warning; critical from 15:00 New York time",
    any_of=["broker_positions", "open_positions", "store_positions"],
    severity_inputs=["broker_account"],
    during=RTH,
    signal="exit_safety",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A short or physically settled position is still open in its last session (a future: the last three)."""
    local_now = facts.taken_at.astimezone(load_zone(NEW_YORK))
    if local_now.time() < _FROM:
        return
    reported: set[ContractKey] = set()
    for holding in _iter_holdings(facts):
        sessions = _count_sessions(holding, facts, local_now)
        is_unclear = holding.instrument.is_vague or is_last_day_missing(holding.instrument)
        if sessions is None and not is_unclear:
            continue
        name = get_instrument_name(holding.instrument)
        if is_unclear:
            yield Undecided(f"{name} is not named in full")
        if sessions is None or (key := build_contract_key(holding.instrument)) in reported:
            continue
        is_harmless = is_cash_settled(holding.instrument)
        if is_harmless and holding.quantity is None:
            yield Undecided(f"whether {name} is short was not seen", [name])
        elif not is_harmless or holding.is_short:
            reported.add(key)
            yield _build_finding(holding, name, sessions, _is_late(local_now, facts))


def _count_sessions(holding: _Holding, facts: Facts, local_now: datetime) -> int | None:
    """Return the sessions that are left, the last one included; None where its end is not near or is past."""
    sessions = count_sessions_left(holding.instrument, local_now.date())
    limit = _FUTURE_SESSIONS if normalize(holding.instrument).sec_type == FUTURE else 1
    if sessions is None or sessions > limit:
        return None
    return None if get_expiry_state(holding.instrument, facts.taken_at) == EXPIRED else sessions


def _iter_holdings(facts: Facts) -> Iterator[_Holding]:
    """Yield what is held: by the broker in the runtime's account, then by the runtime."""
    for row in facts.broker_positions or ():
        if row.is_in_account(facts.broker_account) and row.quantity != 0:
            yield _Holding(row, to_exact_decimal(row.quantity), "at the broker")
    for listed in (facts.open_positions, facts.store_positions):
        for position in listed or ():
            if position.signed_quantity != 0:
                yield _Holding(position, position.signed_quantity, "in the runtime")


def _is_late(local_now: datetime, facts: Facts) -> bool:
    """Whether it is 15:00 or, where the session ends early, its last hour."""
    closes_at = facts.market.closes_at
    ends = closes_at is not None and facts.taken_at >= closes_at - _LAST_HOUR
    return local_now.time() >= _CRITICAL_FROM or ends


def _build_finding(holding: _Holding, name: str, sessions: int, is_late: bool) -> Finding:
    quantity = "an unknown quantity of" if holding.quantity is None else describe_held(holding.quantity)
    when = "today" if sessions == 1 else f"in {sessions} sessions"
    result = "assignment" if holding.is_short else "delivery"
    if holding.quantity is None:
        result = "assignment or delivery"
    if is_cash_settled(holding.instrument):
        result = "cash settlement"
    return Finding(
        CRITICAL if is_late else WARNING,
        f"{quantity.capitalize()} {name} is still open {holding.holder}, and its last session is"
        f" {when}: what is left goes to {result}.",
        subject=name,
        observed=None if holding.quantity is None else format_quantity(holding.quantity),
    )
