"""The schemas: valid 2020-12; they accept the input and output of the program and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import fields

from detector.commands.schema import SCHEMAS
from detector.domain.condition import Event
from detector.domain.facts import STATUS_FACTS
from detector.domain.previous_run import NO_PREVIOUS_RUN
from detector.domain.profile import HEARTBEAT_AGE, ReadContext, parse_profile
from detector.domain.report import Report
from detector.domain.snapshot import KEYS, SECTIONS, build_snapshot
from detector.engine.catalog import find_reader
from detector.engine.gather import gather_facts
from detector.formats.errors import InputError
from detector.market.session_plan import NO_CLOSURES
from detector.profiles import load_builtin_profile
from detector.render.document import (
    OPTIONAL,
    build_artifact_document,
    build_failure_document,
    build_stdout_document,
)
from detector.render.schemas import ARTIFACT_FIELDS, EVENT_FIELDS
from tests.support.command_output import told
from tests.support.snapshots import (
    DEFAULTS,
    NOW,
    SNAPSHOTS,
    evaluated,
    fixtures,
    healthy,
    remembered,
    report_of,
)

FIXTURES = fixtures()
WHOLE = ["healthy", "regular-session"]
VALIDATORS = {name: Draft202012Validator(schema()) for name, schema in SCHEMAS.items()}
by_fixture = pytest.mark.parametrize("one", FIXTURES, ids=lambda one: one.name)


def accepts(name: str, document: Any) -> bool:
    """Whether the schema of that name accepts the document, through JSON as a program would see it."""
    return VALIDATORS[name].is_valid(json.loads(json.dumps(document)))


def faults(name: str, document: Any) -> list[str]:
    """What the schema of that name finds wrong; empty where it accepts the document."""
    return [error.message for error in VALIDATORS[name].iter_errors(json.loads(json.dumps(document)))]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_2020_12(name):
    schema = SCHEMAS[name]()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$schema"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_that_is_made_twice_is_the_same(name):
    assert json.dumps(SCHEMAS[name]()) == json.dumps(SCHEMAS[name]())


# --- what the program takes and makes -----------------------------------------------------------------


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_snapshot_is_accepted(name):
    assert faults("snapshot", json.loads((SNAPSHOTS / f"{name}.json").read_text())) == []


@by_fixture
def test_a_fixture_is_accepted(one):
    assert faults("snapshot", one.document) == []


@by_fixture
def test_what_a_fixture_gives_is_accepted(one):
    report = report_of(one.name)
    assert faults("output", build_stdout_document(report)) == []
    assert faults("artifact", build_artifact_document(report)) == []
    assert faults("artifact", build_artifact_document(report, with_snapshot=False)) == []


@by_fixture
def test_what_a_condition_becomes_is_accepted(one):
    """Fired, told, held, fired again and resolved: receipts, endings and transitions are all there."""
    report = report_of(one.name)
    for document in ({"taken_at": "2026-06-02T15:10:00Z"}, late(one.document, 20), *recovered()):
        report = evaluated(document, remembered(report))
        assert faults("output", build_stdout_document(report)) == []
        assert faults("artifact", build_artifact_document(report)) == []


def late(document: Mapping[str, Any], minutes: int) -> dict[str, Any]:
    return {**document, "taken_at": f"2026-06-02T15:{minutes}:00Z"}


def recovered() -> Iterator[dict[str, Any]]:
    for minutes in (30, 40):
        document = late(healthy(), minutes)
        document["status_v3"]["heartbeat_at"] = document["taken_at"]
        yield document


def test_the_document_of_a_broken_detector_is_accepted():
    assert faults("output", json.loads(build_failure_document(ValueError("no"), NOW))) == []


def test_what_the_door_prints_is_accepted():
    text = json.dumps(FIXTURES[0].document).encode()
    assert faults("output", told("--quiet", stdin=text).json) == []
    assert faults("artifact", told("--report", "--quiet", stdin=text).json) == []


def test_the_empty_snapshot_and_its_answer_are_accepted():
    assert faults("snapshot", {}) == []
    assert faults("output", told("--quiet", stdin=b"{}").json) == []


# --- what the program refuses is refused by the schema too, and the reverse ---------------------------

REFUSED = [
    pytest.param({"bot_staus": {}}, id="an unknown section"),
    *(pytest.param({name: "text"}, id=f"{name} is text") for name in SECTIONS if name != "previous"),
    pytest.param({"status_v3": []}, id="an array for an object"),
    pytest.param({"containers": {}}, id="an object for an array"),
    pytest.param({"taken_at": "2026-06-02T15:00:00"}, id="taken_at is naive"),
    pytest.param({"taken_at": "2 June"}, id="taken_at is no time"),
    pytest.param({"taken_at": 1780412400}, id="taken_at is a number"),
    pytest.param({"runtime": 3}, id="runtime is a number"),
    pytest.param({"runtime": " "}, id="runtime is blank"),
]
TAKEN = [
    *(pytest.param({key: None}, id=f"{key} is null") for key in KEYS),
    pytest.param({"logs": []}, id="logs are a list"),
    pytest.param({"logs": {"events": []}}, id="logs are an object"),
    pytest.param({"taken_at": "2026-06-02t15:00:00.123456789+02:00"}, id="taken_at with an offset"),
    pytest.param({"taken_at": "2026-06-02 15:00:00z"}, id="taken_at with a blank"),
    pytest.param({"previous": "anything"}, id="previous is text"),
    pytest.param({"status_v3": {"pending_orders": "three"}}, id="a malformed count"),
    pytest.param({"status_v3": {"orders": [3], "open_positions": "none"}}, id="malformed rows"),
    pytest.param({"status_v3": {"strategy": {"name": "x"}}}, id="another's key"),
    pytest.param({"sources": {"ecs": "failed"}}, id="a malformed source"),
    pytest.param({"ecs": {"services": 3}}, id="malformed services"),
]


@pytest.mark.parametrize("document", REFUSED)
def test_the_schema_and_the_program_refuse_the_same(document):
    with pytest.raises(InputError):
        build_snapshot(document, now=NOW, runtime="aegis-pt-core")
    assert not accepts("snapshot", document)


@pytest.mark.parametrize("document", TAKEN)
def test_the_schema_and_the_program_take_the_same(document):
    build_snapshot(document, now=NOW, runtime="aegis-pt-core")
    assert faults("snapshot", document) == []


# --- a document that is not the program's -------------------------------------------------------------


@pytest.fixture(params=["output", "artifact"])
def made(request):
    """The name of a schema, and a document with an event that it accepts."""
    report = next(one for one in FIXTURES if one.name == "heartbeat_stale").run()
    documents = {"output": build_stdout_document(report), "artifact": build_artifact_document(report)}
    return request.param, copy.deepcopy(documents[request.param])


def test_a_key_too_many_is_refused(made):
    name, document = made
    assert not accepts(name, {**document, "extra": []})


def test_a_key_too_few_is_refused(made):
    name, document = made
    for key in document.keys() - {"snapshot"}:
        assert not accepts(name, {k: v for k, v in document.items() if k != key}), key


@pytest.mark.parametrize("field", [spec.name for spec in fields(Event)])
def test_an_event_without_a_field_is_refused(made, field):
    name, document = made
    del document["new_events"][0][field]
    assert not accepts(name, document)


def test_an_event_with_a_field_too_many_is_refused(made):
    name, document = made
    document["events"][0]["age"] = 3
    assert not accepts(name, document)


def test_what_merely_holds_has_no_reason(made):
    name, document = made
    document["events"][0]["reason"] = "new"
    assert not accepts(name, document)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("severity", "error"),
        ("reason", "because"),
        ("subject", 3),
        ("observed", []),
        ("since", 1780412400),
        ("held", "no"),
        ("runbook", None),
    ],
)
def test_an_event_with_a_wrong_value_is_refused(made, field, value):
    name, document = made
    document["new_events"][0][field] = value
    assert not accepts(name, document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("schema_version",), 2, id="a newer version"),
        pytest.param(("generation",), 0, id="no generation"),
        pytest.param(("decision", "action"), "panic", id="an unknown decision"),
        pytest.param(("coverage", 0, "state"), "fine", id="an unknown state of a signal"),
        pytest.param(("conditions", 0, "phase"), "gone", id="an unknown phase"),
        pytest.param(("conditions", 0, "age"), 3, id="a condition with a field too many"),
        pytest.param(("checksum",), "sha256:abc", id="a checksum that is too short"),
        pytest.param(("carried", "guess"), 1, id="something else carried"),
    ],
)
def test_an_artifact_with_a_wrong_part_is_refused(path, value):
    report = next(one for one in FIXTURES if one.name == "heartbeat_stale").run()
    document: Any = json.loads(json.dumps(build_artifact_document(report)))
    part = document
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    assert not accepts("artifact", document)


def test_a_condition_without_its_signature_is_refused():
    document = build_artifact_document(FIXTURES[0].run())
    del document["conditions"][0]["signature"]
    assert not accepts("artifact", document)


# --- nothing declared is missing ----------------------------------------------------------------------


def test_every_section_stands_in_the_schema():
    assert list(SCHEMAS["snapshot"]()["properties"]) == list(KEYS)


def test_every_fact_of_a_status_payload_is_described():
    facts = SCHEMAS["snapshot"]()["$defs"]["status"]["properties"]
    assert facts.keys() == {*STATUS_FACTS, HEARTBEAT_AGE}
    assert all(fact["description"] for fact in facts.values())


def test_every_field_of_an_event_is_described():
    assert list(EVENT_FIELDS) == [spec.name for spec in fields(Event)]
    assert set(OPTIONAL) < set(EVENT_FIELDS)


def test_every_part_of_the_artifact_is_described_and_in_its_order():
    document = build_artifact_document(FIXTURES[0].run())
    assert list(ARTIFACT_FIELDS) == list(document)
    assert {spec.name for spec in fields(Report)} - {"owed"} <= ARTIFACT_FIELDS.keys()


class Asked(dict[str, Any]):
    """An object that notes which of its keys were asked for."""

    def __init__(self, asked: set[str], value: Mapping[str, Any]) -> None:
        super().__init__(value)
        self.asked = asked

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


@pytest.mark.parametrize(
    ("section", "not_asked"),
    [
        ("ecs", set()),
        ("logs", set()),
        ("sources", {"elapsed_ms"}),
        ("gateway", set()),
        ("power", set()),
    ],
    ids=["ecs", "logs", "sources", "gateway", "power"],
)
def test_the_keys_that_a_reader_asks_for_are_those_that_are_described(section, not_asked):
    schema = SCHEMAS["snapshot"]()["properties"][section]
    described = schema.get("properties") or schema["additionalProperties"]["properties"]
    noted = Asked(set(), {"state": "ok", "events": []})
    document = {"taken_at": NOW.isoformat(), section: {"x": noted} if section == "sources" else noted}
    snapshot = build_snapshot(document, now=NOW, runtime="aegis-pt-core")
    gather_facts(
        snapshot,
        ReadContext(DEFAULTS, parse_profile(load_builtin_profile("aegis") or {}), NO_PREVIOUS_RUN),
        NO_CLOSURES,
    )
    assert noted.asked == described.keys() - not_asked


def test_every_section_has_a_reader_or_is_read_by_the_app():
    assert {name for name in SECTIONS if find_reader(name) is None} == {"sources", "previous"}
