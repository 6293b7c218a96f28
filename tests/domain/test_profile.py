"""A profile: where each fact is in the payloads of one kind of bot, and what is refused with its entry."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from detector.app.profile_document import parse_profile_text
from detector.domain.columns import ROWS
from detector.domain.facts import STATUS_FACTS
from detector.domain.payload_path import MISSING, build_extractor
from detector.domain.profile import HEARTBEAT_AGE, parse_profile
from detector.formats.errors import InputError
from detector.profiles import list_builtin_profiles, load_builtin_profile

PAYLOAD: dict[str, Any] = {
    "a": 1,
    "none": None,
    "deep": {"er": {"x": [1, 2]}, "none": None},
    "list": [{"n": 1}, {"n": 2}],
    "dashed-name": 3,
}


def profile(text: str) -> Any:
    return parse_profile_text(text)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param("a", 1, id="a name"),
        pytest.param("none", None, id="null"),
        pytest.param("b", MISSING, id="nothing"),
        pytest.param("deep.er", {"x": [1, 2]}, id="a dotted name"),
        pytest.param("deep.er.x", [1, 2], id="a longer one"),
        pytest.param("deep.none", None, id="null, deeper"),
        pytest.param("deep.b", MISSING, id="nothing, deeper"),
        pytest.param("a.b", MISSING, id="below a number"),
        pytest.param("none.b", MISSING, id="below null"),
        pytest.param("list.n", MISSING, id="below a list"),
        pytest.param("list[0].n", 1, id="JMESPath: an index"),
        pytest.param("list[9].n", MISSING, id="JMESPath: no such index"),
        pytest.param("list[].n", [1, 2], id="JMESPath: a projection"),
        pytest.param("length(list)", 2, id="JMESPath: a function"),
        pytest.param('"dashed-name"', 3, id="JMESPath: a quoted name"),
        pytest.param("none | @", MISSING, id="JMESPath cannot tell null from nothing"),
        pytest.param("a > `0`", True, id="JMESPath: a comparison"),
    ],
)
def test_a_path_leads_to_a_value_to_null_or_to_nothing(path, found):
    assert build_extractor(path, "here")(PAYLOAD) == found


@pytest.mark.parametrize(
    ("path", "says"),
    [
        pytest.param("a..b", "'a..b' is no JMESPath expression: Expecting", id="two dots"),
        pytest.param("a[", "'a[' is no JMESPath expression", id="a bracket that never closes"),
        pytest.param("dashed-name", "'dashed-name' is no JMESPath", id="a name that needs quotes"),
        pytest.param("nosuch(a", "'nosuch(a' is no JMESPath", id="a function that never ends"),
        pytest.param("nosuch(a)", "there is no function nosuch()", id="no such function"),
        pytest.param("length(a, b)", "length() takes 1 arguments, not 2", id="an argument too many"),
    ],
)
def test_a_path_that_cannot_be_read_is_refused(path, says):
    with pytest.raises(InputError) as caught:
        build_extractor(path, "here")
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


def test_a_whole_profile_is_read():
    made = profile("""
        [profile]
        name = "mine"
        zone = "America/New_York"
        [status]
        heartbeat_age_sec = "health.age"
        pending_orders = "length(orders)"
        orders = "orders"
        [rows.orders]
        order_id = "id"
        age_sec = "age"
    """)
    assert (made.name, str(made.zone)) == ("mine", "America/New_York")
    assert made.extractors["heartbeat_age_sec"]({"health": {"age": 3}}) == 3
    assert made.extractors["pending_orders"]({"orders": [1, 2]}) == 2
    assert made.column_extractors["orders"]["order_id"]({"id": 7}) == 7
    assert made.paths["pending_orders"] == "length(orders)"


def test_an_empty_profile_finds_nothing():
    made = parse_profile({})
    assert (made.name, made.extractors, made.column_extractors, made.zone) == ("unnamed", {}, {}, None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param('[facts]\na = "b"', "line 1: facts: is not known", id="an unknown table"),
        pytest.param(
            '[status]\npending_order = "a"',
            "line 2: [status] pending_order: is not known; did you mean pending_orders?",
            id="an unknown fact",
        ),
        pytest.param(
            '[status]\nservice = "a"',
            "line 2: [status] service: is not known",
            id="a fact of another section",
        ),
        pytest.param(
            "[status]\nmode = 3", "line 2: [status] mode: is neither a path nor", id="a path that is a number"
        ),
        pytest.param('[status]\nmode = ""', "line 2: [status] mode: is neither a path", id="an empty path"),
        pytest.param(
            '[status]\nmode = "a["',
            "line 2: [status] mode: 'a[' is no JMESPath",
            id="a path that cannot be read",
        ),
        pytest.param(
            '[rows.mode]\nx = "a"', "line 1: [rows] mode: is not known", id="a fact that is no list"
        ),
        pytest.param('[rows.cats]\nx = "a"', "line 1: [rows] cats: is not known", id="no fact at all"),
        pytest.param(
            '[rows.ticks]\nvolume = "a"', "[rows.ticks] volume: is not known", id="an unknown column"
        ),
        pytest.param('[rows.ticks]\nage_sec = "a"', "[rows.ticks] age_sec: is not", id="an order's column"),
        pytest.param(
            '[rows.orders]\nside = "a["', "line 2: [rows.orders] side: 'a[' is no", id="a column's path"
        ),
        pytest.param(
            '[profile]\nzone = "Mars/Base"', "[profile] zone: 'Mars/Base' is not a known", id="a zone"
        ),
        pytest.param("[profile]\nzone = 3", "[profile] zone: must be a text", id="a zone in numbers"),
        pytest.param(
            '[profile]\nzone = "/etc/passwd"', "[profile] zone: '/etc/passwd' is not", id="a file as a zone"
        ),
        pytest.param(
            '[profile]\nzone = "America"', "[profile] zone: 'America' is not", id="a folder of zones"
        ),
        pytest.param(
            f'[profile]\nzone = "{"x" * 300}"', "[profile] zone: 'xxx", id="a name too long for a file"
        ),
        pytest.param("profile = 3", "line 1: profile: must be a table", id="a number for a table"),
        pytest.param("status = []", "line 1: status: must be a table", id="a list for a table"),
        pytest.param('rows = "x"', "line 1: rows: must be a table", id="text for a table"),
        pytest.param("[rows]\norders = 3", "line 2: [rows] orders: must be a table", id="a number for rows"),
        pytest.param('[signals]\noff = "moon"', "no signal is named 'moon'", id="no golden signal"),
        pytest.param("[status\n", "(at line 1", id="no TOML"),
    ],
)
def test_a_profile_that_cannot_be_used_is_refused_with_line_and_key(text, says):
    with pytest.raises(InputError) as caught:
        profile(text)
    assert says in str(caught.value)


# ---- the built-in ones -------------------------------------------------------------------------------


def test_aegis_knows_every_fact_under_its_own_name():
    document = load_builtin_profile("aegis")
    assert document is not None
    made = parse_profile(document)
    assert made.name == "aegis"
    assert made.paths == {name: name for name in (*STATUS_FACTS, HEARTBEAT_AGE)}
    assert {name for name, spec in STATUS_FACTS.items() if spec["kind"] == ROWS} >= set(
        made.column_extractors
    )


@pytest.mark.parametrize("name", list_builtin_profiles())
def test_every_built_in_profile_can_be_used(name):
    document = load_builtin_profile(name)
    assert document is not None
    assert parse_profile(document).name == name


@pytest.mark.parametrize("name", ["nosuch", "", "../aegis", "aegis.toml"])
def test_nothing_else_is_built_in(name):
    assert load_builtin_profile(name) is None


def test_plain_paths_do_not_load_the_library():
    code = (
        "import sys, tomllib\n"
        "from detector.domain.profile import parse_profile\n"
        'parse_profile(tomllib.loads(\'[status]\\nmode = "a.b.c"\\npending_orders = "n"\'))\n'
        "sys.exit('jmespath' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (
            {"api_connected": False, "message": "API connection failed: TimeoutError()"},
            "API connection failed: TimeoutError()",
        ),
        ({"api_connected": True, "message": "Connected to TWS"}, ""),
        ({"api_connected": None, "message": "starting"}, MISSING),
        ({"message": "starting"}, MISSING),
        (None, MISSING),
    ],
)  # fmt: skip
def test_robo_trader_s_message_is_an_error_only_while_its_api_is_not_connected(status, found):
    look = parse_profile(load_builtin_profile("robo_trader") or {}).extractors["connection_error"]
    assert look({"trading_status": status}) == found
