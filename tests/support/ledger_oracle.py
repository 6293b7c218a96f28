"""An oracle for one condition's life, written from the contract (DESIGN §6) and not from the code.

It knows a condition only as a history of verdicts and says what must have been told. It is slow and plain.
"""

from __future__ import annotations

from dataclasses import dataclass, field

REOPEN = 7200
GAP = 1500
OBSERVATION = 240
CRITICAL_LASTS, WARNING_LASTS = 480, 1800
RANK = {"warning": 1, "critical": 2}


@dataclass
class Oracle:
    """One condition, one channel that always takes what it is told."""

    money: bool
    told: list[tuple[int, str]] = field(default_factory=list)
    open: bool = False
    listed: bool = False
    worst_told: str | None = None
    escalation_told: bool = False
    firings: list[tuple[int, bool]] = field(default_factory=list)
    goods: int = 0
    good_since: int = 0
    counted: int = 0
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
            if self.firings:
                self.firings.append((at, False))

    def escalates(self, severity: str) -> bool:
        """Whether the firing verdicts in a row last long enough for this severity."""
        lasted, firings, gapped = 0, 0, False
        before: tuple[int, bool] | None = None
        last_firing = 0
        for at, fired in self.firings:
            if fired:
                if before is not None:
                    near = at - last_firing <= GAP
                    gapped = gapped or not near
                    lasted += at - last_firing if near and before[1] else 0
                firings += 1
                last_firing = at
            before = (at, fired)
        enough = CRITICAL_LASTS if severity == "critical" else WARNING_LASTS
        return lasted >= enough or (gapped and firings >= 3)

    def _fires(self, at: int, severity: str) -> None:
        was_good = self.goods > 0 or not self.listed
        again = False
        if not self.listed:
            self.firings = []
        if not self.open:
            within = self.resolved_at is not None and at - self.resolved_at <= REOPEN
            if within:
                again = self.money or not self.returned
                self.returned = self.open = True
            else:
                self.open, self.returned, self.worst_told, self.escalation_told = True, False, None, False
        elif was_good and self.money:
            self.returned = again = True
        self.firings.append((at, True))
        self.listed, self.goods = True, 0
        self._tell(at, severity, again)

    def _tell(self, at: int, severity: str, again: bool) -> None:
        escalates = self.escalates(severity)
        if self.worst_told is None:
            reason = "new"
        elif escalates and not self.escalation_told:
            reason = "escalated"
        elif RANK[severity] > RANK[self.worst_told]:
            reason = "worse"
        elif again:
            reason = "again"
        else:
            return
        self.escalation_told = self.escalation_told or escalates
        if self.worst_told is None or RANK[severity] > RANK[self.worst_told]:
            self.worst_told = severity
        self.told.append((at, reason))

    def _is_good(self, at: int) -> None:
        if not self.open:
            return
        self.listed = False
        if self.goods == 0:
            self.good_since = self.counted = at
            self.goods = 1
        elif at - self.counted >= OBSERVATION:
            self.goods, self.counted = self.goods + 1, at
        calm = REOPEN if self.returned else 0
        if self.goods >= 2 and at - self.good_since >= calm:
            self.open = False
            self.goods = 0
            self.resolved_at = self.good_since
            self.told.append((at, "resolved"))
