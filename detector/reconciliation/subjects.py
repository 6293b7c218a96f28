"""The subjects of findings about instruments: the name, with the account behind it where several hold it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from detector.domain.rule import RANK, Finding


class Subjects:
    """Which accounts hold an instrument of one name; a difference of one account never stands for another's."""

    def __init__(self, held: Iterable[tuple[str, str | None]]) -> None:
        self._accounts: dict[str, set[str]] = {}
        for name, account in held:
            self._accounts.setdefault(name, set()).update({account} if account else ())

    def of(self, name: str, account: str | None) -> str:
        """Return the subject: the name, and the account where several hold an instrument of that name."""
        return _told_apart(name, account) if account and len(self._accounts.get(name, ())) > 1 else name

    def every(self, names: Iterable[str]) -> list[str]:
        """Return every subject under which these names may have been told."""
        return [subject for name in names for subject in (name, *self._apart(name))]

    def merged_in(self, subjects: Iterable[str]) -> list[str]:
        """Return the bare names of subjects with an account: what was told before a second account held it."""
        told = set(subjects)
        return [name for name in self._accounts if name not in told and told & set(self._apart(name))]

    def _apart(self, name: str) -> Iterator[str]:
        return (_told_apart(name, account) for account in sorted(self._accounts.get(name, ())))


def _told_apart(name: str, account: str) -> str:
    return f"{name} in {account}"


def one_each(findings: Iterable[Finding]) -> list[Finding]:
    """Return one finding for each subject, the worst, with what every one of the same subject says."""
    groups: dict[str | None, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.subject, []).append(finding)
    return [group[0] if len(group) == 1 else _merged(group) for group in groups.values()]


def _merged(group: list[Finding]) -> Finding:
    worst = max(group, key=lambda one: RANK[one.severity])
    said = dict.fromkeys(one.summary.rstrip(".") for one in (worst, *group))
    observed = dict.fromkeys(str(one.observed) for one in (worst, *group))
    return replace(worst, summary=f"{', and '.join(said)}.", observed=" and ".join(observed))
