"""The webhook sink keeps its promises while its receiver has trouble, over HTTP/2."""

import math
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import Sink
from gateway.contracts.values import Secret
from gateway.sinks.webhook import WebhookSettings, open_webhook, probe_webhook
from tests.contracts.sink_faults import LoginFaults, ServerFaults, context
from tests.contracts.sink_suite import CANARY
from tests.doubles.link import Link, open_link
from tests.doubles.posts import Reply
from tests.doubles.receiver import Receiver, offering, open_receiver
from tests.doubles.servers.certificates import Certificates, make_certificates


class WebhookPeer:
    """A receiver with TLS, by a link."""

    def __init__(self, receiver: Receiver, link: Link, certificates: Certificates) -> None:
        self._receiver = receiver
        self.link, self.certificates = link, certificates

    def _settings(self, **changes: Any) -> WebhookSettings:
        given = {
            "url": f"https://{self.link.address}/hook",
            "headers": {"authorization": Secret.of(f"Bearer {CANARY}")},
            "ca_file": self.certificates.ca,
        }
        return WebhookSettings(**(given | changes))

    def open(self, **changes: Any) -> AbstractAsyncContextManager[Sink]:
        return open_webhook(self._settings(**changes), context("webhook"))

    async def probe(self, **changes: Any) -> Sequence[ProbeFinding]:
        return await probe_webhook(self._settings(**changes), context("webhook"))

    async def held(self) -> Sequence[str]:
        return self._receiver.held()

    async def kill(self) -> None:
        await self._receiver.stop()

    async def start(self) -> None:
        await self._receiver.start()

    def pause(self) -> None:
        self._receiver.reply = lambda _: Reply(503, delay_seconds=math.inf)

    def resume(self) -> None:
        self._receiver.reply = lambda _: Reply()

    async def change_password(self) -> None:
        self._receiver.reply = lambda _: Reply(401, b"who are you?")

    async def change_password_back(self) -> None:
        self._receiver.reply = lambda _: Reply()


@pytest.fixture
async def peer(tmp_path: Path):
    """A receiver of the test's own."""
    certificates = make_certificates(tmp_path / "certificates")
    async with (
        open_receiver(offering(certificates, "h2")) as receiver,
        open_link(receiver.port) as link,
    ):
        yield WebhookPeer(receiver, link, certificates)


class TestWebhook(ServerFaults, LoginFaults):
    """`type: webhook`."""
