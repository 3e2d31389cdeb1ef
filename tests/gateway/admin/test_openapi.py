"""The OpenAPI document and the routes cannot disagree."""

import json

import jsonschema
import pytest

from gateway.admin.guard import Guard
from gateway.admin.settings import HttpSettings
from gateway.admin.site import Site
from gateway.contracts.values import Secret
from tests.doubles.house import FixedClock, MemoryHouse
from tests.doubles.http_client import connect
from tests.gateway.admin.conftest import Serve, Served


async def test_every_route_is_in_the_document(served: Served):
    """Each path and method that is served is described, and nothing else is."""
    async with connect(served.url) as client:
        document = (await client.ask("/openapi.json")).json()

    clock = FixedClock()
    site = Site(MemoryHouse(), Guard(HttpSettings(), None, clock), clock)
    described = {
        (method, path) for path, methods in document["paths"].items() for method in methods
    }
    assert {(route.method.lower(), route.path) for route in site.router.routes} == described


async def test_references_resolve_and_names_are_unique(served: Served):
    """Every `$ref` points into the document; every operation has its own id."""
    async with connect(served.url) as client:
        document = (await client.ask("/openapi.json")).json()

    text = json.dumps(document)
    references = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert references <= set(document["components"]["schemas"])
    operations = [op["operationId"] for each in document["paths"].values() for op in each.values()]
    assert len(set(operations)) == len(operations)


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/api/v1/status", "/api/v1/accounts/lbank-main", "/api/v1/events", "/api/v1/gaps"],
)
async def test_answers_are_as_described(served: Served, path: str):
    """A real answer validates against the schema that the document gives for it."""
    served.house.journal.append_fills(3)
    async with connect(served.url) as client:
        document = (await client.ask("/openapi.json")).json()
        answer = (await client.ask(path)).json()

    described = document["paths"][path.replace("lbank-main", "{name}")]["get"]
    schema = described["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(answer, {**schema, "components": document["components"]})


async def test_the_contract_paths_are_all_served():
    """Nothing of the contract's section on HTTP is missing."""
    clock = FixedClock()
    site = Site(MemoryHouse(), Guard(HttpSettings(), None, clock), clock)
    paths = {route.path for route in site.router.routes}

    assert {
        "/healthz", "/readyz", "/metrics", "/api/v1/status", "/api/v1/accounts/{name}",
        "/api/v1/events", "/events", "/api/v1/reload", "/openapi.json", "/",
    } <= paths  # fmt: skip


async def test_the_token_is_described_where_it_is_asked_for(serve: Serve):
    """A gateway with a token says so in its document, for everything but probes and pages."""
    locked_house = serve(token=Secret.of("correct horse"))
    async with locked_house as served, connect(served.control) as client:
        locked = (await client.ask("/openapi.json")).json()["paths"]

    assert locked["/api/v1/status"]["get"]["security"]
    assert not locked["/healthz"]["get"]["security"]


async def test_a_word_in_place_of_a_number_is_the_word(served: Served):
    """`/dead-letters/drop` takes orders only, although `/dead-letters/{number}` is read."""
    async with connect(served.url) as client:
        told = await client.ask("/api/v1/dead-letters/drop")

    assert (told.status, told.headers["allow"]) == (405, "POST")
