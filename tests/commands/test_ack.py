"""`ack` and what counts as one: by command, dispatch, reaction, button and pager.

And what changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from threading import Barrier, Event
from typing import Any

import pytest

from tests.support.acks import DAY, PENDING, Night, stamp
from tests.support.deliveries import QUICK, THREE_ORDERS
from tests.support.github_memory import GitHub, github_with_memory
from tests.support.github_runs import github_on_loopback
from tests.support.loopback import PATIENCE_SEC, hangs, reply, says, serving
from tests.support.pager_server import CHAT, pager_on_loopback
from tests.support.program import answer
from tests.support.slack_server import TOKEN, slack_on_loopback
from tests.support.snapshots import healthy_at


@pytest.fixture
def night(tmp_path):
    """A folder in which three pending orders are remembered since 15:00, and Slack was told of it."""
    with slack_on_loopback() as slack:
        made = Night(tmp_path / "memory", {"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook})
        made.run("15:00", THREE_ORDERS)
        made.slack = slack  # type: ignore[attr-defined]
        yield made


def test_an_acknowledgement_by_the_command_is_read_by_the_next_run_and_stored(night):
    ran = night.ack("15:02", PENDING, "--for", "90m")
    assert (
        ran.out.decode()
        == f"{PENDING}: acknowledged by ann until 2026-06-02 16:32:00 UTC (the next run reads it)\n"
    )
    night.run("15:10", THREE_ORDERS)
    (ack,) = night.condition()["acks"]
    assert (ack["by"], ack["until"], ack["via"]) == ("ann", "2026-06-02T16:32:00Z", "command")
    assert not list(night.folder.glob("ack-*")), "what is stored waits no longer"
    assert f"{PENDING} is acknowledged by ann until 2026-06-02 16:32:00 UTC." in night.notes
    explained = answer(
        "explain", PENDING, "--artifact", str(max(night.folder.glob("memory-*.json")))
    ).out.decode()
    assert (
        "acknowledged: by ann (command) at 2026-06-02 15:02:00 UTC until 2026-06-02 16:32:00 UTC, in force"
        in explained
    )


def test_a_message_says_who_acknowledged_it(night):
    night.ack("15:02")
    night.run("15:10", THREE_ORDERS, AEGIS_PT_ESCALATE_AFTER_SEC="1")
    told = json.dumps(night.slack.posts[-1])
    assert "ESCALATE" in told, "what escalates is told in spite of it"
    assert "ann acknowledged it 2026-06-02 15:02 UTC" in told


def test_the_end_is_told_and_names_who_had_it(night):
    night.ack("15:02")
    for clock, patch in (("15:10", THREE_ORDERS), ("15:20", None), ("15:30", None)):
        night.run(clock, patch)
    assert "RESOLVED" in night.slack.texts[-1]
    assert "ann" in json.dumps(night.slack.posts[-1])


@pytest.mark.parametrize(
    ("signature", "words", "said"),
    [
        ("pending_order_high:aegis-pt-core", (), f"the nearest is '{PENDING}'"),
        (PENDING, ("--for", "25h"), "is not a time such as 30m or 2h, at most 24h"),
        (PENDING, ("--for", "0m"), "is not a time"),
        (PENDING, ("--for", "soon"), "is not a time"),
        (PENDING, ("--by", ""), "--by: a name of 1 to 60 characters"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_written(night, signature, words, said):
    ran = night.ack("15:02", signature, *words)
    assert (ran.code, ran.out) == (2, b"")
    assert said in ran.err
    assert not list(night.folder.glob("ack-*"))


def test_another_folder_is_refused_with_the_folder_that_is_meant(night, tmp_path):
    hint = "; name the folder of `run --state`"
    (tmp_path / "empty").mkdir()
    for folder, why in (("none", "is no folder"), ("empty", "remembers no open condition of aegis-pt-core")):
        ran = answer("ack", PENDING, "--by", "ann", "--state", str(tmp_path / folder))
        assert (ran.code, ran.err) == (2, f"detector: --state: {tmp_path / folder} {why}{hint}\n")


def test_a_dry_run_writes_nothing(night):
    ran = night.ack("15:02", PENDING, "--dry-run")
    assert ran.document["signature"] == PENDING
    assert not list(night.folder.glob("ack-*"))


def test_a_file_that_cannot_be_read_or_is_of_another_runtime_changes_nothing(night):
    night.ack("15:02")
    (file,) = night.folder.glob("ack-*")
    text = file.read_text()
    file.write_text("{")
    night.run("15:04", THREE_ORDERS)
    assert night.acks() == []
    file.write_text(text.replace('"runtime": "aegis-pt-core"', '"runtime": "other"'))
    night.run("15:10", THREE_ORDERS)
    assert night.acks() == []


@pytest.mark.parametrize(
    "change", [{"until": stamp("15:09")}, {"at": stamp("15:30")}, {"at": stamp("14:20")}]
)
def test_expired_of_the_future_or_from_before_it_changes_nothing_and_is_told(night, change):
    night.ack("15:02")
    (file,) = night.folder.glob("ack-*")
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    night.run("15:10", THREE_ORDERS)
    assert night.acks() == []
    assert "is ignored" in night.notes[-1]


def test_the_same_file_again_changes_nothing(night):
    night.ack("15:02", PENDING, "--for", "15m")
    (file,) = night.folder.glob("ack-*")
    text = file.read_text()
    night.run("15:10", THREE_ORDERS)
    file.write_text(text)
    night.run("15:12", THREE_ORDERS)
    assert night.acks() == ["ann"]


# --- by a dispatch ------------------------------------------------------------------------------------


def dispatch(night, tmp_path, sender="ann-at-github", event="aws_ibkr_pt_health_ack", **change):
    """Run as the dispatch of an acknowledgement starts it."""
    words = ("ack", PENDING, "--by", "ann", "--repo", "owner/name", "--now", stamp("15:02"), "--dry-run")
    body = answer(*words).document["body"]
    assert body["event_type"] == "aws_ibkr_pt_health_ack"
    payload = {**body["client_payload"], **change}
    path = tmp_path / "event.json"
    path.write_text(json.dumps({"action": event, "client_payload": payload, "sender": {"login": sender}}))
    github = {"GITHUB_EVENT_PATH": str(path), "GITHUB_EVENT_NAME": "repository_dispatch"}
    return night.run("15:10", THREE_ORDERS, **github, AEGIS_PT_ACK_FROM="Ann=github:ann-at-github,slack:U1")


def test_a_dispatch_of_an_allowed_sender_is_read_by_the_run_that_it_starts(night, tmp_path):
    dispatch(night, tmp_path)
    assert night.acks() == ["Ann"]


def send_ack(github, signature=PENDING, token="canary-token"):
    environ = {"GITHUB_API_URL": github.url, "GH_TOKEN": token}
    words = ("ack", signature, "--by", "ann", "--repo", "owner/name", "--now", stamp("15:02"))
    return answer(*words, environ=environ)


def test_what_the_command_sends_to_github_is_what_the_run_reads(night, tmp_path):
    with github_on_loopback() as github:
        ran = send_ack(github)
    (asked,) = github.asked
    assert (ran.code, asked.path) == (0, "/repos/owner/name/dispatches")
    assert (
        ran.out.decode()
        == f"{PENDING}: acknowledged by ann until 2026-06-02 17:02:00 UTC (dispatched to owner/name)\n"
    )
    assert len(asked.body["client_payload"]) <= 10, "GitHub takes no more"
    dispatch(night, tmp_path, event=asked.body["event_type"], **asked.body["client_payload"])
    assert night.acks() == ["Ann"]


def test_without_a_token_or_a_yes_of_github_it_is_said_that_nothing_was_sent(night):
    with github_on_loopback() as github:
        assert "set GH_TOKEN to a fine-grained token" in send_ack(github, token="").err
        assert github.asked == []
        github.fault = lambda asked: (403, {"message": "canary-token"}, {})
        ran = send_ack(github)
    assert (ran.code, ran.out) == (3, b"")
    assert ran.err.startswith("ack: not sent: GitHub could not be asked: ")
    assert "canary" not in ran.err


@pytest.mark.parametrize(
    "change",
    [
        {"sender": "mallory"},
        {"sender": "U1"},
        {"event": "aws_ibkr_pt_health"},
        {"runtime": "other"},
        {"signature": "unknown_fill:aegis-pt-core"},
        {"until": stamp("15:05")},
        {"by": 7},
        {"extra": 1},
    ],
    ids=str,
)
def test_any_other_dispatch_changes_nothing(night, tmp_path, change):
    dispatch(night, tmp_path, **change)
    assert night.acks() == []


# --- by a reaction in Slack ---------------------------------------------------------------------------


def reacted(slack, *reactions):
    """Let reactions.get answer with these."""
    slack.reactions[:] = reactions


@pytest.fixture
def bot(tmp_path):
    with slack_on_loopback() as slack:
        settings = {"SLACK_TOKEN": TOKEN, "SLACK_CHANNEL": "#alerts", "SLACK_API_URL": slack.api,
                    "ACK_FROM": "ann=slack:U1"}  # fmt: skip
        made = Night(tmp_path / "memory", {f"AEGIS_PT_{name}": text for name, text in settings.items()})
        made.run("15:00", THREE_ORDERS)
        yield made, slack


@pytest.mark.parametrize(
    ("name", "user", "by"),
    [
        ("eyes", "U1", ["ann"]), ("+1::skin-tone-3", "U1", ["ann"]), ("eyes", "U2", []), ("sob", "U1", []),
    ],
)  # fmt: skip
def test_a_reaction_counts_by_its_name_and_its_sender(bot, name, user, by):
    night, slack = bot
    reacted(slack, {"name": name, "users": [user], "count": 1})
    night.run("15:10", THREE_ORDERS)
    assert night.acks() == by


def test_a_reaction_that_stays_is_one_acknowledgement_and_ends(bot):
    night, slack = bot
    reacted(slack, {"name": "eyes", "users": ["U1"], "count": 1})
    for clock in ("15:10", "15:20", "17:30"):
        night.run(clock, THREE_ORDERS)
    (ack,) = night.condition()["acks"]
    assert ack["until"] == stamp("17:10")


def test_without_a_sender_of_slack_its_reactions_are_not_asked_for(bot):
    night, slack = bot
    night.run("15:10", THREE_ORDERS, AEGIS_PT_ACK_FROM="ann=github:ann")
    assert slack.asked == []


# --- by Telegram's button -----------------------------------------------------------------------------


@pytest.fixture
def chat(tmp_path):
    with pager_on_loopback("telegram") as pager:
        environ = {
            **pager.environ,
            "AEGIS_PT_TELEGRAM_MIN": "warning",
            "AEGIS_PT_ACK_FROM": "ann=telegram:42",
        }

        def updates(body):
            pager.offsets.append(body.get("offset"))
            return [one for one in pager.updates if one["update_id"] >= body.get("offset", 0)]

        pager.calls["getUpdates"] = updates
        made = Night(tmp_path / "memory", environ)
        made.run("15:00", THREE_ORDERS)
        yield made, pager


def press(pager, user=42, message=101, number=7, chat_id=CHAT):
    button = pager.taken[0]["reply_markup"]["inline_keyboard"][0][0]
    pager.updates.append(
        {
            "update_id": number,
            "callback_query": {
                "id": f"q{number}",
                "from": {"id": user, "first_name": "x"},
                "data": button["callback_data"],
                "message": {"message_id": message, "chat": {"id": chat_id, "type": "supergroup"}},
            },
        }
    )


@pytest.mark.parametrize(
    ("change", "by"),
    [({}, ["ann"]), ({"user": 43}, []), ({"message": 99}, []), ({"chat_id": 5}, [])],
    ids=["the allowed person", "a stranger", "another message", "another chat"],
)
def test_a_press_counts_by_its_sender_and_its_message(chat, change, by):
    night, pager = chat
    press(pager, **change)
    night.run("15:10", THREE_ORDERS)
    assert night.acks() == by
    assert ("is ignored" in " ".join(night.notes)) is (not by)


def test_an_update_is_confirmed_only_after_its_acknowledgement_was_stored(chat):
    night, pager = chat
    press(pager)
    kept = {path: path.read_bytes() for path in night.folder.glob("memory-*")}
    night.run("15:10", THREE_ORDERS)
    assert pager.offsets == [None]
    for path in night.folder.glob("memory-*"):  # the run was killed before it stored anything
        path.unlink()
    for path, data in kept.items():
        path.write_bytes(data)
    night.run("15:20", THREE_ORDERS)
    assert (pager.offsets, night.acks()) == ([None, None], ["ann"])
    night.run("15:30", THREE_ORDERS)
    assert (pager.offsets[-1], night.acks()) == (8, ["ann"])


def conflict(pager):
    """Let the next request that asks for the updates be answered as to a second reader."""
    description = "Conflict: terminated by other getUpdates request"
    body = json.dumps({"ok": False, "error_code": 409, "description": description}).encode()
    well = pager.calls["getUpdates"]

    def refuse(_):
        pager.calls["getUpdates"] = well
        return reply(409, body)

    pager.calls["getUpdates"] = refuse


def test_a_bot_that_somebody_else_polls_is_told_of_and_delays_nothing(chat):
    night, pager = chat
    conflict(pager)
    ran = night.run("15:10", THREE_ORDERS)
    assert ran.code == 0
    assert "give the detector a bot of its own" in night.notes[-1]


def test_it_is_told_in_every_message_and_once_by_itself_where_nothing_else_is_due(chat):
    night, pager = chat
    for clock, sent in (("15:10", 1), ("15:20", 1), ("15:30", 2), ("15:40", 2)):
        conflict(pager)
        night.run(clock, THREE_ORDERS)
        assert len(pager.taken) == sent, clock
    assert pager.taken[1]["text"].startswith("🔇 CHANNEL FAILS")
    conflict(pager)
    night.run("15:50", {"status_v3": {"unknown_fills": 1, "pending_orders": 3}})
    assert "unknown_fill" in pager.taken[2]["text"]
    for body in pager.taken[1:]:
        assert "No acknowledgement of telegram is read" in body["text"]
        assert "give the detector a bot of its own" in body["text"]
    night.run("16:00", {"status_v3": {"unknown_fills": 1, "pending_orders": 3}})
    night.run("16:10", {"status_v3": {"unknown_fills": 1, "stuck_exits": 1, "pending_orders": 3}})
    assert "acknowledgement" not in pager.taken[3]["text"], "it is read again"


def test_doctor_says_that_somebody_else_reads_the_bot_and_confirms_nothing(chat):
    night, pager = chat
    press(pager)
    conflict(pager)
    ran = answer("doctor", environ=night.environ)
    assert ran.code == 1
    assert "its acknowledgements cannot be read: another program reads" in ran.out.decode()
    assert answer("doctor", environ=night.environ).code == 0
    assert (pager.offsets, len(pager.taken)) == ([None], 1)
    night.run("15:10", THREE_ORDERS)
    assert night.acks() == ["ann"]


# --- while the sources are read -----------------------------------------------------------------------


def test_answers_are_waited_for_while_the_sources_are_read(chat):
    """Neither answers before both were asked."""
    night, pager = chat
    press(pager)
    both = Barrier(2, timeout=PATIENCE_SEC)

    def updates(body):
        both.wait()
        return pager.updates

    def bot(served, conn, request):
        both.wait()
        says({"pending_orders": 3})(served, conn, request)

    pager.calls["getUpdates"] = updates
    with serving(bot) as server:
        night.run("15:10", THREE_ORDERS, AEGIS_PT_BOT_STATUS_URL=server.url)
    assert night.memory["sources"]["bot_status"]["state"] == "ok"
    assert night.acks() == ["ann"]


def test_a_channel_that_hangs_when_it_is_asked_has_given_up_before_a_slow_source_answers(chat):
    """The source answers only after the run has given the channel up: the one wait contains the other."""
    night, pager = chat
    given_up = Event()

    def hang(served, conn, request):
        hangs()(served, conn, request)
        given_up.set()

    def bot(served, conn, request):
        assert given_up.wait(PATIENCE_SEC)
        says({"unknown_fills": 1})(served, conn, request)

    pager.then(hang)
    with serving(bot) as server:
        night.run("15:10", THREE_ORDERS, AEGIS_PT_BOT_STATUS_URL=server.url, AEGIS_PT_CHANNEL_TIMEOUT_SEC="2")
    assert "unknown_fill" in pager.taken[-1]["text"], "what the slow source shows is told in this run"
    assert "Acknowledgements could not be read from telegram" in " ".join(night.notes)


# --- by PagerDuty -------------------------------------------------------------------------------------


def incidents(person="PANN", at="2026-06-02T15:04:00Z"):
    entry = {"at": at, "acknowledger": {"id": person, "summary": "Ann", "type": "user_reference"}}
    return {"incidents": [{"id": "Q1", "status": "acknowledged", "acknowledgements": [entry]}]}


@pytest.mark.parametrize(
    ("answered", "senders", "by"),
    [
        (incidents(), "ann=pagerduty:PANN", ["ann"]),
        (incidents(), "pagerduty:*", ["PANN"]),
        (incidents("PMALLORY"), "ann=pagerduty:PANN", []),
        (incidents(at="2026-06-02T14:04:00Z"), "pagerduty:*", []),
        ({"incidents": []}, "pagerduty:*", []),
        ({"incidents": [{}]}, "pagerduty:*", []),
        ([], "pagerduty:*", []),
    ],
)
def test_an_acknowledged_incident_is_read_with_a_read_only_key(tmp_path, answered, senders, by):
    with pager_on_loopback("pagerduty") as pager, serving(says(answered)) as api:
        key = {"AEGIS_PT_PAGERDUTY_TOKEN": "canary-read-7d1f04b2", "AEGIS_PT_PAGERDUTY_API_URL": api.url}
        more = {"AEGIS_PT_PAGERDUTY_MIN": "warning", "AEGIS_PT_ACK_FROM": senders}
        night = Night(tmp_path / "memory", {**pager.environ, **key, **more})
        night.run("15:00", THREE_ORDERS)
        night.run("15:10", THREE_ORDERS)
        assert night.acks() == by
        (asked,) = api.requests
        assert asked.startswith(b"GET /incidents?incident_key=pending_orders_high%3Aaegis-pt-core&")
        assert b"Token token=canary-read-7d1f04b2" in asked
        assert "canary" not in "".join(night.notes)


def test_what_was_acknowledged_elsewhere_is_acknowledged_in_pagerduty_once(tmp_path):
    with pager_on_loopback("pagerduty") as pager:
        night = Night(tmp_path / "memory", {**pager.environ, "AEGIS_PT_PAGERDUTY_MIN": "warning"})
        night.run("15:00", THREE_ORDERS)
        night.ack("15:02")
        for clock in ("15:10", "15:20"):
            night.run(clock, THREE_ORDERS)
        assert [body["event_action"] for body in pager.taken] == ["trigger", "acknowledge"]
        assert len({body["dedup_key"] for body in pager.taken}) == 1


def test_a_pager_that_did_not_take_it_is_named_and_told_again_until_it_does(tmp_path):
    with pager_on_loopback("pagerduty") as pager:
        night = Night(tmp_path / "memory", {**pager.environ, "AEGIS_PT_PAGERDUTY_MIN": "warning"})
        night.run("15:00", THREE_ORDERS)
        night.ack("15:02")
        for clock in ("15:10", "15:20"):
            pager.then(says({}, 400))
            assert night.run(clock, THREE_ORDERS).code == 0
            assert night.acks() == ["ann"]
            assert night.notes[-1] == (
                "pagerduty does not know yet that it is acknowledged, and is asked again: it answered 400."
            )
        for clock in ("15:30", "15:40"):
            night.run(clock, THREE_ORDERS)
        assert [body["event_action"] for body in pager.taken] == ["trigger", "acknowledge"]


def test_a_pager_that_is_alerted_late_learns_who_has_it_and_after_its_end_nothing(tmp_path):
    with pager_on_loopback("pagerduty") as pager, slack_on_loopback() as slack:
        hook = {"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook}
        night = Night(tmp_path / "memory", {**pager.environ, **hook, "AEGIS_PT_PAGERDUTY_MIN": "warning"})
        pager.then(says({}, 400))
        night.run("15:00", THREE_ORDERS)
        night.ack("15:02", PENDING, "--for", "15m")
        night.run("15:10", THREE_ORDERS)
        assert [body["event_action"] for body in pager.taken] == ["trigger", "acknowledge"]
        for clock in ("15:20", "15:30"):
            night.run(clock, THREE_ORDERS)
        assert len(pager.taken) == 2


# --- who answers late ---------------------------------------------------------------------------------


def wait_in_telegram(stack, wait):
    pager = stack.enter_context(pager_on_loopback("telegram"))
    pager.calls["getUpdates"] = lambda body: []

    def acknowledge():
        press(pager)

    def ask_late():
        pager.calls["getUpdates"] = lambda body: wait() and pager.updates

    return {**pager.environ, "AEGIS_PT_TELEGRAM_MIN": "warning"}, acknowledge, ask_late


def wait_in_slack(stack, wait):
    slack = stack.enter_context(slack_on_loopback())
    settings = {"SLACK_TOKEN": TOKEN, "SLACK_CHANNEL": "#alerts", "SLACK_API_URL": slack.api}

    def acknowledge():
        reacted(slack, {"name": "eyes", "users": ["U1"], "count": 1})

    def ask_late():
        slack.when_asked = wait

    return {f"AEGIS_PT_{name}": text for name, text in settings.items()}, acknowledge, ask_late


def wait_in_pagerduty(stack, wait):
    answers: list[dict[str, list[Any]]] = [{"incidents": []}]
    is_late: list[Callable[[], object]] = []

    def api(served, conn, request):
        for waits in is_late:
            waits()
        says(answers[-1])(served, conn, request)

    pager = stack.enter_context(pager_on_loopback("pagerduty"))
    url = stack.enter_context(serving(api)).url
    key = {"AEGIS_PT_PAGERDUTY_TOKEN": "canary-read-7d1f04b2", "AEGIS_PT_PAGERDUTY_API_URL": url}
    environ = {**pager.environ, **key, "AEGIS_PT_PAGERDUTY_MIN": "warning"}
    return environ, lambda: answers.append(incidents()), lambda: is_late.append(wait)


LATE = {"telegram": wait_in_telegram, "slack": wait_in_slack, "pagerduty": wait_in_pagerduty}
MORE = {"status_v3": {"unknown_fills": 1, "pending_orders": 3}}


class LateNight:
    """A night whose first channel answers who acknowledged only after the webhook was told of a fill."""

    def __init__(self, stack, folder, kind):
        self.gate, self.waits = Event(), []
        self.webhook, self.ntfy = (
            stack.enter_context(pager_on_loopback(name)) for name in ("webhook", "ntfy")
        )
        environ, self.acknowledge, self._ask_late = LATE[kind](stack, self.wait)
        self.webhook.when_taken = self._open_gate
        more = {"NTFY_MIN": "warning,after=900", "REMIND_AFTER_SEC": "900", "CHANNEL_TIMEOUT_SEC": "10",
                "ACK_FROM": "ann=telegram:42,ann=slack:U1,ann=pagerduty:PANN"}  # fmt: skip
        more = {f"AEGIS_PT_{name}": text for name, text in more.items()}
        self.night = Night(folder, {**environ, **self.webhook.environ, **self.ntfy.environ, **more})

    def _open_gate(self, body):
        if "unknown_fill" in json.dumps(body):
            self.gate.set()

    def wait(self):
        self.waits.append(self.gate.wait(PATIENCE_SEC))
        return True

    def run(self, acknowledges):
        """Run at 15:00, answer or not, and run at 15:20 while the answer waits; return what was printed."""
        self.night.run("15:00", THREE_ORDERS)
        if acknowledges:
            self.acknowledge()
        self.webhook.taken.clear()
        self.ntfy.taken.clear()
        self._ask_late()
        return self.night.run("15:20", MORE).document["new_events"]


@pytest.mark.parametrize("kind", LATE)
def test_who_answers_late_delays_no_message_of_another_and_counts_in_this_run(kind, tmp_path):
    """The source answers only after the other channel took its message; then nobody is reminded or next."""
    with ExitStack() as stack:
        late = LateNight(stack, tmp_path / "memory", kind)
        new = late.run(acknowledges=True)
        assert (late.waits, late.night.acks()) == ([True], ["ann"])
        (body,) = late.webhook.taken
        assert "unknown_fill" in json.dumps(body)
        assert late.ntfy.taken == []
        assert [event["type"] for event in new] == ["unknown_fill"]


@pytest.mark.parametrize("kind", LATE)
def test_where_nobody_acknowledged_the_reminder_and_the_next_rung_follow_in_the_same_run(kind, tmp_path):
    with ExitStack() as stack:
        late = LateNight(stack, tmp_path / "memory", kind)
        new = late.run(acknowledges=False)
        assert (late.waits, late.night.acks()) == ([True], [])
        first, second = map(json.dumps, late.webhook.taken)
        assert ("unknown_fill" in first, PENDING in first, PENDING in second) == (True, False, True)
        assert late.ntfy.told_of("pending_orders_high") == 1
        assert {event["type"] for event in new} == {"unknown_fill", "pending_orders_high"}


def test_who_never_answers_takes_neither_the_reminder_nor_the_next_rung_away(tmp_path):
    with ExitStack() as stack:
        late = LateNight(stack, tmp_path / "memory", "telegram")
        late.webhook.when_taken = lambda body: None
        late.night.environ = {**late.night.environ, "AEGIS_PT_CHANNEL_TIMEOUT_SEC": "1"}
        late.run(acknowledges=True)
        late.gate.set()
        assert late.ntfy.told_of("pending_orders_high") == 1
        assert late.night.acks() == []


# --- in a public repository ---------------------------------------------------------------------------


def in_public(github, tmp_path, clock, environ):
    """Run in the workflow of a public repository; return the run, and the artifact that it uploaded."""
    number = 9000 + int(clock.replace(":", ""))
    artifact = tmp_path / "pt-health.json"
    minutes = (int(clock[:2]) - 15) * 60 + int(clock[3:])
    github.run(number, minutes=minutes, conclusion=None, status="in_progress")
    words = ("run", "--artifact", str(artifact), "--snapshot", "-", "--now", stamp(clock))
    document = json.dumps(healthy_at(stamp(clock), THREE_ORDERS))
    ran = answer(*words, stdin=document, environ={**QUICK, **environ, **github.environ(number)})
    github.runs[-1] |= {"status": "completed", "conclusion": "success"}
    github.upload(number, artifact.read_text())
    return ran, artifact.read_text()


def by_dispatch(stack, tmp_path, login):
    slack = stack.enter_context(slack_on_loopback())
    words = ("ack", PENDING, "--by", "canary-by", "--repo", "o/n", "--now", stamp("15:02"), "--dry-run")
    payload = answer(*words).document["body"]["client_payload"]
    event = {"action": "aws_ibkr_pt_health_ack", "client_payload": payload, "sender": {"login": login}}
    (tmp_path / "event.json").write_text(json.dumps(event))
    github = {
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        "GITHUB_EVENT_NAME": "repository_dispatch",
    }
    return {"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, **github}, lambda: None


def by_slack(stack, tmp_path, user):
    slack = stack.enter_context(slack_on_loopback())
    settings = {"SLACK_TOKEN": TOKEN, "SLACK_CHANNEL": "#alerts", "SLACK_API_URL": slack.api}
    environ = {f"AEGIS_PT_{name}": text for name, text in settings.items()}
    return environ, lambda: reacted(slack, {"name": "eyes", "users": [user], "count": 1})


def by_telegram(stack, tmp_path, user):
    pager = stack.enter_context(pager_on_loopback("telegram"))
    pager.calls["getUpdates"] = lambda body: pager.updates
    environ = {**pager.environ, "AEGIS_PT_TELEGRAM_MIN": "warning"}
    return environ, lambda: press(pager, user=user)


def by_pagerduty(stack, tmp_path, person):
    pager = stack.enter_context(pager_on_loopback("pagerduty"))
    api = stack.enter_context(serving(says(incidents(person))))
    key = {"AEGIS_PT_PAGERDUTY_TOKEN": "canary-read-7d1f04b2", "AEGIS_PT_PAGERDUTY_API_URL": api.url}
    return {**pager.environ, **key, "AEGIS_PT_PAGERDUTY_MIN": "warning"}, lambda: None


WAYS = {
    "github": (by_dispatch, "canary-login", "canary-stranger"),
    "slack": (by_slack, "UCANARY", "USTRANGER"),
    "telegram": (by_telegram, "774411", "885522"),
    "pagerduty": (by_pagerduty, "PCANARY", "PSTRANGER"),
}


@pytest.mark.parametrize("is_allowed", [True, False], ids=["an allowed sender", "a stranger"])
@pytest.mark.parametrize("kind", WAYS)
def test_where_anybody_can_read_the_artifact_a_sender_is_an_alias(kind, is_allowed, tmp_path):
    way, allowed, stranger = WAYS[kind]
    with ExitStack() as stack:
        github = stack.enter_context(github_with_memory(GitHub(private=False)))
        environ, answers = way(stack, tmp_path, allowed if is_allowed else stranger)
        environ = {**environ, "AEGIS_PT_ACK_FROM": f"bob={kind}:x1,Canary Ann={kind}:{allowed}"}
        in_public(github, tmp_path, "15:00", {**environ, "GITHUB_EVENT_NAME": "schedule"})
        answers()
        ran, artifact = in_public(github, tmp_path, "15:10", environ)
    assert (f"is acknowledged by responder-2 until {DAY}" in ran.err) is is_allowed
    assert ('"by": "responder-2"' in artifact) is is_allowed
    for name in ("Canary Ann", "canary-by", allowed, stranger):
        assert name not in artifact + ran.err + ran.out.decode(), name
