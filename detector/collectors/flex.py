"""The broker's statement from IBKR's Flex Web Service: fills and trade records, never what is held now."""

from __future__ import annotations

from collections.abc import Iterator

from detector.clients.flex_api import Flex
from detector.collectors._broker_source import lock_turn
from detector.collectors.collector import Answer, ConfiguredSource, SourceContext, SourceOption, strip_query
from detector.domain.flex_statement import parse_statement
from detector.domain.snapshot import STATEMENT
from detector.settings import FLEX_QUERY, FLEX_TOKEN, FLEX_URL, Settings

OPTIONS = (
    SourceOption(
        STATEMENT,
        (FLEX_TOKEN, FLEX_QUERY),
        "fills and realized P&L of yesterday and, late, of today, from IBKR's Flex Web Service",
    ),
)


def build_sources(settings: Settings) -> Iterator[ConfiguredSource]:
    """Yield the service, where its token is set."""
    if settings[FLEX_TOKEN]:
        location = f"query {settings[FLEX_QUERY]} at {strip_query(settings[FLEX_URL])}"
        yield ConfiguredSource(STATEMENT, FLEX_TOKEN, location, _read_statement, FLEX_URL)


def find_conflicts(settings: Settings) -> Iterator[str]:
    """Yield what is missing: a token reads nothing without a query."""
    if settings[FLEX_TOKEN] and not settings[FLEX_QUERY]:
        yield f"{FLEX_QUERY.name}: {FLEX_TOKEN.name} is set, and no query is named"


def _read_statement(context: SourceContext) -> Answer:
    """Fetch and parse one statement; raises ExternalError."""
    settings = context.settings
    deadline = context.network.deadline
    with lock_turn(context, f"flex {settings[FLEX_QUERY]}"):
        service = Flex(context.get_page, deadline, settings[FLEX_URL], settings[FLEX_TOKEN])
        body = service.fetch_statement(settings[FLEX_QUERY])
    rows, written_at = parse_statement(body)
    generated_at = written_at or context.clock()
    return Answer({"as_of": generated_at.isoformat(), "executions": rows}, generated_at)
