"""GitHub's own description of the operations that are called.

Every request of ours and every answer of a stand-in for it.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema

from tests.support.snapshots import ROOT

_KINDS = {"boolean": re.compile("true|false"), "integer": re.compile(r"-?[0-9]+")}
_MOST_A_PAGE = 100


@cache
def description() -> Any:
    return json.loads((ROOT / "scheduler" / "test" / "github-openapi.json").read_text())


def example(path: str) -> Any:
    """GitHub's own example of an answer."""
    content = description()["paths"][path]["get"]["responses"]["200"]["content"]
    return json.loads(json.dumps(content["application/json"]["example"]))


def check_request(method: str, target: str, headers: dict[str, str], body: bytes = b"") -> str:
    """Return the path of the description that a request is one of.

    Raises where it is none, or not as GitHub wants it.
    """
    parts = urlsplit(target)
    path = _path_of(parts.path)
    operation = description()["paths"][path][method.lower()]
    known = {one["name"]: one for one in operation["parameters"] if one["in"] == "query"}
    for name, text in parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)):
        assert name in known, f"{path} has no parameter {name}"
        kind = known[name]["schema"].get("type")
        assert kind not in _KINDS or _KINDS[kind].fullmatch(text), (name, text)
        assert name != "per_page" or int(text) <= _MOST_A_PAGE
    assert headers.get("user-agent"), "GitHub answers 403 without a User-Agent"
    assert headers.get("accept") == "application/vnd.github+json"
    assert headers.get("x-github-api-version") == "2022-11-28"
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator(schema).validate(json.loads(body))
    return path


def check_answer(path: str, method: str, status: int, body: Any) -> None:
    """Raise where an answer is none that GitHub could give.

    Statuses that it does not describe are not checked.
    """
    found = description()["paths"][path][method.lower()]["responses"].get(str(status))
    schema = ((found or {}).get("content") or {}).get("application/json", {}).get("schema")
    if schema is not None:
        jsonschema.Draft202012Validator(schema).validate(body)


def _path_of(target: str) -> str:
    for path in description()["paths"]:
        if re.fullmatch(re.sub(r"\{[a-z_]+\}", "[^/]+", path), target):
            return str(path)
    raise AssertionError(f"GitHub describes nothing at {target}")
