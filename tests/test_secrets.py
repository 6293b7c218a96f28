"""No secret leaves this program, wherever it stood: in a value, a key, a setting, a word of the command line.

Every secret in here is made up; several are the examples of the vendors' own documentation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from detector.domain.columns import ROWS, get_columns
from detector.domain.facts import STATUS_FACTS
from detector.settings import DECLARED
from tests.support.program import answer
from tests.support.snapshots import SNAPSHOTS

CANARIES = {
    "DU7654321": "7654321",
    "U7654322": "7654322",
    "DUN264991": "264991",
    "https://ann:hunter2@host.example/x": "hunter2",
    "password=swordfish1": "swordfish",
    "Authorization: Bearer abcdefgh12345": "abcdefgh12345",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a": "16C7e42F",
    "xoxb-123456789-abcdefgh": "123456789-abcdefgh",
    "https://hooks.slack.com/services/T0000/B0000/QxWvEuRtTyZ": "QxWvEuRtTyZ",
    "AKIAIOSFODNN7EXAMPLE": "AKIAIOSFODNN7",
    "arn:aws:iam::123456789012:role/deploy": "123456789012",
    "ann.canary@mail.example.com": "ann.canary",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N": "eyJzdWIi",
}
"""Each secret with the part of it that must never be seen."""
ALL = " ".join(CANARIES)
WORDS = [[], ["--report"], ["--nagios"]]


def leaks(*texts: str | bytes) -> list[str]:
    """The parts of secrets that stand in any of the texts."""
    whole = "\n".join(text if isinstance(text, str) else text.decode() for text in texts).lower()
    return [part for part in CANARIES.values() if part.lower() in whole]


def leaks_of(*words: str, **more: Any) -> list[str]:
    given = answer(*words, **more)
    assert given.code != 4
    return leaks(given.out, given.err)


def payload() -> dict[str, Any]:
    """A snapshot in which every fact, every column and every field that is read is there as text."""
    status: dict[str, Any] = {
        name: [dict.fromkeys((*get_columns(spec["row"]), "age_sec"), "x")] if spec["kind"] == ROWS else "x"
        for name, spec in STATUS_FACTS.items()
    }
    shipped: dict[str, Any] = json.loads((SNAPSHOTS / "regular-session.json").read_text())
    texts = ("taskArn", "group", "lastStatus", "desiredStatus", "createdAt", "stopCode", "stoppedReason")
    task = {
        **dict.fromkeys(texts, "x"),
        "containers": [{"name": "x", "lastStatus": "x", "healthStatus": "x"}],
    }
    return {
        **shipped,
        "runtime": "x",
        "status_v3": status,
        "bot_status": {**status, "heartbeat_age_sec": "x"},
        "ecs": {
            "services": [
                {"serviceName": "aegis-pt-core", "serviceArn": "x", "status": "x", "desiredCount": "x"}
            ],
            "tasks": [task, {**task, "lastStatus": "RUNNING"}],
            "stopped_tasks": [task],
            "failures": [{"arn": "x", "reason": "x"}],
        },
        "containers": [{"Names": ["x"], "State": "x"}, {"Names": ["/aegis-lt-ibkr-x"], "State": "x"}],
        "sources": {"ecs": {"state": "failed", "reason": "x", "detail": "x"}, "x": {"state": "failed"}},
        "logs": ["x"],
        "gateway": {"host": "x"},
        "previous": {
            "events": [{"type": "x", "signature": "x:aegis-pt-core", "severity": "critical", "summary": "x"}]
        },
    }


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value and of every key, the latter with `key` at its end."""
    if isinstance(value, dict):
        for name, item in value.items():
            if path:
                yield (*path, name, "key")
            yield from places(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))
    else:
        yield path


def planted(value: Any, path: tuple[Any, ...], secret: str) -> Any:
    """The document with the secret in that place."""
    if not path:
        return secret
    if path[1:] == ("key",):
        return {(secret if name == path[0] else name): item for name, item in value.items()}
    made = value.copy()
    made[path[0]] = planted(value[path[0]], path[1:], secret)
    return made


PLACES = [path for path in places(payload()) if path != ("taken_at",)]


def test_there_are_places_enough():
    assert len(PLACES) > 250
    assert leaks(ALL) == list(CANARIES.values())


def planted_all(paths: list[tuple[Any, ...]]) -> Any:
    """The payload with all secrets in each of those places.

    Keys last and the deepest first, for they are ways.
    """
    document = payload()
    for path in sorted(paths, key=lambda path: (path[-1] == "key", -len(path))):
        document = planted(document, path, ALL)
    return document


@pytest.mark.parametrize("part", range(50))
def test_no_value_and_no_key_of_a_payload_lets_a_secret_out(part):
    """Eight places at a time; the report holds all that the document holds, and the plugin line a part of
    it.
    """
    assert leaks_of("--report", stdin=planted_all(PLACES[part::50])) == []


@pytest.mark.parametrize("words", WORDS, ids=["document", "report", "plugin line"])
def test_no_payload_full_of_secrets_lets_one_out(words):
    full = planted_all([path for path in PLACES if path[-1] != "key" and path[0] != "previous"])
    assert leaks_of(*words, stdin=full) == []


@pytest.mark.parametrize("secret", CANARIES)
def test_no_secret_comes_out_of_where_it_would_be_shown(secret):
    for path in (
        ("containers", 1, "State"),
        ("status_v3", "connection_error"),
        ("sources", "ecs", "detail"),
        ("sources", "x", "key"),
        ("ecs", "failures", 0, "reason"),
        ("runtime",),
    ):
        document = {"status_v3": {"broker_connected": False}, **payload()}
        document["status_v3"]["broker_connected"] = False
        assert leaks_of("--report", stdin=planted(document, path, secret)) == []


def test_what_is_hidden_is_said_to_be():
    row = {"Names": ["/aegis-lt-ibkr-DU7654321"], "State": "password=swordfish1"}
    event, unknown = answer(stdin={"containers": [row]}).document["events"]
    assert "password=[redacted], which is no known container state" in unknown["summary"]
    assert event["subject"] == "aegis-lt-ibkr-paper-1"
    assert event["summary"] == "Standby container aegis-lt-ibkr-paper-1 is password=[redacted], not exited."


def test_an_artifact_holds_no_secret(tmp_path):
    kept = tmp_path / "last.json"
    for part in range(0, 50, 10):
        answer("--artifact", str(kept), stdin=planted_all(PLACES[part::50]))
        assert leaks(kept.read_text()) == []


# ---- documents that are refused ----------------------------------------------------------------------------


@pytest.mark.parametrize("secret", CANARIES)
@pytest.mark.parametrize("pad", ["", "x" * 60 + " "], ids=["", "near the cut"])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"SECRET": 1}', id="an unknown section"),
        pytest.param('{"SECRET": 1, "SECRET": 2}', id="a key twice"),
        pytest.param('{"ecs": {"SECRET": {"a": 1, "a": 2}}}', id="the place of a key twice"),
        pytest.param('{"taken_at": "SECRET"}', id="a time that is none"),
        pytest.param('SECRET {"a": 1}', id="no JSON"),
        pytest.param('{"a": SECRET}', id="no value"),
        pytest.param('{"a": 1} SECRET', id="trailing text"),
        pytest.param('{"a": "SECRET', id="cut short"),
    ],
)
def test_no_refusal_shows_a_secret(text, pad, secret):
    stdin = text.replace("SECRET", pad + secret)
    for words in ([], ["--nagios"]):
        given = answer(*words, stdin=stdin)
        assert given.code == (3 if words else 2)
        assert leaks(given.out, given.err) == []


# ---- settings and the command line -------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_no_setting_lets_a_secret_out(name):
    firing = {
        "containers": [{"Names": ["/aegis-lt-ibkr-x"], "State": "running"}],
        "ecs": {"services": [], "tasks": []},
        "status_v3": {"pending_orders": 3},
    }
    for secret in (ALL, *CANARIES):
        assert leaks_of("--report", "--offline", stdin=firing, environ={name: secret}) == []


def test_a_name_in_a_setting_and_in_the_data_is_still_the_same_name():
    stdin = {"containers": [{"Names": ["/bot-DU7654321-x"], "State": "running"}]}
    given = answer(stdin=stdin, environ={"AEGIS_PT_STANDBY_PATTERN": "bot-DU7654321-*"})
    assert [event["subject"] for event in given.document["events"]] == ["bot-paper-1-x"]


def test_no_file_of_settings_lets_a_secret_out(tmp_path):
    file = tmp_path / "x.env"
    for line in (ALL, f"X={ALL}", f"AEGIS_PT_GAP_SEC={ALL}", f"AEGIS_PT_PROFILE={ALL}", f"A{ALL}=1"):
        file.write_text(line)
        assert leaks_of("--env-file", str(file)) == []


@pytest.mark.parametrize("setting", ["PROFILE", "MARKET_CLOSURES", "MUTES"])
def test_no_file_that_a_setting_names_lets_a_secret_out(setting, tmp_path):
    file = tmp_path / "x.toml"
    for text in (
        ALL,
        f'x = "{ALL}"',
        f'"{ALL}" = 1',
        f'["{ALL}"]',
        f'[status]\nmode = "{ALL}"',
        f'[[closed]]\ndate = "{ALL}"',
    ):
        file.write_text(text)
        assert leaks_of(environ={f"AEGIS_PT_{setting}": str(file)}) == []


@pytest.mark.parametrize("secret", CANARIES)
@pytest.mark.parametrize(
    "words",
    [["SECRET"], ["--SECRET"], ["--nagios", "--fail-on", "SECRET"], ["--nagios", "--SECRET"], ["--now", "SECRET"], ["--fail-on", "SECRET"], ["--env-file", "SECRET"],
     ["--previous", "SECRET"], ["--artifact", "/nowhere/SECRET"], ["detect", "SECRET"], ["explain", "SECRET"]],
    ids=" ".join,
)  # fmt: skip
def test_no_word_of_the_command_line_is_shown_as_it_was(words, secret):
    assert leaks_of(*[word.replace("SECRET", secret) for word in words]) == []


@pytest.mark.parametrize("key", ["runtime", "checksum", "schema_version", "events"])
def test_no_memory_lets_a_secret_out(key, tmp_path):
    kept: Path = tmp_path / "last.json"
    answer("--artifact", str(kept), stdin=payload())
    document = json.loads(kept.read_text())
    document[key] = ALL
    kept.write_text(json.dumps(document))
    for words in WORDS:
        assert leaks_of(*words, "--previous", str(kept)) == []
    assert leaks_of(stdin={"previous": document}) == []
