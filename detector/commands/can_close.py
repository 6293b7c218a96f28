"""`can-close`: may this close order be sent? What the broker itself shows decides."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any

import click

from detector.app.broker_state import BrokerState, build_broker_job, build_broker_state
from detector.app.context import AppContext, ExitCode, print_json, print_lines
from detector.app.pipeline import gather
from detector.commands import collect_option, env_file_option, now_option
from detector.domain.instrument import Instrument
from detector.domain.snapshot import STATUS_SECTIONS
from detector.formats.errors import InputError
from detector.formats.numbers import to_exact_decimal
from detector.formats.patterns import build_pattern
from detector.formats.strict_json import redact_excerpt
from detector.reconciliation.close_check.close_order import (
    ALLOW,
    BUY,
    REFUSE,
    SELL,
    CloseOrder,
    CloseVerdict,
    build_unknown_verdict,
)
from detector.reconciliation.close_check.decide_close import decide_close
from detector.reconciliation.freshness import describe_age
from detector.reconciliation.repair_plan.trade_claims import TradeRows
from detector.render.can_close import CloseRequest, build_verdict_document, render_verdict
from detector.settings import ACCOUNT, HEARTBEAT_STALE_SEC, TRUTH_MAX_AGE_SEC

_NAMES = ("symbol", "local_symbol", "con_id")
_TEXTS = (*_NAMES, "sec_type", "right", "currency", "trading_class")
_CODES = {ALLOW: ExitCode.OK, REFUSE: ExitCode.FINDING}
_DECIMAL = build_pattern(r"[0-9]{1,15}(\.[0-9]{1,12})?", re.ASCII)
_MONTH = build_pattern(r"(20\d\d)-?(0[1-9]|1[0-2])", re.ASCII)
_DAY = build_pattern(r"(\d{4})-?(\d\d)-?(\d\d)", re.ASCII)


def _parse_number(_: click.Context, __: click.Parameter, value: str | None) -> Decimal | None:
    """Return a number above 0 exactly; an exponent or a sign is refused."""
    if value is None:
        return None
    number = Decimal(value) if _DECIMAL.fullmatch(value) else None
    if not number or to_exact_decimal(number) is None:
        raise click.BadParameter(f"{redact_excerpt(value)!r} is not a number above 0")
    return number


def _parse_day(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Return a day as 2026-05-06 and a month as 202605; 20260506 and 2026-05 are accepted too."""
    if value is None:
        return None
    if month := _MONTH.fullmatch(value):
        return "".join(month.groups())
    match = _DAY.fullmatch(value)
    if match:
        with suppress(ValueError):
            return date(*(int(part) for part in match.groups())).isoformat()
    raise click.BadParameter(f"{redact_excerpt(value)!r} is not a day such as 2026-05-06")


@click.command(
    epilog="Example: python -m detector can-close --symbol SPY --expiry 2026-06-19 --strike 727 --right C"
    " --quantity 39"
)
@click.option("--symbol", help="What is to be closed; of an option its underlying; or a local symbol.")
@click.option(
    "--local-symbol", metavar="NAME", help="The exchange's own symbol, instead: ESM6, or an OCC symbol."
)
@click.option(
    "--expiry",
    callback=_parse_day,
    metavar="DAY",
    help="Last trading day of an option or a future; of a future also its month, 202606.",
)
@click.option("--strike", callback=_parse_number, metavar="PRICE", help="Strike of an option.")
@click.option(
    "--right", type=click.Choice(["C", "P", "CALL", "PUT"], case_sensitive=False), help="Call or put."
)
@click.option(
    "--quantity", callback=_parse_number, required=True, metavar="NUMBER", help="How many are to be closed."
)
@click.option(
    "--side",
    type=click.Choice([BUY, SELL], case_sensitive=False),
    help="The side of the order; without it, the one that closes.",
)
@click.option("--currency", metavar="CODE", help="Its currency, where it trades in several.")
@click.option("--sec-type", metavar="TYPE", help="STK, OPT, FUT, …; with STK a symbol alone is the share.")
@click.option("--con-id", metavar="ID", help="IBKR's contract id; it is enough by itself.")
@click.option("--trading-class", metavar="CLASS", help="Its trading class: SPX or SPXW, where both are held.")
@click.option(
    "--account",
    metavar="ID",
    help="The account, where the broker shows several; else AEGIS_PT_ACCOUNT.",
)
@click.option(
    "--trade", metavar="ID", help="Say as well what the stores hold of this trade; the broker decides."
)
@collect_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@now_option
@env_file_option
@click.pass_obj
def command(app: AppContext, /, **options: Any) -> int:
    """Say whether a close order may be sent.

    Its answer is allow, refuse or cannot tell. It refuses what the broker's own rows would turn into an
    opening order: flat, the other side, less than that, or with a working exit order. Where the broker was
    not read, in full and within AEGIS_PT_TRUTH_MAX_AGE_SEC, it cannot tell. Exit 0 allow, 1 refuse, 3 cannot
    tell. With nothing piped in, only the sources that it needs are asked.
    """
    settings = app.load_settings(options["env_file"])
    stores = ("stores",) if options["trade"] else ()
    ids = {"account": options["account"], "trade": options["trade"]}
    sections = ("broker", *STATUS_SECTIONS, *stores)
    job = build_broker_job(app, settings, sections, options["now"], options["collect"], at_taken_at=False)
    state = build_broker_state(gather(job, ids=ids))
    order = CloseOrder(_build_instrument(options), options["quantity"], options["side"], _get_account(state))
    verdict = _decide(order, state)
    request = _build_request(order, state)
    output_code = (
        print_json(app, build_verdict_document(verdict, request))
        if options["as_json"]
        else print_lines(app, render_verdict(verdict, request))
    )
    return output_code or _CODES.get(verdict.decision, ExitCode.UNDECIDED)


def _get_account(state: BrokerState) -> str | None:
    """Return the account that was asked for, else AEGIS_PT_ACCOUNT where the broker's rows name it."""
    facts, own = state.facts, state.settings[ACCOUNT]
    named = {facts.broker_account, *(row.account for row in facts.broker_positions or ())}
    return state.ids["account"] or (own if own in named else None)


def _build_instrument(options: dict[str, Any]) -> Instrument:
    texts = {part: (options[part] or "").strip() for part in _TEXTS}
    empty = next((part for part in _NAMES if options[part] is not None and not texts[part]), None)
    if empty is not None or not any(texts[part] for part in _NAMES):
        problem = "is empty" if empty is not None else "is missing, and so are --local-symbol and --con-id"
        raise InputError(f"--{(empty or 'symbol').replace('_', '-')} {problem}")
    strike = None if options["strike"] is None else float(options["strike"])
    parts: dict[str, Any] = {part: text or None for part, text in texts.items()}
    return Instrument(**parts, expiry=options["expiry"], strike=strike)


def _decide(order: CloseOrder, state: BrokerState) -> CloseVerdict:
    """Return the verdict; it is unknown where the broker's data is incomplete or too old."""
    if state.doubt is not None:
        return build_unknown_verdict("unread", state.doubt)
    if state.inconsistency is not None:
        return build_unknown_verdict("contradiction", state.inconsistency)
    if state.age.seconds is None:
        return build_unknown_verdict("age", f"When the broker was read is not known: {state.age.fault}.")
    limit = state.settings[TRUTH_MAX_AGE_SEC]
    if state.age.seconds > limit:
        return build_unknown_verdict(
            "age", f"The broker's reading is {describe_age(state.age.seconds, limit)}."
        )
    heartbeat_limit = state.settings[HEARTBEAT_STALE_SEC] if state.expects_runtime_orders else None
    return decide_close(order, state.facts, heartbeat_limit)


def _build_request(order: CloseOrder, state: BrokerState) -> CloseRequest:
    trade = state.ids["trade"]
    return CloseRequest(
        order,
        state.age,
        state.header,
        state.settings[TRUTH_MAX_AGE_SEC],
        None if trade is None else TradeRows(state.facts).build_title(trade),
        () if trade is None else TradeRows(state.facts).list_claims(trade),
    )
