"""Whether the position is still what was read: an execution after that moment has changed it."""

from __future__ import annotations

from datetime import timedelta

from detector.domain.broker_rows import Execution
from detector.domain.facts import Facts
from detector.formats.times import text_of
from detector.reconciliation.close_check.instrument_match import alike
from detector.reconciliation.close_check.order import CANNOT_TELL, Close, Ended
from detector.reconciliation.close_check.working_exits import may_be_of

_RESOLUTION = timedelta(seconds=1)  # TWS gives the time of an execution in whole seconds, cut off


def no_execution_since(close: Close, facts: Facts, account: str | None) -> None:
    """End where the broker lists an execution that its positions may not hold yet."""
    for one in facts.broker_executions or ():
        if not may_be_of(one.account, account) or alike(close.instrument, one) is False:
            continue
        if _is_before(one, facts):
            continue
        when = "at a time that was not seen" if one.at is None else f"at {text_of(one.at)}"
        raise Ended(
            CANNOT_TELL,
            "moved",
            f"Execution {one.title} {when} may have changed the position since it was read.",
        )


def _is_before(one: Execution, facts: Facts) -> bool:
    if one.at is None or facts.broker_as_of is None:
        return False
    return facts.broker_as_of - one.at >= _RESOLUTION
