"""Every outside operation of a run at fault, one after the other.

No alert is lost, and none is told more than twice.

In SQLite's manner: the operations of a clean run are counted, and then, for every one of them, a run in which
it fails once, one in which it and all after it fail, and one that is killed there with SIGKILL; each followed
by a clean run.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from tests.support.github_memory import GitHub, github_with_memory
from tests.support.loopback import Served, says, serving
from tests.support.pager_server import KINDS, Incidents, Pager, pager_on_loopback
from tests.support.slack_server import Slack, everything, slack_on_loopback
from tests.support.smtp_server import Mailbox, mail_on_loopback
from tests.support.snapshots import NOW, ROOT
from tests.support.workflow_files import bare_environ

TYPES = ("pending_orders_high", "unknown_fill")
MODES = ("once", "on", "kill")
_ID = re.compile(rf"({'|'.join(TYPES)})\b[^\n]*?\bid ([0-9a-f]{{16}})\b")


@dataclass
class World:
    """Everything that a run reaches, and the process that forks its runs."""

    folder: Path
    zygote: subprocess.Popen[str]
    github: GitHub
    slack: Slack
    box: Mailbox
    switch: Served
    dashboard: Served
    pagers: tuple[Pager, ...] = ()
    quiet: str = ""
    runs: int = 0

    def clear(self) -> None:
        """Begin anew, after one quiet run whose artifact is the memory."""
        for kept in (self.github.runs, self.github.artifacts, self.slack.posts, self.box.mails):
            kept.clear()
        for pager in self.pagers:
            pager.taken.clear()
        self.github.archives.clear()
        for path in sorted(self.folder.glob("s/*")):
            path.unlink()
        if self.quiet:
            self.github.run(8999, minutes=-10)
            self.github.upload(8999, self.quiet)
            (self.folder / "s").mkdir(exist_ok=True)
            (self.folder / "s" / "memory-aegis-pt-core-00000001.json").write_text(self.quiet)

    def run(
        self, words: tuple[str, ...], minutes: float = 0, at: str = "", mode: str = "", **settings: str
    ) -> int:
        """Run once, and upload what it left, as the workflow does whatever happened; return its exit code."""
        self.runs += 1
        run_id = 9000 + int(minutes)
        artifact = self.folder / "pt-health.json"
        artifact.unlink(missing_ok=True)
        (self.folder / "trace").unlink(missing_ok=True)
        environ = {
            **(self.github.environ(run_id) if "--artifact" in words else {}),
            **self.box.environ(),
            **{name: text for pager in self.pagers for name, text in pager.environ.items()},
            **{f"AEGIS_PT_{pager.kind.upper()}_MIN": "warning" for pager in self.pagers},
            "AEGIS_PT_STATUS_URL": f"{self.dashboard.url}/status",
            "AEGIS_PT_SLACK_WEBHOOK_URL": self.slack.hook,
            "AEGIS_PT_PING_URL": f"{self.switch.url}/u",
            "AEGIS_PT_ESCALATE_AFTER_SEC": "999999",  # no escalation is one more message
            **settings,
        }
        plan = {
            "argv": ["run", *words],
            "environ": environ,
            "now": (NOW + timedelta(minutes=minutes)).isoformat(),
            "ports": {
                str(self.github.api.address[1]): "github",
                str(self.github.store.address[1]): "archives",
                str(self.slack.served.address[1]): "slack",
                str(self.box.port): "mail",
                str(self.switch.address[1]): "switch",
                str(self.dashboard.address[1]): "dashboard",
                **{str(pager.served.address[1]): pager.kind for pager in self.pagers},
            },
            "at": at,
            "mode": mode,
            **{name: str(self.folder / name) for name in ("trace", "out", "err")},
        }
        assert self.zygote.stdin is not None
        assert self.zygote.stdout is not None
        self.zygote.stdin.write(json.dumps(plan) + "\n")
        self.zygote.stdin.flush()
        code = int(self.zygote.stdout.readline())
        self.github.run(run_id, minutes=minutes, conclusion="success" if code == 0 else "failure")
        if artifact.exists():
            self.github.upload(run_id, artifact.read_text())
        return code

    @property
    def trace(self) -> list[str]:
        """The labels of the operations of the last run."""
        return (self.folder / "trace").read_text().splitlines()

    def told(self) -> Iterator[tuple[str, list[str]]]:
        """Each channel with the text of every message that it took."""
        yield "slack", [everything(one) for one in self.slack.posts]
        yield "mail", [one.part("plain") for one in self.box.mails]
        for pager in self.pagers:
            yield (
                pager.kind,
                [json.dumps(body.get("payload", {}).get("summary", body)) for body in pager.taken],
            )


@pytest.fixture(scope="module")
def zygote(tmp_path_factory):
    """The process that forks all runs, after a rehearsal of a first and a second run at each place."""
    home = tmp_path_factory.mktemp("home")
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.forked_runs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=bare_environ(HOME=str(home)),
    ) as process:
        with world(home, process, KINDS) as made:
            for place in PLACES:
                words = find_words(place, home)
                made.quiet = quiet_memory(made, words, "rehearse")
                made.clear()
                assert made.run(words, mode="rehearse") == 0
        yield process
        process.kill()


@contextmanager
def world(folder: Path, zygote: subprocess.Popen[str], kinds: tuple[str, ...] = ()) -> Iterator[World]:
    status = {"heartbeat_at": "2026-06-02T15:00:00Z", "pending_orders": 3, "unknown_fills": 1}
    with ExitStack() as stack:
        made = World(
            folder,
            zygote,
            stack.enter_context(github_with_memory()),
            stack.enter_context(slack_on_loopback()),
            stack.enter_context(mail_on_loopback()),
            stack.enter_context(serving(says(b"OK"))),
            stack.enter_context(serving(says(status))),
            tuple(stack.enter_context(pager_on_loopback(kind)) for kind in kinds),
        )
        for pager in made.pagers:
            pager.calls["getUpdates"] = lambda body: []
        yield made


def quiet_memory(made: World, words: tuple[str, ...], mode: str = "") -> str:
    """The artifact of a run that saw nothing and told the channels what a first run tells."""
    with serving(
        says({"heartbeat_at": "2026-06-02T14:50:00Z", "pending_orders": 0, "unknown_fills": 0})
    ) as calm:
        made.clear()
        assert made.run(words, minutes=-10, mode=mode, AEGIS_PT_STATUS_URL=f"{calm.url}/status") == 0
    path = made.folder / "pt-health.json"
    return (
        path.read_text()
        if path.exists()
        else (made.folder / "s" / "memory-aegis-pt-core-00000001.json").read_text()
    )


PLACES = {"a workflow": ("--artifact", "{folder}/pt-health.json"), "a folder": ("--state", "{folder}/s")}


def find_words(place: str, folder: Path) -> tuple[str, ...]:
    return tuple(word.format(folder=folder) for word in PLACES[place])


# Looking, telling and pinging are the same in both; the second time only remembering and storing are at
# fault.
OF_MEMORY = ("github", "archives", "file")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", PLACES)
def test_no_fault_loses_an_alert_or_tells_it_more_than_twice(place, mode, zygote, tmp_path):
    words = find_words(place, tmp_path)
    with world(tmp_path, zygote, KINDS if place == "a folder" else ()) as made:
        made.quiet = quiet_memory(made, words)
        made.clear()
        assert made.run(words) == 0
        labels = [label for label in made.trace if place == "a folder" or label.split()[1] in OF_MEMORY]
        # PagerDuty has an alert for each condition.
        assert {len(texts) for channel, texts in made.told() if channel != "pagerduty"} == {1}
        seen: Counter[str] = Counter()
        for at in labels:
            _one(made, words, at, mode, seen)
    figures = ", ".join(f"{count} {what}" for what, count in sorted(seen.items()))
    print(f"\n{place}, {mode}: {len(labels)} operations, {made.runs} runs: {figures}")
    assert {"connect", "send", "read", "sync", "rename"} <= {label.split()[0] for label in labels}
    # What fails for good takes the storing with it, so that whoever was told before is told again. The
    # channels are told side by side, so how many were told before a fault differs from run to run.
    told = seen["told once"] + seen["told twice"]
    assert mode == "on" or seen["told once"] > 0.4 * told
    assert mode != "kill" or seen["killed"] > 0.8 * len(labels)


@pytest.mark.parametrize("place", PLACES)
def test_a_killed_run_whose_conditions_end_leaves_no_alert_open(place, zygote, tmp_path):
    """Each run is killed at one operation with the pager; from then on nothing is wrong."""
    words = find_words(place, tmp_path)
    numbers = count()  # a payload that never changes is stale

    def good(served, conn, request):
        status = {"heartbeat_age_sec": 1, "pending_orders": 0, "unknown_fills": 0, "n": next(numbers)}
        says(status)(served, conn, request)

    with world(tmp_path, zygote, ("pagerduty",)) as made, serving(good) as calm:
        made.quiet = quiet_memory(made, words)
        made.clear()
        assert made.run(words) == 0
        opened = 0
        for at in [label for label in made.trace if label.startswith("read pagerduty")]:
            made.clear()
            if made.run(words, at=at, mode="kill") == 0:
                continue
            incidents = Incidents(made.pagers[0])
            incidents.refresh()
            opened += sum(key.startswith(TYPES) for key in incidents.open)
            for minutes in (10, 20, 30):
                code = made.run(words, minutes=minutes, mode="here", AEGIS_PT_STATUS_URL=f"{calm.url}/status")
                assert code == 0, (made.folder / "err").read_text()
            incidents.refresh()
            assert [key for key in incidents.open if key.startswith(TYPES)] == [], at
        assert opened


def _one(made: World, words: tuple[str, ...], at: str, mode: str, seen: Counter[str]) -> None:
    """One run with the fault, one without; and what every channel was told by the two of them."""
    made.clear()
    code = made.run(words, at=at, mode=mode)
    assert code in (0, 3) or (mode == "kill" and code == -9), (
        at,
        mode,
        code,
        (made.folder / "err").read_text(),
    )
    seen[{0: "went well", 3: "said so"}.get(code, "killed")] += 1
    assert made.run(words, minutes=10, mode="here") == 0, (at, mode, (made.folder / "err").read_text())
    for channel, texts in made.told():
        for name in TYPES:
            told = sum(name in text for text in texts)
            assert told in (1, 2), f"{channel} was told of {name} {told} times ({mode} at {at})"
            seen["told once" if told == 1 else "told twice"] += 1
        if channel in ("slack", "mail") and not any("memory_lost" in text for text in texts):
            known = {found for text in texts for found in _ID.findall(text)}
            assert len(known) == len(TYPES), f"{channel} cannot see that it is a duplicate ({mode} at {at})"
