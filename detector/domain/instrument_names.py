"""The one form of each part of an instrument's name, as TWS, Flex, OCC and runtimes write them.

A text in no known form is kept as it is and is compared with nothing (`is_known_type`, `is_known_expiry`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple

from detector.formats.patterns import build_pattern
from detector.formats.times import MONTHS

STOCK, FUTURE, CONTINUOUS = "STK", "FUT", "CONTFUT"
OPTIONS = ("OPT", "FOP", "WAR")
# Source: TWS API reference, Contract.secType.
TYPES = frozenset(
    (STOCK, FUTURE, *OPTIONS, "IND", "CASH", "BOND", "CMDTY", "CRYPTO", "CFD", "BAG", "FUND", "NEWS", "IOPT",
     CONTINUOUS, "BILL", "FIXED", "ICU", "ICS", "SLB")
)  # fmt: skip
# Flex's names of asset categories, and those of other brokers' interfaces that runtimes keep.
_TYPES = {
    "STOCK": STOCK, "STOCKS": STOCK, "EQUITY": STOCK, "EQUITIES": STOCK, "US EQUITY": STOCK, "ETF": STOCK,
    "OPTION": "OPT", "OPTIONS": "OPT", "US OPTION": "OPT", "EQUITY OPTION": "OPT", "STOCK OPTION": "OPT",
    "EQUITY AND INDEX OPTIONS": "OPT", "INDEX OPTION": "OPT",
    "FUTURE": FUTURE, "FUTURES": FUTURE, "FUTURES OPTION": "FOP", "FUTURES OPTIONS": "FOP",
    "OPTIONS ON FUTURES": "FOP", "FUTURE OPTION": "FOP", "WARRANT": "WAR", "WARRANTS": "WAR",
    "FOREX": "CASH", "BONDS": "BOND", "COMBO": "BAG", "CFDS": "CFD", "CRYPTOCURRENCIES": "CRYPTO",
    "CRYPTOCURRENCY": "CRYPTO", "TREASURY BILLS": "BILL", "MUTUAL FUNDS": "FUND",
    "STRUCTURED PRODUCTS": "IOPT",
}  # fmt: skip
_MONTH_CODES = "FGHJKMNQUVXZ"  # of the exchanges, January to December
# Of these a symbol alone is a future's: no share of an American exchange has a digit in its symbol; elsewhere
# some have (HEN3).
COMMON_FUTURES = frozenset(
    ["ES", "MES", "NQ", "MNQ", "YM", "MYM", "RTY", "M2K", "CL", "MCL", "GC", "MGC", "SI", "NG", "ZB",
     "ZN", "ZF", "ZT"]
)  # fmt: skip
# Pairs are written EUR.USD, EUR/USD or EURUSD. Source: IBKR, currencies of IDEALPRO and of crypto assets.
CURRENCIES = frozenset(
    ["USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK", "HKD", "SGD", "CNH",
     "MXN", "PLN", "CZK", "HUF", "ILS", "ZAR", "TRY", "KRW", "INR"]
)  # fmt: skip
_MINOR_UNITS = {"GBX": "GBP", "GBPENCE": "GBP", "ZAC": "ZAR", "ILA": "ILS"}
_COINS = frozenset(["BTC", "ETH", "LTC", "BCH", "SOL", "ADA", "XRP", "DOGE", "AVAX", "LINK", "SUI", "HBAR"])
_STABLE_COINS = ("USDT", "USDC")  # at IBKR a coin is held in dollars: a bot's ETHUSDT may be its ETH.USD
_PAIR = build_pattern(r"([A-Z]{3,5}?)([./ _-]?)([A-Z]{3,4})", re.ASCII)
# LEAN writes the day before the month code (MNQ18Z26); two digits of VX are a week. Source: LEAN, Cboe.
_FUTURE = build_pattern(
    rf"(\d?[A-Z][A-Z0-9]{{0,3}}?)(?:(?<!VX)(?:0[1-9]|[12]\d|3[01])(?=[{_MONTH_CODES}]\d\d\b))?"
    rf"([{_MONTH_CODES}])(20\d\d|\d{{1,2}})",
    re.ASCII,
)
# ES JUN26, ES 202606, ES M26: root and the day, month or month code. After normalize_symbol.
_SPACED_FUTURE = build_pattern(rf"(\d?[A-Z][A-Z0-9]{{0,3}}) (?:([{_MONTH_CODES}]\d{{1,2}})|(.+))", re.ASCII)
# ESM6 C6000, ./ESM6 E3CM6 260619C6000: an option on a future, by its class, month and year. Source: CME.
_FUTURE_OPTION = build_pattern(
    rf"\.?/?(?:(?P<future>\d?[A-Z][A-Z0-9]{{0,3}}[{_MONTH_CODES}]\d{{1,2}}) )?"
    rf"(?P<root>\d?[A-Z][A-Z0-9]{{0,3}}?)(?P<code>[{_MONTH_CODES}])(?P<year>20\d\d|\d{{1,2}})"
    r" ?(?P<day>\d{6})? ?(?P<right>[CP]) ?(?P<strike>\d{1,6}(?:\.\d{1,5})?)",
    re.ASCII,
)
# Runtimes write NASDAQ:AAPL, AAPL.NASDAQ, EUR/USD.IDEALPRO and AAPL-STK-SMART-USD. Source: exchanges of IBKR,
# ISO 10383, TradingView, Yahoo. Only the venue of American shares decides which listing it is.
_SHARE_VENUES = (
    "NASDAQ", "NYSE", "ARCA", "AMEX", "BATS", "ISLAND", "IEX", "XNAS", "XNYS", "ARCX", "XASE", "NMS"
)  # fmt: skip
_VENUES = (
    *_SHARE_VENUES, "SMART", "CME", "CBOT", "NYMEX", "COMEX", "GLOBEX", "GLBX", "CBOE", "CFE", "XCME", "XCBT",
    "XNYM", "XCEC", "XCBO", "IDEALPRO", "PAXOS", "ZEROHASH", "CME_MINI", "CBOT_MINI", "NYM", "CMX", "CBT",
    "FXCM",
    "OANDA", "FX_IDC", "FOREXCOM", "COINBASE", "KRAKEN", "BITSTAMP", "BINANCE",
)  # fmt: skip
_TYPE_NOTES = {"STK": STOCK, "STOCK": STOCK, "EQUITY": STOCK, "ETF": STOCK, "FUT": FUTURE, "CFD": "CFD",
               "CASH": "CASH", "FOREX": "CASH", "CRYPTO": "CRYPTO"}  # fmt: skip
_NOTES = "|".join((*_VENUES, *_TYPE_NOTES))
_NOTED = "USD|EUR|GBP|JPY|CHF|CAD|AUD|HKD"  # vnpy writes the currency before the type: SPY-USD-STK
_WITH_NOTES = build_pattern(
    rf"[$^@]?(?:({_NOTES}|US|EQ|FX|C|X):)?(.+?)"
    rf"(?:(?:-({_NOTED})(?=-(?:STK|FUT)))?[ .:@_-]({_NOTES})(?:[ .:@_-]({_NOTED}))?|=X)?",
    re.ASCII,
)
_AMERICAN = build_pattern(r"([A-Z]{1,5}(?:[./]([A-Z]))?)[. ]US", re.ASCII)  # AAPL US Equity, AAPL.US
_CONTINUOUS = build_pattern(
    r"(\d?[A-Z][A-Z0-9]{0,3})(?:\d!|=F| [CV]\d{1,2})", re.ASCII
)  # ES1!, ES=F, Reuters' ESc1 are the front month
_NAME, _SHORT_YEAR = rf"(?P<name>{'|'.join(MONTHS)})[A-Z]*\.?", r"'?(?P<year>(?:20)?\d\d)"
# The ways in which a day or a contract month is written; the first that fits and is in the calendar counts.
_EXPIRY_FORMS = tuple(
    build_pattern(form, re.ASCII)
    for form in (
        r"(?P<year>\d{4})-?(?P<month>\d\d)-?00",  # pysystemtrade's name of a contract month
        r"(?P<year>\d{4})-?(?P<month>\d\d)-?(?P<day>\d\d)(?!\d).*",
        r"(?!20)(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d)",  # 202606 is a month
        r"(?P<year>\d{4})-?(?P<month>\d\d)",
        r"(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>(?:20)?\d\d)",
        rf"(?P<day>\d{{1,2}})[ -]?{_NAME}[ -]?{_SHORT_YEAR}",
        rf"{_NAME} ?(?P<day>\d{{1,2}})(?:, ?| |(?='))(?P<year>20\d\d|'\d\d)",
        rf"{_NAME}[ -]?(?P<year>20\d\d|'?\d\d)",
    )
)
_EPOCH = build_pattern(r"(\d{10})(\d{3})?(\.0+)?", re.ASCII)  # pandas writes a time in milliseconds
_SLASHED = build_pattern(r"(\d{1,2})/(\d{1,2})/((?:20)?\d\d)", re.ASCII)
_LOCAL_DAY = build_pattern(r"(?<!\d)20\d{6}(?!\d)", re.ASCII)  # FESX 20260619 M
_LOCAL_MONTH = build_pattern(rf"(?:^|[ .])({'|'.join(MONTHS)}) ?'?(\d\d)(?!\d)", re.ASCII)  # FESX JUN 26
_KNOWN_EXPIRY = build_pattern(r"(?P<year>\d{4})-?(?P<month>\d\d)(?:-(?P<day>\d\d))?", re.ASCII)
_SEPARATORS = build_pattern(r"[ ./-]+")
# VODl, SIEd, AAPLn, BRKb, ESc1: the venue, kind or class of a symbol. Source: Cboe Europe, IBKR, Reuters.
_SMALL_SUFFIX = build_pattern(r"([A-Z0-9]{2,6}?)_?(p[A-Z]|[a-z]{1,2}\d{0,2})", re.ASCII)
# Perpetual swaps, of which IBKR has none: ETHUSDT.P, ETH-PERP, ETH-USDT-SWAP, BitMEX's XBTUSD.
_PERPETUAL = build_pattern(r"(?:PF_)?([A-Z0-9/_-]+?)(?:[._ -]P|[._ -]?PERP|[ _-]SWAP|:USD[TC]?)?", re.ASCII)
PERPETUAL = "PERP"
_YEAR_OF_ONE_DIGIT, _DECADE = 5, 2020  # 5 to 9 are 2025 to 2029, 0 to 4 are 2030 to 2034
_MOST_MONTHS = 12
_FIRST_YEAR, _LAST_YEAR = 1990, 2099  # of a contract's expiry
_ENUMERATION = build_pattern(r"<?(?:[A-Za-z_]\w*\.)+([A-Za-z_]\w*)(?:: [^>]*>)?", re.ASCII)


def normalize_label(text: str | None) -> str:
    """Return a word in capitals; of the text of an enumeration its name: LONG of `<Side.LONG: 1>`."""
    word = (text or "").strip()
    match = _ENUMERATION.fullmatch(word) if "." in word else None
    return (match[1] if match else word).upper()


def normalize_symbol(text: str | None) -> str | None:
    """Return a symbol in capitals; the class of a share stands behind one space, as at IBKR: `BRK B`."""
    return _SEPARATORS.sub(" ", to_capitals(text)).strip() or None


def to_capitals(text: str | None) -> str:
    """Return a symbol in capitals, a suffix in small letters behind a space: `VOD L` of `VODl`."""
    written = (text or "").strip()
    suffix = None if written.isupper() or written.islower() else _SMALL_SUFFIX.fullmatch(written)
    return (f"{suffix[1]} {suffix[2]}" if suffix else written).upper()


class WrittenSymbol(NamedTuple):
    """A symbol without the notes around it, and the type and currency that these give."""

    symbol: str
    sec_type: str | None = None
    currency: str | None = None


def is_plain_name(text: str) -> bool:
    """Whether a text is empty or letters only: no form of a contract, for which a pattern is compiled."""
    return not text or text.isalpha()


def split_notes(text: str) -> WrittenSymbol:
    """Return a symbol in capitals without its venue, type and currency: AAPL of AAPL-STK-SMART."""
    if is_plain_name(text):
        return WrittenSymbol(text)
    rest, sec_type, currency = text, None, None
    while (match := _WITH_NOTES.fullmatch(rest)) and match[2] != rest:
        notes = [note for note in (match[1], match[4]) if note]
        sec_type = next((_TYPE_NOTES[note] for note in notes if note in _TYPE_NOTES), sec_type)
        currency = currency or match[3] or match[5] or ("USD" if {*notes} & {*_SHARE_VENUES} else None)
        rest = match[2]
    american = _AMERICAN.fullmatch(rest) if sec_type in (None, STOCK) else None
    return (
        WrittenSymbol(american[1], sec_type, "USD") if american else WrittenSymbol(rest, sec_type, currency)
    )


def parse_continuous(symbol: str) -> str | None:
    """Return the root of a continuous future's name (`ES1!`, `ES C1`: ES); None for any other symbol."""
    match = None if is_plain_name(symbol) else _CONTINUOUS.fullmatch(symbol)
    return match[1] if match else None


def parse_perpetual(symbol: str) -> str | None:
    """Return the coin of a perpetual swap (`ETHUSDT.P`: ETH); None for any other symbol."""
    match = _PERPETUAL.fullmatch(symbol)
    name = match[1] if match else ""
    coin = (split_pair(name, "CRYPTO") or (name,))[0]
    is_marked = name != symbol and coin in _COINS
    return coin if is_marked else "BTC" if coin == "XBT" else None


@lru_cache(maxsize=1024)
def normalize_currency(text: str | None) -> str | None:
    """Return a currency in capitals; a listing in pence or cents is of its currency."""
    label = normalize_symbol((text or "").upper())
    return _MINOR_UNITS.get(label or "", label)


@lru_cache(maxsize=1024)
def normalize_type(text: str | None) -> str | None:
    """Return IBKR's code of a security type, or the text itself where it is unknown."""
    label = normalize_label(text)
    return _TYPES.get(label.replace("_", " ").replace("-", " "), label) or None


def is_known_type(form: str | None) -> bool:
    """Whether a type is in a known form."""
    return form in TYPES


def normalize_right(text: str | None) -> str | None:
    """Return C or P; TWS writes nothing, `0` or `?` for what has none."""
    letter = normalize_label(text)[:1]
    return letter if letter in ("C", "P") else None


def normalize_expiry(text: str | None) -> str | None:
    """Return a day as `2026-06-19` and a month as `202606`; `05/06/2026` is ambiguous and stays as it is.

    TWS may put the hour and zone of the last trade behind the day. What is no day of the calendar stays.
    """
    label = " ".join((text or "").upper().split())
    if not label:
        return None
    for form in _EXPIRY_FORMS:
        match = form.fullmatch(label)
        if match and (expiry := _format_expiry(match.groupdict())):
            return expiry
    return _parse_slashed_day(label) or _parse_epoch_day(label) or label.split()[0]


def _format_expiry(parts: Mapping[str, str | None]) -> str | None:
    name, year = parts.get("name"), (parts["year"] or "").lstrip("'")
    month = MONTHS.index(name) + 1 if name else int(parts.get("month") or 0)
    number = int(year if len(year) > len("26") else f"20{year}")
    try:
        day = date(number, month, int(parts.get("day") or 1))
    except ValueError:
        return None
    if not _FIRST_YEAR <= number <= _LAST_YEAR:
        return None
    return day.isoformat() if parts.get("day") else f"{day:%Y%m}"


def _parse_epoch_day(text: str) -> str | None:
    """Return the day of a time in seconds or milliseconds since 1970."""
    match = _EPOCH.fullmatch(text)
    return f"{datetime.fromtimestamp(int(match[1]), UTC):%Y-%m-%d}" if match else None


def _parse_slashed_day(text: str) -> str | None:
    slashed = _SLASHED.fullmatch(text)
    if not slashed:
        return None
    month, day = int(slashed[1]), int(slashed[2])
    if month > _MOST_MONTHS >= day:
        month, day = day, month
    elif not month <= _MOST_MONTHS < day and month != day:
        return None
    return _format_expiry({"year": slashed[3], "month": str(month), "day": str(day)})


@lru_cache(maxsize=4096)
def is_known_expiry(form: str | None) -> bool:
    """Whether an expiry is a day or a month of the calendar."""
    match = _KNOWN_EXPIRY.fullmatch(form or "")
    return match is not None and _format_expiry(match.groupdict()) == form


def parse_future(symbol: str) -> tuple[str, str] | None:
    """Return root and month of a future's local symbol (`ESM6`: ES, 202606); None for any other symbol."""
    match = None if is_plain_name(symbol) else _FUTURE.fullmatch(symbol)
    if not match:
        return None
    root, code, digits = match.groups()
    year = int(digits)
    if len(digits) == 1:
        year += _DECADE + (0 if year >= _YEAR_OF_ONE_DIGIT else 10)
    elif len(digits) == len("26"):
        year += 2000
    return root, f"{year}{_MONTH_CODES.index(code) + 1:02}"


def parse_spaced_future(symbol: str) -> tuple[str, str] | None:
    """Return root and expiry of a future in two words (`ES JUN26`, `ES M26`); None for any other symbol."""
    match = None if is_plain_name(symbol) else _SPACED_FUTURE.fullmatch(symbol)
    if match and match[2]:
        return parse_future(f"{match[1]}{match[2]}")
    expiry = normalize_expiry(match[3]) if match and len(match[3]) >= len("JUN26") else None
    return (match[1], expiry) if match and expiry and is_known_expiry(expiry) else None


def parse_future_option(text: str) -> dict[str, str | float] | None:
    """Return the parts of an option on a future by its local symbol (`ESM6 C6000`); None for any other text.

    The month of the name is the future's: the option may expire in one before.
    """
    match = None if is_plain_name(text) else _FUTURE_OPTION.fullmatch(text)
    if not match:
        return None
    future = parse_future(match["future"] or "")
    local = f"{match['root']}{match['code']}{match['year'][-1]} {match['right']}{match['strike']}"
    day = normalize_expiry(match["day"]) if match["day"] else None
    return {
        "symbol": future[0] if future else match["root"],
        "sec_type": "FOP",
        "strike": float(match["strike"]),
        "right": match["right"],
        "trading_class": match["root"],
        "local_symbol": local,
        **({"expiry": day} if day else {}),
    }


def parse_local_expiry(local_symbol: str) -> str | None:
    """Return the day or month in a future's local symbol: `ESM6`, `FESX JUN 26`, `FESX 20260619 M`."""
    future = parse_future(local_symbol)
    if future is None and is_plain_name(local_symbol):
        return None
    if future:
        return future[1]
    day, month = _LOCAL_DAY.search(local_symbol), _LOCAL_MONTH.search(local_symbol)
    if day:
        return normalize_expiry(day[0])
    return f"20{month[2]}{MONTHS.index(month[1]) + 1:02}" if month else None


def is_month_of(first: str, second: str) -> bool:
    """Whether one is the contract month (`202606`) of the other (`2026-06-19`)."""
    month, day = sorted((first, second), key=len)
    return len(month) == len("YYYYMM") and day.startswith(f"{month[:4]}-{month[4:]}-")


def split_pair(text: str, sec_type: str | None) -> tuple[str, str | None, str] | None:
    """Return base, quote and type of a pair (`EUR.USD`: EUR, USD, CASH); None for any other symbol.

    A stable coin is no currency: its quote is left open.
    """
    match = _PAIR.fullmatch(text) if sec_type in (None, "CASH", "CRYPTO") else None
    if not match or match[3] not in CURRENCIES | {*_STABLE_COINS}:
        return None
    base, _, quote = match.groups()
    if sec_type is None and base not in CURRENCIES | _COINS:
        return None
    return (
        base,
        None if quote in _STABLE_COINS else quote,
        sec_type or ("CASH" if base in CURRENCIES else "CRYPTO"),
    )
