"""The forms in which a day, an option, a contract id, and nothing at all are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.domain import instrument, instrument_names
from detector.domain.instrument import Instrument, normalize
from detector.domain.instrument_names import is_known_expiry, normalize_expiry
from tests.support.broker_shapes import reading

CONTRACT = {"symbol": "SPY", "secType": "STK", "position": 39}


@pytest.mark.parametrize(
    "written",
    [
        "20260619", "2026-06-19", "260619", "19JUN26", "19 Jun 26", "19-JUN-2026", "Jun19'26", "Jun 19, 2026",
        "June 19 2026", "06/19/2026", "6/19/26", "19/06/2026", "19.06.2026", "20260619 16:00:00 US/Eastern",
        "20260619-21:00:00", "2026-06-19T00:00:00Z", "20260619.0", "1781827200000", "1781827200",
    ],
)  # fmt: skip
def test_a_day_in_every_form(written):
    assert normalize_expiry(written) == "2026-06-19"


@pytest.mark.parametrize(
    "written", ["202606", "2026-06", "20260600", "JUN26", "Jun'26", "JUN 2026", "June 2026"]
)
def test_a_contract_month_in_every_form(written):
    assert normalize_expiry(written) == "202606"


@pytest.mark.parametrize(
    "written", ["05/06/2026", "20261340", "2026-02-30", "99999999", "46192", "1781827200000000", "front", "0"]
)
def test_what_is_no_day_of_the_calendar_is_compared_with_nothing(written):
    assert not is_known_expiry(normalize_expiry(written))


@pytest.mark.parametrize(
    "written",
    [
        "SPY   260619C00727000", "SPY260619C00727000", "O:SPY260619C00727000", ".SPY260619C727", "SPY_061926C727",
        "SPY 19JUN26 727 C", "SPY 19JUN26 727.0 C", "SPY-20260619-727-C", "SPY 06/19/2026 727.00 C",
        "SPY 2026-06-19 C727", "spy 260619 727call",
    ],
)  # fmt: skip
def test_an_option_in_one_text(written):
    row = normalize(Instrument(symbol=written))
    assert (row.symbol, row.expiry, row.strike, row.right) == ("SPY", "2026-06-19", 727, "C")


@pytest.mark.parametrize("written", ["BRK B", "ESM6", "EUR.USD", "ES 202606", "SPY 99XXX26 727 C", "C 3 1 P"])
def test_another_symbol_is_no_option(written):
    assert normalize(Instrument(symbol=written)).strike is None


@pytest.mark.parametrize("written", [811, "811", 811.0, "811.0", "0811", "811@SMART", " 811 "], ids=repr)
def test_a_contract_s_number_in_every_form(written):
    (row,) = reading({"positions": [{**CONTRACT, "conId": written}]}).values["broker_positions"]
    assert row.con_id == "811"


@pytest.mark.parametrize(
    "written",
    ["", None, "nan", "None", "null", 1.7976931348623157e308, "1.7976931348623157e+308", 2**31 - 1, str(2**127 - 1),
     {"value": 39}],
    ids=repr,
)  # fmt: skip
def test_a_quantity_that_is_left_open_is_reported(written):
    made = reading({"positions": [{**CONTRACT, "position": written}]})
    assert [row.quantity for row in made.values["broker_positions"]] == [None]
    assert [(fault.path, fault.problem) for fault in made.invalid] == [
        ("broker.positions.quantity", "is not given")
    ]


@given(st.text(st.characters(categories=["L"]), min_size=1, max_size=12))
def test_letters_alone_are_no_form_of_a_contract_and_are_compared_with_no_pattern(text):
    noted = instrument_names._WITH_NOTES.fullmatch(text)
    assert noted is not None
    assert noted[2] == text
    forms = (
        instrument._OCC, *instrument._OPTION_TEXTS, instrument_names._AMERICAN, instrument_names._CONTINUOUS,
        instrument_names._FUTURE, instrument_names._SPACED_FUTURE, instrument_names._FUTURE_OPTION,
        instrument_names._LOCAL_DAY, instrument_names._LOCAL_MONTH,
    )  # fmt: skip
    assert not any(form.search(text) for form in forms)
    assert instrument_names.is_plain_name(text)
