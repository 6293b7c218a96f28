"""Whether a row is of what is asked: yes, no, or not to be told."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from detector.domain.broker_rows import BrokerOrder
from detector.domain.instrument import Instrument
from detector.reconciliation.close_check.close_order import match_instrument
from detector.reconciliation.identity import DIFFERENT, SAME, UNCLEAR, compare_combo

CALL = Instrument(symbol="SPY", sec_type="OPT", expiry="2026-05-06", strike=727, right="C")
SHARE = Instrument(symbol="SPY", sec_type="STK")
BARE = Instrument(symbol="SPY")
FUTURE = Instrument(symbol="ES", sec_type="FUT", expiry="20260619")


@pytest.mark.parametrize(
    ("asked", "row", "answer"),
    [
        pytest.param(CALL, CALL, SAME, id="the same"),
        pytest.param(
            CALL, replace(CALL, expiry="20260506", right="CALL", sec_type="Option"), SAME, id="in other words"
        ),
        pytest.param(CALL, Instrument(symbol="SPY   260506C00727000"), SAME, id="in one symbol"),
        pytest.param(CALL, replace(CALL, strike=727.5), DIFFERENT, id="another strike"),
        pytest.param(CALL, replace(CALL, right="P"), DIFFERENT, id="the put"),
        pytest.param(CALL, replace(CALL, expiry="2026-05-13"), DIFFERENT, id="another day"),
        pytest.param(CALL, replace(CALL, expiry="2026-05-07"), UNCLEAR, id="the next day, or another zone"),
        pytest.param(CALL, replace(CALL, symbol="QQQ"), DIFFERENT, id="another symbol"),
        pytest.param(CALL, replace(CALL, sec_type="FOP"), DIFFERENT, id="another kind"),
        pytest.param(replace(CALL, sec_type=None), CALL, SAME, id="an option, and of what kind is not asked"),
        pytest.param(
            replace(CALL, sec_type="FOP"), replace(CALL, sec_type="FOP"), SAME, id="both on a future"
        ),
        pytest.param(CALL, replace(CALL, sec_type="of some kind"), UNCLEAR, id="a kind that nobody knows"),
        pytest.param(
            SHARE,
            replace(SHARE, sec_type="of some kind"),
            UNCLEAR,
            id="a share, and a kind that nobody knows",
        ),
        pytest.param(
            BARE,
            replace(SHARE, sec_type="of some kind"),
            UNCLEAR,
            id="a symbol alone, and a kind that nobody knows",
        ),
        pytest.param(
            CALL,
            replace(CALL, sec_type="of some kind", strike=728),
            DIFFERENT,
            id="such a kind of another strike",
        ),
        pytest.param(CALL, Instrument(symbol="SPY", sec_type="BAG"), UNCLEAR, id="a combo of its symbol"),
        pytest.param(
            CALL, Instrument(symbol="QQQ,SPY", sec_type="BAG"), UNCLEAR, id="a combo of several symbols"
        ),
        pytest.param(
            CALL,
            Instrument(symbol="SPY", sec_type="BAG", con_id="9"),
            UNCLEAR,
            id="a combo with an id of its own",
        ),
        pytest.param(
            replace(CALL, con_id="5"),
            Instrument(sec_type="BAG", con_id="5"),
            UNCLEAR,
            id="a combo of no symbol",
        ),
        pytest.param(
            CALL, Instrument(symbol="QQQ", sec_type="BAG"), DIFFERENT, id="a combo of another symbol"
        ),
        pytest.param(
            CALL,
            BrokerOrder(symbol="SPY", leg_con_ids=("5", "6")),
            UNCLEAR,
            id="legs without the word for it",
        ),
        pytest.param(
            replace(CALL, con_id="5"),
            BrokerOrder(symbol="QQQ", sec_type="BAG", leg_con_ids=("5", "6")),
            UNCLEAR,
            id="a combo with its id among the legs",
        ),
        pytest.param(
            replace(CALL, con_id="7"),
            BrokerOrder(symbol="QQQ", sec_type="BAG", leg_con_ids=("5", "6")),
            DIFFERENT,
            id="a combo with other legs",
        ),
        pytest.param(CALL, SHARE, DIFFERENT, id="its share"),
        pytest.param(CALL, BARE, UNCLEAR, id="its symbol alone"),
        pytest.param(CALL, replace(CALL, strike=None), UNCLEAR, id="no strike"),
        pytest.param(CALL, replace(CALL, right=None), UNCLEAR, id="no right"),
        pytest.param(CALL, replace(CALL, expiry=None), UNCLEAR, id="no day"),
        pytest.param(CALL, replace(CALL, expiry="202605"), UNCLEAR, id="its month"),
        pytest.param(CALL, replace(CALL, expiry="06MAY26"), SAME, id="a day in words"),
        pytest.param(CALL, replace(CALL, expiry="05/06/2026"), UNCLEAR, id="a day that may be two"),
        pytest.param(CALL, replace(CALL, sec_type="us_option"), SAME, id="another word for its kind"),
        pytest.param(
            CALL, replace(CALL, sec_type="CALL"), UNCLEAR, id="a word that nobody knows for its kind"
        ),
        pytest.param(CALL, replace(CALL, sec_type=None), SAME, id="no kind, and an option by its strike"),
        pytest.param(
            replace(CALL, sec_type=None),
            replace(CALL, sec_type="FOP"),
            UNCLEAR,
            id="no kind asked, and a future's option",
        ),
        pytest.param(
            replace(CALL, sec_type="FOP"),
            replace(CALL, sec_type=None),
            UNCLEAR,
            id="a future's option asked, and no kind",
        ),
        pytest.param(
            replace(CALL, multiplier=100),
            replace(CALL, multiplier=1),
            UNCLEAR,
            id="a multiplier that a store made up",
        ),
        pytest.param(Instrument(symbol="BRK B"), Instrument(symbol="BRK.B"), SAME, id="a class of shares"),
        pytest.param(CALL, Instrument(con_id="5"), UNCLEAR, id="an id alone"),
        pytest.param(CALL, replace(CALL, con_id="5"), SAME, id="with an id besides"),
        pytest.param(replace(CALL, con_id="5"), replace(CALL, con_id="5"), SAME, id="the same id"),
        pytest.param(replace(CALL, con_id="5"), replace(CALL, con_id="6"), DIFFERENT, id="another id"),
        pytest.param(replace(CALL, con_id="5"), CALL, UNCLEAR, id="an id that the row does not say"),
        pytest.param(
            replace(CALL, con_id="5"), replace(CALL, con_id="5", strike=1), UNCLEAR, id="one id, two names"
        ),
        pytest.param(
            replace(CALL, multiplier=100), replace(CALL, multiplier=10), DIFFERENT, id="another multiplier"
        ),
        pytest.param(SHARE, BARE, SAME, id="a share, and a symbol alone"),
        pytest.param(BARE, SHARE, SAME, id="a symbol alone, and a share"),
        pytest.param(BARE, CALL, UNCLEAR, id="a symbol alone, and an option"),
        pytest.param(SHARE, CALL, DIFFERENT, id="a share, and an option"),
        pytest.param(FUTURE, FUTURE, SAME, id="a future"),
        pytest.param(FUTURE, replace(FUTURE, expiry=None), UNCLEAR, id="a future of some month"),
        pytest.param(Instrument(symbol="ES"), FUTURE, UNCLEAR, id="a symbol alone, and a future"),
    ],
)
def test_a_row_is_of_what_is_asked(asked, row, answer):
    assert match_instrument(asked, row) == answer


@pytest.mark.parametrize(
    ("symbol", "leg", "answer"),
    [
        ("SPX", Instrument("SPXW", sec_type="OPT", trading_class="SPXW"), UNCLEAR),
        ("USD", Instrument("SPY", sec_type="STK"), UNCLEAR),
        ("IBKR,SPY", Instrument("SPY", sec_type="STK"), UNCLEAR),
        ("QQQ", Instrument("SPY", sec_type="STK"), DIFFERENT),
    ],
)
def test_a_combo_may_have_a_leg_of_another_class_of_its_symbol(symbol, leg, answer):
    assert compare_combo(BrokerOrder(symbol, sec_type="BAG", leg_con_ids=("822",)), leg) == answer
