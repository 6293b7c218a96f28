"""What holds for all tests: no property test is judged by the clock; and machines to run on."""

from __future__ import annotations

import gc
import json
import os

import pytest
from hypothesis import settings

from tests.support.aws_server import CLUSTER, GROUP, REGION, aws_on_loopback, environment
from tests.support.loopback import says, serving
from tests.support.snapshots import NOW, healthy

# In CI the examples are the same every time: a new one is looked for at the desk, where it can be mended.
settings.register_profile("detector", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("detector")

# 18,000 collected tests are a million objects, and to walk over them often was a twelfth of all work.
gc.set_threshold(50_000)

LIVE_STATUS = {"heartbeat_at": "2026-06-02T14:59:30Z", "pending_orders": 3, "open_position_count": 1}


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Put this process on a machine with that AWS configuration, AWS at that address, and nothing of its
    own.
    """

    def put(url: str, profiles: str | None = None, **more: str) -> None:
        for name in [
            name for name in os.environ if name.upper().startswith("AWS_") or "PROXY" in name.upper()
        ]:
            monkeypatch.delenv(name)
        for name, text in {**environment(tmp_path, url, profiles), **more}.items():
            monkeypatch.setenv(name, text)

    return put


@pytest.fixture
def live(machine, tmp_path):
    """Every kind of source, alive; the environment that leads there."""
    broker = tmp_path / "broker.json"
    broker.write_text(json.dumps({"as_of": "2026-06-02T14:59:50Z", "positions": [], "account": "DU1234567"}))
    with (
        aws_on_loopback() as aws,
        serving(says(LIVE_STATUS)) as dashboard,
        serving(says({}, 404)) as bot,
        serving(says(healthy()["containers"])) as docker,
    ):
        aws.events = [
            {"timestamp": int(NOW.timestamp() * 1000) - 5000, "message": "INFO fine", "logStreamName": "t"}
        ]
        machine(aws.url)
        yield {
            "AEGIS_PT_STATUS_URL": dashboard.url,
            "AEGIS_PT_BOT_STATUS_URL": bot.url,
            "AEGIS_PT_ECS_CLUSTER": CLUSTER,
            "AEGIS_PT_LOG_GROUP": GROUP,
            "AEGIS_PT_AWS_REGION": REGION,
            "AEGIS_PT_AWS_PROFILE": "reader",
            "AEGIS_PT_STANDBY_DOCKER_URL": docker.url,
            "AEGIS_PT_SECTIONS": f"broker={broker}",
        }
