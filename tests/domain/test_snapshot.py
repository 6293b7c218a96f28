"""The waist: which keys a snapshot may have, of which kind, and when it was taken."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from detector.domain.facts import SECTION_FACTS, STATUS_FACTS
from detector.domain.shape import LIST
from detector.domain.snapshot import KEYS, LIST_SECTIONS, PARTS, SECTIONS, Snapshot, build_snapshot
from detector.engine.catalog import find_reader
from detector.formats.errors import InputError
from tests.support.broker_shapes import CONTEXT

NOW = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)
VALUES: dict[str, Any] = {"an object": {}, "an array": [], "text": "x", "a number": 3, "true or false": True}
WANTED = {
    "status_v3": ["an object"],
    "bot_status": ["an object"],
    "ecs": ["an object"],
    "containers": ["an array"],
    "logs": ["an array", "an object"],
    "broker": ["an object"],
    "stores": ["an object"],
    "gateway": ["an object"],
    "processes": ["an array"],
    "power": ["an object"],
    "sources": ["an object"],
    "previous": list(VALUES),
}
"""DESIGN §3: every section and the kinds that it may be of; `previous` may be anything."""


def read(**document: Any) -> Snapshot:
    return build_snapshot(document, now=NOW, runtime="default-runtime")


def refusal(**document: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(**document)
    return str(caught.value)


def test_every_section_of_the_design_is_known():
    assert set(WANTED) <= set(SECTIONS)
    assert set(KEYS) == {"taken_at", "runtime", *SECTIONS}


def test_an_empty_document_is_a_snapshot_of_now():
    assert read() == Snapshot(NOW, "default-runtime", {})


def test_null_is_not_seen():
    assert read(**dict.fromkeys(KEYS)) == Snapshot(NOW, "default-runtime", {})


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("section", WANTED)
def test_a_section_is_of_its_kind_or_the_document_is_refused(section, kind):
    value = VALUES[kind]
    if kind in WANTED[section]:
        assert read(**{section: value}).sections == {section: value}
    else:
        wanted = "an array or an object" if section == "logs" else WANTED[section][0]
        assert refusal(**{section: value}) == f"{section} is {kind}, not {wanted}"


def test_an_empty_section_was_read_and_is_there():
    assert read(logs=[], containers=[], ecs={}).sections == {"logs": [], "containers": [], "ecs": {}}


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("status", "status_v3"),
        ("statusv3", "status_v3"),
        ("status_v4", "status_v3"),
        ("botstatus", "bot_status"),
        ("ECS", "ecs"),
        ("container", "containers"),
        ("log", "logs"),
        ("takenat", "taken_at"),
        ("run_time", "runtime"),
        ("prev", "previous"),
        ("x" * 100_000, None),
        ("", None),
    ],
    ids=lambda value: str(value)[:12] or "nothing",
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(key, nearest):
    said = refusal(**{key: {}})
    assert said.startswith(f"unknown section {(key if len(key) <= 80 else key[:79] + '…')!r}")
    assert said.endswith(f"; the nearest known one is {nearest!r}") is (nearest is not None)
    assert len(said) < 200


@pytest.mark.parametrize(("name", "section"), LIST_SECTIONS.items())
def test_a_list_beside_its_section_is_refused_with_the_section(name, section):
    into = f"a list of {section}: put it into {section}"
    assert refusal(**{name: []}) == f"unknown section {name!r}: this is {into}"
    assert refusal(**{name.title(): []}) == f"unknown section {name.title()!r}; {name!r} is {into}"


@pytest.mark.parametrize("section", ["ecs", "logs", "stores"])  # the broker's have many names
def test_each_list_of_a_section_is_known_as_its_list(section):
    reader = find_reader(section)
    assert reader is not None
    shape = reader.build_shape(section, CONTEXT, {})
    lists = {name for name, key in shape.reads.items() if key.kind == LIST and name == name.lower()}
    assert lists <= {name for name, owner in LIST_SECTIONS.items() if owner == section}


READ = [
    name for name in (*SECTIONS, *PARTS) if name not in ("sources", "previous")
]  # the run reads these two


@pytest.mark.parametrize("section", READ)
def test_each_section_has_a_reader_that_knows_its_keys(section):
    """Without them a misspelled key would be silent; without its facts a loss would not be in `missing`."""
    reader = find_reader(section)
    assert reader is not None, f"add detector/readers/{section}.py with SECTIONS, build_shape and read"
    assert hasattr(reader, "build_shape"), f"{reader.__name__}: add build_shape, which returns its known keys"
    shape = reader.build_shape(section, CONTEXT, {})
    given = {key.fact for key in shape.reads.values() if key.fact}
    unlisted = given - {*STATUS_FACTS, *SECTION_FACTS.get(section.partition(".")[0], ())}
    assert not unlisted, f"add to SECTION_FACTS of detector/domain/facts.py: {sorted(unlisted)}"


def test_an_unknown_key_is_refused_even_where_it_says_nothing():
    assert refusal(statusv3=None).startswith("unknown section 'statusv3'")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-06-02T15:00:00Z", NOW),
        ("2026-06-02T11:00:00-04:00", NOW),
        ("2026-06-03t00:00:00.000+09:00", NOW),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("8999-12-31T23:59:59Z", datetime(8999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_it_was_taken_when_it_says(text, moment):
    assert read(taken_at=text).taken_at == moment


@pytest.mark.parametrize(
    ("value", "says"),
    [
        pytest.param(
            "2026-06-02T15:00:00", "taken_at '2026-06-02T15:00:00' names no offset from UTC", id="naive"
        ),
        pytest.param("2026-06-02", "taken_at '2026-06-02' is not an RFC 3339 time", id="a date"),
        pytest.param(
            "2026-02-30T00:00:00Z", "taken_at '2026-02-30T00:00:00Z' is not a time that exists", id="30 Feb"
        ),
        pytest.param("", "taken_at '' is not an RFC 3339 time", id="nothing"),
        pytest.param(
            "1969-12-31T23:59:59Z",
            "taken_at '1969-12-31T23:59:59Z' is outside the years 1970 to 8999",
            id="too early",
        ),
        pytest.param(
            "9000-01-01T00:00:00Z",
            "taken_at '9000-01-01T00:00:00Z' is outside the years 1970 to 8999",
            id="too late",
        ),
        pytest.param("now", "taken_at 'now' is not an RFC 3339 time", id="a word"),
        pytest.param(1780412400, "taken_at is a number, not an RFC 3339 time with an offset", id="an epoch"),
        pytest.param(True, "taken_at is true or false, not an RFC 3339 time with an offset", id="a flag"),
        pytest.param([], "taken_at is an array, not an RFC 3339 time with an offset", id="an array"),
        pytest.param("x" * 5000, "taken_at '" + "x" * 79 + "…' is not an RFC 3339 time", id="5,000 letters"),
        pytest.param(
            "https://ann:hunter2@host",
            "taken_at 'https://[redacted]@host' is not an RFC 3339 time",
            id="a secret",
        ),
    ],
)
def test_a_time_that_cannot_be_meant_is_refused(value, says):
    assert refusal(taken_at=value) == says


@pytest.mark.parametrize("value", ["", "  ", 3, True, [], {}], ids=repr)
def test_a_runtime_is_a_name(value):
    assert refusal(runtime=value) == "runtime is not a name"


def test_the_runtime_that_it_names_wins():
    assert read(runtime="cortana").runtime == "cortana"


def test_the_first_fault_in_the_order_of_the_document_is_told():
    assert refusal(ecs=[], nonsense=1).startswith("ecs is an array")
    assert refusal(nonsense=1, ecs=[]).startswith("unknown section 'nonsense'")
