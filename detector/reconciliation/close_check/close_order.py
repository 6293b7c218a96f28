"""A close order that is asked about, and the answer: may it be sent? Three words, and only one of them sends."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from detector.domain.instrument import Instrument, get_instrument_name

CloseDecision = Literal["allow", "refuse", "cannot_tell"]
ALLOW: Final = "allow"
REFUSE: Final = "refuse"
CANNOT_TELL: Final = "cannot_tell"
BUY, SELL = "BUY", "SELL"


@dataclass(frozen=True, slots=True)
class CloseOrder:
    """The order that is asked about: so many of an instrument; `side` is None where the position decides."""

    instrument: Instrument
    quantity: Decimal
    side: str | None = None
    account: str | None = None

    @property
    def name(self) -> str:
        """Return the instrument's one name."""
        return get_instrument_name(self.instrument)


@dataclass(frozen=True, slots=True)
class CloseVerdict:
    """The answer, its reason as one stable word and as a sentence, and what of the broker's rows it rests on.

    `position` is signed. `working` is what the exits that work already can still fill, `exits` names them.
    """

    decision: CloseDecision
    reason: str
    summary: str
    side: str | None = None
    position: Decimal | None = None
    working: Decimal | None = None
    exits: tuple[str, ...] = ()


class EarlyVerdict(Exception):  # noqa: N818 - an answer, not a fault
    """The answer was found: nothing further is looked at."""

    def __init__(self, decision: CloseDecision, reason: str, summary: str) -> None:
        super().__init__(summary)
        self.verdict = CloseVerdict(decision, reason, summary)


def build_unknown_verdict(reason: str, summary: str) -> CloseVerdict:
    """Return the verdict that nothing can be told, and why."""
    return CloseVerdict(CANNOT_TELL, reason, summary)
