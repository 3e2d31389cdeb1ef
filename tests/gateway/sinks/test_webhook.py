"""What is special to the webhook sink: signatures, statuses, culprits, slow and hostile peers."""

import email.utils
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import trio
import trustme

from gateway.clock import WALL_CLOCK
from gateway.contracts.sink import ACCEPTED, UNTRIED, Item, Later, Refused, SinkContext, SinkOptions
from gateway.contracts.values import Seconds, Secret
from gateway.errors import SinkUnavailable
from gateway.sinks.webhook import WebhookSettings, WebhookSink, open_webhook, probe_webhook
from gateway.sinks.webhook.answers import Meaning, describe, meaning_of
from gateway.sinks.webhook.signature import batch_id, decode_key, sign
from gateway.sinks.webhook.sink import TURNED_AWAY
from gateway.telemetry.redaction import Redactor
from gateway.wire.rest import Answer
from tests.contracts.sink_suite import fills, ids
from tests.doubles.link import open_link
from tests.doubles.receiver import HOST, Post, Receiver, Reply, offering, open_receiver
from tests.doubles.servers.certificates import make_certificates

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_KEY = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
DEADLINE_SECONDS = 30.0


def context(**options: Any) -> SinkContext:
    """What the house hands over."""
    return SinkContext(
        name="desk",
        state_dir=Path("/nonexistent"),
        options=SinkOptions(type="webhook", **options),
        clock=WALL_CLOCK,
        redactor=Redactor(),
    )


@asynccontextmanager
async def sink_to(url: str, *, timeout: float = 15, **settings: Any) -> AsyncIterator[WebhookSink]:
    """The sink in front of `url`."""
    house = context(timeout=Seconds(timeout))
    with trio.fail_after(DEADLINE_SECONDS):
        async with open_webhook(WebhookSettings(url=url, **settings), house) as sink:
            yield sink


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that takes everything."""
    async with open_receiver() as up:
        yield up


def trouble(receiver: Receiver, *bad: Item, status: int = 400) -> None:
    """Have the receiver refuse every message that holds one of these events."""
    culprits = {item.record.id for item in bad}
    receiver.reply = lambda post: Reply(
        status if culprits & set(post.ids()) else 200, b"I do not like this"
    )


# --- what is sent -----------------------------------------------------------------


def test_the_published_vector():
    """The example of the Standard Webhooks documentation gives its signature."""
    headers = sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        [decode_key(KEY)],
    )

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("text", ["whsec_", "whsec_not base64!", "", "geheim-mit-ümlaut"])
def test_a_key_that_is_none(text: str):
    """What is no Base64 is said to be wrong, without being shown."""
    with pytest.raises(ValueError, match="whsec_ and the key in Base64") as caught:
        decode_key(text)

    assert not text or text == "whsec_" or text not in str(caught.value)


@pytest.mark.parametrize("mode", ["single", "batch"])
async def test_a_stranger_verifies_the_signature(receiver: Receiver, mode: Any):
    """The Standard Webhooks library accepts a message by the old key and by the new one."""
    secrets = (Secret.of(OTHER_KEY), Secret.of(KEY))
    async with sink_to(receiver.url, secrets=secrets, mode=mode) as sink:
        await sink.deliver(fills(2))

    for post in receiver.posts:
        for key in (KEY, OTHER_KEY):
            standardwebhooks.Webhook(key).verify(post.body, dict(post.headers))


async def test_one_event_a_request(receiver: Receiver):
    """By default the message's id is the event's, and the body is the event."""
    items = fills(3)
    async with sink_to(receiver.url) as sink:
        assert [ACCEPTED] * 3 == list(await sink.deliver(items))

    assert [item.body for item in items] == [post.body for post in receiver.posts]
    assert ids(items) == [post.headers["webhook-id"] for post in receiver.posts]
    assert {"application/json"} == {post.headers["content-type"] for post in receiver.posts}
    assert all("webhook-signature" not in post.headers for post in receiver.posts)
    assert receiver.connections == 1


async def test_a_batch_is_named_by_its_events(receiver: Receiver):
    """Many events make one array, whose id is the same whenever it is sent again."""
    items = fills(3)
    async with sink_to(receiver.url, mode="batch") as sink:
        await sink.deliver(items)
        await sink.deliver(items)

    assert [ids(items)] * 2 == [post.ids() for post in receiver.posts]
    assert {batch_id(ids(items))} == {post.headers["webhook-id"] for post in receiver.posts}


@pytest.mark.parametrize(
    ("mode", "content_type"),
    [
        ("single", "application/cloudevents+json"),
        ("batch", "application/cloudevents-batch+json"),
    ],
)
async def test_cloudevents_say_so(receiver: Receiver, mode: Any, content_type: str):
    """CloudEvents carry the content type of their structured or batched form."""
    [plain] = fills(1)
    item = Item(plain.record, plain.record.cloudevent(include_raw=False))
    house = context(format="cloudevents")
    async with open_webhook(WebhookSettings(url=receiver.url, mode=mode), house) as sink:
        await sink.deliver([item])

    [post] = receiver.posts
    assert content_type == post.headers["content-type"]
    assert ["1.0"] == [event["specversion"] for event in post.events()]


async def test_headers_and_address_arrive(receiver: Receiver):
    """Extra headers, path and query reach the receiver as they were written."""
    headers = {"Authorization": Secret.of("Bearer t0ken-value"), "x-desk": "7"}
    async with sink_to(f"{receiver.url}/a%20b?x=1&x=2&y=%C3%A4", headers=headers) as sink:
        await sink.deliver(fills(1))

    [post] = receiver.posts
    assert post.target == "/hook/a%20b?x=1&x=2&y=%C3%A4"
    assert post.headers["authorization"] == "Bearer t0ken-value"
    assert post.headers["x-desk"] == "7"


# --- what the answer means ----------------------------------------------------------


@pytest.mark.parametrize(
    ("meaning", "statuses"),
    [
        (Meaning.ACCEPTED, [200, 201, 202, 204, 299]),
        (Meaning.REFUSED, [400, 409, 413, 422]),
        (Meaning.LATER, [408, 421, 425, 429, 500, 502, 503, 504, 599]),
        (Meaning.TURNED_AWAY, [301, 302, 307, 401, 402, 403, 404, 405, 410, 415, 426, 451]),
    ],
)
def test_every_status_has_a_meaning(meaning: Meaning, statuses: list[int]):
    """The table of answers."""
    assert {meaning} == {meaning_of(status) for status in statuses}


@pytest.mark.parametrize("status", [301, 401, 403, 404, 408, 410, 418, 425, 429, 500, 503])
async def test_trouble_of_the_sender_refuses_no_event(receiver: Receiver, status: int):
    """A wrong token, a moved address or a full receiver lets everything wait."""
    receiver.reply = lambda _: Reply(status, b"no", (("retry-after", "7"),))
    async with sink_to(receiver.url) as sink:
        verdicts = await sink.deliver(fills(3))

    assert {7.0} == {verdict.retry_after_seconds for verdict in verdicts}
    assert all(isinstance(verdict, Later) for verdict in verdicts)
    assert len(receiver.posts) == 1


@pytest.mark.parametrize("status", [302, 307, 308])
async def test_a_redirect_is_not_followed(receiver: Receiver, status: int):
    """Events, signatures and tokens go to the address that was configured, and to no other."""
    async with open_receiver() as elsewhere:
        moved = (("location", elsewhere.url),)
        receiver.reply = lambda _: Reply(status, headers=moved)
        headers = {"authorization": Secret.of("Bearer t0ken-value")}
        async with sink_to(receiver.url, secrets=(Secret.of(KEY),), headers=headers) as sink:
            [verdict] = await sink.deliver(fills(1))

    assert isinstance(verdict, Later)
    assert "the receiver moved" in verdict.reason
    assert [] == elsewhere.posts


async def test_a_wait_may_end_at_a_date(receiver: Receiver):
    """`Retry-After` may name a date instead of seconds."""
    at = datetime.now(UTC) + timedelta(hours=1)
    date = email.utils.format_datetime(at, usegmt=True)
    receiver.reply = lambda _: Reply(503, b"", (("retry-after", date),))
    async with sink_to(receiver.url) as sink:
        [verdict] = await sink.deliver(fills(1))

    assert isinstance(verdict, Later)
    assert verdict.retry_after_seconds is not None
    assert 3_500 < verdict.retry_after_seconds <= 3_600


async def test_being_turned_away_alarms_once_per_cause(receiver: Receiver):
    """An operator gets one line when a token fails, not one per attempt."""
    before = TURNED_AWAY.count
    async with sink_to(receiver.url) as sink:
        for status in (401, 401, 401, 404, 200, 401):
            receiver.reply = lambda _, status=status: Reply(status)
            await sink.deliver(fills(1))

    assert before + 3 == TURNED_AWAY.count


async def test_a_refused_event_is_told_with_status_and_excerpt(receiver: Receiver):
    """The others of the batch are accepted; the culprit carries what the receiver said."""
    items = fills(5)
    trouble(receiver, items[2], status=422)
    async with sink_to(receiver.url) as sink:
        verdicts = await sink.deliver(items)

    refused = Refused(reason="422", excerpt="I do not like this")
    assert [ACCEPTED, ACCEPTED, refused, ACCEPTED, ACCEPTED] == list(verdicts)


@pytest.mark.parametrize(
    "culprits", [[0], [99], [50], [0, 1], [0, 50, 99], [3, 4, 5, 97], list(range(0, 100, 7))]
)
async def test_culprits_of_a_batch_stand_alone(receiver: Receiver, culprits: list[int]):
    """A refused batch is halved until exactly the culprits are left, in order, at little cost."""
    items = fills(100)
    trouble(receiver, *(items[at] for at in culprits))
    async with sink_to(receiver.url, mode="batch") as sink:
        verdicts = await sink.deliver(items)

    refused = [at for at, verdict in enumerate(verdicts) if isinstance(verdict, Refused)]
    assert culprits == refused
    assert ids([item for at, item in enumerate(items) if at not in culprits]) == receiver.held()
    assert len(receiver.posts) <= 1 + 9 * len(culprits)


async def test_a_search_goes_on_in_the_next_delivery(receiver: Receiver):
    """A delivery that was cut while it searched is not begun from the full batch again."""
    items = fills(64)
    trouble(receiver, items[0])
    async with sink_to(receiver.url, mode="batch") as sink:
        with trio.CancelScope() as scope:
            answer = receiver.reply

            def cut_the_fourth(post: Post) -> Reply:
                if len(receiver.posts) == 4:
                    scope.cancel()
                return answer(post)

            receiver.reply = cut_the_fourth
            await sink.deliver(items)
        assert scope.cancelled_caught
        verdicts = await sink.deliver(items)

    assert [Refused(reason="400", excerpt="I do not like this"), *[ACCEPTED] * 63] == list(verdicts)
    assert [64, 32, 16, 8, 8, 4] == [len(post.ids()) for post in receiver.posts[:6]]


async def test_a_long_answer_is_cut(receiver: Receiver):
    """A megabyte behind a 200 is an acceptance all the same, and is not read to its end."""
    receiver.reply = lambda _: Reply(200, b"x" * 1_000_000)
    async with sink_to(receiver.url) as sink:
        assert [ACCEPTED] * 2 == list(await sink.deliver(fills(2)))


# --- slow, silent and hostile peers --------------------------------------------------


async def test_a_slow_receiver_is_answered_for_in_parts(receiver: Receiver):
    """What it took within the time is accepted and never sent again; the rest has to wait."""
    receiver.reply = lambda _: Reply(delay_seconds=0.4)
    items = fills(50)
    async with sink_to(receiver.url, timeout=2) as sink:
        verdicts = list(await sink.deliver(items))

    count = verdicts.count(ACCEPTED)
    assert 0 < count < 50
    assert [UNTRIED] * (50 - count) == verdicts[count:]
    assert ids(items[:count]) == receiver.held()[:count]


async def test_a_receiver_that_falls_silent_keeps_what_it_took(receiver: Receiver):
    """A request without an answer ends in time for the accepted ones before it to be told."""
    items = fills(3)
    hanging = items[1].record.id
    receiver.reply = lambda post: Reply(delay_seconds=60 if hanging in post.ids() else 0)
    async with sink_to(receiver.url, timeout=1) as sink:
        with trio.fail_after(DEADLINE_SECONDS):
            verdicts = await sink.deliver(items)

    assert [ACCEPTED, UNTRIED, UNTRIED] == list(verdicts)


async def test_a_lost_answer_is_asked_again_with_the_same_id(receiver: Receiver):
    """A connection cut after the receiver took the event costs one repeat, by the same name."""
    receiver.reply = lambda _: Reply(cut=len(receiver.posts) == 1)
    async with sink_to(receiver.url) as sink:
        [first] = await sink.deliver(fills(1))
        [second] = await sink.deliver(fills(1))

    assert isinstance(first, Later)
    assert second is ACCEPTED
    assert len({post.headers["webhook-id"] for post in receiver.posts}) == 1
    assert len(receiver.accepted) == 2


def server_context(authority: trustme.CA, host: str = HOST) -> ssl.SSLContext:
    """A certificate for `host`."""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(host).configure_cert(made)
    return made


async def test_an_authority_of_ones_own(tmp_path: Path):
    """`ca_file` makes a private authority trusted; without it nothing is sent."""
    authority = trustme.CA()
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    async with open_receiver(server_context(authority)) as receiver:
        async with sink_to(receiver.url) as sink:
            [untrusted] = await sink.deliver(fills(1))
        async with sink_to(receiver.url, ca_file=path) as sink:
            [trusted] = await sink.deliver(fills(1))
        findings = await probe_webhook(
            WebhookSettings(url=receiver.url, ca_file=path), context(timeout=Seconds(5))
        )

    assert isinstance(untrusted, Later)
    assert "certificate was refused" in untrusted.reason
    assert trusted is ACCEPTED
    assert [True] == [finding.ok for finding in findings]
    assert len(receiver.posts) == 1


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [(("h2", "http/1.1"), "h2"), (("http/1.1",), "http/1.1"), ((), None)],
)
async def test_http2_where_it_is_offered(tmp_path: Path, offered: tuple[str], agreed: str | None):
    """HTTP/2 is spoken to a receiver that offers it, HTTP/1.1 to any other, by one connection."""
    certificates = make_certificates(tmp_path / "certificates")
    async with (
        open_receiver(offering(certificates, *offered)) as receiver,
        sink_to(receiver.url, ca_file=certificates.ca) as sink,
    ):
        assert [ACCEPTED] * 20 == list(await sink.deliver(fills(20)))

    assert [agreed] == receiver.protocols
    assert ids(fills(20)) == receiver.held()


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
async def test_a_half_open_connection(tmp_path: Path, protocol: str):
    """A connection that carries nothing any more is given up with its request."""
    certificates = make_certificates(tmp_path / "certificates")
    async with (
        open_receiver(offering(certificates, protocol)) as receiver,
        open_link(receiver.port) as link,
        sink_to(f"https://{link.address}/hook", ca_file=certificates.ca, timeout=0.5) as sink,
    ):
        assert [ACCEPTED] == list(await sink.deliver(fills(1)))
        link.silence()
        [silent] = await sink.deliver(fills(1, first=2))
        link.restore()
        assert [ACCEPTED] == list(await sink.deliver(fills(1, first=2)))

    assert isinstance(silent, Later)
    assert "no whole answer" in silent.reason
    assert [protocol, protocol] == receiver.protocols
    assert ids(fills(2)) == receiver.held()


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
async def test_an_answer_without_end(tmp_path: Path, protocol: str):
    """It is cut, over either protocol, and the next request is not behind its rest."""
    certificates = make_certificates(tmp_path / "certificates")
    async with (
        open_receiver(offering(certificates, protocol)) as receiver,
        sink_to(receiver.url, ca_file=certificates.ca) as sink,
    ):
        receiver.reply = lambda _: Reply(body=b"x" * (1 << 20))
        assert [ACCEPTED] == list(await sink.deliver(fills(1)))
        receiver.reply = lambda _: Reply()
        assert [ACCEPTED] == list(await sink.deliver(fills(1, first=2)))

    assert [protocol, protocol] == receiver.protocols


async def test_a_changed_certificate(tmp_path: Path):
    """When a certificate for another host is shown, events wait until the right one is back."""
    authority = trustme.CA()
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    async with (
        open_receiver(server_context(authority)) as receiver,
        sink_to(receiver.url, ca_file=path) as sink,
    ):
        [before] = await sink.deliver(fills(1))
        await receiver.stop()
        receiver.use(server_context(authority, "elsewhere.example"))
        await receiver.start()
        [meanwhile] = await sink.deliver(fills(1))
        if "certificate" not in meanwhile.reason:  # the kept connection had to die first
            [meanwhile] = await sink.deliver(fills(1))
        await receiver.stop()
        receiver.use(server_context(authority))
        await receiver.start()
        [after] = await sink.deliver(fills(1))

    assert before is ACCEPTED
    assert "certificate was refused" in meanwhile.reason
    assert after is ACCEPTED


# --- configuration --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "settings"),
    [
        ("url", {"url": "desk.example/x"}),
        ("url", {"url": "ftp://desk.example/x"}),
        ("url", {"url": "https://user:pass@desk.example/x"}),
        ("url", {"url": "https://desk.example:99999/x"}),
        ("url", {"url": "https://desk.example/ä"}),
        ("headers.bad name", {"url": "https://d", "headers": {"bad name": "x"}}),
        ("headers.Webhook-Id", {"url": "https://d", "headers": {"Webhook-Id": "x"}}),
        ("headers.x", {"url": "https://d", "headers": {"x": "a\r\nb"}}),
        ("proxy", {"url": "https://d", "proxy": "nowhere"}),
    ],
)
def test_mistakes_are_found_before_the_start(key: str, settings: dict[str, Any]):
    """What no type shows is told with its key."""
    assert [key] == [where for where, _ in WebhookSettings(**settings).problems()]


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (r"secrets\[1\]: .* Base64", {"secrets": (Secret.of(KEY), Secret.of("geheim!"))}),
        ("ca_file: .*No such file", {"ca_file": Path("/nonexistent/ca.pem")}),
        ("ca_file: .*no certificates", {"ca_file": Path(__file__)}),
        ("url: write https://", {"url": Secret.of("nothing like a URL")}),
    ],
)
async def test_what_shows_only_at_the_opening_is_told_too(words: str, settings: dict[str, Any]):
    """A bad key, certificate file or secret address is named, without its value."""
    with pytest.raises(SinkUnavailable, match=words) as caught:
        async with open_webhook(WebhookSettings(**{"url": "https://d"} | settings), context()):
            pass

    assert "geheim" not in str(caught.value)
    assert "nothing like" not in str(caught.value)


async def test_a_probe_sends_nothing(receiver: Receiver):
    """`check --connect` opens a connection and posts no event; a dead peer is named."""
    settings = WebhookSettings(url=receiver.url)
    alive = await probe_webhook(settings, context(timeout=Seconds(5)))
    await receiver.stop()
    dead = await probe_webhook(settings, context(timeout=Seconds(5)))

    assert ([True], [False]) == ([one.ok for one in alive], [one.ok for one in dead])
    assert "refused" in dead[0].detail
    assert receiver.posts == []


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": Secret.of("Bearer t0ken-value")},
        {"Authorization": "Bearer t0ken-value"},
        {"x-api-key": "t0ken-value"},
    ],
)
async def test_a_receivers_answer_shows_no_secret(
    receiver: Receiver, headers: dict[str, str | Secret]
):
    """A receiver that echoes the token, a literal one too, leaves it out of the dead letters."""
    receiver.reply = lambda post: Reply(400, json.dumps(dict(post.headers)).encode())
    async with sink_to(receiver.url, headers=headers) as sink:
        [refused] = await sink.deliver(fills(1))

    assert "[redacted]" in refused.excerpt
    assert "t0ken-value" not in refused.excerpt


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (500, b"", "answered 500"),
        (503, b" back\n soon ", "answered 503: back soon"),
        (302, b"", "answered 302 (the receiver moved: write its new address in `url`)"),
    ],
)
def test_what_an_operator_reads(status: int, body: bytes, told: str) -> None:
    """The status, what the receiver said about it if anything, and what to do."""
    assert told == describe(Answer(status, {}, body, sent_ns=0, received_ns=0))
