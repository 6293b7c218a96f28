"""What the world puts around a log line: one function a layer, with key names and numbers drawn at random."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

Layer = Callable[[str, Random], str]
TIME = "2026-06-02T14:31:07.104482"
# Names that a reader must neither read nor be silenced by, and numbers that look like codes.
_NAMES = (
    "ib-gateway-docker-1",
    "existing-session-detected",
    "login-failed-test",
    "bot",
    "margin-call-liquidator",
)
_NUMBERS = (1100, 1102, 2103, 326, 201, 4002, 7)


def _name(random: Random) -> str:
    return random.choice(_NAMES)


def _key(random: Random) -> str:
    return "".join(random.choice("abcdfghjkqvwxyz") for _ in range(random.randint(3, 9)))


def _case(key: str, random: Random) -> str:
    return random.choice((key, key.upper(), key.title(), f"_{key}", f"@{key}"))


def _json(fields: dict[str, object], random: Random) -> str:
    items = list(fields.items())
    random.shuffle(items)
    return json.dumps(dict(items), ensure_ascii=random.random() < 0.5)


def cri(text: str, random: Random) -> str:
    return f"{TIME}123Z {random.choice(('stdout', 'stderr'))} F {text}"


def docker_json(text: str, random: Random) -> str:
    return _json({"log": text + "\n", "stream": "stderr", "time": f"{TIME}Z"}, random)


def docker_times(text: str, random: Random) -> str:
    return f"{TIME}123Z {text}"


def compose(text: str, random: Random) -> str:
    return f"{_name(random)}  | {text}"


def journald_json(text: str, random: Random) -> str:
    return _json(
        {
            "MESSAGE": text,
            "__REALTIME_TIMESTAMP": "1780410667104482",
            "_PID": str(random.choice(_NUMBERS)),
            "SYSLOG_IDENTIFIER": _name(random),
            "PRIORITY": "6",
        },
        random,
    )


def journald_short(text: str, random: Random) -> str:
    return f"Jun 02 14:31:07 {_name(random)} {_name(random)}[{random.choice(_NUMBERS)}]: {text}"


def syslog_3164(text: str, random: Random) -> str:
    return f"<14>Jun  2 14:31:07 host01 docker/{_name(random)}[{random.choice(_NUMBERS)}]: {text}"


def syslog_5424(text: str, random: Random) -> str:
    data = random.choice(("-", f'[meta@1 seq="{random.choice(_NUMBERS)}"]'))
    return f"<14>1 {TIME}Z host01 {_name(random)} {random.choice(_NUMBERS)} ID47 {data} {text}"


def heroku(text: str, random: Random) -> str:
    return f"{TIME}+00:00 app[worker.{random.randint(1, 9)}]: {text}"


def firelens(text: str, random: Random) -> str:
    return _json(
        {"container_name": f"/{_name(random)}", "source": "stdout", "log": text, "ecs_task": "bot:1100"},
        random,
    )


def gcp(text: str, random: Random) -> str:
    payload = {"message": text, "logger": _name(random), _key(random): random.choice(_NUMBERS)}
    return _json({"severity": "INFO", "timestamp": f"{TIME}Z", "jsonPayload": payload}, random)


def gelf(text: str, random: Random) -> str:
    return _json(
        {
            "version": "1.1",
            "host": _name(random),
            "short_message": text,
            "level": 6,
            "timestamp": 1780410667.104,
            "_pid": random.choice(_NUMBERS),
        },
        random,
    )


def serilog(text: str, random: Random) -> str:
    return _json({"@t": f"{TIME}Z", "@m": text, "@i": "2f1a", "SourceContext": _name(random)}, random)


def elastic(text: str, random: Random) -> str:
    return _json(
        {
            "@timestamp": f"{TIME}Z",
            "log.level": "INFO",
            "message": text,
            "container": {"name": _name(random)},
        },
        random,
    )


def zap(text: str, random: Random) -> str:
    return _json({"level": "info", "ts": 1780410667.1, "caller": "ib/client.go:1100", "M": text}, random)


def pino(text: str, random: Random) -> str:
    pid = random.choice(_NUMBERS)
    return _json(
        {"level": 30, "time": 1780410667104, "pid": pid, "hostname": _name(random), "msg": text}, random
    )


def structlog(text: str, random: Random) -> str:
    return _json({"event": text, "logger": _name(random), "level": "info", "timestamp": f"{TIME}Z"}, random)


def loguru(text: str, random: Random) -> str:
    return f"2026-06-02 14:31:07.104 | INFO     | bot.ib:on_error:{random.choice(_NUMBERS)} - {text}"


def python_logging(text: str, random: Random) -> str:
    return f"2026-06-02 14:31:07,104 - {_name(random)} - INFO - {text}"


def log4j(text: str, random: Random) -> str:
    return f"2026-06-02 14:31:07,104 [EReader-{random.randint(1, 9)}] INFO  IBHandler - {text}"


def logfmt(text: str, random: Random) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'time={TIME}Z level=info {_key(random)}={_name(random)} msg="{quoted}" pid={random.choice(_NUMBERS)}'
    )


def logfmt_unknown(text: str, random: Random) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'{_key(random)}={TIME}Z {_key(random)}="{quoted}" {_key(random)}={random.choice(_NUMBERS)}'


def colour(text: str, random: Random) -> str:
    escape = random.choice(("\x1b", "#033", "^[", "\\u001b", "\\x1b", "\\033"))
    return f"{escape}[{random.randint(30, 37)}m{text}{escape}[0m"


def zerolog(text: str, random: Random) -> str:
    return f"{random.randint(1, 12)}:31PM INF {text}"


def runner(text: str, random: Random) -> str:
    mark = random.choice(("[error]", "[warning]", "vso[task.logissue type=error]"))
    return f"{TIME}1Z ##{mark}{text}"


def json_known(text: str, random: Random) -> str:
    key = _case(random.choice(("message", "msg", "text", "body", "log")), random)
    return _json({key: text, _key(random): _name(random), _key(random): random.choice(_NUMBERS)}, random)


def json_unknown(text: str, random: Random) -> str:
    fields: dict[str, object] = {
        f"{_key(random)}t": text,  # no other key has a t
        _key(random): _name(random),
        _key(random): random.choice(_NUMBERS),
        _key(random): f"{TIME}Z",
    }
    for _ in range(random.randint(0, 3)):
        fields = {_key(random): fields, _key(random): _name(random)}
    return _json(fields, random)


def json_behind_prefix(text: str, random: Random) -> str:
    return f"{TIME}Z {_name(random)}[{random.choice(_NUMBERS)}]: {json_known(text, random)}"


def utf16_bytes(text: str, random: Random) -> str:
    """The line as UTF-16 of which each byte was taken for a letter, as PowerShell's `>` leaves a file."""
    return "".join(f"{letter}\0" for letter in text)


LAYERS: tuple[Layer, ...] = (
    cri, docker_json, docker_times, compose, journald_json, journald_short, syslog_3164, syslog_5424, heroku,
    firelens, gcp, gelf, serilog, elastic, zap, pino, structlog, loguru, python_logging, log4j, logfmt,
    logfmt_unknown, colour, zerolog, runner, json_known, json_unknown, json_behind_prefix, utf16_bytes,
)  # fmt: skip
