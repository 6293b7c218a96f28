"""The monitor's workflow, step by step.

Every `run:` verbatim, against loopback GitHub, Slack, SMTP, AWS and dashboard.
"""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from detector.render.setup_files import ENV_PATH, SetupRequest, build_github_files
from tests.support.aws_server import CLUSTER, GROUP, REGION, Aws, aws_on_loopback
from tests.support.github_memory import NAME, TOKEN, WORKFLOW, GitHub, github_with_memory
from tests.support.loopback import Served, closed_port, says, serving
from tests.support.slack_server import Slack, everything, slack_on_loopback
from tests.support.smtp_server import Mailbox, mail_on_loopback
from tests.support.snapshots import ROOT
from tests.support.workflow_files import Runner, bare_environ, expressions, workflow

JOB = workflow(WORKFLOW)["jobs"]["check"]
TYPES = ("pending_orders_high", "unknown_fill")
PAGES = "https://github.com/owner/bot/actions/runs/9001/artifacts"
FAILURE = "Say that the monitor itself is red"


@dataclass
class Deployment:
    """A repository with the workflow in it, and everything that it can reach."""

    folder: Path
    github: GitHub
    slack: Slack
    box: Mailbox
    aws: Aws
    switch: Served
    dashboard: Served
    secrets: dict[str, str] = field(default_factory=dict)
    event: dict[str, str] = field(default_factory=dict)
    installed: bool = True
    aws_opens: bool = True
    uploads: bool = True
    env_file: str = ""
    dispatched: int = 0

    def run(self, attempt: int = 1, breaks: Callable[[Path], Any] | None = None) -> Runner:
        """Run the workflow once on a fresh machine; `breaks` may damage what was checked out."""
        self.dispatched += attempt == 1
        run_id = 9000 + self.dispatched
        workspace = self.folder / f"{run_id}-{attempt}"
        self._check_out(workspace)
        if breaks is not None:
            breaks(workspace)
        if attempt == 1:
            self.github.run(run_id, minutes=self.dispatched, status="in_progress", conclusion=None)
        environ = {**self.github.environ(run_id, attempt), "GITHUB_STEP_SUMMARY": str(workspace / "page.md")}
        token = environ.pop("GITHUB_TOKEN")
        runner = Runner(
            workspace,
            bare_environ(
                HOME=str(workspace), PIP_FIND_LINKS=str(workspace), AWS_ENDPOINT_URL=self.aws.url, **environ
            ),
            self._values(token, environ),
        )
        runner.actions = {
            "actions/cache": lambda given: self._restore(runner),
            "aws-actions/configure-aws-credentials": lambda given: self._credentials(runner, given),
            "actions/upload-artifact": lambda given: self._upload(runner, run_id, attempt, given),
        }
        green = runner.run(JOB)
        self.github.runs[-1] |= {"status": "completed", "conclusion": "success" if green else "failure"}
        return runner

    def _check_out(self, workspace: Path) -> None:
        (workspace / ".github").mkdir(parents=True)
        for name in ("detector", "requirements", "RUNBOOK.md"):
            (workspace / name).symlink_to(ROOT / name)
        self._settings(workspace / ".github" / "aws-ibkr-pt-health.env")

    def _settings(self, path: Path, *more: str) -> None:
        path.write_text(
            "\n".join(
                [
                    *more,
                    f"AEGIS_PT_STATUS_URL={self.dashboard.url}/api/status_v3",
                    "AEGIS_PT_AWS_AMBIENT=1",
                    f"AEGIS_PT_AWS_REGION={REGION}",
                    f"AEGIS_PT_ECS_CLUSTER={CLUSTER}",
                    f"AEGIS_PT_LOG_GROUP={GROUP}",
                    "AEGIS_PT_SMTP_HOST=localhost",
                    f"AEGIS_PT_SMTP_PORT={self.box.port}",
                    "AEGIS_PT_SMTP_TLS=none",
                ]
            )
        )

    def _values(self, token: str, environ: dict[str, str]) -> dict[str, str]:
        """What every expression of the job is, as the checks of the parser's own evaluator say of the
        longer ones.
        """
        values = {
            "github.token": token,
            "github.event_name": "schedule",
            "github.event.schedule || github.event.client_payload.source || github.actor": "7,17 13-21 * * MON-FRI",
            "github.server_url": environ["GITHUB_SERVER_URL"],
            "github.repository": environ["GITHUB_REPOSITORY"],
            "github.run_id": environ["GITHUB_RUN_ID"],
            "github.run_attempt": environ["GITHUB_RUN_ATTEMPT"],
            "job.workflow_repository": environ["GITHUB_REPOSITORY"],
            "job.workflow_sha": "0" * 40,
            "inputs.env_file": self.env_file,
            "inputs.env_file && 'caller' || '.'": "caller" if self.env_file else ".",
            "inputs.env_file || '.github/aws-ibkr-pt-health.env'": self.env_file
            or ".github/aws-ibkr-pt-health.env",
            "inputs.artifact_name": "",
            "steps.job.outputs.artifact_name || 'pt-health-memory'": NAME,
            "runner.os": "Linux",
            "runner.arch": "X64",
            "steps.python.outputs.python-version": "3.13.1",
            "hashFiles('requirements/runtime.txt', 'detector/**/*.py')": "0" * 64,
            "vars.TAILSCALE_OAUTH_CLIENT_ID": "",
            "vars.TAILSCALE_AUDIENCE": "",
            "vars.TAILSCALE_PING": "",
            "vars.AWS_REGION": REGION,
            "steps.job.outputs.code": "",
            "steps.job.outputs.cause": "",
            "steps.memory.outcome": "",
            "steps.page.outputs.artifact-url": "",
            "inputs.concurrency_group || 'aws-ibkr-pt-health'": "aws-ibkr-pt-health",
            "steps.red.outputs.mark": "",
            **self.event,
        }
        secrets = {one: self.secrets.get(one, "") for one in expressions(JOB) if one.startswith("secrets.")}
        return {**secrets, **values}

    def _restore(self, runner: Runner) -> bool:
        """Answer as the cache: the packages are those of this Python; a restore that breaks leaves a part."""
        if not self.installed:
            (runner.workspace / "packages" / "half").mkdir(parents=True)
            return False
        runner.values["steps.installed.outputs.cache-hit"] = "true"
        return True

    def _credentials(self, runner: Runner, given: dict[str, str]) -> bool:
        """Leave in the machine's environment what the action leaves there."""
        if not self.aws_opens:
            return False
        assert given["role-to-assume"] == self.secrets["secrets.AWS_ROLE_ARN"]
        runner.environ = {
            **runner.environ,
            "AWS_ACCESS_KEY_ID": "ASIATESTTESTTEST1234",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_SESSION_TOKEN": "t",
            "AWS_REGION": given["aws-region"],
        }
        return True

    def _upload(self, runner: Runner, run_id: int, attempt: int, given: dict[str, str]) -> bool:
        path = runner.workspace / given["path"]
        if given.get("archive") == "false":
            assert path.name == f"pt-health-page-{run_id}-{attempt}.html"
            if path.exists() and self.uploads:
                runner.values["steps.page.outputs.artifact-url"] = f"{PAGES}/{path.name}"
            return self.uploads
        if path.name == "monitor-red.txt":
            self.github.upload(run_id, path.read_text(), attempt, name=given["name"])
            return True
        assert given["name"] == f"{NAME}-{run_id}-{attempt}"
        if path.exists() and self.uploads:
            self.github.upload(run_id, path.read_text(), attempt)
        return self.uploads


@pytest.fixture
def deployment(tmp_path):
    with ExitStack() as stack:
        status = {"heartbeat_at": datetime.now(UTC).isoformat(), "pending_orders": 3, "unknown_fills": 1}
        made = Deployment(
            tmp_path,
            stack.enter_context(github_with_memory()),
            stack.enter_context(slack_on_loopback()),
            stack.enter_context(mail_on_loopback()),
            stack.enter_context(aws_on_loopback()),
            stack.enter_context(serving(says(b"OK"))),
            stack.enter_context(serving(says(status))),
        )
        made.secrets = {
            "secrets.AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/pt-health",
            "secrets.AEGIS_PT_SLACK_WEBHOOK_URL": made.slack.hook,
            "secrets.AEGIS_PT_EMAIL_TO": "ann@example.com",
            "secrets.AEGIS_PT_EMAIL_FROM": "detector@example.org",
            "secrets.AEGIS_PT_PING_URL": f"{made.switch.url}/u-u-i-d",
        }
        yield made


def pinged(deployment: Deployment) -> list[str]:
    return [request.split()[1].decode() for request in deployment.switch.requests]


def owed(runner: Runner) -> list[str]:
    said = next(ran.said for ran in runner.ran if ran.name == "Collect, evaluate, notify")
    document = json.JSONDecoder().raw_decode(said[said.index("{") :])[0]
    return sorted(one["type"] for one in document["new_events"])


def explained(runner: Runner) -> str:
    return "\n".join(f"{ran.name}: {ran.code}\n{ran.said}" for ran in runner.ran if ran.code)


def test_a_day_of_the_monitor_goes_as_documented(deployment):
    """First run, second run, a run whose Slack is down, the run after, a run whose program is broken, the
    run after.
    """
    slack, box = deployment.slack, deployment.box

    first = deployment.run()
    assert not first.failed, explained(first)
    assert (len(slack.posts), len(box.mails), set(owed(first)) >= set(TYPES)) == (1, 1, True)
    assert all(name in everything(slack.posts[0]) and name in box.mails[0].part("plain") for name in TYPES)
    page = (first.workspace / "page.md").read_text()
    assert (deployment.aws.asked["DescribeServices"], page.startswith("### ")) == (1, True)
    second = deployment.run()
    assert (second.failed, owed(second), len(slack.posts), len(box.mails)) == (False, [], 1, 1)

    deployment.aws.services[0]["runningCount"] = 0
    slack.then(*[says(b"down", 503)] * 3)
    down = deployment.run()
    assert (down.failed, down.values["steps.job.outputs.code"]) == (True, "3")
    assert "ecs_service_count_mismatch" in box.mails[1].part("plain")
    assert (len(slack.posts), len(box.mails)) == (1, 2)
    assert FAILURE not in [ran.name for ran in down.ran], "the program itself spoke"

    healed = deployment.run()
    assert not healed.failed, explained(healed)
    assert (len(slack.posts), len(box.mails)) == (2, 2)
    assert "ecs_service_count_mismatch" in everything(slack.posts[1])

    broken = deployment.run(breaks=a_program_that_does_not_even_begin)
    assert (broken.failed, slack.texts[-1].startswith("[MONITOR RED] ")) == (True, True)
    assert "https://github.com/owner/bot/actions/runs/9005" in slack.texts[-1]
    assert pinged(deployment) == ["/u-u-i-d"] * 2 + ["/u-u-i-d/fail"] + ["/u-u-i-d"] + ["/u-u-i-d/fail"]

    after = deployment.run()
    assert not after.failed, explained(after)
    assert (owed(after), len(slack.posts), len(box.mails)) == ([], 3, 2)
    assert [json.loads(one)["generation"] for one in stored(deployment)] == [1, 2, 3, 4, 5]
    assert not any(TOKEN in one or slack.hook in one for one in stored(deployment))


def test_the_run_s_page_is_uploaded_and_linked_in_its_summary(deployment):
    ran = deployment.run()
    page = (ran.workspace / "pt-health-page-9001-1.html").read_text()
    assert all(name in page for name in TYPES)
    link = f"[The whole page of this run]({PAGES}/pt-health-page-9001-1.html)\n"
    assert (ran.workspace / "page.md").read_text().endswith(link)
    deployment.uploads = False
    without = deployment.run()
    assert "The whole page of this run" not in (without.workspace / "page.md").read_text()


def own_program(workspace: Path) -> None:
    (workspace / "detector").unlink()
    shutil.copytree(ROOT / "detector", workspace / "detector")


def a_program_that_does_not_even_begin(workspace: Path) -> None:
    own_program(workspace)
    with (workspace / "detector" / "engine" / "evaluate.py").open("a") as file:
        file.write("\n1 / 0\n")


def stored(deployment: Deployment) -> list[str]:
    github = deployment.github
    memories = [one["id"] for one in github.artifacts if one["name"].startswith(NAME)]
    return [
        zipfile.ZipFile(io.BytesIO(github.archives[number])).read("pt-health.json").decode()
        for number in memories
    ]


def lock_a_wheel(workspace: Path) -> None:
    """Leave a lock of one small package, and its wheel where pip looks for it."""
    name, about = "locked-1.0-py3-none-any.whl", "locked-1.0.dist-info"
    with zipfile.ZipFile(workspace / name, "w") as wheel:
        wheel.writestr("locked.py", "")
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: locked\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    (workspace / "requirements").unlink()
    (workspace / "requirements").mkdir()
    digest = sha256((workspace / name).read_bytes()).hexdigest()
    (workspace / "requirements" / "runtime.txt").write_text(f"locked==1.0 --hash=sha256:{digest}\n")


def test_what_no_earlier_run_installed_is_installed_and_compiled(deployment):
    def prepare(workspace: Path) -> None:
        own_program(workspace)
        lock_a_wheel(workspace)

    deployment.installed = False
    ran = deployment.run(breaks=prepare)
    assert not ran.failed, explained(ran)
    assert {path.name for path in (ran.workspace / "packages").iterdir()} >= {"locked.py", "__pycache__"}
    assert not (ran.workspace / "packages" / "half").exists()
    (cli,) = (ran.workspace / "detector" / "__pycache__").glob("cli.*.pyc")
    assert cli.read_bytes()[4] == 0b11, "found by the hash of its source, and checked against it"


def test_what_cannot_be_installed_is_said_by_the_plain_step(deployment):
    def unknown(workspace: Path) -> None:
        (workspace / "requirements").unlink()
        (workspace / "requirements").mkdir()
        text = f"nobody-knows-it==1.0 --hash=sha256:{'0' * 64}\n"
        (workspace / "requirements" / "runtime.txt").write_text(text)

    deployment.installed = False
    ran = deployment.run(breaks=unknown)
    assert ran.failed
    assert FAILURE in [one.name for one in ran.ran]
    assert (len(deployment.slack.posts), pinged(deployment)) == (1, ["/u-u-i-d/fail"])


def test_a_cause_is_told_once_until_a_run_is_green_and_the_switch_hears_of_every_red_run(deployment):
    def set_line(line: str) -> Callable[[Path], Any]:
        return lambda workspace: (workspace / ".github" / "aws-ibkr-pt-health.env").write_text(line)

    first, other = set_line("AEGIS_PT_PENDING_ORDER_WARN=three\n"), set_line("AEGIS_PT_NO_SUCH_NAME=1\n")
    told = []
    for breaks in (first, first, other, first, other, None, first, first):
        ran = deployment.run(breaks=breaks)
        told.append(len(said_red(deployment)))
        if breaks is not None:
            assert [one.code for one in ran.ran if one.name == FAILURE] == [0], explained(ran)
    assert told == [1, 1, 2, 2, 2, 2, 3, 3]
    assert pinged(deployment).count("/u-u-i-d/fail") == 2 * 7, "the program's own and the plain step's"


def test_an_id_or_a_number_in_a_cause_makes_no_new_one(deployment):
    for value in ("3f9a1c7e-5b2d", "c0ffee12-d34d", "91bb2f03-e6aa-x", "req_12"):
        line = f"AEGIS_PT_PENDING_ORDER_WARN={value}\n"
        deployment.run(
            breaks=lambda workspace, line=line: (workspace / ".github" / "aws-ibkr-pt-health.env").write_text(
                line
            )
        )
    assert len(said_red(deployment)) == 1


def test_a_cause_is_told_again_where_slack_did_not_take_it_or_github_does_not_answer(deployment):
    deployment.slack.then(says(b"down", 503), says(b"down", 503), says(b"down", 503))
    deployment.run(breaks=a_program_that_does_not_even_begin)
    deployment.run(breaks=a_program_that_does_not_even_begin)
    assert len(deployment.github.artifacts) == 1, "only what Slack took leaves a mark"
    deployment.github.fails("/repos/{owner}/{repo}/actions/artifacts", 500)
    count = len(said_red(deployment))
    deployment.run(breaks=a_program_that_does_not_even_begin)
    assert len(said_red(deployment)) == count + 1


def test_settings_that_are_refused_are_said_by_the_plain_step(deployment):
    def wrong(workspace: Path) -> None:
        (workspace / ".github" / "aws-ibkr-pt-health.env").write_text("AEGIS_PT_PENDING_ORDER_WARN=three\n")

    ran = deployment.run(breaks=wrong)
    assert (ran.failed, ran.values["steps.job.outputs.code"]) == (True, "2")
    assert deployment.slack.texts[-1].startswith("[MONITOR RED] ")
    assert "(exit code 2). Cause: AEGIS_PT_PENDING_ORDER_WARN" in deployment.slack.texts[-1]


def test_the_plain_step_tells_the_programs_own_cause_and_nothing_in_it_is_read_as_more(deployment):
    def hostile(workspace: Path) -> None:
        own_program(workspace)
        line = r'detector: a "quoted" <!channel> \\ `touch hacked` $(touch hacked) %0A::error::x'
        main = f"import sys\nprint({line!r}, file=sys.stderr)\nsys.exit(3)\n"
        (workspace / "detector" / "__main__.py").write_text(main)

    ran = deployment.run(breaks=hostile)
    assert [one.code for one in ran.ran if one.name == FAILURE] == [0], explained(ran)
    (said,) = said_red(deployment)
    assert "Cause: a  quoted    channel" in said
    assert not set('"<>!`$%\\') & set(said)
    assert not list(ran.workspace.rglob("hacked"))


def test_of_a_program_that_does_not_begin_only_the_kind_of_its_error_is_told(deployment):
    def broken(workspace: Path) -> None:
        own_program(workspace)
        (workspace / "detector" / "__main__.py").write_text("raise RuntimeError('xoxb-secret')\n")

    deployment.run(breaks=broken)
    (said,) = said_red(deployment)
    assert ("Cause: RuntimeError." in said, "xoxb" in said) == (True, False)


def test_the_plain_step_is_red_itself_where_nobody_hears_it(deployment):
    deployment.secrets["secrets.AEGIS_PT_SLACK_WEBHOOK_URL"] = f"http://127.0.0.1:{closed_port()}/hook"
    ran = deployment.run(breaks=a_program_that_does_not_even_begin)
    assert [one.code for one in ran.ran if one.name == FAILURE] == [1]


def test_the_plain_step_says_so_where_it_has_nobody_to_tell(deployment):
    del deployment.secrets["secrets.AEGIS_PT_SLACK_WEBHOOK_URL"]
    ran = deployment.run(breaks=a_program_that_does_not_even_begin)
    last = ran.ran[-1]
    assert (last.name, last.code) == (FAILURE, 1)
    assert "nobody was alerted" in last.said
    assert pinged(deployment) == ["/u-u-i-d/fail"]


def said_red(deployment: Deployment) -> list[str]:
    return [text for text in deployment.slack.texts if text.startswith("[MONITOR RED] ")]


def test_with_a_bot_token_the_plain_step_has_a_webhook_of_its_own(deployment):
    """The webhook setting beside the token would be two ways to one Slack, which is refused."""
    own = deployment.secrets.pop("secrets.AEGIS_PT_SLACK_WEBHOOK_URL")
    deployment.secrets["secrets.AEGIS_PT_SLACK_TOKEN"] = "xoxb-1"
    deployment.secrets["secrets.MONITOR_RED_WEBHOOK_URL"] = own
    ran = deployment.run(breaks=a_program_that_does_not_even_begin)
    assert [one.code for one in ran.ran if one.name == FAILURE] == [0]
    assert len(said_red(deployment)) == 1


@pytest.mark.parametrize("around", ["{}\n", " {}", "{}\r\n", "\n{}\n"])
def test_the_plain_step_takes_an_address_as_it_was_pasted(around, deployment):
    for name in ("secrets.AEGIS_PT_SLACK_WEBHOOK_URL", "secrets.AEGIS_PT_PING_URL"):
        deployment.secrets[name] = around.format(deployment.secrets[name])
    ran = deployment.run(breaks=a_program_that_does_not_even_begin)
    assert [one.code for one in ran.ran if one.name == FAILURE] == [0], explained(ran)
    assert (len(said_red(deployment)), pinged(deployment)) == (1, ["/u-u-i-d/fail"])


def test_a_blank_webhook_of_its_own_is_none(deployment):
    deployment.secrets["secrets.MONITOR_RED_WEBHOOK_URL"] = " \n"
    deployment.run(breaks=a_program_that_does_not_even_begin)
    assert len(said_red(deployment)) == 1


def test_an_answer_that_is_not_ok_is_not_taken_for_told(deployment):
    deployment.slack.then(says(b"invalid_payload", 200))
    ran = deployment.run(breaks=a_program_that_does_not_even_begin)
    last = ran.ran[-1]
    assert (last.name, last.code, "Slack did not accept the message" in last.said) == (FAILURE, 1, True)
    assert "invalid_payload" not in last.said


def test_the_plain_step_keeps_what_the_switchs_address_asks_for(deployment):
    deployment.secrets["secrets.AEGIS_PT_PING_URL"] += "/?create=1"
    deployment.run(breaks=a_program_that_does_not_even_begin)
    assert pinged(deployment) == ["/u-u-i-d/fail?create=1"]


def test_an_upload_that_fails_is_said_in_words_that_are_so(deployment):
    deployment.uploads = False
    ran = deployment.run()
    assert (ran.failed, ran.values["steps.job.outputs.code"]) == (True, "0")
    assert (
        "the check itself ended well, what follows it did not; its memory was not uploaded"
        in said_red(deployment)[0]
    )


def test_an_upload_that_fails_after_a_channel_did_is_said_too(deployment):
    deployment.uploads = False
    deployment.slack.then(*[says(b"down", 503)] * 3)
    ran = deployment.run()
    assert (ran.values["steps.job.outputs.code"], len(said_red(deployment))) == ("3", 1)
    assert "exit code 3; its memory was not uploaded" in said_red(deployment)[0]


def test_a_broken_rule_is_told_by_the_program_once_and_by_the_plain_step_never(deployment):
    def broken(workspace: Path) -> None:
        own_program(workspace)
        rule = workspace / "detector" / "rules" / "unknown_fill.py"
        rule.write_text(rule.read_text().replace("count = facts.unknown_fills", "count = 1 / 0"))

    for _ in range(2):
        ran = deployment.run(breaks=broken)
        assert (ran.failed, ran.values["steps.job.outputs.code"]) == (True, "4"), explained(ran)
    assert (said_red(deployment), len(deployment.slack.posts)) == ([], 1)
    assert "detector_error" in everything(deployment.slack.posts[0])


def test_without_any_channel_what_is_owed_makes_the_plain_step_speak(deployment):
    hook = deployment.secrets.pop("secrets.AEGIS_PT_SLACK_WEBHOOK_URL")
    for name in ("TO", "FROM"):
        del deployment.secrets[f"secrets.AEGIS_PT_EMAIL_{name}"]
    deployment.secrets["secrets.MONITOR_RED_WEBHOOK_URL"] = hook
    settings = f"AEGIS_PT_STATUS_URL={deployment.dashboard.url}/api/status_v3\n"
    ran = deployment.run(
        breaks=lambda workspace: (workspace / ".github" / "aws-ibkr-pt-health.env").write_text(settings)
    )
    assert (ran.values["steps.job.outputs.code"], len(said_red(deployment))) == ("3", 1)


def test_a_callers_settings_name_files_of_its_own_and_nothing_of_it_passes_for_the_program(deployment):
    deployment.env_file = "ops/health.env"

    def caller(workspace: Path) -> None:
        (workspace / "caller" / "ops").mkdir(parents=True)
        (workspace / "caller" / "detector").mkdir()
        (workspace / "caller" / "detector" / "__init__.py").write_text("1 / 0\n")
        (workspace / "caller" / "json.py").write_text("1 / 0\n")
        # A mute lasts at most 31 days, and the run's clock is the real one.
        soon = datetime.now(UTC) + timedelta(days=7)
        mute = (
            f'[[mute]]\nsignature = "pending_orders_high:*"\nuntil = {soon:%FT%TZ}\nreason = "x"\nby = "y"\n'
        )
        (workspace / "caller" / "ops" / "mutes.toml").write_text(mute)
        deployment._settings(workspace / "caller" / "ops" / "health.env", "AEGIS_PT_MUTES=ops/mutes.toml")

    ran = deployment.run(breaks=caller)
    assert not ran.failed, explained(ran)
    assert ("unknown_fill" in owed(ran), "pending_orders_high" in owed(ran)) == (True, False)
    assert len(stored(deployment)) == 1


def test_what_init_writes_alerts_in_the_first_run_and_is_silent_in_the_second(deployment):
    deployment.env_file = ENV_PATH
    for name in ("TO", "FROM"):
        del deployment.secrets[f"secrets.AEGIS_PT_EMAIL_{name}"]
    request = SetupRequest("aegis-pt-core", status_url=f"{deployment.dashboard.url}/api/status_v3")

    def caller(workspace: Path) -> None:
        for path, text in build_github_files(request).items():
            (workspace / "caller" / path).parent.mkdir(parents=True, exist_ok=True)
            (workspace / "caller" / path).write_text(text)

    first = deployment.run(breaks=caller)
    assert not first.failed, explained(first)
    assert set(owed(first)) >= set(TYPES)
    assert [all(name in everything(post) for name in TYPES) for post in deployment.slack.posts] == [True]
    second = deployment.run(breaks=caller)
    assert (second.failed, owed(second), len(deployment.slack.posts)) == (False, [], 1), explained(second)


def test_a_way_to_aws_that_does_not_open_is_an_event_and_no_red_run(deployment):
    deployment.aws_opens = False
    ran = deployment.run()
    assert not ran.failed, explained(ran)
    assert "source_unavailable" in owed(ran)


HOSTILE = 'a";curl x;# $(touch hacked) `touch hacked` \n::error::x\n##[add-mask]y'


def test_what_a_dispatch_says_stays_data(deployment):
    source = "github.event.schedule || github.event.client_payload.source || github.actor"
    deployment.event = {"github.event_name": "repository_dispatch", source: HOSTILE}
    ran = deployment.run()
    assert not ran.failed, explained(ran)
    assert not list(ran.workspace.rglob("hacked"))
    run = json.loads(stored(deployment)[0])["run"]
    assert (run["lane"], run["source"].startswith('a";curl x;#')) == ("repository_dispatch", True)
    said = next(one.said for one in ran.ran if one.name == "Collect, evaluate, notify")
    assert not any(line.lstrip().startswith("::") or "##[" in line for line in said.splitlines())


def test_every_expression_of_the_job_has_a_value_here(deployment):
    known = deployment._values("t", deployment.github.environ()).keys()
    conditions = {
        "always()",
        "steps.installed.outputs.cache-hit != 'true'",
        "always() && steps.page.outputs.artifact-url",
        "always() && steps.red.outputs.mark",
        "(failure() || cancelled()) && (steps.job.outputs.told != 'yes' || steps.memory.outcome != 'success')",
    }
    assert expressions(JOB) - known - conditions == set()
