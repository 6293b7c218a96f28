"""Reconciliation: a proof follows each start, reconnect and close, and shows equal positions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from detector.domain.facts import Facts, known
from detector.domain.rule import (
    CRITICAL,
    NOW,
    STATE,
    WARNING,
    Finding,
    Limits,
    RuleResults,
    Undecided,
    exceeds,
    rule,
)
from detector.formats.times import compute_seconds, format_above, format_over, format_utc
from detector.logs.events import MISMATCH, LogHistory
from detector.settings import RECONCILE_PROOF_SEC


@rule(
    STATE,
    "warning; critical and money where the newest line says that positions differ or are missing",
    sees=["logs"],
    severity_inputs=["engine_started_at", "recent_trades"],
    limits=[exceeds(RECONCILE_PROOF_SEC)],
    reads_back=RECONCILE_PROOF_SEC,
    signal="reconciliation",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A start, a reconnect or a close was not followed by a proof of reconciliation in the log."""
    history = known(facts.logs)
    verdict = history.verdict
    if verdict is not None and verdict.kind == MISMATCH:
        yield Finding(
            CRITICAL,
            f"The log said at {format_utc(verdict.at)} that broker and internal positions differ"
            f" ({verdict.note}).",
            money=True,
            escalates=NOW,
        )
        return
    due_since = min(_iter_due_proofs(facts, history), default=None)
    if due_since is None:
        if history.proven_at is None:
            yield Undecided("no proof of reconciliation was seen in the logs", ())
        return
    waited = compute_seconds(due_since, history.to)
    if not limits.is_broken(RECONCILE_PROOF_SEC, waited):
        return
    if history.since > due_since:
        yield Undecided(
            f"the logs that were seen begin after {format_utc(due_since)}, when a proof became due"
        )
        return
    yield Finding(
        WARNING,
        f"No proof of reconciliation followed in the log since {format_utc(due_since)},"
        f" for {format_above(waited, limits[RECONCILE_PROOF_SEC])} "
        f"({format_over(limits[RECONCILE_PROOF_SEC])}).",
        observed=waited,
        limit=RECONCILE_PROOF_SEC,
        proven_sec=waited - limits[RECONCILE_PROOF_SEC],
    )


def _iter_due_proofs(facts: Facts, history: LogHistory) -> Iterator[datetime]:
    """Yield the times at which a proof became due that has not followed, by the logs and the payloads."""
    if history.proof_due_since is not None:
        yield history.proof_due_since
    closed = (trade.closed_at for trade in facts.recent_trades or ())
    for at in (facts.engine_started_at, *closed):
        if at is not None and (history.proven_at is None or at > history.proven_at):
            yield at
