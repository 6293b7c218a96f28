"""What the standby host's Docker Engine lists: each container by its own name, with its state."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from detector.domain.previous_run import NO_PREVIOUS_RUN
from detector.domain.profile import ReadContext, parse_profile
from detector.domain.section_reading import Reading
from detector.domain.task_rows import Container
from detector.readers.containers import SECTIONS, read
from tests.support.snapshots import DEFAULTS

NOW = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)


def reading(raw: list[Any]) -> Reading:
    one = Reading("containers", NOW, 120)
    read(raw, one, ReadContext(DEFAULTS, parse_profile({}), NO_PREVIOUS_RUN))
    return one


def faults(one: Reading) -> list[str]:
    return [f"{fault.path} {fault.problem}" for fault in one.invalid]


def test_it_reads_its_section():
    assert SECTIONS == ("containers",)


@pytest.mark.parametrize(
    ("item", "container"),
    [
        pytest.param({"Names": ["/a"], "State": "exited"}, Container("a", "exited"), id="as Docker answers"),
        pytest.param({"Names": ["a"], "State": "running"}, Container("a", "running"), id="without the slash"),
        pytest.param(
            {"Names": ["/a"], "State": "Running"}, Container("a", "running"), id="a state in capitals"
        ),
        pytest.param({"Names": ["/a"]}, Container("a"), id="no state"),
        pytest.param({"Names": "a", "Status": "Up 2 hours"}, Container("a", "up"), id="an older docker ps"),
        pytest.param(
            {"Names": "a", "Status": "Exited (0) 3 days ago"},
            Container("a", "exited"),
            id="an older one, ended",
        ),
        pytest.param(
            {"Names": "a", "State": "Exited (0) 16 seconds ago"},
            Container("a", "exited"),
            id="a sentence as the state",
        ),
        pytest.param(
            {"Names": "a", "State": "Exit 137"}, Container("a", "exit"), id="as Compose v1 writes it"
        ),
        pytest.param({"Names": "a", "State": "Up 3 weeks ago"}, Container("a", "up"), id="a sentence, up"),
        pytest.param(
            {"Name": "/a", "State": {"Running": True}}, Container("a", "running"), id="a state that is a flag"
        ),
        pytest.param(
            {"Name": "/a", "State": {"Running": False}}, Container("a", "exited"), id="a flag that is off"
        ),
        pytest.param({"Names": ["/a"], "State": None}, Container("a"), id="a state of null"),
        pytest.param(
            {"Names": ["/web/db", "/a"], "State": "dead"}, Container("a", "dead"), id="a link's alias first"
        ),
        pytest.param(
            {"Names": ["/web/db"], "State": "dead"}, Container("web/db", "dead"), id="an alias alone"
        ),
        pytest.param({"Names": [], "Id": "0123456789abcdef"}, Container("0123456789ab"), id="an id alone"),
        pytest.param({"Names": ["/" + "x" * 300]}, Container("x" * 255), id="a name without an end"),
    ],
)
def test_a_container_is_read(item, container):
    one = reading([item])
    assert one.values["containers"] == (container,)
    assert (faults(one), one.partial) == ([], set())


def test_an_empty_list_says_that_there_are_none():
    one = reading([])
    assert one.values == {"containers": ()}
    assert one.read_paths == {"containers"}


@pytest.mark.parametrize(
    ("item", "said"),
    [
        pytest.param({}, ["containers.Names names no container"], id="nothing"),
        pytest.param({"Names": ["/"]}, ["containers.Names names no container"], id="a slash"),
        pytest.param({"Names": " , "}, ["containers.Names names no container"], id="a text of no name"),
        pytest.param({"Names": [3]}, ["containers.Names is an array, not a list of texts",
                                      "containers.Names names no container"], id="a number"),
        pytest.param("a", ["containers has an entry that is not an object"], id="no object"),
    ],
)  # fmt: skip
def test_a_container_without_a_name_may_be_any_of_them(item, said):
    one = reading([item, {"Names": ["/b"], "State": "exited"}])
    assert one.values["containers"] == (Container("b", "exited"),)
    assert faults(one) == said
    assert one.partial == {"containers"}


@pytest.mark.parametrize("names", [{}, {"Names": None}, {"Names": []}], ids=["none", "null", "empty"])
def test_a_container_that_runs_and_has_an_id_alone_may_be_the_standby(names):
    item = {"Id": "9f2c11d0aa", "Image": "trader:1", **names}
    one = reading([{**item, "State": "running", "Status": "Up 2 hours"}])
    assert faults(one) == ["containers.Names names no container, and 9f2c11d0aa is not at rest"]
    assert one.partial == {"containers"}
    assert faults(reading([{**item, "State": "exited"}])) == []


@pytest.mark.parametrize("state", [3, True, []], ids=repr)
def test_a_state_that_cannot_be_read_is_not_seen(state):
    one = reading([{"Names": ["/a"], "State": state}])
    assert one.values["containers"] == (Container("a"),)
    assert [fault.path for fault in one.invalid] == ["containers.State"]


@pytest.mark.parametrize("word", ["exited", "Created", "stopped", "dead"])
@pytest.mark.parametrize(
    "item",
    [
        pytest.param({"State": {"Status": None, "Running": True}}, id="a flag"),
        pytest.param({"State": {"Status": None, "Running": False, "Paused": True}}, id="paused"),
        pytest.param({"State": None, "Status": "Up 3 minutes"}, id="a sentence"),
    ],
)
def test_a_state_in_contradiction_is_not_seen(item, word):
    """Neither at rest, which hides a second primary, nor running, which nobody proved."""
    state = {**item["State"], "Status": word} if item["State"] else word
    one = reading([{"Names": ["/a"], **item, "State": state}])
    assert one.values["containers"] == (Container("a"),)
    assert faults(one) == [f"containers.State is {word.lower()} and yet running"]


@pytest.mark.parametrize(
    ("item", "name", "state", "aliases"),
    [
        pytest.param(
            {"Id": "ab", "Name": "/a", "State": {"Status": "running"}, "Config": {"Labels": {"x": "y"}}},
            "a",
            "running",
            (),
            id="docker inspect",
        ),
        pytest.param(
            {"ID": "ab", "Names": "a", "State": "running", "Labels": "com.docker.compose.service=lt,x=y"},
            "a",
            "running",
            ("lt",),
            id="docker ps as JSON",
        ),
        pytest.param(
            {"Name": "p-lt-1", "Service": "lt", "Project": "p", "State": "running"},
            "p-lt-1",
            "running",
            ("lt", "p-lt"),
            id="docker compose ps as JSON",
        ),
        pytest.param(
            {"Names": ["/0123456789ab_0123456789ab_a"], "State": "running"},
            "0123456789ab_0123456789ab_a",
            "running",
            ("a",),
            id="what a failed recreate leaves",
        ),
        pytest.param(
            {"Names": ["/0123456789ab_"], "State": "exited"}, "0123456789ab_", "exited", (), id="no rest"
        ),
    ],
)
def test_the_other_shapes_of_a_container_are_read(item, name, state, aliases):
    assert reading([item]).values["containers"] == (Container(name, state, aliases),)
