"""Positions: neither the order of rows, the format of numbers nor a split into lots changes the verdict."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detector.domain.instrument import Instrument, get_instrument_name, normalize
from detector.formats.numbers import format_quantity, to_exact_decimal
from detector.reconciliation.identity import DIFFERENT, SAME, UNCLEAR, compare
from detector.reconciliation.position_book import PositionBook, build_position_book
from detector.reconciliation.position_differences import compare_positions
from detector.reconciliation.position_pairs import Difference, Lot, classify_difference
from tests.support.lots import build_lot
from tests.support.snapshots import evaluated, healthy, named

CALL = Instrument("SPY", None, "OPT", "20260506", 727, "C", 100)
SHARE = Instrument("SPY", None, "STK")


def list_differences(book: PositionBook) -> list[Difference]:
    return list(compare_positions(book).differences)


def list_undecided(book: PositionBook) -> list[str]:
    return sorted({name for group in compare_positions(book).unclear for name in group.names})


def found(internal: list[tuple[Instrument, Any]], broker: list[tuple[Instrument, Any]]) -> list[Difference]:
    def lots(side: list[tuple[Instrument, Any]]) -> list[Lot]:
        return [
            build_lot(one, None if quantity is None else Decimal(str(quantity))) for one, quantity in side
        ]

    return list_differences(build_position_book(lots(internal), lots(broker)))


# --- one instrument, however it is written -------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (Instrument("spy"), "SPY"),
        (Instrument("SPY", sec_type="Stocks", strike=0, right="?", multiplier=0), "SPY"),
        (Instrument("SPY", expiry="20260506", strike=727, right="CALL"), "SPY 2026-05-06 727C"),
        (Instrument("SPY   260506C00727000"), "SPY 2026-05-06 727C"),
        (Instrument("SPY260506P00727500"), "SPY 2026-05-06 727.5P"),
        (Instrument("SPY", expiry="20260506 15:00 US/Central", strike=727, right="c"), "SPY 2026-05-06 727C"),
        (Instrument("ES", sec_type="FUT", expiry="202606"), "ES 202606"),
        (Instrument(con_id="7"), "conid 7"),
        (Instrument("SPY", strike=727), "SPY 727"),
        (Instrument(), "(instrument not named)"),
    ],
)
def test_the_one_name_of_an_instrument(written, name):
    assert get_instrument_name(written) == name
    assert get_instrument_name(normalize(written)) == name


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (39, "39"),
        (39.0, "39"),
        (-39, "-39"),
        (0.5, "0.5"),
        (0.1, "0.1"),
        (1e-12, "0.000000000001"),
        (999_999_999_999, "999999999999"),
        (1000, "1000"),
        (0, "0"),
        (-0.0, "0"),
    ],
)
def test_a_number_is_the_decimal_that_was_written(number, text):
    made = to_exact_decimal(number)
    assert made is not None
    assert format_quantity(made) == text


@pytest.mark.parametrize("number", [1e12, -1e300, 1e-13, None, Decimal("1E-13"), float("inf"), float("nan")])
def test_beyond_what_an_account_can_hold_a_quantity_is_not_known(number):
    assert to_exact_decimal(number) is None


# --- differences ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("internal", "broker", "kind"),
    [
        (39, 39, None),
        (0, 0, None),
        (39, 0, "phantom"),
        (-39, 0, "phantom"),
        (0, 39, "unmanaged"),
        (0, -1, "unmanaged"),
        (39, 38, "quantity"),
        (-39, -38, "quantity"),
        (39, -39, "side"),
        (-1, 39, "side"),
    ],
)
def test_a_difference_is_of_one_kind(internal, broker, kind):
    assert classify_difference(Decimal(internal), Decimal(broker)) == kind


def test_a_future_of_a_month_is_the_one_of_its_last_day():
    month, day = (Instrument("ES", None, "FUT", expiry) for expiry in ("202606", "20260619"))
    assert found([(month, 2)], [(day, 2)]) == []
    assert len(found([(month, 2)], [(Instrument("ES", None, "FUT", "20260918"), 2)])) == 2


def test_ten_thousand_lots_add_up_exactly():
    tiny, huge = Decimal("0.000000000001"), Decimal(999999999999)
    many = build_position_book(
        [build_lot(SHARE, huge) for _ in range(10_000)], [build_lot(SHARE, huge * 10_000 - tiny)]
    )
    assert [one.kind for one in list_differences(many)] == ["quantity"]


def test_a_quantity_that_was_not_seen_decides_nothing_of_its_instrument():
    put = Instrument("SPY", None, "OPT", "20260506", 727, "P", 100)
    assert [one.name for one in found([(CALL, None), (put, 5)], [(CALL, 39)])] == ["SPY 2026-05-06 727P"]
    assert list_undecided(build_position_book([build_lot(CALL, None)], [build_lot(CALL, Decimal(39))])) == [
        "SPY 2026-05-06 727C"
    ]


def test_an_unclear_row_is_compared_with_all_that_it_may_be():
    unclear = Instrument("SPY", None, "OPT", None, 727, "C")
    later = Instrument("SPY", None, "OPT", "20260507", 727, "C", 100)
    both = [(CALL, 30), (later, 9)]
    assert found([(unclear, 39)], both) == []
    assert list_undecided(
        build_position_book(
            [build_lot(unclear, Decimal(39))], [build_lot(one, Decimal(q)) for one, q in both]
        )
    ) == [
        "SPY 2026-05-06 727C",
        "SPY 2026-05-07 727C",
        "SPY 727C",
    ]
    (difference,) = found([(unclear, 38)], both)
    assert (difference.name, difference.kind, difference.is_vague) == ("SPY 727C", "quantity", True)


# --- accounts, and rows in little detail ----------------------------------------------------------------


def of(account: str | None, quantity: int, instrument: Instrument = CALL) -> Lot:
    return build_lot(instrument, Decimal(quantity), account)


@pytest.mark.parametrize(
    ("internal", "broker", "ours", "kinds"),
    [
        pytest.param(
            [of("a", 39)], [of("a", 39), of("b", 5)], None, ["unmanaged"], id="another account is another key"
        ),
        pytest.param([of("a", 39)], [of("a", 39), of("b", 5)], "a", [], id="and no matter of this runtime"),
        pytest.param([of(None, 39)], [of("a", 39)], None, [], id="a runtime that names none"),
        pytest.param([of(None, 39)], [of("a", 39), of("b", 5)], "a", [], id="is of its own account"),
        pytest.param([of(None, 39)], [of("a", 30), of("b", 9)], None, [], id="or nobody knows of which"),
        pytest.param([of(None, 39)], [of("a", 39), of("b", 9)], None, [], id="nor whose the rest is"),
        pytest.param(
            [of("a", 39)], [of("b", 39)], None, ["phantom", "unmanaged"], id="held in the wrong account"
        ),
        pytest.param([], [of(None, 39)], "a", ["unmanaged"], id="a row of the broker without an account"),
    ],
)
def test_positions_are_of_an_account(internal, broker, ours, kinds):
    assert sorted(one.kind for one in list_differences(build_position_book(internal, broker, ours))) == kinds


def test_what_is_found_by_a_symbol_alone():
    bare, put = Instrument("SPY"), Instrument("SPY", None, "OPT", "20260506", 727, "P", 100)
    one = build_position_book([], [of(None, 39)])
    assert [held.name for held in one.find(bare)] == ["SPY 2026-05-06 727C"]
    two = build_position_book([], [of(None, 39), of(None, 1, put)])
    assert len(two.find(bare)) == 2
    with_share = build_position_book([], [of(None, 39), of(None, 100, SHARE)])
    assert [held.name for held in with_share.find(bare)] == ["SPY"]
    assert build_position_book([], [of(None, 39)]).find(put) == []


def test_a_share_beside_an_option_is_no_part_of_it():
    bare = Instrument("SPY")
    (difference,) = list_differences(build_position_book([of(None, 39), of(None, 100, bare)], [of(None, 39)]))
    assert (difference.name, difference.kind, difference.internal) == ("SPY", "phantom", Decimal(100))


def test_a_contract_id_has_the_names_that_another_account_gives_it():
    by_id, euro = Instrument("SAN", "851"), Instrument("SAN", currency="EUR", local_symbol="SAN1")
    dollar = Instrument("SAN", "851", "STK", currency="USD")
    held = [build_lot(row, Decimal(200), "DU1") for row in (by_id, euro)]
    book = build_position_book([*held, build_lot(dollar, Decimal(200), "DU2")], [])
    assert [len(book.find(row, "DU1")) for row in (by_id, euro)] == [1, 1]
    assert {row.internal for row in list_differences(book)} == {Decimal(200)}
    contrary = build_lot(Instrument("SAN", "851", currency="GBP"), Decimal(1), "DU3")
    others = [contrary, build_lot(dollar, Decimal(1), "DU2")]
    assert build_position_book([*held, *others], []).names.add_to(by_id) == by_id


def test_a_row_without_the_id_beside_the_one_that_has_it_may_be_more_of_it():
    named, bare = Instrument("SPY", "756733", "STK"), Instrument("SPY", None, "STK", currency="USD")
    book = build_position_book([], [of(None, 1, named), of(None, 4, bare)])
    assert len(book.find(Instrument(con_id="756733"))) == 2


def test_an_id_without_its_class_may_be_of_the_adjusted_class_beside_it():
    plain = Instrument("AAPL", None, "OPT", "20260717", 200, "C", trading_class="AAPL")
    adjusted = Instrument("AAPL", None, "OPT", "20260717", 200, "C", trading_class="AAPL1")
    by_id = Instrument("AAPL", "812", "OPT", "20260717", 200, "C")
    book = build_position_book(
        [of(None, 10, by_id), of(None, 1, plain)], [of(None, 10, adjusted), of(None, 1, plain)]
    )
    assert (list_differences(book), list_undecided(book)) == ([], ["AAPL 2026-07-17 200C"])


@pytest.mark.parametrize("account", ["DU1", None])
def test_a_contract_beside_it_of_any_list_leaves_a_row_without_its_id_open(account):
    by_id, dollar = Instrument("SAN", "852", local_symbol="SAN1"), Instrument("SAN", currency="USD")
    rival = Instrument("SAN", "851", currency="USD")
    held = [of("DU1", 500, by_id), of("DU1", 200, dollar)]
    alone, beside = build_position_book(held, []), build_position_book(held, [of(account, 200, rival)])
    assert (len(alone.positions), len(alone.find(by_id, "DU1"))) == (1, 1)
    assert [(row.internal, bool(row.merged)) for row in list_differences(beside)] == [(Decimal(700), True)]


def test_a_class_is_missing_of_an_index_option_that_has_two():
    bare = Instrument("SPX", None, "OPT", "20260618", 6000, "P")
    weekly, plain = replace(bare, trading_class="SPXW"), replace(bare, con_id="821", trading_class="SPX")
    other = replace(bare, con_id="822")
    book = build_position_book(
        [of(None, -10, bare), of(None, 2, weekly)], [of(None, -10, plain), of(None, 2, other)]
    )
    assert list_differences(book) == []


def test_two_unclear_rows_that_touch_are_compared_as_one():
    later_call = Instrument("SPY", None, "OPT", "20260507", 727, "C", 100)
    unclear = Instrument("SPY", None, "OPT", None, 727, "C")
    vaguer = Instrument("SPY", None, "OPT", None, 727)
    broker = [of(None, 30), of(None, 9, later_call)]
    assert list_differences(build_position_book([of(None, 38, unclear), of(None, 1, vaguer)], broker)) == []
    (one,) = list_differences(build_position_book([of(None, 38, unclear), of(None, 2, vaguer)], broker))
    assert (one.kind, one.internal, one.broker) == ("quantity", Decimal(40), Decimal(39))


def test_an_unclear_row_of_the_broker_counts_at_the_broker():
    later_call = Instrument("SPY", None, "OPT", "20260507", 727, "C", 100)
    unclear = Instrument("SPY", None, "OPT", None, 727, "C")
    (one,) = list_differences(
        build_position_book([of(None, 30), of(None, 8, later_call)], [of(None, 39, unclear)])
    )
    assert (one.kind, one.internal, one.broker) == ("quantity", Decimal(38), Decimal(39))


# --- properties ----------------------------------------------------------------------------------------

SYMBOLS, STRIKES = ("SPY", "QQQ"), (727, 730.5)
QUANTITIES = st.integers(-3, 3).map(lambda n: Decimal(n) / 4)


@st.composite
def instruments(draw: Any) -> dict[str, Any]:
    symbol = draw(st.sampled_from(SYMBOLS))
    if draw(st.booleans()):
        return {"symbol": symbol, "sec_type": "STK"}
    return {
        "symbol": symbol,
        "sec_type": "OPT",
        "expiry": draw(st.sampled_from(("20260602", "20260610"))),
        "strike": draw(st.sampled_from(STRIKES)),
        "right": draw(st.sampled_from("CP")),
        "multiplier": 100,
    }


SIDES = st.lists(st.tuples(instruments(), QUANTITIES), max_size=5)


def in_other_words(draw: Any, row: dict[str, Any], quantity: Decimal, multiplier: bool) -> dict[str, Any]:
    """The same row as another program writes it, which gives a multiplier in every row or in none."""
    made = dict(row)
    if "right" in made:
        made["right"] = draw(st.sampled_from((made["right"], {"C": "CALL", "P": "put"}[made["right"]])))
        day = made["expiry"]
        made["expiry"] = draw(st.sampled_from((day, f"{day[:4]}-{day[4:6]}-{day[6:]}")))
        made["strike"] = draw(
            st.sampled_from((made["strike"], float(made["strike"]), f"{made['strike']:.2f}"))
        )
        if not multiplier:
            del made["multiplier"]
    written = [
        float(quantity),
        *((int(quantity),) if quantity == int(quantity) else ()),
        f"{quantity:.4f}",
    ]
    return {**made, "quantity": draw(st.sampled_from(written))}


def split(draw: Any, rows: list[tuple[dict[str, Any], Decimal]]) -> list[tuple[dict[str, Any], Decimal]]:
    made: list[tuple[dict[str, Any], Decimal]] = []
    for row, quantity in rows:
        part = quantity * draw(st.sampled_from((Decimal(0), Decimal("0.25"), Decimal(1))))
        made += [(row, part), (row, quantity - part)] if draw(st.booleans()) else [(row, quantity)]
    assume_no_equal_rows(made)
    return made


def assume_no_equal_rows(rows: list[tuple[dict[str, Any], Decimal]]) -> None:
    """Rows that are equal in everything may be one that was written twice, which is another verdict."""
    assume(len({(repr(row), quantity) for row, quantity in rows}) == len(rows))


def verdict(held: list[dict[str, Any]], at_broker: list[dict[str, Any]]) -> list[str]:
    document = healthy()
    document["stores"] = {"position_state": [{**row, "is_open": True} for row in held]}
    document["broker"] = {"connected": True, "positions": at_broker}
    return [event for event in named(evaluated(document)) if "drift" in event]


@given(SIDES, SIDES, st.data())
@settings(max_examples=40, deadline=None)
def test_no_order_writing_or_splitting_changes_the_verdict(internal, broker, data):
    plain = [[{**row, "quantity": float(quantity)} for row, quantity in side] for side in (internal, broker)]
    for side in (internal, broker):
        assume_no_equal_rows(side)
    changed = [
        [
            in_other_words(data.draw, row, quantity, multiplier)
            for row, quantity in data.draw(st.permutations(split(data.draw, side)))
        ]
        for side, multiplier in ((internal, data.draw(st.booleans())), (broker, data.draw(st.booleans())))
    ]
    assert verdict(*changed) == verdict(*plain)


@given(SIDES, SIDES, st.data())
@settings(max_examples=40, deadline=None)
def test_a_row_that_lacks_its_multiplier_adds_no_difference(internal, broker, data):
    plain = [[{**row, "quantity": float(quantity)} for row, quantity in side] for side in (internal, broker)]
    for side in (internal, broker):
        assume_no_equal_rows(side)
    changed = [
        [
            in_other_words(data.draw, row, quantity, data.draw(st.booleans()))
            for row, quantity in data.draw(st.permutations(side))
        ]
        for side in (internal, broker)
    ]
    assert set(verdict(*changed)) <= set(verdict(*plain))


@given(SIDES, SIDES)
@settings(max_examples=60, deadline=None)
def test_the_verdict_is_that_of_plain_sums(internal, broker):
    signs = {(get_instrument_name(Instrument(**row)), quantity > 0) for row, quantity in internal if quantity}
    assume(not any((name, True) in signs and (name, False) in signs for name, _ in signs))
    sums: dict[str, list[Decimal]] = {}
    for side, rows in enumerate((internal, broker)):
        for row, quantity in rows:
            sums.setdefault(get_instrument_name(Instrument(**row)), [Decimal(0), Decimal(0)])[side] += (
                quantity
            )
    expected = {name: classify_difference(*both) for name, both in sums.items()}
    mine, theirs = (
        [build_lot(Instrument(**row), quantity) for row, quantity in rows] for rows in (internal, broker)
    )
    assert {one.name: one.kind for one in list_differences(build_position_book(mine, theirs))} == {
        n: k for n, k in expected.items() if k
    }


FRONT = Instrument("ES", con_id="1", sec_type="FUT", expiry="20260618", local_symbol="ESM6", currency="USD")
STOCK = Instrument("AAPL", con_id="2", sec_type="STK", currency="USD", trading_class="NMS")
EURO = Instrument("EUR", con_id="3", sec_type="CASH", currency="USD", local_symbol="EUR.USD")
LONDON = Instrument("VOD", con_id="4", sec_type="STK", currency="GBP")


@pytest.mark.parametrize(
    ("written", "listed", "answer"),
    [
        pytest.param({"symbol": "NASDAQ:AAPL"}, STOCK, SAME, id="a venue before a share"),
        pytest.param({"symbol": "AAPL.XNAS"}, STOCK, SAME, id="a venue behind it"),
        pytest.param({"symbol": "AAPL@SMART"}, STOCK, SAME, id="a route"),
        pytest.param({"symbol": "NYSE:BRK.B"}, STOCK, DIFFERENT, id="another share at a venue"),
        pytest.param(
            {"symbol": "VOD.NASDAQ"}, LONDON, DIFFERENT, id="an American listing of a share elsewhere"
        ),
        pytest.param({"symbol": "VOD", "currency": "GBX"}, LONDON, SAME, id="a listing in pence"),
        pytest.param(
            {"symbol": "VOD", "currency": "ZAC"}, LONDON, DIFFERENT, id="a listing in cents of a rand"
        ),
        pytest.param({"symbol": "EUR/USD.IDEALPRO"}, EURO, SAME, id="a pair at a venue"),
        pytest.param({"symbol": "ESM6.XCME"}, FRONT, SAME, id="a future at a venue"),
        pytest.param({"symbol": "ESM2026"}, FRONT, SAME, id="a future of a year in full"),
        pytest.param({"symbol": "ESM2027"}, FRONT, DIFFERENT, id="a future of the year after"),
        pytest.param({"symbol": "ES1!"}, FRONT, UNCLEAR, id="a continuous future"),
        pytest.param(
            {"symbol": "ES", "sec_type": "CONTFUT"}, FRONT, UNCLEAR, id="a future called continuous"
        ),
        pytest.param({"symbol": "NQ1!"}, FRONT, DIFFERENT, id="a continuous future of another root"),
    ],
)
def test_a_name_in_the_notation_of_a_runtime_is_the_broker_s_or_unclear(written, listed, answer):
    assert compare(normalize(Instrument(**written)), normalize(listed)) == answer
