"""The files that a new owner needs, and the steps that nobody can do for them: on GitHub, and on a machine.

Secrets are handed over by name, because `secrets: inherit` hands nothing to a workflow of another owner
(docs.github.com, "Reusing workflows").
"""

from __future__ import annotations

import re
from string import Template
from typing import Final

from msgspec import Struct

from detector.domain.run_windows import WORKFLOW
from detector.formats.patterns import build_pattern
from detector.settings import DECLARED
from detector.settings.delivery_settings import SMTP_USER
from detector.settings.runtime_settings import STATUS_USER

GITHUB_WORKFLOW: Final = ".github/workflows/pt-health.yml"
ENV_PATH: Final = "ops/pt-health.env"
MUTES_PATH: Final = "ops/pt-health-mutes.toml"
PLACEHOLDER: Final = "OWNER/REPOSITORY@COMMIT"
PROGRAM: Final = build_pattern(r"([A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+)@([0-9a-f]{40})", re.ASCII)
RUNTIME: Final = build_pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", re.ASCII)
# Secrets of the workflow that are no secret setting: the ways to the sources, the plain failure step, and the
# user beside a password.
_MORE_SECRETS: Final = (
    "AWS_ROLE_ARN",
    "TAILSCALE_OAUTH_SECRET",
    "MONITOR_RED_WEBHOOK_URL",
    STATUS_USER.name,
    SMTP_USER.name,
)

# GitHub is late most at the full tens of an hour; both seasons of New York lie inside 13:00 to 21:59 UTC.
_WORKFLOW: Final = Template("""\
# Watches the runtime and alerts by Slack or e-mail. What it watches is in $env_path;
# its secrets are those of this repository, each handed over by its name.
name: PT health of $runtime

# Only the title shows which schedule fired: `detector gaps` reads it.
run-name: >-
  PT health | $${{ github.event_name == 'schedule' && format('schedule {0}', github.event.schedule)
  || github.event_name == 'repository_dispatch'
  && format('dispatch {0}', github.event.client_payload.source)
  || github.event_name }}

on:
  schedule: # UTC
    - cron: "7,17,27,37,47,57 13-21 * * MON-FRI" # primary
    - cron: "12,22,32,42,52 13-21 * * MON-FRI" # fallback
  repository_dispatch:
    types: [aws_ibkr_pt_health, aws_ibkr_pt_health_ack] # a scheduler outside of GitHub; `detector ack`
  workflow_dispatch:

permissions: {}

jobs:
  health:
    permissions:
      contents: read # the settings
      actions: read # the memory: artifacts of earlier runs
      id-token: write # AWS without a stored key
    uses: $repository/$shared@$commit
    with:
      env_file: $env_path
      concurrency_group: pt-health-$runtime
    secrets: # by name: `inherit` hands nothing to a workflow of another owner
$secrets
""")
_ENV: Final = Template("""\
# What is watched. $privacy
# `python -m detector settings --example` prints every setting;
# `python -m detector doctor --env-file $env_path` tries what is set here.
AEGIS_PT_RUNTIME=$runtime
$profile
$status_url
AEGIS_PT_MUTES=$mutes_path
""")
_MUTES: Final = """\
# What is not sent for a while, and why. A mute ends at its time.
# [[mute]]
# signature = "pending_orders_high:*" # as `new_events` prints it; * is any text
# until = 2026-06-30T20:00:00Z
# reason = "the broker confirms late this week"
# by = "ann"
"""
_COMMITTED: Final = "This file is committed: no secret belongs here."
_PRIVATE: Final = "This file has secrets: chmod 600, and never commit it."
_BOX_SECRETS: Final = """\
# Channels. Take the # away and put in your own addresses; they are secrets.
#AEGIS_PT_SLACK_WEBHOOK_URL=https://hooks.slack.com/services/T.../B.../...
#AEGIS_PT_PING_URL=https://hc-ping.com/...
"""
FIRST_RUNS: Final = (
    "The first run says that monitoring starts and what is wrong; the second only what is new."
)
_NO_PROGRAM: Final = (
    f"Replace {PLACEHOLDER} in {GITHUB_WORKFLOW} with the repository of this program and a commit of it."
)
_NO_SOURCE: Final = (
    f"Name a source in {ENV_PATH}, such as AEGIS_PT_STATUS_URL: without one nothing is checked."
)
_GITHUB_STEPS: Final = f"""\
Commit the files to the default branch: GitHub starts schedules nowhere else.
Make the secret AEGIS_PT_SLACK_WEBHOOK_URL (Settings, Secrets and variables, Actions): a webhook of Slack.
Only if the status asks for a login: the secret AEGIS_PT_STATUS_TOKEN, or AEGIS_PT_STATUS_USER and _PASSWORD.
Start it once by hand: Actions, *PT health of $runtime*, Run workflow. {FIRST_RUNS}
Soon: the secret AEGIS_PT_PING_URL, a check at healthchecks.io that alerts you when no run comes.
Soon: the secret MONITOR_RED_WEBHOOK_URL, another webhook of Slack, for a run that itself fails.
"""
_GITHUB_NOTES: Final = """\
Schedule of the check at healthchecks.io: */10 13-21 * * 1-5 UTC, grace 1 h.
E-mail: the secrets AEGIS_PT_EMAIL_TO, AEGIS_PT_EMAIL_FROM, AEGIS_PT_SMTP_USER and AEGIS_PT_SMTP_PASSWORD;
  AEGIS_PT_SMTP_HOST in the env file.
AWS: the variable AWS_REGION and the secret AWS_ROLE_ARN, a role that may only read.
A dashboard in a tailnet: the variable TAILSCALE_OAUTH_CLIENT_ID and the secret TAILSCALE_OAUTH_SECRET.
A public repository: GitHub disables its schedules after 60 days without a commit; all can read its logs.
A fork: its schedules are disabled until you enable them under Actions.
"""
_BOX_STEPS: Final = f"""\
Fill in {ENV_PATH}: a source and a channel. `chmod 600 {ENV_PATH}`, and never commit it.
Try each: `python -m detector doctor --env-file {ENV_PATH}`.
See what would be sent: `python -m detector run --state ~/.pt-health --env-file {ENV_PATH} --dry-run`.
Print the unit to install: `python -m detector watch --unit systemd --env-file {ENV_PATH}` (launchd on a Mac).
"""


class SetupRequest(Struct, frozen=True):
    """What the new owner answered: the runtime's name, profile and status URL, and where the program lies.

    `program` is `OWNER/REPOSITORY@COMMIT`; `profile` and `status_url` may be empty.
    """

    runtime: str
    profile: str = ""
    status_url: str = ""
    program: str = PLACEHOLDER


def list_workflow_secrets() -> list[str]:
    """Return the names of the secrets that the shared workflow takes, all of them optional."""
    return sorted({*_MORE_SECRETS, *(name for name, setting in DECLARED.items() if setting.secret)})


def build_github_files(request: SetupRequest) -> dict[str, str]:
    """Return by path the files of a repository that watches its runtime with the shared workflow."""
    repository, _, commit = request.program.partition("@")
    workflow = _WORKFLOW.substitute(
        env_path=ENV_PATH,
        runtime=request.runtime,
        repository=repository,
        shared=WORKFLOW,
        commit=commit,
        secrets="\n".join(f"      {name}: ${{{{ secrets.{name} }}}}" for name in list_workflow_secrets()),
    )
    return {
        GITHUB_WORKFLOW: workflow,
        ENV_PATH: f"{_build_env(request, _COMMITTED)}AEGIS_PT_SCHEDULE={GITHUB_WORKFLOW}\n",
        MUTES_PATH: _MUTES,
    }


def build_box_files(request: SetupRequest) -> dict[str, str]:
    """Return by path the files of a machine on which `detector watch` runs."""
    return {ENV_PATH: _build_env(request, _PRIVATE) + _BOX_SECRETS, MUTES_PATH: _MUTES}


def list_github_steps(request: SetupRequest) -> list[str]:
    """Return what has to be done by hand, in order: what makes a first alert comes first."""
    missing = [
        *([_NO_PROGRAM] if request.program == PLACEHOLDER else []),
        *([] if request.status_url else [_NO_SOURCE]),
    ]
    return [*missing, *Template(_GITHUB_STEPS).substitute(runtime=request.runtime).splitlines()]


def list_github_notes() -> list[str]:
    """Return what is needed only for some sources, channels and repositories."""
    return _GITHUB_NOTES.splitlines()


def list_box_steps(request: SetupRequest) -> list[str]:
    """Return what has to be done by hand on a machine, in order."""
    return [*([] if request.status_url else [_NO_SOURCE]), *_BOX_STEPS.splitlines()]


def _build_env(request: SetupRequest, privacy: str) -> str:
    profile, status_url = request.profile, request.status_url
    example = "http://dashboard.example.ts.net:8080/api/status_v3"
    return _ENV.substitute(
        env_path=ENV_PATH,
        privacy=privacy,
        runtime=request.runtime,
        mutes_path=MUTES_PATH,
        profile=f"AEGIS_PT_PROFILE={profile}" if profile else "#AEGIS_PT_PROFILE=ops/my-bot.toml",
        status_url=f"AEGIS_PT_STATUS_URL={status_url}" if status_url else f"#AEGIS_PT_STATUS_URL={example}",
    )
