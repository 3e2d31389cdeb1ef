"""Stream keys: made, kept alive, lapsed and destroyed."""

import random
from collections.abc import Callable

import msgspec

from adapters.lbank.simulator.switches import Switches


class StreamKey(msgspec.Struct):
    """One subscribeKey of one account."""

    text: str
    account: int
    expires: float
    """On Trio's clock."""
    destroyed: bool = False


class StreamKeys:
    """All stream keys of the venue."""

    def __init__(self, rng: random.Random, elapsed: Callable[[], float]) -> None:
        self._rng = rng
        self._elapsed = elapsed
        self._keys: dict[str, StreamKey] = {}

    def get(self, account: int, switches: Switches) -> str:
        """What get_key gives."""
        living = self._living(account)
        if living and switches.new_key == "same":
            living[0].expires = self._elapsed() + switches.key_life
            return living[0].text
        if switches.new_key == "voids_old":
            self.destroy_all(account)
        key = StreamKey(
            f"{self._rng.getrandbits(256):064x}", account, self._elapsed() + switches.key_life
        )
        self._keys[key.text] = key
        return key.text

    def refresh(self, text: str, account: int, switches: Switches) -> bool:
        """Give a key its whole life again; False when it is refused."""
        key = self._keys.get(text)
        if key is None or key.account != account or key.destroyed:
            return False
        if not self.is_alive(text) and switches.refresh_after_expiry == "refused":
            return False
        key.expires = self._elapsed() + switches.key_life
        return True

    def destroy(self, text: str, account: int, switches: Switches) -> bool:
        """End a key, or with it every key of the account."""
        key = self._keys.get(text)
        if key is None or key.account != account:
            return False
        if switches.destroy_scope == "account":
            self.destroy_all(account)
        key.destroyed = True
        return True

    def account_of(self, text: str) -> int | None:
        """Whose key this is, while it lives."""
        return self._keys[text].account if self.is_alive(text) else None

    def is_alive(self, text: str) -> bool:
        """Tell whether a key is known, not destroyed and within its life."""
        key = self._keys.get(text)
        return key is not None and not key.destroyed and self._elapsed() < key.expires

    def expire_all(self, account: int | None) -> int:
        """Let living keys reach the end of their life now; gives how many."""
        living = self._living(account)
        for key in living:
            key.expires = self._elapsed()
        return len(living)

    def destroy_all(self, account: int | None) -> int:
        """Destroy living keys without anybody having asked; gives how many."""
        living = self._living(account)
        for key in living:
            key.destroyed = True
        return len(living)

    def _living(self, account: int | None) -> list[StreamKey]:
        return [
            key
            for key in self._keys.values()
            if account in (None, key.account) and self.is_alive(key.text)
        ]
