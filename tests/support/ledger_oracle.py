"""An oracle for one condition's life, written from the contract (DESIGN §6) and not from the code.

It knows a condition only as a history of verdicts and says what must have been told. It is slow and plain.
"""

from __future__ import annotations

from dataclasses import dataclass, field

REOPEN = 7200
RANK = {"warning": 1, "critical": 2}


@dataclass
class Oracle:
    """One condition, one channel that always takes what it is told."""

    money: bool
    told: list[tuple[int, str]] = field(default_factory=list)
    open: bool = False
    listed: bool = False
    worst_told: str | None = None
    goods: int = 0
    good_since: int = 0
    resolved_at: int | None = None
    returned: bool = False

    def look(self, at: int, verdict: str) -> None:
        """See one verdict: `warning`, `critical`, `good` or `unseen`."""
        if verdict in RANK:
            self._fires(at, verdict)
        elif verdict == "good":
            self._is_good(at)
        else:
            self.goods = 0

    def _fires(self, at: int, severity: str) -> None:
        was_good = self.goods > 0 or not self.listed
        if not self.open:
            within = self.resolved_at is not None and at - self.resolved_at <= REOPEN
            if within:
                first_return = not self.returned
                self.returned = True
                self.open = self.listed = True
                self.goods = 0
                worse = RANK[severity] > RANK[self.worst_told or "warning"]
                if worse or first_return or self.money:
                    self._tell(at, "worse" if worse else "again", severity)
                return
            self.open, self.returned, self.worst_told = True, False, None
        elif was_good and self.money:
            self.returned = True
            worse = RANK[severity] > RANK[self.worst_told or "warning"]
            self.listed, self.goods = True, 0
            self._tell(at, "worse" if worse else "again", severity)
            return
        self.listed, self.goods = True, 0
        if self.worst_told is None:
            self._tell(at, "new", severity)
        elif RANK[severity] > RANK[self.worst_told]:
            self._tell(at, "worse", severity)

    def _is_good(self, at: int) -> None:
        if not self.open:
            return
        self.listed = False
        if self.goods == 0:
            self.good_since = at
        self.goods += 1
        calm = REOPEN if self.returned else 0
        if self.goods >= 2 and at - self.good_since >= calm:
            self.open = False
            self.goods = 0
            self.resolved_at = self.good_since
            self.told.append((at, "resolved"))

    def _tell(self, at: int, reason: str, severity: str) -> None:
        if self.worst_told is None or RANK[severity] > RANK[self.worst_told]:
            self.worst_told = severity
        self.told.append((at, reason))
