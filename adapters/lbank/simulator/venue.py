"""The pretend LBank as a whole: who has accounts, and what is pushed when."""

import itertools
import uuid
from decimal import Decimal
from typing import Any

from adapters.lbank.simulator import words
from adapters.lbank.simulator.keys import StreamKeys
from adapters.lbank.simulator.ledger import Ledger, Order, Status, Trade
from adapters.lbank.simulator.orders import OrderDesk
from adapters.lbank.simulator.queries import Queries
from adapters.lbank.simulator.rest import Rest
from adapters.lbank.simulator.signing import make_rsa_secret
from adapters.lbank.simulator.stream import StreamSession
from adapters.lbank.simulator.switches import Switches
from adapters.lbank.simulator.trading import PAIRS, START, Trading
from gateway.simulator.dialect import Peer, Push, Reply, Request, SimulatedAccount, Stage
from gateway.simulator.scenario import convert_switches
from gateway.simulator.truth import FactKind


class LbankVenue:
    """One running pretend LBank."""

    has_stream_keys = True

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.switches = convert_switches(stage.scenario.switches, Switches)
        self.accounts = [
            _make_account(stage, index, self.switches) for index in range(stage.scenario.accounts)
        ]
        self._ledger = Ledger(len(self.accounts), self, stage.now_ms, self._new_trade_id)
        self._trading = Trading(self._ledger, stage.rng, stage.now_ms)
        self._keys = StreamKeys(stage.rng, stage.elapsed)
        queries = Queries(self._ledger, self._trading, stage.now_ms, lambda: self.switches)
        desk = OrderDesk(self._ledger, self._trading)
        self._rest = Rest(stage, self.accounts, self._keys, queries, desk, lambda: self.switches)
        self._blasted = 0
        for account in self.accounts:
            for asset, amount in START.items():
                self._ledger.holding(account.index, asset).free = Decimal(amount)

    # --- what the engine asks for -------------------------------------------------

    def answer(self, request: Request) -> Reply:
        """Answer a REST request."""
        return self._rest.answer(request)

    def reject(self, code: int) -> Reply:
        """Refuse a request with one of LBank's codes."""
        return self._rest.refuse(code)

    def admit(self, request: Request, peer: Peer) -> StreamSession:
        """Open a session; nobody has to log in to connect."""
        del request
        return StreamSession(self._stage, peer, self._keys, PAIRS, lambda: self.switches)

    def move_market(self, account: int) -> None:
        """Let one thing happen to an account."""
        self._trading.move(account)

    def expire_keys(self, account: int | None) -> int:
        """Let the stream keys reach the end of their life."""
        return self._keys.expire_all(account)

    def void_keys(self, account: int | None) -> int:
        """Destroy the stream keys."""
        return self._keys.destroy_all(account)

    def load_frames(self, account: int, count: int, states: int) -> list[str]:
        """Order pushes of orders that no ledger knows, each with an id of its own."""
        name = _blast_id(0)
        course = self._course(name, account, states)
        first, self._blasted = self._blasted, self._blasted + -(-count // states)
        # Replacing text is ten times as quick as rendering each order.
        texts = (
            text.replace(name, _blast_id(n)) for n in itertools.count(first) for text in course
        )
        return list(itertools.islice(texts, count))

    def _course(self, name: str, account: int, states: int) -> list[str]:
        """Pushes of an order that is placed and then fills in equal parts."""
        now, pair, parts = self._stage.now_ms(), PAIRS["eth_btc"], states - 1
        part = pair.lot * 40
        order = Order(name, account, pair, "buy", pair.start, part * max(parts, 1), now, now)
        course = [words.order_push(order, None, self.switches, now)]
        for number in range(parts):
            trade = Trade(
                f"{name}-{number}", name, pair, "buy", pair.start, part, Decimal(0), True, now
            )
            order.filled += part
            order.spent += trade.value
            is_last = number == parts - 1
            order.status = Status.FILLED if is_last else Status.PARTLY_FILLED
            course.append(words.order_push(order, trade, self.switches, now))
        return course

    def state(self, account: int) -> dict[str, Any]:
        """Balances and open orders as they truly are, in the gateway's words."""
        held = self._ledger.holdings[account].items()
        return {
            "balances": [words.holding_truth(asset, holding, None) for asset, holding in held],
            "positions": [],
            "open_orders": [words.order_truth(o) for o in self._ledger.open[account].values()],
        }

    def configuration(self, name: str, account: int, rest_url: str, websocket_url: str) -> str:
        """The account as it would stand in gateway.yaml."""
        who, rsa = self.accounts[account], self.switches.credentials == "rsa"
        return (
            f"  {name}:\n"
            f"    venue: lbank\n"
            f"    credentials:\n"
            f'      api_key: "{who.api_key}"\n'
            f'      secret: "{who.secret}"\n'
            f"      signature: {'rsa' if rsa else 'hmac-sha256'}\n"
            f"    recovery: {{pairs: [{', '.join(PAIRS)}]}}\n"
            f'    endpoints: {{rest: "{rest_url}", websocket: "{websocket_url}"}}\n'
        )

    # --- what the ledger tells ------------------------------------------------------

    def changed(
        self, order: Order | None, trade: Trade | None, account: int, assets: list[str], reason: str
    ) -> None:
        """Write the truth down and push it."""
        pushes = [self._order_push(order, trade)] if order is not None else []
        assets_pushed = [self._asset_push(account, asset, reason) for asset in assets]
        if self.switches.asset_push == "before":
            pushes = [*assets_pushed, *pushes]
        else:
            pushes = [*pushes, *assets_pushed]
        for push in pushes:
            if push is not None:
                self._stage.publish(push)

    def _order_push(self, order: Order, trade: Trade | None) -> Push | None:
        record, now = self._stage.truth.record, self._stage.now_ms()
        told = words.order_truth(order)
        skipped = order.status is Status.CANCELLING and self.switches.cancelling == "skipped"
        facts = [
            record(
                order.account, FactKind.ORDER, order.uuid, order.updated_ms, told,
                streamed=trade is not None or not skipped,
            )
        ]  # fmt: skip
        if trade is not None:
            told = words.trade_truth(trade)
            key = f"{order.uuid}/{trade.tx_uuid}"
            facts.append(record(order.account, FactKind.FILL, key, trade.time_ms, told))
        elif skipped:
            return None
        text = words.order_push(order, trade, self.switches, now)
        return Push(order.account, "orderUpdate", order.pair.symbol, text, tuple(facts))

    def _asset_push(self, account: int, asset: str, reason: str) -> Push:
        holding, now = self._ledger.holding(account, asset), self._stage.now_ms()
        told = words.holding_truth(asset, holding, reason)
        fact = self._stage.truth.record(account, FactKind.BALANCE, asset.upper(), now, told)
        text = words.asset_push(asset, holding, reason, now, now)
        return Push(account, "assetUpdate", asset, text, (fact,))

    def _new_trade_id(self) -> str:
        return f"{self._stage.rng.getrandbits(128):032x}"


def _blast_id(number: int) -> str:
    return f"b1a57000-0000-4000-8000-{number:012x}"


def _make_account(stage: Stage, index: int, switches: Switches) -> SimulatedAccount:
    api_key = str(uuid.UUID(int=stage.rng.getrandbits(128), version=4))
    secret = f"{stage.rng.getrandbits(128):032X}"
    if switches.credentials == "rsa":
        secret = make_rsa_secret()
    return SimulatedAccount(index=index, api_key=api_key, secret=secret)
