"""The tables of trades and of positions of a statement of IBKR's, with Flex's names of their columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field

from detector.formats.errors import UNREADABLE, ExternalError
from detector.formats.similar_names import normalize_key

if TYPE_CHECKING:
    from xml.etree import ElementTree

TRADES, POSITIONS = "trades", "open positions"
QUANTITIES = {"quantity", "position"}
"""The names of the column of a quantity."""
_NULLS = {"", "-", "--", "N/A", "MULTI"}
Cells = Mapping[str, str]


class StatementTable(Struct):
    """Sections of one kind: their rows, and how many rows did not fit their header; "" is any other kind."""

    kind: str
    rows: list[Cells] = field(default_factory=list)
    misfits: int = 0


class StatementTables(Struct):
    """The tables of a statement, and when it was generated, as it writes that."""

    tables: list[StatementTable] = field(default_factory=list)
    times: list[str] = field(default_factory=list)

    def find(self, kind: str) -> list[StatementTable]:
        """Return the tables of that kind."""
        return [table for table in self.tables if table.kind == kind]


def parse_flex_xml(data: bytes) -> ElementTree.Element:
    """Return the root element; raises ExternalError, also for a document type: it may define entities."""
    from xml.etree import ElementTree  # noqa: PLC0415 - only a statement pays for it

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ExternalError("its XML is not UTF-8", reason=UNREADABLE) from None
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ExternalError("its XML has a document type, which is not read", reason=UNREADABLE)
    try:
        return ElementTree.fromstring(text)  # noqa: S314 - no document type, so that no entity is defined
    except ElementTree.ParseError:
        raise ExternalError("its XML cannot be read: it may have broken off", reason=UNREADABLE) from None


def strip_cells(cells: Iterable[tuple[str, str]]) -> Cells:
    """Return the cells that hold something, by the plain names of their columns."""
    return {normalize_key(name): cell for name, cell in cells if cell.strip().upper() not in _NULLS}


def find_missing(rows: Sequence[Mapping[str, object]], kind: str) -> list[str]:
    """Return what no row has and each must have: the query lacks it, or its column has another name."""
    needed = {"quantity": QUANTITIES, **({"datetime": {"datetime"}} if kind == TRADES else {})}
    return [name for name, names in needed.items() if rows and not any(map(names.intersection, rows))]
