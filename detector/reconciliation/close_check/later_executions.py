"""Whether the position is still what was read: an execution after that moment has changed it."""

from __future__ import annotations

from datetime import timedelta

from detector.domain.broker_rows import Execution
from detector.domain.facts import Facts
from detector.formats.times import format_time
from detector.reconciliation.close_check.close_order import CANNOT_TELL, CloseOrder, EarlyVerdict
from detector.reconciliation.close_check.instrument_match import match_instrument
from detector.reconciliation.close_check.working_exits import can_be_in_account

_RESOLUTION = timedelta(seconds=1)  # TWS gives the time of an execution in whole seconds, cut off


def check_no_execution_since(order: CloseOrder, facts: Facts, account: str | None) -> None:
    """End where the broker lists an execution that its positions may not hold yet."""
    for execution in facts.broker_executions or ():
        if (
            not can_be_in_account(execution.account, account)
            or match_instrument(order.instrument, execution) is False
        ):
            continue
        if _is_before(execution, facts):
            continue
        when = "at a time that was not seen" if execution.at is None else f"at {format_time(execution.at)}"
        raise EarlyVerdict(
            CANNOT_TELL,
            "moved",
            f"Execution {execution.title} {when} may have changed the position since it was read.",
        )


def _is_before(execution: Execution, facts: Facts) -> bool:
    if execution.at is None or facts.broker_as_of is None:
        return False
    return facts.broker_as_of - execution.at >= _RESOLUTION
