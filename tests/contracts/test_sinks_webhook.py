"""The webhook sink keeps the promises of every sink, in each of its forms."""

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import Sink, SinkContext, SinkOptions
from gateway.contracts.values import Secret
from gateway.sinks.webhook import WebhookSettings, open_webhook
from gateway.telemetry.redaction import Redactor
from tests.contracts.sink_suite import CANARY, SinkSuite
from tests.doubles.receiver import Receiver, Reply, offering, open_receiver
from tests.doubles.servers.certificates import make_certificates

BREAKS = ("killed", "failing", "turning away")


class WebhookHarness:
    """A receiver on loopback as the peer; broken in one of several ways."""

    def __init__(
        self,
        receiver: Receiver,
        folder: Path,
        mode: str,
        broken: str,
        ca_file: Path | None = None,
    ) -> None:
        self._receiver = receiver
        self._broken = broken
        key = base64.b64encode(CANARY.encode()).decode()
        self._settings = WebhookSettings(
            ca_file=ca_file,
            url=Secret.of(f"{receiver.url}/{CANARY}?token={CANARY}"),
            secrets=(Secret.of(f"whsec_{key}"),),
            headers={"authorization": Secret.of(f"Bearer {CANARY}")},
            mode=mode,
        )
        self._context = SinkContext(
            name="desk",
            state_dir=folder,
            options=SinkOptions(type="webhook"),
            clock=WALL_CLOCK,
            redactor=Redactor(),
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sink]:
        """The sink in front of it; both are in this process, so both have to let go."""
        async with open_webhook(self._settings, self._context) as sink:
            yield sink
        await self._receiver.wait_idle()

    async def held(self) -> Sequence[str]:
        """Ids of what was answered 2xx."""
        return self._receiver.held()

    async def break_peer(self) -> None:
        """No one listens, or all is answered with an error."""
        if self._broken == "killed":
            await self._receiver.stop()
        else:
            status = 503 if self._broken == "failing" else 401
            self._receiver.reply = lambda _: Reply(status)

    async def mend_peer(self) -> None:
        """Listen on the same port, and answer 200."""
        self._receiver.reply = lambda _: Reply()
        if self._broken == "killed":
            await self._receiver.start()


class TestWebhook(SinkSuite):
    """`type: webhook`, one event a request."""

    @pytest.fixture(params=BREAKS)
    async def harness(self, tmp_path: Path, request: pytest.FixtureRequest):
        """A receiver of its own."""
        async with open_receiver() as receiver:
            yield WebhookHarness(receiver, tmp_path, "single", request.param)


class TestWebhookBatches(SinkSuite):
    """`type: webhook` with `mode: batch`."""

    @pytest.fixture(params=BREAKS)
    async def harness(self, tmp_path: Path, request: pytest.FixtureRequest):
        """A receiver of its own."""
        async with open_receiver() as receiver:
            yield WebhookHarness(receiver, tmp_path, "batch", request.param)


class TestWebhookHttp2(SinkSuite):
    """`type: webhook` to a receiver that offers HTTP/2."""

    @pytest.fixture(params=BREAKS)
    async def harness(self, tmp_path: Path, request: pytest.FixtureRequest):
        """A receiver of its own, with a certificate."""
        certificates = make_certificates(tmp_path / "certificates")
        async with open_receiver(offering(certificates, "h2")) as receiver:
            yield WebhookHarness(receiver, tmp_path, "single", request.param, certificates.ca)
            assert {"h2"} >= set(receiver.protocols)
