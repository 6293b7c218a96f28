"""A context of a source whose tools answer from texts, and that opens no socket."""

from __future__ import annotations

from collections.abc import Callable

from detector.clients.process import ProcessResult
from detector.collectors.collector import SourceContext


class ToolsOnly(SourceContext, frozen=True, dict=True):
    """Reads by tools alone; `tool` answers in their place."""

    tool: Callable[..., ProcessResult] | None = None

    def run_tool(self, *command: str) -> ProcessResult:
        assert self.tool is not None
        return self.tool(*command)

    @property
    def network(self):
        raise AssertionError("a socket was opened")
