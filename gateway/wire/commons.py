"""What the accounts of one gateway share, such as the clock of a host that they all use."""

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")


class HostCommons:
    """One object of a kind for each host, for as long as somebody holds it.

    It fulfils `gateway.contracts.adapter.Commons`.
    """

    def __init__(self) -> None:
        self._kept: WeakValueDictionary[tuple[type, str], Any] = WeakValueDictionary()

    def share(self, kind: type[T], host: str, make: Callable[[], T]) -> T:
        """Get what another account made, or make it."""
        found: T | None = self._kept.get((kind, host))
        if found is None:
            found = self._kept[kind, host] = make()
        return found
