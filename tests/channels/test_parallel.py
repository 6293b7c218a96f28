"""Channels side by side: one that hangs, is slow or raises anything neither stops nor delays nor repeats another."""

from __future__ import annotations

import re
import threading
import time
from typing import Any

import pytest

from detector.channels._channel import Channel, Told, World
from detector.channels._parallel import Outcome, tell_all
from detector.channels._walk import all_channels, configured, faults, not_configured
from detector.domain.condition import MessageRef
from detector.domain.rule import Severity
from detector.formats.edge_error import NO_ANSWER, REASONS, REJECTED, EdgeError
from detector.settings import SLACK_WEBHOOK_URL, Setting
from tests.support.messages import condition, message
from tests.support.snapshots import DEFAULTS, NOW, ROOT, settings_of

WORLD = World({}, lambda: NOW)


class Fake:
    """A channel that does what it is given."""

    least: Severity = "warning"
    place = "nowhere"
    setting: Setting[Any] = SLACK_WEBHOOK_URL

    def __init__(self, name, does, loads=lambda: None):
        self.name = name
        self.load = loads
        self._does = does

    def notify(self, message, errand):
        self._does()
        return Told()

    def advice(self, reason):
        return ""

    def shows(self, message):
        return ""


def outcomes(*channels: Channel, seconds: float = 0.3) -> dict[str, Outcome]:
    made = message(condition())
    return {one.channel.name: one for one in tell_all(dict.fromkeys(channels, made), seconds)}


def raises(error: BaseException):
    def does():
        raise error

    return does


def test_all_are_told_at_the_same_time():
    began = time.monotonic()
    found = outcomes(*(Fake(str(k), lambda: time.sleep(0.2)) for k in range(8)), seconds=3)
    assert time.monotonic() - began < 1.2
    assert all(one.failed is None for one in found.values())


def test_one_that_hangs_is_left_behind_and_its_late_yes_is_no_receipt():
    go, done = threading.Event(), threading.Event()

    def hangs():
        go.wait(10)
        done.set()

    began = time.monotonic()
    found = outcomes(Fake("hangs", hangs), Fake("fine", lambda: None))
    assert time.monotonic() - began < 2
    go.set()
    assert done.wait(5)
    assert found["fine"].failed is None
    assert found["hangs"].failed is not None
    assert found["hangs"].failed.reason == NO_ANSWER
    assert found["hangs"].told is None


class Parted(Fake):
    """A channel that hands over one part, and then does what it is given."""

    def notify(self, message, errand):
        errand.took(Told(frozenset({"root"}), places={"root": MessageRef("C1", "1.0")}))
        return super().notify(message, errand)


def test_what_was_taken_of_one_that_hangs_stays_taken():
    go = threading.Event()
    found = outcomes(Parted("hangs", lambda: go.wait(10)), Fake("fine", lambda: None))["hangs"]
    go.set()
    assert found.told is not None
    assert found.told.taken == frozenset({"root"})
    assert found.told.places == {"root": MessageRef("C1", "1.0")}
    assert found.failed is not None
    assert found.failed.reason == NO_ANSWER


@pytest.mark.parametrize("error", [ValueError("secret"), EdgeError("no", reason=REJECTED)])
def test_what_was_taken_of_one_that_breaks_stays_taken(error):
    found = outcomes(Parted("broken", raises(error)))["broken"]
    assert found.told is not None
    assert found.told.taken == frozenset({"root"})
    assert found.failed is not None
    assert found.failed.reason == REJECTED


def test_a_deadline_begins_when_all_that_is_needed_is_loaded():
    left: list[float] = []

    class Slow(Fake):
        def notify(self, message, errand):
            left.append(errand.until.remaining())
            return Told()

    found = outcomes(Slow("slow", None, loads=lambda: time.sleep(0.6)), Slow("other", None), seconds=0.5)
    assert [one.failed for one in found.values()] == [None, None]
    assert all(0.3 < one <= 0.5 for one in left)


def test_what_cannot_be_loaded_is_data_and_stops_no_other():
    found = outcomes(
        Fake("broken", raises(ImportError("x")), loads=raises(ImportError("x"))), Fake("fine", lambda: None)
    )
    assert found["broken"].failed is not None
    assert found["fine"].failed is None


@pytest.mark.parametrize(
    "error", [ValueError("secret"), RecursionError(), MemoryError(), KeyError("x"), OSError(5, "x")]
)
def test_whatever_one_raises_becomes_data_without_its_text(error):
    found = outcomes(Fake("broken", raises(error)), Fake("fine", lambda: None))
    failed = found["broken"].failed
    assert failed is not None
    assert (failed.reason, str(failed)) == (REJECTED, f"the channel itself failed ({type(error).__name__})")
    assert found["fine"].failed is None


def test_an_edge_error_comes_through_as_it_is():
    error = EdgeError("no", reason=REJECTED)
    assert outcomes(Fake("one", raises(error)))["one"].failed is error


def test_the_part_that_failed_of_a_message_counts():
    error = EdgeError("no", reason=REJECTED)
    assert Outcome(Fake("x", None), Told(failed=error)).failed is error


# --- the walk -----------------------------------------------------------------------------------------


def test_every_file_of_the_room_is_a_channel_and_listed_nowhere():
    files = {path.stem for path in (ROOT / "detector" / "channels").glob("[a-z]*.py")}
    assert {module.__name__.rpartition(".")[2] for module in all_channels()} == files  # type: ignore[attr-defined]


def test_without_settings_there_is_none_and_it_is_said_how_to_add_one():
    assert configured(DEFAULTS, WORLD) == ()
    assert list(faults(DEFAULTS)) == []
    assert [offer.settings[0].name for offer in not_configured(DEFAULTS, WORLD)] == [
        "AEGIS_PT_SMTP_HOST",
        "AEGIS_PT_SLACK_WEBHOOK_URL",
    ]


def test_each_recipient_is_a_channel_and_no_name_holds_an_address():
    texts = {
        "SMTP_HOST": "mail.example.com",
        "EMAIL_FROM": "a@example.org",
        "EMAIL_TO": "b@example.com,C@example.com",
    }
    found = configured(settings_of(texts), WORLD)
    assert all(re.fullmatch("email:[0-9a-f]{8}", one.name) for one in found)
    assert len({one.name for one in found}) == 2
    assert [one.place for one in found] == [
        "recipient 1 of 2, by mail.example.com:587 (starttls)",
        "recipient 2 of 2, by mail.example.com:587 (starttls)",
    ]
    again = configured(settings_of({**texts, "EMAIL_TO": "c@example.com"}), WORLD)
    assert again[0].name == found[1].name, "a name stays whoever else is told"


def test_every_reason_of_a_channel_has_its_advice():
    assert all(REASONS[reason].format("X") for reason in (NO_ANSWER, REJECTED))
