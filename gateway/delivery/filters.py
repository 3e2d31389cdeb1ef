"""Which events a sink wants. Asked once per event and sink, so it only looks into sets."""

from collections.abc import Iterable

from gateway.contracts.sink import Record, SinkOptions
from gateway.events.model import Kind


class Filter:
    """The `accounts`, `kinds`, `symbols` and `stream_events` of one sink."""

    __slots__ = ("_accounts", "_kinds", "_stream_events", "_symbols")

    def __init__(self, options: SinkOptions) -> None:
        self._accounts = None if options.accounts is None else frozenset(options.accounts)
        self._kinds = None if options.kinds is None else frozenset(options.kinds)
        self._symbols = None if options.symbols is None else _in_any_case(options.symbols)
        self._stream_events = options.stream_events

    def wants(self, record: Record) -> bool:
        """Tell whether the sink is to have this event.

        `stream` events pass the filters of kind and symbol: a consumer of fills
        must learn of gaps. Events without a symbol pass the symbol filter.
        """
        if self._accounts is not None and record.account not in self._accounts:
            return False
        if record.kind is Kind.STREAM:
            return self._stream_events
        if self._kinds is not None and record.kind not in self._kinds:
            return False
        return self._symbols is None or self._has_symbol(record, self._symbols)

    @staticmethod
    def _has_symbol(record: Record, symbols: frozenset[str]) -> bool:
        if record.symbol is None and record.venue_symbol is None:
            return True
        return record.symbol in symbols or record.venue_symbol in symbols


def _in_any_case(symbols: Iterable[str]) -> frozenset[str]:
    # FMEX writes one contract `btcusd_p` in topics and `BTCUSD_P` in frames.
    return frozenset(
        spelling for symbol in symbols for spelling in (symbol, symbol.upper(), symbol.lower())
    )
