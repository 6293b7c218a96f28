"""The `logs` section: its shapes, its faults, the times of lines, and what one run remembers for the next."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.domain.run_memory import limit_memory_times
from detector.logs.parse.record_fields import parse_cut_json
from tests.support.log_lines import (
    BACK,
    CLIENT_ID,
    LOST,
    NOON,
    PROOF,
    ago,
    event,
    ms,
    named_of,
    seen,
    summary,
    told_of,
    window,
)
from tests.support.snapshots import named, remembered, settings_of

LINE = "Error 326, reqId -1: Unable to connect as the client id is already in use."


def conflicts(report):
    return named_of(report, "session_conflict")


# --- shapes ----------------------------------------------------------------------------------------------


def test_an_event_may_be_an_empty_line():
    assert seen([ago(60, ""), ago(59, "INFO started")]).events == ()


@pytest.mark.parametrize(
    "logs",
    [
        pytest.param([LINE], id="plain lines"),
        pytest.param([f"2026-06-02T14:59:00Z {LINE}"], id="plain lines with a time"),
        pytest.param([ago(60, LINE)], id="CloudWatch events"),
        pytest.param({"events": [ago(60, LINE)]}, id="an object with events"),
        pytest.param(
            {"events": [LINE], "from": "2026-06-02T14:00:00Z", "to": "2026-06-02T15:00:00Z"},
            id="an object with lines",
        ),
        pytest.param([{"message": LINE}], id="an event without a time"),
        pytest.param([{"timestamp": "2026-06-02T14:59:00Z", "message": LINE}], id="an RFC 3339 timestamp"),
        pytest.param([{"timestamp": ms(NOON) / 1000, "message": LINE}], id="a timestamp in seconds"),
        pytest.param([ago(60, f"first\nsecond\n{LINE}\nlast")], id="one line of several"),
        pytest.param(["INFO x", ago(60, LINE), "INFO y"], id="both kinds"),
    ],
)
def test_every_shape_is_read(logs):
    assert conflicts(seen(logs)) == ["critical session_conflict"]


@pytest.mark.parametrize("logs", [[], {"events": []}], ids=["an empty list", "an object with an empty list"])
def test_an_empty_list_that_was_read_says_that_there_was_nothing(logs):
    report = seen(logs)
    assert named(report) == []
    assert report.carried.logs is not None


@pytest.mark.parametrize("logs", [{}, {"events": None}, {"from": "2026-06-02T14:00:00Z"}])
def test_without_events_nothing_was_seen(logs):
    report = seen(logs)
    assert named(report) == []
    assert {one.signal: one.state for one in report.coverage}["severe_signals"] == "not seen"


# --- faults ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "subject"),
    [
        pytest.param(7, "logs.events", id="a number"),
        pytest.param(["x"], "logs.events", id="a list"),
        pytest.param({"message": 7}, "logs.message", id="a message that is no text"),
        pytest.param(
            {"timestamp": "noon", "message": "x"}, "logs.timestamp", id="a time that cannot be read"
        ),
    ],
)
def test_what_cannot_be_read_is_said_and_everything_else_is_read(entry, subject):
    report = seen([entry, ago(60, LINE)])
    assert named(report) == ["critical session_conflict", f"warning reading_invalid:{subject}"]


def test_events_that_are_no_list_are_said():
    assert named(seen({"events": "x"})) == ["warning reading_invalid:logs.events"]


def test_a_time_ahead_is_not_believed_and_the_line_is_still_heard():
    report = seen([event(NOON + timedelta(seconds=121), LINE)])
    assert named(report) == ["critical session_conflict", "warning clock_skew:logs.timestamp"]
    assert named(seen([event(NOON + timedelta(seconds=120), LINE)])) == ["critical session_conflict"]


def test_a_cut_window_shows_what_it_shows_and_proves_nothing():
    report = seen({"events": [ago(60, LINE)], "truncated": True})
    assert conflicts(report) == ["critical session_conflict"]
    assert {one.signal: one.state for one in report.coverage}["reconciliation"] == "not seen"


def test_a_stale_source_is_not_read():
    sources = {"logs": {"state": "ok", "as_of": (NOON - timedelta(seconds=301)).isoformat()}}
    assert conflicts(seen([ago(600, LINE)], sources=sources)) == []


# --- when a line was written ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stamp",
    [
        "2026-06-02T14:50:00Z",
        "2026-06-02T14:50:00.000000456Z",
        "2026-06-02T10:50:00-04:00",
        "2026-06-02 14:50:00,000",
        "2026-06-02 14:50:00:000",
        "20260602 14:50:00.000",
        "2026/06/02 14:50:00",
        "[2026-06-02 14:50:00,000]",
        "[INFO ] 2026-06-02 14:50:00.000",
        "trader-1  | 2026-06-02 14:50:00",
    ],
)
def test_the_time_in_a_line_is_its_time(stamp):
    report = seen([f"{stamp} {LINE}", "2026-06-02T14:59:00Z INFO x"])
    assert report.conditions["session_conflict:aegis-pt-core"].occurred_at == datetime(
        2026, 6, 2, 14, 50, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "line",
    [
        '{"timestamp": "2026-06-02T14:50:00Z", "message": "Error 326, reqId -1: in use"}',
        '{"ts": 1780411800, "msg": "Error 326, reqId -1: in use"}',
        'time=2026-06-02T14:50:00Z level=error msg="Error 326, reqId -1: in use"',
    ],
)
def test_a_structured_record_happened_at_its_own_time(line):
    report = seen([line, "2026-06-02T14:59:00Z INFO x"])
    assert report.conditions["session_conflict:aegis-pt-core"].occurred_at == datetime(
        2026, 6, 2, 14, 50, tzinfo=UTC
    )


def test_a_naive_time_is_of_the_profile_s_zone():
    settings = settings_of(
        profile='[profile]\nname = "x"\nzone = "America/Chicago"\n[status]\nheartbeat_at = "heartbeat_at"\n'
    )
    report = seen([f"2026-06-02 09:50:00 {LINE}", "2026-06-02 09:59:00 INFO x"], settings=settings)
    assert report.conditions["session_conflict:aegis-pt-core"].occurred_at == datetime(
        2026, 6, 2, 14, 50, tzinfo=UTC
    )


def test_lines_without_a_time_take_the_order_that_they_stand_in():
    assert named_of(seen([LOST, BACK]), "connectivity_lost") == ["warning connectivity_lost"]
    assert named_of(seen([BACK, LOST]), "connectivity_lost") == ["critical connectivity_lost"]


def test_a_line_without_a_time_has_that_of_the_line_before():
    lines = ["2026-06-02T14:00:00Z INFO x", LINE, "2026-06-02T14:59:00Z INFO y"]
    at = seen(lines).conditions["session_conflict:aegis-pt-core"].occurred_at
    assert at == datetime(2026, 6, 2, 14, 0, tzinfo=UTC)


def test_a_file_of_another_day_is_told_and_only_its_differences_count():
    lines = [f"2021-08-02 00:{minute:02}:00,000 {LINE}" for minute in (10, 30)]
    (found,) = seen(lines).events
    assert found.observed == 2
    assert seen(lines).conditions["session_conflict:aegis-pt-core"].occurred_at == NOON


def test_naive_times_of_a_zone_ahead_are_told_too():
    assert conflicts(seen([f"2026-06-02 23:59:00 {LINE}"])) == ["critical session_conflict"]


# --- the same lines again -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([CLIENT_ID], id="without a time"),
        pytest.param(["INFO x", CLIENT_ID, "INFO y"], id="among others"),
        pytest.param([f"2021-08-02 00:10:00 {CLIENT_ID}"], id="of another day"),
        pytest.param([f"2026-06-02T14:59:00Z {CLIENT_ID}"], id="with a time"),
        pytest.param([ago(60, CLIENT_ID)], id="as an event"),
    ],
)
def test_the_same_lines_read_again_are_the_same_occurrence(lines):
    runs = [(NOON + timedelta(seconds=600 * run), lines) for run in range(4)]
    assert told_of(runs) == [["new critical session_conflict"], [], [], []]


def test_a_file_that_grows_tells_only_what_is_new():
    file = ["INFO x", CLIENT_ID]
    runs = [(NOON, list(file))]
    for run in range(1, 4):
        file += ["INFO y", CLIENT_ID] if run == 2 else ["INFO z"]
        runs.append((NOON + timedelta(seconds=600 * run), list(file)))
    assert told_of(runs) == [
        ["new critical session_conflict"],
        [],
        ["escalated critical session_conflict"],
        [],
    ]


def test_a_window_that_moves_on_over_a_file_tells_only_what_is_new():
    file = (
        [f"INFO line {number}" for number in range(100)]
        + [CLIENT_ID]
        + [f"INFO line {number}" for number in range(100, 150)]
    )
    runs = [(NOON + timedelta(seconds=600 * run), file[10 * run : 105 + 10 * run]) for run in range(5)]
    assert told_of(runs) == [["new critical session_conflict"], [], [], [], []]


def test_one_more_of_the_same_line_is_new():
    later = NOON + timedelta(seconds=600)
    assert told_of([(NOON, [CLIENT_ID]), (later, [CLIENT_ID, CLIENT_ID])]) == [
        ["new critical session_conflict"],
        ["escalated critical session_conflict"],
    ]


def test_listing_a_line_twice_or_adding_a_benign_one_changes_nothing():
    lines = [ago(600, LOST), ago(300, BACK), ago(200, CLIENT_ID), ago(100, PROOF)]
    events = [one.summary for one in seen(lines).events]
    assert [one.summary for one in seen([*lines, *lines]).events] == events
    assert [one.summary for one in seen([ago(700, "INFO x"), *lines, ago(1, "INFO fine")]).events] == events


def test_the_order_of_timed_events_does_not_matter():
    lines = [ago(600, LOST), ago(300, BACK), ago(200, CLIENT_ID), ago(190, CLIENT_ID)]
    assert [one.summary for one in seen(lines[::-1]).events] == [one.summary for one in seen(lines).events]


def test_an_event_that_arrives_late_is_not_lost():
    later = NOON + timedelta(seconds=600)
    runs = [
        (NOON, window([], NOON - timedelta(hours=1), NOON)),
        (later, window([ago(5, CLIENT_ID)], NOON - timedelta(hours=1), later)),
    ]
    assert told_of(runs) == [[], ["new critical session_conflict"]]


# --- what is remembered ---------------------------------------------------------------------------------


def test_a_run_without_logs_carries_everything_unchanged():
    first = seen([ago(600, LOST), ago(60, CLIENT_ID)])
    second = seen(None, NOON + timedelta(seconds=600), remembered(first))
    assert second.carried.logs == first.carried.logs


def test_what_is_remembered_is_small_however_much_was_said():
    kinds = (
        LOST,
        BACK,
        CLIENT_ID,
        "CRITICAL boom {}",
        "ERROR send_outcome_unknown order_id={}",
        "API connection failed: TimeoutError()",
    )
    lines = [ago(3500 - 0.3 * number, kinds[number % 6].format(number)) for number in range(10_000)]
    lines += [
        ago(100, f"Error 2103, reqId -1: Market data farm connection is broken:farm{number}")
        for number in range(500)
    ]
    report = seen(lines, settings=settings_of({"SEVERE_LOG_CRITICAL": "1000000"}))
    from detector.formats.serialize import to_json

    assert len(json.dumps(to_json(report.carried.logs))) < 48 * 1024


def test_a_memory_of_a_clock_that_ran_ahead_has_no_time_in_the_future():
    ahead = NOON + timedelta(days=2)
    memory = limit_memory_times(
        remembered(seen([ago(60, LOST, ahead), ago(50, CLIENT_ID, ahead)], ahead)), NOON
    )
    report = seen([], NOON, memory)
    assert named_of(report, "connectivity_lost") == ["critical connectivity_lost"]
    assert "for 0 s" in summary(report, "connectivity_lost")


def test_entries_that_are_records_of_their_own_are_lines():
    record = {
        "MESSAGE": "Error 1100, reqId -1: Connectivity between IB and TWS has been lost",
        "PRIORITY": "3",
    }
    assert "connectivity_lost" in {event.type for event in seen([record]).events}


def test_a_record_without_a_time_is_a_line_without_a_time():
    record = {"container_name": "trader", "ecs_cluster": "aegis", "log": _BROKEN, "source": "stderr"}
    assert named(seen([record])) == ["critical connectivity_lost"]
    assert "reading_invalid" in {event.type for event in seen([{**record, "log": 7}]).events}


_BROKEN = "Error 1100, reqId -1: Connectivity between IB and TWS has been lost"
_AT, _EPOCH = "2026-06-02T14:41:31.104Z", 1780411291


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({"timestamp": _AT, "message": _BROKEN, "host": "box", "stream": "stderr"}, id="Vector"),
        pytest.param({"@timestamp": _AT, "log.level": "ERROR", "message": _BROKEN}, id="Elastic"),
        pytest.param({"generated_at": _AT, "severity": "Error", "message": _BROKEN}, id="Papertrail"),
        pytest.param({"instant": {"epochSecond": _EPOCH}, "level": "ERROR", "message": _BROKEN}, id="log4j"),
        pytest.param({"level": "error", "time": _EPOCH, "message": _BROKEN}, id="zerolog"),
        pytest.param(
            {"level": "error", "errCode": 1100, "errString": _BROKEN[23:], "time": _AT, "message": "<Error>"},
            id="zerolog, its fields",
        ),
        pytest.param(
            {"level": "ERROR", "timestamp": "2026-06-02 14:41:31,104+0000", "message": _BROKEN},
            id="Powertools",
        ),
        pytest.param({"level": 50, "time": _EPOCH * 1000, "pid": 1, "msg": _BROKEN}, id="pino"),
        pytest.param(
            {"__REALTIME_TIMESTAMP": f"{_EPOCH}104000", "PRIORITY": "3", "MESSAGE": _BROKEN}, id="journald"
        ),
        pytest.param({"result": {"_time": _AT, "_raw": _BROKEN, "host": "box"}}, id="Splunk"),
        pytest.param({"TimeGenerated": _AT, "Computer": "box", "Log_s": _BROKEN}, id="Azure"),
        pytest.param(
            {"TimeGenerated": _AT, "LogEntry": _BROKEN, "PodName": "bot-0"}, id="Azure, a container"
        ),
        pytest.param({"TimeCreated": f"/Date({_EPOCH}104)/", "Id": 7, "Message": _BROKEN}, id="PowerShell"),
        pytest.param(
            {"timeUnixNano": f"{_EPOCH}104000000", "severityNumber": 17, "body": {"stringValue": _BROKEN}},
            id="OTLP",
        ),
        pytest.param(
            {"timestamp": _AT, "host": "box", "message": f"Trouble\n  more of it\n{_BROKEN}"},
            id="a message of several lines",
        ),
    ],
)
def test_a_record_of_its_own_has_its_time_and_no_event_of_cloudwatch_is_missed(record):
    for entry in (record, json.dumps(record)):
        report = seen([entry, "2026-06-02T14:59:00Z INFO x"])
        assert named(report) == ["critical connectivity_lost"]
        assert "since 2026-06-02 14:41:31 UTC" in summary(report, "connectivity_lost")


_ROW = [
    {"field": "@timestamp", "value": "2026-06-02 14:41:31.104"},
    {"field": "@message", "value": _BROKEN},
    {"field": "@ptr", "value": "CnoK"},
]


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(_ROW, id="a row of Insights"),
        pytest.param([_ROW], id="rows of Insights"),
        pytest.param([{"time": "2026-06-02T14:41:31Z", "message": _BROKEN}], id="a record in a list"),
        pytest.param(
            [{"time": "2026-06-02T14:40:31Z", "message": "INFO up"}, {"time": _AT, "message": _BROKEN}],
            id="several",
        ),
    ],
)
def test_a_list_of_records_is_each_of_them_as_an_entry_and_as_a_line(entry):
    for form in (entry, json.dumps(entry), {"timestamp": 1780411291104, "message": json.dumps(entry)}):
        report = seen([form, "2026-06-02T14:59:00Z INFO x"])
        assert named(report) == ["critical connectivity_lost"]
        assert "since 2026-06-02 14:41:31 UTC" in summary(report, "connectivity_lost")


@pytest.mark.parametrize(
    "wrapped",
    [
        pytest.param(
            lambda row: json.dumps({"log": f"{row}\n", "stream": "stdout", "time": _AT}), id="docker"
        ),
        pytest.param(lambda row: f"{_AT[:-1]}000000Z stdout F {row}", id="cri"),
        pytest.param(lambda row: f"<14>1 {_AT} host bot 7 - - {row}", id="syslog"),
    ],
)
@pytest.mark.parametrize("entry", [_ROW, [_ROW], [{"message": "INFO up"}, {"message": _BROKEN}]])
def test_a_list_of_records_inside_another_form_is_read(wrapped, entry):
    report = seen([wrapped(json.dumps(entry)), "2026-06-02T14:59:00Z INFO x"])
    assert named(report) == ["critical connectivity_lost"]


_EVENTS = [
    {"id": "1", "timestamp": 1780411290000, "message": "INFO up"},
    {"id": "2", "timestamp": 1780411291104, "message": _BROKEN},
]
_SOURCES = [
    {"@timestamp": "2026-06-02T14:41:30Z", "message": "INFO up"},
    {"@timestamp": _AT, "message": _BROKEN},
]
_ANSWERS = {
    "FilterLogEvents": {"events": _EVENTS, "searchedLogStreams": [], "nextToken": ""},
    "GetLogEvents": {"events": _EVENTS, "nextForwardToken": "f/3", "nextBackwardToken": "b/3"},
    "GetQueryResults": {
        "results": [[{"field": "@timestamp", "value": _AT}, {"field": "@message", "value": "INFO up"}], _ROW],
        "statistics": {"recordsMatched": 2.0},
        "status": "Complete",
    },
    "a subscription": {"messageType": "DATA_MESSAGE", "subscriptionFilters": ["f"], "logEvents": _EVENTS},
    "Elasticsearch": {
        "took": 3,
        "timed_out": False,
        "hits": {"hits": [{"_source": row} for row in _SOURCES]},
    },
    "Loki": {
        "status": "success",
        "data": {
            "resultType": "streams",
            "result": [
                {
                    "stream": {"app": "bot"},
                    "values": [["1780411290000000000", "INFO up"], ["1780411291104000000", _BROKEN]],
                }
            ],
        },
    },
    "Datadog": {"data": [{"id": "x", "attributes": row} for row in _SOURCES]},
    "Cloud Logging": {
        "entries": [{"textPayload": row["message"], "timestamp": row["@timestamp"]} for row in _SOURCES]
    },
    "Kubernetes": {
        "apiVersion": "v1",
        "items": [
            {"kind": "Event", "message": row["message"], "lastTimestamp": row["@timestamp"]}
            for row in _SOURCES
        ],
    },
}


@pytest.mark.parametrize("answer", _ANSWERS.values(), ids=_ANSWERS)
@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda answer: answer, id="the section"),
        pytest.param(lambda answer: [answer], id="an entry"),
        pytest.param(lambda answer: [json.dumps(answer)], id="a line"),
        pytest.param(
            lambda answer: [{"timestamp": 1780411291104, "message": json.dumps(answer)}], id="an event's text"
        ),
    ],
)
def test_each_record_of_a_vendors_whole_answer_is_read(answer, wrap):
    report = seen(wrap(answer))
    assert named(report) == ["critical connectivity_lost"]
    assert "since 2026-06-02 14:41:31 UTC" in summary(report, "connectivity_lost")


@pytest.mark.parametrize("key", ["msg", "level", "ts"])
def test_a_record_with_a_list_of_its_own_is_no_answer(key):
    record = {
        key: "ERROR" if key == "level" else _BROKEN if key == "msg" else _AT,
        "items": [{"n": 1}, {"n": 2}],
    }
    text = json.dumps({**record, "message": _BROKEN})
    assert named(seen([text, "2026-06-02T14:59:00Z INFO x"])) == ["critical connectivity_lost"]


@pytest.mark.parametrize("size", [100, 9_000, 300_000])
@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "cut"])
@pytest.mark.parametrize("prefix", ["", "bot-1  | ", f"{_AT} "])
def test_a_long_record_and_one_whose_end_was_cut_off_are_read(size, is_cut, prefix):
    """Docker cuts a line at 16 KiB, CloudWatch an event at 256 KiB; a stack trace is longer than either."""
    first = json.dumps(
        {"time": _AT, "level": "error", "message": _BROKEN, "tags": ["a"], "stack": {"of": "x" * size}}
    )
    last = json.dumps({"stack": ["x" * size], "time": _AT, "level": "error", "message": _BROKEN})
    nested = json.dumps({"log": first, "stream": "stderr"})
    for line in (first[:-9], nested[:-20]) if is_cut and not prefix else (first, last, nested):
        report = seen([prefix + line])
        assert named(report) == ["critical connectivity_lost"], line[:200]
        assert "since 2026-06-02 14:41:31 UTC" in summary(report, "connectivity_lost")


@given(st.data())
def test_a_record_that_is_cut_anywhere_shows_what_stands_whole_before_the_cut(data):
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
    document = {"message": "kept", **data.draw(st.dictionaries(st.text(min_size=1), values, max_size=4))}
    document["message"] = "kept"
    text = json.dumps(document)
    behind = len('{"message": "kept",')
    if len(text) > behind:
        cut = text[: data.draw(st.integers(behind, len(text)))]
        assert (parse_cut_json(cut) or {}).get("message") == "kept"


def test_a_list_of_anything_else_is_no_record():
    forms: list[Any] = [[_ROW, 7], [[]], [["x"]]]
    for form in forms:
        assert named(seen([form, "2026-06-02T14:59:00Z INFO x"])) == ["warning reading_invalid:logs.events"]


def test_a_misspelt_key_of_cloudwatch_is_told():
    report = seen({"events": [{"timestamp": 1780411291104, "mesage": _BROKEN}]})
    assert "warning reading_invalid:logs.events.mesage" in named(report)


def test_a_source_of_which_no_line_has_a_text_is_told():
    report = seen([{"timestamp": 1780412340000, "message": " "}] * 5)
    assert [event.subject for event in report.events if event.type == "reading_invalid"] == ["logs.events"]


def test_a_second_factor_that_nobody_gave_is_due_in_a_log_that_names_no_zone_and_said_nothing_since():
    asked = "2026-06-02 14:11:14:776 IBC: Second Factor Authentication initiated"
    assert "login_due" in {event.type for event in seen([asked]).events}
    told = summary(seen([f"2026-06-02 13:20:00 {_BROKEN}"]), "connectivity_lost")
    assert "since 2026-06-02 13:20:00 UTC" in told
