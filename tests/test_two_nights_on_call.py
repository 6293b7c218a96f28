"""Two nights as the operator lives them, through real channels on loopback.

Docs/channels.md shows what is made here.

`python -m tests.test_two_nights_on_call` writes the two transcripts into the document anew.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.acks import STALE, Night, stale
from tests.support.pager_server import Incidents, Pager, pager_on_loopback
from tests.support.slack_server import Slack, slack_on_loopback
from tests.support.snapshots import ROOT

DOCUMENT = ROOT / "docs" / "channels.md"
_WIDTH = 150


class Transcript:
    """The runs of one night, and the lines that they and the operator leave."""

    def __init__(self, night: Night, slack: Slack, pagers: dict[str, Pager]) -> None:
        self._night = night
        self._slack = slack
        self._pagers = pagers
        self._seen = 0
        self._seen_by = dict.fromkeys(pagers, 0)
        self._incidents = Incidents(pagers["pagerduty"])
        self.lines: list[str] = []

    def run(self, clock: str, patch: dict[str, Any] | None) -> None:
        """Run at that time; add what every channel received, or that nobody was told."""
        self._night.run(clock, patch)
        told = [("Slack", str(post["text"])) for post in self._slack.posts[self._seen :]]
        self._seen = len(self._slack.posts)
        for kind, pager in self._pagers.items():
            told += [
                (_TITLES[kind], _describe(body))
                for body in pager.taken[self._seen_by[kind] :]
                if self._has_effect(body)
            ]
            self._seen_by[kind] = len(pager.taken)
        for channel, text in told or [("", "(no alert is due)")]:
            self._add(clock, f"{channel}: {text}" if channel else text)

    def _has_effect(self, body: dict[str, Any]) -> bool:
        """Whether PagerDuty had an alert to resolve: it ignores what may be open only after a killed run."""
        key = body.get("dedup_key")
        was_open = key in self._incidents.open
        if key is not None:
            self._incidents.refresh(upto=1)
        return body.get("event_action") != "resolve" or was_open

    def acknowledge(self, clock: str) -> None:
        """Acknowledge the stale heartbeat, as ann does."""
        self._add(clock, f"$ python -m detector ack {STALE} --for 2h --by ann --state memory")
        self._add(clock, self._night.ack(clock, STALE, "--for", "2h").out.decode().strip())

    def _add(self, clock: str, text: str) -> None:
        line = f"{clock}  {' '.join(text.split())}"
        self.lines.append(line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "…")


_TITLES = {"pagerduty": "PagerDuty", "ntfy": "ntfy"}


def _describe(body: dict[str, Any]) -> str:
    if "event_action" in body:
        return f"{body['event_action']} {body.get('payload', {}).get('summary') or body['dedup_key']}"
    return str(body["title"])


@contextmanager
def night(folder: Path) -> Iterator[Transcript]:
    """A night with Slack, PagerDuty, and ntfy on the phone of a colleague for what nobody acknowledged in
    15 minutes.
    """
    with (
        slack_on_loopback() as slack,
        pager_on_loopback("pagerduty") as pagerduty,
        pager_on_loopback("ntfy") as ntfy,
    ):
        environ = {
            "AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook,
            "AEGIS_PT_NTFY_MIN": "escalated,after=900",
            "AEGIS_PT_ESCALATE_AFTER_SEC": "480",
            **pagerduty.environ,
            **ntfy.environ,
        }
        made = Night(folder / "memory", environ)
        made.run("14:50")  # the first message of each channel, which tells that it works
        slack.posts.clear()
        ntfy.taken.clear()
        yield Transcript(made, slack, {"pagerduty": pagerduty, "ntfy": ntfy})


def acknowledged_night(folder: Path) -> list[str]:
    """The night in which somebody answers."""
    stopped, filled = stale("14:54"), {"unknown_fills": 1}
    both = {**stopped, "status_v3": {**stopped["status_v3"], **filled}}
    with night(folder) as made:
        made.run("15:00", stopped)
        made.run("15:10", stopped)
        made.acknowledge("15:12")
        made.run("15:20", both)
        made.run("15:30", None)
        made.run("15:40", None)
        return made.lines


def unanswered_night(folder: Path) -> list[str]:
    """The night in which nobody answers."""
    stopped = stale("14:54")
    with night(folder) as made:
        for clock in ("15:00", "15:10", "15:20", "15:30", "15:40", "15:50", "16:00", "16:10"):
            made.run(clock, stopped)
        return made.lines


NIGHTS = {"acknowledged": acknowledged_night, "unanswered": unanswered_night}


def _block(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- night: {name} -->\n```text\n).*?(```\n)", re.DOTALL)


@pytest.mark.parametrize("name", NIGHTS)
def test_the_document_shows_the_night_as_it_goes(name, tmp_path):
    shown = _block(name).search(DOCUMENT.read_text("utf-8"))
    assert shown is not None
    assert "\n".join(NIGHTS[name](tmp_path)) == shown[0].split("```text\n")[1].removesuffix("\n```\n")


def test_the_one_who_answers_is_let_sleep_and_the_next_rung_too(tmp_path):
    lines = acknowledged_night(tmp_path)
    assert [line[:5] for line in lines if "PagerDuty: trigger" in line] == ["15:10", "15:20"]
    assert not [line for line in lines if "ntfy: " in line and "heartbeat_stale" in line]
    assert [line for line in lines if line.startswith("15:40") and "resolve heartbeat_stale" in line]


def test_where_nobody_answers_the_next_rung_is_told_within_its_time_and_one_run(tmp_path):
    lines = unanswered_night(tmp_path)
    assert [line[:5] for line in lines if "ntfy: " in line][:1] == ["15:30"]
    assert any(line.startswith("16:1") and "Slack: " in line for line in lines), "a reminder"


def main() -> None:
    """Write the transcripts into the document."""
    text = DOCUMENT.read_text("utf-8")
    for name, play in NIGHTS.items():
        shown = _block(name).search(text)
        assert shown is not None
        with tempfile.TemporaryDirectory() as folder:
            lines = "\n".join(play(Path(folder)))
        text = text.replace(shown[0], f"{shown[1]}{lines}\n{shown[2]}")
    DOCUMENT.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
