"""The stores collector: the runtime's own SQLite file, named by a setting, its tables named by the
profile.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from detector.collectors.collector import list_unused_source_options
from detector.collectors.stores import MAX_ROWS, NEWEST_ROWS
from detector.formats import errors
from detector.settings import STORES_DB
from tests.support.program import answer
from tests.support.snapshots import settings_of
from tests.support.store_writer import HAMMERS, HOLDS, LIVES, writing, wrote

TABLES = (
    "CREATE TABLE position_state (trade_id INTEGER PRIMARY KEY, symbol TEXT, is_open INTEGER, contracts_remaining)",
    "CREATE TABLE trades (id INTEGER PRIMARY KEY, symbol TEXT, status TEXT, exit_price REAL, note)",
    "CREATE TABLE outcomes (trade_id INTEGER, exit_price REAL, pnl_dollars REAL)",
)
MINE = """
[store_tables.trades]
joined = { table = "outcomes", on = "trade_id", key = "id" }
[stores.trades]
trade_id = "id"
realized_pnl = "pnl_dollars"
"""


@pytest.fixture
def store(tmp_path):
    """Make a store with those rows: a table's name and the values of each row."""

    def make(**rows: list[tuple]) -> str:
        path = tmp_path / "store.db"
        with closing(sqlite3.connect(path)) as connection:
            for statement in TABLES:
                connection.execute(statement)
            for table, values in rows.items():
                marks = ",".join("?" * len(values[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
            connection.commit()
        return str(path)

    return make


@pytest.fixture
def profile(tmp_path):
    """Write a profile and return its path."""

    def make(text: str) -> str:
        (tmp_path / "mine.toml").write_text(text)
        return str(tmp_path / "mine.toml")

    return make


def collected(path, profile=None, **more):
    environ = {"AEGIS_PT_STORES_DB": str(path), "AEGIS_PT_PROFILE": profile or "aegis", **more}
    ran = answer("collect", environ=environ)
    assert ran.code == 0, ran.err
    return ran.document


def entry(path, profile=None, **more):
    return collected(path, profile, **more)["sources"]["stores"]


def test_the_tables_of_the_store_are_the_section_under_its_own_column_names(store):
    path = store(position_state=[(162, "SPY", 1, 39)], trades=[(162, "SPY", "OPEN", None, "ok")])
    document = collected(path)
    assert document["stores"] == {
        "as_of": "2026-06-02T15:00:00Z",
        "position_state": [{"symbol": "SPY", "trade_id": 162, "contracts_remaining": 39, "is_open": 1}],
        "trades": [{"symbol": "SPY", "id": 162, "exit_price": None, "status": "OPEN"}],
    }
    assert document["sources"]["stores"]["as_of"] == "2026-06-02T15:00:00Z"


def test_a_store_that_is_empty_was_read_and_says_that_there_is_nothing(store):
    assert collected(store())["stores"] == {
        "as_of": "2026-06-02T15:00:00Z",
        "position_state": [],
        "trades": [],
    }


def test_how_a_trade_ended_stands_beside_it_and_overrules_nothing(store, profile):
    path = store(
        trades=[
            (161, "SPY", "CLOSED", 4.0, None),
            (162, "SPY", "CLOSED", None, None),
            (163, "Q", "OPEN", None, None),
        ],
        outcomes=[(161, 9.9, 10.0), (162, 5.5, 1857.7)],
    )
    assert collected(path, profile(MINE))["stores"] == {
        "as_of": "2026-06-02T15:00:00Z",
        "trades": [
            {"symbol": "SPY", "id": 161, "exit_price": 4.0, "status": "CLOSED", "trade_id": 161, "pnl_dollars": 10.0},
            {"symbol": "SPY", "id": 162, "exit_price": 5.5, "status": "CLOSED", "trade_id": 162, "pnl_dollars": 1857.7},
            {"symbol": "Q", "id": 163, "exit_price": None, "status": "OPEN"},
        ],
    }  # fmt: skip
    assert collected(path, "cortana")["stores"]["trades"][1]["pnl_dollars"] == 1857.7


def test_of_several_ends_of_a_trade_the_latest_counts(store, profile):
    path = store(trades=[(1, "SPY", "CLOSED", None, None)], outcomes=[(1, 5.5, 1.0), (1, 6.46, 2.0)])
    assert collected(path, profile(MINE))["stores"]["trades"][0]["pnl_dollars"] == 2.0


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("is_short", 1, "says short, and nothing reads it: map it as side"),
        ("Direction", "SHORT", "says short, and nothing reads it: map it as side"),
        ("exit_date", "2026-05-01", "says closed, and nothing reads it: map it as closed_at"),
        ("exit_price", 5.5, "says closed, and nothing reads it: map it as is_open or status"),
        ("deleted", 1, "says closed, and nothing reads it: map it as is_open or status"),
    ],
)
def test_a_column_that_would_decide_and_is_not_mapped_is_reported(column, value, problem, tmp_path, profile):
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection, connection:
        connection.execute(f"CREATE TABLE positions (ticker TEXT, net INTEGER, {column})")
        connection.execute("INSERT INTO positions VALUES ('SPY', 39, ?)", (value,))
    path = profile(
        '[profile]\nname = "mine"\n[store_tables.position_state]\ntable = "positions"\n'
        '[stores.position_state]\nsymbol = "ticker"\nquantity = "net"\n'
    )
    document = collected(tmp_path / "store.db", path)
    environ = {"AEGIS_PT_PROFILE": str(path)}
    faults = {
        event["signature"]: event["summary"]
        for event in answer(stdin=document, environ=environ).document["events"]
    }
    assert problem in faults[f"reading_invalid:aegis-pt-core:stores.position_state.{column}"]


def test_a_column_that_nobody_judges_stays_where_it_is(store):
    path = store(trades=[(1, "SPY", "OPEN", None, "a secret")])
    assert "secret" not in json.dumps(collected(path))


def test_names_differ_in_case_as_little_as_they_do_to_sqlite(store):
    path = store(position_state=[(162, "SPY", 1, 39)])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "ALTER TABLE position_state RENAME COLUMN contracts_remaining TO Contracts_Remaining"
        )
    assert collected(path)["stores"]["position_state"][0]["contracts_remaining"] == 39


def test_what_no_json_can_hold_is_left_out_and_named(store):
    path = store(trades=[(1, "SPY", b"\x00pickle", float("inf"), None), (2, "SPY", "OPEN", 1.5, None)])
    document = collected(path)
    assert [sorted(row) for row in document["stores"]["trades"]] == [
        ["id", "symbol"],
        ["exit_price", "id", "status", "symbol"],
    ]
    assert document["sources"]["stores"]["detail"] == (
        "left out, as no JSON holds it: trades.exit_price, trades.status"
    )


def test_a_text_that_is_no_text_does_not_break_the_document(store):
    path = store(trades=[(1, "SPY", "OPEN", None, None)])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE trades SET symbol = CAST(x'ff41' AS TEXT)")
        connection.commit()
    assert collected(path)["stores"]["trades"][0]["symbol"] == "\ufffdA"


# --- long tables --------------------------------------------------------------------------------------


MAY_BE_OPEN = [
    pytest.param("OPEN", True, id="open"),
    pytest.param("CLOSED", False, id="closed"),
    pytest.param("closed ", False, id="closed in other letters"),
    pytest.param("EXIT_PENDING", True, id="a word that nobody knows"),
    pytest.param(None, True, id="nothing"),
]


@pytest.mark.parametrize(("status", "read"), MAY_BE_OPEN)
def test_of_a_long_table_the_newest_rows_are_read_and_every_one_that_may_be_open(status, read, store):
    count = 3 * NEWEST_ROWS
    trades = [(i, "SPY", status if i in (5, 162) else "CLOSED", 1.0, None) for i in range(1, count + 1)]
    rows = collected(store(trades=trades))["stores"]["trades"]
    assert [row["id"] for row in rows] == [
        *([5, 162] if read else []),
        *range(count - NEWEST_ROWS + 1, count + 1),
    ]


OWN_WORDS = """
[store_tables.position_state]
[store_tables.trades]
[stores.trades]
trade_id = "id"
[words]
open = ["running", "1"]
closed = ["target hit", "2"]
"""


@pytest.mark.parametrize(
    ("closed", "status", "read"),
    [
        ("target hit", "running", True),
        ("TARGET HIT ", "target hit", False),
        ("target hit", "no word", True),
        ("CLOSED", "target hit", False),
        (2, 1, True),
        (2, 2, False),
    ],
)
def test_the_profile_s_own_words_decide_what_is_closed(closed, status, read, store, profile):
    trades = [
        (i, "SPY", status if i == 5 else closed, None, None) for i in range(1, MAX_ROWS + NEWEST_ROWS + 2)
    ]
    rows = collected(store(trades=trades), profile(OWN_WORDS))["stores"]["trades"]
    assert (rows[0]["id"] == 5, len(rows)) == (read, NEWEST_ROWS + read)


@pytest.mark.parametrize(
    ("closed_at", "read"),
    [
        *(
            (none, True)
            for none in (None, "", " ", "NaT", 0, "1970-01-01T00:00:00Z", "9999-12-31", 2461192.9)
        ),
        *((moment, False) for moment in ("2026-05-05", 1777939200, 1777939200000, " 2026-05-05 20:00")),
    ],
)
def test_what_is_no_certain_time_of_the_close_is_none(closed_at, read, store, profile):
    columns = (
        '[store_tables.trades]\n[stores.trades]\ntrade_id = "id"\nstatus = "no_column"\nclosed_at = "note"\n'
    )
    trades = [
        (i, "SPY", None, None, closed_at if i == 5 else "2026-05-05") for i in range(1, 2 * NEWEST_ROWS)
    ]
    rows = collected(store(trades=trades), profile(columns))["stores"]["trades"]
    assert (rows[0]["id"] == 5, len(rows)) == (read, NEWEST_ROWS + read)


def test_a_column_of_its_own_that_is_called_rowid_orders_nothing(tmp_path):
    path = tmp_path / "bot.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE trades (rowid TEXT, id INTEGER, status TEXT)")
        connection.execute("CREATE TABLE position_state (trade_id INTEGER, is_open INTEGER)")
        rows = [(None if i == 5 else str(i), i, "OPEN" if i == 5 else "CLOSED") for i in range(1, 999)]
        connection.executemany("INSERT INTO trades VALUES (?, ?, ?)", rows)
        connection.commit()
    assert [row["id"] for row in collected(path)["stores"]["trades"]] == [5, *range(499, 999)]


@pytest.mark.parametrize(
    ("is_open", "read"),
    [(1, True), (0, False), ("0", False), (None, True)],
    ids=["open", "closed", "closed, as text", "nothing"],
)
def test_what_is_open_is_so_by_its_flag(is_open, read, store):
    rows = [(i, "SPY", is_open if i == 7 else 0, 1) for i in range(1, 2 * NEWEST_ROWS)]
    found = collected(store(position_state=rows))["stores"]["position_state"]
    assert (found[0]["trade_id"] == 7, len(found)) == (read, NEWEST_ROWS + read)


@pytest.mark.parametrize(
    ("count", "reason"),
    [
        pytest.param(MAX_ROWS + NEWEST_ROWS, None, id="as many as are read"),
        pytest.param(MAX_ROWS + NEWEST_ROWS + 1, errors.TOO_LARGE, id="one more"),
    ],
)
def test_more_open_rows_than_are_read_is_a_failure_and_no_excerpt(count, reason, store):
    path = store(trades=[(i, "SPY", "OPEN", None, None) for i in range(count)])
    assert entry(path).get("reason") == reason


def test_more_text_than_a_snapshot_can_hold_is_a_failure(store):
    assert entry(store(trades=[(i, "x" * 900_000, "OPEN", None, None) for i in range(6)]))["reason"] == (
        errors.TOO_LARGE
    )


def test_a_view_and_a_table_without_row_ids_are_read_whole(store, profile):
    path = store(trades=[(1, "SPY", "OPEN", None, None), (2, "QQQ", "CLOSED", 3.0, None)])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE VIEW all_trades AS SELECT id, lower(status) AS status FROM trades")
        connection.execute(
            "CREATE TABLE states (trade_id INTEGER PRIMARY KEY, is_open INTEGER) WITHOUT ROWID"
        )
        connection.execute("INSERT INTO states VALUES (1, 1)")
        connection.commit()
    named = profile(
        '[store_tables.trades]\ntable = "all_trades"\n[store_tables.position_state]\ntable = "states"\n'
        '[stores.trades]\ntrade_id = "id"\n'
    )
    section = collected(path, named)["stores"]
    assert section["trades"] == [{"id": 1, "status": "open"}, {"id": 2, "status": "closed"}]
    assert section["position_state"] == [{"trade_id": 1, "is_open": 1}]


WITHOUT_ORDER = (
    "CREATE TABLE states (trade_id INTEGER PRIMARY KEY, is_open INTEGER) WITHOUT ROWID",
    "CREATE TABLE kept (trade_id INTEGER PRIMARY KEY, is_open INTEGER); CREATE VIEW states AS SELECT * FROM kept",
)


@pytest.mark.parametrize("made", WITHOUT_ORDER, ids=["without row ids", "a view"])
@pytest.mark.parametrize(
    ("count", "opened", "read", "noted"),
    [
        pytest.param(MAX_ROWS, 2, MAX_ROWS, False, id="as many as are read"),
        pytest.param(MAX_ROWS + 1, 2, 2, True, id="one more, closed"),
        pytest.param(MAX_ROWS + 1, MAX_ROWS + 1, None, False, id="one more, open"),
    ],
)
def test_of_a_long_table_without_an_order_all_that_may_be_open_is_read_and_the_rest_is_said_to_be_left_out(
    made, count, opened, read, noted, store, profile
):
    path = store()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(made)
        table = "kept" if "kept" in made else "states"
        connection.executemany(f"INSERT INTO {table} VALUES (?, ?)", [(i, i < opened) for i in range(count)])
        connection.commit()
    document = collected(
        path,
        profile(
            '[store_tables.position_state]\ntable = "states"\n[store_tables.trades]\n[stores.trades]\ntrade_id = "id"\n'
        ),
    )
    about = document["sources"]["stores"]
    assert about.get("reason") == (None if read else errors.TOO_LARGE)
    assert len(document.get("stores", {}).get("position_state", ())) == (read or 0)
    assert ("its rows that are closed" in (about.get("detail") or "")) is noted


# --- what goes wrong ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        pytest.param(
            '[store_tables.trades]\ntable = "deals"\n',
            "it has no table 'deals' (there are: outcomes, position_state, trades)",
            id="a table",
        ),
        pytest.param(
            '[store_tables.trades]\n[stores.trades]\ntrade_id = ["deal", "number"]\n',
            "its table 'trades' has no column deal, number (there are: id, symbol, status, exit_price, note)",
            id="the column that names a row",
        ),
        pytest.param(
            '[store_tables.position_state]\ntable = "outcomes"\n',
            "its table 'outcomes' has no column is_open, quantity (there are: trade_id, exit_price, pnl_dollars)",
            id="the column that says what is open",
        ),
    ],
)
def test_another_schema_is_named_with_what_is_there(text, detail, store, profile):
    found = entry(store(trades=[(1, "SPY", "OPEN", None, None)]), profile(text))
    assert (found["state"], found["reason"], found["detail"]) == ("failed", errors.SCHEMA, detail)


@pytest.mark.parametrize(
    ("joined", "detail"),
    [
        ('table = "exits", on = "trade_id", key = "id"', "it has no table 'exits' (there are: "),
        (
            'table = "outcomes", on = "deal", key = "id"',
            "its table 'outcomes' has no column deal (there are: ",
        ),
        (
            'table = "outcomes", on = "trade_id", key = "no"',
            "its table 'trades' has no column no (there are: ",
        ),
    ],
    ids=["the table", "its column", "the column of the trade"],
)
def test_another_schema_of_how_trades_ended_is_named_too(joined, detail, store, profile):
    text = f'[store_tables.trades]\njoined = {{ {joined} }}\n[stores.trades]\ntrade_id = "id"\n'
    found = entry(store(trades=[(1, "SPY", "OPEN", None, None)]), profile(text))
    assert (found["reason"], found["detail"].startswith(detail)) == (errors.SCHEMA, True), found


def test_a_name_that_is_no_word_is_still_a_name_and_no_statement(store, profile):
    odd = 'my "odd"; DROP TABLE trades; --'
    path = store(trades=[(1, "SPY", "OPEN", None, None)])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            f'CREATE TABLE "{odd.replace(chr(34), chr(34) * 2)}" ("a ""b""" INTEGER, status TEXT)'
        )
        connection.commit()
    named = profile(f"[store_tables.trades]\ntable = '{odd}'\n[stores.trades]\ntrade_id = 'a \"b\"'\n")
    assert collected(path, named)["stores"]["trades"] == []
    assert len(collected(path)["stores"]["trades"]) == 1


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ("[store_tables.orders]\n", "[store_tables] orders: is not known; there are: position_state, trades"),
        ("[store_tables]\ntrades = 'trades'\n", "must be a table"),
        (
            "[store_tables.trades]\nwhere = 'id > 5'\n",
            "[store_tables.trades] where: is not known; there are: table, joined",
        ),
        ("[store_tables.trades]\ntable = ''\n", "[store_tables.trades] table: is empty"),
        ("[store_tables.trades]\njoined = 'outcomes'\n", "joined: must be a table"),
        (
            "[store_tables.trades]\njoined = { table = 'o', on = 'x' }\n",
            "[store_tables.trades.joined] key: is missing",
        ),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused(tables, message, store, profile):
    ran = answer("collect", environ={"AEGIS_PT_STORES_DB": store(), "AEGIS_PT_PROFILE": profile(tables)})
    assert (ran.code, message in ran.err) == (2, True), ran.err


def test_a_store_that_is_not_there_is_a_failed_source_and_none_is_made(tmp_path):
    found = entry(tmp_path / "none.db")
    assert (found["state"], found["reason"], list(tmp_path.iterdir())) == ("failed", errors.MISSING, [])


def test_a_store_that_its_writer_keeps_locked_fails_and_the_rest_is_collected(tmp_path):
    broker = tmp_path / "broker.json"
    broker.write_text(json.dumps({"positions": []}))
    path = tmp_path / "store.db"
    with writing(path, HOLDS, "delete"):
        document = collected(path, AEGIS_PT_SECTIONS=f"broker={broker}")
    assert document["sources"]["stores"]["reason"] == errors.LOCKED
    assert document["sources"]["broker"]["state"] == "ok"


def test_both_tables_are_from_one_moment_while_the_runtime_writes(tmp_path):
    path = tmp_path / "store.db"
    with writing(path, HAMMERS, "wal", 0) as writer:
        for _ in range(25):
            section = collected(path)["stores"]
            told = {row["contracts_remaining"] for row in section["position_state"]}
            assert told == {row["contracts"] for row in section["trades"]}
            assert len(told) == 1
    assert writer["locked"] == 0


def test_it_cannot_come_from_two_places(tmp_path):
    environ = {"AEGIS_PT_STORES_DB": "s.db", "AEGIS_PT_SECTIONS": "stores=s.json"}
    ran = answer("collect", environ=environ)
    assert (ran.code, "section stores is to be read from two places" in ran.err) == (2, True)


def test_doctor_says_where_it_is_read_and_what_would_add_it(tmp_path):
    path = tmp_path / "store.db"
    wrote(path, LIVES.replace("sys.stdin.read()", ""))
    (found,) = answer("doctor", "--json", environ={"AEGIS_PT_STORES_DB": str(path)}).document["sources"]
    assert (found["name"], found["state"], found["setting"], found["place"]) == (
        "stores", "ok", "AEGIS_PT_STORES_DB", str(path),
    )  # fmt: skip
    offers = [offer for offer in list_unused_source_options(settings_of()) if offer.section == "stores"]
    assert [offer.settings for offer in offers] == [(STORES_DB,)], "its own setting before a file's"
