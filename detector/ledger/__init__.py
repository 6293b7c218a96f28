"""The ledger: what every condition became in this run, and what is owed to which channel, and why.

One entry, `advance`, takes the conditions of the previous run, this run's verdicts, the receipts that
came in since, and `taken_at`. No clock, no outside world. An alert is owed until a receipt says that a
channel took it.
"""

from detector.ledger.advance import LedgerState, advance, list_due_notices
from detector.ledger.delivery_due import add_receipts
from detector.ledger.sessions import ObservedRun, count_run, list_due_days, mark_summarized
from detector.ledger.transitions import RunContext

__all__ = [
    "LedgerState",
    "ObservedRun",
    "RunContext",
    "add_receipts",
    "advance",
    "count_run",
    "list_due_days",
    "list_due_notices",
    "mark_summarized",
]  # fmt: skip
