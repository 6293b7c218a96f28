"""Healthy days of any kind are quiet on every route: every run ends well and pings success."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.full_snapshot import build_full_snapshot, move
from tests.support.loopback import Served, says, serving
from tests.support.program import answer
from tests.support.snapshots import NOW

Document = dict[str, Any]
DAYS = {
    "an ordinary day": "2026-06-02", "a weekend": "2026-06-06", "a holiday": "2026-07-03",
    "a half day": "2026-11-27", "the clocks went forward": "2026-03-09", "the clocks went back": "2026-11-02",
    "the last day of a year": "2025-12-31",
}  # fmt: skip
SHARE = {"sec_type": "STK", "multiplier": 1, "expiry": None, "strike": None, "right": None, "secType": "STK"}
SECTIONS = sorted({*build_full_snapshot()} - {"taken_at", "runtime", "sources"})
LANES = {
    "schedule": SECTIONS,
    "by hand": SECTIONS,
    "box": ["gateway", "power", "processes", "stores"],
    "remote": ["broker", "containers", "ecs", "logs", "status_v3"],
}


def hold_shares(value: Any) -> Any:
    """Return the value with each option a share: it never expires."""
    if isinstance(value, list):
        return [hold_shares(item) for item in value]
    if not isinstance(value, dict):
        return value
    shares = {key: item for key, item in SHARE.items() if key in value} if "strike" in value else {}
    return {key: hold_shares(item) for key, item in {**value, **shares}.items() if item is not None}


HEALTHY = hold_shares(build_full_snapshot())


def deploy(document: Document, moment: datetime) -> Document:
    """Return the document with a deployment that began a minute ago and has not ended its old task."""
    begun = f"{moment - timedelta(seconds=60):%FT%TZ}"
    service = document["ecs"]["services"][0]
    service |= {"pendingCount": 1, "deployments": [{"rolloutState": "IN_PROGRESS", "createdAt": begun}]}
    return document


def write_sections(document: Document, folder: Path, place: Callable[[str], str]) -> dict[str, str]:
    """Write each section into a file; return the setting that names them."""
    names = [name for name in document if name in SECTIONS]
    for name in names:
        file = folder / f"{name}.json"
        file.write_text(json.dumps(document[name]))
        os.utime(file, (datetime.fromisoformat(document["taken_at"]).timestamp(),) * 2)
    return {"AEGIS_PT_SECTIONS": ",".join(f"{name}={place(f'{name}.json')}" for name in names)}


def serve(folder: Path) -> Callable[..., None]:
    """Return a server's behaviour: the files of the folder, and a switch that takes every ping."""

    def behave(served: Served, connection: Any, request: bytes) -> None:
        name = request.split()[1].decode().removeprefix("/")
        file = folder / name
        says(json.loads(file.read_text()) if file.is_file() else b"OK")(served, connection, request)

    return behave


def run_once(
    route: str, document: Document, folder: Path, url: str, environ: dict[str, str]
) -> tuple[int, list[str], str]:
    """Do the job of `run` once on a route; return its exit code, its events and stderr."""
    words = ["run", "--stdout", "--state", str(folder / "memory"), "--now", document["taken_at"]]
    if route in ("stdin", "snapshot"):
        (folder / "s.json").write_text(json.dumps(document))
        words += ["--snapshot", "-" if route == "stdin" else str(folder / "s.json")]
    else:
        environ = environ | write_sections(
            document,
            folder,
            (lambda name: f"{url}/{name}") if route == "url" else (lambda name: str(folder / name)),
        )
    done = answer(*words, stdin=json.dumps(document), environ=environ)
    return done.code, [event["signature"] for event in done.document["events"]], done.err


STEPS = st.lists(
    st.tuples(
        st.integers(60, 1500),
        st.sampled_from(sorted(LANES)),
        st.sampled_from(["", "", "", "deployment"]),
        st.sampled_from(["aegis", "aegis", "aegis", "profile"]),
    ),
    min_size=3,
    max_size=6,
)


@settings(max_examples=20, deadline=None)
@given(
    route=st.sampled_from(["stdin", "snapshot", "files", "url"]),
    day=st.sampled_from(sorted(DAYS)),
    minute=st.integers(0, 24 * 60 - 1),
    steps=STEPS,
)
def test_a_healthy_day_is_quiet_on_every_route(tmp_path_factory, route, day, minute, steps):
    folder = tmp_path_factory.mktemp("day")
    profile = folder / "own.toml"
    profile.write_text(answer("profile", "show", "aegis").out.decode())
    moment = datetime.fromisoformat(f"{DAYS[day]}T00:00:00").replace(tzinfo=UTC) + timedelta(minutes=minute)
    deployed: set[str] = set()
    with serving(serve(folder)) as server:
        for seconds, lane, change, name in steps:
            moment += timedelta(seconds=seconds)
            document = move(HEALTHY, (moment - NOW).total_seconds())
            document = {key: document[key] for key in ("taken_at", *LANES[lane])}
            if change and "ecs" in document:
                document = deploy(document, moment)
            environ = {
                "AEGIS_PT_RUN_LANE": lane,
                "AEGIS_PT_PROFILE": name if name == "aegis" else str(profile),
                "AEGIS_PT_PING_URL": f"{server.url}/ping",
            }
            code, events, stderr = run_once(route, document, folder, server.url, environ)
            deployed |= (
                {"ecs_service_count_mismatch:aegis-pt-core"} if change and "ecs" in document else set()
            )
            assert (code, {*events} - deployed) == (0, set()), (moment, lane, stderr)
        pings = [request for request in server.requests if b" /ping" in request.split(b"\r\n")[0]]
        assert len(pings) == len(steps)
        assert not any(b"/fail" in request.split(b"\r\n")[0] for request in pings)
