"""The forms in which a side is written, the columns that hold it, and one that contradicts a quantity."""

from __future__ import annotations

import pytest

from detector.domain.sides import find_side, get_sign
from tests.support.broker_shapes import reading

CONTRACT = {"symbol": "SPY", "secType": "STK", "position": 39}


@pytest.mark.parametrize("written", ["SHORT", "PositionSide.SHORT", "<Side.SHORT: 2>", "S", -1, "sell_short"])
def test_a_side_in_every_form(written):
    assert get_sign(str(written)) == -1


@pytest.mark.parametrize(
    ("cells", "side"),
    [
        ({"isshort": 1}, "SHORT"), ({"isshort": False}, "LONG"), ({"islong": 0}, "SHORT"), ({"direction": "Sell"}, "Sell"),
        ({"side": -1}, "-1"), ({"side": " "}, None), ({"short": 40}, None), ({"type": "SHORT"}, None),
    ],
)  # fmt: skip
def test_the_column_of_a_side(cells, side):
    assert (find_side(cells) or (None, None))[1] == side


@pytest.mark.parametrize(
    "more", [{"side": -1}, {"isShort": True}, {"direction": "SHORT"}, {"is_long": 0}, {"side": 0}]
)
def test_a_position_whose_side_contradicts_its_sign_is_not_known(more):
    made = reading({"positions": [{**CONTRACT, **more}]})
    assert [row.quantity for row in made.values["broker_positions"]] == [None]
    assert [fault.path for fault in made.invalid] == ["broker.positions.quantity"]
