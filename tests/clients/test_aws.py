"""AWS over real HTTP on loopback.

The fence around every operation, whose credentials, and whose fault it is.
"""

from __future__ import annotations

import json
import re
import time
from getpass import getpass

import pytest
from botocore import xform_name
from botocore.credentials import AssumeRoleProvider

from detector.clients.aws import CREDENTIAL_OPERATIONS, READ_OPERATIONS, Aws, AwsIdentity, _convert_errors
from detector.clients.connection import Deadline, NetworkPolicy
from detector.formats import errors
from detector.formats.errors import ExternalError
from tests.support.aws_server import ACCOUNT, REGION, AwsError, aws_on_loopback
from tests.support.loopback import PATIENCE_SEC, closed_port, drips, floods, hangs, reply, says, serving
from tests.support.snapshots import ROOT

READER = AwsIdentity(profile="reader", region=REGION)
CLIENTS = sorted({service for service, _ in READ_OPERATIONS})


def aws(who: AwsIdentity = READER, seconds: float = 5, **more) -> Aws:
    return Aws(NetworkPolicy(Deadline(seconds)), who, **more)


def failing(who: AwsIdentity = READER, seconds: float = 5, **more) -> ExternalError:
    with pytest.raises(ExternalError) as caught:
        aws(who, seconds, **more).fetch("ecs", "list_tasks", "taskArns", cluster="aegis")
    return caught.value


# --- the fence ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", CLIENTS)
def test_every_operation_but_the_reads_raises_before_a_socket_opens(service, machine):
    machine("http://127.0.0.1:1")

    def resolve(*_, **__):
        raise AssertionError("a socket was about to be opened")

    client = Aws(NetworkPolicy(Deadline(60), resolve=resolve), READER).get_client(service)
    operations = client.meta.service_model.operation_names
    blocked = 0
    for operation in operations:
        if (service, operation) in READ_OPERATIONS:
            continue
        with pytest.raises(ExternalError) as caught:
            getattr(client, xform_name(operation))()
        assert caught.value.reason == errors.FORBIDDEN, operation
        assert f"{service}:{operation}" in str(caught.value)
        blocked += 1
    assert blocked == len(operations) - sum(one == service for one, _ in READ_OPERATIONS)
    assert blocked >= 10


@pytest.mark.parametrize("service", CLIENTS)
def test_a_paginator_and_a_waiter_pass_the_same_fence(service, machine):
    machine("http://127.0.0.1:1")
    client = Aws(NetworkPolicy(Deadline(5)), READER).get_client(service)
    for operation in client.meta.service_model.operation_names:
        name = xform_name(operation)
        if (service, operation) not in READ_OPERATIONS and client.can_paginate(name):
            with pytest.raises(ExternalError):
                list(client.get_paginator(name).paginate())


@pytest.mark.parametrize(
    ("endpoint", "is_refused"),
    [
        ("http://203.0.113.9:1", True),
        ("http://localhost.example.com:1", True),
        ("http://169.254.169.254", True),
        ("http://10.0.0.1:1", True),
        ("http://127.0.0.1.example.com:1", True),
        ("http://127.0.0.1:1", False),
        ("http://localhost:1", False),
        ("http://[::1]:1", False),
    ],
)
def test_aws_is_asked_over_plain_http_on_loopback_only(endpoint, is_refused, machine):
    machine(endpoint)
    asked: list[str] = []

    def resolve(host, *_, **__):
        asked.append(host)
        raise OSError("nothing is resolved here")

    with pytest.raises(ExternalError) as caught:
        Aws(NetworkPolicy(Deadline(5), resolve=resolve), READER).fetch("ecs", "list_tasks", "taskArns")
    assert (caught.value.reason == errors.FORBIDDEN, "plain HTTP" in str(caught.value)) == (is_refused,) * 2
    assert bool(asked) is not is_refused


def test_the_shipped_policy_grants_exactly_the_reads():
    policy = json.loads((ROOT / "policies" / "iam-read-only.json").read_text())
    actions = [statement["Action"] for statement in policy["Statement"]]
    assert sorted(actions) == sorted(f"{service}:{operation}" for service, operation in READ_OPERATIONS)
    assert {statement["Effect"] for statement in policy["Statement"]} == {"Allow"}
    assert not any("*" in action for action in actions)


def test_what_turns_a_profile_into_credentials_reads_nothing():
    assert not READ_OPERATIONS & CREDENTIAL_OPERATIONS
    assert {service for service, _ in CREDENTIAL_OPERATIONS} == {"sts", "sso", "sso-oidc", "signin"}


def test_a_read_arrives_and_is_signed(machine):
    with aws_on_loopback() as there:
        machine(there.url)
        answer = aws().fetch("ecs", "list_tasks", "taskArns", cluster="aegis", desiredStatus="RUNNING")
    assert len(answer["taskArns"]) == 1
    request = there.server.requests[0].decode("latin-1")
    assert "Credential=AKIATESTTESTTEST1234/" in request
    assert "pt-health-detector/" in request


# --- as whom ------------------------------------------------------------------------------------------


def test_no_profile_is_the_operators_own_affair(machine):
    machine("http://127.0.0.1:1")
    error = failing(AwsIdentity(profile="absent", region=REGION))
    assert error.reason == errors.PROFILE_MISSING
    assert "absent" not in str(error)
    assert "AEGIS_PT_AWS_PROFILE" in str(error)


def test_credentials_of_the_environment_are_not_taken_unasked(machine):
    machine("http://127.0.0.1:1", AWS_ACCESS_KEY_ID="AKIAENV", AWS_SECRET_ACCESS_KEY="s")
    assert failing(AwsIdentity(region=REGION)).reason == errors.CREDENTIALS


def test_ambient_takes_those_of_the_environment(machine):
    with aws_on_loopback() as there:
        machine(there.url, AWS_ACCESS_KEY_ID="AKIAENV", AWS_SECRET_ACCESS_KEY="s", AWS_SESSION_TOKEN="t")
        aws(AwsIdentity(ambient=True, region=REGION)).fetch(
            "ecs", "list_tasks", "taskArns", desiredStatus="RUNNING"
        )
    assert b"Credential=AKIAENV/" in there.server.requests[0]


def test_a_named_profile_wins_over_the_environment(machine):
    with aws_on_loopback() as there:
        machine(there.url, AWS_ACCESS_KEY_ID="AKIAENV", AWS_SECRET_ACCESS_KEY="s", AWS_PROFILE="absent")
        aws().fetch("ecs", "list_tasks", "taskArns", desiredStatus="RUNNING")
    assert b"Credential=AKIATESTTESTTEST1234/" in there.server.requests[0]


def test_an_environment_without_credentials_asks_no_metadata_address(machine):
    with serving(says({})) as metadata:
        machine("http://127.0.0.1:1", "", AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url)
        assert failing(AwsIdentity(ambient=True, region=REGION)).reason == errors.CREDENTIALS
    assert metadata.requests == []


def test_a_profile_without_credentials_takes_none_from_the_machine(machine):
    found = {
        "AccessKeyId": "ASIATASK",
        "SecretAccessKey": "s",
        "Token": "t",
        "Expiration": "2126-01-01T00:00:00Z",
    }
    with serving(says(found)) as machines, aws_on_loopback() as there:
        own = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{machines.url}/"}
        machine(there.url, "[profile empty]\nregion = us-east-1\n", **own)
        assert failing(AwsIdentity(profile="empty")).reason == errors.CREDENTIALS
        assert machines.requests == []
        aws(AwsIdentity(ambient=True, region=REGION)).fetch(
            "ecs", "list_tasks", "taskArns", desiredStatus="RUNNING"
        )
    assert b"Credential=ASIATASK/" in there.server.requests[0]


@pytest.mark.parametrize("region", [None, REGION], ids=["of the profile", "of the setting"])
def test_a_profile_that_assumes_a_role_may_do_so(region, machine):
    """The one call that its credentials need passes, in a session of its own."""
    roles = (
        "[profile reader]\nregion = us-east-1\n[profile role]\nsource_profile = reader\n"
        f"role_arn = arn:aws:iam::{ACCOUNT}:role/read\nregion = us-east-1\n"
    )
    assumed = (
        b"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLE</AccessKeyId>"
        b"<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
        b"<Expiration>2126-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
    listed = says({"taskArns": []}, headers={"content-type": "application/x-amz-json-1.1"})
    with serving(says(assumed, headers={"content-type": "text/xml"}), listed) as server:
        machine(server.url, roles if region is None else roles.replace("region = us-east-1\n", ""))
        aws(AwsIdentity(profile="role", region=region or "")).fetch("ecs", "list_tasks", "taskArns")
    assert b"Action=AssumeRole" in server.requests[0]
    assert b"Credential=ASIAROLE/" in server.requests[1]


_EXPIRED = {"AccessKeyId": "A", "SecretAccessKey": "s", "Token": "t", "Expiration": "2020-01-01T00:00:00Z"}
_ROLE = "role_arn = arn:aws:iam::123456789012:role/read\nregion = us-east-1\n"


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        pytest.param(
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{}/no"}, errors.CREDENTIALS, id="no credentials"
        ),
        pytest.param({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{}/old"}, errors.EXPIRED, id="expired ones"),
        pytest.param(
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://host.example/"},
            errors.CREDENTIALS,
            id="another host",
        ),
        pytest.param(
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "{}", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/none"},
            errors.CREDENTIALS,
            id="no token file",
        ),
        pytest.param(
            {"AWS_WEB_IDENTITY_TOKEN_FILE": "/none", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/read"},
            errors.CREDENTIALS,
            id="no web identity",
        ),
        pytest.param(
            {"AWS_ACCESS_KEY_ID": "AKIA\n", "AWS_SECRET_ACCESS_KEY": "s"}, errors.CREDENTIALS, id="a line end"
        ),
        pytest.param(
            {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "ö"}, errors.CREDENTIALS, id="a letter"
        ),
    ],
)
def test_what_breaks_on_the_way_to_credentials_is_the_credentials_fault(own, reason, machine):
    def answer_by_path(served, conn, request):
        conn.sendall(reply(200, json.dumps(_EXPIRED if b"/old" in request else {"Code": "x"}).encode()))

    with serving(answer_by_path) as machines:
        machine("http://127.0.0.1:1", "", **{name: text.format(machines.url) for name, text in own.items()})
        assert failing(AwsIdentity(ambient=True, region=REGION)).reason == reason


@pytest.mark.parametrize(
    "profile",
    [
        "credential_process = /none",
        "credential_process = echo nothing",
        f"source_profile = reader\n{_ROLE}mfa_serial = arn:aws:iam::1:mfa/me",
    ],
    ids=["no such program", "a program's garbage", "a second factor"],
)
def test_a_profile_that_gives_no_credentials_asks_nobody(profile, machine, monkeypatch):
    prompts: list[str] = []
    ask = AssumeRoleProvider.__init__
    fakes = (prompts.append if given is getpass else given for given in ask.__defaults__)
    monkeypatch.setattr(ask, "__defaults__", tuple(fakes))
    machine("http://127.0.0.1:1", f"[profile reader]\nregion = us-east-1\n[profile broken]\n{profile}\n")
    assert failing(AwsIdentity(profile="broken", region=REGION)).reason == errors.CREDENTIALS
    assert prompts == []


def test_the_region_of_the_profile_counts_where_none_is_named(machine):
    with aws_on_loopback() as there:
        machine(there.url, "[profile reader]\nregion = eu-central-1\n")
        aws(AwsIdentity(profile="reader")).fetch("ecs", "list_tasks", "taskArns", desiredStatus="RUNNING")
    assert b"/eu-central-1/ecs/" in there.server.requests[0]


def test_no_region_at_all_is_told(machine):
    machine("http://127.0.0.1:1", "[profile reader]\n")
    error = failing(AwsIdentity(profile="reader"))
    assert (error.reason, "AEGIS_PT_AWS_REGION" in str(error)) == (errors.MISSING, True)


def test_another_account_is_refused(machine):
    with aws_on_loopback() as there:
        there.account = "999999999999"
        machine(there.url)
        with pytest.raises(ExternalError) as caught:
            aws(AwsIdentity("reader", region=REGION, account=ACCOUNT)).check_account()
    assert caught.value.reason == errors.WRONG_ACCOUNT
    assert not {"999999999999", ACCOUNT} & set(str(caught.value).split())


def test_the_right_account_is_not(machine):
    with aws_on_loopback() as there:
        machine(there.url)
        aws(AwsIdentity("reader", region=REGION, account=ACCOUNT)).check_account()
    assert there.asked == {"GetCallerIdentity": 1}


def test_without_an_account_nobody_is_asked_who_it_is(machine):
    machine("http://127.0.0.1:1")
    aws().check_account()


# --- whose fault it is --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (AwsError("ExpiredTokenException"), errors.EXPIRED),
        (
            AwsError("AccessDeniedException", message="User: arn:aws:sts::123456789012:x is not"),
            errors.DENIED,
        ),
        (AwsError("UnrecognizedClientException"), errors.CREDENTIALS),
        (AwsError("InvalidSignatureException"), errors.CREDENTIALS),
        (AwsError("ClusterNotFoundException"), errors.MISSING),
        (AwsError("InvalidParameterException"), errors.HTTP_STATUS),
    ],
    ids=lambda given: getattr(given, "code", ""),
)
def test_what_a_retry_cannot_mend_is_asked_once(fault, reason, machine):
    with aws_on_loopback() as there:
        there.fails("ListTasks", fault)
        machine(there.url)
        error = failing()
    assert error.reason == reason
    assert there.asked == {"ListTasks": 1}
    assert "123456789012" not in str(error)


def test_what_is_denied_is_named(machine):
    with aws_on_loopback() as there:
        there.fails("ListTasks", AwsError("AccessDeniedException"))
        machine(there.url)
        assert "ecs:ListTasks" in str(failing())


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "Throttling", "TooManyRequestsException", "ServerException"]
)
def test_throttling_once_is_a_clean_read(code, machine):
    with aws_on_loopback() as there:
        there.fails("ListTasks", AwsError(code, 500 if code == "ServerException" else 400), None)
        machine(there.url)
        assert aws().fetch("ecs", "list_tasks", "taskArns", desiredStatus="RUNNING")["taskArns"]
    assert there.asked == {"ListTasks": 2}


def test_throttling_for_ever_ends(machine):
    with aws_on_loopback() as there:
        there.fails("ListTasks", AwsError("ThrottlingException"))
        machine(there.url)
        assert failing().reason == errors.THROTTLED
    assert there.asked == {"ListTasks": 3}


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        pytest.param(hangs(), errors.TIMEOUT, id="it hangs"),
        pytest.param(
            drips(reply(200, b'{"taskArns": []}' + b" " * 400), at_once=70), errors.TIMEOUT, id="it drips"
        ),
        pytest.param(floods(200, announced=False), errors.TOO_LARGE, id="too much"),
        pytest.param(
            says(b"<html>login</html>", headers={"content-type": "text/html"}), errors.UNREADABLE, id="a page"
        ),
        pytest.param(
            says(b"<html>no</html>", 403, {"content-type": "text/html"}),
            errors.HTTP_STATUS,
            id="403 of a proxy",
        ),
        pytest.param(
            says(b"", 307, {"location": "http://169.254.169.254/"}), errors.HTTP_STATUS, id="a redirect"
        ),
        pytest.param(says(b"<html>wait</html>", 429), errors.THROTTLED, id="429 of a proxy"),
        *(
            pytest.param(says(body, status), errors.UNREADABLE, id=f"{status} {body[:9]!r}")
            for body in (b"null", b"[]", b'"x"', b"\xff\xfe", b"[" * 20_000, b'{"__type": 5, "taskArns": 5}')
            for status in (200, 403)
            if not (status == 403 and body[:3] == b"[[[")  # of an error, botocore takes it for text
        ),
    ],
)
def test_what_answers_badly_fails_within_the_deadline(behaviour, reason, machine):
    with serving(behaviour) as server:
        machine(server.url)
        began = time.monotonic()
        assert failing(seconds=3 if reason == errors.TIMEOUT else 20).reason == reason
        assert time.monotonic() - began < PATIENCE_SEC


def test_an_endpoint_that_is_down(machine):
    machine(f"http://127.0.0.1:{closed_port()}")
    assert failing().reason == errors.REFUSED


def test_a_configuration_that_cannot_be_read(machine, tmp_path):
    machine("http://127.0.0.1:1", "[[[")
    assert failing().reason == errors.CREDENTIALS


@pytest.mark.parametrize(
    ("error", "said"),
    [(TypeError("x"), "ecs:ListTasks is not AWS"), (AttributeError("x"), "ecs:ListTasks is not AWS"),
     (ValueError("x"), "ecs:ListTasks failed (ValueError)")],
)  # fmt: skip
def test_an_answer_of_another_shape_is_said_to_be_anothers_and_no_other_failure_is(error, said):
    with pytest.raises(ExternalError, match=re.escape(said)), _convert_errors("ecs:ListTasks"):
        raise error
