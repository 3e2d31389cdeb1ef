"""A status in words: one line for systemd, and what is wrong with it."""

from collections.abc import Iterator

from gateway.accounts.status import AccountState
from gateway.admin.model import Status
from gateway.delivery.status import SinkState

_WELL = (AccountState.LIVE, AccountState.RECOVERING)


def summarise(status: Status) -> str:
    """As in ``4 of 4 accounts live, 3 sinks``; what is wrong comes with it."""
    live = sum(account.state in _WELL for account in status.accounts.values())
    wanted = sum(each.state is not AccountState.STOPPED for each in status.accounts.values())
    sinks = sum(sink.state is not SinkState.STOPPED for sink in status.sinks.values())
    parts = [
        f"{live} of {count(wanted, 'account')} live",
        count(sinks, "sink"),
    ]
    failing = sum(sink.state is SinkState.RETRYING for sink in status.sinks.values())
    if failing:
        parts[-1] += f" ({failing} failing)"
    if status.journal.blocked:
        parts.append(f"journal blocked: {_words(status.journal.blocked_reason or 'unknown')}")
    return ", ".join(parts)


def troubles(status: Status) -> list[str]:
    """What makes a gateway degraded, a sentence each; empty when all is well."""
    return [*_of_gateway(status), *_of_cluster(status), *_of_accounts(status), *_of_sinks(status)]


def _of_gateway(status: Status) -> Iterator[str]:
    if status.journal.blocked:
        reason = _words(status.journal.blocked_reason or "unknown")
        yield f"the journal cannot write ({reason}): sources are paused until it can"
    elif not status.gateway.ready:
        yield "the gateway is not ready: it is starting or stopping"


def _of_cluster(status: Status) -> Iterator[str]:
    cluster = status.cluster
    if cluster is None:
        return
    if not cluster.reachable:
        yield f"the cluster's engine ({cluster.engine}) does not answer: no account can move"
    for name, one in cluster.accounts.items():
        if not one.alive:
            yield f"account {name} has lost its gateway {one.owner}"


def _of_accounts(status: Status) -> Iterator[str]:
    for name, account in status.accounts.items():
        if account.state is AccountState.STOPPED:
            continue
        why = f": {account.detail}" if account.detail else ""
        if account.state not in _WELL:
            yield f"account {name} is {_words(account.state)} since {account.since}{why}"
        elif account.gaps.open:
            yield f"account {name} has an open gap{why}"


def _of_sinks(status: Status) -> Iterator[str]:
    for name, sink in status.sinks.items():
        if sink.state in (SinkState.RUNNING, SinkState.STOPPED):
            continue
        why = f": {sink.last_error}" if sink.last_error else ""
        yield f"sink {name} is {_words(sink.state)} with {sink.pending} events waiting{why}"


def _words(text: str) -> str:
    return text.replace("_", " ")


def count(number: int, what: str) -> str:
    """``1 sink``, ``2 sinks``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
