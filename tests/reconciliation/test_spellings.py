"""One contract in the spellings of brokers, exchanges and vendors of data: never another, whoever wrote it.

Sources: OCC, IBKR's local symbols, thinkorswim, tastytrade, Tradovate, TradingView, Polygon, Yahoo, Bloomberg,
Reuters' codes, CQG, Schwab, Nautilus, LEAN, vnpy, ISIN, CUSIP and FIGI.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache
from itertools import combinations, product
from typing import Any

import pytest

from detector.domain.instrument import Instrument, normalize
from detector.reconciliation.expiry import build_contract_key
from detector.reconciliation.identity import DIFFERENT, SAME, UNCLEAR, Answer, compare, compare_parts
from detector.reconciliation.instrument_aliases import get_roots
from tests.support.snapshots import evaluated, healthy

Spellings = list[dict[str, Any]]
CODES = {
    "AAPL": ("US0378331005", "BBG000B9XRY4", "037833100"),
    "MSFT": ("US5949181045", "BBG000BPH459", "594918104"),
    "BRK B": ("US0846707026", "BBG000DWG505", "084670702"),
}


def spell_share(symbol: str) -> Spellings:
    """An American share."""
    written = [symbol.replace(" ", mark) for mark in (" ", ".", "-", "/", "")]
    dotted = symbol.replace(" ", ".")
    texts = [
        *written, symbol.lower(), f"NASDAQ:{dotted}", f"{dotted}:NASDAQ", f"XNAS:{dotted}", f"NMS:{dotted}", f"{dotted}.NASDAQ",
        f"{dotted}@SMART", f"{dotted}-STK-SMART", f"{dotted}.STK.SMART.USD", f"{dotted}_STK_SMART_USD", f"STK:{dotted}:USD",
        f"NASDAQ:{dotted}:USD", f"{dotted}-USD-STK.SMART", f"{symbol.replace(' ', '/')} US Equity", f"{dotted}.US", f"US:{dotted}", *CODES[symbol],
    ]  # fmt: skip
    if " " not in symbol:
        texts += [
            f"{symbol}.O",
            f"{symbol}.OQ",
            f"{symbol} UW Equity",
            f"{symbol} UW",
            f"{symbol}/USD",
            f"{symbol}-USD",
        ]
    parts: Spellings = [
        {"sec_type": "STK"},
        {"sec_type": "STK", "currency": "USD"},
        {"sec_type": "US_EQUITY"},
    ]
    return [*({"symbol": text} for text in texts), *({"symbol": symbol, **more} for more in parts),
            *({"symbol": code, "sec_type": "STK"} for code in CODES[symbol])]  # fmt: skip


def spell_foreign_share(symbol: str, currency: str, venue: str, country: str, reuters: str) -> Spellings:
    """A share of another exchange."""
    texts = [symbol, f"{symbol}.{reuters}", f"{symbol} {country} Equity", f"{symbol} {country}", f"{venue}:{symbol}",
             f"{symbol}.{venue}"]  # fmt: skip
    units = [currency, "GBp", "GBX"] if currency == "GBP" else [currency]
    return [*({"symbol": text} for text in texts), {"symbol": f"{symbol}.{reuters}", "sec_type": "STK"},
            *({"symbol": symbol, "sec_type": "STK", "currency": unit} for unit in units)]  # fmt: skip


def spell_option(root: str, day: date, strike: float, right: str) -> Spellings:
    """An American option."""
    occ, number, word = (
        f"{day:%y%m%d}{right}{round(strike * 1000):08d}",
        f"{strike:g}",
        {"C": "CALL", "P": "PUT"}[right],
    )
    texts = [
        f"{root:<6}{occ}", f"{root}{occ}", f"O:{root}{occ}", f"{root:<6}{occ} US Equity", f".{root}{day:%y%m%d}{right}{number}",
        f"-{root}{day:%y%m%d}{right}{number}", f"{root}{day:%y%m%d}{right}{number}", f"{root} {day:%d%b%y} {number} {right}",
        f"{root} {day:%d%b%y} {strike:.1f} {right}", f"{root} {day:%b} {day.day} {day:%Y} {number} {word}",
        f"{root} {day:%b} {day.day} '{day:%y} {number} {word}", f"{root} {day:%Y-%m-%d} {number} {right}",
        f"{root}_{day:%m%d%y}{right}{number}", f"{root} {day:%m/%d/%y} {right}{number} Equity",
        f"{root} US {day:%m/%d/%y} {right}{number} Equity", f"{root} {day.month}/{day.day}/{day:%y} {number} {word}",
        f"{root} {day:%Y%m%d} {strike:.1f} {right} SMART", f"{root}-{day:%Y%m%d}-{right}-{number}",
        f"{root}-OPT-{day:%Y%m%d}-{number}-{right}", f"{root}:{day:%Y%m%d}:{number}:{right}", f"{root}|{day:%Y%m%d}|{number}{right}",
        f"{root} {day:%b%d}'{day:%y} {number} {word}", f"{root} {day:%b%d} {number} {word}", f"{root} {day:%d-%b-%Y} {number} {word}",
    ]  # fmt: skip
    parts = {"symbol": root, "expiry": f"{day:%Y%m%d}", "strike": strike, "right": right}
    rows: Spellings = [
        {"sec_type": "OPT"},
        {},
        {"sec_type": "OPT", "trading_class": root, "multiplier": 100.0},
    ]
    return [*({"symbol": text} for text in texts), *({**parts, **more} for more in rows)]


def spell_future(root: str, last: date, code: str, venue: str, *, is_alike: bool) -> Spellings:
    """A future; its last day is in the month of its code. `is_alike`: its local symbol says so."""
    year, local = last.year % 10, f"{root}{code}{last.year % 10}"
    texts = [
        local, f"{root}{code}{last:%y}", f"{root}{code}{last:%Y}", f"/{local}", f"/{root}{code}{last:%y}", f"{root} {last:%b} {last:%y}",
        f"{root} {last:%b%y}", f"{root} {last:%Y%m}", f"{root}-{last:%Y%m}", f"{root} {last:%Y%m%d}", f"{root}.{code}{last:%y}",
        f"{root}/{code}{year}", f"{venue}:{root}{code}{last:%Y}", f"{local}.{venue}", f"{root}=F", f"{root}1!", f"{local} Comdty",
        f"F.US.{root}{code}{last:%y}",
        f"{root}{last:%d}{code}{last:%y}",
        f"{root}-{last:%Y%m%d}-USD-FUT.{venue}",
    ]  # fmt: skip
    parts = {"symbol": root, "sec_type": "FUT"}
    rows: Spellings = [{"expiry": f"{last:%Y%m%d}"}, {"expiry": f"{last:%Y%m}"}, {"local_symbol": local},
                       {"expiry": f"{last:%Y%m%d}", "local_symbol": local}]  # fmt: skip
    more = [{"local_symbol": local}, {"symbol": local, "sec_type": "FUT"}] if is_alike else []
    return [*({"symbol": text} for text in texts), *({**parts, **row} for row in rows), *more]


def spell_future_option(root: str, local: str, day: date, strike: float, right: str) -> Spellings:
    """A quarterly option on a future, of the future's own class."""
    texts = [f"{local} {right}{strike:g}", f"{local} {right} {strike:g}", f"{local}{right}{strike:g}",
             f"./{local}{right}{strike:g}", f"./{local} {local} {day:%y%m%d}{right}{strike:g}"]  # fmt: skip
    parts = {"symbol": root, "sec_type": "FOP", "strike": strike, "right": right, "expiry": f"{day:%Y%m%d}"}
    return [*({"symbol": text} for text in texts), parts, {**parts, "local_symbol": texts[0], "trading_class": root},
            {"symbol": root, "sec_type": "FOP", "local_symbol": texts[0]}, {"local_symbol": texts[0]}]  # fmt: skip


def spell_pair(base: str, quote: str, kind: str) -> Spellings:
    """A currency or a coin against a currency."""
    texts = [f"{base}{mark}{quote}" for mark in ("", ".", "/", "-", "_", " ")]
    texts += [f"{base}{quote}=X", f"FX:{base}{quote}", f"OANDA:{base}{quote}", f"C:{base}{quote}", f"X:{base}{quote}",
              f"{base}{quote} Curncy", f"{base}/{quote}.IDEALPRO", f"{base}.{quote}.{kind}", f"COINBASE:{base}{quote}"]  # fmt: skip
    return [*({"symbol": text} for text in texts), {"symbol": base, "sec_type": kind, "currency": quote},
            {"symbol": base, "sec_type": kind, "currency": quote, "local_symbol": f"{base}.{quote}"}]  # fmt: skip


JUNE, SEPTEMBER = date(2026, 6, 18), date(2026, 9, 17)
CONTRACTS: dict[str, tuple[Callable[..., Spellings], tuple[Any, ...], dict[str, Any]]] = {
    **{symbol: (spell_share, (symbol,), {}) for symbol in CODES},
    "VOD": (spell_foreign_share, ("VOD", "GBP", "LSE", "LN", "L"), {}),
    "ASML": (spell_foreign_share, ("ASML", "EUR", "AEB", "NA", "AS"), {}),
    **{
        f"{root} {day} {strike}{right}": (spell_option, (root, day, strike, right), {})
        for root in ("SPY", "QQQ") for day in (date(2026, 6, 19), date(2026, 7, 17))
        for strike, right in ((600.0, "C"), (600.0, "P"), (602.5, "C"))
    },
    **{
        f"{root} {code}": (spell_future, (root, last, code, venue), {"is_alike": is_alike})
        for root, venue, is_alike in (("ES", "CME", True), ("MES", "CME", True), ("ZN", "CBOT", True), ("MBT", "CME", False))
        for last, code in ((JUNE, "M"), (SEPTEMBER, "U"))
    },
    **{f"{local} {right}": (spell_future_option, ("ES", local, day, 6000.0, right), {})
       for local, day in (("ESM6", JUNE), ("ESU6", SEPTEMBER)) for right in "CP"},
    "EUR.USD": (spell_pair, ("EUR", "USD", "CASH"), {}), "EUR.JPY": (spell_pair, ("EUR", "JPY", "CASH"), {}),
    "ETH.USD": (spell_pair, ("ETH", "USD", "CRYPTO"), {}), "BTC.USD": (spell_pair, ("BTC", "USD", "CRYPTO"), {}),
}  # fmt: skip
CONTINUOUS = ("=F", "1!")
NORMAL: dict[int, Instrument] = {}


@lru_cache
def spell(contract: str) -> Spellings:
    function, values, more = CONTRACTS[contract]
    rows = function(*values, **more)
    NORMAL.update((id(row), normalize(Instrument(**row))) for row in rows)
    return rows


def answer(first: dict[str, Any], second: dict[str, Any]) -> Answer:
    here, there = (NORMAL.get(id(row)) or normalize(Instrument(**row)) for row in (first, second))
    forth, back = compare(here, there), compare(there, here)
    assert forth == back, f"{first} and {second} are {forth}, and the other way round {back}"
    return forth


@pytest.mark.parametrize("contract", CONTRACTS)
def test_two_spellings_of_one_contract_are_never_different(contract):
    wrong = [(a, b) for a, b in combinations(spell(contract), 2) if answer(a, b) == DIFFERENT]
    assert wrong == []


def iter_crossings() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every pair within a kind, and every fifth of two kinds."""
    for (kind, first), (other, second) in combinations(
        [(CONTRACTS[name][0], spell(name)) for name in CONTRACTS], 2
    ):
        yield from product(first, second) if kind is other else product(first[::5], second[::5])


def test_spellings_of_two_contracts_are_never_the_same():
    """A continuous future, which is of no month, aside."""
    wrong = [
        (a, b) for a, b in iter_crossings()
        if answer(a, b) == SAME and not all(str(row.get("symbol")).endswith(CONTINUOUS) for row in (a, b))
    ]  # fmt: skip
    assert wrong == []


def pick_whole(contract: str) -> dict[str, Any]:
    """The spelling that gives the most parts."""
    return max((row for row in spell(contract) if "symbol" in row), key=len)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_whole_names_of_two_contracts_of_one_kind_are_different(contract):
    others = [name for name in CONTRACTS if CONTRACTS[name][0] is CONTRACTS[contract][0] and name != contract]
    answers = {name: answer(pick_whole(contract), pick_whole(name)) for name in others}
    assert set(answers.values()) == {DIFFERENT}, answers


@pytest.mark.parametrize(
    ("first", "second"), [
        pytest.param({"symbol": "BRK A"}, {"symbol": "BRK.B"}, id="two classes of a share"),
        pytest.param({"symbol": "BAC PRK"}, {"symbol": "BAC PRL"}, id="two preferred shares"),
        pytest.param({"symbol": "NASDAQ:VOD"}, {"symbol": "VOD", "sec_type": "STK", "currency": "GBP"}, id="two listings"),
        pytest.param({"symbol": "US0378331005"}, {"symbol": "US5949181045"}, id="two codes of one kind"),
        pytest.param({"local_symbol": "VXM6"}, {"symbol": "VIX", "sec_type": "FUT", "expiry": "20260609", "local_symbol": "VX23M6"},
                     id="a month and a week of it"),
        pytest.param({"local_symbol": "ZNM6"}, {"symbol": "ZN", "sec_type": "FUT", "local_symbol": "ZNU6"}, id="two months"),
        pytest.param({"symbol": "E3CM6 C6000"}, {"symbol": "ES", "sec_type": "FOP", "strike": 6000.0, "right": "C",
                     "expiry": "20260619", "local_symbol": "ESM6 C6000", "trading_class": "ES"}, id="two classes of one day"),
    ],
)  # fmt: skip
def test_what_looks_alike_is_different_where_a_part_shows_it(first, second):
    assert answer(first, second) == DIFFERENT


@pytest.mark.parametrize(
    ("written", "listed", "is_open"), [
        ({"symbol": "VODl"}, {"symbol": "VOD", "sec_type": "STK", "currency": "GBP"}, True),
        ({"symbol": "0700.HK"}, {"symbol": "700", "sec_type": "STK", "currency": "HKD"}, True),
        ({"symbol": "0700.HK"}, {"symbol": "7000", "sec_type": "STK", "currency": "HKD"}, False),
        ({"symbol": "VOW3d"}, {"symbol": "VOW3", "sec_type": "STK", "currency": "EUR"}, True),
        ({"symbol": "BACpK"}, {"symbol": "BAC PRK", "sec_type": "STK"}, True),
        ({"symbol": "ETHUSDT.P"}, {"symbol": "ETH", "sec_type": "CRYPTO", "currency": "USD"}, True),
        ({"symbol": "BINANCE:BTCUSDTPERP"}, {"symbol": "BTC", "sec_type": "CRYPTO", "currency": "USD"}, True),
        ({"symbol": "ETH-USDT-SWAP"}, {"symbol": "ETH", "sec_type": "CRYPTO", "currency": "USD"}, True),
        ({"symbol": "XBTUSD"}, {"symbol": "BTC", "sec_type": "CRYPTO", "currency": "USD"}, True),
        ({"symbol": "TYM6"}, {"symbol": "ZN", "sec_type": "FUT", "expiry": "20260618"}, True),
        ({"symbol": "TYM6", "sec_type": "FUT"}, {"symbol": "ZN", "sec_type": "FUT", "expiry": "20260618"}, True),
        ({"symbol": "TYc1"}, {"symbol": "ZN", "sec_type": "FUT", "expiry": "20260618"}, True),
        ({"symbol": "RXM6"}, {"symbol": "GBL", "sec_type": "FUT", "expiry": "20260608", "currency": "EUR"}, True),
        ({"symbol": "RX", "sec_type": "FUT", "expiry": "202606"}, {"symbol": "GBL", "sec_type": "FUT", "expiry": "20260608"}, True),
        ({"symbol": "RXM6", "sec_type": "FUT"}, {"symbol": "GBL", "sec_type": "FUT", "expiry": "20260908"}, False),
        ({"symbol": "RXM6", "con_id": "8"}, {"symbol": "GBL", "sec_type": "FUT", "expiry": "20260608"}, False),
        ({"symbol": "TYM6", "sec_type": "FUT"}, {"symbol": "ES", "sec_type": "FUT", "expiry": "20260618"}, False),
        ({"symbol": "RXM6"}, {"symbol": "AAPL", "sec_type": "STK"}, False),
        ({"symbol": "QQQ US 06/02/26 C500 Equity"}, {"symbol": "QQQ", "sec_type": "OPT", "expiry": "20260602", "strike": 500.0,
         "right": "C"}, True),
        ({"symbol": "QQQ US 06/02/26 C500 Equity"}, {"symbol": "QQQ", "sec_type": "OPT", "expiry": "20260602", "strike": 501.0,
         "right": "C"}, False),
        ({"symbol": "HEN3"}, {"symbol": "SAP", "sec_type": "STK", "currency": "EUR"}, False),
        ({"symbol": "BAC.P"}, {"symbol": "BTC", "sec_type": "CRYPTO", "currency": "USD"}, False),
    ],
)  # fmt: skip
def test_a_vendors_suffix_or_root_is_unclear_and_never_the_same(written, listed, is_open):
    assert answer(written, listed) == (UNCLEAR if is_open else DIFFERENT)


MNQ = {"symbol": "MNQ", "sec_type": "FUT", "con_id": "793356225", "expiry": "20261218", "multiplier": 2.0,
       "local_symbol": "MNQZ6", "trading_class": "MNQ", "currency": "USD"}  # fmt: skip
IBM = {"symbol": "IBM", "sec_type": "STK", "con_id": "8314", "currency": "USD"}


@pytest.mark.parametrize(
    ("written", "listed", "expected"), [
        ({"symbol": "MNQ18Z26"}, MNQ, SAME),
        ({"symbol": "MNQ18Z26", "sec_type": "FUT"}, MNQ, SAME),
        ({"symbol": "MNQ18H27"}, MNQ, DIFFERENT),
        ({"symbol": "NQ18Z26"}, MNQ, DIFFERENT),
        ({"symbol": "M6E14Z26"}, {"symbol": "M6E", "sec_type": "FUT", "expiry": "20261214", "con_id": "5"}, UNCLEAR),
        ({"symbol": "CL20X26"}, {"symbol": "CL", "sec_type": "FUT", "expiry": "20261120", "con_id": "5", "local_symbol": "CLZ6"}, UNCLEAR),
        ({"symbol": "VX23M26", "sec_type": "FUT", "expiry": "202606"},
         {"symbol": "VIX", "sec_type": "FUT", "expiry": "20260617", "con_id": "5", "local_symbol": "VXM6"}, UNCLEAR),
        ({"symbol": "IBM-USD-STK.SMART"}, IBM, SAME),
        ({"symbol": "IBM-EUR-STK.SMART"}, IBM, DIFFERENT),
        ({"symbol": "MNQ-20261218-USD-FUT.CME"}, MNQ, SAME),
        ({"symbol": "793356225.CME"}, MNQ, SAME),
        ({"symbol": "793356226.CME"}, MNQ, DIFFERENT),
        ({"symbol": "8314"}, IBM, UNCLEAR),
        ({"symbol": "8315"}, IBM, DIFFERENT),
    ],
)  # fmt: skip
def test_the_symbols_of_lean_and_vnpy_are_read(written, listed, expected):
    """LEAN's code is the month of the contract or, in other versions, of the day: of CL these are two."""
    assert answer(written, listed) == expected


JULY_CRUDE = {"symbol": "CL", "sec_type": "FUT", "con_id": "5", "expiry": "20260622", "local_symbol": "CLN6"}
AUGUST_CRUDE = {
    "symbol": "CL",
    "sec_type": "FUT",
    "con_id": "6",
    "expiry": "20260721",
    "local_symbol": "CLQ6",
}
BRENT = {"symbol": "BZ", "sec_type": "FUT", "con_id": "7", "expiry": "20260630", "local_symbol": "BZQ6"}
HOGS = {"symbol": "HE", "sec_type": "FUT", "con_id": "8", "expiry": "20260715", "local_symbol": "HEN6"}
EURO = {
    "symbol": "EUR",
    "sec_type": "FUT",
    "con_id": "9",
    "expiry": "20260615",
    "local_symbol": "6EM6",
    "trading_class": "6E",
}
NOTE = {"symbol": "IBCID694587387", "sec_type": "BOND", "con_id": "694587387", "local_symbol": "US91282CJJ18"}


@pytest.mark.parametrize(
    ("written", "listed", "expected"), [
        ({"symbol": "CL", "local_symbol": "CLN6"}, JULY_CRUDE, SAME),
        ({"symbol": "CL", "local_symbol": "CLN6"}, AUGUST_CRUDE, DIFFERENT),
        ({"symbol": "CLN6"}, AUGUST_CRUDE, DIFFERENT),
        ({"symbol": "CL", "sec_type": "FUT", "expiry": "202607"}, AUGUST_CRUDE, UNCLEAR),
        ({"symbol": "BZ", "sec_type": "FUT", "expiry": "20260731"}, BRENT, DIFFERENT),
        ({"symbol": "HEN6"}, HOGS, SAME),
        ({"symbol": "HEQ6"}, HOGS, DIFFERENT),
        ({"symbol": "HEN6", "sec_type": "STK"}, HOGS, DIFFERENT),
        ({"symbol": "6EM6"}, EURO, SAME),
        ({"symbol": "US91282CJJ18"}, NOTE, SAME),
        ({"symbol": "US91282CJK80"}, NOTE, DIFFERENT),
    ],
)  # fmt: skip
def test_a_local_symbol_in_both_places_is_one_contract_and_of_another_month_another(
    written, listed, expected
):
    """Crude ends in the month before its own: a mere month may be of two, a local symbol is of one."""
    assert answer(written, listed) == expected


def test_one_id_is_no_name_in_common():
    rows = (Instrument(symbol=symbol, con_id="265598") for symbol in ("AAPL", "MSFT"))
    assert compare_parts(*map(normalize, rows)) == DIFFERENT


def test_an_id_is_neither_the_root_of_a_contract_nor_a_name_of_what_has_no_other():
    contract: dict[str, Any] = {
        "symbol": "SPXW",
        "sec_type": "OPT",
        "expiry": "20260619",
        "strike": 6000.0,
        "right": "C",
    }
    keys = {build_contract_key(Instrument(**contract, con_id=con_id)) for con_id in (None, "51")}
    assert {key[0] for key in keys} == {"SPX"}
    assert not get_roots(Instrument(con_id="265598"))


UNREAD = [
    "AAPL.O",
    "US0378331005",
    "BBG000B9XRY4",
    "AAPL US Equity",
    "AAPL-STK-SMART",
    "FOO:BAR",
    "F.US.AAPL",
    "TYM6 Comdty",
    "265598",
    "265598.SMART",
    "AAPL-USD-STK.SMART",
]


@pytest.mark.parametrize("symbol", UNREAD)
@pytest.mark.parametrize(
    ("quantity", "held", "is_told"),
    [(100, 100, False), (50, 100, True), (100, None, True)],
    ids=["in both places", "in another quantity", "at the runtime alone"],
)
def test_a_position_in_a_vendors_spelling_is_an_alarm_only_where_every_reading_differs(
    symbol, quantity, held, is_told
):
    listed = {"symbol": "AAPL", "con_id": 265598, "sec_type": "STK", "currency": "USD", "quantity": held}
    other = {"symbol": "MSFT", "con_id": 272093, "sec_type": "STK", "currency": "USD", "quantity": 30}
    document = healthy()
    document["status_v3"] |= {"open_positions": [{"symbol": symbol, "quantity": quantity}, {"symbol": "MSFT", "quantity": 30}],
                              "open_position_count": 2}  # fmt: skip
    document["broker"] = {"as_of": document["taken_at"], "account": "DU1234567", "open_orders": [], "executions": [],
                          "positions": [other, *([listed] if held else [])]}  # fmt: skip
    types = {event.type for event in evaluated(document).events}
    assert ("open_positions_drift" in types) == is_told
