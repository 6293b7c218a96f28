"""Names the subjects of findings about positions, and merges findings of one subject."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from detector.domain.rule import RANK, Finding
from detector.reconciliation.position_book import PositionBook


class Subjects:
    """The accounts that hold each instrument name, so that two accounts never share a subject."""

    def __init__(self, book: PositionBook) -> None:
        self._accounts: dict[str, set[str]] = {}
        for position in book.positions:
            accounts = self._accounts.setdefault(position.name, set())
            accounts.update({position.account} if position.account else ())

    def get_subject(self, name: str, account: str | None) -> str:
        """Return the subject: the name, and the account where several hold an instrument of that name."""
        return (
            _format_with_account(name, account) if account and len(self._accounts.get(name, ())) > 1 else name
        )

    def list_possible(self, names: Iterable[str]) -> list[str]:
        """Return every subject under which a finding about these names may have been reported."""
        return [subject for name in names for subject in (name, *self._iter_with_account(name))]

    def list_names_without_account(self, subjects: Iterable[str]) -> list[str]:
        """Return the names reported with an account only; their older findings have the bare name."""
        reported = set(subjects)
        return [
            name
            for name in self._accounts
            if name not in reported and reported & set(self._iter_with_account(name))
        ]

    def _iter_with_account(self, name: str) -> Iterator[str]:
        return (_format_with_account(name, account) for account in sorted(self._accounts.get(name, ())))


def _format_with_account(name: str, account: str) -> str:
    return f"{name} in {account}"


def merge_by_subject(findings: Iterable[Finding]) -> list[Finding]:
    """Return one finding for each subject: the most severe, with the summaries of all of them."""
    groups: dict[str | None, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.subject, []).append(finding)
    return [group[0] if len(group) == 1 else _merge_findings(group) for group in groups.values()]


def _merge_findings(group: list[Finding]) -> Finding:
    worst = max(group, key=lambda finding: RANK[finding.severity])
    summaries = dict.fromkeys(finding.summary.rstrip(".") for finding in (worst, *group))
    observed = dict.fromkeys(str(finding.observed) for finding in (worst, *group))
    return replace(worst, summary=f"{', and '.join(summaries)}.", observed=" and ".join(observed))
