"""Gateway: its next login comes by itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from detector.domain.facts import Facts, known
from detector.domain.log_incidents import describe_span
from detector.domain.rule import (
    CRITICAL,
    STATE,
    WARNING,
    Finding,
    Lasts,
    Limits,
    RuleResults,
    Undecided,
    rule,
)
from detector.logs.events import MAX_NEWS_AGE, REFUSED, SECOND_FACTOR_ASKED, TIMED_OUT
from detector.logs.outages import find_logins_due

_ANSWERED_WITHIN = timedelta(seconds=180)  # facts of IBC: a second factor takes 60 to 180 s
_BEFORE_OPEN_SEC = 3 * 3600


@rule(
    STATE,
    "warning; critical from 3 h before the next session",
    sees=["logs"],
    given=["gateway_failure"],
    reads_back=MAX_NEWS_AGE.total_seconds(),
    escalates=Lasts(observations=1, at=CRITICAL),
    signal="gateway",
)
def check(facts: Facts, limits: Limits, findings: Mapping[str, list[Finding]]) -> RuleResults:
    """A login is due that a person must complete: no restart file, a second factor, a re-login."""
    spells = find_logins_due(known(facts.logs))
    newest = spells[-1] if spells else None
    if newest is None or newest.until is not None:
        return
    is_asked = newest.note == SECOND_FACTOR_ASKED
    if is_asked and facts.taken_at - newest.since <= _ANSWERED_WITHIN:
        yield Undecided("a second factor was asked for less than 3 min ago")
    elif any(failure.note not in (REFUSED, TIMED_OUT) for failure in findings["gateway_failure"]):
        # One that only did not answer says nothing of a login.
        yield Undecided("the gateway failed, and that says it already")
    else:
        problem = "the second factor was asked for and not completed" if is_asked else newest.note
        yield Finding(
            CRITICAL if _is_near_session(facts) else WARNING,
            f"The gateway needs a person to log in: {problem}, {describe_span(newest)}.",
        )


def _is_near_session(facts: Facts) -> bool:
    opens_in = facts.market.opens_in
    return facts.market.is_open is not False or (opens_in is not None and opens_in <= _BEFORE_OPEN_SEC)
