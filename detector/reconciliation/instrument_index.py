"""Things by what they trade, found again by an instrument that is named in any detail, without trying each of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from detector.domain.instrument import Instrument, is_same

T = TypeVar("T")


class InstrumentIndex(Generic[T]):
    """Things by the normal instrument of each; ten thousand options on one symbol are found by their strike."""

    def __init__(self, entries: Iterable[tuple[Instrument, T]] = ()) -> None:
        self._entries: dict[Instrument, list[T]] = {}
        self._by_symbol: dict[str, dict[float | None, dict[Instrument, None]]] = {}
        self._by_id: dict[str, dict[Instrument, None]] = {}
        for instrument, entry in entries:
            self.add(instrument, entry)

    def add(self, instrument: Instrument, entry: T) -> None:
        """Put a thing under its instrument; it may be put again once more of the instrument is known."""
        self._entries.setdefault(instrument, []).append(entry)
        if instrument.symbol is not None:
            strikes = self._by_symbol.setdefault(instrument.symbol, {})
            strikes.setdefault(instrument.strike, {})[instrument] = None
        if instrument.con_id is not None:
            self._by_id.setdefault(instrument.con_id, {})[instrument] = None

    def find_candidates(self, instrument: Instrument) -> list[T]:
        """Return everything that can be of that instrument by its symbol, strike or contract id, each thing once."""
        return self._get_entries(self._iter_candidates(instrument))

    def find_same(self, instrument: Instrument) -> list[T]:
        """Return everything whose instrument is that one, as far as both say."""
        return self._get_entries(
            candidate for candidate in self._iter_candidates(instrument) if is_same(candidate, instrument)
        )

    def has(self, instrument: Instrument) -> bool:
        """Whether there is anything whose instrument is that one, as far as both say."""
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
