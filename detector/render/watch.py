"""The output of `watch`: a screen on a terminal, a line a tick in a pipe, and a supervisor's unit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal
from xml.sax.saxutils import escape

from detector.domain.report import Report
from detector.formats.patterns import build_pattern
from detector.formats.strict_json import to_one_line
from detector.render.lines import format_decision, format_in_zones

CLEAR = "\x1b[H\x1b[2J"
_LOUD, _CALM, _PLAIN = (
    "\x1b[1;7m",
    "\x1b[34m",
    "\x1b[0m",
)  # inverse and blue: told apart without red and green
_LABELS = {"firing": "FIRING", "not seen": "NOT SEEN", "ok": "ok"}
_WIDTH = 10
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


def render_screen(report: Report, zones: tuple[str, ...], colour: bool) -> Iterator[str]:
    """Yield the lines of the screen; every state is a word too, so that no colour is needed to read it."""
    yield f"{to_one_line(report.runtime)}: {report.decision.action.upper()}"
    yield f"last tick {format_in_zones(report.taken_at, zones)}"
    yield ""
    for covered in report.coverage:
        label = _format_label(f"{_LABELS[covered.state]:<{_WIDTH}}", covered.state != "ok", colour)
        why = f": {to_one_line(covered.why)}" if covered.why else ""
        yield f"  {label} {covered.title}{why}"
    yield ""
    if not report.events:
        yield "  no condition holds"
    for event in report.events:
        label = _format_label(f"{event.severity.upper():<{_WIDTH}}", event.severity == "critical", colour)
        held = " (held: not seen now)" if event.held else ""
        yield f"  {label} {to_one_line(event.summary)}{held}"


def _format_label(text: str, is_loud: bool, colour: bool) -> str:
    return f"{_LOUD if is_loud else _CALM}{text}{_PLAIN}" if colour else text


def format_tick(report: Report, zones: tuple[str, ...]) -> str:
    """Return one tick as a line."""
    return to_one_line(format_decision(report, zones))


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
