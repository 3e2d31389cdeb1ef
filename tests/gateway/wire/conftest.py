"""Fixtures: both transports, and a certificate authority of our own."""

import ssl
from typing import Any

import pytest
import trustme


@pytest.fixture(params=["trio-websocket", "websockets"])
def transport(request: pytest.FixtureRequest):
    """Each test that asks for it runs on both."""
    return request.param


@pytest.fixture(scope="session")
def authority():
    """A CA that nobody trusts but who asks for `trust`."""
    return trustme.CA()


@pytest.fixture
def trust(authority: trustme.CA):
    """A client's context that trusts `authority`, and verifies."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def serve_as(authority: trustme.CA):
    """Make a server's context for a host, with options of `trustme.CA.issue_cert`."""

    def make(host: str, ca: trustme.CA = authority, **options: Any) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert(host, **options).configure_cert(context)
        return context

    return make


@pytest.fixture(autouse=True)
def _no_proxies_around(monkeypatch: pytest.MonkeyPatch):
    """The machine's own proxy settings must not reach the tests."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
