"""Reads positions, working orders, executions and account values from TWS or IB Gateway through ib_async.

One connection a collection, with a client id of its own, closed in both directions at the end, and no retry:
connections that were opened and dropped have blocked the API of all clients for days. A list that did not end
is not seen, never empty.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from detector.clients.connection import NetworkPolicy
from detector.formats.errors import NOT_INSTALLED, REJECTED, RESET, UNREADABLE, ExternalError

if TYPE_CHECKING:
    from detector.clients.tws_fence import ReadOnlyConnection, ReadOnlyIB

_CLOSE_SEC = 0.5  # for the gateway's end of the connection
_COMMISSION_SEC = 0.5  # commission reports trail their executions
_MAX_ACCOUNTS = 50  # ib_async's own limit (MaxSyncedSubAccounts)
_FARM_NOTICES = range(2100, 2170)


class TwsAnswer(Struct, frozen=True):
    """The lists of one collection as objects of ib_async; the raw time of each execution by its id.

    `statuses` are (permId, clientId, orderId) of the orders whose status came; of another one, ib_async shows
    0 filled.
    """

    client_id: int
    accounts: tuple[str, ...]
    positions: list[Any]
    orders: list[Any]
    fills: list[Any]
    account_values: list[Any]
    execution_times: Mapping[str, str]
    statuses: frozenset[tuple[str, str, str]]


class Tws(Struct, frozen=True):
    """TWS or IB Gateway at an address, as one source may read it."""

    network: NetworkPolicy
    host: str
    port: int
    client_id: int

    def read(self) -> TwsAnswer:
        """Return the whole answer; raises ExternalError, also where one list did not end."""
        try:
            import detector.clients.tws_fence  # noqa: F401 - loaded, not used
        except ModuleNotFoundError as error:
            raise ExternalError(f"the package {error.name} is not installed", reason=NOT_INSTALLED) from None
        _stop_logging()
        return asyncio.run(self._read())

    async def _read(self) -> TwsAnswer:
        from detector.clients.tws_fence import ReadOnlyConnection, ReadOnlyIB

        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        connection = ReadOnlyConnection(self._open_socket)
        ib = ReadOnlyIB(connection, self.client_id)
        try:
            return await self._read_lists(ib, connection)
        finally:
            await connection.close_both_ways(_CLOSE_SEC)

    async def _read_lists(self, ib: ReadOnlyIB, connection: ReadOnlyConnection) -> TwsAnswer:
        handshake = ib.client.connectAsync(self.host, self.port, self.client_id, None)
        await self._wait(connection, handshake, "in the API handshake")
        accounts = tuple(ib.client.getAccounts())
        positions = await self._wait(connection, ib.reqPositionsAsync(), "listing positions")
        for account in accounts[:_MAX_ACCOUNTS]:
            values = ib.reqAccountUpdatesMultiAsync(account)
            await self._wait(connection, values, "listing account values")
        orders = await self._wait(connection, ib.reqAllOpenOrdersAsync(), "listing open orders")
        fills = await self._wait(connection, ib.reqExecutionsAsync(), "listing executions")
        await self._wait(connection, _wait_for_commissions(fills), "listing commissions")
        decoder = ib.decoder
        return TwsAnswer(
            client_id=self.client_id,
            accounts=accounts,
            positions=positions,
            orders=orders,
            fills=fills,
            account_values=list(ib.wrapper.accountValues.values()),
            execution_times=decoder.execution_times,
            statuses=frozenset(decoder.statuses),
        )

    def _open_socket(self, host: str, port: int) -> socket.socket:
        return self.network.open_socket(host, port)

    async def _wait(self, connection: ReadOnlyConnection, request: Awaitable[Any], doing: str) -> Any:
        """Return the result; raises ExternalError where the connection ends or the deadline passes first."""
        task, ended = asyncio.ensure_future(request), asyncio.ensure_future(connection.ended.wait())
        seconds = max(0.0, self.network.deadline.get_remaining() - _CLOSE_SEC)
        done, waiting = await asyncio.wait(
            {task, ended}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        for other in waiting:
            other.cancel()
        if connection.fault is not None:
            raise connection.fault
        if task in done:
            return _get_result(task, doing)
        if ended in done:
            raise ExternalError(
                f"it closed the connection ({doing}){_describe_last(connection)}", reason=RESET
            )
        error = self.network.deadline.build_timeout_error(doing)
        raise ExternalError(f"{error}{_describe_last(connection)}", reason=error.reason)


def _get_result(task: asyncio.Future[Any], doing: str) -> Any:
    from ib_async.wrapper import RequestError

    try:
        return task.result()
    except RequestError as error:
        raise ExternalError(f"it refused ({doing}): {error.code} {error.message}", reason=REJECTED) from None
    except ConnectionError:
        raise ExternalError(f"it closed the connection ({doing})", reason=RESET) from None
    except OSError as error:
        raise ExternalError(f"the connection failed ({doing}): {error.strerror}", reason=UNREADABLE) from None


def _describe_last(connection: ReadOnlyConnection) -> str:
    """Return the gateway's last notice that is not about a market-data farm."""
    notices = [(code, text) for code, text in connection.notices if code not in _FARM_NOTICES]
    return "; its last notice: {} {}".format(*notices[-1]) if notices else ""


async def _wait_for_commissions(fills: list[Any]) -> None:
    for _ in range(10):
        if all(fill.commissionReport.execId for fill in fills):
            return
        await asyncio.sleep(_COMMISSION_SEC / 10)


def _stop_logging() -> None:
    """Keep ib_async's log lines, which hold account numbers, from standard error."""
    for name in ("ib_async", "eventkit"):
        logger = logging.getLogger(name)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
