"""The pretend FMEX's private socket: hello, ping, subscriptions, errors."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import trio

from adapters.fmex.simulator import contract
from adapters.fmex.simulator.switches import Switches
from adapters.fmex.simulator.words import encode
from gateway.simulator.dialect import Peer, Push, Stage
from gateway.simulator.steps import MuteHeartbeat

TOPICS: Final = ("account", f"order.{contract.TOPIC}", f"position.{contract.TOPIC}")
MAX_TOPICS: Final = 20
"""Topics of one command (documented; read as per command)."""
INVALID_TOPIC: Final = 41002
"""The only code that is documented for the socket."""
_BAD_REQUEST: Final = 400
_TICK_SECONDS: Final = 1.0


class StreamSession:
    """One connection of one account, or of nobody where the switch lets a bad login in."""

    def __init__(self, stage: Stage, peer: Peer, switches: Callable[[], Switches]) -> None:
        self._stage = stage
        self._peer = peer
        self._switches = switches
        self._topics: list[str] = []
        self._last_ping = trio.current_time()

    def greet(self) -> None:
        """Say hello, if this socket does."""
        if self._switches().hello:
            self._say({"type": "hello", "ts": self._stage.now_ms()})

    def hear(self, frame: str | bytes) -> None:
        """Take one command."""
        try:
            command = msgspec.json.decode(frame)
        except (msgspec.DecodeError, RecursionError):
            command = None
        args = command.get("args") if isinstance(command, dict) else None
        if not isinstance(command, dict) or not isinstance(args, list):
            self._complain(None, _BAD_REQUEST, "invalid request")
            return
        match command.get("cmd"):
            case "ping":
                self._pong(command, args)
            case "sub":
                self._subscribe(command, [str(topic).lower() for topic in args])
            case "unsub":
                dropped = {str(topic).lower() for topic in args}
                self._topics = [topic for topic in self._topics if topic not in dropped]
                self._tell_topics(command, self._topics)
            case word:
                self._complain(command.get("id"), _BAD_REQUEST, f"invalid cmd, {word}")

    def wants(self, push: Push) -> bool:
        """Tell whether this is about the account, and subscribed to."""
        return push.account == self._peer.account and push.topic in self._topics

    def forget(self) -> None:
        """Lose every subscription, without a word."""
        self._topics = []

    async def attend(self) -> None:
        """Close whoever pings no more."""
        while True:
            await trio.sleep(_TICK_SECONDS)
            if trio.current_time() - self._last_ping > self._switches().idle_close:
                self._peer.close(1000, "idle")
                return

    def _pong(self, command: dict[str, Any], args: list[Any]) -> None:
        self._last_ping = trio.current_time()
        mute = self._stage.faults.find(MuteHeartbeat, self._peer.account) is not None
        if mute or not self._switches().ping_reply:
            return
        now = self._stage.now_ms()
        sent = args[0] if args and isinstance(args[0], int) else now
        self._say({**_echo(command.get("id")), "type": "ping", "ts": now, "gap": now - sent})

    def _subscribe(self, command: dict[str, Any], topics: list[str]) -> None:
        identity = command.get("id")
        if self._peer.account is None:
            if self._switches().anonymous_sub == "error":
                self._complain(identity, INVALID_TOPIC, f"invalid sub topic, {topics[0]}")
            return
        bad = [topic for topic in topics if topic not in TOPICS]
        if len(topics) > MAX_TOPICS:
            self._complain(identity, INVALID_TOPIC, "too many topics")
            return
        if bad:
            self._complain(identity, INVALID_TOPIC, f"invalid sub topic, {bad[0]}")
            if self._switches().partial_topics == "refuse_all":
                return
        good = [topic for topic in topics if topic in TOPICS]
        self._topics += [topic for topic in good if topic not in self._topics]
        if good or not bad:
            self._tell_topics(
                command, self._topics if self._switches().topics_reply == "all" else good
            )

    def _tell_topics(self, command: dict[str, Any], topics: list[str]) -> None:
        echo = _echo(command.get("id")) if self._switches().topics_id else {}
        self._say({**echo, "type": "topics", "topics": list(topics)})

    def _complain(self, identity: Any, status: int, message: str) -> None:
        self._say({**_echo(identity), "status": status, "msg": message})

    def _say(self, message: dict[str, Any]) -> None:
        self._peer.say(encode(message).decode())


def _echo(identity: Any) -> dict[str, Any]:
    """The command's id comes back as it was sent; without one there is none."""
    return {} if identity is None else {"id": identity}
