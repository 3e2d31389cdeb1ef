"""The status page, in a real browser."""

import re
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256
from urllib.parse import urlsplit

import pytest
import trio

from gateway.accounts.status import AccountState
from gateway.admin.page import load_page
from gateway.contracts.values import Secret
from gateway.events.model import StreamStatus
from gateway.events.times import from_nanoseconds
from tests.doubles.browser import CHROMIUM, Tab, open_browser
from tests.doubles.house import SECOND_NS, START_NS, account_status, gap
from tests.doubles.http_client import connect
from tests.gateway.admin.conftest import Serve, Served

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt install chromium")

ROWS = "document.querySelectorAll('#event-list li:not([hidden])').length"


def text(selector: str) -> str:
    """A JavaScript expression for what stands there."""
    return f"(document.querySelector('{selector}')?.textContent ?? '')"


@pytest.fixture(scope="module")
def page() -> str:
    """The page as it is served."""
    return load_page("status.html", "style.css", "words.js", "view.js", "live.js").html.decode()


def test_the_page_asks_nobody_for_anything(page: str):
    """No address outside the gateway stands in it, but for names of XML vocabularies."""
    addresses = set(re.findall(r"https?://[^\s\"'`<>]+", page))

    assert addresses == {"http://www.w3.org/2000/svg"}


def test_the_policy_names_exactly_what_is_inline(page: str):
    """Style and script run by their digest; nothing else does."""
    policy = load_page("status.html", "style.css", "words.js", "view.js", "live.js").policy

    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "style=" not in page


async def test_the_page_comes_with_its_policy(served: Served):
    """The header that makes the promise is sent, and nobody may frame the page."""
    async with connect(served.url) as client:
        told = await client.ask("/")

    assert "default-src 'none'" in told.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in told.headers["content-security-policy"]
    assert told.headers["content-type"] == "text/html; charset=utf-8"


@pytest.fixture
async def tab() -> AsyncIterator[Tab]:
    """A browser; one is started for each test, which costs a second."""
    with trio.fail_after(90):
        async with open_browser() as it:
            yield it


@needs_browser
async def test_events_appear_filter_and_open(served: Served, tab: Tab):
    """What is recorded shows at once, can be filtered, searched, paused and opened."""
    log = served.house.journal
    log.append_fills(3)
    await tab.open(served.url)
    await tab.wait_for(f"{ROWS} === 3")

    log.append_fills(2, "fmex-hedge")
    await tab.wait_for(f"{ROWS} === 5")
    assert "fmex-hedge" in await tab.evaluate(text("#event-list li"))

    await tab.evaluate("document.querySelector('#filter-account').value = 'fmex-hedge'")
    await tab.evaluate(
        "document.querySelector('#filter-account').dispatchEvent(new Event('change'))"
    )
    await tab.wait_for(f"{ROWS} === 2")

    await tab.evaluate("document.querySelector('#filter-text').value = 'no such thing'")
    await tab.evaluate("document.querySelector('#filter-text').dispatchEvent(new Event('input'))")
    await tab.wait_for(f"{ROWS} === 0")
    await tab.evaluate("document.querySelector('#filter-text').value = ''")
    await tab.evaluate("document.querySelector('#filter-text').dispatchEvent(new Event('input'))")

    await tab.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'p'}))")
    log.append_fills(1, "fmex-hedge")
    await tab.wait_for(f"{text('#pause')} === 'Go on (1)'")
    assert await tab.evaluate(ROWS) == 2
    await tab.evaluate("document.querySelector('#pause').click()")
    await tab.wait_for(f"{ROWS} === 3")

    await tab.evaluate("document.querySelector('#event-list summary').click()")
    await tab.wait_for(f"{text('#event-list pre')}.includes('order_id')")


@needs_browser
async def test_a_cut_account_turns_red_and_back(served: Served, tab: Tab):
    """State, reason, gap and verdict follow the gateway."""
    served.clock.now = START_NS + 60 * SECOND_NS
    await tab.open(served.url)
    await tab.wait_for(f"{text('#verdict')} === '2 of 2 accounts live, 2 sinks'")

    served.house.accounts["fmex-hedge"] = account_status(AccountState.SUSPENDED)
    served.house.journal.append(
        gap(StreamStatus.GAP_OPENED, from_nanoseconds(START_NS)), "fmex-hedge"
    )
    await tab.wait_for("document.querySelector('[data-key=fmex-hedge] .bad .state')")
    await tab.wait_for(f"{text('#verdict')}.startsWith('1 of 2 accounts live')")
    assert "bad" in await tab.evaluate("document.querySelector('#verdict').className")

    served.house.accounts["fmex-hedge"] = account_status()
    await tab.wait_for("document.querySelector('[data-key=fmex-hedge] .good .state')")
    await tab.wait_for(f"{text('#verdict')} === '2 of 2 accounts live, 2 sinks'")


@needs_browser
async def test_a_cluster_shows_who_owns_what(served: Served, tab: Tab):
    """The gateways and the owners stand on the page of any gateway in a cluster."""
    await tab.open(served.url)
    await tab.wait_for(f"{text('#verdict')} === '2 of 2 accounts live, 2 sinks'")
    assert await tab.evaluate("document.querySelector('#cluster').hidden")

    served.house.join(dead="desk-2")
    await tab.wait_for("!document.querySelector('#cluster').hidden")
    shown = await tab.evaluate(text("#gateways"))
    assert "desk-1 (this)" in shown
    assert "desk-2 (gone)" in shown


@needs_browser
async def test_an_account_opens_to_what_it_holds(served: Served, tab: Tab):
    """Balances, positions and open orders, by the keyboard too."""
    await tab.open(served.url)
    await tab.wait_for("document.querySelector('[data-key=lbank-main]')")

    await tab.evaluate("document.querySelector('[data-key=lbank-main] button').click()")

    await tab.wait_for(f"{text('#holdings-lbank-main')}.includes('1.34242880408925')")
    told = await tab.evaluate(text("#holdings-lbank-main"))
    assert "9278.5" in told
    assert "0.0245" in told


@needs_browser
async def test_a_lost_connection_is_said_and_healed(serve: Serve, tab: Tab):
    """A banner and grey while nobody answers; back without a reload when somebody does."""
    async with serve() as served:
        served.house.journal.append_fills(4)
        await tab.open(served.url)
        await tab.wait_for(f"{ROWS} === 4")
        url = served.url

    await tab.wait_for("document.body.classList.contains('lost')")
    assert (await tab.evaluate(text("#banner"))).startswith("Connection lost")

    async with serve(listen=url.removeprefix("http://")) as served:
        served.house.journal.append_fills(6)
        await tab.wait_for("!document.body.classList.contains('lost')")
        await tab.wait_for(f"{ROWS} >= 6")


@needs_browser
async def test_a_venues_text_cannot_become_script(served: Served, tab: Tab):
    """Names and texts are shown as text; nothing is fetched elsewhere; no error is logged."""
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    status = account_status(AccountState.BACKING_OFF)
    served.house.accounts[hostile] = type(status)(
        **{field: getattr(status, field) for field in status.__struct_fields__}
        | {"detail": hostile}
    )
    served.house.journal.append_fills(1, hostile)
    await tab.open(served.url)
    await tab.wait_for(f"{ROWS} === 1")
    await tab.wait_for("document.querySelectorAll('.account').length === 3")

    assert await tab.evaluate("document.querySelectorAll('main img, main script').length") == 0
    assert {urlsplit(url).netloc for url in tab.requests if url.startswith("http")} == {
        urlsplit(served.url).netloc
    }
    assert tab.complaints == []


@needs_browser
async def test_the_page_asks_for_the_token_and_takes_it(serve: Serve, tab: Tab):
    """Off loopback the login form stands before the page."""
    async with serve(token=Secret.of("correct horse battery staple")) as served:
        await tab.open(served.url)
        await tab.wait_for("document.querySelector('#token')")
        await tab.evaluate("document.querySelector('#token').value='correct horse battery staple'")
        await tab.evaluate("document.querySelector('form').requestSubmit()")

        await tab.wait_for(f"{text('#verdict')} === '2 of 2 accounts live, 2 sinks'")


@needs_browser
async def test_a_phone_needs_no_sideways_scrolling(served: Served, tab: Tab):
    """At 390 pixels everything stands within the width, what an account holds included."""
    served.house.journal.append_fills(30)
    await tab.open(served.url, width=390, height=800)
    await tab.wait_for(f"{ROWS} === 30")
    await tab.evaluate("document.querySelector('[data-key=lbank-main] button').click()")
    await tab.wait_for(f"{text('#holdings-lbank-main')}.includes('1.34242880408925')")

    assert await tab.evaluate("document.documentElement.scrollWidth") <= 390
    main = "document.querySelector('main').getBoundingClientRect()"
    for card in ("#accounts", "#event-list", "#sinks"):
        width = f"document.querySelector('{card}').getBoundingClientRect().width"
        assert await tab.evaluate(f"{width} === {main}.width"), card
