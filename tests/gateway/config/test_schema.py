"""The JSON Schema of the configuration says what `check` says, as far as it can."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from gateway.config.schema import config_schema

REPOSITORY = Path(__file__).parents[3]
ACCOUNT = {"venue": "acme", "credentials": {"api_key": {"env": "K"}, "secret": {"file": "/s"}}}


@pytest.fixture(name="validator")
def _validator() -> jsonschema.Draft202012Validator:
    schema = config_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_annotated_example_is_valid(validator: jsonschema.Draft202012Validator) -> None:
    """An editor with this schema underlines nothing in gateway.yaml."""
    example = yaml.safe_load((REPOSITORY / "gateway.yaml").read_text())

    assert list(validator.iter_errors(example)) == []


@pytest.mark.parametrize(
    "document",
    [
        {"accounts": {"a": ACCOUNT}},
        {"accounts": {"a": {**ACCOUNT, "pairs": ["eth_btc"], "lot": None, "key": {"life": "5m"}}}},
        {"defaults": {"acme": {"credentials": {"secret": {"env": "S"}}}}},
        {"sinks": {"p": {"type": "pigeon", "lofts": [{"street": "x"}]}}},
        {"http": None, "accounts": None},
    ],
)
def test_valid_documents(document: Any, validator: jsonschema.Draft202012Validator) -> None:
    """What `check` accepts, the schema accepts."""
    assert list(validator.iter_errors(document)) == []


@pytest.mark.parametrize(
    "document",
    [
        {"acounts": {}},
        {"accounts": {"A": ACCOUNT}},
        {"accounts": {"a": {"venue": "acmee"}}},
        {"accounts": {"a": {**ACCOUNT, "pears": "all"}}},
        {"accounts": {"a": {**ACCOUNT, "symbols": ["btcusd_p"]}}},
        {"accounts": {"a": {**ACCOUNT, "depth": 51}}},
        {"accounts": {"a": {**ACCOUNT, "key": {"life": "60"}}}},
        {"accounts": {"a": {**ACCOUNT, "credentials": {"api_key": {"vault": "x"}}}}},
        {"sinks": {"p": {"type": "pigeon"}}},
        {"sinks": {"p": {"type": "console", "path": "x"}}},
        {"journal": {"retain": {"size": "10GB"}}},
    ],
)
def test_invalid_documents(document: Any, validator: jsonschema.Draft202012Validator) -> None:
    """Misspelt keys, options of others, units and bounds are underlined."""
    assert list(validator.iter_errors(document)) != []


def test_options_are_described(validator: jsonschema.Draft202012Validator) -> None:
    """An editor shows the docstring and the default of an option."""
    schema: Any = validator.schema
    [acme] = [
        branch["then"]
        for branch in schema["properties"]["accounts"]["additionalProperties"]["allOf"]
        if branch["if"]["properties"]["venue"]["const"] == "acme"
    ]

    assert acme["properties"]["depth"]["description"] == "How deep.\nDefault: 10"
