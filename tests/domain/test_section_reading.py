"""One section while it is read: a value, not seen, or not readable, which is noted with its path."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detector.domain.columns import KEPT, VOCABULARIES
from detector.domain.facts import STATUS_FACTS
from detector.domain.provenance import Fault
from detector.domain.runtime_rows import Order, Position, Tick
from detector.domain.section_reading import Reading

NOW = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)
KINDS = (
    "flag",
    "count",
    "number",
    "text",
    "id",
    "texts",
    "count or list",
    "flag or count",
    "time",
    "age",
    *VOCABULARIES,
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def reading(**more: Any) -> Reading:
    return Reading("status_v3", NOW, 120, **more)


def faults(one: Reading) -> list[str]:
    """What could not be read, as `path problem`."""
    return [f"{fault.path} {fault.problem}" for fault in one.invalid]


# ---- a value of each kind ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("flag", True, True),
        ("flag", False, False),
        ("count", 0, 0),
        ("count", 3, 3),
        ("count", 3.0, 3),
        ("count", -0.0, 0),
        ("count", 10**300, 10**300),
        ("number", -1.5, -1.5),
        ("number", 0, 0),
        ("text", "", ""),
        ("text", " ok ", " ok "),
        ("id", "A-1", "A-1"),
        ("id", " 7 ", "7"),
        ("id", 7, "7"),
        ("id", 7.0, "7"),
        ("id", -7, "-7"),
        ("id", "", None),
        ("id", "   ", None),
        ("texts", [], ()),
        ("texts", ["Broker", ""], ("Broker", "")),
        ("count or list", 2, 2),
        ("count or list", 2.0, 2),
        ("count or list", [], 0),
        ("count or list", [{"symbol": "SPY"}, "anything", None], 3),
        ("flag or count", True, 1),
        ("flag or count", False, 0),
        ("flag or count", 4, 4),
        ("flag or count", 4.0, 4),
        ("time", "2026-06-02T14:59:00Z", NOW - timedelta(minutes=1)),
        ("time", " 2026-06-02T14:59:00Z ", NOW - timedelta(minutes=1)),
        ("time", 1780412340, NOW - timedelta(minutes=1)),
        ("time", 1780412340000, NOW - timedelta(minutes=1)),
        ("time", 1780412340.0, NOW - timedelta(minutes=1)),
        ("age", 60, NOW - timedelta(minutes=1)),
        ("age", 0, NOW),
        ("age", 0.5, NOW - timedelta(seconds=0.5)),
    ],
    ids=repr,
)
def test_a_value_is_read(kind, raw, value):
    one = reading()
    made = one.read_value(kind, "status_v3.x", raw)
    assert (made, type(made)) == (value, type(value))
    assert (faults(one), one.skewed, one.read_paths) == ([], [], {"status_v3.x"})


@pytest.mark.parametrize(
    ("kind", "raw", "problem"),
    [
        ("flag", 0, "is 0, not true or false"),
        ("flag", 1, "is 1, not true or false"),
        ("flag", "true", "is text, not true or false"),
        ("flag", [], "is an array, not true or false"),
        ("count", True, "is true or false, not a count"),
        ("count", "3", "is text, not a count"),
        ("count", "three", "is text, not a count"),
        ("count", -1, "is -1, not a count"),
        ("count", -1.0, "is -1.0, not a count"),
        ("count", 1.5, "is 1.5, not a count"),
        ("count", [], "is an array, not a count"),
        ("count", {}, "is an object, not a count"),
        ("count", -(10**300), "is a number, not a count"),
        ("number", True, "is true or false, not a number"),
        ("number", "1", "is text, not a number"),
        ("text", 3, "is 3, not text"),
        ("text", True, "is true or false, not text"),
        ("text", ["ok"], "is an array, not text"),
        ("id", 7.5, "is 7.5, not an id"),
        ("id", True, "is true or false, not an id"),
        ("id", {"id": 7}, "is an object, not an id"),
        ("texts", "Broker", "is text, not a list of texts"),
        ("texts", ["Broker", 3], "is an array, not a list of texts"),
        ("texts", [None], "is an array, not a list of texts"),
        ("count or list", "2", "is text, not a count"),
        ("count or list", -1, "is -1, not a count"),
        ("count or list", True, "is true or false, not a count"),
        ("count or list", {"a": 1}, "is an object, not a count"),
        ("flag or count", "yes", "is text, not a count"),
        ("flag or count", -1, "is -1, not a count"),
        ("flag or count", 0.5, "is 0.5, not a count"),
        ("time", True, "is true or false, not a time"),
        ("time", {}, "is an object, not a time"),
        ("time", "2026-06-02T14:59:00", "names no offset from UTC"),
        ("time", "1780412340", "is not an RFC 3339 time"),
        ("time", "", "is not an RFC 3339 time"),
        ("time", -1, "is not an epoch time"),
        ("time", 1780412340000000, "is not an epoch time"),
        ("age", "60", "is text, not a number"),
        ("age", True, "is true or false, not a number"),
        ("age", 1e300, "is 1e+300, not an age"),
    ],
    ids=repr,
)
def test_a_value_that_cannot_be_read_is_not_seen_and_noted(kind, raw, problem):
    one = reading()
    assert one.read_value(kind, "status_v3.x", raw) is None
    assert (faults(one), one.skewed, one.read_paths) == ([f"status_v3.x {problem}"], [], set())


@pytest.mark.parametrize("kind", KINDS)
def test_null_is_not_seen_and_no_fault(kind):
    one = reading()
    assert one.read_value(kind, "status_v3.x", None) is None
    assert (faults(one), one.read_paths) == ([], set())


def test_every_kind_of_a_fact_and_of_a_column_can_be_read():
    of_facts = {str(spec["kind"]) for spec in STATUS_FACTS.values()} - {"rows"}
    assert of_facts <= set(KINDS)


@pytest.mark.parametrize(
    ("kind", "most"), [pytest.param("id", 120, id="an id"), pytest.param("text", 500, id="a text")]
)
def test_what_nobody_reads_to_its_end_is_cut(kind, most):
    assert len(reading().read_value(kind, "x", "x" * (most + 1))) == most
    assert len(reading().read_value(kind, "x", "x" * most)) == most


@pytest.mark.parametrize("digits", [23, 24])
def test_a_number_too_long_for_a_sentence_is_named_by_its_kind(digits):
    one = reading()
    one.read_value("flag", "x", 10**digits)
    assert faults(one) == [f"x is {'1' + '0' * digits if digits == 23 else 'a number'}, not true or false"]


# ---- times ahead -------------------------------------------------------------------------------------

AHEAD = [
    pytest.param(-1, -1, None, id="a second ago"),
    pytest.param(0, 0, None, id="now"),
    pytest.param(1, 0, None, id="a second ahead: now"),
    pytest.param(120, 0, None, id="120 s ahead: now"),
    pytest.param(121, None, 121.0, id="121 s ahead: not seen"),
    pytest.param(86_400, None, 86_400.0, id="a day ahead: not seen"),
]


@pytest.mark.parametrize(("ahead", "seen", "skew"), AHEAD)
@pytest.mark.parametrize("form", ["RFC 3339", "seconds", "milliseconds", "age"])
def test_a_time_may_be_120_s_ahead(form, ahead, seen, skew):
    moment = NOW + timedelta(seconds=ahead)
    raw: Any = {
        "RFC 3339": moment.isoformat(),
        "seconds": int(moment.timestamp()),
        "milliseconds": int(moment.timestamp() * 1000),
        "age": -ahead,
    }[form]
    one = reading()
    made = one.read_value("age" if form == "age" else "time", "status_v3.at", raw)
    assert made == (None if seen is None else NOW + timedelta(seconds=seen))
    assert one.skewed == ([] if skew is None else [("status_v3.at", skew)])
    assert one.read_paths == ({"status_v3.at"} if skew is None else set())
    assert one.invalid == []


def test_just_beyond_the_limit_is_too_far():
    one = reading()
    assert one.read_value("time", "x", "2026-06-02T15:02:00.000001Z") is None
    assert one.skewed == [("x", 120.000001)]


def test_how_far_ahead_is_too_far_can_be_set():
    one = Reading("status_v3", NOW, 0)
    assert one.read_value("time", "x", "2026-06-02T15:00:00Z") == NOW
    assert one.read_value("time", "y", "2026-06-02T15:00:01Z") is None


def test_an_age_counts_back_from_when_the_section_was_true():
    one = reading()
    one.as_of = NOW - timedelta(seconds=200)
    assert one.read_value("age", "x", 100) == NOW - timedelta(seconds=300)
    assert one.read_value("age", "x", -200) == NOW
    assert one.read_value("age", "x", -320) == NOW
    assert one.read_value("age", "x", -321) is None


def test_a_naive_time_is_read_where_the_profile_names_a_zone():
    one = reading(zone=ZoneInfo("America/New_York"))
    assert one.read_value("time", "x", "2026-06-02T10:59:00") == NOW - timedelta(minutes=1)


# ---- lists of objects --------------------------------------------------------------------------------


def plain(item: Any, column: str) -> Any:
    return item.get(column)


def test_rows_are_read_column_by_column():
    one = reading()
    raw = [{"symbol": "SPY", "price": 1, "at": 1780412340, "other people's": 3}, {"symbol": "QQQ"}]
    rows = one.read_rows("status_v3.ticks", raw, "ticks", Tick, plain)
    assert rows == (Tick("SPY", 1, NOW - timedelta(minutes=1)), Tick("QQQ"))
    assert "status_v3.ticks" in one.read_paths
    assert (faults(one), one.partial) == ([], set())


def test_an_empty_list_was_read():
    one = reading()
    assert one.read_rows("status_v3.ticks", [], "ticks", Tick, plain) == ()
    assert one.read_paths == {"status_v3.ticks"}


def test_a_missing_list_was_not():
    one = reading()
    assert one.read_rows("status_v3.ticks", None, "ticks", Tick, plain) is None
    assert (one.read_paths, faults(one)) == (set(), [])


@pytest.mark.parametrize("raw", [{}, "SPY", 3, True], ids=repr)
def test_what_is_no_list_is_not_seen(raw):
    one = reading()
    assert one.read_rows("status_v3.ticks", raw, "ticks", Tick, plain) is None
    assert [fault.path for fault in one.invalid] == ["status_v3.ticks"]
    assert one.partial == set()


@pytest.mark.parametrize("odd", [None, "SPY", 3, []], ids=repr)
def test_an_entry_that_is_no_object_is_left_out_and_the_rest_proves_nothing(odd):
    one = reading()
    rows = one.read_rows("status_v3.ticks", [{"symbol": "SPY"}, odd], "ticks", Tick, plain)
    assert rows == (Tick("SPY"),)
    assert faults(one) == ["status_v3.ticks has an entry that is not an object"]
    assert one.partial == {"ticks"}
    assert "status_v3.ticks" not in one.read_paths


@pytest.mark.parametrize(
    ("more", "taken"), [(-1, 9_999), (0, 10_000), (1, 10_000)], ids=["below", "at", "above"]
)
def test_a_list_is_read_to_its_ten_thousandth_entry(more, taken):
    one = reading()
    rows = one.read_rows("status_v3.ticks", [{"symbol": "SPY"}] * (10_000 + more), "ticks", Tick, plain)
    assert rows == (Tick("SPY"),) * taken
    assert faults(one) == (["status_v3.ticks has over 10000 entries"] if more == 1 else [])
    assert one.partial == ({"ticks"} if more == 1 else set())


def test_a_column_that_cannot_be_read_takes_nothing_else_with_it():
    one = reading()
    raw = [
        {"order_id": 7, "filled": "none", "submitted_at": "yesterday", "parked": 1},
        {"order_id": 8, "filled": 0},
    ]
    assert one.read_rows("status_v3.orders", raw, "orders", Order, plain) == (
        Order(order_id="7"),
        Order(order_id="8", filled=0),
    )
    assert sorted(faults(one)) == [
        "status_v3.orders.filled is text, not a number",
        "status_v3.orders.parked is 1, not true or false",
        "status_v3.orders.submitted_at is not an RFC 3339 time",
    ]


def test_paths_leave_list_indices_out():
    one = reading()
    one.read_rows(
        "status_v3.open_positions", [{"symbol": "A"}, {"symbol": "B", "quantity": "2"}], "x", Position, plain
    )
    assert one.invalid == [Fault("status_v3.open_positions.quantity", "is text, not a number")]


@pytest.mark.parametrize("row", [{}, {"price": 3.0}, {"symbol": ""}, {"symbol": None}], ids=repr)
def test_a_row_that_names_nothing_proves_nothing(row):
    one = reading()
    assert one.read_rows("status_v3.ticks", [{"symbol": "SPY"}, row], "ticks", Tick, plain) is not None
    assert one.partial == {"ticks"}


# ---- properties --------------------------------------------------------------------------------------


@given(kind=st.sampled_from(KINDS), raw=ANYTHING)
@example(kind="market data status", raw="0" * 5000)
def test_any_value_is_read_or_noted_and_never_raises(kind, raw):
    one = reading()
    made = one.read_value(kind, "status_v3.x", raw)
    noted = bool(one.invalid) + bool(one.skewed)
    assert noted <= 1
    assert ("status_v3.x" in one.read_paths) is (raw is not None and not noted)
    if noted and kind not in KEPT:
        assert made is None
    assert all(len(fault.problem) < 130 for fault in one.invalid)


@given(raw=ANYTHING)
def test_any_list_of_rows_is_read_or_noted_and_never_raises(raw):
    one = reading()
    rows = one.read_rows("status_v3.orders", raw, "orders", Order, plain)
    assert (rows is None) is not isinstance(raw, list)
    if rows is None and raw is not None:
        assert one.invalid
