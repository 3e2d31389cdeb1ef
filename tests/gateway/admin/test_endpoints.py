"""Each endpoint of the contract answers what it promises."""

import msgspec
import pytest
import structlog.testing
from prometheus_client.parser import text_string_to_metric_families

from gateway.admin.answers import events
from gateway.admin.model import Probe, ReloadResult, Status
from gateway.events.model import StreamStatus
from gateway.events.times import from_nanoseconds
from gateway.telemetry.metrics import CATALOGUE, MetricType
from gateway.telemetry.redaction import REDACTOR
from tests.doubles.house import SECOND_NS, START_NS, gap
from tests.doubles.http_client import Client, connect
from tests.gateway.admin.conftest import Served


@pytest.fixture
async def client(served: Served):
    """One connection to the served house."""
    async with connect(served.url) as it:
        yield it


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_probes_answer_200_when_all_is_well(client: Client, path: str):
    """Health and readiness are 200 with a reason in words."""
    told = await client.ask(path)

    assert (told.status, told.json()["ok"]) == (200, True)


async def test_an_unready_gateway_says_503_and_why(served: Served, client: Client):
    """A probe that fails is a problem document with the reason."""
    served.house.ready = Probe(ok=False, reason="the disk is full")

    told = await client.ask("/readyz")

    assert told.status == 503
    assert told.json()["detail"] == "the disk is full"
    assert (await client.ask("/healthz")).status == 200


async def test_metrics_name_everything_in_the_catalogue(served: Served, client: Client):
    """The text parses as Prometheus reads it, and no metric of the catalogue is missing."""
    served.house.metrics.cell("gateway_account_up", "lbank-main").set(1)
    served.house.metrics.histogram("gateway_venue_lag_seconds", "lbank-main").observe(0.02)

    told = await client.ask("/metrics")

    families = {f.name: f for f in text_string_to_metric_families(told.body.decode())}
    assert {spec.name for spec in CATALOGUE} <= set(families)
    assert all(families[spec.name].type == spec.type for spec in CATALOGUE)
    assert families["gateway_venue_lag_seconds"].type == MetricType.HISTOGRAM
    assert told.headers["content-type"].startswith("text/plain")


async def test_metrics_speak_openmetrics_when_asked(client: Client):
    """A scraper that accepts OpenMetrics gets it."""
    told = await client.ask("/metrics", headers={"accept": "application/openmetrics-text"})

    assert told.headers["content-type"].startswith("application/openmetrics-text")
    assert told.body.endswith(b"# EOF\n")


async def test_status_is_the_model_of_the_command(served: Served, client: Client):
    """`/api/v1/status` decodes into the same struct that the command shows."""
    told = await client.ask("/api/v1/status")

    assert served.house.status() == msgspec.json.decode(told.body, type=Status)


async def test_status_has_every_field_of_the_contract(client: Client):
    """Fields that scripts rely on are there by name."""
    status = (await client.ask("/api/v1/status")).json()

    assert {"name", "version", "started", "ready"} <= set(status["gateway"])
    assert {
        "venue", "state", "since", "last_frame", "last_event", "connections", "key_expires",
        "gaps", "reconnects", "events",
    } <= set(status["accounts"]["lbank-main"])  # fmt: skip
    assert {"open", "total", "unrecovered"} <= set(status["accounts"]["lbank-main"]["gaps"])
    assert {
        "type", "state", "delivered_seq", "recorded", "delivered", "filtered", "dropped",
        "dead_letters", "pending", "last_error", "retry_at",
    } <= set(status["sinks"]["desk"])  # fmt: skip
    assert {"first_seq", "last_seq", "bytes", "free_bytes", "blocked"} <= set(status["journal"])


async def test_an_account_shows_what_it_holds(client: Client):
    """Balances, positions, open orders and stream health stand in one answer."""
    told = (await client.ask("/api/v1/accounts/lbank-main")).json()

    assert told["balances"][0]["available"] == "1.34242880408925"
    assert told["positions"][0]["position"]["entry_price"] == "9278.5"
    assert told["open_orders"][0]["symbol"] == "ETH/BTC"
    assert told["stream"]["state"] == "live"


async def test_an_unknown_account_is_a_404_that_says_what_to_do(client: Client):
    """The problem names the account and where to look."""
    told = await client.ask("/api/v1/accounts/nobody")

    assert told.status == 404
    assert told.headers["content-type"] == "application/problem+json"
    assert "nobody" in told.json()["detail"]
    assert "gateway status" in told.json()["todo"]


async def test_gaps_of_the_last_day_are_put_together(served: Served, client: Client):
    """An opened and closed gap is one span; one still open has no end; old ones are left out."""
    day_ago = START_NS - 30 * 3600 * SECOND_NS
    log = served.house.journal
    stamps = [from_nanoseconds(START_NS - n * SECOND_NS) for n in (500, 400, 300)]
    old = from_nanoseconds(day_ago)
    log.append(gap(StreamStatus.GAP_OPENED, old), at_ns=day_ago)
    log.append(gap(StreamStatus.GAP_CLOSED, old, from_nanoseconds(day_ago + 1000)), at_ns=day_ago)
    log.append(gap(StreamStatus.GAP_OPENED, stamps[0]))
    log.append(gap(StreamStatus.GAP_CLOSED, stamps[0], stamps[1]))
    log.append(gap(StreamStatus.GAP_OPENED, stamps[2]), "fmex-hedge")

    told = (await client.ask("/api/v1/gaps")).json()

    assert told["whole"] is True
    assert [
        ("lbank-main", stamps[0], stamps[1], "connection_lost", True),
        ("fmex-hedge", stamps[2], None, "connection_lost", None),
    ] == [(g["account"], g["since"], g["until"], g["reason"], g["complete"]) for g in told["gaps"]]


async def test_a_gap_that_was_dated_back_is_one_gap(served: Served, client: Client):
    """Opened, opened again with an earlier beginning, closed: nothing stays open."""
    log = served.house.journal
    earlier, since, until = (from_nanoseconds(START_NS + n * SECOND_NS) for n in (-30, 0, 2))
    log.append(gap(StreamStatus.GAP_OPENED, since), "fmex-hedge")
    log.append(gap(StreamStatus.GAP_OPENED, since))
    log.append(gap(StreamStatus.GAP_OPENED, earlier))
    log.append(gap(StreamStatus.GAP_CLOSED, earlier, until))

    told = (await client.ask("/api/v1/gaps")).json()["gaps"]

    assert [("lbank-main", earlier, until), ("fmex-hedge", since, None)] == [
        (each["account"], each["since"], each["until"]) for each in told
    ]


async def test_a_gap_shows_as_closed_on_the_next_question(served: Served, client: Client):
    """The second question reads only what came since the first, and updates the span."""
    log = served.house.journal
    since, until = from_nanoseconds(START_NS), from_nanoseconds(START_NS + SECOND_NS)
    log.append(gap(StreamStatus.GAP_OPENED, since))
    before = (await client.ask("/api/v1/gaps")).json()["gaps"]
    log.append(gap(StreamStatus.GAP_CLOSED, since, until))

    after = (await client.ask("/api/v1/gaps")).json()["gaps"]

    assert [None, until] == [before[0]["until"], after[0]["until"]]


async def test_pages_of_events_join_without_hole_or_repeat(served: Served, client: Client):
    """`since_seq` is exclusive, and `next_seq` leads on to the end."""
    served.house.journal.append_fills(25)
    seen, since = [], 0

    while since < 25:
        page = (await client.ask(f"/api/v1/events?since_seq={since}&limit=10")).json()
        seen += [event["seq"] for event in page["events"]]
        since = page["next_seq"]

    assert list(range(1, 26)) == seen
    assert (page["first_seq"], page["last_seq"]) == (1, 25)


async def test_events_are_filtered_by_account_and_kind(served: Served, client: Client):
    """Only the wanted ones come, yet `next_seq` passes over the others too."""
    log = served.house.journal
    log.append_fills(3)
    log.append(gap(StreamStatus.GAP_OPENED, from_nanoseconds(START_NS)))
    log.append_fills(2, "fmex-hedge")

    fills = (await client.ask("/api/v1/events?account=fmex-hedge&kind=fill,order")).json()
    streams = (await client.ask("/api/v1/events?kind=stream")).json()

    assert ([event["seq"] for event in fills["events"]], fills["next_seq"]) == ([5, 6], 6)
    assert ([event["seq"] for event in streams["events"]], streams["next_seq"]) == ([4], 6)


async def test_a_filter_that_wants_little_is_answered_in_bounded_steps(
    served: Served, client: Client, monkeypatch: pytest.MonkeyPatch
):
    """A request looks through so many events and no more; the next one goes on."""
    monkeypatch.setattr(events, "SCAN_LIMIT", 256)
    served.house.journal.append_fills(600)

    page = (await client.ask("/api/v1/events?kind=order")).json()

    assert (page["events"], page["next_seq"], page["last_seq"]) == ([], 256, 600)


async def test_an_event_comes_without_its_raw_text(served: Served, client: Client):
    """HTTP gives the event as a sink without `include_raw` does."""
    served.house.journal.append_fills(1)

    (event,) = (await client.ask("/api/v1/events")).json()["events"]

    assert "raw" not in event
    assert list(event)[:4] == ["schema", "id", "seq", "kind"]


@pytest.mark.parametrize(
    ("target", "word"),
    [
        ("/api/v1/events?limit=0", "limit"),
        ("/api/v1/events?limit=1001", "limit"),
        ("/api/v1/events?since_seq=-1", "since_seq"),
        ("/api/v1/events?since_seq=x", "since_seq"),
        ("/api/v1/events?kind=fil", "kind"),
        ("/api/v1/events?sinceseq=1", "sinceseq"),
        ("/api/v1/events?limit=1&limit=2", "twice"),
        ("/events?kind=nothing", "kind"),
    ],
)
async def test_a_bad_parameter_is_named(client: Client, target: str, word: str):
    """The problem says which parameter and what is expected."""
    told = await client.ask(target)

    assert told.status == 400
    assert word in told.json()["detail"]


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("/api/v1/reload", ("reload",)),
        ("/api/v1/accounts/lbank-main/reconnect", ("reconnect", "lbank-main")),
        ("/api/v1/accounts/lbank-main/recover", ("recover", "lbank-main")),
        ("/api/v1/sinks/desk/pause", ("pause", "desk")),
        ("/api/v1/sinks/desk/resume", ("resume", "desk")),
    ],
)
async def test_an_order_reaches_the_house(
    served: Served, client: Client, path: str, order: tuple[str, ...]
):
    """A POST is carried out and answered with what was done."""
    told = await client.ask(path, "POST")

    assert (200, [order]) == (told.status, served.house.orders)
    assert told.json()["message"]


async def test_an_order_for_nobody_is_404_and_one_at_the_wrong_time_409(client: Client):
    """The sentence of the house reaches whoever asked."""
    nobody = await client.ask("/api/v1/sinks/nobody/pause", "POST")
    too_soon = await client.ask("/api/v1/sinks/desk/forget", "POST")

    assert (nobody.status, too_soon.status) == (404, 409)
    assert "configured: desk, events" in nobody.json()["detail"]
    assert "pause it first" in too_soon.json()["detail"]


async def test_an_order_leaves_a_line_in_the_log(client: Client):
    """What was ordered, about whom, by whom, and what came of it."""
    with structlog.testing.capture_logs() as lines:
        await client.ask("/api/v1/sinks/desk/pause", "POST")
        await client.ask("/api/v1/sinks/nobody/pause", "POST")

    done, refused = (line for line in lines if line["event"] == "operator_order")
    assert (done["order"], done["target"], done["result"]) == ("sinks pause", "desk", "done")
    assert done["by"].startswith("127.0.0.1:")
    assert "there is no 'nobody'" in refused["result"]


async def test_a_problem_shows_no_secret(served: Served, client: Client):
    """An error that quotes a secret by accident is redacted on its way out."""
    REDACTOR.add("canary-7f3a9c")
    served.house.next_reload = ReloadResult(ok=False, message="bad key canary-7f3a9c")

    told = await client.ask("/api/v1/reload", "POST")

    REDACTOR.discard(["canary-7f3a9c"])
    assert told.json()["detail"] == "bad key [redacted]"


async def test_a_refused_reload_is_422_with_the_mistakes(served: Served, client: Client):
    """Whoever asked learns why, and that the old configuration stays."""
    mistakes = "gateway.yaml:3:5: accounts.a.pears: unknown key"
    served.house.next_reload = ReloadResult(ok=False, message=mistakes)

    told = await client.ask("/api/v1/reload", "POST")

    assert (422, mistakes) == (told.status, told.json()["detail"])
    assert "stays in force" in told.json()["todo"]


async def test_replay_takes_a_range_and_can_only_count(served: Served, client: Client):
    """The body says from where to where; a dry run is told as such."""
    served.house.journal.append_fills(7)

    told = await client.ask(
        "/api/v1/sinks/desk/replay",
        "POST",
        {"content-type": "application/json"},
        b'{"from": 1, "to": "2026-11-22T12:00:00Z", "dry_run": true}',
    )

    assert (told.status, told.json()["count"]) == (200, 7)
    assert "would be" in told.json()["message"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{}", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 60_000, "application/json", 400),
        (b'{"from": 5, "to": 4}', "application/json", 400),
        (b'{"from": 5, "too": 4}', "application/json", 400),
        (b'{"from": "yesterday"}', "application/json", 400),
        (b'{"from": 5, "to": "2026-11-02T08:00:00"}', "application/json", 400),  # of which zone?
        (b'{"from": 5}', "text/plain", 415),
        (b"x" * 70_000, "application/json", 413),
    ],
)
async def test_a_bad_body_is_refused(client: Client, body: bytes, content_type: str, status: int):
    """Nothing is carried out, and the answer is a problem document."""
    told = await client.ask(
        "/api/v1/sinks/desk/replay", "POST", {"content-type": content_type}, body
    )

    assert (status, status) == (told.status, told.json()["status"])


async def test_dead_letters_are_listed_shown_offered_and_dropped(served: Served, client: Client):
    """The whole life of dead letters by HTTP."""
    for sink in ("desk", "events", "desk"):
        await served.house.add_letter(sink)
    json = {"content-type": "application/json"}

    listed = (await client.ask("/api/v1/dead-letters?sink=desk&limit=1")).json()
    rest = (await client.ask(f"/api/v1/dead-letters?after={listed['next_after']}")).json()
    shown = (await client.ask("/api/v1/dead-letters/3")).json()
    missing = await client.ask("/api/v1/dead-letters/4")
    replayed = await client.ask("/api/v1/dead-letters/replay", "POST", json, b'{"numbers": [3]}')
    dropped = await client.ask("/api/v1/dead-letters/drop", "POST", json, b'{"sink": "desk"}')

    assert [letter["number"] for letter in listed["dead_letters"]] == [1]
    assert ([x["number"] for x in rest["dead_letters"]], rest["next_after"]) == ([2, 3], None)
    assert (shown["excerpt"], shown["event"]["seq"]) == ("no such column", 3)
    assert missing.status == 404
    assert (replayed.json()["count"], dropped.json()["count"]) == (1, 1)
    assert [letter.number for letter in served.house.letters] == [2]


async def test_dropping_all_dead_letters_takes_a_body(served: Served, client: Client):
    """A POST of nothing drops nothing; `{}` says all."""
    await served.house.add_letter("desk")
    json = {"content-type": "application/json"}

    nothing = await client.ask("/api/v1/dead-letters/drop", "POST", json)
    everything = await client.ask("/api/v1/dead-letters/drop", "POST", json, b"{}")

    assert (nothing.status, everything.json()["count"]) == (400, 1)


async def test_a_wrong_path_leads_on(client: Client):
    """404 suggests the nearest path, 405 says what is allowed."""
    lost = await client.ask("/api/v1/statsu")
    wrong = await client.ask("/api/v1/reload")

    assert (lost.status, wrong.status) == (404, 405)
    assert "/api/v1/status" in lost.json()["todo"]
    assert wrong.headers["allow"] == "POST"


async def test_head_is_get_without_a_body(client: Client):
    """HEAD tells the length and sends nothing; the connection goes on."""
    await client.send_request("/api/v1/status", "HEAD")
    told = await client.read_answer()

    assert (told.status, told.body) == (200, b"")
    assert int(told.headers["content-length"]) > 100
    assert (await client.ask("/healthz")).status == 200


async def test_a_defect_is_a_500_that_shows_nothing(served: Served, client: Client):
    """The traceback goes to the log, not to the client."""
    served.house.status = lambda: 1 / 0

    told = await client.ask("/api/v1/status")

    assert told.status == 500
    assert b"ZeroDivision" not in told.body
    assert (await client.ask("/healthz")).status == 200
