"""The pretend LBank's WebSocket: heartbeats, subscriptions, errors."""

from collections.abc import Callable, Collection
from typing import Any, Final

import msgspec
import trio

from adapters.lbank.simulator import words
from adapters.lbank.simulator.keys import StreamKeys
from adapters.lbank.simulator.switches import Switches
from gateway.simulator.dialect import Peer, Push, Stage
from gateway.simulator.steps import MuteHeartbeat

PONG_SECONDS: Final = 60
"""Who answers no ping for so long is closed (documented)."""
_TICK_SECONDS: Final = 1.0


class StreamSession:
    """One connection. Anonymous until a subscribe brings a key."""

    def __init__(
        self,
        stage: Stage,
        peer: Peer,
        keys: StreamKeys,
        pairs: Collection[str],
        switches: Callable[[], Switches],
    ) -> None:
        self._stage = stage
        self._peer = peer
        self._keys = keys
        self._pairs = pairs
        self._switches = switches
        self._subscribed: dict[tuple[str, str], str] = {}
        """Key by topic and pair."""
        self._mourned: set[str] = set()
        """Dead keys of which the client was told, where the switch says so."""
        self._unanswered_since: float | None = None
        self._pings = 0

    def hear(self, frame: str | bytes) -> None:
        """Take one frame of the client."""
        try:
            message = msgspec.json.decode(frame)
        except (msgspec.DecodeError, RecursionError):
            message = None
        if not isinstance(message, dict):
            self._complain("Invalid format")
            return
        match message.get("action"):
            case "ping":
                if not self._is_mute():
                    self._say({"action": "pong", "pong": message.get("ping")})
            case "pong":
                self._unanswered_since = None
            case "subscribe":
                self._subscribe(message)
            case "unsubscribe":
                topic = (str(message.get("subscribe")), str(message.get("pair", "all")))
                self._subscribed.pop(topic, None)
            case action:
                self._complain(f"Invalid action:[{action}]")

    def wants(self, push: Push) -> bool:
        """Tell whether a living key of that account subscribed to it."""
        for pair in (push.symbol, "all"):
            key = self._subscribed.get((push.topic, pair))
            if key is not None and self._keys.account_of(key) == push.account:
                return True
        return False

    def forget(self) -> None:
        """Lose every subscription, without a word."""
        self._subscribed.clear()

    async def attend(self) -> None:
        """Ping, close who does not answer, and mourn dead keys."""
        next_ping = trio.current_time() + self._switches().ping_every
        while True:
            await trio.sleep(_TICK_SECONDS)
            self._mourn()
            now = trio.current_time()
            if now >= next_ping:
                next_ping = now + self._switches().ping_every
                self._ping(now)
            if self._unanswered_since is not None and now - self._unanswered_since > PONG_SECONDS:
                self._peer.close(1000, "")
                return

    def _ping(self, now: float) -> None:
        if self._is_mute():
            return
        self._pings += 1
        identity = f"{self._peer.number:08x}-5f25-4e06-9981-{self._pings:012x}"
        self._say({"action": "ping", "ping": identity})
        if self._unanswered_since is None:
            self._unanswered_since = now

    def _is_mute(self) -> bool:
        return self._stage.faults.find(MuteHeartbeat, self._peer.account) is not None

    def _mourn(self) -> None:
        """Act on keys that have died under a subscription, if the switch says so."""
        expiry = self._switches().key_expiry
        dead = {key for key in self._subscribed.values() if not self._keys.is_alive(key)}
        for key in dead - self._mourned:
            self._mourned.add(key)
            if expiry == "error":
                self._complain("Invalid subscribeKey,remoteIp is: [{address}]")
            elif expiry == "close":
                self._peer.close(1000, "")

    def _subscribe(self, message: dict[str, Any]) -> None:
        topic, key = message.get("subscribe"), message.get("subscribeKey")
        pair = str(message.get("pair", "all"))
        if topic not in ("orderUpdate", "assetUpdate"):
            self._complain(f"Invalid subscribe:[{topic}],remoteIp is: [{{address}}]")
        elif not isinstance(key, str) or (topic == "orderUpdate" and "pair" not in message):
            missing = "subscribeKey" if not isinstance(key, str) else "pair"
            self._complain(f"Missing parameter ['{missing}']")
        elif topic == "orderUpdate" and pair != "all" and pair not in self._pairs:
            self._complain(f"Invalid order pairs:[{pair}],remoteIp is: [{{address}}]")
        elif (account := self._keys.account_of(key)) is None:
            self._refuse_key()
        else:
            self._peer.account = account
            # assetUpdate knows no pairs, whatever a client sends along.
            self._subscribed[topic, pair if topic == "orderUpdate" else "all"] = key
            self._acknowledge(topic, pair)

    def _refuse_key(self) -> None:
        match self._switches().bad_key:
            case "error":
                self._complain("Invalid subscribeKey,remoteIp is: [{address}]")
            case "close":
                self._peer.close(1000, "")
            case "silent":
                pass

    def _acknowledge(self, topic: str, pair: str) -> None:
        match self._switches().acknowledge:
            case "json":
                self._say({"action": "subscribe", "subscribe": topic, "pair": pair, "result": True})
            case "text":
                self._peer.say(f"{topic} subscribed")
            case "none":
                pass

    def _complain(self, message: str) -> None:
        text = message.replace("{address}", self._peer.address)
        self._peer.say(words.error_frame(text, self._stage.now_ms()))

    def _say(self, message: dict[str, Any]) -> None:
        self._peer.say(words.encode(message))
