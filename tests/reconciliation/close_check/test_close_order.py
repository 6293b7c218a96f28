"""Whether a row is of what is asked: yes, no, or not to be told."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from detector.domain.broker_rows import BrokerOrder
from detector.domain.instrument import Instrument
from detector.reconciliation.close_check.close_order import match_instrument

CALL = Instrument(symbol="SPY", sec_type="OPT", expiry="2026-05-06", strike=727, right="C")
SHARE = Instrument(symbol="SPY", sec_type="STK")
BARE = Instrument(symbol="SPY")
FUTURE = Instrument(symbol="ES", sec_type="FUT", expiry="20260619")


@pytest.mark.parametrize(
    ("asked", "row", "answer"),
    [
        pytest.param(CALL, CALL, True, id="the same"),
        pytest.param(
            CALL, replace(CALL, expiry="20260506", right="CALL", sec_type="Option"), True, id="in other words"
        ),
        pytest.param(CALL, Instrument(symbol="SPY   260506C00727000"), True, id="in one symbol"),
        pytest.param(CALL, replace(CALL, strike=727.5), False, id="another strike"),
        pytest.param(CALL, replace(CALL, right="P"), False, id="the put"),
        pytest.param(CALL, replace(CALL, expiry="2026-05-07"), False, id="another day"),
        pytest.param(CALL, replace(CALL, symbol="QQQ"), False, id="another symbol"),
        pytest.param(CALL, replace(CALL, sec_type="FOP"), False, id="another kind"),
        pytest.param(replace(CALL, sec_type=None), CALL, True, id="an option, and of what kind is not asked"),
        pytest.param(
            replace(CALL, sec_type="FOP"), replace(CALL, sec_type="FOP"), True, id="both on a future"
        ),
        pytest.param(CALL, replace(CALL, sec_type="of some kind"), None, id="a kind that nobody knows"),
        pytest.param(
            SHARE, replace(SHARE, sec_type="of some kind"), None, id="a share, and a kind that nobody knows"
        ),
        pytest.param(
            BARE,
            replace(SHARE, sec_type="of some kind"),
            None,
            id="a symbol alone, and a kind that nobody knows",
        ),
        pytest.param(
            CALL,
            replace(CALL, sec_type="of some kind", strike=728),
            False,
            id="such a kind of another strike",
        ),
        pytest.param(CALL, Instrument(symbol="SPY", sec_type="BAG"), None, id="a combo of its symbol"),
        pytest.param(
            CALL, Instrument(symbol="QQQ,SPY", sec_type="BAG"), None, id="a combo of several symbols"
        ),
        pytest.param(
            CALL,
            Instrument(symbol="SPY", sec_type="BAG", con_id="9"),
            None,
            id="a combo with an id of its own",
        ),
        pytest.param(
            replace(CALL, con_id="5"), Instrument(sec_type="BAG", con_id="5"), None, id="a combo of no symbol"
        ),
        pytest.param(CALL, Instrument(symbol="QQQ", sec_type="BAG"), False, id="a combo of another symbol"),
        pytest.param(
            CALL, BrokerOrder(symbol="SPY", leg_con_ids=("5", "6")), None, id="legs without the word for it"
        ),
        pytest.param(
            replace(CALL, con_id="5"),
            BrokerOrder(symbol="QQQ", sec_type="BAG", leg_con_ids=("5", "6")),
            None,
            id="a combo with its id among the legs",
        ),
        pytest.param(
            replace(CALL, con_id="7"),
            BrokerOrder(symbol="QQQ", sec_type="BAG", leg_con_ids=("5", "6")),
            False,
            id="a combo with other legs",
        ),
        pytest.param(CALL, SHARE, False, id="its share"),
        pytest.param(CALL, BARE, None, id="its symbol alone"),
        pytest.param(CALL, replace(CALL, strike=None), None, id="no strike"),
        pytest.param(CALL, replace(CALL, right=None), None, id="no right"),
        pytest.param(CALL, replace(CALL, expiry=None), None, id="no day"),
        pytest.param(CALL, replace(CALL, expiry="202605"), None, id="its month"),
        pytest.param(CALL, replace(CALL, expiry="06MAY26"), True, id="a day in words"),
        pytest.param(CALL, replace(CALL, expiry="05/06/2026"), None, id="a day that may be two"),
        pytest.param(CALL, replace(CALL, sec_type="us_option"), True, id="another word for its kind"),
        pytest.param(CALL, replace(CALL, sec_type="CALL"), None, id="a word that nobody knows for its kind"),
        pytest.param(CALL, replace(CALL, sec_type=None), True, id="no kind, and an option by its strike"),
        pytest.param(
            replace(CALL, sec_type=None),
            replace(CALL, sec_type="FOP"),
            None,
            id="no kind asked, and a future's option",
        ),
        pytest.param(
            replace(CALL, sec_type="FOP"),
            replace(CALL, sec_type=None),
            None,
            id="a future's option asked, and no kind",
        ),
        pytest.param(
            replace(CALL, multiplier=100),
            replace(CALL, multiplier=1),
            None,
            id="a multiplier that a store made up",
        ),
        pytest.param(Instrument(symbol="BRK B"), Instrument(symbol="BRK.B"), True, id="a class of shares"),
        pytest.param(CALL, Instrument(con_id="5"), None, id="an id alone"),
        pytest.param(CALL, replace(CALL, con_id="5"), True, id="with an id besides"),
        pytest.param(replace(CALL, con_id="5"), replace(CALL, con_id="5"), True, id="the same id"),
        pytest.param(replace(CALL, con_id="5"), replace(CALL, con_id="6"), False, id="another id"),
        pytest.param(replace(CALL, con_id="5"), CALL, None, id="an id that the row does not say"),
        pytest.param(
            replace(CALL, con_id="5"), replace(CALL, con_id="5", strike=1), None, id="one id, two names"
        ),
        pytest.param(
            replace(CALL, multiplier=100), replace(CALL, multiplier=10), False, id="another multiplier"
        ),
        pytest.param(SHARE, BARE, True, id="a share, and a symbol alone"),
        pytest.param(BARE, SHARE, True, id="a symbol alone, and a share"),
        pytest.param(BARE, CALL, None, id="a symbol alone, and an option"),
        pytest.param(SHARE, CALL, False, id="a share, and an option"),
        pytest.param(FUTURE, FUTURE, True, id="a future"),
        pytest.param(FUTURE, replace(FUTURE, expiry=None), None, id="a future of some month"),
        pytest.param(Instrument(symbol="ES"), FUTURE, None, id="a symbol alone, and a future"),
    ],
)
def test_a_row_is_of_what_is_asked(asked, row, answer):
    assert match_instrument(asked, row) is answer
