"""TWS message codes as data: the meaning of each, its class, the event type that reports it, and the source.

The code and its class decide, because log levels are unreliable: a normal cancel is logged as an error, a
broken farm as information. IBC's exit codes share some of these numbers and have a table of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

LINK_LOST, LINK_RESTORED = "link lost", "link restored"
FARM_BROKEN, FARM_OK, FARM_IDLE = "farm broken", "farm ok", "farm idle"
STREAM_DEAD, SESSION_CONFLICT, CANNOT_CONNECT = "stream dead", "session conflict", "cannot connect"
MARGIN, DISCLAIMER, COMPETING_SESSION = "margin", "disclaimer", "competing session"
BLOCKED, NOT_ENTITLED, THROTTLED, UNSUPPORTED = "blocked", "not entitled", "throttled", "unsupported"
NOTICE, WARNED, REFUSED, FAULT = "notice", "warning", "refused", "error"
FILLED_FIRST = "filled first"

_IBKR = "IBKR, TWS API message codes"
_OWN_EVENT: Final[Mapping[str, str]] = {
    LINK_LOST: "connectivity_lost",
    LINK_RESTORED: "connectivity_lost",
    FARM_BROKEN: "farm_unhealed",
    FARM_OK: "farm_unhealed",
    STREAM_DEAD: "farm_unhealed",
    SESSION_CONFLICT: "session_conflict",
    CANNOT_CONNECT: "gateway_failure",
    MARGIN: "margin_notice",
    COMPETING_SESSION: "market_data_10197",
    REFUSED: "orders_rejected",
    FILLED_FIRST: "order_limbo",
    BLOCKED: "trading_blocked",
    NOT_ENTITLED: "data_not_entitled",
    THROTTLED: "throttled",
    UNSUPPORTED: "gateway_unsupported",
}
_BENIGN: Final = frozenset({FARM_IDLE, NOTICE, WARNED, DISCLAIMER})


class CodeEntry(Struct, frozen=True):
    """One message code: its class, what it means, and the source of both."""

    code: int
    kind: str
    meaning: str
    source: str = _IBKR

    @property
    def event(self) -> str | None:
        """The event type that reports it, or None."""
        return _OWN_EVENT.get(self.kind)

    @property
    def counts_as_severe(self) -> bool:
        """Whether a severe line with this code counts: the code is neither benign nor another event's."""
        return self.kind not in _BENIGN and self.event is None


_ROWS: Final[tuple[tuple[int, str, str, str], ...]] = (
    # The link between TWS and IBKR's servers, and the data farms behind it.
    (1100, LINK_LOST, "the link between TWS and IBKR's servers is lost", _IBKR),
    (1101, LINK_RESTORED, "the link is restored, data lost: market data must be asked for again", _IBKR),
    (1102, LINK_RESTORED, "the link is restored, data kept; farms may be listed as not connected", _IBKR),
    (1300, LINK_LOST, "the socket port was reset and the connection is dropped; reconnect on the new one",
     _IBKR),
    (2110, LINK_LOST, "the link between TWS and the server is broken and will be restored by itself", _IBKR),
    (2103, FARM_BROKEN, "a market-data farm is disconnected", _IBKR),
    (2105, FARM_BROKEN, "a historical-data farm is disconnected", _IBKR),
    (2157, FARM_BROKEN, "a security-definition farm is disconnected", "IBKR Campus, message codes"),
    (2104, FARM_OK, "a market-data farm is connected", _IBKR),
    (2106, FARM_OK, "a historical-data farm is connected", _IBKR),
    (2158, FARM_OK, "a security-definition farm is connected", _IBKR),
    (2107, FARM_IDLE, "a historical-data farm is inactive and available on demand", _IBKR),
    (2108, FARM_IDLE, "a market-data farm is inactive and available on demand", _IBKR),
    (2119, FARM_IDLE, "a market-data farm is connecting", "rust-ibapi, messages.rs"),
    (2159, FARM_IDLE, "a security-definition farm is inactive and available on demand", "twsapi group"),
    (10182, STREAM_DEAD, "live updates could not be requested: the stream is dead and does not resume",
     "ib_insync #256"),
    # Sessions and connecting.
    (326, SESSION_CONFLICT, "the client id is already in use", _IBKR),
    (162, WARNED, "historical-data service error; a session conflict where it names a different IP address",
     _IBKR),
    (10189, WARNED, "tick-by-tick data refused: no permission, or a session from a different IP address",
     _IBKR),
    (10197, COMPETING_SESSION, "no market data during a competing live session", _IBKR),
    (501, NOTICE, "already connected", _IBKR),
    (502, CANNOT_CONNECT, "no connection to TWS or the gateway; made by the client, never in TWS's log",
     _IBKR),
    (503, UNSUPPORTED, "TWS is out of date", _IBKR),
    (504, WARNED, "not connected; follows from another failure and says nothing by itself", _IBKR),
    (507, FAULT, "bad message length: TWS closed the connection, or the client id is in use",
     "ibapi, errors.py"),
    (100, THROTTLED, "more than 50 messages a second; TWS will likely disconnect", _IBKR),
    (101, FAULT, "the maximum number of market-data lines is reached", _IBKR),
    (10038, FAULT, "the connection was refused by the server", "nautilus_trader, error.py"),
    (10141, DISCLAIMER, "the paper-trading disclaimer must be accepted first", "IBKR Campus, message codes"),
    # Orders.
    (103, FAULT, "duplicate order id", _IBKR),
    (104, WARNED, "a filled order cannot be changed", _IBKR),
    (105, WARNED, "the changed order does not match the original one", "ib_async, wrapper.py"),
    (109, WARNED, "the price is outside the percentage limits", _IBKR),
    (110, WARNED, "the price does not fit the minimum price variation", "ib_async, wrapper.py"),
    (135, WARNED, "no order with that id is known", _IBKR),
    (161, WARNED, "the order cannot be cancelled in its present state", _IBKR),
    (201, REFUSED, "the order was rejected", _IBKR),
    (202, NOTICE, "the order was cancelled, as confirmed by the broker", _IBKR),
    (203, REFUSED, "the security is not available to this account", _IBKR),
    (321, WARNED, "the server refused to validate; an order that was being changed is still live",
     "ib_async, wrapper.py"),
    (322, FAULT, "the server could not process the request", _IBKR),
    (329, WARNED, "the order could not be changed", "ib_async, wrapper.py"),
    (399, NOTICE, "a message on an order, such as that it waits for the exchange to open", _IBKR),
    (404, WARNED, "shares to sell short are being located; the order is held", _IBKR),
    (434, WARNED, "the order size cannot be zero", "ib_async, wrapper.py"),
    (460, BLOCKED, "no trading permission", "Lean, InteractiveBrokersBrokerage.cs"),
    (2109, NOTICE, "outside regular hours was set and is ignored", _IBKR),
    (2137, WARNED, "the order would turn a long position short or the reverse", "IBKR Campus, message codes"),
    (2148, MARGIN, "a notice on margin; urgent where it says so or speaks of liquidation",
     "Lean PR #1033, issue #5839"),
    (10147, WARNED, "the order to cancel was not found", _IBKR),
    (10148, FILLED_FIRST,
     "the order cannot be cancelled; its state is named, and Filled often is a missed fill", _IBKR),
    (10149, WARNED, "the order to cancel has another id", _IBKR),
    (10289, REFUSED, "the order was rejected: no trading permission for its quantity",
     "nautilus_trader, error.py"),
    (10293, REFUSED, "the order was rejected", "nautilus_trader, error.py"),
    (10349, NOTICE, "the time in force was changed by a preset; the order is still live", "ib_async #191"),
    # Data and permissions.
    (165, NOTICE, "a historical-data service message", "ib_async, wrapper.py"),
    (166, WARNED, "the expired contract is not supported", _IBKR),
    (200, WARNED, "no security definition; also thrown falsely while farms are down", "ib_insync #330"),
    (300, WARNED, "no such ticker id", _IBKR),
    (320, FAULT, "the server could not read the request", _IBKR),
    (323, FAULT, "a server error", _IBKR),
    (324, FAULT, "a server error while validating an API request", _IBKR),
    (354, NOT_ENTITLED, "not subscribed to the requested market data", _IBKR),
    (365, WARNED, "no such scanner subscription", _IBKR),
    (366, WARNED, "no such historical-data query; it has ended", _IBKR),
    (420, WARNED, "an invalid real-time query, often pacing", _IBKR),
    (430, WARNED, "no fundamental data for the security", _IBKR),
    (492, WARNED, "delayed market data is not available", "ib_async, wrapper.py"),
    (10089, NOT_ENTITLED, "market data needs a further subscription for the API; the request goes on",
     "rust-ibapi, messages.rs"),
    (10090, NOT_ENTITLED, "part of the market data is not subscribed", _IBKR),
    (10091, NOT_ENTITLED, "part of the market data needs a further subscription for the API", _IBKR),
    (10167, NOT_ENTITLED, "delayed market data is shown instead", "ib_async, wrapper.py"),
    (10168, NOT_ENTITLED, "market data is not subscribed and delayed data is not enabled", _IBKR),
    (10186, NOT_ENTITLED, "market data is not subscribed and delayed data is not enabled", _IBKR),
    (10190, WARNED, "the maximum number of tick-by-tick requests is reached", _IBKR),
    (10225, NOTICE, "a bust event ended the real-time bars; ask again", _IBKR),
    (2100, NOTICE, "account data is no longer sent to this client", _IBKR),
    (2101, WARNED, "account data cannot be subscribed", _IBKR),
    (2102, WARNED, "the order cannot be changed while it is being processed", _IBKR),
    (2161, NOTICE, "a generic warning; no public source says what it means",
     "the 2100-2199 band of warnings"),
    (2168, NOTICE, "the exchange of a contract was changed", _IBKR),
    (2169, NOTICE, "the exchange of a contract is valid until a day", _IBKR),
    (2176, NOTICE, "fractional shares are not supported by this API version", _IBKR),
)  # fmt: skip

CODES: Final[Mapping[int, CodeEntry]] = {row[0]: CodeEntry(*row) for row in _ROWS}
WARNING_BAND: Final = range(2100, 2200)

# IbcAlpha/IBC, ErrorCodes.java; its start script prints them modulo 256.
IBC_EXITS: Final[Mapping[int, str]] = {
    1100: "unhandled exception",
    1101: "a control was not found",
    1102: "wrong number of arguments",
    1110: "invalid state",
    1111: "second factor timed out",
    1112: "login dialog timed out",
}
IBC_EXIT_RANGE: Final = range(1100, 1113)


def find_code_entry(code: int) -> CodeEntry | None:
    """Return the entry of a message code, or None where no source documents the code.

    Unlisted codes from 2100 to 2199 are IBKR's band of warnings.
    """
    if code in CODES:
        return CODES[code]
    return CodeEntry(code, NOTICE, "a warning of TWS", _IBKR) if code in WARNING_BAND else None


def find_ibc_exit(number: int) -> int | None:
    """Return IBC's error code for an exit code as logged, also modulo 256; None for any other number."""
    for code in IBC_EXIT_RANGE:
        if number in (code, code % 256):
            return code
    return None


def iter_event_codes() -> Iterator[int]:
    """Yield the codes that can turn a line into a log event."""
    yield from (162, 10189)
    yield from (entry.code for entry in CODES.values() if entry.event or entry.kind == DISCLAIMER)
