"""Which key is nearly another one."""

from __future__ import annotations

import pytest

from detector.domain.facts import STATUS_FACTS
from detector.domain.vendor_keys import FOREIGN
from detector.formats.similar_names import is_nearly

LETTERS = "aeqz"


@pytest.mark.parametrize(
    ("key", "known"),
    [
        pytest.param("stuck_exit", "stuck_exits", id="a letter less"),
        pytest.param("stuck_exitss", "stuck_exits", id="a letter more"),
        pytest.param("broker_conected", "broker_connected", id="a letter less in the middle"),
        pytest.param("pending_oredrs", "pending_orders", id="two letters swapped"),
        pytest.param("pneding_oredrs", "pending_orders", id="two swaps"),
        pytest.param("heartbaet_ag_sec", "heartbeat_age_sec", id="two edits in two parts"),
        pytest.param("stuckExits", "stuck_exits", id="another case"),
        pytest.param("STUCK-EXITS", "stuck_exits", id="another separator"),
        pytest.param("Mode", "mode", id="a short name in another case"),
        pytest.param("order", "orders", id="a short name without its s"),
        pytest.param("mdoe", "mode", id="a short name with a swap"),
        pytest.param("signal_td", "signal_id", id="one edit in a short part"),
    ],
)
def test_a_misspelt_name_is_nearly_the_real_one(key, known):
    assert is_nearly(key, known)


@pytest.mark.parametrize(
    ("key", "known"),
    [
        pytest.param("mode", "mode", id="the name itself"),
        pytest.param("model", "mode", id="a short name, a letter more"),
        pytest.param("node", "mode", id="a short name, another letter"),
        pytest.param("market_data_10198_recent", "market_data_10197_recent", id="another digit"),
        pytest.param("unrealized_pnl", "realized_pnl", id="its negation"),
        pytest.param("not_parked_at", "parked_at", id="its negation as a word"),
        pytest.param("known_fills", "unknown_fills", id="what it negates"),
        pytest.param("signal_ts", "signal_id", id="another word in a short part"),
        pytest.param("ask_price", "avg_price", id="another short word"),
        pytest.param("closed_by", "closed_at", id="another preposition"),
        pytest.param("heartbeat", "heartbeat_at", id="three edits"),
        pytest.param("to", "from", id="nothing alike"),
        pytest.param("x" * 61, "x" * 60, id="longer than a name"),
    ],
)
def test_another_name_is_not_nearly_it(key, known):
    assert not is_nearly(key, known)


@pytest.mark.parametrize(
    ("key", "known", "near"), [("lgs", "logs", True), ("t", "to", False), ("ports", "port", True)]
)
def test_where_nobody_else_writes_keys_a_short_name_may_differ_by_one_edit(key, known, near):
    assert is_nearly(key, known, strict=False) is near


def single_edits(name: str) -> list[str]:
    """Every deletion, swap and change of case of a name, and insertions and replacements of some letters."""
    made = [name[:at] + name[at + 1 :] for at in range(len(name))]
    made += [name[:at] + name[at + 1] + name[at] + name[at + 2 :] for at in range(len(name) - 1)]
    made += [name[:at] + name[at].upper() + name[at + 1 :] for at in range(len(name))]
    made += [name[:at] + letter + name[at:] for at in range(len(name) + 1) for letter in LETTERS]
    made += [name[:at] + letter + name[at + 1 :] for at in range(len(name)) for letter in LETTERS]
    return [edit for edit in dict.fromkeys(made) if edit != name]


@pytest.mark.parametrize("known", [name for name in STATUS_FACTS if len(name) >= 8])
def test_every_single_edit_of_a_fact_is_nearly_it_unless_a_digit_differs(known):
    digits = [letter for letter in known if letter.isdigit()]
    edits = [edit for edit in single_edits(known) if [c for c in edit if c.isdigit()] == digits]
    missed = [edit for edit in edits if not is_nearly(edit, known) and edit not in STATUS_FACTS]
    assert missed == [name for name in missed if known.endswith(name)]  # `known_fills` negates it


def test_the_foreign_keys_are_not_facts():
    assert FOREIGN & STATUS_FACTS.keys() == set()
