"""Flex Web Service on loopback: its two steps, every code, its pace; a statement as XML and as CSV."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from detector.clients.connection import Deadline
from detector.clients.flex_api import Flex
from detector.clients.http_client import Page
from detector.domain.flex_statement import parse_flex_time, parse_statement
from detector.formats import errors
from detector.formats.errors import ExternalError
from tests.support.loopback import hangs, says, serving
from tests.support.program import answer
from tests.support.snapshots import NOW

TOKEN = "987654321012345678901234"
XML = {"content-type": "text/xml;charset=utf-8"}
TRADE = (
    'accountId="U1234567" conid="700" symbol="SPXW  260601C06000000" underlyingSymbol="SPX" assetCategory="OPT"'
    ' multiplier="100" strike="6,000" expiry="20260601" putCall="C" currency="USD" ibExecID="0000e.1.01.01"'
    ' ibOrderID="5" buySell="SELL" quantity="-39" tradePrice="6.46" dateTime="20260601;144900"'
    ' fifoPnlRealized="3742.44" openCloseIndicator="C" transactionType="ExchTrade" levelOfDetail="EXECUTION" notes=""'
)


def envelope(code: int | None = None, reference: str = "", url: str = "", status: str = "") -> bytes:
    parts = [f"<Status>{status or ('Success' if reference else 'Fail')}</Status>"]
    parts += [f"<ReferenceCode>{reference}</ReferenceCode><Url>{url}</Url>"] if reference else []
    parts += [f"<ErrorCode>{code}</ErrorCode><ErrorMessage>about {TOKEN}</ErrorMessage>"] if code else []
    return (
        f"<FlexStatementResponse timestamp='02 June, 2026 11:00 AM EDT'>{''.join(parts)}</FlexStatementResponse>"
    ).encode()


def statement(
    *trades: str, tag: str = "Trade", generated: str = "20260602;100501", holder: str = "Trades"
) -> bytes:
    rows = "".join(f"<{tag} {trade} />" for trade in trades)
    return (
        '<FlexQueryResponse queryName="x" type="AF"><FlexStatements count="1"><FlexStatement accountId="U1234567"'
        f' fromDate="20260601" toDate="20260601" whenGenerated="{generated}"><{holder}>{rows}</{holder}>'
        "</FlexStatement></FlexStatements></FlexQueryResponse>"
    ).encode()


CSV_HEADER = '"ClientAccountID","AssetClass","Symbol","Conid","Strike","Expiry","Put/Call","Multiplier","Buy/Sell","Quantity","TradePrice","DateTime","IBExecID","LevelOfDetail"'
CSV_ROW = '"U1234567","OPT","SPX","700","6000","20260601","C","100","SELL","-39","6.46","20260601;144900","0000e.1.01.01","EXECUTION"'


class Service:
    """The service without a socket.

    Answers in their order, and every request with what was paused before it.
    """

    def __init__(self, *bodies: bytes, seconds: float = 60, status: int = 200) -> None:
        self.bodies = list(bodies)
        self.status = status
        self.urls: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.paused: list[float] = []
        self.now = 0.0
        self.flex = Flex(
            self.get, Deadline(seconds, lambda: self.now), "https://flex.example/F", TOKEN, self.pause
        )

    def get(self, url, should_keep=None, *, headers):
        self.urls.append(url)
        self.headers.append(headers)
        return Page(self.status, {}, self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0])

    def pause(self, seconds: float) -> None:
        self.paused.append(seconds)
        self.now += seconds

    def fetch(self) -> bytes:
        return self.flex.fetch_statement("123")


def test_the_two_steps_carry_token_query_reference_and_version():
    service = Service(envelope(reference="456"), statement(TRADE))
    assert service.fetch() == statement(TRADE)
    first, second = (urlsplit(url) for url in service.urls)
    assert (first.path, parse_qs(first.query)) == ("/F/SendRequest", {"t": [TOKEN], "q": ["123"], "v": ["3"]})
    assert (second.path, parse_qs(second.query)["q"]) == ("/F/GetStatement", ["456"])
    assert {headers["user-agent"] for headers in service.headers} == {"Java"}
    assert service.paused == [1.0]


@pytest.mark.parametrize(
    ("url", "base"),
    [
        (
            "https://gdcdyn.interactivebrokers.com/A/F/GetStatement",
            "https://gdcdyn.interactivebrokers.com/A/F",
        ),
        ("http://gdcdyn.interactivebrokers.com/A/F/GetStatement", "https://flex.example/F"),
        ("https://evil.example/F/GetStatement", "https://flex.example/F"),
        ("https://interactivebrokers.com.evil.example/F", "https://flex.example/F"),
        ("https://evilinteractivebrokers.com/F", "https://flex.example/F"),
        ("https://flex.example/G/GetStatement", "https://flex.example/G"),
        ("", "https://flex.example/F"),
    ],
)
def test_the_token_goes_to_ibkr_or_the_configured_host_only(url, base):
    service = Service(envelope(reference="456", url=url), statement(TRADE))
    service.fetch()
    assert service.urls[1].startswith(f"{base}/GetStatement?")


CODES = {
    **dict.fromkeys((1001, 1004, 1005, 1006, 1007, 1008, 1009, 1017, 1019, 1021), errors.NOT_READY),
    1003: errors.MISSING,
    **dict.fromkeys((1010, 1014, 1020), errors.QUERY),
    **dict.fromkeys((1011, 1012, 1015, 1016), errors.LOGIN),
    1013: errors.DENIED,
    1018: errors.THROTTLED,
    **dict.fromkeys((1, 1002, 1025, 999999999999), errors.UNREADABLE),
}


@pytest.mark.parametrize("status", ["Fail", "Warn", "Success"])
@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("code", CODES)
def test_every_code_at_each_step_is_a_reason_and_never_an_empty_statement(code, step, status):
    """`Status` differs for one code, so that the code decides."""
    service = Service(*[envelope(reference="456")] * step, envelope(code, status=status), seconds=300)
    if code == 1017 and step == 0:
        service = Service(envelope(code), seconds=300)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - each kind of it is refused
        service.fetch()
    assert getattr(raised.value, "reason", None) == CODES[code]
    assert len(service.urls) <= 8
    assert all(pause >= 1 for pause in service.paused)


def test_a_statement_that_is_still_made_is_polled_every_6_seconds_until_the_deadline():
    service = Service(envelope(reference="456"), *[envelope(1019, status="Warn")] * 2, statement(TRADE))
    assert service.fetch() == statement(TRADE)
    assert service.paused == [1.0, 5.0, 1.0, 5.0, 1.0]
    short = Service(envelope(reference="456"), envelope(1019), seconds=10)
    with pytest.raises(ExternalError, match="1019"):
        short.fetch()
    assert short.now < 10


def test_a_reference_that_is_gone_is_asked_for_once_more():
    service = Service(envelope(reference="1"), envelope(1017), envelope(reference="2"), statement(TRADE))
    assert service.fetch() == statement(TRADE)
    assert [urlsplit(url).path.rpartition("/")[2] for url in service.urls] == [
        "SendRequest",
        "GetStatement",
    ] * 2


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<!DOCTYPE html><html></html>", id="a page"),
        pytest.param(b"<Other/>", id="another root"),
        pytest.param(b"<FlexStatementResponse>", id="cut"),
        pytest.param(b'<!DOCTYPE a [<!ENTITY b "c">]><FlexStatementResponse/>', id="entities"),
        pytest.param(b"<FlexStatementResponse/>", id="an envelope of nothing"),
        pytest.param(envelope(reference="4&amp;t=x"), id="a reference that is none"),
    ],
)
def test_what_is_no_answer_of_the_service(body):
    service = Service(body)
    with pytest.raises(ExternalError):
        service.fetch()
    assert len(service.urls) == 1


def test_an_envelope_in_the_place_of_a_statement_is_none():
    service = Service(envelope(reference="456"), envelope(reference="457"))
    with pytest.raises(ExternalError, match="no statement"):
        service.fetch()


@pytest.mark.parametrize(
    ("status", "reason"), [(302, errors.HTTP_STATUS), (404, errors.HTTP_STATUS), (429, errors.THROTTLED)]
)
def test_a_statement_comes_with_200_or_not_at_all(status, reason):
    with pytest.raises(ExternalError) as raised:
        Service(statement(TRADE), status=status).fetch()
    assert raised.value.reason == reason


def rows_of(body: bytes):
    return parse_statement(body)[0]


def test_xml_and_csv_give_the_same_fill():
    csv = f"{CSV_HEADER}\n{CSV_ROW}\n".encode()
    (from_xml,), (from_csv,) = rows_of(statement(TRADE)), rows_of(csv)
    for key in ("quantity", "tradeprice", "datetime", "ibexecid", "strike", "conid", "putcall", "expiry"):
        assert from_xml[key] == from_csv[key], key
    assert from_xml["datetime"] == "2026-06-01T14:49:00-04:00"


def with_trailers(rows: int = 1, end: bool = True) -> bytes:
    lines = [
        '"BOF","U1234567","x","1","20260601","20260601","20260602;100501","1","1"', '"BOA","U1234567"', '"BOS","TRNT"',
        f'"HEADER","TRNT",{CSV_HEADER}', f'"DATA","TRNT",{CSV_ROW}', f'"EOS","TRNT","{rows}","0"', '"EOA","U1234567"',
    ]  # fmt: skip
    return "\n".join([*lines, *(['"EOF"'] if end else [])]).encode("utf-8-sig")


def test_csv_with_headers_and_trailers_is_read():
    rows, generated = parse_statement(with_trailers())
    assert (len(rows), generated and generated.isoformat()) == (1, "2026-06-02T10:05:01-04:00")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(with_trailers(rows=2), errors.UNREADABLE, id="a row is missing by EOS"),
        pytest.param(with_trailers(end=False), errors.UNREADABLE, id="the end is missing"),
        pytest.param(f"{CSV_HEADER}\n{CSV_ROW[:-20]}".encode(), errors.UNREADABLE, id="a row that was cut"),
        pytest.param(b"hello", errors.UNREADABLE, id="a text"),
        pytest.param(
            b'"ClientAccountID","Symbol","Quantity"\n"U1","SPY","1"', errors.QUERY, id="positions only"
        ),
        pytest.param(
            statement(holder="OpenPositions", tag="OpenPosition"), errors.QUERY, id="no trades in XML"
        ),
        pytest.param(statement(TRADE, tag="Trde"), errors.UNREADABLE, id="rows by another name"),
        pytest.param(statement(TRADE)[:-60], errors.UNREADABLE, id="XML that broke off"),
        pytest.param(b"<FlexQueryResponse/>", errors.UNREADABLE, id="no statement in it"),
        pytest.param("<a>\u00e4</a>".encode("latin-1"), errors.UNREADABLE, id="latin-1"),
    ],
)
def test_a_statement_that_is_not_whole_is_no_statement(body, reason):
    with pytest.raises(ExternalError) as raised:
        parse_statement(body)
    assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20260601;144900", "2026-06-01T14:49:00-04:00"),
        ("2026-06-01;14:49:00", "2026-06-01T14:49:00-04:00"),
        ("20260601,144900", "2026-06-01T14:49:00-04:00"),
        ("20260601 144900", "2026-06-01T14:49:00-04:00"),
        ("20260601144900", "2026-06-01T14:49:00-04:00"),
        ("01-JUN-26;144900", "2026-06-01T14:49:00-04:00"),
        ("20260115;144900", "2026-01-15T14:49:00-05:00"),
        ("06/01/2026;144900", None),
        ("01/06/26;14:49:00", None),
        ("20261301;144900", None),
        ("", None),
    ],
)
def test_times_are_new_yorks_and_slashes_are_refused(text, moment):
    parsed = parse_flex_time(text)
    assert (parsed.isoformat() if parsed else None) == moment


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
def test_csv_is_read_with_any_separator_of_flex(delimiter):
    text = with_trailers().decode("utf-8-sig").replace('","', f'"{delimiter}"')
    assert delimiter == "," or "," not in text
    assert parse_statement(text.encode()) == parse_statement(with_trailers())


@pytest.mark.parametrize(
    ("executed", "expiry", "generated", "moment"),
    [
        ("06/01/2026;144900", "06/19/2026", "06/02/2026;100501", ("2026-06-01T14:49:00-04:00", "20260619")),
        ("01/06/2026,14:49:00", "19/06/2026", "02/06/2026,10:05:01", ("2026-06-01T14:49:00-04:00", "20260619")),
        ("06/01/26 144900", "06/19/26", "06/02/26 100501", ("2026-06-01T14:49:00-04:00", "20260619")),
        ("06/01/2026;144900", "06/07/2026", "06/02/2026;100501", ("06/01/2026;144900", "06/07/2026")),
        ("06/13/2026;144900", "13/06/2026", "06/02/2026;100501", ("06/13/2026;144900", "13/06/2026")),
    ],
    ids=["US", "European", "short", "undecided", "contradictory"],
)  # fmt: skip
def test_dates_with_slashes_are_read_where_a_day_over_12_decides(executed, expiry, generated, moment):
    trade = TRADE.replace("20260601;144900", executed).replace("20260601", expiry)
    (row,), at = parse_statement(statement(trade, generated=generated))
    assert (row["datetime"], row["expiry"]) == moment
    assert (at is not None) == (row["expiry"] == "20260619")


@pytest.fixture
def environ(tmp_path):
    def build(url: str, **more: str) -> dict[str, str]:
        return {
            "AEGIS_PT_FLEX_URL": url,
            "AEGIS_PT_FLEX_TOKEN": TOKEN,
            "AEGIS_PT_FLEX_QUERY": "123",
            "AEGIS_PT_SOURCE_TIMEOUT_SEC": "4",
            "XDG_STATE_HOME": str(tmp_path),
            **more,
        }

    return build


def test_it_fills_the_statement_and_no_output_shows_token_or_account(environ):
    with serving(says(envelope(reference="456"), headers=XML), says(statement(TRADE), headers=XML)) as server:
        ran = answer("collect", environ=environ(server.url))
    assert ran.code == 0, ran.err
    document = ran.document
    assert set(document["broker"]) == {"statement"}
    assert document["broker"]["statement"]["as_of"] == "2026-06-02T10:05:01-04:00"
    assert document["sources"]["broker.statement"]["state"] == "ok"
    for text in (ran.out.decode(), ran.err):
        assert TOKEN not in text
        assert "1234567" not in re.sub(TOKEN, "", text)
    assert [request.split(b"?")[0] for request in server.requests] == [
        b"GET /SendRequest",
        b"GET /GetStatement",
    ]


@pytest.mark.parametrize("command", ["collect", "doctor", "detect"])
@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(says(envelope(1015), headers=XML), id="a token that is invalid"),
        pytest.param(says(f"<x>{TOKEN}</x>".encode()), id="an answer that repeats the token"),
        pytest.param(says(b"", 302, {"location": f"https://elsewhere.example/?t={TOKEN}"}), id="a redirect"),
        pytest.param(says(TOKEN.encode(), 503), id="503"),
        pytest.param(hangs(), id="silence"),
    ],
)
def test_no_failure_shows_the_token_or_is_a_statement(command, behaviour, environ):
    with serving(behaviour) as server:
        ran = answer(command, environ=environ(server.url, AEGIS_PT_SOURCE_TIMEOUT_SEC="0.6"))
    assert TOKEN not in ran.out.decode() + ran.err
    assert len(server.requests) == 1
    if command == "collect":
        assert ran.document["sources"]["broker.statement"]["state"] == "failed"
        assert "broker" not in ran.document


def test_a_token_without_a_query_is_named():
    ran = answer("collect", environ={"AEGIS_PT_FLEX_TOKEN": TOKEN})
    assert (ran.code, "AEGIS_PT_FLEX_QUERY" in ran.err, TOKEN in ran.err) == (2, True, False)


def snapshot(age_sec: float, *rows: dict[str, str], **broker: Any) -> dict[str, Any]:
    as_of = (NOW - timedelta(seconds=age_sec)).isoformat()
    (fill,) = rows_of(statement(TRADE))
    kept = [{**fill, **row} for row in rows] if rows else [fill]
    trades = [{"trade_id": "1", "symbol": "SPX", "opened_at": "2026-05-30T14:00:00Z", "closed_at": "2026-06-02T14:00:00Z",
               "quantity": 1}]  # fmt: skip
    return {
        "taken_at": NOW.isoformat(),
        "broker": {"statement": {"as_of": as_of, "executions": kept}, **broker},
        "stores": {"as_of": NOW.isoformat(), "position_state": [], "trades": trades},
    }


YESTERDAY = {"datetime": "2026-06-02T10:49:00-04:00"}


def test_a_fill_that_only_the_statement_has_is_missed():
    ran = answer("detect", "--offline", stdin=json.dumps(snapshot(60, YESTERDAY)))
    assert "missed_fill" in ran.types


RECENT = TRADE.replace("20260601;144900", "20260602;104900")


def given(written: object) -> dict[str, Any]:
    document = snapshot(60)
    document["broker"] = {"statement": written}
    return document


@pytest.mark.parametrize(
    "text",
    [statement(RECENT), with_trailers().replace(b"20260601;144900", b"20260602;104900")],
    ids=["XML", "CSV"],
)
def test_a_statement_may_be_given_as_its_text_or_by_its_file(text, tmp_path):
    ran = answer("detect", "--offline", stdin=json.dumps(given(text.decode("utf-8-sig"))))
    assert (ran.types.count("missed_fill"), "reading_invalid" in ran.types) == (1, False)
    held = answer("can-close", "--symbol", "SPX", "--quantity", "1", stdin=json.dumps(given(text.decode())))
    assert held.code == 3
    (tmp_path / "statement").write_bytes(text)
    ran = answer("collect", environ={"AEGIS_PT_SECTIONS": f"broker.statement={tmp_path / 'statement'}"})
    assert ran.document["broker"]["statement"]["as_of"] == "2026-06-02T10:05:01-04:00"
    assert len(ran.document["broker"]["statement"]["executions"]) == 1


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("Statement,Header,Field Name,Field Value\nStatement,Data,Title,Activity Statement", "activity statement"),
        ("hello", "could not be read"),
        ("", "could not be read"),
        (statement(RECENT).decode()[:-60], "broken off"),
        ([RECENT], "an array"),
        (5, "not an object or the statement's text"),
        (f"{CSV_HEADER}\n{CSV_ROW}", "does not say when"),
        (statement(RECENT).decode().replace("quantity=", "quantty="), "no trade of the statement has a quantity"),
        (statement(RECENT).decode().replace("dateTime=", "dateTme="), "no trade of the statement has a datetime"),
    ],
    ids=["activity", "a word", "empty", "cut", "list", "number", "no time", "no quantity", "no time of a trade"],
)  # fmt: skip
def test_a_statement_that_is_not_understood_is_reported(written, reason):
    ran = answer("detect", "--offline", stdin=json.dumps(given(written)))
    told = [event["summary"] for event in ran.document["events"] if event["type"] == "reading_invalid"]
    assert any(reason in summary for summary in told), told
    assert "missed_fill" not in ran.types


def test_a_statement_says_nothing_of_what_is_held():
    ran = answer("can-close", "--symbol", "SPX", "--quantity", "1", stdin=json.dumps(snapshot(60)))
    assert (ran.code, "The broker was not read" in ran.out.decode()) == (3, True)


def test_a_plan_from_a_statement_alone_cannot_tell():
    row = {"symbol": "SPX", "trade_id": "2", "is_open": True, "contracts_remaining": 2}
    document = snapshot(60)
    document["stores"]["position_state"] = [row]
    ran = answer("plan", stdin=json.dumps(document))
    assert (ran.code, "flat" in ran.out.decode()) == (3, False), ran.out


@pytest.mark.parametrize(("hours", "is_stale"), [(1, False), (35.9, False), (36.1, True)])
def test_a_statement_is_stale_after_36_hours(hours, is_stale):
    ran = answer("detect", "--offline", stdin=json.dumps(snapshot(hours * 3600, YESTERDAY)))
    assert ("source_stale" in ran.types) == is_stale
    assert ("missed_fill" in ran.types) == (not is_stale)


def test_the_broker_beside_a_statement_keeps_its_own_time():
    document = snapshot(3600, as_of=(NOW - timedelta(seconds=400)).isoformat(), positions=[], open_orders=[])
    types = answer("detect", "--offline", stdin=json.dumps(document)).types
    assert types.count("source_stale") == 1


def test_a_fill_that_both_list_is_one_and_a_cancelled_one_is_none():
    live = {
        "as_of": NOW.isoformat(),
        "positions": [],
        "open_orders": [],
        "executions": [rows_of(statement(TRADE))[0] | YESTERDAY],
    }
    ran = answer("detect", "--offline", stdin=json.dumps(snapshot(60, YESTERDAY, **live)))
    assert ran.types.count("missed_fill") == 1
    cancelled = snapshot(
        60,
        {**YESTERDAY, "tradeid": "9"},
        {
            **YESTERDAY,
            "ibexecid": "0000e.2.01.01",
            "buysell": "SELL (Ca.)",
            "quantity": "39",
            "origtradeid": "9",
        },
        {"ibexecid": "", "transactiontype": "BookTrade", "quantity": "-1"},
        {**YESTERDAY, "levelofdetail": "ORDER", "ibexecid": ""},
    )
    assert answer("detect", "--offline", stdin=json.dumps(cancelled)).types == []


def test_a_statement_without_its_time_is_not_read():
    document = snapshot(60, YESTERDAY)
    del document["broker"]["statement"]["as_of"]
    assert "missed_fill" not in answer("detect", "--offline", stdin=json.dumps(document)).types


def test_it_travels_as_a_file_by_its_own_name(tmp_path):
    path = tmp_path / "box.json"
    (fill,) = rows_of(statement(TRADE))
    path.write_text(json.dumps({"as_of": NOW.isoformat(), "executions": [fill]}))
    ran = answer("collect", environ={"AEGIS_PT_SECTIONS": f"broker.statement={path}"})
    assert ran.document["broker"]["statement"]["executions"][0]["ibexecid"] == "0000e.1.01.01"
    box = tmp_path / "whole.json"
    box.write_bytes(ran.out)
    again = answer("collect", environ={"AEGIS_PT_SECTIONS": f"broker.statement={box}"}).document
    assert again["broker"] == ran.document["broker"]


def test_a_broker_that_failed_costs_not_its_statement(environ):
    with serving(says(envelope(reference="456"), headers=XML), says(statement(TRADE), headers=XML)) as server:
        ran = answer("collect", environ=environ(server.url, AEGIS_PT_SECTIONS="broker=/none.json"))
    assert {name: entry["state"] for name, entry in ran.document["sources"].items()} == {
        "broker": "failed",
        "broker.statement": "ok",
    }
    assert set(ran.document["broker"]) == {"statement"}
    judged = answer("detect", "--offline", stdin=ran.out)
    assert judged.types == ["exposure_unwatched", "source_unavailable"]
    assert {event["subject"] for event in judged.document["events"]} == {None, "broker"}
