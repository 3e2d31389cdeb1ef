"""The pretend FMEX as a whole: who has accounts, and what is pushed when."""

import itertools
from decimal import Decimal
from typing import Any, Final

from adapters.fmex.simulator import contract, words
from adapters.fmex.simulator.desk import Desk
from adapters.fmex.simulator.ledger import Ledger, Match, Order, Status
from adapters.fmex.simulator.login import Logins
from adapters.fmex.simulator.refusal import Refusal
from adapters.fmex.simulator.rest import MESSAGES, Rest
from adapters.fmex.simulator.stream import StreamSession
from adapters.fmex.simulator.switches import Switches
from adapters.fmex.simulator.trading import Trading
from gateway.simulator.dialect import Peer, Push, Reply, Request, SimulatedAccount, Stage
from gateway.simulator.scenario import convert_switches
from gateway.simulator.truth import FactKind

_FIRST_BLAST_ID: Final = 700_000_000_000
"""Below the ids of orders that have happened."""
_POLICY: Final = 1008
"""WebSocket close code for a broken policy; FMEX's own is not documented."""


class FmexVenue:
    """One running pretend FMEX."""

    has_stream_keys = False

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.switches = convert_switches(stage.scenario.switches, Switches)
        self.accounts = [_make_account(stage, i) for i in range(stage.scenario.accounts)]
        margins = [
            Decimal(stage.rng.randint(10**18, 3 * 10**18)).scaleb(-18) for _ in self.accounts
        ]
        self._ledger = Ledger(margins, self, stage.now_ms)
        self._trading = Trading(
            self._ledger, stage.rng, stage.now_ms, lambda: self.switches.stop_trigger
        )
        self._logins = Logins(stage, self.accounts, lambda: self.switches)
        desk = Desk(self._ledger, self._trading, stage.now_ms, lambda: self.switches)
        self._rest = Rest(stage, self._logins, desk)
        self._blasted = 0

    # --- what the engine asks for -------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """Answer a REST request."""
        return self._rest.answer(request)

    def reject(self, code: int) -> Reply:
        """Refuse a request with one of FMEX's codes."""
        return self._rest.refuse(code)

    def admit(self, request: Request, peer: Peer) -> StreamSession | Reply:
        """Check the signed address, and refuse a bad one as the switch says."""
        session = StreamSession(self._stage, peer, lambda: self.switches)
        try:
            peer.account = self._logins.check_socket(request)
        except Refusal as refusal:
            if self.switches.refused_login == "http_401":
                return self._rest.refuse(refusal.code)
            if self.switches.refused_login == "message":
                told = {"status": refusal.code, "msg": MESSAGES.get(refusal.code, "error")}
                peer.say(words.encode(told).decode())
                return session
            if self.switches.refused_login == "open_then_close":
                peer.close(_POLICY, "")
                return session
        session.greet()
        return session

    def move_market(self, account: int) -> None:
        """Let one thing happen to an account."""
        self._trading.move(account)

    def expire_keys(self, account: int | None) -> int:
        """None: there are no stream keys, and scenarios that need them are refused."""
        del account
        return 0

    def void_keys(self, account: int | None) -> int:
        """None, for the same reason."""
        del account
        return 0

    def load_frames(self, account: int, count: int, states: int) -> list[str]:
        """Order pushes of orders that no ledger knows, each with an id of its own."""
        first = _FIRST_BLAST_ID + self._blasted
        course, name = self._course(first, account, states), str(first)
        self._blasted += -(-count // states)
        # Replacing text is ten times as quick as rendering each order.
        texts = (text.replace(name, str(n)) for n in itertools.count(first) for text in course)
        return list(itertools.islice(texts, count))

    def _course(self, order_id: int, account: int, states: int) -> list[str]:
        """Pushes of an order that is placed and then fills one contract at a time."""
        now, contracts = self._stage.now_ms(), states - 1
        order = Order(order_id, account, True, max(contracts, 1), contract.START, now, now)
        course = [words.order_push(order, self.switches, now)]
        for _ in range(contracts):
            order.filled += 1
            order.worth += 1 / contract.START
            is_last = order.filled == order.quantity
            order.status = Status.FULLY_FILLED if is_last else Status.PARTIAL_FILLED
            course.append(words.order_push(order, self.switches, now))
        return course

    def state(self, account: int) -> dict[str, Any]:
        """Balance, position and open orders as they truly are, in the gateway's words."""
        margin, position = self._ledger.margins[account], self._ledger.positions[account]
        return {
            "balances": [words.margin_truth(margin, position.margin)],
            "positions": [words.position_truth(position)],
            "open_orders": [words.order_truth(o) for o in self._ledger.open[account].values()],
        }

    def configuration(self, name: str, account: int, rest_url: str, websocket_url: str) -> str:
        """The account as it would stand in gateway.yaml."""
        who = self.accounts[account]
        return (
            f"  {name}:\n"
            f"    venue: fmex\n"
            f'    credentials: {{api_key: "{who.api_key}", secret: "{who.secret}"}}\n'
            f"    symbols: [{contract.TOPIC}]\n"
            f'    endpoints: {{rest: "{rest_url}", websocket: "{websocket_url}"}}\n'
        )

    # --- what the ledger tells ------------------------------------------------------

    def order_changed(self, order: Order, match: Match | None) -> None:
        """Write the truth down and push it."""
        record = self._stage.truth.record
        told = words.order_truth(order)
        facts = [record(order.account, FactKind.ORDER, str(order.id), order.updated_ms, told)]
        if match is not None:
            told = words.match_truth(order, match)
            key = f"{order.id}/{order.filled}"
            facts.append(record(order.account, FactKind.FILL, key, match.time_ms, told))
        text = words.order_push(order, self.switches, self._stage.now_ms())
        self._publish(order.account, f"order.{contract.TOPIC}", text, tuple(facts))

    def position_changed(self, account: int) -> None:
        """Write the truth down and push it."""
        position = self._ledger.positions[account]
        told = words.position_truth(position)
        fact = self._stage.truth.record(
            account, FactKind.POSITION, contract.SYMBOL, position.updated_ms, told
        )
        text = words.position_push(position, self.switches, self._stage.now_ms())
        self._publish(account, f"position.{contract.TOPIC}", text, (fact,))

    def margin_changed(self, account: int) -> None:
        """Write the truth down and push it."""
        margin, position = self._ledger.margins[account], self._ledger.positions[account]
        told = words.margin_truth(margin, position.margin)
        fact = self._stage.truth.record(
            account, FactKind.BALANCE, contract.CURRENCY, margin.updated_ms, told
        )
        text = words.account_push(margin, position.margin, self.switches, self._stage.now_ms())
        self._publish(account, "account", text, (fact,))

    def _publish(self, account: int, topic: str, text: str, facts: tuple[int, ...]) -> None:
        self._stage.publish(Push(account, topic, contract.SYMBOL, text, facts))


def _make_account(stage: Stage, index: int) -> SimulatedAccount:
    key, secret = (f"{stage.rng.getrandbits(128):032x}" for _ in range(2))
    return SimulatedAccount(index=index, api_key=key, secret=secret)
