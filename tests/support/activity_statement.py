"""An activity statement as IBKR writes it for people: what is read, and sums, lots and cash between it."""

from __future__ import annotations

_HEAD = """\
Statement,Header,Field Name,Field Value
Statement,Data,BrokerName,Interactive Brokers LLC
Statement,Data,BrokerAddress,"1 Some Street, Greenwich, CT 06830"
Statement,Data,Title,Activity Statement
Statement,Data,Period,"June 2, 2026"
Statement,Data,WhenGenerated,"2026-06-02, 10:50:01 EDT"
Account Information,Header,Field Name,Field Value
Account Information,Data,Name,A Person
Account Information,Data,Account,DU1234567
Account Information,Data,Base Currency,USD
Cash Report,Header,Currency Summary,Currency,Total,Securities,Futures,
Cash Report,Data,Ending Cash,Base Currency Summary,"2,786.422","2,786.422",0,
"""
POSITIONS_HEADER = (
    "Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity,Mult,Cost Price,Cost Basis,"
    "Close Price,Value,Unrealized P/L,Code"
)
POSITIONS = """\
Open Positions,Data,Summary,Equity and Index Options,USD,SPY 19JUN26 727 C,39,100,5.5,550,1,1,1,
Open Positions,Data,Lot,Equity and Index Options,USD,SPY 19JUN26 727 C,20,100,5.5,550,1,1,1,
Open Positions,Data,Lot,Equity and Index Options,USD,SPY 19JUN26 727 C,19,100,5.5,550,1,1,1,
Open Positions,SubTotal,,Equity and Index Options,USD,SPY 19JUN26 727 C,39,,,550,,,1,
Open Positions,Total,,Equity and Index Options,USD,,,,,550,,,1,
"""
TRADES_HEADER = (
    "Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,"
    "Comm/Fee,Basis,Realized P/L,MTM P/L,Code"
)
OPTION_TRADE = (
    'Trades,Data,Order,Equity and Index Options,USD,SPY 19JUN26 727 C,"2026-06-02, 10:49:00",-39,6.46,6.4,25194,'
    '-1,-21450,"3,742.44",0,C'
)
STOCK_TRADE = (
    'Trades,Data,Order,Stocks - Held with IB carried by IBLLC,USD,SPY,"2026-06-02, 10:48:00","1,239",727.5,727,'
    "-1,-1,1,0,0,O;P"
)
FUTURE_TRADE = 'Trades,Data,Order,Futures,USD,ESM6,"2026-06-02, 10:47:00",-1,6000,6000,1,-1,1,0,0,O'
SUMS = """\
Trades,Data,ClosedLot,Equity and Index Options,USD,SPY 19JUN26 727 C,2026-05-01,39,5.5,,,,,,,
Trades,SubTotal,,Equity and Index Options,USD,SPY 19JUN26 727 C,,-39,,,25194,-1,,3742.44,0,
Trades,Total,,Equity and Index Options,USD,,,,,,25194,-1,,3742.44,0,
"""
FOREX = """\
Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,\
Comm in USD,,,MTM in USD,Code
Trades,Data,Order,Forex,USD,EUR.USD,"2026-06-02, 10:46:00","25,000",1.08,,-27000,-2,,,1,
"""
INSTRUMENTS = """\
Financial Instrument Information,Header,Asset Category,Symbol,Description,Conid,Underlying,Listing Exch,\
Multiplier,Expiry,Delivery Month,Type,Strike,Code
Financial Instrument Information,Data,Equity and Index Options,SPY   260619C00727000,SPY 19JUN26 727 C,811,SPY,\
CBOE,100,2026-06-19,2026-06,C,727,
Financial Instrument Information,Data,Futures,ESM6,ES 19JUN26,812,ES,CME,50,2026-06-19,2026-06,,,
Financial Instrument Information,Header,Asset Category,Symbol,Description,Conid,Security ID,Underlying,\
Listing Exch,Multiplier,Type,Code
Financial Instrument Information,Data,Stocks - Held with IB carried by IBLLC,"SPY, SPYX",SPDR S&P 500,756733,\
US78462F1030,SPY,ARCA,1,ETF,
"""
_NOTES = """\
Notes/Legal Notes,Header,Type,Note
Notes/Legal Notes,Data,Notes,Trade execution times are displayed in Eastern Time.
"""
ALL_TRADES = (OPTION_TRADE, STOCK_TRADE, FUTURE_TRADE)


def write_activity_statement(
    *trades: str, positions: str = POSITIONS, more: str = SUMS + FOREX, instruments: str = INSTRUMENTS
) -> str:
    """Return a statement of these trades; without any it has no section of them."""
    rows = "\n".join([TRADES_HEADER, *trades, ""]) + more if trades else ""
    return f"{_HEAD}{POSITIONS_HEADER}\n{positions}{rows}{instruments}{_NOTES}"


# The further sections of the Default Statement Reference, of which nothing is read.
FURTHER_SECTIONS = """\
Net Asset Value,Header,Asset Class,Prior Total,Current Long,Current Short,Current Total,Change
Net Asset Value,Data,Cash ,1,2,0,2,1
Change in NAV,Header,Field Name,Field Value
Change in NAV,Data,Starting Value,1
Mark-to-Market Performance Summary,Header,Asset Category,Symbol,Prior Quantity,Current Quantity,Prior Price,Code
Mark-to-Market Performance Summary,Data,Stocks,SPY,0,1,--,
Realized & Unrealized Performance Summary,Header,Asset Category,Symbol,Cost Adj.,Realized S/T Profit,Code
Realized & Unrealized Performance Summary,Data,Stocks,SPY,0,1,
Forex Balances,Header,Asset Category,Currency,Description,Quantity,Cost Price,Cost Basis in USD,Close Price,Code
Forex Balances,Data,Forex,USD,EUR,100,1.1,-110,1.1,
Deposits & Withdrawals,Header,Currency,Settle Date,Description,Amount
Deposits & Withdrawals,Data,USD,2026-06-01,Electronic Fund Transfer,1000
Fees,Header,Subtitle,Currency,Date,Description,Amount
Interest,Header,Currency,Date,Description,Amount
Dividends,Header,Currency,Date,Description,Amount
Withholding Tax,Header,Currency,Date,Description,Amount,Code
Corporate Actions,Header,Asset Category,Currency,Report Date,Date/Time,Description,Quantity,Proceeds,Code
Corporate Actions,Data,Stocks,USD,2026-06-01,"2026-05-29, 20:25:00",X,1,0,
Transfers,Header,Asset Category,Currency,Symbol,Date,Type,Direction,Qty,Market Value,Cash Amount,Code
Codes,Header,Code,Meaning
Codes,Data,A,Assignment
"""
