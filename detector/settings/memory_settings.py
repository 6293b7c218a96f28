"""The memory: gaps, episodes, reminders, mutes and what an artifact holds."""

from __future__ import annotations

from detector.settings.parsers import build_choice_parser, parse_optional
from detector.settings.setting import add_seconds, add_setting

GAP_SEC = add_seconds("GAP_SEC", 1500, "A longer time between two runs is a gap: nobody looked.")
REOPEN_WITHIN_SEC = add_seconds(
    "REOPEN_WITHIN_SEC", 7200, "A condition that returns within this time continues its episode."
)
ESCALATION_REMIND_SEC = add_seconds(
    "ESCALATION_REMIND_SEC", 3600, "First reminder of what escalates; doubles up to a day; 0 is off."
)
REMIND_AFTER_SEC = add_seconds("REMIND_AFTER_SEC", 0, "First reminder of everything else; 0 is off.")
MUTES = add_setting("MUTES", "", "path", "TOML file of mutes, each with an end and a reason.", parse_optional)
ARTIFACT = add_setting(
    "ARTIFACT",
    "full",
    "full or ledger",
    "What an artifact holds: ledger leaves the redacted snapshot out (for public repositories).",
    build_choice_parser("full", "ledger"),
)
