"""The fifteen scenarios with real channels.

Every shipped timeline again, told to a loopback Slack and a mail server.

The same timelines say what must be told as for the pure ledger (tests/test_timeline.py); here what counts is
what arrived. Reminders are off, because the timelines are written for standard output, which is never
reminded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from detector.app.delivery import deliver, load_channels
from detector.app.job import get_rungs
from detector.render.document import build_artifact_document
from tests.support.deliveries import QUICK, door_of
from tests.support.loopback import says
from tests.support.slack_server import Slack, everything, slack_on_loopback
from tests.support.smtp_server import Mailbox, mail_on_loopback
from tests.support.timeline_runner import TimelineRunner
from tests.support.timeline_script import Step, Timeline
from tests.support.timelines import load_timelines

TIMELINES = load_timelines()
_ITEM = re.compile(
    r"^\*(CRITICAL|WARNING|ESCALATE|RESOLVED|UNWATCHED|MISSED \(\w+\))\* {2}\*([\w &;·./<>%:-]+?)\*(?::|$)",
    re.MULTILINE,
)
_MAIL_ITEM = re.compile(
    r"^(CRITICAL|WARNING|ESCALATE|RESOLVED|UNWATCHED|MISSED \(\w+\)) {2}([^\s:]+(?: · \S.*?)?)(?:: .*)?$",
    re.MULTILINE,
)
_ENDS = {"resolved": "RESOLVED", "missed": "MISSED", "retired": "UNWATCHED", "no longer watched": "UNWATCHED"}


@dataclass
class Stage:
    """One timeline on its way: the runner for what is evaluated, real servers for what is told."""

    runner: TimelineRunner
    environ: dict[str, str]
    slack: Slack
    box: Mailbox
    names: dict[str, str]

    def step(self, step: Step, at: datetime) -> list[str]:
        """Run one step and return what arrived, as `slack: RESOLVED pending_orders_high`."""
        posts, mails = len(self.slack.taken), len(self.box.mails)
        if "slack" in step.refuse or "stdout" in step.refuse:
            self.slack.then(says(b"no_service", 404))
        self.box.refused = {"ann@example.com": "550 no"} if "email" in step.refuse else {}
        door = door_of(self.environ, at)
        settings = self.runner.settings
        report, keeps = self.runner.evaluate_step(step, self.runner.build_step_snapshot(step, at))
        delivered = step.killed != "before delivery"
        delivery = deliver(door, settings, report) if delivered else None
        if keeps and step.killed is None and delivery is not None:
            self.runner.artifact = json.dumps(build_artifact_document(delivery.report))
        self.slack.answers.clear()
        arrived = [
            ("slack", *found) for one in self.slack.taken[posts:] for found in _ITEM.findall(everything(one))
        ]
        arrived += [
            ("email", *found)
            for one in self.box.mails[mails:]
            for found in _MAIL_ITEM.findall(one.part("plain"))
        ]
        return sorted(_line(place, word, title.replace(" · ", ":")) for place, word, title in arrived)

    def wanted(self, step: Step) -> list[str] | None:
        """What the timeline says that must arrive."""
        return None if step.notified is None else sorted(_wanted(notice) for notice in step.notified)


def _line(place: str, word: str, title: str) -> str:
    return f"{place}: {word.partition(' ')[0].replace('CRITICAL', 'ON').replace('WARNING', 'ON').replace('ESCALATE', 'ON')} {title}"


def _wanted(told: str) -> str:
    place, colon, rest = told.partition(": ")
    reason, what = (rest if colon else told).rsplit(" ", 1)
    return f"{place if colon else 'slack'}: {_ENDS.get(reason, 'ON')} {what}"


def times(timeline: Timeline) -> Iterator[tuple[Step, datetime]]:
    at, first = timeline.start, True
    for step in timeline.steps:
        for _ in range(step.repeat):
            wait = timeline.gap if step.after_min is None else timedelta(minutes=step.after_min)
            at = at if first else at + wait
            first = False
            yield step, at


def play(timeline: Timeline) -> Iterator[tuple[int, Any, Any]]:
    """Yield for every step its number, what had to arrive, and what did."""
    with slack_on_loopback() as slack, mail_on_loopback() as box:
        environ = {
            "AEGIS_PT_CHANNEL_TIMEOUT_SEC": QUICK["AEGIS_PT_CHANNEL_TIMEOUT_SEC"],
            "AEGIS_PT_ESCALATION_REMIND_SEC": "0",
            "AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook,
            **(box.environ() if "email" in timeline.channels else {}),
            **timeline.settings,
        }
        door = door_of(environ)
        channels = tuple(get_rungs(load_channels(door, door.load_settings())))
        runner = TimelineRunner(replace(timeline, channels=channels, ignore=()), door.load_settings())
        stage = Stage(runner, environ, slack, box, {})
        for step, at in times(timeline):
            arrived = stage.step(step, at)
            kept = [one for one in arrived if not any(name in one for name in timeline.ignore)]
            yield step.number, stage.wanted(step), kept


@pytest.mark.parametrize("name", TIMELINES)
def test_what_a_timeline_tells_is_what_arrives(name):
    differ = [
        (number, wanted, arrived)
        for number, wanted, arrived in play(TIMELINES[name])
        if wanted not in (None, arrived)
    ]
    assert differ == []
