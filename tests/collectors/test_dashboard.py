"""The dashboard and the bot: with which credentials they are asked, and which facts count."""

from __future__ import annotations

import pytest

from tests.support.loopback import AUTHORITY, says, serving, tunnel
from tests.support.program import answer

STATUS = {"heartbeat_at": "2026-06-02T14:59:30Z", "pending_orders": 0, "open_position_count": 0}


def header(request: bytes) -> str | None:
    lines = request.decode("latin-1").split("\r\n")
    return next((line.partition(": ")[2] for line in lines if line.lower().startswith("authorization")), None)


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"STATUS_TOKEN": "sesame-sesame"}, "Bearer sesame-sesame", id="a bearer token"),
        pytest.param(
            {"STATUS_USER": "Aladdin", "STATUS_PASSWORD": "open sesame"},
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            id="basic auth",
        ),
        pytest.param(
            {"STATUS_USER": "u", "STATUS_PASSWORD": "pä:ß"}, "Basic dTpww6Q6w58=", id="basic auth in UTF-8"
        ),
    ],
)
def test_the_dashboard_is_sent_the_credentials_of_the_settings(settings, sent):
    with serving(says(STATUS)) as server:
        environ = {f"AEGIS_PT_{name}": text for name, text in settings.items()}
        assert answer("collect", environ={"AEGIS_PT_STATUS_URL": server.url, **environ}).code == 0
    assert header(server.requests[0]) == sent


def test_dashboard_and_bot_on_two_hosts_have_credentials_of_their_own():
    with serving(says(STATUS)) as dashboard, serving(says(STATUS)) as bot:
        answer(
            "collect",
            environ={
                "AEGIS_PT_STATUS_URL": dashboard.url,
                "AEGIS_PT_STATUS_TOKEN": "sesame-one",
                "AEGIS_PT_BOT_STATUS_URL": bot.url,
                "AEGIS_PT_BOT_STATUS_TOKEN": "sesame-two",
            },
        )
    assert [header(dashboard.requests[0]), header(bot.requests[0])] == [
        "Bearer sesame-one",
        "Bearer sesame-two",
    ]


def test_the_proxy_of_the_environment_is_the_doors():
    with serving(says(STATUS), certificate="good") as server, serving(tunnel) as proxy:
        environ = {
            "AEGIS_PT_STATUS_URL": server.url,
            "AEGIS_PT_CA_FILE": str(AUTHORITY),
            "HTTPS_PROXY": proxy.url,
        }
        assert answer("collect", environ=environ).document["status_v3"] == STATUS
    assert proxy.requests[0].startswith(b"CONNECT ")


def test_dashboard_and_bot_on_one_host_share_them():
    with serving(says(STATUS)) as server:
        answer(
            "collect",
            environ={
                "AEGIS_PT_STATUS_URL": f"{server.url}/status",
                "AEGIS_PT_STATUS_TOKEN": "sesame-one",
                "AEGIS_PT_BOT_STATUS_URL": f"{server.url}/bot",
            },
        )
    assert [header(one) for one in server.requests] == ["Bearer sesame-one"] * 2


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        pytest.param({"STATUS_TOKEN": "t", "STATUS_USER": "u"}, "leave one out", id="token and user"),
        pytest.param(
            {"STATUS_TOKEN": "t", "BOT_STATUS_URL": "http://127.0.0.1:1/b", "BOT_STATUS_TOKEN": "b"},
            "AEGIS_PT_BOT_STATUS_TOKEN",
            id="two credentials for one host",
        ),
        pytest.param({"SECTIONS": "status_v3=/x.json"}, "section status_v3 is to be read from two places", id="one section twice"),
        pytest.param({"SECTIONS": "broker=/x.json,broker=/y.json"}, "section broker is to be read from two places", id="a file twice"),
        pytest.param({"SECTIONS": "brocker=/x.json"}, "no section is named 'brocker'", id="a section that is none"),
        pytest.param({"SECTIONS": "previous=/x.json"}, "no section is named 'previous'", id="no section that is collected"),
        pytest.param({"SOURCES_OFF": "log"}, "no section is named 'log'", id="a source that is none"),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other_are_refused(settings, fault):
    environ = {f"AEGIS_PT_{name}": text for name, text in settings.items()}
    for words in (["collect"], ["detect"], ["doctor"]):
        ran = answer(*words, environ={"AEGIS_PT_STATUS_URL": "http://127.0.0.1:1/s", **environ})
        assert (ran.code, ran.out) == (2, b"")
        assert fault in ran.err


@pytest.mark.parametrize("token", ["two\nlines", "schlüssel", "tab\there"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(token):
    ran = answer("collect", environ={"AEGIS_PT_STATUS_TOKEN": token})
    assert (ran.code, ran.err) == (
        2,
        "detector: AEGIS_PT_STATUS_TOKEN (environment): the value has a character that a header cannot carry\n",
    )


@pytest.mark.parametrize("user", ["reader", "u:p"])
def test_an_address_with_a_password_in_it_is_refused_and_not_shown(user):
    ran = answer("collect", environ={"AEGIS_PT_STATUS_URL": f"http://{user}hunter2hunter2@127.0.0.1/"})
    assert ran.code == 2
    assert "settings of their own" in ran.err
    assert "hunter2" not in ran.err


def test_a_stale_runner_says_so_with_503_and_is_judged():
    """Its payload says what is wrong; reading it as an outage would hide that."""
    stuck = {**STATUS, "stuck_exits": 2}
    with serving(says(stuck, 503)) as server:
        ran = answer("detect", environ={"AEGIS_PT_STATUS_URL": server.url})
    assert "stuck_exits" in ran.types
    assert "source_unavailable" not in ran.types
    assert len(server.requests) == 1
    with serving(says(stuck, 503)) as server:
        document = answer("collect", environ={"AEGIS_PT_STATUS_URL": server.url}).document
    assert document["sources"]["status_v3"]["detail"] == "it answered 503"


def test_the_keys_of_its_own_time_can_be_set():
    old = {**STATUS, "ts": 1, "made": "2026-06-02T14:00:00Z"}
    with serving(says(old)) as server:
        environ = {"AEGIS_PT_STATUS_URL": server.url}
        assert "source_stale" not in answer("detect", environ=environ).types
        assert "source_stale" in answer("detect", environ={**environ, "AEGIS_PT_STATUS_AS_OF": "made"}).types


def test_an_age_in_the_payload_counts_from_when_it_was_made():
    """A heartbeat 12 s old in a page rendered 4 min ago is 4 min 12 s old."""
    with serving(says({"heartbeat_age_sec": 60, "generated_at": "2026-06-02T14:55:30Z"})) as server:
        ran = answer("detect", environ={"AEGIS_PT_STATUS_URL": server.url})
    assert "heartbeat_stale" in ran.types
