"""An index by instrument that also finds instruments with missing parts, without comparing every entry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from detector.domain.instrument import Instrument, is_same

T = TypeVar("T")


class InstrumentIndex(Generic[T]):
    """Entries by normal instrument: by contract id, and by symbol and strike, for thousands of options."""

    def __init__(self, entries: Iterable[tuple[Instrument, T]] = ()) -> None:
        self._entries: dict[Instrument, list[T]] = {}
        self._by_symbol: dict[str, dict[float | None, dict[Instrument, None]]] = {}
        self._by_id: dict[str, dict[Instrument, None]] = {}
        for instrument, entry in entries:
            self.add(instrument, entry)

    def add(self, instrument: Instrument, entry: T) -> None:
        """Add an entry under an instrument in its normal form; it may be added again with more parts."""
        self._entries.setdefault(instrument, []).append(entry)
        if instrument.symbol is not None:
            strikes = self._by_symbol.setdefault(instrument.symbol, {})
            strikes.setdefault(instrument.strike, {})[instrument] = None
        if instrument.con_id is not None:
            self._by_id.setdefault(instrument.con_id, {})[instrument] = None

    def find_candidates(self, instrument: Instrument) -> list[T]:
        """Return every entry with the symbol and strike, or the contract id, each once."""
        return self._get_entries(self._iter_candidates(instrument))

    def find_same(self, instrument: Instrument) -> list[T]:
        """Return every entry whose instrument differs in no part that both have."""
        return self._get_entries(
            candidate for candidate in self._iter_candidates(instrument) if is_same(candidate, instrument)
        )

    def has(self, instrument: Instrument) -> bool:
        """Whether any entry's instrument differs in no part that both have."""
        return any(is_same(candidate, instrument) for candidate in self._iter_candidates(instrument))

    def _get_entries(self, instruments: Iterable[Instrument]) -> list[T]:
        return list(
            {id(entry): entry for instrument in instruments for entry in self._entries[instrument]}.values()
        )

    def _iter_candidates(self, instrument: Instrument) -> Iterator[Instrument]:
        yield from self._by_id.get(instrument.con_id or "", ())
        strikes = self._by_symbol.get(instrument.symbol or "", {})
        if instrument.strike is None:
            for instruments in strikes.values():
                yield from instruments
        else:
            yield from strikes.get(instrument.strike, ())
            yield from strikes.get(None, ())
