"""Whose a section is: the runtime, account, cluster, service, region and AWS account that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple, TypeGuard

from detector.domain.payload_path import MISSING
from detector.domain.profile import ReadContext
from detector.domain.snapshot import STATUS_SECTIONS
from detector.formats.errors import InputError
from detector.formats.strict_json import redact_excerpt
from detector.reconciliation.identity import DIFFERENT, SAME, compare_accounts
from detector.settings import (
    ACCOUNT,
    AWS_ACCOUNT,
    AWS_REGION,
    ECS_CLUSTER,
    ECS_SERVICE,
    RUNTIME,
    Setting,
    Settings,
)

_OF_AWS = ("ecs", "logs")
_NAMES: Mapping[str, Setting[Any]] = {"runtime": RUNTIME, "account": ACCOUNT}
_AWS_NAMES: Mapping[str, Setting[Any]] = {
    "runtime": RUNTIME,
    "cluster": ECS_CLUSTER,
    "service": ECS_SERVICE,
    "region": AWS_REGION,
    "account": AWS_ACCOUNT,
    "aws_account": AWS_ACCOUNT,
}
_LISTS = ("services", "tasks", "stopped_tasks")
_OWN_ARNS = ("cluster", "clusterArn", "service", "serviceArn", "logGroupArn")
_ARN_PARTS = 6  # arn:partition:service:region:account:resource
_HIDDEN_ACCOUNT = "[aws-account]"  # what redaction leaves of an AWS account number


class Mismatch(NamedTuple):
    """What a section names, and what the setting names instead."""

    what: str
    named: str
    expected: str
    setting: Setting[Any]


def is_owner_unproven(section: str, raw: Any, context: ReadContext) -> bool:
    """Return whether a setting says whose the section must be and the section names nobody."""
    if section == "broker":
        return _is_set(ACCOUNT, context.settings) and raw.get("account") is None
    if section == "ecs":
        is_any_set = any(_is_set(setting, context.settings) for _, setting, _ in _PARTS)
        return is_any_set and not any(map(any, _list_arns(raw)))
    return False


def find_mismatch(section: str, raw: Any, context: ReadContext) -> Mismatch | None:
    """Return how a section is about something else than the settings name; None where it is not.

    Only a setting that the operator set is compared; of a list, one row that fits is enough.
    """
    if section in STATUS_SECTIONS:
        return _find_payload_mismatch(raw, context)
    if not isinstance(raw, dict):
        return None
    mismatches = _iter_envelope_mismatches(section, raw, context.settings)
    if section in _OF_AWS:
        mismatches = chain(mismatches, _iter_arn_mismatches(raw, context.settings))
    return next(mismatches, None)


def find_row_account(values: Mapping[str, Any], settings: Settings) -> str | Mismatch | None:
    """Return the account that the rows of the broker are about, by AEGIS_PT_ACCOUNT where it is set.

    It is the configured one as a row spells it, a mismatch where rows name accounts and none may be that one,
    and None where no row names an account.
    """
    rows = chain.from_iterable(listed for listed in values.values() if isinstance(listed, tuple))
    named = dict.fromkeys(account for row in rows if (account := getattr(row, "account", None)))
    if not named or not _is_set(ACCOUNT, settings):
        return None
    expected = settings[ACCOUNT]
    own = [account for account in named if compare_accounts(account, expected) != DIFFERENT]
    own.sort(key=lambda account: compare_accounts(account, expected) != SAME)
    return own[0] if own else Mismatch("account", redact_excerpt(next(iter(named))), expected, ACCOUNT)


def describe_mismatch(mismatch: Mismatch) -> str:
    """Return the mismatch as a part of a sentence: what the section names, and what is configured."""
    expected = mismatch.expected if mismatch.setting is not AWS_ACCOUNT else "another one"
    named = "" if mismatch.setting is AWS_ACCOUNT else f" {mismatch.named}"
    return f"{mismatch.what}{named}, and {mismatch.setting.name} is {expected}"


def _is_set(setting: Setting[Any], settings: Settings) -> bool:
    return settings.origins[setting.name] != "default" and bool(settings[setting])


def _compare(what: str, named: object, setting: Setting[Any], settings: Settings) -> Mismatch | None:
    if named is None or named is MISSING or isinstance(named, dict | list) or not _is_set(setting, settings):
        return None
    expected, text = str(settings[setting]), str(named).strip()
    is_hidden = text == _HIDDEN_ACCOUNT and expected.isdigit()
    if setting is AWS_ACCOUNT and not (text.isdigit() or text.startswith("[")):
        return None  # a name that somebody gave the account
    if not text or is_hidden or text.lower() == expected.strip().lower():
        return None
    return Mismatch(what, redact_excerpt(text), expected, setting)


def _iter_envelope_mismatches(section: str, raw: Mapping[str, Any], settings: Settings) -> Iterator[Mismatch]:
    """Yield what a section says of itself and the settings do not; a cluster or a service may be an ARN."""
    settings_by_key = _AWS_NAMES if section in _OF_AWS else _NAMES
    for key, named in raw.items():
        if key in settings_by_key:
            setting = settings_by_key[key]
            name = _get_name(named) if isinstance(named, str) and named.startswith("arn:") else named
            what = "AWS account" if setting is AWS_ACCOUNT else key
            mismatch = _compare(what, name, setting, settings)
            if mismatch is not None:
                yield mismatch


def _find_payload_mismatch(raw: Mapping[str, Any], context: ReadContext) -> Mismatch | None:
    settings = {"runtime": RUNTIME, "account": ACCOUNT}
    for name, extract in context.profile.identity.items():
        try:
            mismatch = _compare(name, extract(raw), settings[name], context.settings)
        except InputError:
            continue
        if mismatch is not None:
            return mismatch
    return None


def _iter_arn_mismatches(raw: Mapping[str, Any], settings: Settings) -> Iterator[Mismatch]:
    """Yield what an ARN of the envelope, or no row of a list, has as the settings name it."""
    if not any(_is_set(setting, settings) for setting in _AWS_NAMES.values()):
        return
    for arns in _list_arns(raw):
        for what, setting, get_part in _PARTS:
            parts = [part for part in map(get_part, arns) if part]
            yield from _list_misfits(what, parts, setting, settings)
    names = [row.get("serviceName") for row in _iter_rows(raw.get("services"))]
    names += [_get_name(arn) for arn in _iter_arns(raw.get("services")) if ":service/" in arn]
    yield from _list_misfits("service", [name for name in names if name], ECS_SERVICE, settings)


def _list_misfits(
    what: str, named: Iterable[Any], setting: Setting[Any], settings: Settings
) -> Iterator[Mismatch]:
    mismatches = [_compare(what, name, setting, settings) for name in named]
    if mismatches and all(mismatches) and mismatches[0] is not None:
        yield mismatches[0]


def _list_arns(raw: Mapping[str, Any]) -> list[list[str]]:
    """Return the ARNs of each list, and each one of the envelope; that of a role is not the section's own."""
    own = (raw.get(key) for key in _OWN_ARNS)
    return [list(_iter_arns(raw.get(key))) for key in _LISTS] + [[arn] for arn in own if _is_arn(arn)]


def _is_arn(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value.startswith("arn:") and value.count(":") >= _ARN_PARTS - 1


def _iter_rows(rows: object) -> Iterator[Mapping[str, Any]]:
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            detail = row.get("detail")
            yield detail if isinstance(detail, dict) else row


def _iter_arns(rows: object) -> Iterator[str]:
    for row in _iter_rows(rows):
        for key in ("clusterArn", "serviceArn", "taskArn"):
            arn = row.get(key)
            if _is_arn(arn):
                yield arn


def _get_name(arn: str) -> str:
    return arn.rpartition("/")[2]


def _get_cluster(arn: str) -> str:
    """Return the cluster of an ARN of ECS; the short forms of services and tasks have none."""
    if ":ecs:" not in arn:
        return ""
    kind, _, rest = arn.split(":", _ARN_PARTS - 1)[-1].partition("/")
    if kind == "cluster":
        return rest
    cluster, slash, _ = rest.partition("/")
    return cluster if slash else ""


def _get_region(arn: str) -> str:
    return arn.split(":")[3]


def _get_account(arn: str) -> str:
    """Return the account of an ARN, or its alias."""
    return arn.split(":")[4]


_PARTS: tuple[tuple[str, Setting[Any], Callable[[str], str]], ...] = (
    ("AWS account", AWS_ACCOUNT, _get_account),
    ("region", AWS_REGION, _get_region),
    ("cluster", ECS_CLUSTER, _get_cluster),
)
