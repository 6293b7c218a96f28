"""The ledger: what every condition became in this run, and what is owed to which channel, and why.

One entry, `advance`, takes the conditions of the previous run, this run's verdicts, the receipts that
came in since, and `taken_at`. No clock, no outside world. An alert is owed until a receipt says that a
channel took it.
"""

from detector.ledger.advance import Advance, advance, outstanding
from detector.ledger.owed import acknowledged
from detector.ledger.run import Run
from detector.ledger.sessions import Look, summarised, tallied, untold

__all__ = [
    "Advance", "Look", "Run", "acknowledged", "advance", "outstanding", "summarised", "tallied", "untold",
]  # fmt: skip
