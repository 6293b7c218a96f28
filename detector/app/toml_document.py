"""What people write, checked: a TOML document by a pydantic model, each fault with its key and line.

Only a file of the user's loads it; what is built in was checked by a test.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic_core import ErrorDetails

from detector.domain.payload_path import build_extractor
from detector.formats.errors import InputError
from detector.formats.patterns import build_pattern
from detector.formats.similar_names import describe_nearest_name
from detector.formats.strict_json import redact_excerpt


def to_list(value: Any) -> Any:
    """Return a text as a list of one, and anything else as it is."""
    return [value] if isinstance(value, str) else value


def build_check(function: Callable[[str], object]) -> AfterValidator:
    """Return a check by a function that raises ValueError for a text that it cannot use."""

    def check(value: str) -> str:
        function(value)
        return value

    return AfterValidator(check)


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Path = Annotated[Text, build_check(build_extractor)]
"""A path of a profile."""
Names = Annotated[list[Text], Field(min_length=1), BeforeValidator(to_list)]
"""One name, or a list of them."""

# By the beginning of pydantic's type of an error; what is not listed keeps pydantic's own sentence.
_PROBLEMS = {
    "missing": "is missing",
    "string_too_short": "is empty",
    "too_short": "is empty",
    "string": "must be a text",
    "bool": "must be true or false",
    "model": "must be a table",
    "dict": "must be a table",
    "list": "must be a list: write [[{key}]], or [...]",
    "date": "must be a TOML date such as 2026-11-27",
    "literal_error": "must be one of {expected}",
    "value_error": "{error}",
}


class Table(BaseModel):
    """A table of a document: it has no keys but its own, and no value is converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


Document = TypeVar("Document", bound=Table)


def parse_document_text(
    text: str, model: type[Document], context: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], Document]:
    """Return the TOML document, as it is and as the model has it; `context` is for the model's own checks.

    Raises InputError with a line for each fault: `line 3: [status] mode: must be a text`.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(_describe_repeat(str(error), text) or str(error)) from None
    except RecursionError:
        raise InputError("is nested too deep") from None
    try:
        return document, model.model_validate(document, context=context)
    except ValidationError as error:
        raise InputError(*(_describe_fault(fault, text, model) for fault in error.errors())) from None


_REPEATED = build_pattern(
    r"(?:Cannot (?:overwrite|declare|mutate)|Duplicate).*\(at (?:line (\d+), column \d+|end of document)\)"
)


def _describe_repeat(problem: str, text: str) -> str | None:
    """Return the key or table that is written twice, with its line; None where something else is wrong."""
    match = _REPEATED.fullmatch(problem)
    if match is None:
        return None
    lines = text.splitlines()
    number = int(match[1] or len(lines))
    starts = (line.strip() for line in reversed(lines[:number]) if re.match(r"\s*[\w\"'\[.-]+.*[=\]]", line))
    written = next(starts, "")
    name = written if written.startswith("[") else written.partition("=")[0].strip()
    return f"line {number}: {redact_excerpt(name)} is written twice; leave one out"


def _describe_fault(fault: ErrorDetails, text: str, model: type[Table]) -> str:
    location = tuple(part for part in fault["loc"] if part != "[key]")
    line = find_line(text, location)
    name = describe_location(location)
    problem = _describe_problem(fault, location, model)
    return ": ".join(filter(None, (f"line {line}" if line else "", name, problem)))


def _describe_problem(fault: ErrorDetails, location: Location, model: type[Table]) -> str:
    kind = fault["type"]
    if kind == "extra_forbidden":
        known = _list_known_keys(model, location[:-1])
        return f"is not known; {describe_nearest_name(str(location[-1]), known)}"
    template = next((text for start, text in _PROBLEMS.items() if kind.startswith(start)), None)
    return (
        template.format(key=location[-1], **fault.get("ctx", {}))
        if template
        else fault["msg"].removeprefix("Input ")
    )


def _list_known_keys(model: type[Table], location: Location) -> list[str]:
    for part in location:
        if isinstance(part, str):
            model = _find_table(model.model_fields[part].annotation)
    return list(model.model_fields)


def _find_table(annotation: Any) -> type[Table]:
    """Return the model in an annotation such as `list[Mute]` or `Header | None`."""
    while not isinstance(annotation, type) or not issubclass(annotation, Table):
        annotation = next(arg for arg in get_args(annotation) if arg is not type(None))
    return annotation


Location = tuple[int | str, ...]
"""The way to a value in a parsed document: keys of tables and places in lists."""


def find_line(text: str, location: Location) -> int | None:
    """Return the number of the line of the key at that location, from 1.

    Where the key itself does not stand there, it is the line of the innermost table around it, else None.
    The text is TOML that can be read.
    """
    best, best_line = 0, None
    for line, path, least in _iter_statements(text):
        depth = _count_shared_parts(path, location)
        if depth > best and depth >= min(least, len(location)):
            best, best_line = depth, line
    return best_line


def describe_location(location: Location) -> str:
    """Return the location as its file writes it: `[rows.orders] side`, `[[mute]] number 2 until`."""
    if location and isinstance(location[-1], int):
        return f"{describe_location(location[:-1])} number {location[-1] + 1}"
    places = [number for number, part in enumerate(location) if isinstance(part, int)]
    if places:
        name, key = ".".join(map(str, location[: places[0]])), location[places[0] + 1 :]
        header = f"[[{name}]] number {int(location[places[0]]) + 1}"
    else:
        name, key = ".".join(map(str, location[:-1])), location[-1:]
        header = f"[{name}]" if name else ""
    return " ".join(filter(None, (header, ".".join(map(str, key)))))


def _count_shared_parts(first: Location, second: Location) -> int:
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _iter_statements(text: str) -> Iterator[tuple[int, Location, int]]:
    """Yield of each header and key its first line, its location, and how much of that must be shared with it.

    A statement may have many lines. A header is shared whole; of a dotted key the first part is enough.
    """
    table: Location = ()
    counts: Counter[Location] = Counter()
    begins, statement = 1, ""
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        statement += line
        try:
            document = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        if document:
            path = _list_keys(document)
            if statement.lstrip().startswith("["):
                is_list = statement.lstrip().startswith("[[")
                table = _add_places(path, counts, is_list)
                yield begins, table, len(table)
            else:
                yield begins, (*table, *path), len(table) + 1
        begins, statement = number + 1, ""


def _list_keys(document: Any) -> Location:
    """Return the keys of a statement from the outside in; a table that is written inline ends them."""
    keys: list[int | str] = []
    while isinstance(document, dict) and len(document) == 1:
        key, document = next(iter(document.items()))
        keys.append(key)
    return tuple(keys)


def _add_places(keys: Location, counts: Counter[Location], is_list: bool) -> Location:
    """Return the location of a header: behind each name of a list of tables stands the place in it."""
    path: Location = ()
    for depth, key in enumerate(keys, 1):
        path = (*path, key)
        counts[path] += is_list and depth == len(keys)
        if counts[path]:
            path = (*path, counts[path] - 1)
    return path
