"""A path of a profile: how a value is found in a payload, and the keys that it needs there.

Paths are JMESPath. Plain dotted paths are compiled to plain look-ups, so that the library is loaded only
where a profile needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from detector.formats.errors import InputError

Extractor = Callable[[Any], Any]
KeyPath = tuple[str, ...]
# Nodes of which only the first child is found at the root.
_ROOTED = (
    "projection",
    "filter_projection",
    "value_projection",
    "flatten",
    "index_expression",
    "pipe",
    "subexpression",
)
_PROJECTIONS = ("projection", "filter_projection")


class _Missing:
    """Marks a path that does not exist in the payload, which differs from null."""


MISSING = _Missing()


@lru_cache(maxsize=1024)
def is_plain_path(path: str) -> bool:
    """Return whether the path is a dotted name."""
    return path.isascii() and all(name.isidentifier() for name in path.split("."))


def build_extractor(path: str, location: str = "") -> Extractor:
    """Return the extractor of one path; it returns MISSING where the path does not exist.

    JMESPath cannot distinguish null from a missing value, so both are MISSING. Raises InputError for a path
    that no payload can satisfy: its grammar, an unknown function, a wrong number of arguments. The extractor
    raises InputError, which names `location`, where the path fails on a payload.
    """
    if is_plain_path(path):
        return _build_key_extractor(path) if "." not in path else _build_dotted_extractor(path.split("."))
    expression = _parse_expression(path)
    from jmespath.exceptions import JMESPathError  # noqa: PLC0415 - as jmespath itself

    def extract(payload: Any) -> Any:
        try:
            value = expression.search(payload)
        except (JMESPathError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            problem = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"the path {location} = {path!r} fails on it ({problem})") from None
        return MISSING if value is None else value

    return extract


def _parse_expression(path: str) -> Any:
    import jmespath  # noqa: PLC0415 - only a profile with such a path pays for it
    from jmespath.exceptions import JMESPathError  # noqa: PLC0415 - as jmespath itself
    from jmespath.functions import Functions  # noqa: PLC0415 - as jmespath itself

    try:
        expression = jmespath.compile(path)
    except JMESPathError as error:
        problem = str(error).splitlines()[0].removesuffix(", for expression:")
        raise InputError(f"{path!r} is no JMESPath expression: {problem}") from None
    for node in _iter_nodes(expression.parsed):
        if node["type"] == "function_expression":
            declared = Functions.FUNCTION_TABLE.get(node["value"])
            if declared is None:
                raise InputError(f"there is no function {node['value']}()")
            _check_arguments(node, declared["signature"])
    return expression


def _check_arguments(node: Mapping[str, Any], signature: tuple[Any, ...]) -> None:
    is_variadic = bool(signature) and signature[-1].get("variadic", False)
    count, expected = len(node["children"]), len(signature)
    if count < expected or (count > expected and not is_variadic):
        raise InputError(f"{node['value']}() takes {expected} arguments, not {count}")


def _iter_nodes(node: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, dict):
        yield node
        for child in node.get("children", ()):
            yield from _iter_nodes(child)


def _build_key_extractor(key: str) -> Extractor:
    return lambda payload: payload.get(key, MISSING)


def _build_dotted_extractor(keys: list[str]) -> Extractor:
    def extract(payload: Any) -> Any:
        for key in keys:
            if not isinstance(payload, dict) or key not in payload:
                return MISSING
            payload = payload[key]
        return payload

    return extract


def list_key_paths(path: str) -> tuple[KeyPath, ...]:
    """Return the keys, each in the object of the one before, that a path needs from the payload's root."""
    if is_plain_path(path):
        return (tuple(path.split(".")),)
    import jmespath  # noqa: PLC0415 - only a profile with such a path pays for it

    return tuple(dict.fromkeys(_iter_root_keys(jmespath.compile(path).parsed)))


def _iter_root_keys(node: Mapping[str, Any]) -> Iterator[KeyPath]:
    """Yield the chains of fields that begin at the root; what a filter needs is of its rows."""
    kind, children = node["type"], node.get("children", ())
    if kind == "field":
        yield (node["value"],)
    elif kind == "subexpression" and all(child["type"] == "field" for child in children):
        yield tuple(child["value"] for child in children)
    elif kind in _ROOTED:
        roots = _iter_root_keys(children[0])
        # In `[object][?…].key` the rows are objects of the payload.
        is_of_root = kind in _PROJECTIONS and children[0]["type"] == "multi_select_list"
        inner = list(_iter_root_keys(children[1])) if is_of_root else []
        yield from ((*root, *keys) for root in roots for keys in inner or ((),))
    else:
        for child in children:
            if isinstance(child, dict):
                yield from _iter_root_keys(child)
