"""Channels side by side: one that hangs, is slow or raises anything neither stops nor delays nor repeats
another.
"""

from __future__ import annotations

import re
import threading
from functools import partial
from typing import Any

import pytest

from detector.channels.channel import (
    Channel,
    ChannelEnvironment,
    ChannelOutcome,
    DeliveryResult,
    build_configured_channels,
    deliver_all,
    find_channel_conflicts,
    list_unused_options,
    load_channel_modules,
)
from detector.clients import connection
from detector.clients.connection import Deadline
from detector.domain.condition import MessageRef
from detector.formats.errors import NO_ANSWER, REASONS, REJECTED, ExternalError
from detector.settings import SLACK_WEBHOOK_URL, Rung, Setting
from tests.support.loopback import PATIENCE_SEC
from tests.support.messages import condition, message
from tests.support.snapshots import DEFAULTS, NOW, settings_of

WORLD = ChannelEnvironment({}, lambda: NOW)


class Fake:
    """A channel that does what it is given."""

    rung = Rung("warning")
    display_name = "nowhere"
    setting: Setting[Any] = SLACK_WEBHOOK_URL

    def __init__(self, name, does, loads=lambda: None):
        self.name = name
        self.load_client = loads
        self._does = does

    def notify(self, message, context):
        self._does()
        return DeliveryResult()

    def get_advice(self, reason):
        return ""

    def render_preview(self, message):
        return ""


def outcomes(*channels: Channel, seconds: float = PATIENCE_SEC) -> dict[str, ChannelOutcome]:
    made = message(condition())
    return {one.channel.name: one for one in deliver_all(dict.fromkeys(channels, made), seconds)}


def raises(error: BaseException):
    def does():
        raise error

    return does


def test_all_are_told_at_the_same_time():
    """None of them ends before all of them began."""
    all_of_them = threading.Barrier(8)
    found = outcomes(*(Fake(str(k), all_of_them.wait) for k in range(8)))
    assert all(one.failure is None for one in found.values())


@pytest.mark.parametrize("startable", [0, 1])
def test_where_no_thread_can_be_started_they_are_told_one_after_the_other(startable, monkeypatch):
    """As in a container whose limit of processes is reached."""
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if len(started) == startable:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    found = outcomes(*(Fake(str(k), lambda: None) for k in range(3)))
    assert [one.failure for one in found.values()] == [None] * 3


def test_one_that_hangs_is_left_behind_and_its_late_yes_is_no_receipt():
    go, done = threading.Event(), threading.Event()

    def hangs():
        go.wait()
        done.set()

    found = outcomes(Fake("hangs", hangs), Fake("fine", lambda: None), seconds=1)
    assert not done.is_set()
    go.set()
    assert done.wait(PATIENCE_SEC)
    assert found["fine"].failure is None
    assert found["hangs"].failure is not None
    assert found["hangs"].failure.reason == NO_ANSWER
    assert found["hangs"].result is None


class Parted(Fake):
    """A channel that hands over one part, and then does what it is given."""

    def notify(self, message, context):
        context.on_progress(
            DeliveryResult(frozenset({"root"}), message_refs={"root": MessageRef("C1", "1.0")})
        )
        return super().notify(message, context)


def test_what_was_taken_of_one_that_hangs_stays_taken():
    go = threading.Event()
    found = outcomes(Parted("hangs", go.wait), Fake("fine", lambda: None), seconds=1)["hangs"]
    go.set()
    assert found.result is not None
    assert found.result.accepted == frozenset({"root"})
    assert found.result.message_refs == {"root": MessageRef("C1", "1.0")}
    assert found.failure is not None
    assert found.failure.reason == NO_ANSWER


@pytest.mark.parametrize("error", [ValueError("secret"), ExternalError("no", reason=REJECTED)])
def test_what_was_taken_of_one_that_breaks_stays_taken(error):
    found = outcomes(Parted("broken", raises(error)))["broken"]
    assert found.result is not None
    assert found.result.accepted == frozenset({"root"})
    assert found.failure is not None
    assert found.failure.reason == REJECTED


def test_a_deadline_begins_when_all_that_is_needed_is_loaded(monkeypatch):
    begun: list[str] = []

    class Noted(Deadline):
        def __init__(self, seconds):
            begun.append("deadline")
            super().__init__(seconds)

    monkeypatch.setattr(connection, "Deadline", Noted)
    outcomes(*(Fake(name, lambda: None, loads=partial(begun.append, name)) for name in ("slow", "other")))
    assert begun == ["slow", "other", "deadline"]


def test_what_cannot_be_loaded_is_data_and_stops_no_other():
    found = outcomes(
        Fake("broken", raises(ImportError("x")), loads=raises(ImportError("x"))), Fake("fine", lambda: None)
    )
    assert found["broken"].failure is not None
    assert found["fine"].failure is None


@pytest.mark.parametrize(
    "error", [ValueError("secret"), RecursionError(), MemoryError(), KeyError("x"), OSError(5, "x")]
)
def test_whatever_one_raises_becomes_data_without_its_text(error):
    found = outcomes(Fake("broken", raises(error)), Fake("fine", lambda: None))
    failed = found["broken"].failure
    assert failed is not None
    assert (failed.reason, str(failed)) == (REJECTED, f"the channel itself failed ({type(error).__name__})")
    assert found["fine"].failure is None


def test_an_edge_error_comes_through_as_it_is():
    error = ExternalError("no", reason=REJECTED)
    assert outcomes(Fake("one", raises(error)))["one"].failure is error


def test_the_part_that_failed_of_a_message_counts():
    error = ExternalError("no", reason=REJECTED)
    assert ChannelOutcome(Fake("x", None), DeliveryResult(error=error)).failure is error


# --- the walk -----------------------------------------------------------------------------------------


def test_without_settings_there_is_none_and_it_is_said_how_to_add_each_that_is_found():
    assert build_configured_channels(DEFAULTS, WORLD) == ()
    assert list(find_channel_conflicts(DEFAULTS)) == []
    offered = [offer.settings[0].name for offer in list_unused_options(DEFAULTS, WORLD)]
    assert offered == [module.OPTION.settings[0].name for module in load_channel_modules()]
    assert {"AEGIS_PT_SMTP_HOST", "AEGIS_PT_SLACK_WEBHOOK_URL", "AEGIS_PT_WEBHOOK_URL"} <= {*offered}


def test_each_recipient_is_a_channel_and_no_name_holds_an_address():
    texts = {
        "SMTP_HOST": "mail.example.com",
        "EMAIL_FROM": "a@example.org",
        "EMAIL_TO": "b@example.com,C@example.com",
    }
    found = build_configured_channels(settings_of(texts), WORLD)
    assert all(re.fullmatch("email:[0-9a-f]{8}", one.name) for one in found)
    assert len({one.name for one in found}) == 2
    assert [one.display_name for one in found] == [
        "recipient 1 of 2, by mail.example.com:587 (starttls)",
        "recipient 2 of 2, by mail.example.com:587 (starttls)",
    ]
    again = build_configured_channels(settings_of({**texts, "EMAIL_TO": "c@example.com"}), WORLD)
    assert again[0].name == found[1].name, "a name stays whoever else is told"


def test_every_reason_of_a_channel_has_its_advice():
    assert all(REASONS[reason].format("X") for reason in (NO_ANSWER, REJECTED))
