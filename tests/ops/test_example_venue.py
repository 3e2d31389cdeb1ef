"""The venue of docs/examples, run as it stands against its own little exchange."""

import importlib.util
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import pytest
import trio

from gateway.clock import WallClock
from gateway.contracts.adapter import AccountOptions, AdapterContext, Known, Purpose
from gateway.contracts.told import Told, ToldBalance
from gateway.contracts.values import Secret
from gateway.errors import LoginRefused
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.redaction import Redactor
from gateway.wire.commons import HostCommons
from gateway.wire.limits import RequestLimits
from tests.ops.distributions import REPOSITORY
from tests.ops.paperbank_server import TOKEN, Bank, open_bank


@pytest.fixture(scope="module")
def paperbank() -> ModuleType:
    """The module, as its package would be imported."""
    path = REPOSITORY / "docs/examples/venue/paperbank.py"
    spec = importlib.util.spec_from_file_location("paperbank", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Heard:
    """What a stream or a reading handed over."""

    def __init__(self) -> None:
        self.balances: dict[str, str] = {}
        self.came = trio.Event()

    async def hear(self, told: Sequence[Told], *_times: int) -> None:
        """Take balances."""
        for each in told:
            assert isinstance(each, ToldBalance)
            self.balances[each.balance.asset] = each.balance.total
        self.came.set()
        await trio.lowlevel.checkpoint()

    def frames_read(self, count: int, received_ns: int) -> None:
        """Not of interest."""


class NoQueue:
    """A gate without a queue."""

    async def wait_turn(self, *_: object) -> None:
        """Go on."""
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def open_account(paperbank: ModuleType, bank: Bank, token: str) -> AsyncIterator[Any]:
    """The example's adapter, on a bank."""
    settings = paperbank.PaperbankSettings(
        url=f"ws://127.0.0.1:{bank.port}/",
        rest=f"http://127.0.0.1:{bank.rest.port}",
        token=Secret.of(token),
    )
    context = AdapterContext(
        account="till",
        options=AccountOptions(venue="paperbank"),
        clock=WallClock(),
        metrics=Metrics(),
        redactor=Redactor(),
        connect_gate=NoQueue(),
        request_gate=RequestLimits(),
        commons=HostCommons(),
    )
    adapter = paperbank.open_paperbank(settings, context)
    yield adapter
    await adapter.aclose()


async def test_what_comes_with_the_greeting_is_heard(paperbank: ModuleType):
    """A balance that arrives in one read with the greeting is not lost."""
    async with (
        open_bank() as bank,
        open_account(paperbank, bank, TOKEN) as adapter,
        trio.open_nursery() as nursery,
    ):
        heard = Heard()
        await nursery.start(adapter.run_stream, heard)
        with trio.fail_after(30):
            await heard.came.wait()
        nursery.cancel_scope.cancel()

    assert {"BTC": "1.75"} == heard.balances


async def test_a_reading_tells_every_balance(paperbank: ModuleType):
    """Recovery reads all assets; one that is no longer listed makes it incomplete."""
    async with open_bank() as bank, open_account(paperbank, bank, TOKEN) as adapter:
        heard = Heard()
        for assets, complete in ((("BTC",), True), (("BTC", "DOGE"), False)):
            known = Known(open_orders={}, assets=assets)
            plan = adapter.plan_recovery(known, Purpose.GAP, 1)
            assert complete == (await adapter.recover(plan, heard)).complete

    assert {"BTC": "1.75", "EUR": "7.10"} == heard.balances


async def test_a_refused_token_suspends(paperbank: ModuleType):
    """The probe says so in words, and a reading raises what suspends the account."""
    async with open_bank() as bank, open_account(paperbank, bank, "wrong") as adapter:
        stream, token = await adapter.probe()
        plan = adapter.plan_recovery(Known(open_orders={}), Purpose.GAP, 1)
        with pytest.raises(LoginRefused):
            await adapter.recover(plan, Heard())

    assert (True, False) == (stream.ok, token.ok)
