"""The ledger of alerts: the state of each condition after a run, and the notices that are due to a channel.

`advance` takes the conditions of the previous run with all receipts since, this run's verdicts and its
`taken_at`; it reads no clock. A notice is due until a receipt records that the channel accepted it.
"""

from detector.ledger.acknowledge import AppliedAcks, apply_acknowledgements, join_late_acknowledgements
from detector.ledger.advance import LedgerState, advance, list_due_notices
from detector.ledger.delivery_due import add_receipts, is_silenced_by_ack
from detector.ledger.run_context import RunContext
from detector.ledger.sessions import ObservedRun, count_run, list_due_days, mark_summarized

__all__ = [
    "AppliedAcks",
    "LedgerState",
    "ObservedRun",
    "RunContext",
    "add_receipts",
    "advance",
    "apply_acknowledgements",
    "count_run",
    "is_silenced_by_ack",
    "join_late_acknowledgements",
    "list_due_days",
    "list_due_notices",
    "mark_summarized",
]  # fmt: skip
