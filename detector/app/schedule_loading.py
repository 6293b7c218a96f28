"""The schedule as the files of a checkout have it, and times as a command is given them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from detector.app.context import InputError
from detector.app.github_access import WORKER, WORKFLOW
from detector.formats.strict_json import redact_excerpt
from detector.formats.times import TimeError, parse_run_time

if TYPE_CHECKING:
    from detector.domain.schedule_windows import Lane

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LoadedSchedule:
    """The lanes, and the files that they were read from; `worker` is None where there is none.

    `title` is how the titles of the workflow's runs begin, `name` the workflow's own.
    """

    lanes: tuple[Lane, ...]
    workflow: Path
    worker: Path | None
    title: str
    name: str


def load_schedule(workflow: str | None, worker: str | None) -> LoadedSchedule:
    """Read the lanes out of the files named, or of those in this checkout; raises Refused.

    The Worker's file of the checkout belongs to the workflow of the checkout: beside another workflow it is read
    only where it is named.
    """
    from detector.schedule import get_title_prefix, parse_workflow_lanes, parse_yaml

    path = Path(workflow or WORKFLOW)
    if workflow is None and not path.is_file():
        raise InputError(
            f"there is no {WORKFLOW} here: run it in the repository's checkout, or name the file with --workflow"
        )
    document = _parse_file(path, "--workflow", parse_yaml)
    lanes = _parse_file(path, "--workflow", lambda _: parse_workflow_lanes(document))
    worker_path = (
        Path(worker) if worker else Path(WORKER) if workflow is None and Path(WORKER).is_file() else None
    )
    if worker_path is not None:
        lanes += load_worker_lanes(worker_path)
    name = str(document.get("name") or f".github/workflows/{path.name}")
    return LoadedSchedule(lanes, path, worker_path, get_title_prefix(document), name)


def load_worker_lanes(worker: Path) -> tuple[Lane, ...]:
    """Read the Worker's lanes out of its configuration; raises Refused."""
    from detector.schedule import parse_jsonc, parse_worker_lanes

    return _parse_file(worker, "--worker", lambda text: parse_worker_lanes(parse_jsonc(text)))


def _parse_file(path: Path, option: str, parse: Callable[[str], T]) -> T:
    from detector.schedule import ScheduleFileError

    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{option}: {path}: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise InputError(f"{option}: {path}: is not UTF-8 text") from None
    except ScheduleFileError as error:
        raise InputError(f"{option}: {path}: {error}") from None


def parse_time_option(text: str, option: str) -> datetime:
    """Read a time that was given by hand, RFC 3339 with an offset; raises Refused."""
    try:
        return parse_run_time(text)
    except TimeError as error:
        raise InputError(f"{option}: {redact_excerpt(text)!r} {error}") from None
