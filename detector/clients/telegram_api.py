"""Telegram's Bot API: one method a request (core.telegram.org/bots/api); the token is a part of the URL.

Errors: `{"ok": false, "error_code": 429, "description": "…", "parameters": {"retry_after": 7}}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from detector.clients.http_client import Page
from detector.clients.json_client import JsonClient, build_refusal, read_answer
from detector.formats import errors
from detector.formats.errors import ExternalError
from detector.formats.patterns import build_pattern
from detector.formats.strict_json import parse_document

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT, _TOO_MANY, _SERVER_ERROR = 401, 403, 404, 409, 429, 500
# Of the descriptions only these are looked for: each is in the Bot API's source, none holds data of ours.
_ENTITIES = build_pattern(r"can't parse entities|entit", re.IGNORECASE)
_NO_CHAT = build_pattern(r"chat not found|group chat was upgraded|PEER_ID_INVALID", re.IGNORECASE)
NOT_POLLABLE: Final = (
    "another program reads the updates of this bot, or a webhook is set for it:"
    " give the detector a bot of its own"
)


class TelegramError(ExternalError):
    """An unsuccessful response; `is_entity_error`: the same text without entities may be accepted."""

    is_entity_error: bool = False


class TelegramApi(Struct, frozen=True):
    """One bot; raises ExternalError, which never contains the URL, unless Telegram answers `ok`."""

    client: JsonClient
    api: str
    token: str

    def send_call(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Return the `result` of one method."""
        url = f"{self.api.rstrip('/')}/bot{self.token}/{method}"
        page = self.client.send_post(url, json.dumps(parameters).encode(), find_refusal=self._find_refusal)
        return parse_document(page.body)["result"]

    def _find_refusal(self, page: Page) -> ExternalError | None:
        answer = read_answer(page)
        if answer.get("ok") is True and "result" in answer:
            return None
        return self._build_error(page, answer)

    def _build_error(self, page: Page, answer: Mapping[str, Any]) -> TelegramError:
        given = answer.get("error_code")
        code = given if isinstance(given, int) and not isinstance(given, bool) else page.status
        description = str(answer.get("description") or "")
        plain = build_refusal(page, self.client.clock)
        retryable = code == _TOO_MANY or code >= _SERVER_ERROR
        error = TelegramError(
            NOT_POLLABLE if code == _CONFLICT else f"it answered {code}{'' if answer else ' and no JSON'}",
            reason=_choose_reason(code, description, plain.reason),
            permanent=not retryable,
            wait_sec=(_get_retry_after(answer) or plain.wait_sec) if retryable else None,
        )
        error.is_entity_error = bool(_ENTITIES.search(description))
        return error


def _choose_reason(code: int, description: str, plain: str) -> str:
    if code in (_UNAUTHORIZED, _NOT_FOUND):  # a path with an unknown token does not exist
        return errors.LOGIN
    if _NO_CHAT.search(description):
        return errors.NO_PLACE
    return {_FORBIDDEN: errors.NOT_ALLOWED, _CONFLICT: errors.NOT_ALLOWED, _TOO_MANY: errors.THROTTLED}.get(
        code, plain if plain != errors.LOGIN else errors.REJECTED
    )


def _get_retry_after(answer: Mapping[str, Any]) -> float | None:
    parameters = answer.get("parameters")
    seconds = parameters.get("retry_after") if isinstance(parameters, dict) else None
    is_number = isinstance(seconds, int) and not isinstance(seconds, bool) and seconds >= 0
    return float(seconds) if is_number and seconds is not None else None
