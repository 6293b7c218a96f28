"""Margin: the account keeps a cushion above what its positions need."""

from __future__ import annotations

from collections.abc import Iterator

from detector.domain.broker_rows import AccountValue
from detector.domain.facts import Facts, known
from detector.domain.rule import (
    CRITICAL,
    NOW,
    STATE,
    WARNING,
    Finding,
    Lasts,
    Limits,
    RuleResults,
    Undecided,
    falls_below,
    rule,
)
from detector.settings import CUSHION_CRITICAL, CUSHION_WARN

_CUSHION, _LOOK_AHEAD = "cushion", "lookaheadexcessliquidity"


@rule(
    STATE,
    "warning / critical",
    sees=["account_values"],
    severity_inputs=["broker_account"],
    limits=[falls_below(CUSHION_WARN), falls_below(CUSHION_CRITICAL)],
    money=True,
    escalates=Lasts(observations=NOW.observations, at=CRITICAL),
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The account's cushion is below its limit, or its look-ahead excess liquidity is negative."""
    own = [row for row in known(facts.account_values) if _is_own(row, facts.broker_account)]
    if "account_values" in facts.provenance.partial or _find_lowest(own, _CUSHION) is None:
        yield Undecided("the account's values were not seen in full")
    accounts = sorted({row.account for row in own if row.account})
    if len(accounts) <= 1:
        yield from _check_account(own, None, limits)
        return
    for account in accounts:
        yield from _check_account([row for row in own if row.account in (None, account)], account, limits)


def _check_account(rows: list[AccountValue], subject: str | None, limits: Limits) -> Iterator[Finding]:
    cushion, look_ahead = _find_lowest(rows, _CUSHION), _find_lowest(rows, _LOOK_AHEAD)
    owner = f"account {subject}" if subject else "the account"
    if look_ahead is not None and look_ahead < 0:
        yield Finding(
            CRITICAL,
            f"The look-ahead excess liquidity of {owner} is {look_ahead:g}: at its next change of margin the"
            " broker may close positions by itself.",
            subject=subject,
            observed=look_ahead,
        )
        return
    for setting, severity in ((CUSHION_CRITICAL, CRITICAL), (CUSHION_WARN, WARNING)):
        if cushion is not None and limits.is_broken(setting, cushion):
            yield Finding(
                severity,
                f"The cushion of {owner} is {cushion:g} ({severity} below {limits[setting]:g}).",
                subject=subject,
                observed=cushion,
                limit=setting,
            )
            return


def _is_own(row: AccountValue, account: str | None) -> bool:
    return account is None or row.account in (None, account)


def _find_lowest(rows: list[AccountValue], tag: str) -> float | None:
    values = [row.value for row in rows if row.value is not None and (row.tag or "").lower() == tag]
    return min(values, default=None)
