"""`gateway check --connect`: ask every venue and sink, all at the same time."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
import trio

from gateway.clock import WALL_CLOCK
from gateway.config import Config
from gateway.config.secrets import find_secrets
from gateway.contracts.adapter import (
    AdapterContext,
    Commons,
    ConfiguredAccount,
    ConnectGate,
    ProbeFinding,
    RequestGate,
)
from gateway.contracts.sink import ConfiguredSink, SinkContext
from gateway.errors import GatewayError
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.redaction import REDACTOR, Redactor
from gateway.wire.commons import HostCommons
from gateway.wire.limits import HostGate, RequestLimits

_AT_ONCE: Final = 20
"""Peers asked at the same time, so that a thousand accounts are no burst."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was asked of one peer."""

    path: str
    """``accounts.NAME`` or ``sinks.NAME``."""
    what: str
    ok: bool
    detail: str

    def __str__(self) -> str:
        return f"{'ok    ' if self.ok else 'FAILED'}  {self.path}  {self.what}: {self.detail}"


Probe = Callable[[], Awaitable[Sequence[ProbeFinding]]]


class _Gates:
    """What all accounts queue at together."""

    def __init__(self) -> None:
        self.connect: Final[ConnectGate] = HostGate()
        self.request: Final[RequestGate] = RequestLimits()
        self.commons: Final[Commons] = HostCommons()


async def probe_everything(config: Config, timeout_seconds: float) -> list[Finding]:
    """Findings of all enabled accounts and sinks, in the order of the files."""
    gates = _Gates()
    probes: dict[str, Probe] = {}
    for account in config.accounts.values():
        if account.options.enabled:
            probes[f"accounts.{account.name}"] = _account_probe(account, gates)
    for sink in config.sinks.values():
        if sink.options.enabled and sink.spec.probe is not None:
            probes[f"sinks.{sink.name}"] = _sink_probe(sink, sink.spec.probe, config)
    found: dict[str, list[Finding]] = {path: [] for path in probes}
    limiter = trio.CapacityLimiter(_AT_ONCE)

    async def ask(path: str, probe: Probe) -> None:
        async with limiter:
            found[path] += await _ask(path, probe, timeout_seconds)

    async with trio.open_nursery() as nursery:
        for path, probe in probes.items():
            nursery.start_soon(ask, path, probe)
    return [finding for findings in found.values() for finding in findings]


async def _ask(path: str, probe: Probe, timeout_seconds: float) -> list[Finding]:
    """One peer; whatever it or its client library does becomes a finding."""
    try:
        with trio.fail_after(timeout_seconds):
            findings = await probe()
    except trio.TooSlowError:
        return [_failure(path, f"no answer within {timeout_seconds:g} s")]
    except GatewayError as error:
        return [_failure(path, str(error))]
    except Exception as error:  # noqa: BLE001 - a defect of one probe must not hide the others
        return [_failure(path, f"{type(error).__name__}: {error}")]
    return [
        Finding(path=path, what=one.what, ok=one.ok, detail=REDACTOR.redact(one.detail))
        for one in findings
    ]


def _failure(path: str, detail: str) -> Finding:
    return Finding(path=path, what="connect", ok=False, detail=REDACTOR.redact(detail))


def _account_probe(account: ConfiguredAccount, gates: _Gates) -> Probe:
    async def probe() -> Sequence[ProbeFinding]:
        context = AdapterContext(
            account=account.name,
            options=account.options,
            clock=WALL_CLOCK,
            metrics=Metrics(),
            redactor=_redactor(account.settings),
            connect_gate=gates.connect,
            request_gate=gates.request,
            commons=gates.commons,
        )
        adapter = account.spec.open(account.settings, context)
        try:
            return await adapter.probe()
        finally:
            with trio.move_on_after(1, shield=True):  # closing sockets, at most
                await adapter.aclose()

    return probe


def _sink_probe(sink: ConfiguredSink, ask: Callable[..., Any], config: Config) -> Probe:
    async def probe() -> Sequence[ProbeFinding]:
        context = SinkContext(
            name=sink.name,
            state_dir=config.state_dir,
            options=sink.options,
            clock=WALL_CLOCK,
            redactor=_redactor(sink.settings),
        )
        findings: Sequence[ProbeFinding] = await ask(sink.settings, context)
        return findings

    return probe


def _redactor(settings: msgspec.Struct) -> Redactor:
    redactor = Redactor(REDACTOR)
    redactor.add(*(secret.read() for _, secret in find_secrets(settings, "")))
    return redactor
