"""The broker's lists as rows, in whatever shape of `layouts` they were written.

A row becomes an object of columns, with the objects that it consists of beside them: `{"contract": {…},
"position": 39}`. A list in no known shape is a fault that names the shape that it is nearest to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct, field

from detector.formats.numbers import format_count
from detector.formats.redaction import get_account_kind
from detector.formats.similar_names import is_nearly, normalize_key
from detector.readers.broker.layouts import (
    ACCOUNT_VALUE,
    ANSWER_KEYS,
    ANSWER_ROWS,
    ARRAYS,
    CLASSES,
    PARTS,
    ROW_KEYS,
    ArrayLayout,
)
from detector.readers.broker.list_text import (
    FEWEST_COLUMNS,
    describe_text,
    is_object_text,
    normalize_numbers,
    parse_list_text,
    parse_object,
)

_PARTS = {normalize_key(name): name for name in reversed(PARTS)}
_FLATTENED = ("contract", "execution", "orderStatus", "commissionReport", "order")
Row = Mapping[str, Any]


class RowShape(Struct, frozen=True):
    """What a list is of: its kind, the columns that it may have, and those of which a row needs one.

    `has_points`: its numbers are known to have decimal points, as IBKR writes a statement.
    """

    kind: str
    columns: Collection[str]
    required: Collection[str] = ()
    has_points: bool = False

    def has_column(self, keys: Iterable[str]) -> bool:
        """Whether one of the keys is a column, or a part of a row."""
        names = {normalize_key(key) for key in keys} | {_split_key(key)[0] for key in keys}
        return not names.isdisjoint(self.columns) or not names.isdisjoint(_PARTS)


class NormalizedList(Struct):
    """The rows of a list, None where it is in no known shape, and what was not understood (path, problem)."""

    rows: list[Any] | None = None
    problems: list[tuple[str, str]] = field(default_factory=list)


def normalize_list(raw: Any, shape: RowShape) -> NormalizedList:
    """Return the rows of a list that is written in any known shape."""
    normalized = NormalizedList()
    entries = _list_entries(raw, shape, normalized)
    if entries is not None:
        rows = [_normalize_row(entry, shape, normalized) for entry in entries]
        normalized.rows = normalize_numbers(rows, has_points=shape.has_points)
        answer = raw if isinstance(raw, dict) else {}
        normalized.problems += [("", problem) for problem in _iter_signs_of_more(answer, rows)]
    return normalized


def _iter_signs_of_more(answer: Row, rows: Sequence[Any]) -> Iterator[str]:
    """Yield why the broker may have more rows: it counts more, or these are one full page of its answer."""
    plain, first = (
        {normalize_key(key): value for key, value in part.items()} if isinstance(part, dict) else {}
        for part in (_strip_envelope(answer), next(iter(rows), None))
    )
    if str(len(rows)) in (str(part.get("pagesize")) for part in (plain, first)):
        yield f"is one full page of {format_count(len(rows), 'row')}, and the next page is not in it"
    count = plain.get("count")
    if isinstance(count, int) and count > len(rows):
        yield f"has {len(rows)} of {format_count(count, 'row')}"


def _list_entries(raw: Any, shape: RowShape, normalized: NormalizedList) -> Sequence[Any] | None:
    """Return the entries of a list, of a vendor's answer, of a data frame, or of an object of rows."""
    text = raw if isinstance(raw, str) else ""
    if text:
        parsed = parse_object(text) or parse_list_text(text, shape.has_column)
        raw = text if parsed is None else parsed
    if isinstance(raw, list):
        return _apply_header(raw, shape)
    if not isinstance(raw, dict) or not raw:
        kind = "an empty object" if raw == {} else "text" if isinstance(raw, str) else "no list"
        normalized.problems.append(("", f"is {kind}, not a list of {shape.kind}s{describe_text(text)}"))
        return None
    plain = _strip_envelope(strip_class(raw, CLASSES))
    for find in (_find_answer, _find_frame, _find_single_row, _find_keyed_rows):
        entries = find(plain, shape, normalized)
        if entries is not None:
            return entries
        if normalized.problems:
            return None
    normalized.problems.append(("", _describe_object(plain, shape)))
    return None


def _strip_envelope(raw: Row) -> Row:
    """Return the answer in an answer: `{"result": {"positions": […]}}`."""
    key = next(iter(raw)) if len(raw) == 1 else ""
    inner = raw.get(key)
    return _strip_envelope(inner) if isinstance(inner, dict) and normalize_key(key) in ANSWER_ROWS else raw


def _apply_header(rows: list[Any], shape: RowShape) -> list[Any]:
    """Return the rows as objects where the first of them is an array of the names of their columns."""
    header = rows[0] if rows else None
    if not isinstance(header, list) or not all(isinstance(name, str) for name in header):
        return rows
    if not all(isinstance(row, list) and len(row) == len(header) for row in rows):
        return rows
    is_header = sum(shape.has_column([name]) for name in header) >= FEWEST_COLUMNS
    return [dict(zip(header, row, strict=True)) for row in rows[1:]] if is_header else rows


def _describe_object(raw: Row, shape: RowShape) -> str:
    is_sums = all(isinstance(value, int | float) for value in raw.values())
    hint = (
        "; this looks like quantities by a name: export the contract and the account too" if is_sums else ""
    )
    return f"is an object in which no {shape.kind}s are recognised{hint}"


def _find_answer(raw: Row, shape: RowShape, normalized: NormalizedList) -> Sequence[Any] | None:
    """Return the rows of a vendor's whole answer: `{"orders": […], "snapshot": true}`."""
    if raw.get("error"):
        normalized.problems.append(("", "holds an error instead of its rows"))
        return None
    if "columns" in raw and isinstance(raw.get("data"), list):  # a data frame, orient "split"
        columns = raw["columns"]
        if isinstance(columns, list):
            return [
                dict(zip(columns, row, strict=False)) if isinstance(row, list) else row for row in raw["data"]
            ]
    if not {normalize_key(key) for key in raw} <= ANSWER_KEYS:
        return None
    rows = next((raw[key] for key in ANSWER_ROWS if isinstance(raw.get(key), list)), None)
    if raw.get("snapshot") is False and not rows:
        problem = "is a first answer of the Client Portal (snapshot false): not known yet, ask again"
        normalized.problems.append(("", problem))
        return None
    return rows


def _find_frame(raw: Row, shape: RowShape, normalized: NormalizedList) -> Sequence[Any] | None:
    """Return the rows of a data frame whose keys are its columns (orients "columns" and "list")."""
    if not shape.has_column(raw):
        return None
    values = list(raw.values())
    if all(isinstance(value, list) for value in values) and len({len(value) for value in values}) == 1:
        return [dict(zip(raw, cells, strict=True)) for cells in zip(*values, strict=True)]
    if not all(isinstance(value, dict) for value in values):
        return None
    index = list(values[0])
    if any(value.keys() != values[0].keys() for value in values) or shape.has_column(index):
        return None
    return [{key: value[label] for key, value in raw.items()} for label in index]


def _find_single_row(raw: Row, shape: RowShape, normalized: NormalizedList) -> Sequence[Any] | None:
    return [raw] if shape.has_column(raw) else None


def _find_keyed_rows(raw: Row, shape: RowShape, normalized: NormalizedList) -> Sequence[Any] | None:
    """Return rows that stand under a key: of an index, an id, a symbol, or the account that they are of."""
    entries: list[Any] = []
    for key, value in raw.items():
        if isinstance(value, list):
            rows = [_normalize_row(entry, shape, normalized) for entry in value]
            has_account = get_account_kind(key) is not None
            entries += [
                {"account": key, **row} if has_account and isinstance(row, dict) else row for row in rows
            ]
        elif get_account_kind(key) is not None and _is_group(value, shape):
            group = _find_keyed_rows(value, shape, normalized) or [value]
            entries += [{"account": key, **row} if isinstance(row, dict) else row for row in group]
        elif shape.kind == ACCOUNT_VALUE and not isinstance(value, dict):
            entries.append({"tag": key, "value": value})
        else:
            row = _normalize_row(value, shape, normalized)
            entries.append(_add_name(row, key, shape) if isinstance(row, dict) else row)
    is_known = any(isinstance(row, dict) and shape.has_column(row) for row in entries)
    return entries if is_known or not entries else None


def _is_group(value: Any, shape: RowShape) -> bool:
    """Whether the value is an object of rows: those of an account, by symbol or id."""
    is_object = isinstance(value, dict) and not shape.has_column(value)
    return is_object and all(isinstance(row, dict) for row in value.values())


def _add_name(row: dict[str, Any], key: str, shape: RowShape) -> dict[str, Any]:
    """Return the row, named by its key where it names nothing itself."""
    if get_account_kind(key):
        return {"account": key, **row}
    if contract := parse_object(key):
        return {"contract": strip_class(contract, None), **row}
    digits, text = ROW_KEYS[shape.kind]
    if "contract" in row or any(normalize_key(name) in shape.required for name in row):
        return row
    return {(digits if key.isdigit() else text): key, **row}


def _normalize_row(entry: Any, shape: RowShape, normalized: NormalizedList) -> Any:
    """Return one row as an object; what is none stays as it is, for the reader to refuse."""
    if isinstance(entry, str) and entry[:1] in ("{", "["):
        entry = parse_list_text(entry, shape.has_column) or entry
    if isinstance(entry, list) and [type(part) for part in entry] == [str, dict]:  # an item of a dictionary
        row = _normalize_row(entry[1], shape, normalized)
        return _add_name(row, entry[0], shape)
    if isinstance(entry, str) and is_object_text(entry):
        entry = parse_object(entry) or entry
        if isinstance(entry, str):
            normalized.problems.append(("", _describe_text(shape)))
    if isinstance(entry, list):
        layout = _find_layout(entry, shape)
        if layout is None:
            normalized.problems.append(("", _describe_array(entry, shape)))
            return entry
        entry = dict(zip(layout.fields, entry, strict=True))
    if not isinstance(entry, dict):
        return entry
    return dict(_iter_cells(strip_class(entry, CLASSES), shape, normalized))


def _iter_cells(row: Row, shape: RowShape, normalized: NormalizedList) -> Iterator[tuple[str, Any]]:
    """Yield the cells of a row, the objects in it without their class, and flattened ones put together."""
    flattened: dict[str, dict[str, Any]] = {}
    for key, value in row.items():
        part, inner = _split_key(key)
        if inner and normalize_key(key) not in shape.columns:
            flattened.setdefault(part, {})[inner] = value
        elif plain := _PARTS.get(normalize_key(key)):
            name = key if key in PARTS or plain in row else plain  # `CONTRACT`, `order-status`
            yield name, _normalize_part(key, value, shape, normalized)
        else:
            yield key, _normalize_objects(value)
    for part, cells in flattened.items():
        if part not in row:
            yield _PARTS.get(part, part), cells


def _normalize_part(key: str, value: Any, shape: RowShape, normalized: NormalizedList) -> Any:
    if isinstance(value, str):
        parsed = parse_object(value)
        if parsed is None and value[:1] == "{":
            parsed = parse_list_text(value, shape.has_column)
        if parsed is None and value:
            normalized.problems.append((key, _describe_text(shape)))
            return None
        value = parsed
    if not isinstance(value, dict):
        return value
    cells = strip_class(value, None)
    # pandas writes the constants of a class among the fields of an object: {"Filled": "Filled"}.
    return {name: _normalize_objects(cell) for name, cell in cells.items() if cell != name}


def _normalize_objects(value: Any) -> Any:
    """Return a list of objects (the legs of a combo, the log of an order) as objects without their class."""
    if isinstance(value, str) and (value[:2] == "[{" or (value[:1] == "[" and is_object_text(value[1:]))):
        value = parse_list_text(value, bool) or value  # a cell of a CSV
    if is_object_text(value):  # under a key of nobody, which may be nearly one
        parsed = parse_object(value)
        return value if parsed is None else strip_class(parsed, None)
    if not isinstance(value, list):
        return value
    objects = [(parse_object(item) or item) if isinstance(item, str) else item for item in value]
    return [strip_class(item, CLASSES) if isinstance(item, dict) else item for item in objects]


def strip_class(item: Row, classes: Collection[str] | None) -> Row:
    """Return the object in `{"Stock": {…}}`, with what its class sets; in a part any class may be."""
    if len(item) == 1:
        name, inner = next(iter(item.items()))
        if isinstance(inner, dict) and (name in classes if classes is not None else name[:1].isupper()):
            implied = CLASSES.get(name, {})
            return {**{key: implied[key] for key in implied if not _has_misspelt(inner, key)}, **inner}
    return item


def _has_misspelt(item: Row, name: str) -> bool:
    """Whether a key is nearly the name of a field: then what its class implies is not what is meant."""
    return name not in item and any(is_nearly(key, name, strict=False) for key in item)


@lru_cache(maxsize=1024)  # the keys of very many rows are few
def _split_key(key: str) -> tuple[str, str]:
    """Return part and column of a flattened key, such as `contract.symbol`; other keys have no column."""
    for mark in (".", "__", "_"):
        part, mark_text, inner = key.partition(mark)
        if mark_text and inner and part in _FLATTENED and (mark != "_" or part != "order"):
            return normalize_key(part), inner
    return key, ""


def _find_layout(cells: Sequence[Any], shape: RowShape) -> ArrayLayout | None:
    for layout in ARRAYS.get(shape.kind, ()):
        fits = len(cells) == len(layout.fields) and all(
            _is_object(cells[number]) for number in layout.objects
        )
        if fits and all(isinstance(cells[number], int) for number in layout.integers):
            return layout
    return None


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) or is_object_text(value)


def _describe_array(cells: Sequence[Any], shape: RowShape) -> str:
    return (
        f"has a row that is an array of {format_count(len(cells), 'value')}, as no known {shape.kind} is;"
        " this looks like to_json(orient='values') of a data frame: export it with the names of its fields"
    )


def _describe_text(shape: RowShape) -> str:
    return (
        f"is an object as text that cannot be read; this looks like util.df() or str() of {shape.kind}s:"
        " export its fields too, as util.tree() does"
    )
