"""The one form of a side, as TWS, Flex, vnpy and runtimes write it, and the columns that hold it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from detector.domain.instrument_names import normalize_label
from detector.formats.numbers import to_exact_decimal

_BUYS = frozenset(
    ["BUY", "BOT", "B", "L", "LONG", "BTO", "BTC", "BOUGHT", "COVER", "1", "+1", "BUYLONG", "BUYTOOPEN",
     "BUYTOCLOSE", "BUYTOCOVER", "多", "买"]
)  # fmt: skip
_SELLS = frozenset(
    ["SELL", "SLD", "S", "SSHORT", "SHORT", "STO", "STC", "SOLD", "-1", "SELLSHORT", "SELLTOOPEN",
     "SELLTOCLOSE", "SELLLONG", "空", "卖"]
)  # fmt: skip
"""The texts for a side in TWS, Flex and the runtimes' stores; vnpy writes them in Chinese."""


@lru_cache(maxsize=1024)  # sides are few, and every quantity of very many rows asks for its own
def get_sign(side: str | None) -> int | None:
    """Return 1 for a side that buys, -1 for a side that sells, None where it is missing or unknown."""
    label = re.sub(r"[\s_.()]|(?<=[A-Z])-|POSITION", "", normalize_label(side))
    return 1 if label in _BUYS else -1 if label in _SELLS else None


UNKNOWN_SIDE = "unknown"
"""The side of a quantity that may or may not bear its sign."""


def apply_sign(quantity: Decimal | float | None, side: str | None) -> Decimal | None:
    """Return a quantity with the sign of its side, where it bears none; None where that side is unknown."""
    number, sign = to_exact_decimal(quantity), get_sign(side)
    if number is None or number <= 0 or not (side or "").strip():
        return number
    return None if sign is None else sign * number


SIDE_COLUMNS = (
    "side", "longshort", "positionside", "positiontype", "direction", "buysell", "tradeside",
    "positiondirection",
)  # fmt: skip
"""Names of a column with a position's side, without case and punctuation."""
POSITION_SIDE_COLUMNS = frozenset(["longshort", "positionside", "positiondirection"])
"""Those that can hold nothing else: the direction of a signal is not always the side of what is held."""
_SIDE_FLAGS = {"isshort": ("SHORT", "LONG"), "short": ("SHORT", "LONG"), "islong": ("LONG", "SHORT"),
               "long": ("LONG", "SHORT")}  # fmt: skip


SIDE_NAMES = frozenset({*SIDE_COLUMNS, *_SIDE_FLAGS})
"""The names above and those of its flags."""


def find_side(cells: Mapping[str, object]) -> tuple[str, str] | None:
    """Return the first column that holds a side or a flag of it, and that side; names have no punctuation."""
    for name in SIDE_COLUMNS:
        value = cells.get(name)
        if value is not None and str(value).strip():
            return name, str(value)
    for name, (yes, no) in _SIDE_FLAGS.items():
        if (value := cells.get(name)) in (True, False):  # 1 and 0 too
            return name, yes if value else no
    return None
