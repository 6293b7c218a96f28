"""The output of `watch`: a screen on a terminal, a line a tick in a pipe, and a supervisor's unit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple
from xml.sax.saxutils import escape

from detector.domain.report import Report
from detector.formats.numbers import format_first
from detector.formats.patterns import build_pattern
from detector.formats.strict_json import to_one_line
from detector.render.lines import format_decision, format_in_zones

CLEAR = "\x1b[H\x1b[2J"
# Inverse and blue: told apart without red and green.
_LOUD, _CALM, _PLAIN = "\x1b[1;7m", "\x1b[34m", "\x1b[0m"
_LABELS = {"firing": "FIRING", "not seen": "NOT SEEN", "ok": "ok"}
_WIDTH = 10
_MOST_NAMES = 3
_CRITICAL_RANK, _LOUD_RANK, _WARNING_RANK, _CALM_RANK = range(4)
_FRAME_LINES = 5  # the two at the top, the count at the end, the cursor's, and one that may wrap
_HARDENING = """\
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=read-only
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
PrivateTmp=yes
PrivateDevices=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
MemoryMax=256M

"""
_STATE_ROOT, _STATE_NAME = "/var/lib/", build_pattern(r"[A-Za-z0-9_.-]+", re.ASCII)


class _Row(NamedTuple):
    """A label and a text of the screen; the lower its rank, the later a small window leaves it out."""

    label: str
    text: str
    rank: int = _CALM_RANK


def render_screen(
    report: Report, zones: tuple[str, ...], colour: bool, size: tuple[int, int] | None = None
) -> Iterator[str]:
    """Yield the lines of the screen; every state is a word too, so that no colour is needed to read it.

    `size` is the terminal's columns and lines: what does not fit is counted, the calm lines first.
    """
    action = report.decision.action.upper() if report.checked or report.events else "NOTHING WAS CHECKED"
    yield f"{to_one_line(report.runtime)}: {action}"
    yield f"last tick {format_in_zones(report.taken_at, zones)}"
    signals = [
        _Row(
            _LABELS[covered.state],
            f"{covered.title}: {to_one_line(covered.why)}" if covered.why else covered.title,
            _CALM_RANK if covered.state == "ok" else _LOUD_RANK,
        )
        for covered in report.coverage
    ]
    events = [
        _Row(
            event.severity.upper(),
            to_one_line(f"{event.type}: {event.summary}") + (" (held: not seen now)" if event.held else ""),
            _CRITICAL_RANK if event.severity == "critical" else _WARNING_RANK,
        )
        for event in report.events
    ]
    blank = _Row("", "")
    rows = [blank, *signals, blank, *(events or [_Row("", "no condition holds")])]
    for row in rows if size is None else _cut_rows(rows, *size):
        yield _format_row(row, colour)


def _cut_rows(rows: list[_Row], columns: int, lines: int) -> list[_Row]:
    """Return the rows that fit, in their order: first the loud ones, and at the end how many are left out."""
    left = lines - _FRAME_LINES
    by_rank = sorted(range(len(rows)), key=lambda index: (rows[index].rank, index))
    kept = set()
    for index in by_rank:
        left -= -(-(len(rows[index].text) + _WIDTH + 3) // columns)
        if left >= 0:
            kept.add(index)
    missing = sum(bool(row.label) for index, row in enumerate(rows) if index not in kept)
    note = [_Row("", f"and {missing} more, for which this window is too small")] if missing else []
    return [row for index, row in enumerate(rows) if index in kept] + note


def _format_row(row: _Row, colour: bool) -> str:
    if not row.label:
        return f"  {row.text}".rstrip()
    label = f"{row.label:<{_WIDTH}}"
    if colour:
        label = f"{_LOUD if row.rank <= _LOUD_RANK else _CALM}{label}{_PLAIN}"
    return f"  {label} {row.text}"


def format_tick(report: Report, zones: tuple[str, ...]) -> str:
    """Return one tick as a line: the decision, and the signatures of the worst events."""
    names = format_first([event.signature for event in report.events], _MOST_NAMES)
    return to_one_line(format_decision(report, zones) + (f"; {names}" if names else ""))


def render_unit(kind: Literal["systemd", "launchd"], arguments: Sequence[str], state: str) -> str:
    """Return a unit that runs `watch` with these arguments and may write `state`; nothing is installed."""
    return _render_systemd(arguments, state) if kind == "systemd" else _render_launchd(arguments)


def _render_systemd(arguments: Sequence[str], state: str) -> str:
    command = " ".join(_escape_argument(text) for text in arguments)
    name = state.removeprefix(_STATE_ROOT)
    is_own = state.startswith(_STATE_ROOT) and _STATE_NAME.fullmatch(name) is not None
    folder = f"StateDirectory={name}" if is_own else f"ReadWritePaths={_escape_path(state)}"
    hint = "systemd makes the folder of --state" if is_own else "make the folder of --state for it first"
    return f"""\
# /etc/systemd/system/pt-health-detector.service: set User= to the account of the runtime
# ({hint}), then
# systemctl daemon-reload && systemctl enable --now pt-health-detector
[Unit]
Description=Read-only health detector of the trading runtime
After=network-online.target
Wants=network-online.target

[Service]
Type=simple
User=nobody
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=10
TimeoutStopSec=120
{folder}
Environment={_escape_path(f"XDG_STATE_HOME={state}")}
{_HARDENING}[Install]
WantedBy=multi-user.target
"""


def _escape_path(path: str) -> str:
    """Return a path of ReadWritePaths: systemd expands % in it."""
    escaped = path.replace("\\", "\\\\").replace("%", "%%").replace('"', '\\"')
    return f'"{escaped}"'


def _escape_argument(text: str) -> str:
    """Return a word of ExecStart: systemd expands % and $ in it."""
    text = text.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$").replace('"', '\\"')
    return f'"{text}"' if any(letter in text for letter in ' \t"') or not text else text


def _render_launchd(arguments: Sequence[str]) -> str:
    words = "\n".join(f"    <string>{escape(text)}</string>" for text in arguments)
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- ~/Library/LaunchAgents/pt-health-detector.plist; not tried on a Mac. Then:
     launchctl bootstrap gui/$(id -u) ~/Library/LaunchAgents/pt-health-detector.plist -->
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>pt-health-detector</string>
  <key>ProgramArguments</key>
  <array>
{words}
  </array>
  <key>EnvironmentVariables</key>
  <dict>
    <key>PATH</key>
    <string>/usr/bin:/bin:/usr/sbin:/sbin</string>
  </dict>
  <key>KeepAlive</key>
  <true/>
  <key>ThrottleInterval</key>
  <integer>10</integer>
  <key>ExitTimeOut</key>
  <integer>120</integer>
  <key>Umask</key>
  <integer>63</integer>
  <key>ProcessType</key>
  <string>Background</string>
</dict>
</plist>
"""
