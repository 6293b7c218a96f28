"""Whatever an account holds and however its export is written, no leave opens, and the plain close is
allowed.
"""

from __future__ import annotations

import os
from decimal import Decimal
from random import Random
from typing import Any

from detector.domain.instrument import Instrument
from detector.domain.previous_run import NO_PREVIOUS_RUN
from detector.domain.profile import ReadContext
from detector.domain.snapshot import build_snapshot
from detector.engine.gather import gather_facts
from detector.formats.redaction import redact
from detector.readers.broker.sections import find_inconsistency
from detector.reconciliation.close_check.close_order import ALLOW, CloseOrder, CloseVerdict
from detector.reconciliation.close_check.decide_close import decide_close
from detector.reconciliation.freshness import explain_unreliable
from detector.reconciliation.position_comparison import compare_with_broker
from detector.reconciliation.repair_plan.trade_cases import build_items
from detector.settings import MARKET_CLOSURES, PROFILE
from tests.support.account_oracle import ACCOUNTS, CONTRACTS, NOW, World, draw_world, name_request
from tests.support.snapshots import settings_of

WORLDS = int(os.environ.get("ACCOUNT_WORLDS", "1500"))  # 20000 before a release
SETTINGS = settings_of({})


def read(broker: dict[str, Any], **sections: Any) -> Any:
    document = redact({"broker": broker, **sections})
    snapshot = build_snapshot(document, now=NOW, runtime="bot")
    context = ReadContext(SETTINGS, SETTINGS.files[PROFILE.name], NO_PREVIOUS_RUN)
    return document, gather_facts(snapshot, context, SETTINGS.files[MARKET_CLOSURES.name])


def ask(world: World, request: dict[str, Any], account: str, quantity: int) -> CloseVerdict | None:
    document, facts = read({**world.export, "account_asked": account})
    if explain_unreliable(facts) or find_inconsistency(document["broker"], facts.taken_at):
        return None
    alias = document["broker"]["account_asked"]
    order = CloseOrder(Instrument(**request), Decimal(quantity), None, alias)
    return decide_close(order, facts, None)


def test_no_leave_is_wrong_and_the_plain_close_is_allowed():
    plain, allowed = 0, 0
    for seed in range(WORLDS):
        random = Random(seed)
        world = draw_world(random)
        (account, con_id), position = random.choice(list(world.held.items()))
        contract = next(one for one in CONTRACTS if one["conId"] == con_id)
        request, is_full = name_request(random, contract)
        quantity = random.choice((1, abs(position) or 1, abs(position) + 3))
        verdict = ask(world, request, account, quantity)
        is_allowed = verdict is not None and verdict.decision == ALLOW
        if verdict is not None and is_allowed:
            wrong = world.is_wrong_leave(account, con_id, verdict.side or "", quantity)
            assert not wrong, (seed, request, verdict, world.export)
        if world.is_plain and is_full and 0 < quantity <= abs(position):
            plain, allowed = plain + 1, allowed + is_allowed
    assert plain > WORLDS / 50
    assert allowed >= 0.9 * plain, (allowed, plain)


def stored(random: Random, world: World) -> list[dict[str, Any]]:
    """The rows of a store that knows the account, or is off by a contract or a quantity."""
    rows = []
    for number, ((account, con_id), quantity) in enumerate(world.held.items()):
        contract = next(one for one in CONTRACTS if one["conId"] == con_id)
        named, _ = name_request(random, contract)
        off = random.choice((0, 0, 0, 2))
        rows.append(
            {**named, "account": account, "trade_id": number, "is_open": 1, "quantity": quantity + off}
        )
    return rows[random.choice((0, 0, 1)) :]


def test_plan_corrects_only_what_the_comparison_shows_and_no_leave_is_given_where_it_is_flat():
    for seed in range(WORLDS // 4):
        random = Random(-seed)
        world = draw_world(random)
        stores = {"as_of": world.export["as_of"], "position_state": stored(random, world), "trades": []}
        _, facts = read(world.export, stores=stores)
        comparison = compare_with_broker(facts)
        assert comparison is not None
        shown = {difference.name for difference in comparison.differences if not difference.merged}
        for item in build_items(facts):
            if item.changes:
                assert item.instrument in shown, (seed, item.instrument, shown)
        for difference in comparison.differences:
            if difference.kind == "phantom" and difference.internal:
                instrument = difference.instrument
                order = CloseOrder(instrument, abs(difference.internal), None, difference.account)
                assert decide_close(order, facts, None).decision != ALLOW, (seed, difference)


def test_the_oracle_is_an_account():
    world = World({(ACCOUNTS[0], 1): 10})
    assert not world.is_wrong_leave(ACCOUNTS[0], 1, "SELL", 10)
    assert world.is_wrong_leave(ACCOUNTS[0], 1, "SELL", 11)
    assert world.is_wrong_leave(ACCOUNTS[0], 1, "BUY", 1)
    assert world.is_wrong_leave(ACCOUNTS[1], 1, "SELL", 1)
    pair = {"account": ACCOUNTS[0], "con_id": 1, "sign": -1, "left": 4, "oca": "a"}
    world.orders = [pair, pair]
    assert not world.is_wrong_leave(ACCOUNTS[0], 1, "SELL", 6)
    assert world.is_wrong_leave(ACCOUNTS[0], 1, "SELL", 7)
