"""What `gateway check --connect` asks Kafka."""

from collections.abc import Collection

import trio

from gateway.contracts.adapter import ProbeFinding
from gateway.contracts.sink import SinkContext
from gateway.errors import SinkUnavailable
from gateway.events.model import Kind
from gateway.sinks.kafka.producer import Sender
from gateway.sinks.kafka.settings import KafkaSettings


async def findings(settings: KafkaSettings, context: SinkContext) -> list[ProbeFinding]:
    """Connect, log in, count the brokers, look for the topics; nothing is made or sent."""
    where = ", ".join(settings.servers)
    sender = Sender(settings, context.options.timeout)
    try:
        cluster = await trio.to_thread.run_sync(sender.look, abandon_on_cancel=True)
    except SinkUnavailable as error:
        detail = f"{where}: {context.redactor.redact(str(error))}"
        return [ProbeFinding(what="connect", ok=False, detail=detail)]
    secured = "certificate verified" if settings.tls else "without TLS"
    detail = f"{where}: a cluster of {cluster.brokers}, {secured}"
    return [
        ProbeFinding(what="connect", ok=True, detail=detail),
        _about(cluster.topics, settings, context),
    ]


def _about(topics: Collection[str], settings: KafkaSettings, context: SinkContext) -> ProbeFinding:
    # No failure: whether the brokers make topics by themselves is theirs to know, and most do.
    expected = expected_topics(settings, context)
    if missing := sorted(expected.difference(topics)):
        advice = "make them, unless the brokers do (`auto.create.topics.enable`)"
        detail = f"not there yet: {', '.join(missing)} ({advice})"
    else:
        detail = f"there: {', '.join(sorted(expected))}" if expected else "named by events to come"
    return ProbeFinding(what="topics", ok=True, detail=detail)


def expected_topics(settings: KafkaSettings, context: SinkContext) -> set[str]:
    """The topics that can be named before any event: accounts and symbols only events tell."""
    kinds = set(context.options.kinds or Kind)
    if context.options.stream_events:
        kinds.add(Kind.STREAM)
    accounts = context.options.accounts or ("{account}",)
    named = {
        settings.topic.replace("{kind}", kind.value).replace("{account}", account)
        for kind in kinds
        for account in accounts
    }
    return {topic for topic in named if "{" not in topic}
