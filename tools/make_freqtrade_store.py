"""Writes `tests/fixtures/stores/freqtrade.sql`: the tables and rows that freqtrade's own models make.

freqtrade (GPL, over fifty packages) is no requirement of this project, and needs an environment of its own:

    python -m venv venv && venv/bin/pip install freqtrade==2026.9
    venv/bin/python tools/make_freqtrade_store.py

What it writes are the statements of SQLite's dump: names and types of columns, and the rows below.
"""

from __future__ import annotations

import sqlite3
import tempfile
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "tests" / "fixtures" / "stores" / "freqtrade.sql"
_OPENED, _CLOSED = datetime(2026, 6, 2, 10, tzinfo=UTC), datetime(2026, 6, 2, 12, tzinfo=UTC)
_END = {"is_open": False, "close_rate": 610.0, "close_date": _CLOSED, "exit_reason": "roi"}
_FIXED = {
    "is_open": True, "is_short": False, "open_rate": 600.0, "stake_amount": 60.0, "exchange": "x",
    "fee_open": 0.0, "fee_close": 0.0, "open_date": _OPENED,
}  # fmt: skip
_TRADES: tuple[dict[str, Any], ...] = (
    {"pair": "BTC/USD", "amount": 0.5, **_END},
    {"pair": "BTC/USD", "amount": 0.25},
    {"pair": "ETH/USD", "amount": 2.0, "is_short": True},
)
# By trade: what freqtrade takes an order for, its side, status, amount and filled amount.
_ORDERS = (
    (1, "buy", "buy", "closed", 0.5, 0.5),
    (1, "sell", "sell", "canceled", 0.5, 0.0),
    (1, "stoploss", "sell", "closed", 0.5, 0.5),
    (2, "buy", "buy", "canceled", 0.5, 0.25),
    (2, "sell", "sell", "open", 0.25, 0.0),
    (3, "sell", "sell", "closed", 2.0, 2.0),
    (3, "buy", "buy", "open", 2.0, 0.0),
)


def main() -> None:
    """Fill a store by the models, and write its two tables as SQL."""
    persistence = import_module("freqtrade.persistence")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tradesv3.sqlite"
        persistence.init_db(f"sqlite:///{path}")
        _add_rows(persistence.Trade, persistence.Order)
        connection = sqlite3.connect(path)
        statements = [line for line in connection.iterdump() if '"orders"' in line or '"trades"' in line]
        tables = connection.execute("SELECT sql FROM sqlite_master WHERE name IN ('orders', 'trades')")
        lines = [f"{' '.join(sql.split())};" for (sql,) in tables]
        lines += [line for line in statements if line.startswith("INSERT")]
        connection.close()
    version = import_module("freqtrade").__version__
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(
        "\n".join([f"-- By freqtrade {version}; see tools/make_freqtrade_store.py", *lines, ""])
    )


def _add_rows(trade_model: Any, order_model: Any) -> None:
    for number, row in enumerate(_TRADES, 1):
        trade = trade_model(**{**_FIXED, **row})
        trade.orders = [
            order_model(
                order_id=f"{number}-{index}", ft_order_side=meant, ft_pair=row["pair"], ft_amount=amount,
                ft_is_open=status == "open", ft_price=600.0, status=status, symbol=row["pair"], side=side,
                order_type="limit", price=600.0, average=600.0, amount=amount, filled=filled,
                remaining=amount - filled, cost=600.0 * filled, order_date=_OPENED,
            )
            for index, (of, meant, side, status, amount, filled) in enumerate(_ORDERS)
            if of == number
        ]  # fmt: skip
        trade_model.session.add(trade)
    trade_model.commit()


if __name__ == "__main__":
    main()
