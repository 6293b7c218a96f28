"""The memory: gaps, episodes, reminders, mutes and what an artifact holds."""

from __future__ import annotations

from detector.settings.kinds import one_of, optional
from detector.settings.setting import declare, sec

GAP_SEC = sec("GAP_SEC", 1500, "A longer time between two runs is a gap: nobody looked.")
REOPEN_WITHIN_SEC = sec(
    "REOPEN_WITHIN_SEC", 7200, "A condition that returns within this time continues its episode."
)
ESCALATION_REMIND_SEC = sec(
    "ESCALATION_REMIND_SEC", 3600, "First reminder of what escalates; doubles up to a day; 0 is off."
)
REMIND_AFTER_SEC = sec("REMIND_AFTER_SEC", 0, "First reminder of everything else; 0 is off.")
MUTES = declare("MUTES", "", "path", "TOML file of mutes, each with an end and a reason.", optional)
ARTIFACT = declare(
    "ARTIFACT",
    "full",
    "full or ledger",
    "What an artifact holds: ledger leaves the redacted snapshot out (for public repositories).",
    one_of("full", "ledger"),
)
