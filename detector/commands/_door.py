"""What every command is handed by the door: environment, clock, streams; and the settings in force."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypeVar

from detector.catalog import all_rules
from detector.model.facts import FACT_NAMES
from detector.model.market import NONE, parse_closures
from detector.model.mute import Mute, MuteError, parse_mutes
from detector.model.profile import Profile, ProfileError, parse_profile
from detector.profiles import builtin, names
from detector.settings import (
    ENV_FILE,
    MARKET_CLOSURES,
    MUTES,
    PROFILE,
    REQUIRED,
    Settings,
    SettingsError,
    parse_env_file,
    resolve,
)

T = TypeVar("T")
_NO_MUTES: tuple[Mute, ...] = ()


class Refused(Exception):  # noqa: N818 - an answer to the caller, not a fault of the program
    """Bad input, usage or settings: exit 2; each line is said on stderr."""

    def __init__(self, *lines: str) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Door:
    """The outside world as the command line got it; nothing below asks for it anywhere else."""

    environ: Mapping[str, str]
    clock: Callable[[], datetime]
    stdin: BinaryIO
    stdout: BinaryIO
    stderr: TextIO

    def say(self, line: str) -> None:
        """Print one line for people on stderr."""
        self.stderr.write(line + "\n")
        self.stderr.flush()

    def settings(self, env_file: str | None = None) -> Settings:
        """Return the settings in force, files included; raises Refused with every fault at once."""
        try:
            texts = {name: text for name, text in self.environ.items() if name.startswith("AEGIS")}
            path = env_file or texts.get(ENV_FILE.name)
            layers = [("environment", texts)]
            if path:
                layers.insert(0, (path, parse_env_file(_text_of(path, "--env-file"), path)))
            settings = resolve(*layers)
        except SettingsError as error:
            raise Refused(*error.faults) from None
        return replace(settings, files=_files(settings))


def _files(settings: Settings) -> dict[str, Any]:
    unknown = [name for name in settings[REQUIRED] if name not in FACT_NAMES]
    if unknown:
        raise Refused(f"{REQUIRED.name}: no fact is named {unknown[0]!r}")
    money = [one.name for one in all_rules() if one.declaration.money]
    return {
        PROFILE.name: _profile(settings[PROFILE]),
        MARKET_CLOSURES.name: _file(MARKET_CLOSURES.name, settings[MARKET_CLOSURES], parse_closures, NONE),
        MUTES.name: _file(
            MUTES.name, settings[MUTES], lambda document: parse_mutes(document, money), _NO_MUTES
        ),
    }


def _profile(name: str) -> Profile:
    document = builtin(name)
    if document is not None:
        return parse_profile(document)
    if "/" not in name and not name.endswith(".toml"):
        raise Refused(
            f"{PROFILE.name}: no built-in profile {name!r} (there are: {', '.join(names())}) and no path"
        )
    return _file(PROFILE.name, name, parse_profile, parse_profile({}))


def _file(setting: str, path: str, parse: Callable[[Mapping[str, Any]], T], default: T) -> T:
    if not path:
        return default
    try:
        return parse(tomllib.loads(_text_of(path, setting)))
    except (ProfileError, MuteError, ValueError) as error:
        raise Refused(f"{setting}: {path}: {error}") from None


def _text_of(path: str, what: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise Refused(f"{what}: {path}: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise Refused(f"{what}: {path}: is not UTF-8 text") from None
