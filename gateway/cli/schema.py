"""`gateway schema`: JSON Schema for consumers and for editors."""

import json
from typing import Any

import click


@click.group()
def command() -> None:
    """JSON Schema of events or of the configuration."""


@command.command()
def events() -> None:
    """What every event looks like, in its native form."""
    from gateway.config.docstrings import attribute_docs
    from gateway.events.schema import event_schema

    _print(event_schema(attribute_docs))


@command.command()
def config() -> None:
    """What `gateway.yaml` may hold, with every installed venue and sink."""
    from gateway.config.schema import config_schema

    _print(config_schema())


def _print(schema: dict[str, Any]) -> None:
    click.echo(json.dumps(schema, indent=2, ensure_ascii=False))
